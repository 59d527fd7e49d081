"""All package names in one list: a row is made when it is painted, so that 30,000 names cost what 20 do."""

from typing import TYPE_CHECKING

from textual.geometry import Size

from mirrortui.selection.reasons import WORDS, Reason
from mirrortui.tui import format as fmt
from mirrortui.tui.glyphs import DASH, DOTS, TICK_ALL, TICK_NONE, TICK_SOME
from mirrortui.tui.widgets.line_table import Cell, Column, LineTable, Row
from mirrortui.tui.widgets.lines import Line, line

if TYPE_CHECKING:  # it brings numpy, which the first frame does not wait for
    from mirrortui.catalog.index import Ints
    from mirrortui.selection.nametable import NameTable

MARKS = {
    "in": (f"{TICK_ALL} in", "good"),
    "partly": (f"{TICK_SOME} partly", "warn"),
    "out": (f"{TICK_NONE} out", "dim"),
}


def name_row(table: "NameTable", place: int) -> Row:
    """One name: whether it is in, its records and bytes, and the rule at work where it is not wholly in as wished."""
    state, why = table.state(place), table.why(place)
    kept, total = int(table.kept[place]), int(table.total[place])
    size = int(table.kept_bytes[place])
    cells: tuple[Cell, ...] = (
        MARKS[state],
        table.names[place],
        fmt.count(kept) if kept == total else f"{fmt.count(kept)} of {fmt.count(total)}",
        fmt.size(size) if kept else (DASH, "dim"),
        "" if why == Reason.WANTED else (WORDS[why], "dim"),
    )
    return Row(table.names[place], cells, "dim" if state == "out" else "")


def sums(table: "NameTable", shown: int) -> Line:
    """The whole table in one line; the number of names shown first."""
    most = "at most " if table.approximate else ""
    kept, names = int(table.kept.sum()), int((table.kept > 0).sum())
    count = f"{fmt.count(shown)} of {fmt.count(len(table))}" if shown != len(table) else fmt.count(len(table))
    words = f"{most}{fmt.count(names)} in, {fmt.count(kept)} records, {fmt.size(int(table.kept_bytes.sum()))}"
    rough = f"   exact figures follow{DOTS}" if table.approximate else ""
    return line((f"{count} names", "strong"), f"   {words}", (rough, "dim"))


class NameList(LineTable):
    """The names that the filter leaves. The cursor stays on its name; what is shown is decided by who calls `show`."""

    def __init__(self) -> None:
        columns = (
            Column("", 8),
            Column("name"),
            Column("records", 17, right=True, above=50),
            Column("size", 9, right=True),
            Column("", 37, above=104),
        )
        super().__init__(columns, empty="no such name", id="names", classes="pane")
        self.table: NameTable | None = None
        self._places: Ints | None = None

    @property
    def length(self) -> int:
        """Number of names shown."""
        return 0 if self._places is None else len(self._places)

    def row_at(self, index: int) -> Row:
        """One row, made for this paint."""
        assert self.table is not None
        assert self._places is not None
        return name_row(self.table, int(self._places[index]))

    def show(self, table: "NameTable", places: "Ints") -> None:
        """Show these places of a table; the cursor stays on its name and, if it can, on its line."""
        name, line_of = self.current, self.cursor - self.scroll_offset.y
        before = self.length
        self.table, self._places = table, places
        self.cursor = self._index_of(name, min(self.cursor, max(0, self.length - 1)))
        if self.length != before:
            self.virtual_size = Size(0, self.length + self.head)
        page = max(1, self.size.height - self.head)
        top = max(0, min(self.cursor - line_of, self.length - page))
        self.scroll_to(y=top, animate=False, immediate=True, force=True)
        self.refresh()
        if self.current != name:
            self.post_message(self.Moved(self, self.current))

    def _index_of(self, name: str, otherwise: int) -> int:
        if self.table is None or self._places is None:
            return otherwise
        place = self.table.place(name)
        if place is None:
            return otherwise
        found = (self._places == place).nonzero()[0]
        return int(found[0]) if len(found) else otherwise
