"""What a failed attempt means: whether to try again, where, and after how long.

| reason  | cause                              | what follows                                             |
|---------|------------------------------------|----------------------------------------------------------|
| missing | 404, 410                           | next upstream; no retry                                  |
| refused | 401, 403, other 4xx                | next upstream; no retry                                  |
| hash    | sha256 or md5 differs              | part thrown away, next upstream, then once more          |
| size    | longer or shorter than the record  | as hash                                                  |
| busy    | 429, 503 with Retry-After          | the whole host waits as long as it asks                  |
| server  | 5xx                                | capped exponential backoff with full jitter              |
| network | refused, reset, DNS, cut off       | the same                                                 |
| tls     | certificate or handshake           | next upstream; no retry                                  |
| slow    | no progress worth the name         | the same as network                                      |
"""

import asyncio
import email.utils
import random
import time
from dataclasses import dataclass, field

from mirrortui.errors import TransferError
from mirrortui.naming import display

FINAL = frozenset({"missing", "refused", "tls"})
"""Reasons for which the same upstream is not asked again."""

FRESH = frozenset({"hash", "size"})
"""Reasons after which what was received is thrown away."""

MAX_BACKOFF = 60.0
MAX_RETRY_AFTER = 600.0
BREAKER_FAILURES = 12
BREAKER_SECONDS = 30.0


def from_status(status: int, url: str, retry_after: str = "") -> TransferError:
    """The error for an HTTP status other than 200 and 206."""
    where = display(url)
    if status in (404, 410):
        return TransferError(f"is listed but not there ({status})", reason="missing", where=where)
    if status == 429 or (status == 503 and retry_after):
        return TransferError(f"was answered {status}, too many requests", reason="busy", where=where)
    if status in (408, 425) or status >= 500:
        return TransferError(f"was answered {status}", reason="server", where=where)
    return TransferError(f"was answered {status}", reason="refused", where=where)


def backoff(attempt: int, rng: random.Random | None = None) -> float:
    """Seconds before retry `attempt` (from 1): full jitter over a doubling, capped span."""
    span = min(MAX_BACKOFF, 0.5 * 2 ** min(attempt - 1, 16))
    return (rng or random).uniform(span / 4, span)


def retry_after(value: str, now: float | None = None) -> float:
    """Seconds that a Retry-After header asks for (a number or an HTTP date), capped; 0 if it says nothing."""
    value = value.strip()
    if value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    return min(max(0.0, moment.timestamp() - (time.time() if now is None else now)), MAX_RETRY_AFTER)


@dataclass(slots=True)
class Host:
    """One host's health, shared by all transfers from it."""

    blocked_until: float = 0.0
    failures: int = 0


@dataclass(slots=True)
class Hosts:
    """Circuit breaker and Retry-After, by host. Times are the monotonic clock's."""

    hosts: dict[str, Host] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Host:
        return self.hosts.setdefault(name, Host())

    def open(self, name: str) -> bool:
        """Whether the host may be asked now."""
        return self[name].blocked_until <= time.monotonic()

    async def wait(self, name: str) -> None:
        """Wait until the host may be asked."""
        left = self[name].blocked_until - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)
            await self.wait(name)  # somebody may have been told to wait longer meanwhile

    def good(self, name: str) -> None:
        """Note an answer that was what it should be."""
        self[name].failures = 0

    def bad(self, name: str, reason: str, wait: float) -> bool:
        """Note a failure; returns True where that has just opened the breaker."""
        host = self[name]
        now = time.monotonic()
        if reason == "busy":
            host.blocked_until = max(host.blocked_until, now + wait)
            return False
        if reason not in ("server", "network", "slow"):
            return False
        host.failures += 1
        if host.failures < BREAKER_FAILURES:
            return False
        host.failures = 0
        host.blocked_until = max(host.blocked_until, now + BREAKER_SECONDS)
        return True
