"""The form for [mirror] and [selection]: one line a field, errors in words under the field."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.events import DescendantFocus
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from mirrortui.config import MirrorConfig
from mirrortui.tui.bindings import bindings
from mirrortui.tui.glyphs import CHOICE_LEFT, CHOICE_RIGHT
from mirrortui.tui.text import content
from mirrortui.tui.widgets.lines import set_title


def split_words(text: str) -> tuple[str, ...]:
    """Words as on a shell's command line: spaces part them, quotes keep `"numpy >=1.20,<2"` together."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="")
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    return tuple(word.removesuffix(",") for word in lexer if word != ",")


def join_words(words: tuple[str, ...]) -> str:
    """The text that `split_words` reads back."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if word and not any(char in " \t'\"" for char in word):
        return word
    return shlex.quote(word) if '"' in word else f'"{word}"'


def _same(text: str) -> str:
    return text.strip()


@dataclass(frozen=True, slots=True)
class Field:
    """One key of mirror.toml in the form. `empty` says what an empty field means; `choices` makes it a choice."""

    key: str
    label: str
    hint: str
    empty: str = ""
    parse: Callable[[str], Any] = split_words
    write: Callable[[Any], str] = join_words
    choices: tuple[str, ...] = ()


def _text(key: str, label: str, hint: str, empty: str = "") -> Field:
    return Field(key, label, hint, empty, _same, str)


FIELDS = (
    _text("mirror.name", "name", "A short name for this mirror"),
    _text("mirror.root", "root", "The served folder, an absolute path"),
    _text("mirror.url", "url", "How clients reach the root: http://host or file:///path"),
    Field("selection.include", "include", 'MatchSpecs with spaces between them: numpy "scipy >=1.9,<2"', "everything"),
    Field("selection.exclude", "exclude", 'MatchSpecs to leave out: *-nightly "numpy <1.20"', "nothing"),
    Field("selection.always", "always", "MatchSpecs that are kept even when excluded", "nothing"),
    Field("selection.exclude_licenses", "licenses out", "Families or SPDX ids: GPL AGPL-3.0-only", "none"),
    Field("selection.unknown_license", "lic. unknown", "Packages without a readable license", choices=("keep", "drop")),
    Field(
        "selection.formats",
        "formats",
        "Where a package exists as .conda and as .tar.bz2",
        choices=("all", "prefer-conda", "conda", "tar.bz2"),
    ),
    Field("selection.python", "python", "Minor versions: 3.12 3.13", "every version"),
    _text("selection.max_size", "max size", "Larger packages are left out: 2 GB", "any size"),
    _text("selection.before", "as of", "The channel as it was at the end of a day: 2025-01-31", "today"),
    _text("selection.min_age", "min age", "Newer packages wait: 7 days", "none"),
)


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


class FieldRow(Container):
    """Label and field on one line, and under it what is wrong, if anything."""

    def __init__(self, field: Field) -> None:
        super().__init__(classes="field")
        self.field = field
        self.local_error = ""
        self._words = ""

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
            self.box.value = str(value)
            return
        try:
            same = self.field.parse(self.box.value) == value
        except ValueError:
            same = False
        if not same:
            with self.prevent(Input.Changed):
                self.box.value = self.field.write(value)
            self.local_error = ""

    def show_error(self, words: str) -> None:
        """Show or clear the words under the field."""
        words = self.local_error or words
        if words == self._words:
            return
        self._words = words
        self.set_class(bool(words), "-bad")
        self.query(".error").remove()
        if words:
            self.mount(Static(content(words), classes="error"))


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
        self._shown: MirrorConfig | None = None

    def compose(self) -> ComposeResult:
        """One row a field, and the hint of the one with the focus."""
        for field in FIELDS:
            yield FieldRow(field)
        yield Static("", id="hint", markup=False)

    @property
    def rows(self) -> list[FieldRow]:
        """All rows."""
        return list(self.query(FieldRow))

    @property
    def boxes(self) -> list[Widget]:
        """All fields, in order."""
        return [row.box for row in self.rows]

    def show(self, config: MirrorConfig) -> None:
        """Show a draft."""
        if config is self._shown:
            return
        self._shown = config
        for row in self.rows:
            section, _, key = row.field.key.partition(".")
            row.show_value(getattr(getattr(config, section), key))

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Show what is wrong, by key."""
        for row in self.rows:
            row.show_error(errors.get(row.field.key, ""))

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The hint of the field."""
        row = event.widget.query_ancestor(FieldRow)
        self.query_one("#hint", Static).update(content(row.field.hint))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Parse, and tell."""
        event.stop()
        self._tell(event.input.query_ancestor(FieldRow), event.value)

    def on_choice_changed(self, event: Choice.Changed) -> None:
        """Tell."""
        event.stop()
        self.post_message(self.Edited(event.choice.query_ancestor(FieldRow).field.key, event.value))

    def _tell(self, row: FieldRow, text: str) -> None:
        try:
            value = row.field.parse(text)
        except ValueError:
            row.local_error = "A quotation mark is not closed"
            row.show_error("")
            self.post_message(self.Broken(row.field.key, row.local_error))
            return
        row.local_error = ""
        self.post_message(self.Edited(row.field.key, value))

    def action_field(self, step: int) -> None:
        """Up and down between fields."""
        boxes = self.boxes
        if self.screen.focused in boxes:
            boxes[max(0, min(len(boxes) - 1, boxes.index(self.screen.focused) + step))].focus()
