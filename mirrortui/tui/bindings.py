"""The one registry of keys: bindings, footer, palette and help are all made from it.

Only plain keys that work in every terminal, in tmux and over SSH; nothing here needs the kitty protocol.
"""

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Act:
    """One thing a key does. `place` is a screen or kind of widget; `show` puts it into the footer.

    `order` ranks the footer (lower first); `palette` offers it in the palette.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    place: str
    show: bool = False
    palette: bool = False
    key: str = ""


def _screen(number: int, mode: str, label: str, words: str) -> Act:
    return Act(f"app.{mode}", str(number), f"app.go('{mode}')", label, words, "app", palette=True)


# fmt: off
ACTS = (
    # ---- setup
    Act("setup.tick", "space", "tick", "tick", "Tick or untick the channel or subdir", "setup", show=True),
    Act("setup.add", "n,insert", "add", "add", "Add a channel", "setup", show=True, palette=True),
    Act("setup.packages", "b", "packages", "packages", "Every package name: what is in, and why", "setup", show=True, palette=True),
    Act("setup.explain", "e", "explain", "explain", "Why a package or file is in or out", "setup", show=True, palette=True),
    Act("setup.details", "i", "details", "details", "Growth, licenses and largest packages of the draft", "setup", show=True, palette=True),
    Act("setup.save", "w,ctrl+s", "save", "save", "Write mirror.toml (shows the difference, asks)", "setup", show=True, palette=True),
    Act("setup.undo", "u", "undo", "undo", "Throw the draft's changes away (asks)", "setup", show=True, palette=True),
    Act("setup.all", "a", "tick_all", "all/none", "Tick all subdirs of the channel, or none", "setup", show=True),
    Act("setup.remove", "x,delete", "remove", "remove", "Take a channel out of the draft (asks)", "setup", show=True, palette=True),
    Act("setup.refresh", "r", "refresh", "refresh", "Fetch the indexes again, and look for new subdirs", "setup", show=True, palette=True),
    Act("setup.tree", "escape", "to_tree", "tree", "Back to the channels", "setup"),
    # ---- packages
    Act("packages.switch", "space", "switch", "in/out", "Throw the name out or bring it in: writes the rule", "browser", show=True),
    Act("packages.filter", "slash", "filter", "filter", "Only names with a text: ^begin end$ *glob* !not", "browser", show=True, palette=True, key="/"),
    Act("packages.order", "o", "order", "sort", "Sort by name, size or records", "browser", show=True, palette=True),
    Act("packages.explain", "e", "explain", "explain", "Why the name's records are in or out", "browser", show=True, palette=True),
    Act("packages.always", "a", "always", "always", "Keep every record of the name whatever else says, or no longer", "browser", show=True, palette=True),
    Act("packages.undo", "u", "undo", "undo", "Take back the last rule written here", "browser", show=True, palette=True),
    Act("packages.close", "escape,b", "close", "back", "Clear the filter; back to the channels", "browser", show=True, key="esc"),
    Act("packages.details", "i", "details", "details", "Growth, licenses and largest packages of the draft", "browser", palette=True),
    # ---- plan
    Act("plan.start", "s", "start", "start sync", "Start the sync in the background (asks)", "plan", show=True, palette=True),
    Act("plan.allow", "a", "allow", "allow", "Start it with the guard prune.max_share off (asks)", "plan", show=True, palette=True),
    Act("plan.mend", "m", "mend", "mend", "Write the rule that brings a missing dependency back", "plan", show=True, palette=True),
    Act("plan.mend_all", "M", "mend_all", "mend all", "Write the rules that bring all missing dependencies back", "plan", palette=True),
    Act("plan.check", "c", "solve", "check", "Check that environments resolve on what would be published", "plan", show=True, palette=True),
    Act("plan.explain", "e", "explain", "explain", "Why a package or file is in or out", "plan", show=True, palette=True),
    Act("plan.again", "r", "replan", "plan again", "Compute the plan again", "plan", show=True, palette=True),
    Act("plan.save", "w,ctrl+s", "save", "save", "Write mirror.toml (shows the difference, asks)", "plan", palette=True),
    # ---- sync
    Act("sync.start", "s", "start", "start", "Start a sync (asks)", "sync", show=True, palette=True),
    Act("sync.allow", "a", "allow", "allow", "One sync with the guard prune.max_share off: shows what goes, asks", "sync", show=True, palette=True),
    Act("sync.pause", "p", "pause", "pause", "Pause or resume the run", "sync", show=True, palette=True),
    Act("sync.stop", "x", "stop", "stop", "Stop the run (asks); what is verified stays", "sync", show=True, palette=True),
    Act("sync.limit", "l", "limit", "limit", "Change the bandwidth limit of the run", "sync", show=True, palette=True),
    Act("sync.retry", "r", "retry", "retry", "Try what failed again; in a run when its other transfers are in", "sync", show=True, palette=True),
    Act("sync.freeze", "f", "freeze", "freeze", "Hold the picture still; the run goes on", "sync", show=True, palette=True),
    Act("sync.why", "enter", "why", "why", "Everything about what failed", "sync"),
    Act("sync.zoom", "z", "zoom", "zoom", "Give the pane the whole screen, or back", "sync", show=True),
    # ---- clients
    Act("clients.diff", "d", "diff", "diff", "Preview or difference to the present file", "clients", show=True, palette=True),
    Act("clients.write", "w", "write", "write", "Write the file (asks; keeps a copy)", "clients", show=True, palette=True),
    Act("clients.undo", "u", "undo", "undo", "Put back what was there before the last write", "clients", show=True, palette=True),
    Act("clients.copy", "y", "copy", "copy", "Copy the text to the terminal's clipboard", "clients", show=True, palette=True),
    Act("clients.again", "r", "again", "reread", "Look again at what is mirrored", "clients", show=True, palette=True),
    Act("clients.list", "escape", "to_list", "list", "Back to the list", "clients"),
    # ---- history
    Act("history.again", "r", "again", "look again", "Read runs and snapshots again, and look the mirror over", "history", show=True, palette=True),
    Act("history.network", "n", "network", "ask upstreams", "The same, and ask the upstreams, too", "history", show=True, palette=True),
    # ---- everywhere
    Act("app.next", "tab", "pane(1)", "next pane", "Next pane or field", "room"),
    Act("app.previous", "shift+tab", "pane(-1)", "previous pane", "Previous pane or field", "room"),
    _screen(1, "setup", "Setup", "Channels, rules and the live estimate"),
    _screen(2, "plan", "Plan", "What a sync would do now"),
    _screen(3, "sync", "Sync", "The run: progress, transfers, errors, log"),
    _screen(4, "clients", "Clients", "Configuration files of the clients"),
    _screen(5, "history", "History", "Past runs, snapshots, and the mirror's health"),
    Act("app.help", "question_mark,f1", "app.help", "help", "This help", "app", show=True, palette=True, key="?"),
    Act("app.palette", "ctrl+p", "app.command_palette", "palette", "Every action by name", "app"),
    Act("app.leave", "q,ctrl+q", "app.leave", "leave", "Leave; a run goes on without you", "app", show=True, palette=True, key="q"),
    # ---- widgets
    Act("table.up", "up,k", "move(-1)", "up", "Up", "table"),
    Act("table.down", "down,j", "move(1)", "down", "Down", "table"),
    Act("table.pageup", "pageup", "page(-1)", "page up", "Page up", "table"),
    Act("table.pagedown", "pagedown", "page(1)", "page down", "Page down", "table"),
    Act("table.home", "home,g", "edge(False)", "first", "First line", "table"),
    Act("table.end", "end,G", "edge(True)", "last", "Last line", "table"),
    Act("table.enter", "enter", "choose", "open", "Open or close; choose", "table"),
    Act("tree.open", "right", "open(True)", "open", "Show the channel's subdirs", "tree"),
    Act("tree.close", "left", "open(False)", "close", "Hide the channel's subdirs", "tree"),
    Act("scroll.up", "up,k", "scroll_up", "up", "Up", "scroll"),
    Act("scroll.down", "down,j", "scroll_down", "down", "Down", "scroll"),
    Act("scroll.pageup", "pageup", "page_up", "page up", "Page up", "scroll"),
    Act("scroll.pagedown", "pagedown", "page_down", "page down", "Page down", "scroll"),
    Act("scroll.home", "home,g", "scroll_home", "first", "First line", "scroll"),
    Act("scroll.end", "end,G", "scroll_end", "last", "Last line", "scroll"),
    Act("field.up", "up", "field(-1)", "field up", "Previous field", "form"),
    Act("field.down", "down,enter", "field(1)", "field down", "Next field", "form"),
    Act("choice.next", "right,space", "turn(1)", "next", "Next choice", "choice"),
    Act("choice.previous", "left", "turn(-1)", "previous", "Previous choice", "choice"),
    Act("dialog.no", "escape,n", "answer(False)", "cancel", "Leave everything as it is", "dialog"),
    Act("dialog.yes", "y", "answer(True)", "yes", "Do it", "dialog"),
    Act("dialog.left", "left,up", "app.focus_previous", "previous", "Previous button", "dialog"),
    Act("dialog.right", "right,down", "app.focus_next", "next", "Next button", "dialog"),
    Act("page.close", "escape,enter,q,question_mark", "dismiss", "close", "Close the page", "page"),
    Act("dialog.pageup", "pageup", "page(-1)", "page up", "Page up in the difference", "dialog"),
    Act("dialog.pagedown", "pagedown", "page(1)", "page down", "Page down in the difference", "dialog"),
    Act("ask.close", "escape", "dismiss", "close", "Close the page", "ask"),
    Act("ask.up", "up", "scroll_by(-1)", "up", "Up in the answers", "ask"),
    Act("ask.down", "down", "scroll_by(1)", "down", "Down in the answers", "ask"),
    Act("ask.pageup", "pageup", "page_by(-1)", "page up", "Page up in the answers", "ask"),
    Act("ask.pagedown", "pagedown", "page_by(1)", "page down", "Page down in the answers", "ask"),
    Act("filter.up", "up", "pick(-1)", "up", "Up in the list", "filter"),
    Act("filter.down", "down", "pick(1)", "down", "Down in the list", "filter"),
    Act("filter.pageup", "pageup", "pick_page(-1)", "page up", "Page up in the list", "filter"),
    Act("filter.pagedown", "pagedown", "pick_page(1)", "page down", "Page down in the list", "filter"),
    Act("prompt.no", "escape", "answer(False)", "cancel", "Leave everything as it is", "prompt"),
)
# fmt: on


def bindings(*places: str) -> list[BindingType]:
    """The bindings of one or more places, in the registry's order."""
    return [
        Binding(
            act.keys, act.action, act.label, show=act.show, key_display=act.key or None, tooltip=act.help, id=act.id
        )
        for act in ACTS
        if act.place in places
    ]


def shown_keys(act: Act) -> str:
    """Keys as a reader writes them: `w or ctrl+s`."""
    names = {"question_mark": "?", "slash": "/", "escape": "esc", "pageup": "PgUp", "pagedown": "PgDn", "f1": "F1"}
    return " or ".join(names.get(key, key) for key in act.keys.split(","))


def help_rows(place: str) -> list[tuple[str, str]]:
    """Keys and words of a place, for the help screen and the manual."""
    return [(shown_keys(act), act.help) for act in ACTS if act.place == place]
