"""What the four screens share: top lines, bottom line, panes, and the one way state comes in."""

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from mirrortui.tui.bindings import bindings
from mirrortui.tui.view import View
from mirrortui.tui.widgets.key_bar import KeyBar
from mirrortui.tui.widgets.status_bar import StatusBar, Tabs

WIDTHS = [(0, "-tiny"), (60, "-narrow"), (80, "-normal"), (120, "-wide")]
HEIGHTS = [(0, "-flat"), (16, "-short"), (24, "-high"), (36, "-tall")]
TOO_SMALL = "mirrortui needs at least 60 columns and 16 rows; make the window larger, or press q to leave"


class RoomScreen(Screen[None]):
    """A screen that renders a `View`. In narrow terminals one pane is shown at a time: the one with the focus."""

    MODE: ClassVar[str] = ""
    TAB: ClassVar[str] = ""
    """The mode it lies in, where that is another one."""
    BINDINGS = bindings("room")
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, current: Callable[[], View]) -> None:
        super().__init__(id=self.MODE)
        self._current_view = current
        self.view = current()

    def compose(self) -> ComposeResult:
        """Top lines, the screen's own body, bottom line."""
        yield StatusBar()
        yield Tabs(self.TAB or self.MODE)
        yield from self.body()
        yield KeyBar()
        yield Static(TOO_SMALL, id="too-small", markup=False)

    def body(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def show(self, view: View) -> None:
        """Take a new state."""
        self.view = view
        self.query_one(StatusBar).show(view)
        self.show_view(view)

    def show_view(self, view: View) -> None:
        """The screen's own part of `show`."""

    def on_screen_resume(self) -> None:
        """While another screen was on top nothing came in."""
        self.show(self._current_view())

    # --------------------------------------------------------------------------------------------- panes

    def stops(self) -> list[Widget]:
        """Where tab stops, in order, whether on screen or not."""
        return [widget for widget in self.query(".pane") if widget.can_focus]

    def action_pane(self, step: int) -> None:
        """The next or previous stop."""
        stops = self.stops()
        if not stops:
            return
        at = stops.index(self.focused) if self.focused in stops else -1 if step > 0 else 0
        self.focus_stop(stops[(at + step) % len(stops)])

    def focus_stop(self, widget: Widget) -> None:
        """Focus a stop; in narrow terminals its pane is brought up first."""
        pane = self._pane_of(widget)
        if pane is not None:
            self._mark(pane)
        if widget.focusable:
            widget.focus()
        else:
            self.call_after_refresh(widget.focus)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The pane with the focus is the current one."""
        pane = self._pane_of(event.widget)
        if pane is not None:
            self._mark(pane)

    def _pane_of(self, widget: Widget) -> Widget | None:
        return next((w for w in widget.ancestors_with_self if isinstance(w, Widget) and w.has_class("pane")), None)

    def _mark(self, pane: Widget) -> None:
        around = {*pane.ancestors_with_self}
        for each in self.query(".pane, .deck"):
            each.set_class(each in around, "-current")
