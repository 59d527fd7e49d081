"""What the live metadata names, against what the inventory vouches for: neither is taken for the truth on the other."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mirrortui import naming
from mirrortui.errors import MirrorError
from mirrortui.mirror import retention
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.records import Record, blocks
from mirrortui.mirror.store import Store

Pair = tuple[str, str]


def unvouched(store: Store, inventory: Inventory, pair: Pair) -> list[Entry]:
    """Files that a subdir's repodata.json names and that the inventory does not know, or knows with another hash.

    Each as its record describes it: size -1 if it has none, digest empty if it has none. Metadata that cannot be read
    names nothing; that it is damaged is for others to tell.
    """
    known = {row[0]: row for row in inventory.known(*pair)}
    out = list[Entry]()
    with suppress(MirrorError):
        for fn, record in _records(store.folder(*pair)):
            row = known.get(fn)
            vouched = row is not None and (row[2].hex() == record.sha256 or record.fits(row[2], row[1]))
            if not vouched and naming.is_file_name(fn):
                out.append(record.entry(fn))
    return out


def orphans(store: Store, inventory: Inventory, pair: Pair) -> list[str]:
    """Names of package files, links and folders in a subdir that neither inventory nor metadata know, nor any snapshot.

    A snapshot that cannot be read may name any file.
    """
    there = store.names(*pair)
    rest = there | _others(store.folder(*pair))
    rest -= {row[0] for row in inventory.known(*pair)}
    if not rest:
        return []
    try:
        for fn, _ in _records(store.folder(*pair)):
            rest.discard(fn)
    except MirrorError:
        if inventory.published(*pair) is not None:  # nobody knows what it names
            return []
    return sorted(rest - retention.named(store, pair, rest & there))


def strange(store: Store, inventory: Inventory, pairs: Iterable[Pair]) -> int:
    """The number of package files in subdirs that the inventory has never heard of: its state was lost, or is new."""
    known = set(inventory.folders())
    return sum(len(store.names(*pair)) for pair in set(pairs) - known)


def _records(folder: Path) -> Iterator[tuple[str, Record]]:
    for block in blocks(folder):
        yield from block.items()


def _others(folder: Path) -> set[str]:
    """What has a package's name and is no file: a client that follows it gets something else."""
    with suppress(OSError):
        return {
            path.name
            for path in folder.iterdir()
            if path.name.endswith(naming.PACKAGE_SUFFIXES)
            if path.name[0] != "." and (path.is_symlink() or not path.is_file())
        }
    return set()
