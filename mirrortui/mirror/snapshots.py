"""Snapshots: dated, immutable sets of metadata over the shared package files.

    <root>/snapshots/<name>/<channel>/<subdir>/repodata.json{,.zst} ...   hard links of what was published
    <root>/snapshots/<name>/<channel>/<subdir>/<fn>                       only of files that upstream replaced since
    <root>/snapshots/<name>/<channel>/channeldata.json                    the same, where there was one
    <root>/snapshots/<name>/<channel>/<subdir>/.names.zst                 the file names it names, for a quick look
    <root>/snapshots/<name>/.snapshot.json                                what it is, and the sha256 of its metadata

Published files are replaced by rename and never written to, so that a hard link keeps what it was made of. A
snapshot is made under a hidden name and appears by one rename; it goes the same way. Package files that a
snapshot names are never pruned.
"""

import errno
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mirrortui import naming
from mirrortui.errors import BadRepodata, MirrorError, RefusedError, TargetError, UsageError
from mirrortui.mirror import channeldata, digests, mark, publish, shards
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.mark import Snapshot
from mirrortui.mirror.records import Record, blocks, named_in, note_names, records
from mirrortui.mirror.staging import JSON, ORDER
from mirrortui.mirror.store import Store, reporting

FOLDER = "snapshots"

MENDS = "“mirrortui verify --repair” mends it where the same file is still published"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS})

Pair = tuple[str, str]

