"""One set of signs, and what stands for each of them where only ASCII can be shown.

Widgets write the Unicode signs below. Where the terminal cannot show them, `AsciiFilter` replaces every
non-ASCII cell on its way out, so borders, scroll bars, toasts and outside names are covered too.
"""

import unicodedata
from collections.abc import Mapping

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

TICK_ALL, TICK_SOME, TICK_NONE = "■", "◧", "□"
OPEN, CLOSED = "▾", "▸"
BAR_FULL, BAR_NEW, BAR_EMPTY = "█", "▒", "░"
LINE_FULL, LINE_EMPTY = "━", "╌"
SPARKS = "▁▂▃▄▅▆▇█"
RUN, IDLE, PAUSED, STOPPED, DONE, WARN, FAILED = "●", "○", "‖", "◼", "✓", "!", "✗"
DASH, DOTS, SEP, ARROW, CHOICE_LEFT, CHOICE_RIGHT, UP_TO = "–", "…", "·", "→", "‹", "›", "≤"

_PLAIN = {
    **dict(zip("■◧□▾▸█▒░●○‖◼✓✗–…·→‹›", "x~ov>#=.*o=#+x-.|><>", strict=True)),
    **dict(zip("▁▂▃▄▅▆▇", ".:-=+*%", strict=True)),
    **dict.fromkeys("─╌┄", "-"),
    **dict.fromkeys("━═", "="),
    **dict.fromkeys("│┃║╎▌▐▏▕▎▍▋▊▉", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛", "+"),
    **dict.fromkeys("“”„″", '"'),
    **dict.fromkeys("‘’‚′", "'"),
    "—": "-",
    "−": "-",
    "×": "x",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "⏎": "<",
    "🔎": "?",
    "≤": "<",
    "≥": ">",
    "\u00a0": " ",
}


def ascii_only(encoding: str, environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal's encoding or type cannot be trusted with Unicode signs."""
    plain = encoding.lower().replace("_", "-").replace("utf8", "utf-8")
    return not plain.startswith("utf-8") or environ.get("TERM", "") in ("vt100", "vt220", "ansi")


def to_ascii(text: str) -> str:
    """Return the text in ASCII, with the same width in cells."""
    if text.isascii():
        return text
    return "".join(char if char.isascii() else _plain(char) for char in text)


def _plain(char: str) -> str:
    width = get_character_cell_size(char)
    sign = _PLAIN.get(char)
    if sign is None:
        base = unicodedata.normalize("NFKD", char)[:1]
        sign = base if base.isascii() and base.isprintable() else "?"
    return sign * width


class AsciiFilter(LineFilter):
    """The last step before the terminal where only ASCII can be shown."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - the interface
        """Replace what is not ASCII, cell by cell."""
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]
