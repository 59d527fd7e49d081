"""Numbers as an operator reads them, and text cut to a number of cells.

Sizes are decimal (1 MB = 10^6 bytes), as disks and networks are sold and as `mirror.toml` writes them.
"""

import time

import humanize
from rich.cells import cell_len, set_cell_size

from mirrortui.tui.glyphs import BAR_EMPTY, BAR_FULL, BAR_NEW, DASH, DOTS, LINE_EMPTY, LINE_FULL, SPARKS


def size(count: float) -> str:
    """`812 B`, `1.2 MB`, `620 GB`, `1.83 TB`: at most three digits that matter."""
    if abs(count) < 1000:
        return f"{int(count)} B"
    text = str(humanize.naturalsize(count, format="%.2f"))
    number, _, unit = text.partition(" ")
    value = float(number)
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 or unit in ("kB", "MB") else 2
    return f"{value:.{digits}f} {unit}"


def rate(per_second: float) -> str:
    """`12.3 MB/s`."""
    return f"{size(per_second)}/s"


def count(number: int) -> str:
    """`1,234,567`."""
    return str(humanize.intcomma(number))


def files(number: int) -> str:
    """`1 file`, `1,234 files`."""
    return f"{count(number)} {'file' if number == 1 else 'files'}"


def percent(done: float, total: float) -> str:
    """`43 %`; 100 only when everything is done, and a dash without a total."""
    if total <= 0:
        return DASH
    return f"{int(min(done, total) * 100 / total)} %"


def span(seconds: float | None) -> str:
    """`8 s`, `4 min`, `2 h 10 min`, `3 d 4 h`; a dash where it is not known."""
    if seconds is None:
        return DASH
    total = max(0, round(seconds))
    if total < 60:
        return f"{total} s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def clock(moment: float) -> str:
    """`14:03:22`, local time."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def moment(moment: float, now: float) -> str:
    """`14:03` of today, otherwise `2025-01-31 14:03`."""
    then, today = time.localtime(moment), time.localtime(now)
    same = (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M" if same else "%Y-%m-%d %H:%M", then)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Exactly `width` cells: padded, or cut with an ellipsis."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + DOTS
    pad = " " * (width - length)
    return pad + text if right else text + pad


def fit_tail(text: str, width: int) -> str:
    """At most `width` cells, keeping the end: for paths and URLs."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) >= width:
        text = text[1:]
    return DOTS + text if width > 0 else ""


def bar(width: int, done: float, total: float, new: float = 0) -> tuple[str, str, str]:
    """Three runs of cells that fill `width`: done, new on top of it, and what is left."""
    if width <= 0 or total <= 0:
        return "", "", BAR_EMPTY * max(0, width)
    first = min(width, int(width * max(0.0, done) / total + 0.5))
    both = min(width, int(width * max(0.0, done + new) / total + 0.5))
    if new > 0 and both == first and first < width:
        both += 1  # something to fetch is never invisible
    return BAR_FULL * first, BAR_NEW * (both - first), BAR_EMPTY * (width - both)


def thin_bar(width: int, done: float, total: float) -> str:
    """A bar for a table's cell: heavy where done, light where not."""
    full = min(width, int(width * done / total + 0.5)) if total > 0 else 0
    return LINE_FULL * full + LINE_EMPTY * (width - full)


def spark(values: list[float], width: int) -> str:
    """The last `width` values as block characters of one style, scaled to their highest."""
    shown = values[-width:] if width > 0 else []
    top = max(shown, default=0.0)
    if top <= 0:
        return SPARKS[0] * len(shown)
    return "".join(SPARKS[min(7, int(value / top * 7.999))] for value in shown)
