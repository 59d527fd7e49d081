"""The bandwidth limit: one token bucket that all transfers of a run share, changeable while they run."""

import asyncio

_BURST = 0.05  # seconds of the rate that an idle limit saves up: below what a link or a chart would notice

_LEAST, _MOST = 4 << 10, 64 << 10

_NOTHING = 0.5  # bytes: what floats lose, far below one


class RateLimit:
    """At most `bytes_per_second` over all callers of `take`; 0 is no limit.

    Callers are served in the order they ask. Belongs to one event loop; `set` is called from within it.
    """

    __slots__ = ("_asked", "_changed", "_granted", "_rate", "_since")

    def __init__(self, bytes_per_second: int = 0) -> None:
        self._rate = max(0, bytes_per_second)
        self._asked = 0.0  # bytes ever asked for
        self._granted = 0.0  # bytes ever granted, as of `_since`
        self._since: float | None = None  # loop time; None before the first use
        self._changed = asyncio.Event()

    @property
    def rate(self) -> int:
        """Bytes a second; 0 is no limit."""
        return self._rate

    @property
    def piece(self) -> int:
        """How much to ask for at once, so that many transfers share a low limit evenly; 0 without one."""
        return min(_MOST, max(_LEAST, int(self._rate * _BURST))) if self._rate else 0

    def set(self, bytes_per_second: int) -> None:
        """Change the limit at once, also for those who are waiting."""
        if self._since is not None:
            now = asyncio.get_running_loop().time()
            self._granted, self._since = self._granted_at(now), now
        self._rate = max(0, bytes_per_second)
        if not self._rate:
            self._granted = max(self._granted, self._asked)  # all go now; a later limit begins without debts
        self._changed.set()
        self._changed = asyncio.Event()

    async def take(self, size: int) -> None:
        """Wait until `size` bytes fit the limit."""
        if not self._rate:
            return
        loop = asyncio.get_running_loop()
        self._refill(loop.time())
        self._asked += size
        turn = self._asked
        try:
            while self._rate and (missing := turn - self._granted_at(loop.time())) >= _NOTHING:
                changed = self._changed
                try:
                    async with asyncio.timeout(missing / self._rate):
                        await changed.wait()
                except TimeoutError:
                    pass  # the wait is over
        except asyncio.CancelledError:
            self._asked -= size
            raise

    def _granted_at(self, now: float) -> float:
        elapsed = 0.0 if self._since is None else now - self._since
        return self._granted + elapsed * self._rate

    def _refill(self, now: float) -> None:
        """Let time grant bytes, but no more than a burst beyond what was asked for."""
        if self._since is None:
            self._granted = self._asked + _BURST * self._rate
        else:
            self._granted = min(self._granted_at(now), self._asked + _BURST * self._rate)
        self._since = now
