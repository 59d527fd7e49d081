"""What a viewer may ask of a running worker, by the journal's command table."""

import sqlite3
import time
from pathlib import Path

from mirrortui.errors import BusyError, StateError, UsageError
from mirrortui.worker import lock, schema

VERBS = ("pause", "resume", "stop", "limit", "retry")


def send(state: Path, verb: str, argument: str = "") -> None:
    """Ask the worker to pause, resume, stop, or change its limit (bytes a second, 0 = none).

    The answer is what the journal shows next: nothing here tells that it was obeyed. Raises `UsageError`
    where nobody is at work, `BusyError` where it is something that obeys no command: a verify, a prune, a snapshot.
    """
    if verb not in VERBS:
        raise UsageError(f"unknown command {verb}")
    found = lock.holder(state)
    if found is None:
        raise UsageError("no run is at work", hint="Start one with “mirrortui sync --detach”")
    if not found.is_run:
        error = found.busy(state / "lock")
        raise BusyError(f"no run is at work: {error.what}", hint=error.hint)
    file = schema.path(state)
    try:
        db = sqlite3.connect(file, timeout=5, isolation_level=None)
        try:
            db.execute("insert into command(time, verb, argument) values(?, ?, ?)", (time.time(), verb, argument))
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StateError(
            f"cannot be written: {error}",
            where=str(file),
            hint="Commands need write access to the state folder; use the worker's account",
        ) from error
