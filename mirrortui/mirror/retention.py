"""Package files that snapshots need: what is not to be pruned, and the old file where upstream replaced one."""

from pathlib import Path

from mirrortui import naming
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.records import named_in, records
from mirrortui.mirror.snapshots import clone, places
from mirrortui.mirror.store import Store, reporting

Pair = tuple[str, str]


def named(store: Store, pair: Pair, fns: set[str]) -> set[str]:
    """Which of a subdir's package files any snapshot names. Raises `MirrorError` where that cannot be read."""
    out: set[str] = set()
    for place in places(store):
        out |= named_in(place.joinpath(*pair), fns - out)
    return out


def keep_replaced(store: Store, inventory: Inventory, pair: Pair, fns: set[str]) -> None:
    """Before files are replaced under their names: give each snapshot that names one the old file.

    A file that is not the one a snapshot means (it was lost, and another fetched since) is of no use to it.
    """
    known = inventory.entries(*pair)
    for place in places(store):
        folder = place.joinpath(*pair)
        missing = {fn for fn in named_in(folder, fns) if fn in known and not (folder / fn).exists()}
        meant = records(folder, missing) if missing else {}
        for fn in missing:
            live, entry = store.package(*pair, fn), known[fn]
            if fn in meant and meant[fn].fits(entry.digest, entry.size) and live.is_file():
                with reporting(folder / fn):
                    clone(live, folder / fn)


def kept(place: Path, pair: Pair) -> dict[str, Path]:
    """The package files of a subdir that a snapshot holds itself, since they were replaced."""
    folder = place.joinpath(*pair)
    return {path.name: path for path in folder.iterdir() if naming.is_file_name(path.name)} if folder.is_dir() else {}
