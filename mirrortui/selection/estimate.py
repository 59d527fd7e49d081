"""What a selection costs: records and bytes, per channel and subdir, against what is on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrortui.catalog.index import Ints, Mask, SubdirIndex
from mirrortui.config import MirrorConfig
from mirrortui.selection import licenses
from mirrortui.selection.select import Selection, SubdirSelection


@dataclass(frozen=True, slots=True)
class SubdirEstimate:
    """One subdir. `known` is False where no index is at hand yet (then all counts are 0); bytes are sums of the known sizes.

    `upstream_records` and `upstream_bytes` are what the index holds before any rule.
    """

    channel: str
    subdir: str
    known: bool = True
    note: str = ""
    records: int = 0
    bytes: int = 0
    bytes_present: int = 0
    bytes_to_fetch: int = 0
    unknown_sizes: int = 0
    upstream_records: int = 0
    upstream_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """All subdirs of a config; `free` and `total` are bytes of the disk under the root.

    `approximate` tells that dependencies are counted by name, an upper bound.
    """

    subdirs: tuple[SubdirEstimate, ...]
    free: int
    total: int
    approximate: bool = False

    @property
    def records(self) -> int:
        """Records wanted."""
        return sum(s.records for s in self.subdirs)

    @property
    def bytes(self) -> int:
        """Bytes wanted, as far as sizes are known."""
        return sum(s.bytes for s in self.subdirs)

    @property
    def bytes_to_fetch(self) -> int:
        """Bytes that are wanted and not yet on disk."""
        return sum(s.bytes_to_fetch for s in self.subdirs)

    @property
    def unknown_sizes(self) -> int:
        """Wanted records without a size."""
        return sum(s.unknown_sizes for s in self.subdirs)

    @property
    def fits(self) -> bool:
        """Whether what is missing fits on the free disk."""
        return self.bytes_to_fetch <= self.free

    def to_json(self) -> dict[str, Any]:
        """The stable form that `estimate --json` prints."""
        keys = ("records", "bytes", "bytes_present", "bytes_to_fetch", "unknown_sizes")
        channels: dict[str, list[dict[str, Any]]] = {}
        for item in self.subdirs:
            row: dict[str, Any] = {"subdir": item.subdir} | {key: getattr(item, key) for key in keys}
            row |= {"known": item.known, "note": item.note}
            channels.setdefault(item.channel, []).append(row)
        return {
            "channels": [{"channel": name, "subdirs": rows} for name, rows in channels.items()],
            "total": {key: sum(getattr(s, key) for s in self.subdirs) for key in keys},
            "disk": {"free": self.free, "total": self.total},
        }


def estimate(
    config: MirrorConfig,
    selection: Selection,
    present: Mapping[tuple[str, str], Mask],
    *,
    free: int,
    total: int,
    approximate: bool = False,
) -> Estimate:
    """Sum up a selection. `present` tells for each row whether its file is on disk and verified."""
    out = []
    for channel in config.channels:
        for subdir in channel.subdirs:
            chosen = selection.subdirs.get((channel.name, subdir))
            if chosen is None:
                out.append(SubdirEstimate(channel.name, subdir, known=False, note="not read yet"))
            else:
                out.append(_one(channel.name, subdir, chosen, present.get((channel.name, subdir))))
    return Estimate(tuple(out), free=free, total=total, approximate=approximate)


def _one(channel: str, subdir: str, chosen: SubdirSelection, present: Mask | None) -> SubdirEstimate:
    index, mask = chosen.index, chosen.mask
    sizes, unknown, total = index.remember("known sizes", lambda: _sizes(index))
    wanted = int((sizes * mask).sum())
    here = int((sizes * (mask & present)).sum()) if present is not None else 0
    return SubdirEstimate(
        channel,
        subdir,
        note="" if index.folder is not None else "not upstream",
        records=int(np.count_nonzero(mask)),
        bytes=wanted,
        bytes_present=here,
        bytes_to_fetch=wanted - here,
        unknown_sizes=int(np.count_nonzero(unknown & mask)),
        upstream_records=index.rows,
        upstream_bytes=total,
    )


def _sizes(index: SubdirIndex) -> tuple[Ints, Mask, int]:
    """Sizes with 0 for unknown ones, which are unknown, and the sum."""
    sizes = np.maximum(index.size, 0)
    return sizes, np.less(index.size, 0), int(sizes.sum())


@dataclass(frozen=True, slots=True)
class Details:
    """What an estimate is made of, over all its subdirs; bytes are sums of the known sizes.

    `growth` is bytes a month, judged by the build times of the last year (None where records carry none);
    `largest` are (name, records, bytes), `licenses` (family, records, bytes), both largest first.
    """

    growth: float | None
    largest: tuple[tuple[str, int, int], ...]
    licenses: tuple[tuple[str, int, int], ...]

    def to_json(self) -> dict[str, Any]:
        """The stable form that `estimate --json` prints under “details”."""
        keys = ("records", "bytes")
        return {
            "growth_per_month": self.growth,
            "largest": [{"name": n} | dict(zip(keys, counts, strict=True)) for n, *counts in self.largest],
            "licenses": [{"family": f} | dict(zip(keys, counts, strict=True)) for f, *counts in self.licenses],
        }


def details(selection: Selection, *, now: float, count: int = 20) -> Details:
    """Look into a selection: growth, largest names, license families."""
    names: dict[str, Counted] = {}
    families: dict[str, Counted] = {}
    year, stamped = 0, False
    for chosen in selection.subdirs.values():
        index, mask = chosen.index, chosen.mask
        size = np.where(mask, np.maximum(index.size, 0), 0)
        _count(names, index.names, index.name, mask, size)
        labels = [licenses.family_of(*pair) for pair in index.licenses]
        _count(families, labels, index.license, mask, size)
        stamped = stamped or bool((index.stamp[mask] > 0).any())
        # A stamp of a time to come is a mistake: it says nothing of a month.
        year += int(size[(index.stamp > (now - 365 * 86400) * 1000) & (index.stamp <= now * 1000)].sum())
    return Details(
        growth=year / 12 if stamped else None,
        largest=tuple(_ranked(names)[:count]),
        licenses=tuple(_ranked(families)),
    )


Counted = tuple[int, int]


def _count(into: dict[str, Counted], texts: list[str], column: Ints, mask: Mask, size: Ints) -> None:
    records = np.bincount(column[mask], minlength=len(texts)).tolist() if len(texts) else []
    total = np.bincount(column, weights=size, minlength=len(texts)).tolist() if len(texts) else []
    for text, number, weight in zip(texts, records, total, strict=True):
        if number:
            before = into.get(text, (0, 0))
            into[text] = before[0] + number, before[1] + int(weight)


def _ranked(counted: dict[str, Counted]) -> list[tuple[str, int, int]]:
    rows = [(text, *pair) for text, pair in counted.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))
