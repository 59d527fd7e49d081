"""Wait for a condition with a deadline, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL = 0.02


def until(condition: Callable[[], T], seconds: float = 20.0, every: float = POLL) -> T:
    """Return the first true value of `condition`; fails where none comes within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {condition.__qualname__}")
        time.sleep(every)
