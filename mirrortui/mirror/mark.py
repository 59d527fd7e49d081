"""The mark in the folder of a snapshot: what it says of itself, so that it can be told when something of it is lost."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mirrortui import naming
from mirrortui.errors import NameRefused
from mirrortui.mirror.records import NAMES
from mirrortui.mirror.staging import JSON, ORDER

MARK = ".snapshot.json"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot: when it was made (seconds since 1970), what it holds; bytes are those of the named files.

    `damaged` says what of it is lost: it can only be deleted then, and nothing that it may name is.
    """

    name: str
    created: float
    subdirs: tuple[Pair, ...]
    records: int
    bytes: int
    damaged: str = ""

    def to_json(self) -> dict[str, Any]:
        """The stable form that `snapshot list --json` prints."""
        return asdict(self) | {"subdirs": [{"channel": c, "subdir": s} for c, s in self.subdirs]}


@dataclass(frozen=True, slots=True)
class Mark:
    """What a snapshot's mark says.

    `digests` has the sha256 (hex) of each metadata file by folder (“channel/subdir”, “channel”) and name; older marks
    have none.
    """

    snapshot: Snapshot
    digests: dict[str, dict[str, str]]

    @property
    def subdirs(self) -> tuple[Pair, ...]:
        """The (channel, subdir) pairs that it holds."""
        return self.snapshot.subdirs


def mark_of(place: Path) -> Mark | None:
    """Read the mark in a snapshot's folder; None where it is lost."""
    try:
        raw = json.loads((place / MARK).read_bytes())
        pairs = tuple((naming.channel(c), naming.subdir(s)) for c, s in raw["subdirs"])
        made = Snapshot(place.name, float(raw["created"]), pairs, int(raw["records"]), int(raw["bytes"]))
        sums = {str(k): {str(name): str(sha) for name, sha in v.items()} for k, v in raw.get("digests", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, NameRefused):
        return None
    return Mark(made, sums)


def write(place: Path, snapshot: Snapshot, digests: dict[str, dict[str, str]]) -> None:
    """Write the mark of a new snapshot. Raises `OSError`."""
    body = asdict(snapshot) | {"subdirs": [list(pair) for pair in snapshot.subdirs], "digests": digests}
    del body["damaged"]
    (place / MARK).write_text(json.dumps(body), encoding="utf-8")


def read(place: Path) -> Snapshot | None:
    """The snapshot in a folder, damaged or not; None for a folder that is none. Raises `OSError`."""
    found = mark_of(place)
    if found is not None:
        lost = next((f"{c}/{s}/{JSON}" for c, s in found.subdirs if not (place / c / s / JSON).is_file()), "")
        return replace(found.snapshot, damaged=f"{lost} is missing" if lost else "")
    if os.path.lexists(place / MARK) or any(next(place.rglob(name), None) for name in (NAMES, JSON)):
        damage = f"{MARK} is missing or cannot be read"
        return Snapshot(place.name, place.stat().st_mtime, (), 0, 0, damaged=damage)
    return None


def noted(place: Path) -> dict[Pair, dict[str, str]] | None:
    """The metadata files that a snapshot is made of, with their sha256 (hex, "" unknown); None where the mark is lost.

    The subdir "" stands for the files of a channel.
    """
    mark = mark_of(place)
    if mark is None:
        return None
    out = {}
    for channel, subdir in mark.subdirs:
        there = {name: "" for name in ORDER if name == JSON or (place / channel / subdir / name).is_file()}
        out[channel, subdir] = mark.digests.get(f"{channel}/{subdir}") or there
        if channel in mark.digests:
            out[channel, ""] = mark.digests[channel]
    return out
