"""Start the worker: a process of its own session that belongs to nobody's terminal, or in the foreground for a scheduler.

The child reports once, on a pipe, whether its run has begun; afterwards journal and lock are all there is.
"""

import asyncio
import contextlib
import errno
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path

from mirrortui import channels, errors
from mirrortui import config as settings
from mirrortui.config import MirrorConfig
from mirrortui.errors import MirrorError, StateError
from mirrortui.mirror.store import Store
from mirrortui.naming import display
from mirrortui.selection.checking import require
from mirrortui.worker import schema
from mirrortui.worker.ballast import Ballast
from mirrortui.worker.ending import Ending
from mirrortui.worker.journal import Journal
from mirrortui.worker.lock import RunLock
from mirrortui.worker.schema import refuse_network

START_SECONDS = 30.0
_MORE = (errors.UpstreamStatus, errors.TransferError)  # their constructors ask for more than the pipe carries
END_SECONDS = 5.0
"""How long a worker that did not begin a run may take to end."""


def log_path(state: Path) -> Path:
    """Where a worker writes what nobody foresaw."""
    return state / "worker.log"


def start(config_path: Path, *, confirm_prune: bool = False) -> int:
    """Start a detached worker; returns its pid once its run stands in the journal.

    Raises what the worker raised before its run began: `ConfigError`, `BusyError`, `StateError`, `TargetError`.
    """
    config = settings.load(config_path)
    refuse_network(config.state)
    command = [sys.executable, "-m", "mirrortui.worker", str(Path(config_path).absolute())]
    command += ["--confirm-prune"] if confirm_prune else []
    read, write = os.pipe()
    try:
        process = subprocess.Popen(
            [*command, "--report", str(write)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(write,),
            cwd="/",
        )
    finally:
        os.close(write)
    try:
        answer = _read(read)
    finally:
        os.close(read)
    if answer.get("run"):
        process.returncode = 0  # it lives on, on purpose: its end is read from the journal, not waited for
        return process.pid
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    kind = getattr(errors, str(answer.get("error", "")), MirrorError)
    what = str(answer.get("what") or f"the worker did not start; see {log_path(config.state)}")
    if not isinstance(kind, type) or not issubclass(kind, MirrorError) or kind in _MORE:
        kind = MirrorError
    raise kind(what, where=str(answer.get("where", "")), hint=str(answer.get("hint", "")))


def _read(fd: int) -> dict[str, object]:
    data = b""
    while select.select((fd,), (), (), START_SECONDS)[0]:
        block = os.read(fd, 65536)
        if not block:
            break
        data += block
    try:
        answer = json.loads(data)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def foreground(config_path: Path, *, confirm_prune: bool = False, report: int = -1) -> Ending:
    """Do one run in this process. Raises `MirrorError` before the run has begun; afterwards the ending says all."""
    os.umask(0o022)  # the tree is there to be served; what is secret is made 0600 by name
    try:
        config = settings.load(config_path)
        require(config, display(config_path))
        for channel in config.channels:
            channels.upstreams(channel)  # a secret that is not set is told before anything is done
        Store(config.root).check_writable()
        with RunLock(config.state):
            journal = Journal(config.state)
            _tell(report, {"run": _begun(journal, config.state)})
            with Ballast(config.state) as ballast:
                return _conduct(config, journal, ballast, confirm_prune)
    except MirrorError as error:
        _tell(report, {"error": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint})
        raise


def _tell(fd: int, answer: dict[str, object]) -> None:
    if fd >= 0:
        try:
            os.write(fd, json.dumps(answer).encode())
            os.close(fd)
        except OSError:  # nobody listens any more, or it was told already
            return


def _begun(journal: Journal, state: Path) -> int:
    try:
        return journal.begin()
    except sqlite3.Error as error:
        hint = "Look whether its disk is full or read-only"
        raise StateError(f"cannot be written: {error}", where=str(schema.path(state)), hint=hint) from error


def _conduct(config: MirrorConfig, journal: Journal, ballast: Ballast, confirm_prune: bool) -> Ending:
    from mirrortui.worker.conducting import conduct
    from mirrortui.worker.run import Run

    try:
        run = Run(config, journal, confirm_prune=confirm_prune)
        try:
            ending = asyncio.run(conduct(run))
        finally:
            run.close()
    except MirrorError as error:
        journal.event("error", str(error))
        ending = Ending("failed", str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last resort: the journal must not say “running” for ever
        text = _full(error)
        if not text:
            _log(config.state)
            text = f"{type(error).__name__}: {display(error)}; see {log_path(config.state)}"
        journal.event("error", text)
        ending = Ending("failed", text)
    journal.tick()
    if journal.refused:
        ballast.release()
        words = [f"the journal could not be written: {journal.refused}", *([ending.message] if ending.message else [])]
        ending = Ending("failed", "; ".join(words))
        journal.event("error", words[0])
    journal.set(pruned=ending.pruned, exit_code=ending.code)
    journal.finish(ending.state, ending.message)
    return ending


def _full(error: Exception) -> str:
    """What to say of an error that only means a full disk; "" for any other."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return ""
    where = f"{display(error.filename)}: " if error.filename else ""
    return f"{where}{error.strerror}; make room on the disks of state and root, and start again"


def _log(state: Path) -> None:
    """Append the traceback, scrubbed of secrets and control characters, to a file only its owner reads."""
    lines = "\n".join(display(line, 2000) for line in traceback.format_exc().splitlines())
    try:
        fd = os.open(log_path(state), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as stream:
            stream.write(f"{lines}\n")
    except OSError:
        return


def survival() -> str:
    """Say whether a detached worker outlives the logout on this host (systemd-logind may be set to kill it)."""
    kills = False
    for file in (Path("/etc/systemd/logind.conf"), *sorted(Path("/etc/systemd/logind.conf.d").glob("*.conf"))):
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition("=")
            if key.strip() == "KillUserProcesses":
                kills = value.strip().lower() in ("yes", "true", "1", "on")
    if kills and os.geteuid() != 0:
        return "This host ends all processes at logout (KillUserProcesses=yes); run “loginctl enable-linger” or a system unit"
    return "The worker has its own session and goes on after logout"


def ignore_hangup() -> None:
    """A worker in the foreground of a terminal goes on when the terminal goes."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
