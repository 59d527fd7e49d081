"""What a failed attempt means: whether to try again, where, and after how long.

| reason  | cause                              | what follows                                             |
|---------|------------------------------------|----------------------------------------------------------|
| missing | 404, 410                           | next upstream; no retry                                  |
| refused | 401, 403, other 4xx                | next upstream; no retry                                  |
| hash    | sha256 or md5 differs              | part thrown away, next upstream, then once more          |
| size    | longer or shorter than the record  | as hash                                                  |
| busy    | 429, 503 with Retry-After          | the whole host waits as long as it asks (0: only the file) |
| server  | 5xx                                | capped exponential backoff with full jitter              |
| network | refused, reset, DNS, cut off       | the same                                                 |
| tls     | certificate or handshake           | next upstream; no retry                                  |
| slow    | no progress worth the name         | the same as network                                      |

Where a file has several upstreams, the next one is asked at once; a wait comes when all have failed as often. A host
that fails again and again is left alone for a while; one that stays away is given up for the rest of the run.
"""

import asyncio
import email.utils
import functools
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx

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
MOST_BREAKS = 20
"""A host that has opened the breaker so often in a row is not asked again in this run: ten minutes at least."""

STALL_BYTES = 60 * 1024
"""Progress worth the name."""


class Busy(TransferError):
    """The host asks for patience: for `wait` seconds, None where it does not say how long."""

    def __init__(self, what: str, *, wait: float | None, where: str = "") -> None:
        super().__init__(what, reason="busy", where=where)
        self.wait = wait


def from_status(status: int, url: str, pause: str = "") -> TransferError:
    """The error for an HTTP status other than 200 and 206; `pause` is the Retry-After header."""
    where = display(url)
    if status in (404, 410):
        return TransferError(f"is listed but not there ({status})", reason="missing", where=where)
    if status == 429 or (status == 503 and pause):
        return Busy(f"was answered {status}, too many requests", wait=retry_after(pause), where=where)
    if status in (408, 425) or status >= 500:
        return TransferError(f"was answered {status}", reason="server", where=where)
    return TransferError(f"was answered {status}", reason="refused", where=where)


def backoff(attempt: int, rng: random.Random | None = None) -> float:
    """Seconds before retry `attempt` (from 1): full jitter over a doubling, capped span."""
    span = min(MAX_BACKOFF, 0.5 * 2 ** min(attempt - 1, 16))
    return (rng or random).uniform(span / 4, span)


def retry_after(value: str, now: float | None = None) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date), capped; None if it says nothing."""
    value = value.strip()
    if value.isdecimal():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):  # also a day that no clock knows
        return None
    return min(max(0.0, moment - (time.time() if now is None else now)), MAX_RETRY_AFTER)


def host_of(url: str) -> str:
    """The name under which a URL's host is known here: host and port, or “file”."""
    end = url.find("/", url.find("//") + 2)
    return _host(url if end < 0 else url[:end])


@functools.lru_cache(256)
def _host(base: str) -> str:
    return httpx.URL(base).netloc.decode("ascii", "replace") or "file"


@dataclass(slots=True)
class Host:
    """One host's health, shared by all transfers from it. Times are the monotonic clock's.

    `asked` says why it is blocked: it asked for a pause itself, or failed again and again.
    """

    blocked_until: float = 0.0
    asked: bool = False
    failures: int = 0
    busy: int = 0
    breaks: int = 0


@dataclass(slots=True)
class Hosts:
    """Circuit breaker and Retry-After, by host."""

    hosts: dict[str, Host] = field(default_factory=dict)
    breaker_seconds: float = BREAKER_SECONDS
    most_breaks: int = MOST_BREAKS

    def __getitem__(self, name: str) -> Host:
        return self.hosts.setdefault(name, Host())

    def open(self, name: str) -> bool:
        """Whether the host may be asked now."""
        return self[name].blocked_until <= time.monotonic()

    def gone(self, name: str) -> bool:
        """Whether the host was asked so often in vain that it is given up."""
        return self[name].breaks >= self.most_breaks

    async def wait(self, name: str) -> None:
        """Wait until the host may be asked."""
        left = self[name].blocked_until - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)
            await self.wait(name)  # somebody may have been told to wait longer meanwhile

    def good(self, name: str) -> None:
        """Note an answer that was what it should be."""
        host = self[name]
        host.failures = host.busy = host.breaks = 0

    def bad(self, name: str, error: TransferError) -> None:
        """Note a failure: block the host for as long as it asks, or when it has failed too often in a row."""
        host, now = self[name], time.monotonic()
        if isinstance(error, Busy):
            host.busy += 1
            wait = backoff(host.busy) if error.wait is None else error.wait
            self._block(host, now + wait, asked=True)
        elif error.reason in ("server", "network", "slow"):
            host.failures += 1
            if host.failures >= BREAKER_FAILURES:
                host.failures, host.breaks = 0, host.breaks + 1
                self._block(host, now + self.breaker_seconds, asked=False)

    def _block(self, host: Host, until: float, *, asked: bool) -> None:
        if until > host.blocked_until:
            host.blocked_until, host.asked = until, asked


class Course:
    """The way of one file through its upstreams: who is asked next, after how long, and when to give up.

    `last` is the error that is told when nobody is left.
    """

    def __init__(self, urls: Iterable[str], retries: int, size: int) -> None:
        self._urls = list(urls)
        self._retries = retries
        self._progress = min(STALL_BYTES, max(1, size // 20)) if size >= 0 else STALL_BYTES
        self._tries: Counter[str] = Counter()
        self._wrong: Counter[str] = Counter()
        self.last = TransferError("has no upstream", reason="missing")

    def next(self, hosts: Hosts) -> str | None:
        """The upstream to ask: the first that may be asked now, else the first; None where all are given up."""
        left = [url for url in self._urls if not hosts.gone(host_of(url))]
        if self._urls and not left:
            self.last = TransferError("was not asked for any more, as its host does not answer", reason="network")
        self._urls = left
        free = (url for url in self._urls if hosts.open(host_of(url)))
        return next(free, self._urls[0] if self._urls else None)

    def failed(self, url: str, error: TransferError, gained: int) -> float:
        """Note how an attempt ended that brought `gained` bytes; returns the seconds to wait before the next."""
        self.last = error
        self._urls.remove(url)
        if error.reason in FINAL:
            return 0.0
        if error.reason in FRESH:
            self._wrong[url] += 1
            if self._wrong[url] < 2:
                self._urls.append(url)
            return 0.0
        # What brought bytes was no failure: a flaky line must not use up the retries. A byte at a time is none, though.
        self._tries[url] = 1 if gained >= self._progress else self._tries[url] + 1
        if self._tries[url] <= self._retries:
            self._urls.append(url)
        if (isinstance(error, Busy) and error.wait != 0) or any(
            self._tries[other] < self._tries[url] for other in self._urls
        ):
            return 0.0
        return backoff(self._tries[url]) if self._urls else 0.0
