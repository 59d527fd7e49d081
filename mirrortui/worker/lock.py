"""One writer: the lock file is held (flock) by the worker for the whole run."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from mirrortui.errors import BusyError, StateError
from mirrortui.naming import display

TRIES, PAUSE = 10, 0.02


class RunLock:
    """Hold `<state>/lock`; a second taker gets `BusyError` with the pid of the first. Freed by the kernel on any death."""

    def __init__(self, state: Path) -> None:
        self.path = state / "lock"
        self._fd = -1

    def acquire(self) -> None:
        """Take the lock or raise `BusyError`."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StateError(
                f"cannot be written: {error.strerror}",
                where=str(self.path),
                hint="Set mirror.state to a folder you may write to",
            ) from error
        try:
            self._take(fd)
        except OSError as error:
            pid = display(os.read(fd, 32).decode("ascii", "replace").strip())
            os.close(fd)
            raise BusyError(
                f"another run is at work{f' (process {pid})' if pid else ''}",
                where=str(self.path),
                hint="Watch it with “mirrortui status --follow”, end it with “mirrortui stop”",
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    @staticmethod
    def _take(fd: int) -> None:
        """A viewer that asks `held` has the lock for a moment: who holds it longer than that is at work."""
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


def held(state: Path) -> bool:
    """Tell whether a worker holds the lock; asking takes it for some microseconds, which `acquire` waits out."""
    try:
        fd = os.open(state / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(fd)
