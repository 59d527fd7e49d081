"""When superseded shards go, and that none goes which a client may still ask for."""

import os
import time
from pathlib import Path

import msgspec
import pytest
import zstandard

from mirrortui.mirror import shards
from tests.unit.catalog import made
from tests.unit.mirror.shard_folder import Folder

DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def aged(folder: Folder, name: str, days: float) -> Path:
    path = folder.path / "shards" / name
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def test_superseded_shards_stay_for_a_week(folder: Folder, tmp_path: Path) -> None:
    folder.write(made.index(tmp_path, made.table("a-1-0.conda", "b-1-0.conda")))
    before = shards.named_by(folder.path / shards.INDEX)
    for name in before:
        aged(folder, name, 300)
    old = folder.file("a").name
    folder.write(made.index(tmp_path, made.table("a-1-0.conda", "a-2-0.conda", "b-1-0.conda")))
    shards.retire(folder.path, before, shards.named_by(folder.path / shards.INDEX))
    assert shards.sweep(folder.path, time.time()) == 0
    assert shards.sweep(folder.path, time.time() + 6.9 * DAY) == 0
    assert old in folder.files
    assert shards.sweep(folder.path, time.time() + 7.1 * DAY) == 1
    assert folder.files == shards.named_by(folder.path / shards.INDEX)
    assert folder.shard("b")
    assert shards.sweep(folder.path, time.time() + 1000 * DAY) == 0


def test_what_was_begun_and_never_ended_goes_and_foreign_files_stay(folder: Folder, tmp_path: Path) -> None:
    folder.write(made.index(tmp_path, made.table("a-1-0.conda")))
    for name in (".x.msgpack.zst.new", "y.msgpack.zst", "README", "index.html"):
        (folder.path / "shards" / name).write_bytes(b"")
        aged(folder, name, 8)
    (folder.path / "shards" / ".z.msgpack.zst.new").write_bytes(b"")
    assert shards.sweep(folder.path, time.time()) == 2
    assert folder.files == {"README", "index.html", ".z.msgpack.zst.new", folder.file("a").name}


BROKEN = [
    b"",
    b"nonsense",
    zstandard.ZstdCompressor().compress(b"\xc1"),
    zstandard.ZstdCompressor().compress(msgspec.msgpack.encode([])),
    shards.empty("x")[:-4],
]


@pytest.mark.parametrize("data", [None, *BROKEN], ids=range(len(BROKEN) + 1))
def test_while_the_index_cannot_be_read_no_shard_is_removed(folder: Folder, tmp_path: Path, data: bytes | None) -> None:
    """They may all be in use."""
    folder.write(made.index(tmp_path, made.table("a-1-0.conda")))
    aged(folder, folder.file("a").name, 300)
    before = folder.files
    if data is None:
        (folder.path / shards.INDEX).unlink()
    else:
        (folder.path / shards.INDEX).write_bytes(data)
    assert shards.named_by(folder.path / shards.INDEX) == set()
    assert shards.sweep(folder.path, time.time()) == 0
    assert folder.files == before


def test_sweeping_where_there_is_nothing(tmp_path: Path) -> None:
    assert shards.sweep(tmp_path, time.time()) == 0
    assert shards.sweep(tmp_path / "nowhere", time.time()) == 0
    (tmp_path / shards.INDEX).write_bytes(shards.empty("noarch"))
    assert shards.sweep(tmp_path, time.time()) == 0
    (tmp_path / "shards").write_bytes(b"a file")
    assert shards.sweep(tmp_path, time.time()) == 0
