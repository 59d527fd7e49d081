"""The app: it wires screens, journal and rooms, and holds the one `View`."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.console import Console
from textual.app import App, ScreenError, SystemCommand
from textual.filter import LineFilter
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import Worker, WorkerState

from mirrortui.config import MirrorConfig
from mirrortui.tui import flows, glyphs, terminal
from mirrortui.tui.background import in_thread
from mirrortui.tui.bindings import bindings
from mirrortui.tui.commands import palette
from mirrortui.tui.messages import CommandAsked, DraftEdited, DraftSaved, Said, SnapshotReceived, StartAsked
from mirrortui.tui.rooms import Rooms
from mirrortui.tui.screens import make_screen
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.session import JournalClient, at_work
from mirrortui.tui.text import PrintableFilter, safe
from mirrortui.tui.theme import PLAIN, THEME, defaults
from mirrortui.tui.view import View

if TYPE_CHECKING:
    from mirrortui.tui.screens.plan import PlanScreen
    from mirrortui.tui.screens.sync import SyncScreen

SLOW = 4
"""Away from the sync screen the journal is looked at every fourth tick."""


class MirrorApp(App[None]):
    """One-way flow: journal and edits change the view, the view goes to the screen on top."""

    TITLE = "mirrortui"
    CSS_PATH = "app.tcss"
    MODES: ClassVar[dict[str, Any]] = {mode: mode for mode in ("setup", "plan", "sync", "clients", "history")}
    BINDINGS = bindings("app")
    CLOSE_TIMEOUT = 1.0
    theme: Reactive[str] = Reactive(THEME.name)

    def __init__(
        self,
        rooms: Rooms,
        config: MirrorConfig,
        *,
        saved: MirrorConfig | None,
        path: Path | None,
        ascii: bool = False,  # noqa: A002 - the option's name
        screen: str = "",
        read_only: bool = False,
        refresh_hz: float = 4.0,
    ) -> None:
        self._plain = bool(os.environ.get("NO_COLOR"))
        self.first_screen = screen if screen in self.MODES else "setup"
        self.DEFAULT_MODE = self.first_screen  # type: ignore[misc] # one app, one first screen
        super().__init__(ansi_color=True if self._plain else None)
        self.animation_level = "none"
        self.rooms = rooms
        self.farewell = ""
        self.failure: BaseException | None = None
        self._last_filters = [PrintableFilter(), *([glyphs.AsciiFilter()] if ascii else [])]
        self._period = 1 / min(10.0, max(1.0, refresh_hz))
        self._ticks = 0
        look_on = rooms.bystander((saved or config).state)
        self._view = View(config, saved, path, read_only=read_only, bystander=look_on, now=rooms.clock(), painted=False)
        self._journal = JournalClient(rooms.journal, self.post_message)
        self._room(self.first_screen)

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Textual's, and ours; known from the start, so that nothing is styled twice."""
        return {**super().available_themes, THEME.name: THEME}

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables for themes that do not know them."""
        return defaults(plain=self._plain)

    def get_line_filters(self) -> list[LineFilter]:
        """Our own come last: they see borders, fields and toasts too."""
        return [*super().get_line_filters(), *self._last_filters]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette offers."""
        yield from palette(screen, getattr(screen, "MODE", self.current_mode), idle=not self._view.active)
        yield SystemCommand("Theme", "Other colours for this session", self.action_change_theme)

    # ---------------------------------------------------------------------------------------------- life

    def on_mount(self) -> None:
        """Colours, signals, timers; the first frame needs nothing else."""
        if self._plain:
            self.theme = PLAIN
        if not self.is_headless:
            terminal.on_signals(self._told_to_end)
            self.set_interval(terminal.WATCH, self._look_for_terminal)
        self._journal.watch(self._view.config.state)
        self.set_interval(self._period, self._poll)
        self.set_interval(10.0, self._look_at_disk)
        self.call_after_refresh(self._look_at_disk)
        self.call_after_refresh(self._journal.tick)

    def on_ready(self) -> None:
        """The first frame is about to be painted."""
        self.call_after_refresh(self._show, painted=True)
        if self._view.bystander:
            self.on_said(Said(self._view.bystander, "warning"))

    def on_unmount(self) -> None:
        """Let the journal go."""
        self._journal.close()

    def bell(self) -> None:
        """Keep an unforeseen error: the bell is the last public place that sees it."""
        self.failure = self.failure or sys.exception()
        super().bell()

    def _told_to_end(self, code: int) -> None:
        self._look_for_terminal(code)
        self.exit(return_code=code)

    def _look_for_terminal(self, code: int = 129) -> None:
        if not terminal.terminal_there():
            self._journal.close()
            terminal.give_up(code)

    def _poll(self) -> None:
        self._ticks += 1
        if self.current_mode == "sync" or self._ticks % SLOW == 0:
            self._journal.tick()

    def _look_at_disk(self) -> None:
        self.run_worker(self._read_disk(), group="disk", exclusive=True, exit_on_error=False)

    async def _read_disk(self) -> None:
        try:
            free, total = await in_thread(self.rooms.disk, self._view.config.root)
        except OSError:
            return
        self._show(free=free, total=total)

    # ---------------------------------------------------------------------------------------------- view

    def _room(self, mode: str) -> RoomScreen:
        """The screen of a mode, made when it is first wanted."""
        if not self.is_screen_installed(mode):
            self.install_screen(make_screen(mode, self.current, self.rooms), mode)
        return cast("RoomScreen", self.get_screen(mode))

    def current(self) -> View:
        """The newest view, for a screen that comes back."""
        return self._view

    def _show(self, **changes: Any) -> None:
        view = replace(self._view, **changes)
        if view == self._view:
            return
        self._view = view
        with suppress(ScreenError):  # while the app ends there is none any more
            if isinstance(self.screen, RoomScreen):
                self.screen.show(view)

    def on_snapshot_received(self, event: SnapshotReceived) -> None:
        """The journal has news."""
        before = self._view.active
        snapshot = event.snapshot or self._view.snapshot
        self._show(snapshot=snapshot, trouble=event.trouble, silent=event.silent, now=self.rooms.clock())
        if before and not self._view.active and snapshot is not None and snapshot.run is not None:
            bad = snapshot.state not in ("done", "stopped")
            self.bell()
            self.on_said(Said(f"Run {snapshot.run.id} ended: {snapshot.state}", "warning" if bad else "information"))

    def on_draft_edited(self, event: DraftEdited) -> None:
        """The draft changed."""
        self._show(config=event.change(self._view.config))

    def on_draft_saved(self, event: DraftSaved) -> None:
        """The draft is the file now; its state folder may be another one."""
        self._show(saved=event.config, path=event.path, bystander=self.rooms.bystander(event.config.state))
        self._journal.watch(event.config.state)
        self._look_at_disk()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A fault in the background is told and recorded; the screen goes on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.on_said(Said(terminal.record_crash(event.worker.error, self._view.config.state, "A part"), "error"))

    def on_said(self, event: Said) -> None:
        """A toast; errors stay longer."""
        severity, timeout = cast("Any", event.severity), 12 if event.severity == "error" else 5
        self.notify(safe(event.text, 600), severity=severity, markup=False, timeout=timeout)

    # --------------------------------------------------------------------------------------------- flows

    def on_save_asked(self) -> None:
        """Save the draft."""
        self.run_worker(flows.save(self, self.rooms, self._view), group="flow", exclusive=True, exit_on_error=False)

    def on_start_asked(self, event: StartAsked) -> None:
        """Start a run."""
        self.run_worker(self._start_run(event), group="flow", exclusive=True, exit_on_error=False)

    async def _start_run(self, event: StartAsked) -> None:
        started = await flows.begin(self, self.rooms, self.current, event)
        if started == "plan first":
            cast("PlanScreen", self._room("plan")).start_when_ready(event)
            self.switch_mode("plan")
        elif started:
            self.on_said(Said(f"Started ({started}). It goes on when you leave."))
            self._journal.tick()
            self.action_go("sync")

    def on_command_asked(self, event: CommandAsked) -> None:
        """Tell the worker."""
        self.run_worker(self._send(event), group="command", exit_on_error=False)

    async def _send(self, event: CommandAsked) -> None:
        if not await flows.send(self, self.rooms, self._view.config.state, event):
            cast("SyncScreen", self._room("sync")).refused()

    # ------------------------------------------------------------------------------------------- actions

    def action_go(self, mode: str) -> None:
        """Another screen."""
        if mode != self.current_mode and isinstance(self.screen, RoomScreen):
            self._room(mode)
            self.switch_mode(mode)
        elif isinstance(self.screen, RoomScreen) and mode != self.screen.MODE:
            self.pop_screen()

    def action_help(self) -> None:
        """Help for this screen."""
        from mirrortui.tui.screens.help import Help

        self.push_screen(Help(getattr(self.screen, "MODE", self.current_mode)))

    async def action_leave(self) -> None:
        """Leave at once; asks only where a draft would be lost. The worker is never touched."""
        if isinstance(self.screen, RoomScreen) and self._view.worth_saving:
            self.push_screen(flows.leaving(), lambda yes: self._leave() if yes else None)
        else:
            self._leave()

    def _leave(self) -> None:
        self.farewell = self._view.farewell
        self.exit()


