"""tui: open the screens. The only verb that imports them."""

import sys
from pathlib import Path

import click

from mirrortui import config
from mirrortui.cli.output import config_option
from mirrortui.errors import ConfigError, UsageError


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@config_option
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
@click.option(
    "--screen",
    default="",
    type=click.Choice(["", "setup", "plan", "sync", "clients", "history"]),
    help="Open on this screen.",
)
@click.option("--read-only", is_flag=True, help="Watch only: nothing can be changed or started.")
@click.option(
    "--hz", default=4.0, show_default=True, type=click.FloatRange(1, 10), help="How often a running sync is looked at."
)
def tui(path: Path | None, config_path: Path | None, ascii_only: bool, screen: str, read_only: bool, hz: float) -> int:
    """Open the screens (the same as “mirrortui [CONFIG]”)."""
    given = config_path or path
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "the screens need a terminal on stdin and stderr", hint="Use the verbs instead: “mirrortui --help”"
        )
    try:
        found: Path | None = config.find(given)
    except ConfigError:
        if given is not None and not str(given).endswith(".toml"):
            raise
        found = given  # a new mirror is set up there
    from mirrortui.tui.app import run

    return run(found, ascii=ascii_only, screen=screen, read_only=read_only, refresh_hz=hz)
