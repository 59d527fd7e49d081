"""One subdir's folder to write shards into, and to read them back."""

import hashlib
from pathlib import Path
from typing import Any

from mirrortui.catalog.index import SubdirIndex
from mirrortui.mirror import shards
from tests.unit.mirror.tree import all_of, keep, unpacked


class Folder:
    def __init__(self, base: Path) -> None:
        self.path, self.scratch = base / "root", base / "scratch"
        self.path.mkdir(parents=True)
        self.scratch.mkdir()

    def write(self, index: SubdirIndex, *fns: str) -> bytes:
        """Write and publish; of all rows or of some."""
        body = shards.write(index, keep(index, *fns) if fns else all_of(index), self.path, self.scratch)
        assert list(self.scratch.iterdir()) == []
        (self.path / shards.INDEX).write_bytes(body)
        return body

    @property
    def index(self) -> Any:
        return unpacked(self.path / shards.INDEX)

    def file(self, name: str) -> Path:
        return self.path / "shards" / f"{self.index['shards'][name].hex()}.msgpack.zst"

    def shard(self, name: str) -> Any:
        path = self.file(name)
        assert hashlib.sha256(path.read_bytes()).digest() == self.index["shards"][name]
        return unpacked(path)

    @property
    def files(self) -> set[str]:
        return {path.name for path in (self.path / "shards").iterdir()}
