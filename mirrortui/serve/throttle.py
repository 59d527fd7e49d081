"""A bandwidth limit that all connections of a server share."""

_SLICE = 0.02  # seconds of the rate handed out at once: small enough for a smooth bar
_BURST = 0.10  # seconds of the rate that may pile up while nobody sends


class Throttle:
    """A token bucket: `rate` bytes a second. Times are seconds of one monotonic clock."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._slice = max(1, int(rate * _SLICE))
        self._most = max(float(self._slice), rate * _BURST)
        self._tokens = 0.0
        self._filled_at: float | None = None

    def take(self, now: float) -> int:
        """Return how many bytes may be sent now: a slice, or 0 until `wait` is over."""
        if self._filled_at is not None:
            self._tokens = min(self._most, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        if self._tokens < self._slice:
            return 0
        self._tokens -= self._slice
        return self._slice

    def give_back(self, count: int) -> None:
        """Return what was taken and not sent."""
        self._tokens += count

    def wait(self) -> float:
        """Seconds from the last `take` until the next slice is full."""
        return max(0.0, (self._slice - self._tokens) / self.rate)
