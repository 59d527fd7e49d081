"""One writer: the lock file is held (flock) by the worker for the whole run."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from mirrortui.errors import BusyError, StateError


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
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            raise BusyError(
                f"another run is at work{f' (process {pid})' if pid else ''}",
                where=str(self.path),
                hint="Watch it with “mirrortui status --follow”, end it with “mirrortui stop”",
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

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
    """Tell whether a worker holds the lock, without ever getting in its way."""
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
