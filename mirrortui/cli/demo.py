"""demo: the whole of mirrortui on a tiny upstream, offline, in a temporary folder."""

import sys

import click

from mirrortui.cli.output import say
from mirrortui.errors import UsageError


@click.command()
@click.option("--headless", is_flag=True, help="Do the whole job without a terminal and print each step.")
@click.option(
    "--rate",
    default="",
    help="How fast the demo's upstream serves (default: 600 KB/s, headless 2 MB/s).",
)
@click.option("--keep", is_flag=True, help="Leave the temporary folder where it is.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
def demo(headless: bool, rate: str, keep: bool, ascii_only: bool) -> int:
    """Try everything out: builds a small upstream, serves it slowly, and opens the screens on a mirror of it."""
    from mirrortui import quantities

    if not headless and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "the screens need a terminal on stdin and stderr", hint="Use “mirrortui demo --headless” without one"
        )
    from mirrortui.demo.stage import stage

    pace = quantities.rate(rate or ("2 MB/s" if headless else "600 KB/s"))
    say("building the demo's upstream")
    with stage(rate=pace, keep=keep) as made:
        if not headless:
            from mirrortui.tui.app import run

            code = run(made.config_path, ascii=ascii_only, home=made.home)
            if made.home.is_dir():
                say(f"what was written on screen 4 went to {made.home}; this account's own files are as they were")
            gone = "" if keep else " and its folder removed"
            say(f"the demo ends here: its worker is stopped{gone}; a real sync goes on")
        else:
            from mirrortui.cli.setup import refresh
            from mirrortui.demo.headless import rehearse

            rehearse(
                made, lambda: refresh(made.config, quiet=True), lambda step, figure: click.echo(f"{step:<9} {figure}")
            )
            code = 0
        if keep:
            say(f"the demo is left in {made.folder}; look at it with “mirrortui {made.config_path}”")
    return code
