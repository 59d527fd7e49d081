"""What becomes of files that `verify` found wrong: what the cache can mend is mended, the next run is to bring the rest."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mirrortui import naming
from mirrortui.config import MirrorConfig
from mirrortui.errors import MirrorError
from mirrortui.mirror import channeldata, metadata, publish, retention, shards, snapshots
from mirrortui.mirror.digests import Reader
from mirrortui.mirror.faults import Bad
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.records import records
from mirrortui.mirror.store import Store, reporting

Pair = tuple[str, str]

_WRONG = ("hash", "size")


def mend(config: MirrorConfig, store: Store, inventory: Inventory, bad: Iterable[Bad]) -> tuple[list[Bad], list[Bad]]:
    """Mend what can be without upstream; returns what the next run is to bring anew, and what it cannot.

    Raises `MirrorError`.
    """
    from mirrortui.mirror.republish import republish  # it takes the whole catalog with it

    wanted, lost = distrust(store, inventory, bad)
    channels = {item.channel for item in wanted if not _is_package(item)}
    if channels:
        with suppress(MirrorError):  # the run tries again, and tells
            republish(config, store, inventory, channels)
        wanted = [item for item in wanted if _is_package(item) or _still(store, inventory, item)]
    return wanted, [item for item in lost if not _relinked(store, item)]


def distrust(store: Store, inventory: Inventory, bad: Iterable[Bad]) -> tuple[list[Bad], list[Bad]]:
    """Cease to trust bad files; returns those that the next run is to bring anew, and those that it cannot.

    A file that the metadata names stays until another takes its place: with an upstream that is away, or a memory
    that flips bits, nothing is lost by trying; and it stays known as bad. One that is on its way out is removed,
    unless a snapshot names it: then it stays, bad, and is told as lost as long as one does. Of an unreadable one the disk is to be looked at first, and what a snapshot holds
    itself is upstream no more. Metadata is published anew, whatever its files look like.
    """
    wanted, lost = list[Bad](), list[Bad]()
    for pair, mine in _by_folder(bad).items():
        packages = {fn: item for fn, item in mine.items() if _is_package(item)}
        rest = [item for item in mine.values() if not _is_package(item)]
        if pair[0].partition("/")[0] == snapshots.FOLDER:
            lost += mine.values()
            continue
        for item in rest:
            _distrust_metadata(store, inventory, item)
        wanted += rest
        if not packages:
            continue
        known = inventory.entries(*pair)
        again = {fn for fn, item in packages.items() if item.reason != "unreadable"}
        again -= _frozen_only(store, pair, again - known.keys())
        leaving = {fn for fn in again if fn in known and known[fn].dropped is not None}
        needed = retention.named(store, pair, leaving) if leaving else set()
        useless = leaving - needed
        store.remove(*pair, useless)
        gone = {fn for fn in again if packages[fn].reason == "missing"}
        inventory.forget(*pair, useless | gone)
        inventory.doubt(*pair, again - useless - gone)
        wanted += [item for fn, item in packages.items() if fn in again - leaving]
        lost += [item for fn, item in packages.items() if fn in needed or fn not in again]
    return wanted, lost


def _frozen_only(store: Store, pair: Pair, fns: set[str]) -> set[str]:
    """Which of the files that the inventory does not know no live metadata names: a snapshot vouches for them."""
    try:
        return fns - records(store.folder(*pair), fns).keys() if fns else fns
    except MirrorError:  # then it may name any of them
        return set()


def doubt(inventory: Inventory, bad: Iterable[Bad]) -> None:
    """Note which packages of the tree are bad, so that the next run looks at them; nothing else is done about them.

    A missing one needs no note. Raises `StateError` where the inventory cannot be written.
    """
    for pair, mine in _by_folder(bad).items():
        if pair[0].partition("/")[0] != snapshots.FOLDER:
            inventory.doubt(*pair, [fn for fn, item in mine.items() if _is_package(item) and item.reason in _WRONG])


def _distrust_metadata(store: Store, inventory: Inventory, item: Bad) -> None:
    if not item.subdir:
        channeldata.distrust(inventory, item.channel)
        return
    publish.distrust(inventory, item.channel, item.subdir)
    if item.fn.startswith(f"{shards.FOLDER}/") and item.reason != "missing":
        # One of the right name and size would be left alone, and no client takes one of another hash.
        with reporting(path := store.own(item.channel, item.subdir) / item.fn):
            path.unlink(missing_ok=True)


def unmended(store: Store, inventory: Inventory, wanted: Iterable[Bad]) -> list[Bad]:
    """Those of the distrusted files that no run has brought since."""
    out = []
    for pair, mine in _by_folder(wanted).items():
        known, doubted = inventory.entries(*pair), inventory.doubted(*pair)
        for fn, item in mine.items():
            if (fn not in known or fn in doubted) if _is_package(item) else _still(store, inventory, item):
                out.append(item)
    return out


def _is_package(item: Bad) -> bool:
    return naming.is_file_name(item.fn)


def _still(store: Store, inventory: Inventory, item: Bad) -> bool:
    """Whether metadata is wrong as before."""
    return any(bad.path == item.path for bad in metadata.of(store, inventory, (item.channel, item.subdir)))


def _relinked(store: Store, item: Bad) -> bool:
    """Give a snapshot its metadata file back where the very same one is live; tells whether that was done."""
    kind, _, digest = item.expected.partition(":")
    if not item.snapshot or kind != "sha256" or _is_package(item):
        return False
    channel = item.channel.split("/", 2)[2] if item.channel.count("/") > 1 else ""
    live, place = store.root / channel / item.subdir / item.fn, store.root / item.path
    try:
        if not channel or Reader().sums(live).sha256 != digest:
            return False
        _clone_over(live, place)
    except OSError:
        return False
    return True


def _clone_over(live: Path, place: Path) -> None:
    staged = place.with_name(f".{place.name}.new")
    place.parent.mkdir(exist_ok=True)
    staged.unlink(missing_ok=True)
    snapshots.clone(live, staged)
    staged.replace(place)
    staged.unlink(missing_ok=True)  # rename does nothing where both are names of one file


def _by_folder(bad: Iterable[Bad]) -> dict[Pair, dict[str, Bad]]:
    out: dict[Pair, dict[str, Bad]] = {}
    for item in bad:
        out.setdefault((item.channel, item.subdir), {})[item.fn] = item
    return out
