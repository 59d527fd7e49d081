"""Plan: what a sync would do now, before anything is done."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from mirrortui.config import MirrorConfig
from mirrortui.mirror.plan import Plan, PlannedFile, SubdirPlan, Totals
from mirrortui.tui import format as fmt
from mirrortui.tui.background import in_thread
from mirrortui.tui.bindings import bindings
from mirrortui.tui.glyphs import DASH, DONE, DOTS, FAILED
from mirrortui.tui.messages import SaveAsked, StartAsked
from mirrortui.tui.rooms import Rooms
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.text import problem
from mirrortui.tui.view import View
from mirrortui.tui.widgets.line_table import Cell, Column, LineTable, Row
from mirrortui.tui.widgets.lines import Facts, Line, LineView, line, set_title, sides
from mirrortui.tui.widgets.lines import width as width_of

KINDS = (
    ("add", "new here"),
    ("replace", "changed upstream"),
    ("keep", "on disk already"),
    ("drop", "leave the metadata now"),
    ("prune_due", "leave the disk in this run"),
)


@dataclass
class Planned(Message):
    """A plan, or why there is none."""

    number: int
    config: MirrorConfig
    plan: Plan | None = None
    trouble: str = ""


def summary(plan: Plan, total_disk: int, limit: str, width: int) -> list[Line]:
    """The plan's sums, and the disk before and after."""
    roomy = width >= 76
    left = []
    for kind, words in KINDS:
        t = plan.total(kind)
        cells = (fmt.fit(kind.replace("_", " "), 11 if roomy else 10), fmt.fit(fmt.count(t.files), 10, right=True))
        word = (" file  " if t.files == 1 else " files ") if roomy else ""
        left.append(
            line(
                (cells[0], "dim"),
                (cells[1], "strong" if t.files else "dim"),
                (f"{word} {fmt.fit(fmt.size(t.bytes) if t.files else DASH, 8, right=True)}", ""),
                (f"   {words}" if width >= 110 else "", "dim"),
            )
        )
    after = plan.free - plan.needed
    words, style = (
        (f"{DONE} fits, {fmt.size(after)} left", "good")
        if after >= 0
        else (f"{FAILED} does NOT fit, {fmt.size(-after)} short", "bad")
    )
    bar_width = min(34, width - 46) if roomy else max(10, width - 32)
    used = max(0, total_disk - plan.free)
    first, new, empty = fmt.bar(bar_width, used, total_disk, plan.needed)
    eta = fmt.span(plan.eta) + (f" at {limit}" if roomy else "") if plan.eta is not None else "no limit set"
    right: list[Line] = [
        line(("disk now ", "dim"), f"{fmt.size(plan.free)} free"),
        line(("after it ", "dim"), f"{fmt.size(after)} free" if after >= 0 else DASH),
        line((first, "bar"), (new, "new"), (empty, "empty")),
        line((words, style)),
        line(("time     ", "dim"), eta),
    ]
    return [sides(one, _padded(two, bar_width), width) for one, two in zip(left, right, strict=True)]


def _padded(spans: Line, total: int) -> Line:
    return (*spans, (" " * max(0, total - width_of(spans)), ""))


def subdir_rows(subdirs: tuple[SubdirPlan, ...]) -> list[Row]:
    """One row a subdir."""

    def number(t: Totals) -> Cell:
        return fmt.count(t.files) if t.files else (DASH, "dim")

    return [
        Row(
            f"{s.channel}/{s.subdir}",
            (
                f"{s.channel}/{s.subdir}",
                number(s.add),
                fmt.size(s.add.bytes + s.replace.bytes) if s.add.files + s.replace.files else (DASH, "dim"),
                number(s.replace),
                number(s.keep),
                number(s.drop),
                number(s.prune_due),
            ),
        )
        for s in subdirs
    ]


def file_rows(files: tuple[PlannedFile, ...]) -> list[Row]:
    """One row a file."""
    return [
        Row(f"{f.channel}/{f.subdir}/{f.fn}", (f.fn, (f"{f.channel}/{f.subdir}", "dim"), fmt.size(f.bytes)))
        for f in files
    ]


