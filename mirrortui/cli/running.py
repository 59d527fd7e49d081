"""sync, status, prune: run the worker, look at it, delete what is due."""

import time
from collections.abc import Iterator
from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, emit_line, json_option, load, load_rules, say, span, tell
from mirrortui.cli.telling import ending_line, faults, progress_line
from mirrortui.quantities import counted as count
from mirrortui.quantities import words as size
from mirrortui.worker import ending, lock
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import Snapshot

EXIT = ending.EXIT | {"idle": 0, "crashed": 1}
ALL = -1


@click.command()
@config_option
@json_option
@click.option(
    "--detach/--foreground",
    "detach",
    default=False,
    help="Start a worker that outlives this terminal, or run here (default).",
)
@click.option("--confirm-prune", is_flag=True, help="Delete even if it is more than [prune] max_share allows.")
def sync(config_path: Path | None, as_json: bool, detach: bool, confirm_prune: bool) -> int:
    """Fetch, verify, publish and prune."""
    from mirrortui.worker import launch

    settings, path = load(config_path)
    reader = JournalReader(settings.state, failures=ALL)
    if detach:
        pid = launch.start(path, confirm_prune=confirm_prune)
        snapshot = reader.snapshot()
        run = snapshot.run.id if snapshot.run else 0
        if as_json:
            emit(snapshot.to_json())
        else:
            say(f"run {run} goes on in process {pid}; watch it with “mirrortui” or “mirrortui status --follow”")
            say(launch.survival())
        return 0
    from mirrortui.cli.narrating import narrated

    launch.ignore_hangup()
    with narrated(settings.state):
        ending = launch.foreground(path, confirm_prune=confirm_prune)
    snapshot = reader.snapshot()
    if as_json:
        emit(snapshot.to_json())
    else:
        say(ending_line(snapshot))
        if snapshot.state == "crashed":  # it has ended well enough to say why, but could not write it down
            say(f"error: {ending.message}")
    return ending.code


@click.command()
@config_option
@json_option
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends; with --json a line a change.")
def status(config_path: Path | None, as_json: bool, follow: bool) -> int:
    """Show the newest run. Without --follow the exit code is 0 whatever its state; with it, the run's own."""
    settings, _ = load(config_path)
    last = _followed(settings.state, as_json) if follow else _whole(settings.state)
    if as_json:
        (emit_line if follow else emit)(_as_json(last, settings.state))
    elif last.active:
        age = last.heartbeat_age or 0.0
        tell(progress_line(last) + (f" (no sign of life for {span(age)})" if age > 10 else ""))
        for flight in last.in_flight:
            tell(
                f"  {flight.channel}/{flight.subdir}/{flight.fn}: {size(flight.bytes_done)} of {size(flight.bytes_total)}"
            )
    else:
        for line in (ending_line(last), *faults(last)):
            tell(line)
    found = lock.holder(settings.state)
    if found is not None and not found.is_run and not as_json:
        tell(str(found))
    return _code(last) if follow else 0


def _code(last: Snapshot) -> int:
    """The exit code of a run that has ended."""
    noted = last.run.exit_code if last.run is not None and not last.active else None
    return EXIT.get(last.state, 0) if noted is None else noted


def _whole(state: Path) -> Snapshot:
    """The newest run with all its failures; a viewer's snapshot holds a first part of them."""
    reader = JournalReader(state, failures=ALL)
    try:
        return reader.snapshot()
    finally:
        reader.close()


def _as_json(snapshot: Snapshot, state: Path) -> dict[str, object]:
    """The run, and who holds the mirror at this moment."""
    found = lock.holder(state)
    who = None if found is None else {"verb": found.verb or lock.RUN, "pid": found.pid, "since": found.since}
    return snapshot.to_json() | {"holder": who}


def _followed(state: Path, as_json: bool) -> Snapshot:
    """Tell each change until no run is at work; returns how it ended."""
    for snapshot in _changes(JournalReader(state)):
        if snapshot.active:
            if as_json:
                emit_line(_as_json(snapshot, state))
            else:
                tell(progress_line(snapshot))
    return _whole(state)


def _changes(reader: JournalReader, every: float = 1.0) -> Iterator[Snapshot]:
    """Yield snapshots until no run is at work, at most one a second."""
    while True:
        snapshot = reader.snapshot()
        yield snapshot
        if not snapshot.active:
            return
        deadline = time.monotonic() + 30  # a heartbeat comes ten times a second; its absence is a change, too
        time.sleep(every)
        while (poll := reader.poll()) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        del poll


@click.command()
@config_option
@json_option
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@click.option("--confirm-prune", is_flag=True, help="Delete even if it is more than [prune] max_share allows.")
def prune(config_path: Path | None, as_json: bool, dry_run: bool, confirm_prune: bool) -> int:
    """Delete files that no published metadata has named for the grace period."""
    from mirrortui.errors import PruneRefused
    from mirrortui.mirror.guards import HINT
    from mirrortui.worker.pruning import foresee, prune_now

    settings, _ = load_rules(config_path)
    found = foresee(settings) if dry_run else prune_now(settings, confirmed=confirm_prune)
    refusal = "" if confirm_prune else found.refusal
    files, code = found.files, PruneRefused.exit_code if refusal else 0
    total = sum(f.bytes for f in files)
    warnings = [*found.warnings, *([f"nothing would be deleted: {refusal}"] if refusal else [])]
    if as_json:
        emit(
            {
                "dry_run": dry_run,
                "files": len(files),
                "bytes": total,
                "warnings": warnings,
                "list": [{"channel": f.channel, "subdir": f.subdir, "fn": f.fn, "bytes": f.bytes} for f in files],
            }
        )
        return code
    for f in files:
        tell(f"{f.channel}/{f.subdir}/{f.fn}")
    for warning in warnings:
        say(f"warning: {warning}")
    if refusal:
        say(f"due: {count(len(files), 'file')}, {size(total)}. {HINT}")
    else:
        say(f"{'would delete' if dry_run else 'deleted'} {count(len(files), 'file')}, {size(total)}")
    return code
