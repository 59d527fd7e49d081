"""Closure by names alone: a quick upper bound for a figure that changes while somebody types."""

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirrortui.catalog.depends import dependency, depends, spans
from mirrortui.catalog.index import Ints, Mask, SubdirIndex


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


@dataclass(frozen=True)
class World:
    """The graphs of several indexes as one. Numbers are places in `names`; `own` has, for each index, place in its `names` -> number.

    `real` tells which names are none of the machine's own (`__glibc`).
    """

    names: list[str]
    real: Mask
    places: dict[str, int]
    begins: Ints
    edges: Ints
    own: tuple[Ints, ...]

    def reach(self, names: Mask) -> Mask:
        """Add to some names every one that they may depend on: all that is one step further at a time."""
        seen = names & self.real
        frontier = np.flatnonzero(seen)
        while len(frontier):
            fresh = np.zeros(len(seen), bool)
            fresh[self.edges[spans(self.begins[frontier], self.begins[frontier + 1])]] = True
            frontier = np.flatnonzero(fresh & ~seen)
            seen[frontier] = True
        return seen


def world(indexes: Sequence[SubdirIndex]) -> World:
    """Return the graph of some indexes together, made once for them."""
    if not indexes:
        return _join(())
    # An index's folder is named anew for every body.
    key = ("world", *((index.channel, index.subdir, str(index.folder)) for index in indexes))
    found: World = indexes[0].remember(key, lambda: _join(indexes))
    return found


def _join(indexes: Sequence[SubdirIndex]) -> World:
    places: dict[str, int] = {}
    own, sources, targets = list[Ints](), list[Ints](), list[Ints]()
    for index in indexes:
        links = graph(index)
        own.append(_number(index.names, places))
        sources.append(np.repeat(own[-1], np.diff(links.begins)))
        targets.append(_number(links.targets, places)[links.edges])
    nothing = np.zeros(0, np.int32)
    source, target = np.concatenate((nothing, *sources)), np.concatenate((nothing, *targets))
    names = list(places)
    real = np.array([not name.startswith("__") for name in names], bool)
    source, target = source[real[target]], target[real[target]]
    order = np.argsort(source, kind="stable")
    begins = np.searchsorted(source[order], np.arange(len(names) + 1))
    return World(names, real, places, begins, target[order], tuple(own))


def _number(texts: list[str], places: dict[str, int]) -> Ints:
    return np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int32, len(texts))


def close(indexes: Iterable[SubdirIndex], seeds: Iterable[str]) -> set[str]:
    """Return the seeds and every name that they may depend on, in any of the indexes; no virtual ones (`__glibc`)."""
    together, asked = world(list(indexes)), {seed for seed in seeds if not seed.startswith("__")}
    wanted = np.zeros(len(together.names), bool)
    wanted[[place for seed in asked if (place := together.places.get(seed)) is not None]] = True
    return asked.union(together.names[place] for place in np.flatnonzero(together.reach(wanted)).tolist())
