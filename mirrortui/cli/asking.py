"""pause, resume, stop, limit: tell a run at work what to do."""

from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, json_option, load, say
from mirrortui.worker import commands


def _ask(config_path: Path | None, as_json: bool, verb: str, rate: int | None = None) -> int:
    settings, _ = load(config_path)
    commands.send(settings.state, verb, "" if rate is None else str(rate))
    if as_json:
        emit({"asked": verb} | ({} if rate is None else {"rate": rate}))
    else:
        say(f"asked the worker to {verb}; “mirrortui status” shows when it has")
    return 0


@click.command()
@config_option
@json_option
def pause(config_path: Path | None, as_json: bool) -> int:
    """Ask the worker to stop reading, keeping what it has."""
    return _ask(config_path, as_json, "pause")


@click.command()
@config_option
@json_option
def resume(config_path: Path | None, as_json: bool) -> int:
    """Ask a paused worker to go on."""
    return _ask(config_path, as_json, "resume")


@click.command()
@config_option
@json_option
def stop(config_path: Path | None, as_json: bool) -> int:
    """Ask the worker to end; what was received is kept for the next run."""
    return _ask(config_path, as_json, "stop")


@click.command()
@config_option
@json_option
@click.argument("rate")
def limit(config_path: Path | None, as_json: bool, rate: str) -> int:
    """Change the limit of the run at work, for example “20 MB/s”; 0 removes it."""
    from mirrortui import quantities

    return _ask(config_path, as_json, "limit", quantities.rate(rate))
