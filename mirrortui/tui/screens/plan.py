"""Plan: what a sync would do now, before anything is done."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widget import Widget

from mirrortui.config import MirrorConfig
from mirrortui.mirror.plan import Plan
from mirrortui.selection.reasons import Broken
from mirrortui.tui import draft
from mirrortui.tui.background import in_thread
from mirrortui.tui.bindings import bindings
from mirrortui.tui.glyphs import DOTS, FAILED, WARN
from mirrortui.tui.messages import DraftEdited, Said, SaveAsked, StartAsked
from mirrortui.tui.rooms import Rooms
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.text import problem, wrapped
from mirrortui.tui.view import View
from mirrortui.tui.widgets.line_table import Column, LineTable
from mirrortui.tui.widgets.lines import Facts, Line, LineView, line, set_title
from mirrortui.tui.widgets.plan_tables import (
    broken_rows,
    broken_table,
    file_rows,
    mend_words,
    subdir_rows,
    summary,
    warnings_of,
)


@dataclass
class Planned(Message):
    """A plan, or why there is none."""

    number: int
    config: MirrorConfig
    plan: Plan | None = None
    trouble: str = ""


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
        self._start_then: StartAsked | None = None
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
        yield broken_table()
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
        asked, self._start_then = self._start_then, None
        if asked is not None:
            self._ask_start(allow_prune=asked.allow_prune)

    def _show_plan(self, plan: Plan) -> None:
        self._total_shown = self.view.total
        limit = self.view.config.transfer.limit
        width = self.query_one("#plan-sums", Facts).size.width
        self._sums(summary(plan, self.view.total, limit, width))
        self.query_one("#plan-subdirs", LineTable).set_rows(subdir_rows(plan.subdirs))
        self.query_one("#largest", LineTable).set_rows(file_rows(plan.largest))
        self._show_broken(plan)
        self.query_one("#plan-warnings", LineView).set_lines(self._warnings(plan))
        hidden = len(warnings_of(plan)) if self.has_class("-narrow") else 0  # there one pane is shown at a time
        words = f", {WARN} {hidden} warning{'s' if hidden != 1 else ''}: tab" if hidden else ""
        set_title(self.query_one("#plan-subdirs"), f"By subdir{words}")

    def _show_broken(self, plan: Plan) -> None:
        table = self.query_one("#broken", LineTable)
        self.set_class(bool(plan.broken), "-broken")
        table.set_rows(broken_rows(plan.broken))
        self._name_mend()

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        """Another broken dependency, another mend."""
        if event.table.id == "broken":
            self._name_mend()

    def _name_mend(self) -> None:
        if self.plan is not None and self.lacking is not None:
            words = f"Broken dependencies {len(self.plan.broken)}, {mend_words(self.lacking)}"
            set_title(self.query_one("#broken"), words)

    def _warnings(self, plan: Plan) -> list[Line]:
        room = max(20, self.query_one("#plan-warnings").size.width - 1)
        return [line((words, "warn")) for w in warnings_of(plan) for words in wrapped(w, room)]

    def stops(self) -> list[Widget]:
        """What is shown."""
        return [w for w in super().stops() if w.id != "broken" or self.has_class("-broken")]

    def _sums(self, lines: list[Line]) -> None:
        self.query_one("#plan-sums", Facts).set_lines((lines + [()] * 5)[:5])

    def on_resize(self) -> None:
        """The sums fill the width."""
        if self.plan is not None:
            self.call_after_refresh(self._show_plan, self.plan)

    def start_when_ready(self, asked: StartAsked) -> None:
        """Ask for a start as soon as the plan is there."""
        if self.plan is not None and self._planned_for is self.view.config:
            self._ask_start(allow_prune=asked.allow_prune)
        else:
            self._start_then = asked

    def action_start(self) -> None:
        """Start what the table shows."""
        self._ask_start(allow_prune=False)

    def action_allow(self) -> None:
        """The same with the guard off."""
        self._ask_start(allow_prune=True)

    def _ask_start(self, *, allow_prune: bool) -> None:
        if self.plan is not None:
            self.post_message(StartAsked(self.plan, allow_prune))

    def action_replan(self) -> None:
        """Compute again."""
        self._begin_plan()

    @property
    def lacking(self) -> Broken | None:
        """The broken dependency under the cursor."""
        at = self.query_one("#broken", LineTable).cursor
        return self.plan.broken[at] if self.plan is not None and at < len(self.plan.broken) else None

    def action_mend(self) -> None:
        """Bring back what the cursor's dependency lacks; the plan is made anew."""
        if self.lacking is not None:
            self._mend((self.lacking,))

    def action_mend_all(self) -> None:
        """Bring back whatever is lacking."""
        if self.plan is not None:
            self._mend(self.plan.broken)

    def _mend(self, broken: tuple[Broken, ...]) -> None:
        mends = dict.fromkeys((one.mend_rule, one.mend) for one in broken if one.mend)
        for rule, value in mends:
            self.post_message(DraftEdited(partial(draft.mend, rule=rule, value=value)))
        if mends:
            words = [f"{rule}: {value}" for rule, value in mends]
            more = f" and {len(words) - 1} more" if len(words) > 1 else ""
            self.post_message(Said(f"Wrote {words[0]}{more} into the draft"))
        else:
            self.post_message(Said("No rule brings this back", "warning"))

    def action_solve(self) -> None:
        """Check that environments resolve."""
        from mirrortui.tui.screens.ask import solve

        self.app.push_screen(solve(self._rooms, self.view.config))

    def action_explain(self) -> None:
        """Why what is under the cursor is in, or lacking."""
        from mirrortui.tui.screens.ask import explain

        self.app.push_screen(explain(self._rooms, self.view.config, self._question()))

    def _question(self) -> str:
        if self.query_one("#broken").has_focus and self.lacking is not None:
            return self.lacking.spec
        if self.query_one("#largest").has_focus:
            return self.query_one("#largest", LineTable).current.rpartition("/")[2]
        return ""

    def action_save(self) -> None:
        """Write the draft."""
        self.post_message(SaveAsked())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the interface
        """Only what works now."""
        if action == "start":
            return self.plan is not None and not self.view.active and not self.view.watching
        if action == "allow":
            return self.plan is not None and bool(self.plan.refusals) and bool(self.check_action("start", ()))
        if action in ("mend", "mend_all"):
            return self.plan is not None and any(b.mend for b in self.plan.broken)
        if action == "save":
            return self.view.unsaved and not self.view.read_only
        return True
