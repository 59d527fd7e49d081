"""doctor: is everything as it should be, and what to do where it is not."""

from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, json_option, load, table


@click.command()
@config_option
@json_option
@click.option("--network/--no-network", default=True, help="Also ask the upstreams (default).")
def doctor(config_path: Path | None, as_json: bool, network: bool) -> int:
    """Look the mirror over: program, places, runs, indexes, upstreams. Exit code 1 where something is bad."""
    from mirrortui.worker.doctor import examine, file_of

    settings, path = load(config_path)
    findings = [file_of(path, settings), *examine(settings, network=network)]
    if as_json:
        emit([finding.to_json() for finding in findings])
    else:
        table(["", "", ""], [[f.state, f.subject, f"{f.text}. {f.hint}" if f.hint else f.text] for f in findings])
    return 1 if any(finding.state == "bad" for finding in findings) else 0
