"""Closure by names alone: a quick upper bound for a figure that changes while somebody types."""

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirrortui.catalog.depends import dependency, depends
from mirrortui.catalog.index import Ints, SubdirIndex


@dataclass(frozen=True)
class NameGraph:
    """Name -> names it may depend on, over all records of an index; numbers are places in `index.names` and `targets`."""

    begins: Ints
    edges: Ints
    targets: list[str]

    def of(self, name: int) -> list[str]:
        """The names that one name's records depend on."""
        return [self.targets[t] for t in self.edges[self.begins[name] : self.begins[name + 1]].tolist()]


def graph(index: SubdirIndex) -> NameGraph:
    """Return an index's graph of names, made once and kept beside its columns."""
    found: NameGraph = index.remember("name graph", lambda: _open(index))
    return found


def _open(index: SubdirIndex) -> NameGraph:
    links = depends(index)
    names: dict[str, int] = {}
    target_of = np.array([names.setdefault(dependency(text), len(names)) for text in links.specs], np.int64)
    targets = list(names)
    if not len(links.numbers):
        return NameGraph(np.zeros(len(index.names) + 1, np.int32), np.zeros(0, np.int32), targets)
    assert index.folder is not None
    file = index.folder / "name_graph.col"
    pairs = _read(file)
    if pairs is None:
        pairs = _pairs(index, links.row_of, target_of[links.numbers], len(targets))
        _keep(file, pairs)
    begins = np.searchsorted(pairs, np.arange(len(index.names) + 1, dtype=np.int64) * len(targets))
    return NameGraph(begins.astype(np.int32), (pairs % max(len(targets), 1)).astype(np.int32), targets)


def _read(file: Path) -> Ints | None:
    """The pairs of an earlier time; None where there are none, or fewer than their first number says (full disk)."""
    try:
        pairs = np.fromfile(file, "<i8")
    except OSError:
        return None
    return pairs[1:] if len(pairs) and pairs[0] == len(pairs) - 1 else None


def _keep(file: Path, pairs: Ints) -> None:
    """Save the pairs for the next time, unless the state is another account's or its disk is full."""
    with suppress(OSError), tempfile.TemporaryDirectory(dir=file.parent, prefix=".graph.") as folder:
        np.concatenate(([len(pairs)], pairs)).astype("<i8").tofile(fresh := Path(folder) / file.name)
        fresh.replace(file)


def _pairs(index: SubdirIndex, rows: Ints, targets: Ints, width: int) -> Ints:
    """The distinct (name, target) pairs as one number each, sorted; a bitmap instead of a sort of millions."""
    total = len(index.names) * width
    if total <= 1 << 33:
        seen = np.zeros((total >> 3) + 1, np.uint8)
        keys = index.name[rows].astype(np.int64) * width + targets
        np.bitwise_or.at(seen, keys >> 3, (1 << (keys & 7)).astype(np.uint8))
        return np.flatnonzero(np.unpackbits(seen, bitorder="little")).astype(np.int64)
    return np.unique(index.name[rows].astype(np.int64) * width + targets)


def close(indexes: Iterable[SubdirIndex], seeds: Iterable[str]) -> set[str]:
    """Return the seeds and every name that they may depend on, in any of the indexes."""
    worlds = [(index.name_places, graph(index)) for index in indexes]
    done, todo = set(), list(seeds)
    while todo:
        name = todo.pop()
        if name in done or name.startswith("__"):
            continue
        done.add(name)
        for places, links in worlds:
            place = places.get(name)
            if place is not None:
                todo += links.of(place)
    return done
