"""The chain that pulled a record in: from one that a rule wants, dependency by dependency, down to it."""

import numpy as np

from mirrortui.catalog.depends import depends
from mirrortui.catalog.index import Ints
from mirrortui.selection.closure import Brought, Pair
from mirrortui.selection.decide import Decision
from mirrortui.selection.reasons import Reason

Place = tuple[Pair, int]

MAX_CHAIN = 1000


class Chains:
    """Looks up who brought in what, in the order in which closing the selection did."""

    def __init__(self, decision: Decision) -> None:
        self.subdirs, self.brought = decision.selection.subdirs, decision.brought
        self._numbers: dict[Pair, Ints] = {}
        self._parents: dict[int, Place | None] = {}

    def to(self, place: Place) -> tuple[tuple[str, str], ...]:
        """The steps down to a record, each as (file name, the dependency it states); empty for one that is wanted itself."""
        steps: list[tuple[str, str]] = []
        pair, row = place
        while (number := int(self._number(pair)[row])) >= 0 and len(steps) < MAX_CHAIN:
            if number not in self._parents:
                self._parents[number] = self._parent(self.brought[number], number)
            parent = self._parents[number]
            if parent is None:
                break
            pair, row = parent
            steps.append((self.subdirs[pair].index.fn(row), self.brought[number].text))
        return tuple(reversed(steps))

    def _number(self, pair: Pair) -> Ints:
        """Row -> place in `brought`; -1 where a rule decided."""
        if pair not in self._numbers:
            numbers = np.full(self.subdirs[pair].index.rows, -1, np.int32)
            for number, event in enumerate(self.brought):
                if event.pair == pair:
                    numbers[event.rows] = number
            self._numbers[pair] = numbers
        return self._numbers[pair]

    def _parent(self, event: Brought, number: int) -> Place | None:
        """The record that asked: one that was in before, a wanted one if there is any."""
        best: tuple[int, Place] | None = None
        for pair in event.world:
            item = self.subdirs[pair]
            links = depends(item.index)
            place = links.places.get(event.text)
            if place is None:
                continue
            rows = links.row_of[np.flatnonzero(links.numbers == place)]
            rows = rows[(item.reasons[rows] < Reason.REPLACED) & (item.reasons[rows] != Reason.PINNED)]
            numbers = self._number(pair)[rows]
            asked = (numbers < number) & ((numbers >= 0) | (pair[0] == event.channel))
            if asked.any():
                first = int(np.argmin(np.where(asked, numbers, number)))
                found = int(numbers[first]), (pair, int(rows[first]))
                best = found if best is None or found < best else best
        return best[1] if best else None
