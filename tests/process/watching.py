"""A thread that looks at what is published, all the time, as hard as it can."""

import hashlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.process import published


class Watch:
    """Collects in `wrong` every moment at which a published index named a file that was not as it says.

    An index counts only if it was the same file before and after the look at the packages: otherwise it was switched
    in between, and the package may rightly have been replaced since.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.looks = 0
        self.wrong: list[str] = []
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        while not self._over.is_set():
            for index in published.indexes(self.root):
                self._look(index)
            self.looks += 1

    def _look(self, index: Path) -> None:
        try:
            with index.open("rb") as stream:
                before = os.fstat(stream.fileno())
                records = published.records(index)
        except FileNotFoundError:  # withdrawn
            return
        found = []
        for fn, record in records.items():
            try:
                digest = hashlib.sha256((index.parent / fn).read_bytes()).hexdigest()
            except FileNotFoundError:
                digest = "absent"
            self.seen.add(digest)
            if digest != record["sha256"]:
                found.append(f"{index.relative_to(self.root)}: {fn} is {digest}, not {record['sha256']}")
        try:
            after = index.stat()
        except FileNotFoundError:
            return
        if (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns):
            self.wrong += found

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
