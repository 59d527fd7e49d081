"""A unified diff as tagged lines: for a widget that colours them, or as text."""

import difflib
from collections.abc import Iterable
from typing import Literal, NamedTuple

from mirrortui import naming

Tag = Literal["head", "hunk", "same", "add", "drop"]

_TAGS: dict[str, Tag] = {"@": "hunk", " ": "same", "+": "add", "-": "drop"}


class DiffLine(NamedTuple):
    """One line, with its leading “+”, “-” or blank; safe to show, secrets masked."""

    tag: Tag
    text: str


def unified(before: str, after: str, name: str) -> tuple[DiffLine, ...]:
    """Return the difference of two texts with three lines of context; empty if there is none."""
    old, new = before.splitlines(), after.splitlines()
    rows = list(difflib.unified_diff(old, new, f"{name} (now)", f"{name} (new)", lineterm=""))
    shown = [
        DiffLine("head" if at < 2 else _TAGS[row[:1]], naming.display(row, limit=2000)) for at, row in enumerate(rows)
    ]
    if not shown and before != after:
        shown = [DiffLine("hunk", "@@ only line endings differ @@")]
    return tuple(shown)


def as_text(lines: Iterable[DiffLine]) -> str:
    """The diff as text, a line each."""
    return "".join(f"{line.text}\n" for line in lines)
