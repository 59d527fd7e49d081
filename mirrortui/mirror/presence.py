"""Which records of an index are on disk and verified, and what else lies in its folder."""

import os
from dataclasses import dataclass

import numpy as np

from mirrortui.catalog import decode
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.store import Store


@dataclass(frozen=True)
class Presence:
    """One subdir's folder against its index.

    Masks over the index's rows: `verified` (on disk with the record's hash), `differs` (on disk with another
    hash), `unchecked` (on disk, never verified here). `entries` are the inventory's rows whose file is there.
    """

    verified: Mask
    differs: Mask
    unchecked: Mask
    entries: dict[str, Entry]
    names: frozenset[str]


def presence(index: SubdirIndex, store: Store, inventory: Inventory) -> Presence:
    """Compare by names (one scan) and hashes (one query): no stat, no hashing, whatever the number of files."""
    scanned = store.scan(index.channel, index.subdir)
    known = inventory.entries(index.channel, index.subdir)
    entries = {fn: entry for fn, entry in known.items() if fn in scanned}
    masks = np.zeros((3, index.rows), bool)
    if scanned and index.rows:
        _compare(index, entries, scanned, masks)
    return Presence(masks[0], masks[1], masks[2], entries, frozenset(scanned))


def _compare(
    index: SubdirIndex,
    entries: dict[str, Entry],
    scanned: dict[str, os.DirEntry[str]],
    masks: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
) -> None:
    shas, md5s = index.sha256.tobytes(), index.md5.tobytes()
    hashed = (np.asarray(index.flags) & (decode.HAS_SHA256 | decode.HAS_MD5)) != 0
    for row, fn in enumerate(index.fns()):
        if fn not in scanned:
            continue
        entry = entries.get(fn)
        if entry is None:
            masks[2, row] = True
        elif (
            entry.digest == shas[32 * row : 32 * row + 32]
            or entry.digest == md5s[16 * row : 16 * row + 16]
            or (not hashed[row] and int(index.size[row]) in (-1, entry.size))
        ):
            masks[0, row] = True
        else:
            masks[1, row] = True
