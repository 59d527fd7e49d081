"""What all verbs share: the --config and --json options, tables, sizes in words."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import humanize

from mirrortui import config
from mirrortui.config import MirrorConfig
from mirrortui.naming import display

F = TypeVar("F", bound=Callable[..., Any])


_GIVEN = "mirrortui.config"


def _given(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """What stands before a verb's own verb counts behind it, too: `snapshot --config FILE list`."""
    if value is not None:
        context.meta[_GIVEN] = value
    found: Path | None = context.meta.get(_GIVEN)
    return found


def config_option(function: F) -> F:
    """Add --config."""
    return click.option(
        "--config",
        "-c",
        "config_path",
        type=click.Path(path_type=Path),
        callback=_given,
        help="The mirror.toml to use (default: the first found in the usual places).",
    )(function)


def json_option(function: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(function)


def load(path: Path | None) -> tuple[MirrorConfig, Path]:
    """Find and read the config; raises `ConfigError`."""
    found = config.find(path)
    return config.load(found), found


def load_rules(path: Path | None) -> tuple[MirrorConfig, Path]:
    """As `load`, and read every rule: a wrong one is refused with its key before anything is fetched."""
    from mirrortui.selection.checking import require, warnings

    settings, found = load(path)
    require(settings, display(found))
    for key, text in warnings(settings).items():
        say(f"warning: {key}: {text}")
    return settings, found


def emit(value: Any) -> None:
    """Print a value as JSON; what is not ASCII is escaped, so that no upstream text can speak to a terminal."""
    click.echo(json.dumps(value, indent=2))


def emit_line(value: Any) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(value))


def tell(text: str) -> None:
    """Print a line of data, on stdout."""
    click.echo(display(text, 2000))


def say(text: str) -> None:
    """Narrate, on stderr. A terminal or pipe that has gone does not end the work that is told of."""
    try:
        click.echo(display(text, 2000), err=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def span(seconds: float | None) -> str:
    """A length of time in words."""
    if seconds is None:
        return "unknown"
    return f"{seconds:.0f} s" if seconds < 90 else humanize.precisedelta(seconds, minimum_unit="minutes", format="%.0f")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print an aligned table, with its head if that says anything; `right` names the columns that are numbers."""
    cells = [list(map(display, row)) for row in rows]
    widths = [max(len(line[i]) for line in (list(head), *cells)) for i in range(len(head))]
    for line in ([list(head)] if any(head) else []) + cells:
        padded = [
            text.rjust(w) if i in right else text.ljust(w) for i, (text, w) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(padded).rstrip())
