"""Sync: the run as its journal tells it. Keys ask; only the journal says what is so."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from mirrortui import quantities
from mirrortui.errors import MirrorError
from mirrortui.tui import format as fmt
from mirrortui.tui.bindings import bindings
from mirrortui.tui.messages import CommandAsked, StartAsked
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.screens.confirm import Confirm, Prompt
from mirrortui.tui.screens.page import Page
from mirrortui.tui.text import problem
from mirrortui.tui.view import View
from mirrortui.tui.widgets.key_bar import KeyBar
from mirrortui.tui.widgets.line_table import LineTable
from mirrortui.tui.widgets.lines import set_title
from mirrortui.tui.widgets.log_pane import LogPane
from mirrortui.tui.widgets.rate_line import RateLine
from mirrortui.tui.widgets.transfer_table import (
    failed_words,
    failure_key,
    failure_lines,
    failure_rows,
    failure_table,
    flight_rows,
    flight_table,
    subdir_rows,
    subdir_table,
)
from mirrortui.worker.snapshot import Snapshot

PATIENCE = 30.0
"""Seconds after which a request that the journal never confirmed is no longer shown as asked."""

STOP = (
    "Transfers are cut at once. What was received of them is kept, and so is what is verified: the next sync goes on "
    "from there. Nothing of this run is published."
)
STOP_LATE = "What is being written is finished first; the next sync does the rest."

_CONFIRMED = {"pause": "paused", "resume": "running", "stop": "stopping"}


class SyncScreen(RoomScreen):
    """Works with the worker absent, busy, finished, crashed, or of another version."""

    MODE: ClassVar[str] = "sync"
    BINDINGS = bindings("sync")
    CSS_PATH = "sync.tcss"
    AUTO_FOCUS = "#subdirs"

    def __init__(self, current: Callable[[], View]) -> None:
        super().__init__(current)
        self._asked = ""
        self._asked_at = 0.0
        self._frozen = False
        self._drawn: Snapshot | None = None
        self._keys_for: tuple[object, ...] = ()

    def body(self) -> ComposeResult:
        """Overall lines; subdirs, transfers and failures; log."""
        yield RateLine()
        with Container(id="sync-panes"):
            with Container(id="sync-left", classes="deck"):
                yield subdir_table()
                yield flight_table()
                yield failure_table()
            with Container(id="sync-right", classes="deck"):
                yield LogPane()

    def show_view(self, view: View) -> None:
        """Show the newest snapshot, cell by cell."""
        self._settle(view)
        if self._frozen:
            self.query_one(RateLine).show(view, frozen=True)
            return
        with self.app.batch_update():
            self.query_one(RateLine).show(view, asked=self._asked)
            if view.snapshot is not None and view.snapshot is not self._drawn:
                self._draw(view.snapshot)
        self.refresh_bindings_if(view)

    def _draw(self, snapshot: Snapshot) -> None:
        old, self._drawn = self._drawn, snapshot
        if old is None or old.subdirs != snapshot.subdirs:
            self.query_one("#subdirs", LineTable).set_rows(subdir_rows(snapshot.subdirs))
        flights = self.query_one("#flights", LineTable)
        paused = snapshot.state == "paused"
        if old is None or old.in_flight != snapshot.in_flight or paused != (old.state == "paused"):
            flights.set_rows(flight_rows(snapshot.in_flight, paused=paused))
            set_title(flights, f"In flight {len(snapshot.in_flight)}" if snapshot.in_flight else "In flight")
        failures = self.query_one("#failures", LineTable)
        failed = snapshot.problems + snapshot.failures
        if old is None or old.problems + old.failures != failed:
            failures.set_rows(failure_rows(failed))
            self.set_class(bool(failed), "-failed")
        set_title(failures, failed_words(snapshot, retry=self._can_retry(snapshot)))
        self.set_class(not snapshot.active, "-ended")
        self.query_one(LogPane).show(snapshot.run.id if snapshot.run else 0, snapshot.events)

    def refresh_bindings_if(self, view: View) -> None:
        """The footer depends on few things; made again only when one of them changes."""
        s = view.snapshot
        key = (s.state, self._can_retry(s), s.run is not None and s.run.guarded, view.watching) if s else ()
        if key != self._keys_for:
            self._keys_for = key
            self.query_one(KeyBar).labels = {"sync.pause": "resume"} if s and s.state == "paused" else {}
            self.refresh_bindings()

    def _settle(self, view: View) -> None:
        """A request is over when the journal shows its effect, the run ended, or nobody answered."""
        state = view.snapshot.state if view.snapshot is not None else ""
        verb = self._asked
        if verb and (state == _CONFIRMED.get(verb) or not view.active or view.now - self._asked_at > PATIENCE):
            self._asked = ""

    def stops(self) -> list[Widget]:
        """Panes with something to look at."""
        stops = super().stops()
        hidden = {"failures"} if not self.has_class("-failed") else set()
        hidden |= {"flights"} if self.has_class("-ended") else set()
        return [widget for widget in stops if widget.id not in hidden]

    # ------------------------------------------------------------------------------------------- actions

    def _ask(self, verb: str, argument: str = "") -> None:
        if verb in _CONFIRMED:
            self._asked, self._asked_at = verb, self.view.now
        self.post_message(CommandAsked(verb, argument))
        self.query_one(RateLine).show(self.view, asked=self._asked)

    def refused(self) -> None:
        """The request did not even reach the worker."""
        self._asked = ""
        self.query_one(RateLine).show(self.view)

    def action_start(self) -> None:
        """By way of the plan."""
        self.post_message(StartAsked())

    def action_pause(self) -> None:
        """Pause or resume."""
        paused = self.view.snapshot is not None and self.view.snapshot.state == "paused"
        self._ask("resume" if paused else "pause")

    def action_stop(self) -> None:
        """Stop, after asking."""
        run = self.view.snapshot.run if self.view.snapshot is not None else None
        late = run is not None and run.phase in ("publish", "prune")
        question = Confirm("Stop the run?", (STOP_LATE if late else STOP,), yes="Stop", no="Go on")
        self.app.push_screen(question, lambda yes: self._ask("stop") if yes else None)

    def action_limit(self) -> None:
        """Another bandwidth limit."""
        run = self.view.snapshot.run if self.view.snapshot is not None else None
        now = fmt.rate(run.limit) if run is not None and run.limit else ""

        def taken(text: str | None) -> None:
            if text is not None:
                self._ask("limit", str(quantities.rate(text)))

        words = "For this run, all transfers together, such as 50 MB/s; empty = no limit."
        self.app.push_screen(Prompt("Bandwidth limit", words, now, _rate_problem, yes="Set"), taken)

    def action_retry(self) -> None:
        """In a run: tell the worker; after it: a new run fetches what is missing."""
        if self.view.active:
            self._ask("retry")
        else:
            self.post_message(StartAsked())

    def action_allow(self) -> None:
        """By way of the plan, which says what goes."""
        self.post_message(StartAsked(allow_prune=True))

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Enter means what failed on every table, a click only on its own."""
        if event.table.id == "failures" or (event.x < 0 and self.has_class("-failed")):
            self.action_why()

    def action_why(self) -> None:
        """Everything about what failed: the file under the cursor of its table."""
        shown, key = self._drawn, self.query_one("#failures", LineTable).current
        failed = shown.problems + shown.failures if shown is not None else ()
        for failure in failed:
            if failure_key(failure) == key:
                self.app.push_screen(Page("Why it failed", partial(failure_lines, failure)))
                return

    def action_freeze(self) -> None:
        """Hold the picture, or let it go on."""
        self._frozen = not self._frozen
        self.show_view(self.view)

    def action_zoom(self) -> None:
        """One pane, or all."""
        self.toggle_class("-zoom")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the interface
        """Only what works now."""
        view, snapshot = self.view, self.view.snapshot
        if action in ("start", "pause", "stop", "limit", "retry", "allow") and view.watching:
            return False
        if action == "why":
            return self.has_class("-failed")
        if action == "start":
            return not view.active
        if action in ("stop", "limit"):
            return view.active
        if action == "pause":
            return view.active and snapshot is not None and snapshot.state != "stopping"
        if action == "retry":
            return snapshot is not None and self._can_retry(snapshot)
        if action == "allow":
            return snapshot is not None and snapshot.run is not None and snapshot.run.guarded
        return True

    def _can_retry(self, snapshot: Snapshot) -> bool:
        """In a run while other files come; after it whatever kept it from being whole, but for a guard that would say no again."""
        if self.view.watching or snapshot.run is None:
            return False
        if snapshot.active:
            going = snapshot.state != "stopping" and snapshot.run.phase == "transfer"
            return going and snapshot.failed_count > 0
        return snapshot.state == "partial" and bool(
            snapshot.failed_count or snapshot.problems or not snapshot.run.guarded
        )


def _rate_problem(text: str) -> str:
    try:
        quantities.rate(text)
    except MirrorError as error:
        return problem(error)
    return ""
