"""Sizes, rates, durations and dates as an operator writes them: `2 GB`, `50 MB/s`, `7 days`, `2025-01-31`."""

import datetime as dt
import math
import re

from mirrortui.errors import ConfigError
from mirrortui.naming import display

_NUMBER = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Za-z]*)\s*")
_SIZES = {
    "": 1,
    "b": 1,
    "k": 10**3,
    "kb": 10**3,
    "m": 10**6,
    "mb": 10**6,
    "g": 10**9,
    "gb": 10**9,
    "t": 10**12,
    "tb": 10**12,
}
_SIZES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SPANS = {"sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3600}
_SPANS |= {"day": 86400, "week": 7 * 86400, "month": 30 * 86400, "year": 365 * 86400}
_SPANS |= {f"{word}s": seconds for word, seconds in _SPANS.items()}
_SPANS |= {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

MAX_SIZE = 1 << 60
"""The largest size and rate that are taken for one, in bytes."""

MAX_SPAN = 1000 * 365 * 86400
"""The longest time that is taken for one, in seconds: what is longer would leave the calendar."""


def size(text: str) -> int:
    """Bytes of `2 GB` or `512 MiB`; an empty text is 0, which means no limit."""
    if not text.strip():
        return 0
    match = _NUMBER.fullmatch(text)
    unit = _SIZES.get(match[2].lower()) if match else None
    if match is None or unit is None or (count := math.ceil(float(match[1]) * unit)) > MAX_SIZE:
        raise ConfigError(f"“{display(text)}” is no size", hint="Write for example 2 GB or 512 MiB")
    return count


def words(count: float) -> str:
    """Bytes as an operator reads them: `1.7 MB`; units are decimal."""
    import humanize  # not every door that reads a config speaks

    return humanize.naturalsize(count, format="%.1f").replace("Bytes", "B").replace("Byte", "B")


def counted(number: int, word: str) -> str:
    """How many there are of a thing: `1 file`, `1,200 files`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def rate(text: str) -> int:
    """Bytes a second of `50 MB/s`; an empty text is 0, which means no limit."""
    if not text.strip():
        return 0
    try:
        return size(text.strip().removesuffix("/s") or "?")
    except ConfigError:
        raise ConfigError(
            f"“{display(text)}” is no rate", hint="Write for example 50 MB/s, or leave it empty for no limit"
        ) from None


def duration(text: str) -> float:
    """Seconds of `7 days`, `12 hours` or `30 min`; an empty text is 0."""
    if not text.strip():
        return 0.0
    match = _NUMBER.fullmatch(text)
    unit = _SPANS.get(match[2].lower()) if match else None
    if match is None or unit is None or (seconds := float(match[1]) * unit) > MAX_SPAN:
        raise ConfigError(f"“{display(text)}” is no length of time", hint="Write for example 7 days or 12 hours")
    return seconds


def date_ms(text: str) -> int:
    """Milliseconds since 1970 of the end of a day `2025-01-31` (UTC) or of an ISO time; empty is 0."""
    text = text.strip()
    if not text:
        return 0
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"“{display(text)}” is no date", hint="Write for example 2025-01-31") from None
    if len(text) <= 10:
        moment += dt.timedelta(days=1, milliseconds=-1)  # “as of that day” includes the day
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return int(moment.timestamp() * 1000)
