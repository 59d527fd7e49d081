"""current_repodata.json: the newest version of each name, and what those need; for conda's classic solver.

After conda-index (current_repodata.py): all builds of the newest version of each name, then, for each
dependency that these leave unmet, all builds of the newest version that meets it, then, for each name of which some
record has features, the newest one without. One subdir at a time. Records of `v3` stay out: the solver does not read
them, and would lose what they are newer than.
"""

import numpy as np

from mirrortui.catalog import decode
from mirrortui.catalog.depends import Depends, depends
from mirrortui.catalog.features import featured
from mirrortui.catalog.index import Ints, Mask, SubdirIndex
from mirrortui.selection.closure import narrow, parsed, provide
from mirrortui.selection.matchspec import Spec

MAX_PASSES = 50


def current(index: SubdirIndex, keep: Mask) -> Mask:
    """Return the rows of current_repodata.json out of the rows that are published."""
    out = np.zeros(index.rows, bool)
    keep = keep & ((index.flags & decode.V3) == 0)
    if not keep.any():
        return out
    rows = np.flatnonzero(keep)
    rank = index.version_ranks[index.version]
    newest = np.full(len(index.names), -2, rank.dtype)
    np.maximum.at(newest, index.name[rows], rank[rows])
    out[rows] = rank[rows] == newest[index.name[rows]]
    links, seen = depends(index), set[int]()
    _close(index, keep, out, rank, links, seen, np.flatnonzero(out))
    _close(index, keep, out, rank, links, seen, _featureless(index, keep, out, rank))
    return out


def _close(index: SubdirIndex, keep: Mask, out: Mask, rank: Ints, links: Depends, seen: set[int], fresh: Ints) -> None:
    """Bring in what the fresh rows need, which go in themselves; `seen` are the dependencies that were looked at."""
    for _ in range(MAX_PASSES):
        out[fresh] = True
        todo = [number for number in links.distinct(fresh).tolist() if number not in seen]
        seen.update(todo)
        found = [rows for number in todo if len(rows := _unmet(index, keep, out, rank, links.specs[number]))]
        if not found:
            break
        fresh = np.unique(np.concatenate(found))


def _featureless(index: SubdirIndex, keep: Mask, out: Mask, rank: Ints) -> Ints:
    """The newest row without features of each name that has a row with some in already."""
    special, best = featured(index), []
    for place in np.unique(index.name[out & special]).tolist():
        rows = index.rows_of(index.names[place])
        rows = rows[keep[rows] & ~special[rows]]
        if len(rows):
            conda = index.flags[rows] & decode.CONDA
            order = np.lexsort((conda, index.stamp[rows], index.build_number[rows], rank[rows]))
            best.append(int(rows[order[-1]]))
    return np.array(best, np.int64)


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
