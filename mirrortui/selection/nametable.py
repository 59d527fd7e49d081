"""All package names of a selection as columns: how many of each name's records are in, their bytes, and the rule at work.

A second format of a build that is kept, and an entry that its own index replaces, are no records of their own
here: a name whose every build is in counts as in.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mirrortui.catalog import decode
from mirrortui.catalog.index import Ints, Mask
from mirrortui.selection.pattern import Pattern
from mirrortui.selection.reasons import Reason
from mirrortui.selection.select import Selection, SubdirSelection

State = Literal["in", "partly", "out"]
Order = Literal["name", "size", "records"]
ORDERS: tuple[Order, ...] = ("name", "size", "records")

_CODES = tuple(Reason)
_IN = sum(code < Reason.REPLACED for code in _CODES)
_SPARE = len(_CODES)
_WIDTH = _SPARE + 1
_BY_REASON = np.zeros(256, np.int64)
_BY_REASON[[int(code) for code in _CODES]] = np.arange(len(_CODES))
_BY_REASON[Reason.REPLACED] = _SPARE


@dataclass(frozen=True)
class NameTable:
    """One row a package name over all channels and subdirs; `names` are sorted, the arrays are int64 and as long.

    `kept` and `total` count records, `kept_bytes` and `total_bytes` sum known sizes. `reason` (uint8) is the rule that
    threw most of a name's records out; where all are in, what keeps most of them. `approximate`: dependencies are an upper bound.
    """

    names: list[str]
    kept: Ints
    total: Ints
    kept_bytes: Ints
    total_bytes: Ints
    reason: npt.NDArray[np.uint8]
    approximate: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return self is other  # columns have no one truth value; a newer table is another one

    __hash__ = object.__hash__

    def place(self, name: str) -> int | None:
        """The row of a name, None where there is none."""
        return self._places.get(name)

    def state(self, place: int) -> State:
        """Whether a name is in, out, or only some of its records are in."""
        kept = int(self.kept[place])
        return "out" if not kept else "in" if kept == int(self.total[place]) else "partly"

    def why(self, place: int) -> Reason:
        """The deciding reason of a row."""
        return Reason(int(self.reason[place]))

    def find(self, text: str, order: Order = "name") -> Ints:
        """The rows whose name a filter leaves, in order; sizes and numbers from the largest.

        A plain text is looked for anywhere in the name, without case. `^` ties it to the beginning and `$` to the end,
        `*` stands for any text (then the whole name has to match), and `!` in front turns the answer round.
        """
        order_ = self._order(order)
        wanted = text.strip().lower()
        inverse = wanted.startswith("!")
        wanted = wanted[inverse:]
        if not wanted.strip("^$*"):
            return order_
        mask = self._matching(wanted)
        return order_[mask[order_] ^ inverse]

    def _matching(self, wanted: str) -> Mask:
        names = self._lower
        first, last = wanted.startswith("^"), wanted.endswith("$")
        plain = wanted[first : len(wanted) - last]
        if "*" in plain:
            both = not first and not last
            glob = Pattern(plain if both else f"{'' if first else '*'}{plain}{'' if last else '*'}")
            longest = max(plain.split("*"), key=len)  # a plain search leaves few to look at closely
            return np.array([longest in name and glob.ok(name) for name in names], bool)
        if first and last:
            return np.array([name == plain for name in names], bool)
        if first:
            return np.array([name.startswith(plain) for name in names], bool)
        if last:
            return np.array([name.endswith(plain) for name in names], bool)
        return np.array([plain in name for name in names], bool)

    def _order(self, order: Order) -> Ints:
        return self._by_size if order == "size" else self._by_records if order == "records" else self._by_name

    @cached_property
    def _lower(self) -> list[str]:
        return [name.lower() for name in self.names]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _by_name(self) -> Ints:
        return np.arange(len(self.names))

    @cached_property
    def _by_size(self) -> Ints:
        return np.lexsort((-self.total_bytes, -self.kept_bytes))

    @cached_property
    def _by_records(self) -> Ints:
        return np.lexsort((-self.total, -self.kept))


def name_table(selection: Selection, *, approximate: bool = False) -> NameTable:
    """Sum up a selection by package name, over all its indexes."""
    names = sorted({name for item in selection.subdirs.values() for name in item.index.names})
    places = {name: place for place, name in enumerate(names)}
    counts = np.zeros((len(names), _WIDTH), np.int64)
    weights = np.zeros((len(names), 2), np.int64)
    for item in selection.subdirs.values():
        here = np.fromiter((places[name] for name in item.index.names), np.int64, len(item.index.names))
        own_counts, own_weights = _count(item)
        counts[here] += own_counts
        weights[here] += own_weights
    kept = counts[:, :_IN].sum(axis=1)
    dropped = counts[:, _IN:_SPARE].sum(axis=1)
    reasons = np.array([int(code) for code in _CODES], np.uint8)
    keeping = reasons[counts[:, :_IN].argmax(axis=1)]
    dropping = reasons[_IN + counts[:, _IN:_SPARE].argmax(axis=1)]
    return NameTable(
        names=names,
        kept=kept,
        total=kept + dropped,
        kept_bytes=weights[:, 0],
        total_bytes=weights.sum(axis=1),
        reason=np.where(dropped > 0, dropping, keeping),
        approximate=approximate,
    )


def _count(item: SubdirSelection) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Per name of one index: records by reason (the last column are those that count for nothing), and bytes in and out."""
    index, n = item.index, len(item.index.names)
    code = _BY_REASON[item.reasons]
    twins = (item.reasons == Reason.FORMAT) & ((index.flags & decode.TWIN) != 0)
    code[twins] = _SPARE
    counts = np.bincount(index.name * np.int64(_WIDTH) + code, minlength=n * _WIDTH).reshape(n, _WIDTH)
    out = (code >= _IN).astype(np.int64)
    size = np.where(code == _SPARE, 0, np.maximum(index.size, 0))
    weights = np.bincount(index.name * np.int64(2) + out, weights=size, minlength=n * 2).reshape(n, 2)
    return counts, weights.astype(np.int64)
