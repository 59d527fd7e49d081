"""The standard streams as a caller left them: closed, full, or with nobody at the other end."""

import io
import os
import select
import sys
from typing import Any

__all__ = ["Unprinted", "discard", "set_up"]


class Unprinted(Exception):
    """Data for stdout could not be written; `error` says why. No `OSError`, so that nobody takes it for one of another file."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"stdout cannot be written: {error.strerror}")
        self.error = error


class _Stdout(io.FileIO):
    """Descriptor 1."""

    def write(self, data: Any, /) -> int:
        try:
            while (written := super().write(data)) is None:  # another program has made it non-blocking
                select.select((), (self,), ())
        except OSError as error:
            raise Unprinted(error) from error
        else:
            return written


def set_up() -> None:
    """Put something in the place of streams that are closed, or files opened later would be taken for them.

    Data for a closed stdout are lost, which is to be told: there, /dev/null is opened for reading, so that a write
    fails as it should. Narration for a closed stderr is not wanted. From here on a write to stdout raises `Unprinted`.
    """
    for number, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number, which is this one
    before = sys.stdout
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Stdout(1, "w", closefd=False)),
        encoding=before.encoding if before else "utf-8",
        errors=before.errors if before else "replace",
        line_buffering=os.isatty(1),
    )
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it is there to the end


def discard() -> None:
    """Throw away what is still to be written to stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