def run(
    config_path: Path | None,
    *,
    ascii: bool = False,  # noqa: A002 - the option's name
    screen: str = "",
    read_only: bool = False,
    refresh_hz: float = 4.0,
    home: Path | None = None,
) -> int:
    """Open the interface; returns the exit code. Without a file it opens on a fresh draft.

    `screen` is setup, plan, sync, clients or history; where nothing is asked for, a run at work is shown. `home` stands for / and ~ where clients' files are offered. Raises `ConfigError` for a mirror.toml that cannot be read.
    """
    refused = terminal.refusal(sys.stdin.isatty(), sys.stderr.isatty(), os.environ)
    if refused:
        terminal.say(refused)
        return 2
    from mirrortui.tui.live import LiveRooms

    rooms = LiveRooms(home)
    saved = rooms.load(config_path) if config_path is not None and config_path.is_file() else None
    config = saved or rooms.fresh()
    screen = screen or ("sync" if at_work(rooms.journal, config.state) else "setup")
    app = MirrorApp(
        rooms,
        config,
        saved=saved,
        path=config_path,
        ascii=ascii or glyphs.ascii_only(getattr(sys.stderr, "encoding", "") or "", os.environ),
        screen=screen,
        read_only=read_only,
        refresh_hz=refresh_hz,
    )
    sys.setswitchinterval(terminal.TURN)
    app.error_console = Console(file=StringIO())  # Textual's own report shows values of variables
    app.run()
    if app.failure is not None and app.return_code:
        terminal.say(terminal.record_crash(app.failure, config.state))
    elif app.farewell:
        terminal.say(app.farewell)
    return app.return_code or 0
