"""The only way a string from outside reaches a widget: never as markup, never with control characters."""

import textwrap

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter

from mirrortui import naming
from mirrortui.errors import MirrorError


def safe(outside: object, limit: int = 300) -> str:
    """One printable line without secrets; see `naming.display`."""
    return naming.display(outside, limit)


def content(outside: object, limit: int = 2000) -> Content:
    """The same as `Content`, which Textual shows as it stands."""
    return Content(safe(outside, limit))


def block(outside: str) -> str:
    """Several lines, each made safe on its own."""
    return "\n".join(safe(line) for line in outside.splitlines())


def wrapped(outside: object, width: int, *, first: int = 0, hyphens: bool = True) -> list[str]:
    """The same as lines of at most `width` characters; made safe first, since a secret that is cut in two is not seen as one.

    `first` cells of the first line are taken already; without `hyphens` names such as file names stay whole.
    """
    text = safe(outside, 2000)
    if first + len(text) <= width:
        return [text]
    lines = textwrap.wrap(text, width, initial_indent=" " * first, break_on_hyphens=hyphens)
    return [lines[0][first:], *lines[1:]] if lines else [""]


class PrintableFilter(LineFilter):
    """The last gate before the terminal, for what an operator pastes into a field as well as for our own mistakes."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - the interface
        """Take out what would move the cursor or turn the text around; every cell keeps its place."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [s if s.control or s.text.isprintable() else Segment(_printable(s.text), s.style) for s in segments]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " * get_character_cell_size(c) for c in text)


def problem(error: BaseException) -> str:
    """One line for an error: what, where, hint; the kind and words of one nobody foresaw."""
    if isinstance(error, MirrorError):
        return safe(error, 600)
    if isinstance(error, OSError) and error.strerror:
        return safe(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    return safe(f"{type(error).__name__}: {error}")
