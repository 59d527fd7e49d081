"""History and health: past runs, snapshots, and what may keep the mirror from working."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from mirrortui.tui import format as fmt
from mirrortui.tui.background import in_thread
from mirrortui.tui.bindings import bindings
from mirrortui.tui.glyphs import DASH, DONE, DOTS, FAILED, RUN, STOPPED, WARN
from mirrortui.tui.rooms import History, Rooms
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.screens.past_run import told
from mirrortui.tui.text import problem, safe, wrapped
from mirrortui.tui.view import View
from mirrortui.tui.widgets.line_table import Cell, Column, LineTable, Row
from mirrortui.tui.widgets.lines import Facts, Line, LineView, line, set_title
from mirrortui.worker.snapshot import ACTIVE, RunStatus

if TYPE_CHECKING:  # they bring numpy, which the first frame does not wait for
    from mirrortui.mirror.snapshots import Snapshot as Frozen
    from mirrortui.worker.doctor import Finding

SIGNS = {
    "done": (DONE, "good"),
    "partial": (WARN, "warn"),
    "stopped": (STOPPED, "warn"),
    "failed": (FAILED, "bad"),
    "crashed": (FAILED, "bad"),
}
HEALTH = {"ok": (DONE, "good"), "note": (WARN, "warn"), "bad": (FAILED, "bad")}


@dataclass
class Told(Message):
    """What there is to tell, or why it cannot be."""

    number: int
    history: History | None = None
    trouble: str = ""


def state_of(run: RunStatus, view: View) -> str:
    """A run that says it is at work, and is not the one that the journal knows to be, was cut off."""
    if run.state not in ACTIVE:
        return run.state
    newest = view.snapshot.run if view.snapshot is not None else None
    return (
        view.snapshot.state if view.snapshot is not None and newest is not None and newest.id == run.id else "crashed"
    )


def run_rows(runs: Sequence[RunStatus], view: View) -> list[Row]:
    """One row a run."""
    rows = []
    for run in runs:
        state = state_of(run, view)
        sign, style = SIGNS.get(state, (RUN, ""))
        fresh = run.added + run.replaced
        took = fmt.span(run.ended - run.started) if run.ended else DASH
        cells: tuple[Cell, ...] = (
            str(run.id),
            fmt.moment(run.started, view.now),
            (f"{sign} {state}", style),
            took,
            fmt.count(fresh) if fresh else (DASH, "dim"),
            fmt.size(run.bytes_fetched) if run.bytes_fetched else (DASH, "dim"),
            fmt.count(run.pruned) if run.pruned else (DASH, "dim"),
        )
        rows.append(Row(str(run.id), cells))
    return rows


def frozen_rows(snapshots: "Sequence[Frozen]") -> list[Row]:
    """One row a snapshot; what a damaged one lacks stands among the findings."""
    rows = []
    for one in snapshots:
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created))
        subdirs = "1 subdir" if len(one.subdirs) == 1 else f"{len(one.subdirs)} subdirs"
        name = (f"{WARN} {one.name}", "warn") if one.damaged else (one.name, "")
        rows.append(Row(one.name, (name, made, subdirs, fmt.count(one.records), fmt.size(one.bytes))))
    return rows


def run_table() -> LineTable:
    """Past runs."""
    columns = (
        Column("run", 5),
        Column("started", 16),
        Column("state", 11),
        Column("took", 11, right=True, above=46),
        Column("fetched", 10, right=True),
        Column("size", 9, right=True, above=64),
        Column("pruned", 9, right=True, above=74),
    )
    table = LineTable(columns, empty="no run yet", id="runs", classes="pane")
    set_title(table, "Runs")
    return table


def frozen_table() -> LineTable:
    """Snapshots."""
    columns = (
        Column(""),
        Column("", 16),
        Column("", 10, above=66),
        Column("", 11, right=True, above=56),
        Column("", 9, right=True),
    )
    empty = "none: “mirrortui snapshot create NAME” makes one"
    table = LineTable(columns, heading=False, empty=empty, id="frozen", classes="pane")
    set_title(table, "Snapshots")
    return table


def health_lines(findings: "Sequence[Finding]", width: int) -> list[Line]:
    """What was found, worst first, each with what to do about it."""
    rank = {"bad": 0, "note": 1, "ok": 2}
    subject = 20 if width >= 72 else 13
    indent = " " * (subject + 8)
    room = max(16, width - len(indent))
    out: list[Line] = []
    for one in sorted(findings, key=lambda f: rank.get(f.state, 0)):
        sign, style = HEALTH.get(one.state, (WARN, "warn"))
        name = fmt.fit(fmt.fit_tail(safe(one.subject), subject), subject)
        first, *more = wrapped(one.text, room)
        out.append(line((f"{sign} {fmt.fit(one.state, 5)}", style), (name, "dim"), " ", first))
        out += [line(indent, rest) for rest in more]
        out += [line(indent, (rest, "accent")) for rest in wrapped(one.hint, room) if rest]
    return out


class HistoryScreen(RoomScreen):
    """Read when it is opened, when a run ends, and when asked."""

    MODE: ClassVar[str] = "history"
    BINDINGS = bindings("history")
    CSS_PATH = "history.tcss"
    AUTO_FOCUS = "#runs"

    def __init__(self, current: Callable[[], View], rooms: Rooms) -> None:
        super().__init__(current)
        self._rooms = rooms
        self._number = 0
        self._run_seen: tuple[object, ...] | None = None
        self.history: History | None = None

    def body(self) -> ComposeResult:
        """Runs, the message of the one under the cursor, snapshots; health."""
        with Container(id="history-body"):
            with Container(id="history-left", classes="deck"):
                yield run_table()
                yield Facts(id="run-message")
                yield frozen_table()
            health = LineView(id="health", classes="pane", empty=f"looking{DOTS}")
            set_title(health, "Health")
            yield health

    def show_view(self, view: View) -> None:
        """A run that began or ended is news."""
        run = view.snapshot.run if view.snapshot is not None else None
        seen = (view.config.mirror, run.id if run else 0, view.active)
        if seen != self._run_seen:
            self._run_seen = seen
            self._look(network=False)

    def _look(self, *, network: bool) -> None:
        self._number += 1
        set_title(self.query_one("#health"), f"Health {DOTS} asking the upstreams" if network else f"Health {DOTS}")
        self.run_worker(self._tell(self._number, network=network), group="history", exit_on_error=False)

    async def _tell(self, number: int, *, network: bool) -> None:
        told = Told(number)
        try:
            told.history = await in_thread(self._rooms.history, self.view.config, network=network)
        except Exception as error:  # noqa: BLE001 - shown in words where the lists would be
            told.trouble = problem(error)
        self.post_message(told)

    def on_told(self, event: Told) -> None:
        """Show it, unless a newer look is under way."""
        if event.number != self._number:
            return
        set_title(self.query_one("#health"), "Health")
        self.history = event.history
        if event.history is None:
            self.query_one("#health", LineView).set_lines([line((f"{FAILED} {event.trouble}", "bad"))])
            return
        self.query_one("#runs", LineTable).set_rows(run_rows(event.history.runs, self.view))
        self.query_one("#frozen", LineTable).set_rows(frozen_rows(event.history.snapshots))
        self._say_message()
        self._fill()

    def _fill(self) -> None:
        if self.history is not None:
            page = self.query_one("#health", LineView)
            page.set_lines(health_lines(self.history.findings, max(40, page.size.width - 1)))

    def on_resize(self, _event: events.Resize) -> None:
        """Words are wrapped to the width."""
        self.call_after_refresh(self._fill)
        self.call_after_refresh(self._say_message)

    def on_line_table_moved(self) -> None:
        """Another run, another message."""
        self._say_message()

    def _at(self) -> RunStatus | None:
        at = self.query_one("#runs", LineTable).current
        return next((r for r in self.history.runs if str(r.id) == at), None) if self.history is not None else None

    def _say_message(self) -> None:
        """In two lines; enter shows the rest."""
        page, run = self.query_one("#run-message", Facts), self._at()
        first, *more = wrapped(run.message if run is not None else "", max(30, page.size.width - 2), hyphens=False)
        second, tail = more[0] if more else "", ("", "dim")
        if len(more) > 1:
            second = fmt.fit(f"{second} {DOTS}", max(10, page.size.width - 22)).rstrip()
            tail = ("  enter: all of it", "dim")
        page.set_lines([line(" ", (first, "warn")), line(" ", (second, "warn"), tail)])

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """A run with all that it could not have."""
        run = self._at() if event.table.id == "runs" else None
        if run is not None:
            self.app.push_screen(told(self._rooms, self.view, run))

    def action_again(self) -> None:
        """Look again."""
        self._look(network=False)

    def action_network(self) -> None:
        """Look again, at the upstreams, too."""
        self._look(network=True)
