"""Add a channel: pick one from the list or type its name, choose the upstream, read the terms."""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from mirrortui import channels, naming
from mirrortui.errors import MirrorError, UsageError
from mirrortui.tui.bindings import bindings
from mirrortui.tui.screens.base import HEIGHTS, WIDTHS
from mirrortui.tui.screens.confirm import Confirm
from mirrortui.tui.text import content, problem
from mirrortui.tui.widgets.line_table import Column, LineTable, Row
from mirrortui.tui.widgets.rules_form import Choice

OWN = "own URL"
DEFAULTS = "defaults"


@dataclass(frozen=True, slots=True)
class NewChannel:
    """What was chosen; `defaults` gives two of them."""

    name: str
    upstreams: tuple[str, ...]


def matching(text: str, present: frozenset[str]) -> list[Row]:
    """Known channels whose name or title holds the text, then the text itself as a name."""
    wanted = text.strip().lower()
    rows = [
        Row(c.name, (c.name, (c.title, "dim")))
        for c in channels.KNOWN
        if c.name not in present and (wanted in c.name.lower() or wanted in c.title.lower())
    ]
    if DEFAULTS.startswith(wanted) and not present.issuperset(channels.expand(DEFAULTS)):
        at = next((i for i, row in enumerate(rows) if row.key.startswith("pkgs/")), len(rows))
        rows.insert(at, Row(DEFAULTS, (DEFAULTS, (" and ".join(channels.expand(DEFAULTS)), "dim"))))
    typed = text.strip()
    if typed and typed not in {row.key for row in rows} and typed not in present:
        rows.append(Row(typed, (typed, ("add under this name", "accent"))))
    return rows


class AddChannel(ModalScreen[tuple[NewChannel, ...] | None]):
    """The name first (type to filter, arrows to choose), then the upstream; enter goes on."""

    BINDINGS = bindings("prompt", "form")
    AUTO_FOCUS = "#name"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, present: frozenset[str]) -> None:
        super().__init__()
        self._present = present

    def compose(self) -> ComposeResult:
        """Filter, list, upstream, notice, buttons."""
        hosts = (*(host.title for host in channels.HOSTS), OWN)
        with Vertical(classes="box", id="add-box") as box:
            box.border_title = "Add a channel"
            with Horizontal(classes="line"):
                yield Label("name", classes="label")
                yield self._text_field("name", "type to filter, or any channel's name")
            yield LineTable((Column("", 20), Column("")), heading=False, id="known")
            with Horizontal(classes="line"):
                yield Label("from", classes="label")
                yield Choice(hosts, hosts[0], id="host")
            with Horizontal(classes="line"):
                yield Label("url", classes="label")
                yield self._text_field("url", "https://… or file:///…")
            yield Static("", id="notice", markup=False)
            yield Static("", id="wrong", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel (esc)", id="no", compact=True)
                yield Button("Add (enter)", id="yes", compact=True)

    @staticmethod
    def _text_field(name: str, hint: str) -> Input:
        field = Input(placeholder=hint, id=name, compact=True, select_on_focus=False)
        field.cursor_blink = False
        return field

    def on_mount(self) -> None:
        """All known channels."""
        self._list("")

    @property
    def name_chosen(self) -> str:
        """The list's row, which is the typed name where nothing known matches."""
        return self.query_one("#known", LineTable).current

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter by name."""
        if event.input.id == "name":
            self._list(event.value)

    def on_input_submitted(self) -> None:
        """Enter."""
        self._take()

    def on_line_table_chosen(self) -> None:
        """Enter in the list."""
        self._take()

    def on_line_table_moved(self) -> None:
        """Another name, another URL and notice."""
        self._fill()

    def on_choice_changed(self) -> None:
        """Another host, another URL."""
        self._fill()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        if event.button.id == "yes":
            self._take()
        else:
            self.dismiss(None)

    def action_answer(self, _yes: bool) -> None:
        """Escape."""
        self.dismiss(None)

    def action_field(self, step: int) -> None:
        """Up and down move in the list while the name is typed, between fields elsewhere."""
        if self.focused is self.query_one("#name"):
            self.query_one("#known", LineTable).action_move(step)
        elif step > 0:
            self.app.action_focus_next()
        else:
            self.app.action_focus_previous()

    # ------------------------------------------------------------------------------------------- details

    def _list(self, text: str) -> None:
        self.query_one("#known", LineTable).set_rows(matching(text, self._present))
        self._fill()

    def _fill(self) -> None:
        name = self.name_chosen
        host = self.query_one("#host", Choice).value
        field = self.query_one("#url", Input)
        if host != OWN and name:
            key = next(h.name for h in channels.HOSTS if h.title == host)
            try:
                field.value = channels.upstreams_for(self._names(name)[0], (key,))[0]
                self._wrong("")
            except MirrorError as error:
                field.value = ""
                self._wrong(problem(error))
        self.query_one("#notice", Static).update(content(self._notice(name, (field.value,)) if name else ""))

    def _wrong(self, words: str) -> None:
        self.query_one("#wrong", Static).update(content(words))

    def _names(self, name: str) -> tuple[str, ...]:
        """The channels that a name stands for and that are not there yet."""
        return tuple(each for each in channels.expand(name) if each not in self._present) or (name,)

    def _notice(self, name: str, urls: tuple[str, ...]) -> str:
        names = self._names(name)
        words = first = channels.notice(names[0], urls)
        for other in names[1:]:
            more = channels.notice(other, urls).removeprefix(first).strip()
            words += f" {other}: {more}" if more else ""
        return words

    def _chosen(self) -> tuple[NewChannel, ...]:
        """Raises `MirrorError` for a name or URL that cannot be."""
        first, *others = self._names(self.name_chosen)
        url = naming.upstream_url(self.query_one("#url", Input).value)
        new = [NewChannel(naming.channel(first), (url,))]
        for name in others:
            base = url.removesuffix(first.rpartition("/")[2])
            if base == url:
                raise UsageError(f"the URL does not end in “{first.rpartition('/')[2]}”", hint=f"Add {name} on its own")
            new.append(NewChannel(naming.channel(name), (f"{base}{name.rpartition('/')[2]}",)))
        return tuple(new)

    def _take(self) -> None:
        try:
            chosen = self._chosen()
        except MirrorError as error:
            self._wrong(problem(error))
            return
        name = self.name_chosen
        notice = self._notice(name, chosen[0].upstreams)
        if not notice:
            self.dismiss(chosen)
            return
        question = Confirm(f"Terms of {name}", (notice,), yes="I have checked, add it", no="Do not add")

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss(chosen)

        self.app.push_screen(question, answered)
