"""Cache folders that somebody has open stay until the last user is gone, whichever process that is.

A run works from its indexes for hours while `estimate` or a screen fetch newer ones. Users hold a shared flock on the
folder, which ends with the process whatever ends that; who removes it must have it alone.
"""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path


class Hold:
    """Keeps a folder from `remove_unused` for as long as this value lives. Raises `OSError` where it is gone or going."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Let go; harmless when that was done already."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            self.release()


def remove_unused(folder: Path) -> None:
    """Remove a folder unless somebody holds it."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(fd)
