"""The form for [mirror] and [selection]: one line a field, errors in words under the field."""

from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from mirrortui.config import MirrorConfig
from mirrortui.naming import has_secret
from mirrortui.tui.bindings import bindings
from mirrortui.tui.glyphs import CHOICE_LEFT, CHOICE_RIGHT
from mirrortui.tui.rooms import Checked, Wrong
from mirrortui.tui.text import block, safe
from mirrortui.tui.widgets.fields import FIELDS, Field
from mirrortui.tui.widgets.lines import set_title


class Choice(Static, can_focus=True):
    """One of a few words; left and right turn it."""

    BINDINGS = bindings("choice")
    value: reactive[str] = reactive("", init=False)

    @dataclass
    class Changed(Message):
        """Another word was chosen."""

        choice: "Choice"
        value: str

    def __init__(self, choices: tuple[str, ...], value: str, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, markup=False)
        self.choices = choices
        self.set_reactive(Choice.value, value)

    def render(self) -> str:
        """The word between two arrows."""
        return f"{CHOICE_LEFT} {self.value} {CHOICE_RIGHT}"

    def action_turn(self, step: int) -> None:
        """Next or previous word."""
        at = self.choices.index(self.value) if self.value in self.choices else 0
        self.value = self.choices[(at + step) % len(self.choices)]
        self.post_message(self.Changed(self, self.value))

    def on_click(self) -> None:
        """A click is the next word."""
        self.action_turn(1)


def wrong_words(wrong: Wrong, width: int) -> str:
    """What is wrong; where the place is known, the entry with a mark under that place comes first."""
    if not wrong.column:
        return safe(wrong.words)
    if has_secret(wrong.text):  # a part of it would not be seen as one
        return f"column {wrong.column}: {safe(wrong.words)}"
    begin = max(0, wrong.column - 1 - max(4, width // 2))
    shown = safe(wrong.text[begin : begin + width])
    mark = " " * (wrong.column - 1 - begin) + "^"
    return f"{shown}\n{mark} column {wrong.column}\n{safe(wrong.words)}"


class FieldRow(Container):
    """Label and field on one line, and under it what is wrong, or may not be what was meant."""

    def __init__(self, field: Field) -> None:
        super().__init__(classes="field")
        self.field = field
        self.local_error = ""
        self._shown: tuple[Wrong | None, str] = (None, "")

    def compose(self) -> ComposeResult:
        """Label and field."""
        name = self.field.key.replace(".", "-")
        yield Label(self.field.label, classes="label", markup=False)
        if self.field.choices:
            yield Choice(self.field.choices, self.field.choices[0], id=name)
        else:
            box = Input(placeholder=self.field.empty, id=name, compact=True, select_on_focus=False)
            box.cursor_blink = False
            yield box

    @property
    def box(self) -> Input | Choice:
        """The field itself."""
        return self.query_one(Choice) if self.field.choices else self.query_one(Input)

    def show_value(self, value: Any) -> None:
        """Show a value, unless the text there already means it (the cursor stays where it is)."""
        if self.field.choices:
            self.box.value = self.field.write(value)
            return
        try:
            same = self.field.parse(self.box.value) == value
        except ValueError:
            same = False
        if not same:
            with self.prevent(Input.Changed):
                self.box.value = self.field.write(value)
            self.local_error = ""

    def show_notes(self, wrong: Wrong | None, hint: str = "") -> None:
        """Show or clear what stands under the field: what is wrong, otherwise the hint."""
        wrong = Wrong(self.local_error) if self.local_error else wrong
        if (wrong, hint) == self._shown:
            return
        self._shown = (wrong, hint)
        self.set_class(wrong is not None, "-bad")
        self.query(".error, .note").remove()
        if wrong is not None:
            words = wrong_words(wrong, max(20, self.size.width - 4))
            self.mount(Static(Content(words), classes="error"))
        elif hint:
            self.mount(Static(Content(block(hint)), classes="note"))


class RulesForm(VerticalScroll, can_focus=False):
    """All fields. It only shows; edits go up as `Edited`."""

    BINDINGS = bindings("form")

    @dataclass
    class Edited(Message):
        """A field has a new value (already parsed)."""

        key: str
        value: Any

    @dataclass
    class Broken(Message):
        """A field's text cannot even be split into words."""

        key: str
        words: str

    def __init__(self) -> None:
        super().__init__(id="rules", classes="pane")
        set_title(self, "Rules")
        self._config: MirrorConfig | None = None
        self._shown: MirrorConfig | None = None
        self._furnished = False
        self.rows: list[FieldRow] = []

    def compose(self) -> ComposeResult:
        """The hint of the field with the focus; the fields come after the first frame, which they would hold up."""
        yield Static("", id="hint", markup=False)

    async def furnish(self) -> None:
        """Add the fields, once."""
        if self._furnished:
            return
        self._furnished = True
        rows = [FieldRow(field) for field in FIELDS]
        await self.mount_all(rows, before="#hint")
        self.rows = rows
        if self._config is not None:
            self.show(self._config)

    @property
    def boxes(self) -> list[Widget]:
        """All fields, in order."""
        return [row.box for row in self.rows]

    def show(self, config: MirrorConfig) -> None:
        """Show a draft."""
        self._config = config
        if config is self._shown or not self.rows:
            return
        self._shown = config
        for row in self.rows:
            section, _, key = row.field.key.partition(".")
            row.show_value(getattr(getattr(config, section), key))

    def show_notes(self, checked: Checked) -> None:
        """Show what is wrong and what may not be meant, by key."""
        for row in self.rows:
            row.show_notes(checked.wrong.get(row.field.key), checked.hints.get(row.field.key, ""))

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The hint of the field."""
        row = event.widget.query_ancestor(FieldRow)
        self.query_one("#hint", Static).update(Content(row.field.hint))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Parse, and tell."""
        event.stop()
        self._tell(event.input.query_ancestor(FieldRow), event.value)

    def on_choice_changed(self, event: Choice.Changed) -> None:
        """Tell."""
        event.stop()
        field = event.choice.query_ancestor(FieldRow).field
        self.post_message(self.Edited(field.key, field.parse(event.value)))

    def _tell(self, row: FieldRow, text: str) -> None:
        try:
            value = row.field.parse(text)
        except ValueError as error:
            row.local_error = str(error)
            row.show_notes(None)
            self.post_message(self.Broken(row.field.key, row.local_error))
            return
        row.local_error = ""
        self.post_message(self.Edited(row.field.key, value))

    def action_field(self, step: int) -> None:
        """Up and down between fields."""
        boxes = self.boxes
        if self.screen.focused in boxes:
            boxes[max(0, min(len(boxes) - 1, boxes.index(self.screen.focused) + step))].focus()
