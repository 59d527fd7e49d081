"""Which records of an index are on disk and verified, and what else lies in its folder.

Names come from one directory scan, hashes from one query: no stat, no hashing, whatever the number of files.
Everything is kept as columns beside the index's own, so that a million files cost seconds and tens of megabytes.
"""

from dataclasses import dataclass
from itertools import compress

import numpy as np

from mirrortui.catalog import decode
from mirrortui.catalog.index import Ints, Mask, SubdirIndex
from mirrortui.mirror.inventory import Entry, Inventory, Known
from mirrortui.mirror.store import Store

NOT_DROPPED = np.nan

_NOTHING: Known = ("", 0, b"", None, 0)
_ZERO = bytes(32)


@dataclass(frozen=True)
class Presence:
    """One subdir's folder against its index.

    Masks over the index's rows: `verified` (on disk with the record's hash), `differs` (on disk with another
    hash), `unchecked` (on disk, never verified here, or doubted), `doubted` (found wrong since they were verified). But
    for files never verified `size` has the bytes on disk and `dropped` the moment they left the metadata (NaN: they
    are in it). `others` are known files that the index does not name.
    """

    verified: Mask
    differs: Mask
    unchecked: Mask
    doubted: Mask
    size: Ints
    dropped: "np.ndarray[tuple[int], np.dtype[np.float64]]"
    others: tuple[Entry, ...]

    def unwanted(self, index: SubdirIndex, wanted: Mask) -> list[Entry]:
        """Known files on disk that a selection does not want, rows of the index first."""
        rows = np.flatnonzero((self.verified | self.differs | self.doubted) & ~wanted)
        named = {index.fn(row) for row in np.flatnonzero(wanted & ~index.usable).tolist()}
        out = [
            Entry(fn, int(self.size[row]), 0, b"", None if np.isnan(self.dropped[row]) else float(self.dropped[row]))
            for row in rows.tolist()
            if index.usable[row] and (fn := index.fn(row)) not in named
        ]
        return [*out, *self.others]

    def returning(self, index: SubdirIndex, wanted: Mask) -> list[str]:
        """Files that were on their way out and are wanted again."""
        mask = (self.verified | self.differs) & wanted & ~np.isnan(self.dropped)
        return [index.fn(row) for row in np.flatnonzero(mask).tolist()]


def presence(index: SubdirIndex, store: Store, inventory: Inventory) -> Presence:
    """Compare an index with its folder and the inventory. Raises `StateError` for a broken inventory."""
    names = store.names(index.channel, index.subdir)
    known = {row[0]: row for row in inventory.known(index.channel, index.subdir) if row[0] in names}
    fns = index.fns() if names else []
    if not fns:
        nothing = np.zeros(index.rows, bool)
        blank = np.zeros(index.rows, np.int64)
        return Presence(nothing, nothing, nothing, nothing, blank, np.full(index.rows, NOT_DROPPED), _others(known, ()))
    on_disk = np.fromiter(map(names.__contains__, fns), bool, index.rows)
    found = [known.get(fn, _NOTHING) for fn in fns]
    named = np.fromiter((row is not _NOTHING for row in found), bool, index.rows)
    doubted = np.fromiter((row[4] for row in found), bool, index.rows)
    listed = named & ~doubted
    verified = _same(index, found, listed)
    return Presence(
        verified,
        listed & ~verified,
        on_disk & ~listed,
        doubted,
        np.fromiter((row[1] for row in found), np.int64, index.rows),
        np.fromiter((NOT_DROPPED if row[3] is None else row[3] for row in found), np.float64, index.rows),
        _others(known, fns) if len(known) != int(named.sum()) else (),
    )


def _others(known: dict[str, Known], fns: "list[str] | tuple[()]") -> tuple[Entry, ...]:
    rest = known.keys() - set(fns)
    return tuple(Entry(fn, known[fn][1], 0, known[fn][2], known[fn][3]) for fn in sorted(rest))


def _same(index: SubdirIndex, found: list[Known], listed: Mask) -> Mask:
    """Which listed files have the hash of their record: sha256 for all at once, the few others one by one."""
    digests = b"".join([row[2] if len(row[2]) == 32 else _ZERO for row in found])
    table = np.frombuffer(digests, "<u8").reshape(index.rows, 4)
    sha256 = np.ascontiguousarray(index.sha256).view("<u8").reshape(index.rows, 4)
    same: Mask = listed & ((index.flags & decode.HAS_SHA256) != 0) & (table == sha256).all(axis=1)
    rest = listed & ~same
    for row, entry in zip(np.flatnonzero(rest).tolist(), compress(found, rest.tolist()), strict=True):
        digest = index.digest(row)
        if digest is None:  # nothing to compare by but the size
            same[row] = int(index.size[row]) in (-1, entry[1])
        else:
            same[row] = entry[2] in (digest[1], index.md5[row].tobytes() if index.flags[row] & decode.HAS_MD5 else b"-")
    return same
