"""The viewer's side of the journal: cheap polling, one immutable snapshot."""

import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mirrortui.errors import StateError
from mirrortui.naming import display
from mirrortui.worker import lock, schema
from mirrortui.worker.snapshot import ACTIVE, Event, Failure, InFlight, RunStatus, Snapshot, SubdirProgress

_RUN = (
    "id, state, phase, started, ended, pid, plan, files_done, files_total, bytes_done, bytes_total, added, replaced, dropped,"
    " pruned, bytes_fetched, rate, eta, speed_limit, message, exit_code, heartbeat"
)
_FLIGHT = "slot, channel, subdir, fn, bytes_done, bytes_total, rate, attempt, waiting, wait"
_FAILURE = "select channel, subdir, fn, reason, text from failure where run=? order by channel, subdir, fn limit ?"


def _columns(db: sqlite3.Connection, names: str) -> str:
    """The columns to select; a journal of an older version lacks some until a worker opens it."""
    if db.execute("pragma user_version").fetchone()[0] == schema.VERSION:
        return names
    return ", ".join(schema.LATER.get(name, name) for name in names.split(", "))


class JournalReader:
    """Read the newest run of a state folder; works with the worker absent, busy, finished or crashed.

    `poll()` costs a few microseconds while nothing has changed: `pragma data_version` moves only when
    another connection commits. No statement is left open: an open reader would keep the WAL from being
    checkpointed. A snapshot holds the newest `events` and the first `failures` by name; -1 is all.
    """

    def __init__(self, state: Path, *, events: int = 200, failures: int = 1000) -> None:
        self.state = state
        self._events, self._failures = events, failures
        self._db: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._seen: tuple[int, bool] | None = None

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None
            self._seen = None

    def poll(self) -> Snapshot | None:
        """Return a new snapshot if anything changed since the last call, else None."""
        db = self._open()
        if db is None:
            changed = self._seen != (-1, False)
            self._seen = (-1, False)
            return Snapshot("idle") if changed else None
        try:
            version = (int(db.execute("pragma data_version").fetchone()[0]), lock.running(self.state))
            if version == self._seen:
                return None
            self._seen = version
            return self._read(db, held=version[1])
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def snapshot(self) -> Snapshot:
        """Return the present state, changed or not."""
        self._seen = None
        return self.poll() or Snapshot("idle")

    def heartbeat_age(self) -> float | None:
        """Seconds since the worker of the newest run last wrote; None without a run."""
        rows = self._rows("select heartbeat from run order by id desc limit 1")
        return max(0.0, time.time() - rows[0][0]) if rows else None

    def runs(self, count: int = 50) -> tuple[RunStatus, ...]:
        """The newest runs, newest first."""
        try:
            db = self._open()
            columns = _columns(db, _RUN) if db is not None else _RUN
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        rows = self._rows(f"select {columns} from run order by id desc limit ?", count)  # noqa: S608 - our own names
        return tuple(RunStatus(*row[:-1]) for row in rows)

    def failures(self, run: int) -> tuple[Failure, ...]:
        """What a run could not have, also a past one."""
        return tuple(Failure(*row) for row in self._rows(_FAILURE, run, self._failures))

    def log(self, run: int, after: int = 0) -> tuple[Event, ...]:
        """All events of a run whose id is above `after`, oldest first."""
        rows = self._rows("select id, time, level, text from event where run=? and id>? order by id", run, after)
        return tuple(Event(*row) for row in rows)

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        db = self._open()
        try:
            return db.execute(sql, parameters).fetchall() if db else []
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> StateError:
        self.close()
        return StateError(f"cannot be read: {error}", where=display(schema.path(self.state)))

    def _open(self) -> sqlite3.Connection | None:
        file = schema.path(self.state)
        try:
            status = file.stat()
        except (FileNotFoundError, NotADirectoryError):
            self.close()
            return None
        except OSError as error:
            raise StateError(f"cannot be read: {error.strerror}", where=display(file)) from error
        if self._db is not None and self._file != (status.st_dev, status.st_ino):
            self.close()  # it was moved away, and another one is in its place
        if self._db is None:
            self._file = (status.st_dev, status.st_ino)
            self._db = self._connect(file)
        return self._db

    def _connect(self, file: Path) -> sqlite3.Connection | None:
        db = None
        try:
            db = sqlite3.connect(
                f"file:{quote(str(file))}?mode=ro",
                uri=True,
                timeout=2,
                isolation_level=None,
                check_same_thread=False,
            )
            found = db.execute("pragma user_version").fetchone()[0]
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            raise StateError(
                f"cannot be read: {error}", where=display(file), hint="Check the mode of the state folder"
            ) from error
        if found in schema.READABLE:
            return db
        db.close()
        if found == 0:  # the worker is just making it
            return None
        raise StateError(
            f"is of another version of this program ({found})",
            where=display(file),
            hint="Use that version to look at it",
        )

    def _read(self, db: sqlite3.Connection, *, held: bool) -> Snapshot:
        db.execute("begin")
        try:
            row = db.execute(f"select {_columns(db, _RUN)} from run order by id desc limit 1").fetchone()  # noqa: S608 - our own names
            if row is None:
                return Snapshot("idle")
            run = RunStatus(*row[:-1])
            key = (run.id,)
            subdirs = db.execute(
                "select channel, subdir, phase, files_done, files_total, bytes_done, bytes_total, failed from subdir where run=? order by position",
                key,
            ).fetchall()
            events = db.execute(
                "select id, time, level, text from event where run=? order by id desc limit ?", (run.id, self._events)
            ).fetchall()
            failures = db.execute(_FAILURE, (run.id, self._failures)).fetchall()
            count = db.execute("select count(*) from failure where run=?", key).fetchone()[0]
            state = run.state if run.state not in ACTIVE or held else "crashed"
            if state == "crashed" and run.ended is None:
                run = replace(run, ended=row[-1])  # the last heartbeat: nobody was left to write down the end
            if state == "paused":  # the worker's figures are averages, which would sink slowly while nothing comes
                run = replace(run, rate=0.0, eta=None)
            problems = [
                Failure(channel, subdir, "repodata.json", "index", _why(db, run.id, f"{channel}/{subdir}: "))
                for channel, subdir, phase, *_ in subdirs
                if phase == "failed"
            ]
            flights = []
            if state in ACTIVE:
                flights = db.execute(f"select {_columns(db, _FLIGHT)} from in_flight order by slot").fetchall()  # noqa: S608 - our own names
        finally:
            db.execute("commit")
        return Snapshot(
            state=state,
            run=run,
            heartbeat_age=max(0.0, time.time() - row[-1]),
            subdirs=tuple(SubdirProgress(*r) for r in subdirs),
            in_flight=tuple(InFlight(*r) for r in flights),
            events=tuple(Event(*r) for r in reversed(events)),
            failures=tuple(Failure(*r) for r in failures),
            failed_count=count,
            problems=tuple(problems),
        )


def _why(db: sqlite3.Connection, run: int, begin: str) -> str:
    """What the log says of a subdir whose index could not be read."""
    row = db.execute(
        "select text from event where run=? and level='error' and substr(text, 1, ?)=? order by id desc limit 1",
        (run, len(begin), begin),
    ).fetchone()
    return str(row[0]).removeprefix(begin) if row else "its index could not be read"
