"""Bytes that change under the feet of a mirror, and what verify says of it."""

import os
from pathlib import Path

from mirrortui.mirror.verify import verify
from tests.unit.mirror.tree import Tree


def flip(path: Path, *, keep: bool = True) -> None:
    """Change a byte in place, perhaps with the times that the file had."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if keep:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def wrong(tree: Tree) -> list[tuple[str, str]]:
    found = verify(tree.store, tree.inventory)
    assert found.finished
    return [(bad.path, bad.reason) for bad in found.bad]
