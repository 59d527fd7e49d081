"""A page to read: lines over the screen, wrapped to the width."""

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from mirrortui.tui.bindings import bindings
from mirrortui.tui.screens.base import HEIGHTS, WIDTHS
from mirrortui.tui.widgets.lines import Line, LineView


class Page(ModalScreen[None]):
    """`lines` makes the lines for a width in cells. Escape, enter or q closes it."""

    BINDINGS = bindings("page")
    AUTO_FOCUS = "#page-lines"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, title: str, lines: Callable[[int], list[Line]]) -> None:
        super().__init__()
        self._heading, self._make = title, lines

    def compose(self) -> ComposeResult:
        """One scrolling page."""
        with Vertical(classes="box", id="page-box") as box:
            box.border_title = self._heading
            box.border_subtitle = "esc closes"
            yield LineView(id="page-lines")

    def on_resize(self, _event: events.Resize) -> None:
        """Words are wrapped to the width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        page = self.query_one(LineView)
        page.set_lines(self._make(max(20, page.size.width - 1)))
