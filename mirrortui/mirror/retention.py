"""Package files that snapshots need: what is not to be pruned, and the old file where upstream replaced one.

A snapshot that cannot be read may name anything: in doubt every file is kept for it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from mirrortui import naming
from mirrortui.errors import MirrorError
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.mark import mark_of
from mirrortui.mirror.records import NAMES, named_in, records
from mirrortui.mirror.snapshots import clone, places
from mirrortui.mirror.staging import JSON
from mirrortui.mirror.store import Store, reporting

Pair = tuple[str, str]


def named(store: Store, pair: Pair, fns: set[str], tell: Callable[[str], None] = lambda _: None) -> set[str]:
    """Which of a subdir's package files any snapshot names; all of them where that cannot be read, and `tell` is told.

    Raises `TargetError` where the snapshots cannot be listed.
    """
    out: set[str] = set()
    for place in places(store) if fns else ():
        if why := _unreadable(place, pair[0]):
            tell(_words(place, pair[0], why))
            return fns
        folder = place.joinpath(*pair)
        if not folder.is_dir():
            continue
        try:
            out |= named_in(folder, fns - out)
        except MirrorError as error:
            tell(_words(place, "/".join(pair), str(error)))
            return fns
    return out


def doubts(store: Store, channels: Iterable[str]) -> list[str]:
    """For which channels nothing will be deleted, since a snapshot has lost files; nothing is read for it."""
    wanted = list(dict.fromkeys(channels))
    found = ((place, name, _unreadable(place, name)) for place in places(store) for name in wanted)
    return [_words(place, name, why) for place, name, why in found if why]


def _unreadable(place: Path, channel: str) -> str:
    """Why it cannot be known what a snapshot names of a channel, as far as missing files tell; "" if it can."""
    mark = mark_of(place)
    if mark is None:
        return "what it holds is not known" if (place / channel).is_dir() else ""
    for subdir in (subdir for name, subdir in mark.subdirs if name == channel):
        if not any((place / channel / subdir / name).is_file() for name in (NAMES, JSON)):
            return f"{channel}/{subdir} is lost"
    return ""


def _words(place: Path, what: str, why: str) -> str:
    return (
        f"nothing of {what} is deleted, since snapshot {place.name} is damaged ({why}); "
        f"delete it with “mirrortui snapshot delete {place.name}”"
    )


def keep_replaced(store: Store, inventory: Inventory, pair: Pair, fns: set[str]) -> None:
    """Before files are replaced under their names: give each snapshot that names one the old file.

    A file that is not the one a snapshot means (it was lost, and another fetched since) is of no use to it.
    """
    known, doubted = inventory.entries(*pair), inventory.doubted(*pair)
    for place in places(store):
        folder = place.joinpath(*pair)
        if not folder.is_dir():
            continue
        try:
            missing = {fn for fn in named_in(folder, fns) if fn not in doubted and not (folder / fn).exists()}
            meant = records(folder, missing) if missing else {}
        except MirrorError:
            missing, meant = {fn for fn in fns if fn not in doubted and not (folder / fn).exists()}, {}
        for fn in missing:
            live, entry = store.package(*pair, fn), known.get(fn)
            # One that the inventory does not know (it was lost) is kept too: that it is of no use is not known.
            useless = entry is not None and fn in meant and not meant[fn].fits(entry.digest, entry.size)
            if not useless and live.is_file():
                with reporting(folder / fn):
                    clone(live, folder / fn)


def kept(place: Path, pair: Pair) -> dict[str, Path]:
    """The package files of a subdir that a snapshot holds itself, since they were replaced."""
    folder = place.joinpath(*pair)
    return {path.name: path for path in folder.iterdir() if naming.is_file_name(path.name)} if folder.is_dir() else {}
