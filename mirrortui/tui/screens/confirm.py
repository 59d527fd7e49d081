"""Questions: yes or no, and one line of text. Everywhere y does it, escape and n leave everything as it is."""

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from mirrortui.tui.bindings import bindings
from mirrortui.tui.screens.base import HEIGHTS, WIDTHS
from mirrortui.tui.text import content


class Confirm(ModalScreen[bool]):
    """A question with its facts. The focus is on the safe answer."""

    BINDINGS = bindings("dialog")
    AUTO_FOCUS = "#no"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(
        self, title: str, words: Sequence[str] = (), *, yes: str, no: str = "Cancel", body: Widget | None = None
    ) -> None:
        super().__init__()
        self._heading, self._words, self._yes, self._no, self._body = title, words, yes, no, body

    def compose(self) -> ComposeResult:
        """Title, facts, buttons."""
        with Vertical(classes="box") as box:
            box.border_title = self._heading
            for words in self._words:
                yield Static(content(words), classes="words")
            if self._body is not None:
                yield self._body
            with Horizontal(classes="buttons"):
                yield Button(f"{self._no} (n)", id="no", compact=True)
                yield Button(f"{self._yes} (y)", id="yes", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer by key."""
        self.dismiss(yes)

    def action_page(self, step: int) -> None:
        """Page in the facts while the focus stays on the answer."""
        if self._body is not None:
            self._body.scroll_relative(y=step * max(1, self._body.size.height - 1), animate=False)


class Prompt(ModalScreen[str | None]):
    """One line of text, checked as it is typed; enter takes it."""

    BINDINGS = bindings("prompt")
    AUTO_FOCUS = "Input"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, title: str, words: str, value: str, check: Callable[[str], str], *, yes: str) -> None:
        super().__init__()
        self._heading, self._words, self._begin_with, self._problem_of, self._yes = title, words, value, check, yes

    def compose(self) -> ComposeResult:
        """Title, words, field, what is wrong, buttons."""
        with Vertical(classes="box") as box:
            box.border_title = self._heading
            yield Static(content(self._words), classes="words")
            field = Input(self._begin_with, compact=True, select_on_focus=False)
            field.cursor_blink = False
            yield field
            yield Static("", id="wrong", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel (esc)", id="no", compact=True)
                yield Button(f"{self._yes} (enter)", id="yes", compact=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what is wrong."""
        self.query_one("#wrong", Static).update(content(self._problem_of(event.value)))

    def on_input_submitted(self) -> None:
        """Enter."""
        self._take()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        if event.button.id == "yes":
            self._take()
        else:
            self.dismiss(None)

    def action_answer(self, _yes: bool) -> None:
        """Escape."""
        self.dismiss(None)

    def _take(self) -> None:
        value = self.query_one(Input).value.strip()
        wrong = self._problem_of(value)
        if wrong:
            self.query_one("#wrong", Static).update(content(wrong))
        else:
            self.dismiss(value)
