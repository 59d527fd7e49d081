"""Make a channel's metadata visible: stage everything, then switch all subdirs by renames in a fixed order.

Order: packages are in before this is called; then shards (which nothing names yet), then for each kind of
file in turn, all subdirs of the channel: shard index, repodata.json.zst, repodata.json, the rest; then the
channel's channeldata.json. What is switched off is removed last. Each rename replaces a complete file by a
complete file, and every file that either generation names is on disk: a crash between any two renames
leaves a set that a client can install from. A file whose bytes are the same is left alone, so that its
mtime and ETag stay.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mirrortui.catalog.extras import Extra
from mirrortui.config import Publish
from mirrortui.errors import TargetError
from mirrortui.mirror import channeldata, digests, shards
from mirrortui.mirror.inventory import Inventory, Published
from mirrortui.mirror.staging import NEVER, ORDER, RUN_EXPORTS, RUN_EXPORTS_ZST, Item, stage, wanted
from mirrortui.mirror.store import Store, reporting
from mirrortui.mirror.switch import switch

FORMAT = 3


@dataclass
class Switched:
    """What publishing a channel did: files renamed into place and removed, records now named.

    `warnings` tell what of run_exports and channeldata could not be made: repodata does not wait for them.
    """

    written: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    records: int = 0
    warnings: list[str] = field(default_factory=list)


def publish(
    store: Store,
    inventory: Inventory,
    channel: str,
    items: Iterable[Item],
    options: Publish,
    scratch: Path,
    about: Extra | None = None,
    staying: Iterable[str] = (),
) -> Switched:
    """Publish all given subdirs of a channel together; `scratch` is a local folder for temporary files.

    `about` is upstream's channeldata, if it is wanted; `staying` are subdirs that stay published as they are.
    Raises `MirrorError`; nothing is visible until all is staged.
    """
    done = Switched()
    staged: dict[tuple[str, str], Path] = {}
    fresh: dict[str, Published] = {}
    names: dict[str, set[str]] = {}
    unmade: set[str] = set()
    change: channeldata.Change | None = None
    by_key = {key_of(item, options): item for item in items}
    try:
        for key, item in by_key.items():
            count = int(item.keep.sum())
            done.records += count
            if _unchanged(store, inventory, channel, item.subdir, key):
                continue
            fresh[item.subdir] = Published(key, "", count, item.index.rows if item.index else 0)
            folder = store.prepare(channel, item.subdir)
            with reporting(folder):
                out = stage(folder, item, options, scratch)
            names[item.subdir] = set(out)
            if set(wanted(options, run_exports=item.run_exports is not None)) - set(out):
                unmade.add(item.subdir)
                done.warnings.append(f"{channel}/{item.subdir}: the cached run_exports cannot be read and is left out")
            staged |= {(item.subdir, name): path for name, path in out.items()}
        with _warning(done):
            change = channeldata.stage(store, inventory, channel, about, by_key, list(staying)) if by_key else None
        if fresh or change:
            store.flush()
        _switch_all(store, channel, staged, done)
        unmade |= {subdir for subdir, _ in staged}  # without a key they are not taken for unchanged by the next run
        with _warning(done):
            if change and channeldata.apply(inventory, channel, change):
                (done.written if change.staged else done.removed).append(change.target)
        for subdir, published in fresh.items():
            folder = store.folder(channel, subdir)
            done.removed += _remove_others(folder, names[subdir])
            inventory.set_published(
                channel, subdir, as_left(published._replace(key="") if subdir in unmade else published, folder)
            )
    finally:
        for path in (*staged.values(), *((change.staged,) if change and change.staged else ())):
            path.unlink(missing_ok=True)
    return done


@contextlib.contextmanager
def _warning(done: Switched, *, only: bool = True) -> Iterator[None]:
    """A place that cannot be written to is told of as a warning (if `only`); a full disk is not."""
    try:
        yield
    except TargetError as error:
        if not only:
            raise
        done.warnings.append(str(error))


def _switch_all(store: Store, channel: str, staged: dict[tuple[str, str], Path], done: Switched) -> None:
    """Each kind of file in all subdirs; what was switched is taken out of `staged`."""
    for name in ORDER:
        for (subdir, staged_name), path in list(staged.items()):
            if staged_name == name:
                target = store.folder(channel, subdir) / name
                if name == shards.INDEX:
                    shards.retire(target.parent, shards.named_by(target), shards.named_by(path))
                with _warning(done, only=name in (RUN_EXPORTS, RUN_EXPORTS_ZST)), reporting(target):
                    if switch(path, target):
                        done.written.append(target)
                    del staged[subdir, staged_name]


def withdraw(store: Store, inventory: Inventory, channel: str, subdir: str) -> list[Path]:
    """Take a subdir out of view: its packages stay, its metadata goes; with the last one the channel's own."""
    folder = store.own(channel, subdir)
    removed = []
    for name in (*NEVER, *ORDER):
        path = folder / name
        with reporting(path):
            if path.is_file():
                path.unlink()
                removed.append(path)
    _remove_shards(folder / shards.FOLDER)
    removed += channeldata.withdraw(store, inventory, channel, subdir)
    inventory.set_published(channel, subdir, None)
    return removed


def key_of(item: Item, options: Publish) -> str:
    """A key over all that a subdir's metadata is made of: the same key, the same bytes."""
    names = wanted(options, run_exports=item.run_exports is not None)
    digest = hashlib.sha256(f"{FORMAT} {item.subdir} {names}".encode())
    if item.run_exports is not None:
        digest.update(item.run_exports.source.sha256.encode())
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


def as_left(published: Published, folder: Path) -> Published:
    """The note of what was published, with stamps and digests of the files that lie there now. Raises `MirrorError`."""
    with reporting(folder):
        sums = msgspec.json.encode(digests.digests(folder)).decode()
        return published._replace(files=stamps(folder), digests=sums)


def distrust(inventory: Inventory, channel: str, subdir: str) -> None:
    """Have the next run publish a subdir anew, whatever its files look like; what they should be stays noted."""
    last = inventory.published(channel, subdir)
    if last is not None:
        inventory.set_published(channel, subdir, last._replace(files=""))


def _unchanged(store: Store, inventory: Inventory, channel: str, subdir: str, key: str) -> bool:
    """Whether the same inputs were published before and their files are still as they were left, and noted."""
    last = inventory.published(channel, subdir)
    if last is None or last.key != key or last.digests == "{}":
        return False
    return stamps(store.folder(channel, subdir)) == last.files != "[]"


def _remove_others(folder: Path, names: set[str]) -> list[Path]:
    """What is switched off or not to be had, and what is never made: a stale one would shadow what was just published."""
    removed = []
    for name in (*ORDER, *NEVER):
        path = folder / name
        with reporting(path):
            if name not in names and path.is_file():
                path.unlink()
                removed.append(path)
    if shards.INDEX not in names:
        _remove_shards(folder / shards.FOLDER)
    return removed


def _remove_shards(folder: Path) -> None:
    """Without an index nothing names the shards any more."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