class PlanScreen(RoomScreen):
    """The plan follows the draft; starting needs it saved."""

    MODE: ClassVar[str] = "plan"
    BINDINGS = bindings("plan")
    CSS_PATH = "plan.tcss"
    AUTO_FOCUS = "#plan-subdirs"

    def __init__(self, current: Callable[[], View], rooms: Rooms) -> None:
        super().__init__(current)
        self._rooms = rooms
        self._number = 0
        self._planned_for: MirrorConfig | None = None
        self._run_seen: tuple[object, ...] = ()
        self._start_then = False
        self._total_shown = 0
        self.plan: Plan | None = None

    def body(self) -> ComposeResult:
        """Sums, the table, largest files and warnings."""
        yield Facts(id="plan-sums")
        columns = (
            Column("channel/subdir"),
            Column("add", 9, right=True),
            Column("to fetch", 9, right=True),
            Column("replace", 8, right=True, above=60),
            Column("keep", 10, right=True, above=70),
            Column("drop", 8, right=True),
            Column("prune", 8, right=True, above=60),
        )
        table = LineTable(columns, empty="nothing is ticked", id="plan-subdirs", classes="pane")
        set_title(table, "By subdir")
        yield table
        with Container(id="plan-more"):
            files = (Column("file"), Column("subdir", 24, above=60), Column("size", 9, right=True))
            largest = LineTable(files, heading=False, empty="nothing to fetch", id="largest", classes="pane")
            set_title(largest, "Largest files to fetch")
            yield largest
            warnings = LineView(id="plan-warnings", classes="pane", empty="no warnings")
            set_title(warnings, "Warnings")
            yield warnings

    def show_view(self, view: View) -> None:
        """A changed draft, or a run that ended, asks for a new plan."""
        run = view.snapshot.run if view.snapshot is not None else None
        seen = (run.id, view.active) if run is not None else ()
        ended = seen != self._run_seen and not view.active
        self._run_seen = seen
        if view.config is not self._planned_for or (ended and self.plan is not None):
            self._begin_plan()
        elif view.total != self._total_shown and self.plan is not None:
            self._show_plan(self.plan)
        self.refresh_bindings()

    def _begin_plan(self) -> None:
        self._number += 1
        self._planned_for = self.view.config
        self.plan = None
        self._sums([line((f"computing the plan{DOTS}", "dim"))])
        self.run_worker(self._plan_now(self._number, self.view.config), group="plan", exit_on_error=False)

    async def _plan_now(self, number: int, config: MirrorConfig) -> None:
        try:
            plan = await in_thread(self._rooms.plan, config)
        except Exception as error:  # noqa: BLE001 - shown in words where the figures would be
            self.post_message(Planned(number, config, trouble=problem(error)))
        else:
            self.post_message(Planned(number, config, plan))

    def on_planned(self, event: Planned) -> None:
        """Show it, unless a newer one is under way."""
        if event.number != self._number:
            return
        self.plan = event.plan
        if event.plan is None:
            self._sums([line((f"{FAILED} {event.trouble}", "bad")), line(("r tries again", "dim"))])
        else:
            self._show_plan(event.plan)
        self.refresh_bindings()
        if self._start_then:
            self._start_then = False
            self.action_start()

    def _show_plan(self, plan: Plan) -> None:
        self._total_shown = self.view.total
        limit = self.view.config.transfer.limit
        width = self.query_one("#plan-sums", Facts).size.width
        self._sums(summary(plan, self.view.total, limit, width))
        self.query_one("#plan-subdirs", LineTable).set_rows(subdir_rows(plan.subdirs))
        self.query_one("#largest", LineTable).set_rows(file_rows(plan.largest))
        self.query_one("#plan-warnings", LineView).set_lines(self._warnings(plan))

    def _warnings(self, plan: Plan) -> list[Line]:
        room = max(20, self.query_one("#plan-warnings").size.width - 1)
        return [line((words, "warn")) for w in plan.warnings for words in textwrap.wrap(w, room)]

    def _sums(self, lines: list[Line]) -> None:
        self.query_one("#plan-sums", Facts).set_lines((lines + [()] * 5)[:5])

    def on_resize(self) -> None:
        """The sums fill the width."""
        if self.plan is not None:
            self.call_after_refresh(self._show_plan, self.plan)

    def start_when_ready(self) -> None:
        """Ask for a start as soon as the plan is there."""
        if self.plan is not None and self._planned_for is self.view.config:
            self.action_start()
        else:
            self._start_then = True

    def action_start(self) -> None:
        """Start what the table shows."""
        if self.plan is not None:
            self.post_message(StartAsked(self.plan))

    def action_replan(self) -> None:
        """Compute again."""
        self._begin_plan()

    def action_save(self) -> None:
        """Write the draft."""
        self.post_message(SaveAsked())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the interface
        """Only what works now."""
        if action == "start":
            return self.plan is not None and not self.view.active and not self.view.read_only
        if action == "save":
            return self.view.unsaved and not self.view.read_only
        return True
