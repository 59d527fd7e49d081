"""Roll the live channels back to a snapshot: its packages first, then its metadata, kind by kind in the usual order.

Packages that were replaced under their name since cannot change in the same moment as the metadata that names
them: until the last file is switched, a client may get one whose hash does not fit, and has to ask again. A
rollback that is interrupted is finished by doing it again, or undone by the next run.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from mirrortui.errors import RefusedError
from mirrortui.mirror import channeldata, metadata, publish, retention, shards, snapshots
from mirrortui.mirror.inventory import Entry, Inventory, Published
from mirrortui.mirror.mark import Snapshot
from mirrortui.mirror.records import Record, named_in, number, records
from mirrortui.mirror.staging import ORDER
from mirrortui.mirror.store import NEXT, Store, reporting
from mirrortui.quantities import counted

Pair = tuple[str, str]


def roll_back(store: Store, inventory: Inventory, name: str) -> list[Pair]:
    """Publish a snapshot's metadata in place of the live one; returns the subdirs that were switched.

    Subdirs that the snapshot does not have stay as they are. The next run publishes upstream's present state again.
    Raises `RefusedError`, with nothing changed, if the snapshot is damaged or a package that it names is gone.
    """
    snapshot, place = snapshots.get(store, name), snapshots.folder(store, name)
    _refuse_damaged(place, snapshot)
    counts, gone = {}, list[str]()
    for pair in snapshot.subdirs:
        meant = records(place.joinpath(*pair))
        counts[pair] = len(meant)
        gone += _gone(store, inventory, place, pair, meant)
    if gone:
        raise RefusedError(
            f"{counted(len(gone), 'package')} of snapshot {name} {'is' if len(gone) == 1 else 'are'} gone, "
            f"for example {gone[0]}",
            hint="Nothing was changed",
        )
    for pair in snapshot.subdirs:
        with reporting(store.prepare(*pair)):
            _restore(store, inventory, place, pair)
    store.flush()
    _switch(store, place, snapshot.subdirs)
    for pair, count in counts.items():
        last = inventory.published(*pair)
        note = Published(f"snapshot {name}", "", count, last.upstream if last else count)
        inventory.set_published(*pair, publish.as_left(note, store.folder(*pair)))
    for channel in dict.fromkeys(channel for channel, _ in snapshot.subdirs):
        channeldata.note(inventory, channel, f"snapshot {name}", channeldata.path(store, channel))
    return list(snapshot.subdirs)


def _refuse_damaged(place: Path, snapshot: Snapshot) -> None:
    """Compare the folder with what it says of itself: every file, and the number of records."""
    if bad := metadata.frozen(place):
        why = f"{bad[0].path} ({bad[0].reason}{f', {bad[0].found}' if bad[0].found else ''})"
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise RefusedError(
            f"snapshot {snapshot.name} is damaged: {why}{more}", hint=f"Nothing was changed. {snapshots.MENDS}"
        )
    found = sum(number(place.joinpath(*pair)) for pair in snapshot.subdirs)
    if found != snapshot.records:
        raise RefusedError(
            f"snapshot {snapshot.name} is damaged: it has {found} records instead of {snapshot.records}",
            hint="Nothing was changed",
        )


def _gone(store: Store, inventory: Inventory, place: Path, pair: Pair, meant: dict[str, Record]) -> list[str]:
    """The files that a snapshot names and that neither it nor the tree has with the right hash."""
    own, live = retention.kept(place, pair), store.names(*pair)
    known = inventory.entries(*pair)
    doubted = inventory.doubted(*pair)
    for fn in doubted:
        known.pop(fn, None)
    new = [_hashed(store.package(*pair, fn), record) for fn, record in meant.items() if fn in live and fn not in known]
    if new:
        known |= {entry.fn: entry for entry in new}
        right = (entry for entry in new if meant[entry.fn].fits(entry.digest, entry.size))
        inventory.put(*pair, [*right, *(entry for entry in new if entry.fn not in doubted)])
    return [
        fn
        for fn, record in meant.items()
        if fn not in own and not (fn in live and record.fits(known[fn].digest, known[fn].size))
    ]


def _hashed(path: Path, record: Record) -> Entry:
    """What lies there, for a file that the inventory does not know."""
    kind = next(iter(record.digests), "sha256")
    with reporting(path), path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).digest()
        found = os.fstat(stream.fileno())
    return Entry(path.name, found.st_size, found.st_mtime_ns, digest)


def _restore(store: Store, inventory: Inventory, place: Path, pair: Pair) -> None:
    """Bring back packages that were replaced since, shards, and files that were on their way out."""
    folder, live = place.joinpath(*pair), store.folder(*pair)
    _exchange(store, inventory, place, pair)
    if (folder / shards.FOLDER).is_dir():
        (live / shards.FOLDER).mkdir(exist_ok=True)
        for path in (folder / shards.FOLDER).iterdir():
            if not (live / shards.FOLDER / path.name).exists():
                snapshots.clone(path, live / shards.FOLDER / path.name)
    dropped = {fn for fn, entry in inventory.entries(*pair).items() if entry.dropped is not None}
    inventory.mark_dropped(*pair, named_in(folder, dropped), None)


def _exchange(store: Store, inventory: Inventory, place: Path, pair: Pair) -> None:
    live, own = store.folder(*pair), retention.kept(place, pair)
    if not own:
        return
    retention.keep_replaced(store, inventory, pair, set(own))  # for other snapshots
    inventory.forget(*pair, own)
    meant = records(place.joinpath(*pair), own)
    for fn, path in own.items():
        _put(path, live / f".{fn}{NEXT}", live / fn)
    inventory.put(*pair, [_entry(live / fn, meant[fn]) for fn in own if fn in meant])


def _entry(path: Path, record: Record) -> Entry:
    if not record.digests:
        return _hashed(path, record)
    found = path.stat()
    return Entry(path.name, found.st_size, found.st_mtime_ns, next(iter(record.digests.values())))


def _put(source: Path, staged: Path, target: Path) -> None:
    staged.unlink(missing_ok=True)
    snapshots.clone(source, staged)
    staged.replace(target)
    staged.unlink(missing_ok=True)  # rename does nothing where both are names of one file


def _switch(store: Store, place: Path, pairs: Sequence[Pair]) -> None:
    """Each kind of file for all subdirs, then those of the channels; what the snapshot does not have is removed last."""
    files = [(place.joinpath(*pair, kind), store.folder(*pair) / kind) for kind in ORDER for pair in pairs]
    names = dict.fromkeys(channel for channel, _ in pairs)
    files += [(place / channel / channeldata.NAME, channeldata.path(store, channel)) for channel in names]
    obsolete = []
    for source, target in files:
        if target.name == shards.INDEX:
            shards.retire(target.parent, shards.named_by(target), shards.named_by(source))
        if source.is_file():
            with reporting(target):
                _put(source, target.with_name(f".{target.name}.new"), target)
        else:
            obsolete.append(target)
    for target in obsolete:
        with reporting(target):
            target.unlink(missing_ok=True)
