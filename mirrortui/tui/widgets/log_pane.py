"""The run's log: bounded, appended in one go, and it stops following while somebody reads further up."""

from collections.abc import Sequence

from textual.geometry import Region, Size

from mirrortui.tui import format as fmt
from mirrortui.tui.text import wrapped
from mirrortui.tui.widgets.lines import Line, LineView, line, set_title
from mirrortui.worker.snapshot import Event

_STYLES = {"warning": "warn", "error": "bad"}
_WORDS = {"warning": "warning: ", "error": "error: "}


def event_lines(event: Event, width: int) -> list[Line]:
    """`14:03:22 warning: text`, wrapped: the end of a line is often its reason."""
    style = _STYLES.get(event.level, "")
    clock = fmt.clock(event.time)
    room = max(20, width - len(clock) - 1)
    first, *more = wrapped(f"{_WORDS.get(event.level, '')}{event.text}", room, hyphens=False)
    return [line((clock, "dim"), " ", (first, style)), *(line(" " * (len(clock) + 1), (rest, style)) for rest in more)]


class LogPane(LineView):
    """The newest line is at the bottom; `follow` is false while the view is scrolled up."""

    limit = 1000

    def __init__(self) -> None:
        super().__init__(id="log", classes="pane", empty="nothing yet")
        set_title(self, "Log")
        self._events: list[Event] = []
        self._wide = 0
        self._last = 0
        self._run_id = 0
        self._below = 0
        self._follow = True

    def on_resize(self) -> None:
        """Lines are wrapped anew; the bottom stays in view while it is followed."""
        wide = self.content_region.width - 1  # a scroll bar that appears must not change the lines
        if wide > 0 and wide != self._wide:
            self._wide = wide
            self._keep([each for event in self._events for each in event_lines(event, wide)])
            self.refresh()
        if self._follow:
            self.call_after_refresh(self.scroll_end, animate=False, immediate=True)

    def show(self, run: int, events: Sequence[Event]) -> None:
        """Append the events that are new; another run starts afresh."""
        if run != self._run_id:
            self._run_id, self._last, self._events = run, 0, []
            self._keep([])
            self.refresh()
        fresh = [event for event in events if event.id > self._last]
        if not fresh:
            return
        self._last = fresh[-1].id
        self._events = [*self._events, *fresh][-self.limit :]
        new = [each for event in fresh for each in event_lines(event, self._wide or 80)]
        surplus = self._keep([*self.lines, *new])
        if self._follow:
            self._show_end(len(self.lines) - len(new))
        else:
            if surplus:
                self.scroll_to(y=max(0, self.scroll_offset.y - surplus), animate=False, immediate=True)
            self._tell(self._below + len(fresh))

    def _keep(self, lines: list[Line]) -> int:
        """Keep the newest lines; returns how many had to go."""
        surplus = max(0, len(lines) - self.limit)
        self.lines = lines[surplus:]
        self.virtual_size = Size(0, len(self.lines))
        return surplus

    def _show_end(self, first: int) -> None:
        """Repaint what is new while everything fits, otherwise all: lines move up."""
        if len(self.lines) <= self.size.height and first >= 0:
            self.refresh(Region(0, first, self.cells, len(self.lines) - first))
            return
        self.scroll_end(animate=False, immediate=True)
        self.refresh(self.size.region)

    def _tell(self, below: int) -> None:
        if below != self._below:
            self._below = below
            set_title(self, f"Log, {fmt.count(below)} new below" if below else "Log")

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """At the bottom again: follow again."""
        super().watch_scroll_y(old_value, new_value)
        self._follow = self.scroll_offset.y >= self.max_scroll_y
        if self._follow:
            self._tell(0)
