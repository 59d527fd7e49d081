"""current_repodata.json: the newest version of each name, and what those need; for conda's classic solver.

After conda-index (current_repodata.py): all builds of the newest version of each name, then, for each
dependency that these leave unmet, all builds of the newest version that meets it. One subdir at a time.
"""

import numpy as np

from mirrortui.catalog.depends import depends
from mirrortui.catalog.index import Ints, Mask, SubdirIndex
from mirrortui.selection.closure import narrow, parsed, provide
from mirrortui.selection.matchspec import Spec

MAX_PASSES = 50


def current(index: SubdirIndex, keep: Mask) -> Mask:
    """Return the rows of current_repodata.json out of the rows that are published."""
    out = np.zeros(index.rows, bool)
    if not index.rows or not keep.any():
        return out
    rows = np.flatnonzero(keep)
    rank = index.version_ranks[index.version]
    newest = np.full(len(index.names), -2, rank.dtype)
    np.maximum.at(newest, index.name[rows], rank[rows])
    out[rows] = rank[rows] == newest[index.name[rows]]
    links, seen, fresh = depends(index), set[int](), np.flatnonzero(out)
    for _ in range(MAX_PASSES):
        todo = [number for number in links.distinct(fresh).tolist() if number not in seen]
        seen.update(todo)
        found = [rows for number in todo if len(rows := _unmet(index, keep, out, rank, links.specs[number]))]
        if not found:
            break
        fresh = np.unique(np.concatenate(found))
        out[fresh] = True
    return out


def _unmet(index: SubdirIndex, keep: Mask, out: Mask, rank: Ints, text: str) -> Ints:
    """The rows to add for a dependency: none if it is met, else the newest version that would meet it."""
    spec = parsed(text)
    if spec is None or _met(index, out, spec):
        return np.zeros(0, np.int64)
    rows = provide(spec, index)
    rows = rows[keep[rows]]
    if not len(rows) or out[rows].any():
        return np.zeros(0, np.int64)
    newest: Ints = rows[rank[rows] == rank[rows].max()]
    return newest


def _met(index: SubdirIndex, out: Mask, spec: Spec) -> bool:
    """Whether one of the few rows that are in already plainly meets a dependency, as most do; False may mean: look closer."""
    rows = index.rows_of(spec.exact_name or "")
    plain = spec.needs <= {"version", "build"} and not spec.channel and not spec.subdir
    return plain and len(narrow(spec, index, rows[out[rows]])) > 0
