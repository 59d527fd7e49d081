"""Make a channel's metadata visible: stage everything, then switch all subdirs by renames in a fixed order.

Order (design): packages are in before this is called; then repodata.json.zst of all subdirs, then
repodata.json of all subdirs, then what is switched off is removed. Each rename replaces a complete file by a
complete file, and every file that either generation names is on disk: a crash between any two renames
leaves a set that a client can install from. A file whose bytes are the same is left alone, so that its
mtime and ETag stay.
"""

import filecmp
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import zstandard

from mirrortui.catalog import cache
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.config import Publish
from mirrortui.mirror import cut
from mirrortui.mirror.inventory import Inventory, Published
from mirrortui.mirror.store import Store, reporting

FORMAT = 1
ZST, JSON = "repodata.json.zst", "repodata.json"
ORDER = (ZST, JSON)
OTHERS = (
    "repodata_shards.msgpack.zst",
    "repodata.json.bz2",
    "current_repodata.json",
    "current_repodata.json.zst",
    "current_repodata.json.bz2",
    "repodata.jlap",
    "repodata_from_packages.json",
    "run_exports.json",
    "run_exports.json.zst",
)
"""Metadata that this version does not write: removed where it lies, since clients prefer some of it to repodata.json."""


@dataclass(frozen=True)
class Item:
    """One subdir to publish: its index (None: publish an empty one) and the rows that are wanted and verified."""

    subdir: str
    index: SubdirIndex | None
    keep: Mask


@dataclass
class Switched:
    """What publishing a channel did: files renamed into place and removed, records now named."""

    written: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    records: int = 0


def publish(store: Store, inventory: Inventory, channel: str, items: Iterable[Item], options: Publish) -> Switched:
    """Publish all given subdirs of a channel together. Raises `MirrorError`; nothing is visible until all is staged."""
    done = Switched()
    staged: dict[tuple[str, str], Path] = {}
    keys: dict[str, tuple[str, int, int]] = {}
    try:
        for item in items:
            key, count = _key(item, options), int(item.keep.sum())
            done.records += count
            if _unchanged(store, inventory, channel, item.subdir, key):
                continue
            keys[item.subdir] = key, count, item.index.rows if item.index else 0
            folder = store.prepare(channel, item.subdir)
            with reporting(folder):
                staged |= {(item.subdir, name): path for name, path in _stage(folder, item, options).items()}
        if keys:
            store.flush()
        for name in ORDER:
            for (subdir, staged_name), path in list(staged.items()):
                if staged_name == name:
                    target = store.folder(channel, subdir) / name
                    with reporting(target):
                        if _switch(path, target):
                            done.written.append(target)
                    del staged[subdir, staged_name]
        for subdir, (key, count, rows) in keys.items():
            done.removed += _remove_others(store.folder(channel, subdir), options)
            inventory.set_published(
                channel, subdir, Published(key, _stamps(store.folder(channel, subdir)), count, rows)
            )
    finally:
        for path in staged.values():
            path.unlink(missing_ok=True)
    return done


def withdraw(store: Store, inventory: Inventory, channel: str, subdir: str) -> list[Path]:
    """Take a subdir out of view: its packages stay, its metadata goes."""
    folder = store.folder(channel, subdir)
    removed = []
    for name in (*OTHERS, *ORDER):
        path = folder / name
        with reporting(path):
            if path.is_file():
                path.unlink()
                removed.append(path)
    inventory.set_published(channel, subdir, None)
    return removed


def _key(item: Item, options: Publish) -> str:
    digest = hashlib.sha256(f"{FORMAT} {item.subdir} {options.zst}".encode())
    if item.index is not None:
        digest.update(item.index.source.sha256.encode())
        digest.update(item.keep.tobytes())
    return digest.hexdigest()


def _stamps(folder: Path) -> str:
    found = []
    for name in ORDER:
        path = folder / name
        if path.is_file():
            status = path.stat()
            found.append((name, status.st_size, status.st_mtime_ns))
    return msgspec.json.encode(found).decode()


def _unchanged(store: Store, inventory: Inventory, channel: str, subdir: str, key: str) -> bool:
    """Whether the same inputs were published before and their files are still as they were left."""
    last = inventory.published(channel, subdir)
    return last is not None and last.key == key and _stamps(store.folder(channel, subdir)) == last.files != "[]"


def _stage(folder: Path, item: Item, options: Publish) -> Mapping[str, Path]:
    """Write the new files beside the old ones, under names that are never served."""
    plain, packed = folder / f".{JSON}.new", folder / f".{ZST}.new"
    index = item.index
    same = index is not None and cut.verbatim(index, item.keep)
    with plain.open("wb") as raw:
        if same:
            assert index is not None
            assert index.body is not None
            for chunk in cache.unpacked(index.body):
                raw.write(chunk)
        elif options.zst:
            with packed.open("wb") as out, _packer(out) as pack:

                def both(data: bytes) -> None:
                    raw.write(data)
                    pack.write(data)

                _cut(item, both)
        else:
            _cut(item, raw.write)
    if same and options.zst:
        assert index is not None
        assert index.body is not None
        shutil.copyfile(index.body, packed)
    for path in (plain, packed):
        if path.exists():
            path.chmod(0o644)
    return {JSON: plain, ZST: packed} if options.zst else {JSON: plain}


def _cut(item: Item, out: cut.Write) -> None:
    if item.index is None:
        out(cut.empty(item.subdir))
    else:
        cut.write(item.index, item.keep, out)


@contextmanager
def _packer(out: object) -> Iterator[zstandard.ZstdCompressionWriter]:
    # With threads the frame does not depend on their number: the same JSON gives the same bytes anywhere.
    packer = zstandard.ZstdCompressor(level=3, threads=2, write_content_size=False)
    with packer.stream_writer(out, closefd=False) as stream:  # type: ignore[arg-type]  # any binary file
        yield stream


def _switch(staged: Path, target: Path) -> bool:
    """Rename over the target unless the bytes are the same already."""
    if target.is_file() and not target.is_symlink() and filecmp.cmp(staged, target, shallow=False):
        staged.unlink()
        return False
    staged.replace(target)
    fd = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return True


def _remove_others(folder: Path, options: Publish) -> list[Path]:
    removed = []
    for name in OTHERS if options.zst else (ZST, *OTHERS):
        path = folder / name
        with reporting(path):
            if path.is_file():
                path.unlink()
                removed.append(path)
    return removed
