"""Newest N versions of each name, newest N builds of each version; per Python version, never across them.

Rows are looked at in one fixed order that is sorted once for an index; a mask then costs a few passes. A
record that is for Python 3.11 and 3.12 counts for both, and stays if it is among the newest for either:
otherwise a new release that dropped an old Python would take that Python's last good release away.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mirrortui.catalog.index import Ints, Mask, SubdirIndex
from mirrortui.selection.pythons import MINORS, accepted, tags

_NOISE = re.compile(rb"h[0-9a-f]{7,10}|^\d+(?:_|$)|_\d+$")


@dataclass(frozen=True)
class _Sorted:
    """Rows by group and falling level; `groups` and `levels` number them in that order, so that they lie side by side."""

    order: Ints
    groups: Ints
    levels: Ints
    python: Ints


def newest_versions(index: SubdirIndex, mask: Mask, count: int, minors: tuple[str, ...]) -> Mask:
    """Return the rows of the mask that are among the `count` newest versions of their name, for some Python."""
    return _newest(index, mask, count, minors, index.remember("newest versions", lambda: _by_version(index)))


def newest_builds(index: SubdirIndex, mask: Mask, count: int, minors: tuple[str, ...]) -> Mask:
    """Return the rows of the mask that are among the `count` newest build numbers of their name, version and variant."""
    return _newest(index, mask, count, minors, index.remember("newest builds", lambda: _by_build(index)))


def _newest(index: SubdirIndex, mask: Mask, count: int, minors: tuple[str, ...], by: _Sorted) -> Mask:
    out = np.zeros(index.rows, bool)
    wanted = np.flatnonzero(mask.take(by.order))
    python, groups, levels = (column.take(wanted) for column in (by.python, by.groups, by.levels))
    keep = np.zeros(len(wanted), bool)
    for table in index.remember(("pythons", minors), lambda: _python_tables(index, minors)):
        places = np.flatnonzero(table.take(python))
        if len(places):
            keep[places[_first(groups.take(places), levels.take(places), count)]] = True
    out[by.order[wanted[keep]]] = True
    return out


def newest_rows(index: SubdirIndex, rows: Ints, versions: int, builds: int, minors: tuple[str, ...]) -> Ints:
    """Of a few rows, those that both functions above would leave (0: all); for the providers of one dependency."""
    if versions and len(rows):
        rows = _few(index, rows, versions, minors, (index.name,), index.version_ranks[index.version[rows]])
    if builds and len(rows):
        group = (index.name, index.version, variants(index))
        rows = _few(index, rows, builds, minors, group, index.build_number[rows])
    return rows


def _few(
    index: SubdirIndex, rows: Ints, count: int, minors: tuple[str, ...], group: tuple[Ints, ...], level: Ints
) -> Ints:
    columns = [column[rows] for column in group]
    order = np.lexsort((-level, *columns))
    groups = np.cumsum(_changes(columns, order), dtype=np.int32)
    python, keep = tags(index)[0][rows[order]], np.zeros(len(rows), bool)
    tables = index.remember(("pythons", minors), lambda: _python_tables(index, minors))
    if (python == python[0]).all():
        tables = [np.ones(len(tables[0]), bool)]  # then all tables say the same
    for table in tables:
        places = np.flatnonzero(table[python])
        if len(places):
            keep[order[places[_first(groups[places], level[order[places]], count)]]] = True
    return rows[keep]


def _changes(columns: Iterable[Ints], order: Ints) -> Mask:
    """Along an order: whether any column differs from the place before."""
    out = np.zeros(len(order), bool)
    for column in columns:
        values = column[order]
        out[1:] |= values[1:] != values[:-1]
    return out


def _first(groups: Ints, levels: Ints, count: int) -> Mask:
    """Of rows in order, those on the first `count` distinct levels of their group."""
    new_group = np.empty(len(groups), bool)
    new_level = np.empty(len(groups), bool)
    new_group[0] = new_level[0] = True
    np.not_equal(groups[1:], groups[:-1], out=new_group[1:])
    np.not_equal(levels[1:], levels[:-1], out=new_level[1:])
    run = np.cumsum(new_level, dtype=np.int32)
    sizes = np.diff(np.append(np.flatnonzero(new_group), len(groups)))
    start = np.repeat(run[new_group], sizes)
    first: Mask = run - start < count
    return first


def _sorted(index: SubdirIndex, order: Ints, group: tuple[Ints, ...], level: Ints) -> _Sorted:
    """Number groups and levels along an order."""
    groups = np.cumsum(_changes(group, order), dtype=np.int32)
    levels = np.cumsum(_changes((*group, level), order), dtype=np.int32)
    return _Sorted(order, groups, levels, tags(index)[0][order])


def _by_version(index: SubdirIndex) -> _Sorted:
    rank = index.version_ranks[index.version]
    order = np.lexsort((-rank, index.name)).astype(np.int32)
    return _sorted(index, order, (index.name,), rank)


def _by_build(index: SubdirIndex) -> _Sorted:
    variant, number = variants(index), index.build_number
    order = np.lexsort((-number, variant, index.version, index.name)).astype(np.int32)
    return _sorted(index, order, (index.name, index.version, variant), number)


def _python_tables(index: SubdirIndex, minors: tuple[str, ...]) -> list[Mask]:
    """Over the distinct Python dependencies: those that name none (or none we know), and for each minor those it meets."""
    texts = tags(index)[1]
    tables = [np.array([bool(text) and accepted(text, minor) for text in texts], bool) for minor in minors or MINORS]
    return [~np.logical_or.reduce(tables), *(table for table in tables if table.any())]


def variants(index: SubdirIndex) -> Ints:
    """Row -> kind of build: the build string without its hash and number (`py312_cuda`, `mpi_openmpi`, `openblas`)."""
    found: Ints = index.remember("variants", lambda: _variants(index))
    return found


def _variants(index: SubdirIndex) -> Ints:
    builds = [
        line[line.rfind(b"-") + 1 : -6 if line.endswith(b".conda") else -8] for line in index.file_names.splitlines()
    ]
    for row, build in index.meta.get("odd", {}).items():  # the file name does not tell
        builds[int(row)] = build.encode("utf-8", "surrogatepass")
    ids: dict[bytes, int] = {}
    texts = [b"" if build.isdigit() else _NOISE.sub(b"", build) for build in builds]
    return np.fromiter((ids.setdefault(text, len(ids)) for text in texts), np.int32, len(texts))
