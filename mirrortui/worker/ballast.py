"""Room kept back on the state's disk: a run that ends because that disk is full must still be able to write that down."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

BYTES = 512 * 1024
"""More than SQLite needs for the last page of a log, its index and the run's line, twice (WAL and database)."""


class Ballast:
    """A file `<state>/ballast` that is there for the time of a run; without room for it there is none."""

    def __init__(self, state: Path) -> None:
        self._file = state / "ballast"

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, BYTES)
            finally:
                os.close(fd)
        return self

    def release(self) -> None:
        """Give the room back, for whoever writes next."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
