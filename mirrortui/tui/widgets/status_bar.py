"""The top line: which mirror, where, how its run stands, what is free; and the line of screens."""

from textual import events

from mirrortui.tui import format as fmt
from mirrortui.tui.glyphs import DONE, DOTS, FAILED, IDLE, PAUSED, RUN, STOPPED, WARN
from mirrortui.tui.view import View
from mirrortui.tui.widgets.lines import Facts, Line, cut, line, sides, width
from mirrortui.worker.snapshot import RunStatus

SCREENS = (
    ("setup", "1", "Setup"),
    ("plan", "2", "Plan"),
    ("sync", "3", "Sync"),
    ("clients", "4", "Clients"),
    ("history", "5", "History"),
)

PHASES = {
    "starting": "starting",
    "catalog": "reading indexes",
    "plan": "planning",
    "publish": "publishing",
    "prune": "pruning",
}

_SIGNS = {
    "idle": (IDLE, "dim", "no run yet"),
    "paused": (PAUSED, "warn", "paused"),
    "stopping": (STOPPED, "warn", "stopping"),
    "stopped": (STOPPED, "warn", "stopped"),
    "done": (DONE, "good", "done"),
    "partial": (WARN, "warn", "partial"),
    "failed": (FAILED, "bad", "failed"),
    "crashed": (FAILED, "bad", "crashed"),
}


def run_state(view: View, *, long: bool = True) -> Line:
    """The run in a few words, never by colour alone."""
    if view.trouble:
        return line((f"{FAILED} journal unreadable", "bad"))
    if view.snapshot is None:
        return line((f"{IDLE} {DOTS}", "dim"))
    run, state = view.snapshot.run, view.snapshot.state
    if view.silent:
        return line((f"{WARN} no sign for {fmt.span(view.silent)}", "warn"))
    if state == "running" and run is not None:
        return line((RUN, "good"), (f" {_going(run, long=long)}", ""))
    sign, style, words = _SIGNS.get(state, (WARN, "warn", state))
    if run is not None and state in ("paused", "stopping"):
        words += f" {fmt.percent(run.bytes_done, run.bytes_total)}" if run.bytes_total else ""
    elif run is not None and state == "partial" and view.snapshot.failed_count:
        words += f", {fmt.count(view.snapshot.failed_count)} failed"
    elif run is not None and run.ended and state != "crashed":
        words += f" {fmt.moment(run.ended, view.now)}"
    return line((f"{sign} {words}", style))


def _going(run: RunStatus, *, long: bool) -> str:
    if run.phase != "transfer":
        return PHASES.get(run.phase, run.phase)
    words = f"syncing {fmt.percent(run.bytes_done, run.bytes_total)} {fmt.rate(run.rate)}"
    return f"{words} ETA {fmt.span(run.eta)}" if long and run.eta is not None else words


def header(view: View, total: int) -> Line:
    """The top line in `total` cells: the root gives way first, then the time left."""
    name = view.config.mirror.name or "?"
    right: Line = ()
    if view.unsaved:
        right += (("unsaved", "accent"), ("  ", ""))
    if view.watching:
        right += (("read-only" if view.read_only else "watching", "warn"), ("  ", ""))
    right += ((f"{fmt.size(view.free)} free" if view.free >= 0 else "", ""), (" ", ""))
    for long in (True, False):
        state = run_state(view, long=long)
        room = total - width(right) - width(state) - width(line(name)) - 7
        root = fmt.fit_tail(view.config.mirror.root, room) if room >= 8 else ""
        if root or not long or room >= 0:
            break
    left = line(" ", (name, "strong"), "  ", *(((root, "dim"), ("  ", "")) if root else ()), *state)
    return sides(left, right, total)


def _calm(view: View) -> tuple[object, ...]:
    """What has to be shown at once; the figures of a run only when the second changes."""
    state = (view.snapshot.state, view.snapshot.run and view.snapshot.run.phase) if view.snapshot is not None else ()
    return (view.config, view.saved, view.free, view.trouble, view.silent, view.watching, state, int(view.now))


class StatusBar(Facts):
    """The top line."""

    DEFAULT_CSS = """
    StatusBar { height: 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__(id="status")
        self._view: View | None = None

    def show(self, view: View) -> None:
        """Show this state; while only figures move, once a second."""
        same = self._view is not None and _calm(self._view) == _calm(view)
        self._view = view
        if self.size.width and not same:
            self.set_lines([header(view, self.size.width)])

    def on_resize(self, event: events.Resize) -> None:
        """The root's share depends on the width."""
        if self._view is not None and event.size.width:
            self.set_lines([header(self._view, event.size.width)])


class Tabs(Facts):
    """The line of screens; a click goes there."""

    DEFAULT_CSS = """
    Tabs { height: 1; margin-bottom: 0; }
    """

    def __init__(self, mode: str) -> None:
        super().__init__(id="tabs")
        self._mode = mode

    def on_mount(self) -> None:
        """The line never changes."""
        spans: list[tuple[str, str] | tuple[str, str, str]] = [(" ", "")]
        for mode, key, label in SCREENS:
            style = "tab-on" if mode == self._mode else "tab"
            spans += [(f"{key} {label}", style, f"app.go('{mode}')"), ("   ", "")]
        self.set_lines([cut(tuple(spans), 80)])
