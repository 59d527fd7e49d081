"""Hashing and writing of large files in a thread, while the loop goes on receiving.

On two cores a single file of a fast upstream is bound by the loop's thread: hash and write take two thirds of it. Small
files gain nothing: the way to a thread and back costs as much as hashing 100 KB.
"""

import asyncio
from typing import Any

from mirrortui.transfer.partfile import PartFile

LARGE = 4 << 20
"""Bytes still to come from which on a thread pays."""

BATCH = 1 << 20
"""Bytes a thread gets at once; a transfer holds twice as many at most."""


class Behind:
    """Writes to one part, in order, one batch at a time."""

    def __init__(self, part: PartFile) -> None:
        self._part = part
        self._pieces: list[Any] = []
        self._held = 0
        self._writing: asyncio.Future[None] | None = None

    async def add(self, piece: Any) -> None:
        """Take a piece; waits while the batch before is still being written. Raises `OSError`."""
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held >= BATCH:
            await self._written()
            self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, self._pieces)
            self._pieces, self._held = [], 0

    async def finish(self) -> None:
        """Write the rest. Raises `OSError`."""
        await self._written()
        self._write(self._pieces)
        self._pieces = []

    async def abandon(self) -> None:
        """Let the thread end, so that the file may be closed, and keep what came after it. Raises nothing."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
            if self._writing.exception() is not None:
                return
        try:
            self._write(self._pieces)
        except OSError:
            return

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)
            self._writing = None

    def _write(self, pieces: list[Any]) -> None:
        for piece in pieces:
            self._part.write(piece)
