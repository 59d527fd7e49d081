"""Files that have a record for each generation of clients: one in the older tables and one in `v3` (CEP 48).

The older one counts, since every client can install from it; the other goes with it, if it means the same file.
"""

import numpy as np

from mirrortui.catalog import decode
from mirrortui.catalog.index import Ints, Mask, SubdirIndex


def with_companions(index: SubdirIndex, keep: Mask) -> Mask:
    """Some rows, and the `v3` records of the same files."""
    newer, older = index.remember("companions", lambda: _pairs(index))
    if not len(newer):
        return keep
    out = keep.copy()
    out[newer] |= keep[older]
    return out


def _pairs(index: SubdirIndex) -> tuple[Ints, Ints]:
    """Rows in `v3`, and beside each the row that counts."""
    second = decode.V3 | decode.DUPLICATE
    names = {index.fn(row): row for row in np.flatnonzero((index.flags & second) == second).tolist()}
    found = []
    if names:
        fns = index.fns()
        counting = np.flatnonzero((index.flags & second) == 0).tolist()
        found = [(names[fns[row]], row) for row in counting if fns[row] in names]
    same = [(newer, older) for newer, older in found if _same(index, newer, older)]
    return np.array([pair[0] for pair in same], np.int64), np.array([pair[1] for pair in same], np.int64)


def _same(index: SubdirIndex, one: int, other: int) -> bool:
    sizes = {int(index.size[one]), int(index.size[other])} - {-1}
    return index.digest(one) == index.digest(other) is not None and len(sizes) < 2
