"""The entry point: finds the verb, imports only its module, turns errors into one line and an exit code."""

import contextlib
import errno
import importlib
import os
import sys
from typing import Any

import click

from mirrortui import __version__
from mirrortui.cli.streams import Unprinted, discard
from mirrortui.errors import MirrorError
from mirrortui.naming import display

VERBS = {
    "init": "setup",
    "estimate": "setup",
    "plan": "setup",
    "explain": "explaining",
    "sync": "running",
    "status": "running",
    "pause": "asking",
    "resume": "asking",
    "stop": "asking",
    "limit": "asking",
    "prune": "running",
    "verify": "keeping",
    "snapshot": "freezing",
    "condarc": "pointing",
    "resolve": "pointing",
    "serve": "serving",
    "webserver": "serving",
    "doctor": "looking",
    "demo": "demo",
    "tui": "screen",
}
"""Verb -> module below `mirrortui.cli`."""


class Verbs(click.Group):
    """Import a verb's module when it is asked for: `mirrortui status` must not wait for what `sync` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order an operator meets them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command."""
        del ctx
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"mirrortui.cli.{VERBS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`mirrortui [CONFIG]` opens the screens: a first word that is a file, or none, means the verb `tui`."""
        own = {name for param in self.get_params(ctx) for name in param.opts}
        if len(args) > 2 and args[0] in ("--config", "-c") and args[2] in VERBS:
            args = [args[2], *args[:2], *args[3:]]
        if not args or (args[0] not in VERBS and args[0] not in own and _opens(args[0])):
            args = ["tui", *args]
        return super().parse_args(ctx, args)


def _opens(word: str) -> bool:
    return word.startswith("-") or word.endswith(".toml") or os.path.exists(word)  # noqa: PTH110 - pathlib is not needed yet


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", "-V", message="%(prog)s %(version)s")
def app() -> None:
    """Set up, run and watch a mirror of conda channels.

    Without a verb (or with the path of a mirror.toml) the screens open. mirror.toml is looked for in the
    current folder, in the user's configuration folder and in /etc/mirrortui; every verb takes --config.

    Exit codes: 0 done, 1 failed, 2 usage or config, 3 partial, 4 another run is at work, 5 refused by a guard,
    130 interrupted by a signal.
    """


def run(arguments: list[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    try:
        result: Any = app.main(args=arguments, prog_name="mirrortui", standalone_mode=False)
        sys.stdout.flush()
    except MirrorError as error:
        return _say(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Unprinted as unprinted:
        discard()
        # Who reads with “head -1” has what was wanted; anywhere else data are lost.
        return 0 if unprinted.error.errno == errno.EPIPE else _say(str(unprinted), 1)
    except Exception as error:
        if os.environ.get("MIRRORTUI_DEBUG"):
            raise
        return _say(f"{type(error).__name__}: {error}. Set MIRRORTUI_DEBUG=1 to see where", 1)
    return result if isinstance(result, int) else 0


def _say(text: str, code: int) -> int:
    with contextlib.suppress(OSError):  # a terminal that has gone
        click.echo(f"mirrortui: {display(text, 2000)}", err=True)
    return code