__all__ = ["Difference", "Snapshot", "clone", "create", "delete", "diff", "folder", "get", "listed", "places"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two sets of metadata, for one subdir: file names added, removed, and replaced under their name."""

    channel: str
    subdir: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]


def folder(store: Store, name: str) -> Path:
    """Where a snapshot is kept. Raises `UsageError` or `NameRefused` for a name that cannot be one."""
    if not _NAME.fullmatch(name) or name.endswith(".part"):
        raise UsageError(
            f"“{naming.display(name)}” is no name for a snapshot", hint="Use letters, digits, “.”, “_” and “-”"
        )
    naming.client_path(name, f"snapshot {name}")
    return store.root / FOLDER / name


def places(store: Store) -> list[Path]:
    """The folders of all snapshots. What begins with a dot is being made or on its way out."""
    place = store.root / FOLDER
    try:
        with os.scandir(place) as entries:
            return sorted(
                place / entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TargetError(f"cannot be read: {error.strerror}", where=naming.display(place)) from error


def listed(store: Store) -> list[Snapshot]:
    """All snapshots, damaged ones too, oldest first. Raises `TargetError`."""
    out = []
    for place in places(store):
        with reporting(place):
            found = mark.read(place)
        if found is not None:
            out.append(found)
    return sorted(out, key=lambda snapshot: (snapshot.created, snapshot.name))


def get(store: Store, name: str) -> Snapshot:
    """One snapshot by name; raises `UsageError` naming those there are, `RefusedError` for a damaged one."""
    snapshot = _find(store, name)
    if snapshot.damaged:
        raise RefusedError(
            f"snapshot {name} is damaged: {snapshot.damaged}",
            hint=f"Nothing was changed. Delete it with “mirrortui snapshot delete {name}”, or bring its files back",
        )
    return snapshot


def _find(store: Store, name: str) -> Snapshot:
    folder(store, name)
    there = listed(store)
    for snapshot in there:
        if snapshot.name == name:
            return snapshot
    known = ", ".join(s.name for s in there) or "none"
    raise UsageError(f"there is no snapshot “{name}”", hint=f"Snapshots: {known}")


def create(store: Store, inventory: Inventory, name: str) -> Snapshot:
    """Freeze what is published now.

    Raises `UsageError` if the name is taken or nothing is published, `RefusedError` where the published files are
    not as a run left them (it was killed while it switched them): their encodings may differ.
    """
    place = folder(store, name)
    if os.path.lexists(place):
        raise UsageError(f"there is a snapshot “{name}” already", hint="Choose another name, or delete that one")
    pairs = _published(store, inventory)
    staged = place.with_name(f".{name}.new")
    with reporting(staged):
        _begin(place.parent)
        try:
            records = total = 0
            sums: dict[str, dict[str, str]] = {}
            for pair in pairs:
                _link(store.folder(*pair), target := staged / pair[0] / pair[1])
                count, size = note_names(target)
                records, total = records + count, total + size
                sums["/".join(pair)] = digests.digests(target)
            for channel in dict.fromkeys(channel for channel, _ in pairs):
                if (about := channeldata.path(store, channel)).is_file():
                    clone(about, staged / channel / channeldata.NAME)
                    sums[channel] = digests.digests(staged / channel, (channeldata.NAME,))
            snapshot = Snapshot(name, time.time(), pairs, records, total)
            mark.write(staged, snapshot, sums)
            store.flush()
            staged.rename(place)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    return snapshot


def _published(store: Store, inventory: Inventory) -> tuple[Pair, ...]:
    pairs = tuple(pair for pair in inventory.folders() if (store.folder(*pair) / JSON).is_file())
    if not pairs:
        raise UsageError("nothing is published yet", hint="Run “mirrortui sync” first")
    for pair in pairs:
        last = inventory.published(*pair)
        if last is None or last.files != publish.stamps(store.folder(*pair)):
            raise RefusedError(
                "is not as the last run left it", where="/".join(pair), hint="Run “mirrortui sync”, then try again"
            )
    return pairs


def _begin(home: Path) -> None:
    """Make the folder of the snapshots; remove what was left of one that was being made or deleted."""
    home.mkdir(parents=True, exist_ok=True)
    if home.is_symlink():
        raise TargetError(
            "is a link that leads elsewhere", where=naming.display(home), hint="Replace it by a real folder"
        )
    for path in home.iterdir():
        if path.name.startswith(".") and path.name.endswith((".new", ".gone")):
            shutil.rmtree(path)


def _link(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for name in ORDER:
        if (source / name).is_file():
            clone(source / name, target / name)
    named = shards.named_by(source / shards.INDEX)
    if named:
        (target / shards.FOLDER).mkdir()
        for shard in named:
            clone(source / shards.FOLDER / shard, target / shards.FOLDER / shard)


def clone(source: Path, target: Path) -> None:
    """Give a file a second name; where there are no hard links (or not to another's file), copy it. Raises `OSError`."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        copy = target.with_name(f".{target.name.lstrip('.')}.copy")
        shutil.copy2(source, copy, follow_symlinks=False)
        with copy.open("rb") as stream:
            os.fsync(stream.fileno())
        copy.rename(target)


def delete(store: Store, inventory: Inventory, name: str) -> None:
    """Remove a snapshot, damaged or not. For package files that nothing names any more the grace period begins now."""
    snapshot = _find(store, name)
    place, now = store.root / FOLDER / name, time.time()
    for pair in snapshot.subdirs or inventory.folders():
        dropped = {fn for fn, entry in inventory.entries(*pair).items() if entry.dropped is not None}
        try:
            named = named_in(place.joinpath(*pair), dropped)
        except MirrorError:  # then it may have been any of them
            named = dropped
        inventory.mark_dropped(*pair, named, now)
    with reporting(place):
        _begin(place.parent)
        gone = place.with_name(f".{name}.gone")
        place.rename(gone)
        shutil.rmtree(gone)


def diff(store: Store, one: str, other: str = "", live: Iterable[Pair] = ()) -> list[Difference]:
    """What changed from one snapshot to another, or to what is published now in the subdirs `live`.

    Raises `RefusedError` for a damaged snapshot, `BadRepodata` for damaged live metadata.
    """
    first, second = get(store, one), get(store, other) if other else None
    base = store.root / FOLDER / other if second else store.root
    out = []
    for pair in dict.fromkeys((*first.subdirs, *(second.subdirs if second else live))):
        with _telling(one):
            before = records(store.root.joinpath(FOLDER, one, *pair))
        with _telling(other):
            found = Difference(*pair, *_compare(before, blocks(base.joinpath(*pair))))
        if found.added or found.removed or found.replaced:
            out.append(found)
    return out


@contextmanager
def _telling(name: str) -> Iterator[None]:
    """Say of which snapshot it is that metadata cannot be read; "" stands for the live one."""
    try:
        yield
    except BadRepodata as error:
        if not name:
            raise
        raise RefusedError(f"snapshot {name} is damaged: {error.where}: {error.what}", hint=MENDS) from error


def _compare(before: dict[str, Record], after: Iterable[dict[str, Record]]) -> tuple[tuple[str, ...], ...]:
    added, replaced, seen = list[str](), list[str](), set[str]()
    for block in after:
        seen.update(block)
        added += block.keys() - before.keys()
        replaced += [fn for fn in block.keys() & before.keys() if _differs(before[fn], block[fn])]
    return tuple(tuple(sorted(names)) for names in (added, before.keys() - seen, replaced))


def _differs(one: Record, other: Record) -> bool:
    key = "sha256" if one.sha256 and other.sha256 else "md5"
    return bool(getattr(one, key) != getattr(other, key))
