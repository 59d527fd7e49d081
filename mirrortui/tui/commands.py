"""The palette: every action that works now, by name, made from the registry of keys."""

from collections.abc import Iterable
from functools import partial

from textual.app import SystemCommand
from textual.screen import Screen

from mirrortui.tui.bindings import ACTS, shown_keys
from mirrortui.tui.messages import StartAsked


def palette(screen: Screen[object], mode: str, *, idle: bool) -> Iterable[SystemCommand]:
    """Commands of the screen and of the app, in the registry's order."""
    for act in ACTS:
        if not act.palette or act.place not in (mode, "app"):
            continue
        name = act.action.partition("(")[0]
        if act.place == mode and not screen.check_action(name, ()):
            continue
        title = f"{act.label[:1].upper()}{act.label[1:]}"
        yield SystemCommand(title, f"{act.help}  ({shown_keys(act)})", partial(screen.run_action, act.action))
    if idle and mode in ("plan", "sync") and not screen.check_action("allow", ()):
        ask = StartAsked(allow_prune=True)
        words = "Start with the guard prune.max_share off, once (asks)"
        yield SystemCommand("Start, allow a large prune", words, lambda: screen.post_message(ask))
