"""Colours. The stylesheets name them; no widget knows one."""

from textual.theme import Theme

PLAIN = "ansi-dark"
"""The theme for NO_COLOR: with it no colour sequence is sent at all."""

# All colours lie on the 256-colour cube, so that plain SSH shows what truecolor shows.
THEME = Theme(
    name="mirrortui",
    primary="#5fafd7",
    secondary="#87afaf",
    accent="#d7af5f",
    warning="#d7af5f",
    error="#ff5f5f",
    success="#87af5f",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    variables={
        "dim": "#8a8a8a",
        "line": "#444444",
        "cursor": "#005f87",
        "cursor-text": "#ffffff",
        "cursor-off": "#303030",
        "field": "#262626",
        "field-on": "#303030",
        "scrollbar": "#3a3a3a",
        "scrollbar-hover": "#5f5f5f",
        "scrollbar-active": "#5fafd7",
        "scrollbar-background": "#121212",
        "scrollbar-background-hover": "#121212",
        "scrollbar-background-active": "#121212",
    },
)

_OWN = ("dim", "line", "cursor", "cursor-text", "cursor-off", "field", "field-on")


def defaults(*, plain: bool) -> dict[str, str]:
    """Values of our own variables for every other theme; none of them a colour where `plain`."""
    return {name: "ansi_default" if plain else THEME.variables[name] for name in _OWN}
