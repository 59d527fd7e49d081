"""Package files that snapshots name, against those that are there: nothing else notices when one of them is lost."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mirrortui import naming
from mirrortui.errors import MirrorError, StateError
from mirrortui.mirror import mark, retention, snapshots
from mirrortui.mirror.faults import Bad
from mirrortui.mirror.inventory import Entry, Inventory, Known
from mirrortui.mirror.mark import Snapshot
from mirrortui.mirror.records import Record, blocks, names_in
from mirrortui.mirror.staging import JSON
from mirrortui.mirror.store import Store
from mirrortui.quantities import counted

Pair = tuple[str, str]


def missing(
    store: Store,
    inventory: Inventory,
    spared: set[tuple[str, str, str]],
    broken: Iterable[Bad] = (),
    stopped: Callable[[], bool] = lambda: False,
) -> list[Bad]:
    """Files that a snapshot names and that neither it nor the tree has, each with the path at which it would be served.

    One that the inventory knows, or that is in `spared` as (channel, subdir, fn), is left to the pass that looks for it
    in the tree. One that is there with another hash is missing, too: it was lost, and another published since. Of
    metadata that cannot be read, or that is among the `broken`, nothing is believed. Once `stopped`, what was found so far is returned.
    """
    out = list[Bad]()
    doubtful = {(bad.channel, bad.subdir) for bad in broken if bad.fn == JSON}
    for place, pair in _subdirs(store):
        if stopped():
            break
        shown = f"{snapshots.FOLDER}/{place.name}/{pair[0]}"
        if (shown, pair[1]) in doubtful:
            continue
        live, own = store.names(*pair), retention.kept(place, pair)
        known = {row[0]: row for row in inventory.known(*pair)}
        for fn, record in _records(place, pair):
            if fn in own or (*pair, fn) in spared:
                continue
            row = known.get(fn)
            if row is None and fn not in live:
                found = ""
            elif row is not None and _another(row, record):
                found = "another file is there under its name"
            else:
                continue
            out.append(Bad(shown, pair[1], fn, "missing", _expected(record), found))
    return sorted(out)


def unknown(store: Store, inventory: Inventory, pair: Pair, spared: set[str]) -> list[Entry]:
    """Files of a subdir that only snapshots vouch for, as their records describe them, since the inventory was lost.

    Those in `spared` are left out.
    """
    rest = store.names(*pair) - spared - {row[0] for row in inventory.known(*pair)}
    out = dict[str, Entry]()
    for place in snapshots.places(store) if rest else ():
        own = retention.kept(place, pair)
        for fn, record in _records(place, pair):
            if fn in rest and fn not in own:
                out.setdefault(fn, record.entry(fn))
    return list(out.values())


def overview(store: Store, state: Path) -> list[Snapshot]:
    """All snapshots, oldest first, each looked over; also for an account that may not read the state."""
    inventory = None
    with suppress(StateError):
        inventory = Inventory(state)
    try:
        return [looked_over(store, inventory, snapshot) for snapshot in snapshots.listed(store)]
    finally:
        if inventory is not None:
            inventory.close()


def looked_over(store: Store, inventory: Inventory | None, snapshot: Snapshot) -> Snapshot:
    """A snapshot, damaged if it lacks packages or one of them is known to be bad: by names alone, no file is read.

    Without an inventory nothing is known to be bad.
    """
    place, gone, bad = snapshots.folder(store, snapshot.name), 0, 0
    for pair in () if snapshot.damaged else snapshot.subdirs:
        try:
            named = names_in(place.joinpath(*pair)) - retention.kept(place, pair).keys()
        except MirrorError as error:
            return replace(snapshot, damaged=naming.display(str(error)))
        live = store.names(*pair)
        gone += len(named - live)
        bad += len(named & live & inventory.doubted(*pair)) if inventory else 0
    told = [
        f"{counted(count, 'package')} {what}" for count, what in ((gone, "missing"), (bad, "known to be bad")) if count
    ]
    return replace(snapshot, damaged=", ".join(told)) if told else snapshot


def _subdirs(store: Store) -> Iterator[tuple[Path, Pair]]:
    for place in snapshots.places(store):
        found = mark.mark_of(place)
        for pair in found.subdirs if found else ():
            yield place, pair


def _records(place: Path, pair: Pair) -> Iterator[tuple[str, Record]]:
    try:
        for block in blocks(place.joinpath(*pair)):
            yield from ((fn, record) for fn, record in block.items() if naming.is_file_name(fn))
    except MirrorError:
        return


def _another(row: Known, record: Record) -> bool:
    """Whether a known file is not the one that is meant; hashes of two kinds tell nothing."""
    lengths = {len(digest) for digest in record.digests.values()}
    return (not lengths or len(row[2]) in lengths) and not record.fits(row[2], row[1])


def _expected(record: Record) -> str:
    kind, digest = next(iter(record.digests.items()), ("", b""))
    return f"{kind}:{digest.hex()}" if kind else f"{record.size} bytes"
