"""A table of fixed columns drawn by the line API: per-cell repaint, no reflow, any number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from mirrortui.tui.bindings import bindings
from mirrortui.tui.format import fit
from mirrortui.tui.text import safe
from mirrortui.tui.widgets.lines import Lines, Span

Cell = str | tuple[str, str]
"""Text, or text and style name."""


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in cells, 0 = what is left; hidden where the table is narrower than `above` cells."""

    title: str
    width: int = 0
    right: bool = False
    above: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """`key` stays with the row when rows move, so that the cursor does too."""

    key: str
    cells: tuple[Cell, ...]
    style: str = ""


def _parts(row: Row, n: int) -> tuple[str, str]:
    cell = row.cells[n] if n < len(row.cells) else ""
    return (cell, "") if isinstance(cell, str) else cell


class LineTable(Lines, can_focus=True):
    """Rows of cells with an optional heading that stays on top."""

    BINDINGS = bindings("table")

    @dataclass
    class Moved(Message):
        """The cursor is on another row."""

        table: "LineTable"
        key: str

    @dataclass
    class Chosen(Message):
        """Enter, or a click on the row that has the cursor; `x` is the column of cells clicked, -1 for enter."""

        table: "LineTable"
        key: str
        x: int

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        heading: bool = True,
        cursor: bool = True,
        empty: str = "",
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=f"table {classes or ''}".strip())
        self.columns = tuple(columns)
        self.rows: tuple[Row, ...] = ()
        self.cursor = 0
        self.empty = empty
        self._headed, self._pointing = heading, cursor

    # ------------------------------------------------------------------------------------------ contents

    @property
    def head(self) -> int:
        """Lines the heading takes."""
        return 1 if self._headed else 0

    @property
    def length(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def row_at(self, index: int) -> Row:
        """One row."""
        return self.rows[index]

    @property
    def current(self) -> str:
        """Key of the row with the cursor, empty without rows."""
        return self.row_at(self.cursor).key if self.length else ""

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; the cursor stays on its key, and only cells that differ are repainted."""
        new, old = tuple(rows), self.rows
        if new == old:
            return
        key = self.current
        self.rows = new
        cursor = next((i for i, row in enumerate(new) if row.key == key), min(self.cursor, max(0, len(new) - 1)))
        moved, self.cursor = cursor != self.cursor, cursor
        if len(new) != len(old):
            self.virtual_size = Size(0, len(new) + self.head)
            self.refresh(layout=self.styles.height is not None and self.styles.height.is_auto)
        elif moved:
            self.refresh()
        else:
            regions = [r for i, pair in enumerate(zip(old, new, strict=True)) for r in self._differ(i, *pair)]
            if regions:
                self.refresh(*regions)
        if self.current != key:
            self.post_message(self.Moved(self, self.current))

    def _differ(self, index: int, old: Row, new: Row) -> list[Region]:
        """The part of a row to repaint: from the left, where a repaint begins anyway, to the last cell that differs."""
        y = index - self.scroll_offset.y + self.head
        if old == new or not self.head <= y < self.size.height:
            return []
        shape = [[not cell for cell in row.cells] for row in (old, new)]
        if old.style != new.style or shape[0] != shape[1]:
            return [Region(0, y, self.cells, 1)]
        ends = [x + w for n, x, w in self._extents(new) if _parts(old, n) != _parts(new, n)]
        return [Region(0, y, max(ends), 1)] if ends else []

    def _spots(self) -> list[tuple[int, int, int]]:
        """Number, x and width of each column shown."""
        total = self.cells - 2
        shown = [(n, c) for n, c in enumerate(self.columns) if total >= c.above]
        rest = total - sum(c.width for _, c in shown) - (len(shown) - 1)
        flexible = sum(1 for _, c in shown if c.width == 0)
        spots, x = [], 1
        for n, column in shown:
            w = column.width or max(4, rest // max(1, flexible))
            spots.append((n, x, w))
            x += w + 1
        return spots

    def render_line(self, y: int) -> Strip:
        """The heading or one row."""
        total, base = self.cells, self.rich_style
        if y < self.head:
            head = [
                (fit(c.title, w, right=c.right) + " ", "head") for n, _, w in self._spots() for c in [self.columns[n]]
            ]
            return self.paint(((" ", "head"), *head), total, base)
        index = self.scroll_offset.y + y - self.head
        if index >= self.length:
            spans = ((f" {self.empty}", "dim"),) if not self.length and y == self.head and self.empty else ()
            return self.paint(spans, total, base)
        row = self.row_at(index)
        if row.style:
            base += self.get_component_rich_style(f"lines--{row.style}", partial=True)
        pointed = self._pointing and index == self.cursor
        if pointed:
            base += self.get_component_rich_style(
                "lines--cursor" if self.has_focus else "lines--cursor-off", partial=True
            )
        return self.paint(tuple(self._cells_of(row, plain=pointed and self.has_focus)), total, base)

    def _extents(self, row: Row) -> list[tuple[int, int, int]]:
        """Number, x and width of the cells drawn: one that is followed by empty cells has their room too."""
        out: list[tuple[int, int, int]] = []
        for n, x, w in self._spots():
            if out and _parts(row, n) == ("", "") and not self.columns[out[-1][0]].right:
                first, begin, _ = out[-1]
                out[-1] = (first, begin, x + w - begin)
            else:
                out.append((n, x, w))
        return out

    def _cells_of(self, row: Row, *, plain: bool) -> list[Span]:
        out: list[Span] = []
        for n, _, w in self._extents(row):
            text, style = _parts(row, n)
            if plain and style != "strong":
                style = ""  # colours chosen for the background would not be read on the cursor's
            out += [(fit(safe(text), w, right=self.columns[n].right), style), (" ", "")]
        if out:  # the margin has the first cell's style: one run of characters less
            out[0] = (f" {out[0][0]}", out[0][1])
        return out

    # -------------------------------------------------------------------------------------------- cursor

    def move_to(self, index: int) -> None:
        """Put the cursor on a row and bring it into view."""
        if not self.length:
            return
        index = max(0, min(self.length - 1, index))
        if not self._pointing:
            self.scroll_to(y=index, animate=False, immediate=True)
            self.cursor = index
            return
        if index != self.cursor:
            old, self.cursor = self.cursor, index
            self.refresh_lines(old + self.head)
            self.refresh_lines(index + self.head)
            self.post_message(self.Moved(self, self.current))
        page = max(1, self.size.height - self.head)
        top = self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False, immediate=True)
        elif index >= top + page:
            self.scroll_to(y=index - page + 1, animate=False, immediate=True)

    def action_move(self, step: int) -> None:
        """Up or down."""
        self.move_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        """A window up or down."""
        self.move_to(self.cursor + step * max(1, self.size.height - self.head - 1))

    def action_edge(self, end: bool) -> None:
        """First or last row."""
        self.move_to(self.length - 1 if end else 0)

    def action_choose(self) -> None:
        """Enter."""
        self.post_message(self.Chosen(self, self.current, -1))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the interface
        """Enter goes on to the screen where there is nothing to choose."""
        return action != "choose" or (self._pointing and self.length > 0)

    def on_click(self, event: events.Click) -> None:
        """The first click moves the cursor, one on the same row chooses."""
        index = event.y + self.scroll_offset.y - self.head - self.gutter.top
        if event.y - self.gutter.top < self.head or not 0 <= index < self.length:
            return
        again = index == self.cursor
        self.move_to(index)
        if again or event.x <= 7:
            self.post_message(self.Chosen(self, self.current, event.x - self.gutter.left))

    def on_focus(self) -> None:
        """The cursor's colour tells where the keys go."""
        self.refresh()

    def on_blur(self) -> None:
        """See `on_focus`."""
        self.refresh()
