"""The help screen: words and keys, made from the registry."""

import textwrap
from functools import partial

from mirrortui.tui.bindings import help_rows
from mirrortui.tui.format import fit
from mirrortui.tui.glyphs import TICK_ALL, TICK_NONE, TICK_SOME
from mirrortui.tui.screens.page import Page
from mirrortui.tui.widgets.lines import Line, line

_WORDS = {
    "setup": (
        "Tick channels and subdirs; the estimate follows every tick and rule. Changes are a draft until w writes them. "
        "A size with + lacks an index that is not read yet."
    ),
    "browser": (
        "Every package name of the ticked subdirs, and what of it is in. A key writes the rule that throws a name out or "
        "brings it in, and says which; it is in the draft until w writes it. Records are builds: a second format of the "
        "same build does not count."
    ),
    "plan": (
        "What a sync would do now: files to add, to replace, to drop from the metadata, and to delete from the disk "
        "because their grace period is over. Nothing happens before you start it."
    ),
    "sync": (
        "The run is a process of its own: it goes on when you leave, log out or lose the connection. What you see is "
        "what its journal says; a key such as pause is shown as asked until the worker confirms it. Enter on what failed "
        "tells why, and what to do about it."
    ),
    "history": (
        "The last runs as the journal tells them, frozen sets of metadata below snapshots/, and whatever may keep this "
        "mirror from working. The same as the commands status, snapshot and doctor."
    ),
    "clients": (
        "Configuration that points conda, mamba and pixi at what is really mirrored. Nothing is written before you have "
        "seen the difference; the file that was there is kept beside it."
    ),
}
_TITLES = {
    "setup": "Setup",
    "browser": "Packages",
    "plan": "Plan",
    "sync": "Sync",
    "clients": "Clients",
    "history": "History",
}
_KEYS = 16
"""Cells of the column of keys."""


def help_lines(mode: str, width: int) -> list[Line]:
    """The page for one screen in so many cells."""
    lines: list[Line] = [line((words, "")) for words in textwrap.wrap(_WORDS[mode], width)]
    for title, places in ((_TITLES[mode], (mode,)), ("Everywhere", ("app", "room")), ("In lists", ("table", "tree"))):
        lines += [(), line((title, "tab-on"))]
        for keys, words in (row for place in places for row in help_rows(place)):
            first, *more = textwrap.wrap(words, max(20, width - _KEYS))
            lines.append(line((fit(keys, _KEYS), "key"), first))
            lines += [line(" " * _KEYS, rest) for rest in more]
    ticks = f"Ticks: {TICK_ALL} all, {TICK_SOME} some, {TICK_NONE} none. Sizes are decimal: 1 GB is a thousand MB."
    return [*lines, (), *(line((words, "dim")) for words in textwrap.wrap(ticks, width))]


class Help(Page):
    """The page for a screen; ? closes it, too."""

    def __init__(self, mode: str) -> None:
        super().__init__("Help", partial(help_lines, mode))
