"""Make a channel's metadata visible: stage everything, then switch all subdirs by renames in a fixed order.

Order: packages are in before this is called; then shards (which nothing names yet), then for each kind of
file in turn, all subdirs of the channel: shard index, repodata.json.zst, repodata.json, the rest. What is
switched off is removed last. Each rename replaces a complete file by a
complete file, and every file that either generation names is on disk: a crash between any two renames
leaves a set that a client can install from. A file whose bytes are the same is left alone, so that its
mtime and ETag stay.
"""

import filecmp
import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mirrortui.config import Publish
from mirrortui.mirror import shards
from mirrortui.mirror.inventory import Inventory, Published
from mirrortui.mirror.staging import NEVER, ORDER, Item, stage, unwanted, wanted
from mirrortui.mirror.store import Store, reporting

FORMAT = 2


@dataclass
class Switched:
    """What publishing a channel did: files renamed into place and removed, records now named."""

    written: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    records: int = 0


def publish(
    store: Store, inventory: Inventory, channel: str, items: Iterable[Item], options: Publish, scratch: Path
) -> Switched:
    """Publish all given subdirs of a channel together; `scratch` is a local folder for temporary files.

    Raises `MirrorError`; nothing is visible until all is staged.
    """
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
                staged |= {(item.subdir, name): path for name, path in stage(folder, item, options, scratch).items()}
        if keys:
            store.flush()
        for name in wanted(options):
            for (subdir, staged_name), path in list(staged.items()):
                if staged_name == name:
                    target = store.folder(channel, subdir) / name
                    if name == shards.INDEX:
                        shards.retire(target.parent, shards.named_by(target), shards.named_by(path))
                    with reporting(target):
                        if _switch(path, target):
                            done.written.append(target)
                    del staged[subdir, staged_name]
        for subdir, (key, count, rows) in keys.items():
            done.removed += _remove_others(store.folder(channel, subdir), options)
            inventory.set_published(channel, subdir, Published(key, stamps(store.folder(channel, subdir)), count, rows))
    finally:
        for path in staged.values():
            path.unlink(missing_ok=True)
    return done


def withdraw(store: Store, inventory: Inventory, channel: str, subdir: str) -> list[Path]:
    """Take a subdir out of view: its packages stay, its metadata goes."""
    folder = store.own(channel, subdir)
    removed = []
    for name in (*NEVER, *ORDER):
        path = folder / name
        with reporting(path):
            if path.is_file():
                path.unlink()
                removed.append(path)
    _remove_shards(folder / shards.FOLDER)
    inventory.set_published(channel, subdir, None)
    return removed


def _key(item: Item, options: Publish) -> str:
    digest = hashlib.sha256(f"{FORMAT} {item.subdir} {wanted(options)}".encode())
    if item.index is not None:
        digest.update(item.index.source.sha256.encode())
        digest.update(item.keep.tobytes())
    return digest.hexdigest()


def stamps(folder: Path) -> str:
    """Size and mtime of every metadata file that lies in a folder, as `Published.files` keeps them."""
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
    return last is not None and last.key == key and stamps(store.folder(channel, subdir)) == last.files != "[]"


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
    for name in unwanted(options):
        path = folder / name
        with reporting(path):
            if path.is_file():
                path.unlink()
                removed.append(path)
    if not options.shards:
        _remove_shards(folder / shards.FOLDER)
    return removed


def _remove_shards(folder: Path) -> None:
    """Without an index nothing names the shards any more."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
