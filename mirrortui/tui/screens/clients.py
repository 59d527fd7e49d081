"""Clients: which file for whom, what would be written, and the way back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from mirrortui.errors import MirrorError
from mirrortui.tui.background import in_thread
from mirrortui.tui.bindings import bindings
from mirrortui.tui.glyphs import DOTS, WARN
from mirrortui.tui.messages import Said
from mirrortui.tui.rooms import ClientPreview, ClientReceipt, Profile, Rooms
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.screens.confirm import Confirm
from mirrortui.tui.text import block, content, problem
from mirrortui.tui.view import View
from mirrortui.tui.widgets.diff_view import DiffView
from mirrortui.tui.widgets.line_table import Column, LineTable, Row
from mirrortui.tui.widgets.lines import set_title

REST = 0.15


@dataclass
class Previewed(Message):
    """What would be written, or why that cannot be told."""

    number: int
    preview: ClientPreview | None = None
    trouble: str = ""


class ClientsScreen(RoomScreen):
    """Profiles at the left; address, target, preview and difference at the right."""

    MODE: ClassVar[str] = "clients"
    BINDINGS = bindings("clients")
    CSS_PATH = "clients.tcss"
    AUTO_FOCUS = "#profiles"

    def __init__(self, current: Callable[[], View], rooms: Rooms) -> None:
        super().__init__(current)
        self._rooms = rooms
        self._profiles: tuple[Profile, ...] = ()
        self._number = 0
        self._diff = False
        self._url_of = ""
        self._ended = 0
        self.preview: ClientPreview | None = None
        self.receipt: ClientReceipt | None = None

    def body(self) -> ComposeResult:
        """List and warnings | fields and text."""
        with Container(id="clients-body"):
            with Vertical(id="clients-left", classes="deck"):
                table = LineTable((Column(""),), heading=False, id="profiles", classes="pane")
                set_title(table, "For whom")
                yield table
                with VerticalScroll(id="notes", classes="pane", can_focus=False) as notes:
                    set_title(notes, "To know")
                    yield Static("", id="notes-text", markup=False)
            with Vertical(id="clients-right", classes="pane") as right:
                set_title(right, "Preview")
                for name, label in (("url", "address"), ("target", "file")):
                    with Horizontal(classes="line"):
                        yield Label(label, classes="label")
                        yield _field(f"client-{name}")
                with VerticalScroll(id="preview"):
                    yield Static("", id="yaml", markup=False)
                yield DiffView(id="client-diff")

    def stops(self) -> list[Widget]:
        """List, fields, text."""
        text = "#client-diff" if self._diff else "#preview"
        return [self.query_one(name) for name in ("#profiles", "#client-url", "#client-target", text)]

    def show_view(self, view: View) -> None:
        """The mirror's own address is the default."""
        if not self._profiles:
            self._load_profiles()
        url = view.config.mirror.url
        if url != self._url_of:
            self._url_of = url
            self.query_one("#client-url", Input).value = url
        run = view.snapshot.run if view.snapshot is not None and not view.active else None
        if run is not None and run.id != self._ended:
            self._ended = run.id
            self._ask()
        self.refresh_bindings()

    def on_screen_resume(self) -> None:
        """What is mirrored, the draft and the file may be others than when this screen was last shown."""
        self._ask()

    def _load_profiles(self) -> None:
        try:
            self._profiles = self._rooms.profiles()
        except Exception as error:  # noqa: BLE001 - shown in words where the figures would be
            self._trouble(problem(error))
            return
        rows = [Row(p.key, (p.title,)) for p in self._profiles]
        self.query_one("#profiles", LineTable).set_rows(rows)
        self._choose()

    @property
    def profile(self) -> Profile | None:
        """The one under the cursor."""
        key = self.query_one("#profiles", LineTable).current
        return next((p for p in self._profiles if p.key == key), None)

    def _choose(self) -> None:
        if self.profile is not None:
            self.query_one("#client-target", Input).value = str(self.profile.target)
            self._ask()

    # ------------------------------------------------------------------------------------------- preview

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        """Another profile, another file."""
        if event.table.id == "profiles":
            self._choose()

    def on_line_table_chosen(self) -> None:
        """Enter goes to the text."""
        self.focus_stop(self.stops()[-1])

    def on_input_changed(self) -> None:
        """Another address or file."""
        self._ask()

    def on_input_submitted(self) -> None:
        """Enter goes on."""
        self.action_pane(1)

    def _ask(self) -> None:
        self._number += 1
        number = self._number
        self.preview = None  # what is out of date is not written
        self._heading(f"{self._words()} {DOTS}")

        def begin() -> None:
            if number == self._number:
                self.run_worker(self._preview_now(number), group="preview", exit_on_error=False)

        self.set_timer(REST, begin)

    async def _preview_now(self, number: int) -> None:
        profile = self.profile
        url = self.query_one("#client-url", Input).value.strip()
        target = _absolute(self.query_one("#client-target", Input).value)
        if profile is None:
            return
        if target is None:
            self.post_message(Previewed(number, trouble="The file needs an absolute path"))
            return
        try:
            preview = await in_thread(self._rooms.client_preview, self.view.config, profile.key, url, target)
        except Exception as error:  # noqa: BLE001 - shown in words where the figures would be
            self.post_message(Previewed(number, trouble=problem(error)))
        else:
            self.post_message(Previewed(number, preview))

    def on_previewed(self, event: Previewed) -> None:
        """Show it, unless a newer one was asked for."""
        if event.number != self._number:
            return
        self.preview = event.preview
        self._heading(self._words())
        if event.preview is None:
            self._trouble(event.trouble)
        else:
            self._show_preview(event.preview)
        self.refresh_bindings()

    def _show_preview(self, preview: ClientPreview) -> None:
        from textual.highlight import highlight

        text = block(preview.after)
        self.query_one("#yaml", Static).update(highlight(text, language="yaml"))
        self.query_one(DiffView).show(preview.before, preview.after, str(preview.path))
        self.query_one("#notes-text", Static).update(_notes(preview))

    def _trouble(self, words: str) -> None:
        self.query_one("#yaml", Static).update(content(""))
        self.query_one(DiffView).set_lines([])
        self.query_one("#notes-text", Static).update(content(f"{WARN} {words}"))

    def _words(self) -> str:
        return "Difference" if self._diff else "Preview"

    def _heading(self, words: str) -> None:
        set_title(self.query_one("#clients-right"), words)

    # ------------------------------------------------------------------------------------------- actions

    def action_diff(self) -> None:
        """Preview or difference."""
        self._diff = not self._diff
        self.set_class(self._diff, "-diff")
        self._heading(self._words())

    def action_again(self) -> None:
        """Look again."""
        self._ask()

    def action_to_list(self) -> None:
        """Escape from a field."""
        self.focus_stop(self.query_one("#profiles"))

    def action_copy(self) -> None:
        """To the terminal's clipboard (OSC 52)."""
        if self.preview is not None:
            self.app.copy_to_clipboard(self.preview.after)
            self.post_message(Said("Copied, if the terminal allows it"))

    def action_write(self) -> None:
        """Write, after showing path, mode and difference."""
        preview = self.preview
        if preview is None:
            return
        body = DiffView(classes="diff")
        body.show(preview.before, preview.after, str(preview.path))
        kept = "What is there now is kept beside it." if preview.before else "There is no such file yet."
        words = (f"{preview.path}  (mode {preview.mode:04o}). {kept}",)
        question = Confirm("Write this file?", words, yes="Write", body=body)
        self.app.push_screen(question, lambda yes: self._write(preview) if yes else None)

    def _write(self, preview: ClientPreview) -> None:
        self.run_worker(self._writing(preview), group="write", exit_on_error=False)

    async def _writing(self, preview: ClientPreview) -> None:
        try:
            self.receipt = await in_thread(self._rooms.client_write, preview)
        except (MirrorError, OSError) as error:
            self.post_message(Said(f"Not written. {problem(error)}", "error"))
            return
        copy = f", the former one is {self.receipt.backup}" if self.receipt.backup else ""
        self.post_message(Said(f"Written: {self.receipt.path}{copy}. u puts it back."))
        self._ask()

    def action_undo(self) -> None:
        """Put back what was there."""
        if self.receipt is not None:
            self.run_worker(self._undoing(self.receipt), group="write", exit_on_error=False)

    async def _undoing(self, receipt: ClientReceipt) -> None:
        try:
            await in_thread(self._rooms.client_undo, receipt)
        except (MirrorError, OSError) as error:
            self.post_message(Said(f"Not undone. {problem(error)}", "error"))
            return
        self.receipt = None
        self.post_message(Said(f"{receipt.path} is as it was."))
        self._ask()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the interface
        """Only what works now."""
        if action == "write":
            return self.preview is not None and self.preview.changed and not self.view.read_only
        if action == "copy":
            return self.preview is not None
        if action == "undo":
            return self.receipt is not None and not self.view.read_only
        return True


def _absolute(text: str) -> Path | None:
    try:
        path = Path(text.strip()).expanduser()
    except RuntimeError:  # ~nobody
        return None
    return path if path.is_absolute() else None


def _field(name: str) -> Input:
    field = Input(id=name, compact=True, select_on_focus=False)
    field.cursor_blink = False
    return field


def _notes(preview: ClientPreview) -> Content:
    state = "The file says this already." if preview.before else "This file is not there yet."
    notes = [] if preview.before and preview.changed else [state]
    notes += [f"{WARN} {words}" for words in preview.warnings]
    return Content("\n").join([content(note) for note in notes or ["Nothing to note."]])
