"""Snapshots: dated, immutable sets of metadata over the shared package files.

    <root>/snapshots/<name>/<channel>/<subdir>/repodata.json{,.zst} ...   hard links of what was published
    <root>/snapshots/<name>/<channel>/<subdir>/<fn>                       only of files that upstream replaced since
    <root>/snapshots/<name>/.snapshot.json                                written last: without it there is no snapshot

Published files are replaced by rename and never written to, so that a hard link keeps what it was made of.
Package files that a snapshot names are never pruned.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from mirrortui import naming
from mirrortui.catalog.body import split
from mirrortui.errors import MirrorError, UsageError
from mirrortui.mirror import shards
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.staging import JSON, ORDER
from mirrortui.mirror.store import Store, reporting

FOLDER = "snapshots"
MARK = ".snapshot.json"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Pair = tuple[str, str]


class _Record(msgspec.Struct, gc=False):
    size: Any = 0
    sha256: Any = ""
    md5: Any = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot: when it was made (seconds since 1970), what it holds; bytes are those of the named files."""

    name: str
    created: float
    subdirs: tuple[Pair, ...]
    records: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """The stable form that `snapshot list --json` prints."""
        return asdict(self) | {"subdirs": [{"channel": c, "subdir": s} for c, s in self.subdirs]}


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two sets of metadata, for one subdir: file names added, removed, and replaced under their name."""

    channel: str
    subdir: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]


def folder(store: Store, name: str) -> Path:
    """Where a snapshot is kept. Raises `UsageError` for a name that cannot be one."""
    if not _NAME.fullmatch(name) or name.endswith(".new"):
        raise UsageError(
            f"“{naming.display(name)}” is no name for a snapshot", hint="Use letters, digits, “.”, “_” and “-”"
        )
    naming.client_path(name, f"snapshot {name}")
    return store.root / FOLDER / name


def listed(store: Store) -> list[Snapshot]:
    """All snapshots, oldest first; one that was not finished is none."""
    out = []
    for mark in (store.root / FOLDER).glob(f"*/{MARK}"):
        try:
            raw = json.loads(mark.read_bytes())
            pairs = tuple((str(c), str(s)) for c, s in raw["subdirs"])
            out.append(Snapshot(mark.parent.name, float(raw["created"]), pairs, int(raw["records"]), int(raw["bytes"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(out, key=lambda snapshot: (snapshot.created, snapshot.name))


def get(store: Store, name: str) -> Snapshot:
    """One snapshot by name; raises `UsageError` naming those there are."""
    place = folder(store, name)
    for snapshot in listed(store):
        if snapshot.name == place.name:
            return snapshot
    known = ", ".join(s.name for s in listed(store)) or "none"
    raise UsageError(f"there is no snapshot “{name}”", hint=f"Snapshots: {known}")


def create(store: Store, inventory: Inventory, name: str) -> Snapshot:
    """Freeze what is published now. Raises `UsageError` if the name is taken or nothing is published."""
    place = folder(store, name)
    if place.exists():
        raise UsageError(f"there is a snapshot “{name}” already", hint="Choose another name, or delete that one")
    pairs = tuple(pair for pair in inventory.folders() if (store.folder(*pair) / JSON).is_file())
    if not pairs:
        raise UsageError("nothing is published yet", hint="Run “mirrortui sync” first")
    staged = place.with_name(f".{name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    records = total = 0
    try:
        with reporting(staged):
            for pair in pairs:
                _link(store.folder(*pair), staged / pair[0] / pair[1])
                for record in _records(staged / pair[0] / pair[1]).values():
                    records += 1
                    total += record.size if isinstance(record.size, int) else 0
            snapshot = Snapshot(name, time.time(), pairs, records, total)
            body = asdict(snapshot) | {"subdirs": [list(pair) for pair in pairs]}
            (staged / MARK).write_text(json.dumps(body), encoding="utf-8")
            staged.rename(place)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return snapshot


def _link(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for name in ORDER:
        if (source / name).is_file():
            os.link(source / name, target / name)
    named = shards.named_by(source / shards.INDEX)
    if named:
        (target / shards.FOLDER).mkdir()
        for shard in named:
            os.link(source / shards.FOLDER / shard, target / shards.FOLDER / shard)


def delete(store: Store, name: str) -> None:
    """Remove a snapshot; package files that nothing else names leave with the next prune, after the grace period."""
    place = store.root / FOLDER / get(store, name).name
    with reporting(place):
        (place / MARK).unlink()
        shutil.rmtree(place)


def publish(store: Store, inventory: Inventory, name: str) -> list[Pair]:
    """Roll the live channels back to a snapshot; returns the subdirs that were switched.

    Packages are all there; metadata is switched kind by kind, in the usual order. The next sync publishes
    upstream's present state again.
    """
    snapshot = get(store, name)
    place = store.root / FOLDER / name
    missing = [fn for pair in snapshot.subdirs for fn in _absent(store, place, pair)]
    if missing:
        raise MirrorError(
            f"{len(missing)} packages of snapshot {name} are gone, for example {missing[0]}",
            hint="Run “mirrortui sync” first",
        )
    for pair in snapshot.subdirs:
        _restore(store, inventory, place, pair)
    for kind in ORDER:
        for pair in snapshot.subdirs:
            source, target = place / pair[0] / pair[1] / kind, store.folder(*pair) / kind
            with reporting(target):
                if source.is_file():
                    staged = target.with_name(f".{kind}.new")
                    staged.unlink(missing_ok=True)
                    os.link(source, staged)
                    staged.replace(target)
                    staged.unlink(missing_ok=True)  # rename does nothing where both are links to one file
                else:
                    target.unlink(missing_ok=True)
    for pair in snapshot.subdirs:
        inventory.set_published(*pair, None)
    return list(snapshot.subdirs)


def _absent(store: Store, place: Path, pair: Pair) -> Iterator[str]:
    live, own = store.names(*pair), {path.name for path in (place / pair[0] / pair[1]).iterdir()}
    yield from (fn for fn in _records(place / pair[0] / pair[1]) if fn not in live and fn not in own)


def _restore(store: Store, inventory: Inventory, place: Path, pair: Pair) -> None:
    """Bring back package files that were replaced since, and the shards."""
    own, live = place / pair[0] / pair[1], store.prepare(*pair)
    for path in own.iterdir():
        if path.name.endswith(naming.PACKAGE_SUFFIXES):
            staged = store.part(*pair, path.name)
            staged.unlink(missing_ok=True)
            os.link(path, staged)
            staged.replace(live / path.name)
            inventory.forget(*pair, [path.name])
    if (own / shards.FOLDER).is_dir():
        (live / shards.FOLDER).mkdir(exist_ok=True)
        for path in (own / shards.FOLDER).iterdir():
            if not (live / shards.FOLDER / path.name).exists():
                os.link(path, live / shards.FOLDER / path.name)


def diff(store: Store, one: str, other: str = "") -> list[Difference]:
    """What changed from one snapshot to another, or to what is published now."""
    first = get(store, one)
    second = get(store, other) if other else None
    pairs = dict.fromkeys((*first.subdirs, *(second.subdirs if second else ())))
    out = []
    for pair in pairs:
        before = _records(store.root / FOLDER / one / pair[0] / pair[1])
        base = store.root / FOLDER / other if second else store.root
        after = _records(base / pair[0] / pair[1])
        changed = tuple(sorted(fn for fn in before.keys() & after.keys() if _differs(before[fn], after[fn])))
        found = Difference(
            *pair, tuple(sorted(after.keys() - before.keys())), tuple(sorted(before.keys() - after.keys())), changed
        )
        if found.added or found.removed or found.replaced:
            out.append(found)
    return out


def _differs(one: _Record, other: _Record) -> bool:
    key = "sha256" if one.sha256 and other.sha256 else "md5"
    return bool(getattr(one, key) != getattr(other, key))


def _records(place: Path) -> dict[str, _Record]:
    """The records of a repodata.json, by file name; read in blocks."""
    out: dict[str, _Record] = {}
    if not (place / JSON).is_file():
        return out
    decoder = msgspec.json.Decoder(dict[str, _Record])
    with (place / JSON).open("rb") as stream:
        for block in split(
            iter(lambda: stream.read(1 << 20), b""), lambda _section, data: decoder.decode(data), lambda *_: None
        ):
            out |= block
    return out


def named(store: Store, pair: Pair) -> set[str]:
    """Package files of a subdir that any snapshot names: they are not to be pruned."""
    out: set[str] = set()
    for snapshot in listed(store):
        if pair in snapshot.subdirs:
            out.update(_records(store.root / FOLDER / snapshot.name / pair[0] / pair[1]))
    return out


def keep_replaced(store: Store, pair: Pair, fns: set[str]) -> None:
    """Before files are replaced under their names: give each snapshot that names one a link to the old file."""
    for snapshot in listed(store):
        if pair not in snapshot.subdirs:
            continue
        place = store.root / FOLDER / snapshot.name / pair[0] / pair[1]
        for fn in fns.intersection(_records(place)):
            live, own = store.package(*pair, fn), place / fn
            if live.is_file() and not own.exists():
                with reporting(own):
                    os.link(live, own)
