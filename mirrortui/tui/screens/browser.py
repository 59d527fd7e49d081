"""Packages: every name of the draft, what of it is in and why; a key writes the rule that throws it out or brings it in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label

from mirrortui.config import MirrorConfig
from mirrortui.errors import MirrorError
from mirrortui.tui import draft
from mirrortui.tui.bindings import bindings
from mirrortui.tui.estimator import Asker
from mirrortui.tui.glyphs import DOTS, FAILED, SEP
from mirrortui.tui.messages import DraftEdited, Said
from mirrortui.tui.rooms import Cancelled, Rooms
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.text import problem
from mirrortui.tui.view import View
from mirrortui.tui.widgets.line_table import LineTable
from mirrortui.tui.widgets.lines import Facts, line, set_title
from mirrortui.tui.widgets.name_list import NameList, sums

if TYPE_CHECKING:  # it brings numpy
    from mirrortui.selection.nametable import NameTable, Order


@dataclass
class Named(Message):
    """The names of a draft, or why there are none."""

    config: MirrorConfig
    table: "NameTable | None" = None
    trouble: str = ""

    @property
    def approximate(self) -> bool:
        """Whether the exact table is still to come."""
        return self.table is not None and self.table.approximate


class FilterField(Input):
    """The filter; up and down move in the list while it has the focus."""

    BINDINGS = bindings("filter")

    @dataclass
    class Picked(Message):
        """Move in the list: so many rows, or windows."""

        step: int
        page: bool

    def action_pick(self, step: int) -> None:
        """Up or down."""
        self.post_message(self.Picked(step, page=False))

    def action_pick_page(self, step: int) -> None:
        """A window up or down."""
        self.post_message(self.Picked(step, page=True))


class BrowserScreen(RoomScreen):
    """Lies over Setup. Every change goes into the draft, and `u` takes it back."""

    MODE: ClassVar[str] = "browser"
    TAB: ClassVar[str] = "setup"
    BINDINGS = bindings("browser")
    CSS_PATH = "browser.tcss"
    AUTO_FOCUS = "#names"

    def __init__(self, current: Callable[[], View], rooms: Rooms) -> None:
        super().__init__(current)
        self._rooms = rooms
        self._asker = Asker(self)
        self._asked: MirrorConfig | None = None
        self._before: list[tuple[MirrorConfig, MirrorConfig, str]] = []
        self._order: Order = "name"
        self.table: NameTable | None = None

    def body(self) -> ComposeResult:
        """Sums, names, filter, and what the last key wrote."""
        yield Facts(id="names-sums")
        yield NameList()
        with Horizontal(classes="line", id="filter-line"):
            yield Label("filter", classes="label")
            box = FilterField(
                placeholder="text, ^begin, end$, *glob*, !not", id="filter", compact=True, select_on_focus=False
            )
            box.cursor_blink = False
            yield box
        yield Facts(id="names-said")

    def stops(self) -> list[Widget]:
        """List and filter."""
        return [self.query_one(NameList), self.query_one(FilterField)]

    def show_view(self, view: View) -> None:
        """Another draft has other names in."""
        if view.config is not self._asked:
            self._ask(view.config)
        self.refresh_bindings()

    # --------------------------------------------------------------------------------------------- names

    def _ask(self, config: MirrorConfig) -> None:
        self._asked = config
        if self.table is None:
            self._sums(f"reading the names{DOTS}")

        def job(*, quick: bool) -> Callable[[Cancelled], Message | None]:
            def work(cancelled: Cancelled) -> Message | None:
                try:
                    table = self._rooms.names(config, quick=quick, cancelled=cancelled)
                except Exception as error:  # noqa: BLE001 - shown in words where the names would be
                    return Named(config, trouble=problem(error))
                return None if table is None else Named(config, table)

            return work

        self._asker.ask(job(quick=True), job(quick=False))

    def on_named(self, event: Named) -> None:
        """The names as they are with this draft."""
        if event.table is None:
            self._sums(f"{FAILED} {event.trouble}", "bad")
            return
        self.table = event.table
        self._show_names()
        self.refresh_bindings()

    def _show_names(self) -> None:
        if self.table is None:
            return
        names = self.query_one(NameList)
        text = self.query_one(FilterField).value
        found = self.table.find(text, self._order)
        names.show(self.table, found)
        set_title(names, f"Packages by {self._order}")
        self.query_one("#names-sums", Facts).set_lines([line(" ", *sums(self.table, len(found)))])

    def _sums(self, words: str, style: str = "dim") -> None:
        self.query_one("#names-sums", Facts).set_lines([line(" ", (words, style))])

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter at once: looking through all names takes less than a frame."""
        event.stop()
        self._show_names()

    def on_input_submitted(self) -> None:
        """Enter keeps the filter."""
        self.focus_stop(self.query_one(NameList))

    def on_filter_field_picked(self, event: FilterField.Picked) -> None:
        """Move while the filter is typed."""
        names = self.query_one(NameList)
        if event.page:
            names.action_page(event.step)
        else:
            names.action_move(event.step)

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Enter explains; a click on the mark toggles."""
        if 0 <= event.x < 8:
            self.action_switch()
        else:
            self.action_explain()

    # ------------------------------------------------------------------------------------------- actions

    def action_filter(self) -> None:
        """To the filter."""
        self.focus_stop(self.query_one(FilterField))

    def action_close(self) -> None:
        """First the filter goes, then the page."""
        box = self.query_one(FilterField)
        if box.value or box.has_focus:
            box.value = ""
            self.focus_stop(self.query_one(NameList))
        else:
            self._asker.cancel()
            self.app.pop_screen()

    def action_order(self) -> None:
        """The next order."""
        from mirrortui.selection.nametable import ORDERS

        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._show_names()

    def action_switch(self) -> None:
        """Out if anything of the name is in, otherwise in."""
        name = self.query_one(NameList).current
        place = self.table.place(name) if self.table is not None else None
        if self.table is None or place is None:
            return
        why = self.table.why(place).name.lower().replace("_", "-")
        out = self.table.state(place) == "out"
        self._write(name, lambda config: draft.toggle_name(config, name, wanted=out, reason=why))

    def action_always(self) -> None:
        """Keep all of the name, or no longer."""
        name = self.query_one(NameList).current
        if name:
            self._write(name, lambda config: draft.toggle_always(config, name))

    def _write(self, name: str, change: Callable[[MirrorConfig], draft.Change]) -> None:
        def write(config: MirrorConfig) -> MirrorConfig:
            try:
                changed, words = change(config)
            except MirrorError as error:
                self.post_message(Said(f"No rule written for {name}: {problem(error)}", "warning"))
                return config
            self._before.append((config, changed, words))
            self._said(f"wrote {words}")
            return changed

        self.post_message(DraftEdited(write))

    def action_undo(self) -> None:
        """Take the last rule back, unless the draft was changed elsewhere since."""

        def take_back(config: MirrorConfig) -> MirrorConfig:
            before, after, words = self._before.pop() if self._before else (config, config, "nothing")
            if after == config:
                self._said(f"took back {words}")
                return before
            self._before.clear()
            self._said("the draft was changed elsewhere since: nothing taken back")
            return config

        self.post_message(DraftEdited(take_back))

    def _said(self, words: str) -> None:
        more = f"  {SEP} u takes it back" if words.startswith("wrote") else ""
        self.query_one("#names-said", Facts).set_lines([line(" ", (words, "accent"), (more, "dim"))])

    def action_explain(self) -> None:
        """Why the name's records are in or out."""
        from mirrortui.tui.screens.ask import explain

        self.app.push_screen(explain(self._rooms, self.view.config, self.query_one(NameList).current))

    def action_details(self) -> None:
        """What the estimate is made of."""
        from mirrortui.tui.screens.ask import details

        self.app.push_screen(details(self._rooms, self.view.config))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the interface
        """Only what works now."""
        if action == "undo":
            return bool(self._before)
        if action in ("switch", "always", "order"):
            return self.table is not None
        return True
