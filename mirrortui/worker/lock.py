"""One writer: the lock file is held (flock) for as long as tree and inventory are changed, by a run or another verb.

What stands in the file (`<pid> <seconds since 1970> <verb>`) only tells who holds it; the flock alone decides.
"""

import errno
import fcntl
import os
import pwd
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mirrortui.errors import BusyError, MirrorError, StateError
from mirrortui.naming import display

TRIES, PAUSE = 10, 0.02
RUN = "sync"
"""The verb of a run: what viewers watch and what obeys the journal's commands."""

_MOST = 200


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: process, since when (seconds since 1970), verb; 0 and "" where the file does not say."""

    pid: int = 0
    since: float = 0.0
    verb: str = ""

    @property
    def is_run(self) -> bool:
        """Whether it is a run; what an earlier version of this program wrote names no verb, and was one nearly always."""
        return self.verb in ("", RUN)

    def __str__(self) -> str:
        if self.is_run:
            return f"another run is at work{f' (process {self.pid})' if self.pid else ''}"
        day = "%H:%M" if time.localtime(self.since)[:3] == time.localtime()[:3] else "%Y-%m-%d %H:%M"
        return (
            f"{self.verb} (process {self.pid}, since {time.strftime(day, time.localtime(self.since))}) holds the mirror"
        )

    def busy(self, where: Path) -> BusyError:
        """The error for who comes second."""
        hint = "Watch it with “mirrortui status --follow”, end it with “mirrortui stop”"
        if not self.is_run:
            hint = f"Wait for its end, or end it where it was started; “kill {self.pid}” does so from elsewhere"
        return BusyError(str(self), where=str(where), hint=hint)


class RunLock:
    """Hold `<state>/lock`; a second taker gets `BusyError` that names the first. Freed by the kernel on any death."""

    def __init__(self, state: Path, verb: str = RUN) -> None:
        self.path = state / "lock"
        self.verb = verb
        self._fd = -1

    def acquire(self) -> None:
        """Take the lock or raise `BusyError`; `StateError` where the state folder cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise unwritable(self.path.parent, error) from error
        try:
            self._take(fd)
        except OSError as error:
            found = _read(fd)
            os.close(fd)
            raise found.busy(self.path) from error
        self._fd = fd
        try:
            length = os.pwrite(fd, f"{os.getpid()} {int(time.time())} {self.verb}\n".encode(), 0)
            os.ftruncate(fd, length)  # afterwards: on a full disk there is room for what stood there before
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # on a full disk it is held without saying by whom
                self.release()
                raise unwritable(self.path.parent, error) from error

    @staticmethod
    def _take(fd: int) -> None:
        """A viewer that asks has the lock for a moment: who holds it longer than that is at work."""
        for _ in range(TRIES):
            try:
                return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(PAUSE)
        return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder(state: Path) -> Holder | None:
    """Who holds the lock, or None; asking takes it for some microseconds, which `acquire` waits out."""
    try:
        fd = os.open(state / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(fd)
    else:
        return None
    finally:
        os.close(fd)


def held(state: Path) -> bool:
    """Tell whether anybody holds the lock."""
    return holder(state) is not None


def running(state: Path) -> bool:
    """Tell whether a run holds the lock."""
    found = holder(state)
    return found is not None and found.is_run


def _read(fd: int) -> Holder:
    words = os.pread(fd, _MOST, 0).partition(b"\n")[0].decode("ascii", "replace").split(maxsplit=2)
    try:
        return Holder(int(words[0]), float(words[1]), display(words[2], 40))
    except (ValueError, IndexError):
        return Holder(int(words[0]) if words and words[0].isdecimal() and len(words[0]) < 12 else 0)


def unwritable(state: Path, error: OSError) -> MirrorError:
    """The error for a state folder that this account, or nobody, can write to."""
    what, hint = f"cannot be written: {error.strerror}", ""
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        what, hint = (
            "a file stands where the state folder is to be",
            "Move it away, or set mirror.state to another place",
        )
    elif error.errno == errno.EROFS:
        what, hint = "cannot be written: the file system is read-only", "Mount it for writing, and look why it is not"
    elif error.errno in (errno.EACCES, errno.EPERM):
        hint = f"Use the worker's account{_owner(state)}"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Make room on the disk of the state folder"
    return StateError(what, where=str(state), hint=hint)


def _owner(state: Path) -> str:
    """The account of a state folder that is there, in brackets."""
    try:
        return f" ({pwd.getpwuid(state.stat().st_uid).pw_name})"
    except (OSError, KeyError):
        return "; if there is none yet, set mirror.state to a folder that it can make"
