"""Lines of styled spans, drawn by the line API: nothing is mounted per line, only what changed is repainted."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from mirrortui.tui.bindings import bindings
from mirrortui.tui.text import safe

Span = tuple[str, str] | tuple[str, str, str]
"""Text, style name (one of `STYLES` or empty), and optionally the action that a click on it runs."""
Line = tuple[Span, ...]

STYLES = ("dim", "strong", "good", "warn", "bad", "accent", "key", "bar", "new", "empty", "tab", "tab-on", "head")


def line(*spans: Span | str) -> Line:
    """Build a line; a plain string has no style."""
    return tuple((span, "") if isinstance(span, str) else span for span in spans)


def set_title(widget: Widget, words: str) -> None:
    """The title of a pane, set off from its rule, never markup; nothing is repainted where it says that already."""
    title = Content(f" {safe(words)} ")
    if title.markup != widget.border_title:
        widget.border_title = title


def width(spans: Line) -> int:
    """Cells the line takes."""
    return sum(cell_len(span[0]) for span in spans)


def sides(left: Line, right: Line, total: int) -> Line:
    """Left and right parts of one line of `total` cells; where both do not fit, the right one is kept."""
    gap = total - width(left) - width(right)
    if gap >= 1:
        return (*left, (" " * gap, ""), *right)
    return (*cut(left, max(0, total - width(right) - 1)), (" ", ""), *right)


def cut(spans: Line, total: int) -> Line:
    """The first `total` cells of a line."""
    out: list[Span] = []
    for span in spans:
        if total <= 0:
            break
        text = span[0]
        while cell_len(text) > total:
            text = text[:-1]
        out.append((text, *span[1:]))
        total -= cell_len(span[0])
    return tuple(out)


def changed_cells(old: Line, new: Line) -> int:
    """Cells from the left up to the last difference: what has to be sent again.

    Textual repaints a region from the left edge of its widget, so what changes often stands at the left.
    """
    if width(old) != width(new) or not all(span[0].isprintable() for span in (*old, *new)):
        return max(width(old), width(new), 1000)
    same = 0
    for one, other in zip(reversed(old), reversed(new), strict=False):
        if one != other:
            break
        same += cell_len(one[0])
    return width(new) - same


class Lines(ScrollView):
    """Base of all line widgets: style names and the way from spans to a strip."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lines--{name}" for name in (*STYLES, "cursor", "cursor-off")}

    DEFAULT_CSS = """
    Lines {
        background: transparent;
        scrollbar-size: 0 1;
        overflow-x: hidden;
        &> .lines--dim { color: $dim; }
        &> .lines--strong { text-style: bold; }
        &> .lines--head { color: $dim; }
        &> .lines--good { color: $success; }
        &> .lines--warn { color: $warning; }
        &> .lines--bad { color: $error; }
        &> .lines--accent { color: $accent; }
        &> .lines--key { color: $accent; text-style: bold; }
        &> .lines--bar { color: $primary; }
        &> .lines--new { color: $accent; }
        &> .lines--empty { color: $line; }
        &> .lines--tab { color: $dim; }
        &> .lines--tab-on { color: $primary; text-style: bold; }
        &> .lines--cursor { background: $cursor; color: $cursor-text; }
        &> .lines--cursor-off { background: $cursor-off; }
    }
    Lines:nocolor {
        &> .lines--dim, &> .lines--head, &> .lines--tab { text-style: dim; }
        &> .lines--bad, &> .lines--warn { text-style: bold; }
        &> .lines--tab-on { text-style: bold reverse; }
        &> .lines--cursor { text-style: reverse; }
        &> .lines--cursor-off { text-style: underline; }
    }
    """

    @property
    def cells(self) -> int:
        """Cells a line has, without padding and scroll bar."""
        return self.scrollable_content_region.width

    def paint(self, spans: Line, total: int, base: Style) -> Strip:
        """Turn spans into a strip of exactly `total` cells over the base style."""
        segments: list[Segment] = []
        for span in spans:
            if not span[0]:
                continue
            style = base
            if span[1]:
                style = base + self.get_component_rich_style(f"lines--{span[1]}", partial=True)
            if len(span) == 3:
                style += Style.from_meta({"@click": span[2]})
            segments.append(Segment(safe(span[0]), style))
        return Strip(segments).simplify().adjust_cell_length(total, base)


class Facts(Lines, can_focus=False):
    """A fixed block of lines that is set as a whole; only lines that differ are repainted."""

    DEFAULT_CSS = """
    Facts { height: auto; overflow: hidden; }
    """

    shown: reactive[tuple[Line, ...]] = reactive((), repaint=False)

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines."""
        old, new = self.shown, tuple(lines)
        if old == new:
            return
        self.shown = new
        if len(old) != len(new):
            self.virtual_size = Size(0, len(new))
            self.refresh(layout=True)
            return
        pairs = [(y, a, b) for y, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
        self.refresh(*(Region(0, y, min(self.cells, changed_cells(a, b)), 1) for y, a, b in pairs))

    def render_line(self, y: int) -> Strip:
        """One line."""
        spans = self.shown[y] if y < len(self.shown) else ()
        return self.paint(spans, self.cells, self.rich_style)


class LineView(Lines, can_focus=True):
    """Scrolling lines: a preview, a diff, a log."""

    BINDINGS = bindings("scroll")
    limit = 2000

    def __init__(self, *, id: str | None = None, classes: str | None = None, empty: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.lines: list[Line] = []
        self.empty = empty

    def set_lines(self, lines: Iterable[Line]) -> None:
        """Replace everything and show the top."""
        new = list(lines)
        if new == self.lines:
            return
        self.lines = new
        self.virtual_size = Size(0, len(new))
        self.scroll_to(y=0, animate=False, immediate=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the window."""
        index = self.scroll_offset.y + y
        if not self.lines and y == 0 and self.empty:
            return self.paint(((self.empty, "dim"),), self.cells, self.rich_style)
        spans = self.lines[index] if index < len(self.lines) else ()
        return self.paint(spans, self.cells, self.rich_style)
