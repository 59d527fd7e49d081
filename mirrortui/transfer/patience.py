"""Indexes are asked for again, as packages are: one 503 on one subdir must not cost a channel its nightly update."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mirrortui.errors import UpstreamError, UpstreamStatus, UpstreamUnreachable
from mirrortui.transfer.retry import MAX_BACKOFF, backoff, retry_after

T = TypeVar("T")

Told = Callable[[UpstreamError, float], None]


async def insist(attempt: Callable[[], Awaitable[T]], retries: int, told: Told) -> T:
    """Try up to `retries` times more while the failure is one that may pass; `told` gets each error and the wait in seconds.

    Raises the last `UpstreamError`.
    """
    for number in range(retries):
        try:
            return await attempt()
        except UpstreamError as error:
            pause = passing(error, number + 1)
            if pause is None:
                raise
            told(error, pause)
        await asyncio.sleep(pause)
    return await attempt()


def passing(error: UpstreamError, attempt: int) -> float | None:
    """Seconds after which a failure may be over, None where asking again is no use: a refusal, a certificate, a wrong body."""
    if isinstance(error, UpstreamStatus):
        if error.status not in (408, 425, 429) and error.status < 500:
            return None
        return min(
            retry_after(error.retry_after) or backoff(attempt), MAX_BACKOFF
        )  # every channel waits for each index
    if isinstance(error, UpstreamUnreachable) and "TLS" not in error.what:
        return backoff(attempt)
    return None
