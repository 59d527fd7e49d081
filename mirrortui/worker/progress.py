"""Counters of a run: what is done, how fast, how long it will take."""

import math
import time
from dataclasses import dataclass, field

Pair = tuple[str, str]

HALF_LIFE = 8.0
"""Seconds after which an old rate counts half."""


@dataclass(slots=True)
class Count:
    """One subdir's files and bytes, done and in all, and how many failed."""

    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    failed: int = 0


@dataclass(slots=True)
class Progress:
    """The run's counters. Rates are weighted over time, so that a viewer who attaches late sees the same figures."""

    subdirs: dict[Pair, Count] = field(default_factory=dict)
    added: int = 0
    replaced: int = 0
    adopted: int = 0
    rate: float = 0.0
    _bytes: int = 0
    _time: float = field(default_factory=time.monotonic)
    _sum: float = 0.0
    _weight: float = 0.0

    def total(self, name: str) -> int:
        """Sum of a counter over all subdirs."""
        return sum(getattr(count, name) for count in self.subdirs.values())

    def sample(self, received: int, now: float | None = None) -> None:
        """Take a new reading of the bytes received in all."""
        now = time.monotonic() if now is None else now
        span = now - self._time
        if span < 0.25:
            return
        decay = math.exp2(-span / HALF_LIFE)
        speed = (received - self._bytes) / span
        # Divided by the weight gathered so far: an average that starts at nothing would creep up for half a minute.
        self._sum = self._sum * decay + speed * (1 - decay)
        self._weight = self._weight * decay + (1 - decay)
        self.rate = self._sum / self._weight
        self._bytes, self._time = received, now

    def eta(self, in_flight: int) -> float | None:
        """Seconds until the known bytes are there at the present rate; None where that says nothing."""
        left = self.total("bytes_total") - self.total("bytes_done") - in_flight
        if left <= 0:
            return 0.0
        return left / self.rate if self.rate > 1 else None
