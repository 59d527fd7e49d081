"""The help screen: words and keys, made from the registry."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Markdown

from mirrortui.tui.bindings import bindings, help_rows
from mirrortui.tui.widgets.lines import set_title

_WORDS = {
    "setup": "Tick channels and subdirs; the estimate follows every tick and rule. Changes are a draft until you write "
    "them with **w**. Sizes with **+** lack an index that is not read yet.",
    "plan": "What a sync would do now: files to add, to replace, to drop from the metadata, and to delete from the disk "
    "because their grace period is over. Nothing happens before you start it.",
    "sync": "The run is a process of its own: it goes on when you leave, log out or lose the connection. "
    "What you see is what its journal says; a key such as pause is shown as asked until the worker confirms it.",
    "clients": "Configuration that points conda, mamba and pixi at what is really mirrored. Nothing is written before you "
    "have seen the difference; the file that was there is kept beside it.",
}
_TITLES = {"setup": "Setup", "plan": "Plan", "sync": "Sync", "clients": "Clients"}


def help_text(mode: str) -> str:
    """Markdown for one screen."""
    parts = [f"## {_TITLES.get(mode, 'Keys')}", _WORDS.get(mode, "")]
    for title, places in (("Here", (mode,)), ("Everywhere", ("app", "room")), ("In lists", ("table", "tree"))):
        rows = [row for place in places for row in help_rows(place)]
        parts += [f"### {title}", "| key | |", "|:--|:--|", *(f"| `{keys}` | {words} |" for keys, words in rows)]
        parts.append("")
    parts.append("Ticks: ■ all, ◧ some, □ none. Sizes are decimal: 1 GB = 10⁹ bytes.")
    return "\n".join(parts).replace("\n| key", "\n\n| key")


class Help(ModalScreen[None]):
    """Escape or q closes it."""

    BINDINGS = bindings("scroll", "page")

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode

    def compose(self) -> ComposeResult:
        """One scrolling page."""
        with VerticalScroll(classes="box", id="help-box") as box:
            set_title(box, "Help")
            box.border_subtitle = " esc closes "
            yield Markdown(help_text(self._mode), open_links=False)

    def action_scroll_up(self) -> None:
        """Up."""
        self.query_one("#help-box").scroll_up(animate=False)

    def action_scroll_down(self) -> None:
        """Down."""
        self.query_one("#help-box").scroll_down(animate=False)
