"""sync, status, pause, resume, stop, limit, prune: run the worker, watch it, tell it what to do."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, emit_line, json_option, load, say, size, span
from mirrortui.worker import commands
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import Snapshot

EXIT = {"idle": 0, "done": 0, "partial": 3, "failed": 1, "stopped": 1, "crashed": 1}


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
    reader = JournalReader(settings.state)
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
    import threading

    launch.ignore_hangup()
    over = threading.Event()
    narrator = threading.Thread(target=_narrate, args=(settings.state, over), daemon=True)
    narrator.start()
    try:
        ending = launch.foreground(path, confirm_prune=confirm_prune)
    finally:
        over.set()
        narrator.join(2)
    snapshot = reader.snapshot()
    if as_json:
        emit(snapshot.to_json())
    else:
        _summary(snapshot)
    return ending.code


def _narrate(state: Path, over: object) -> None:
    """Tell on stderr how a run in this process gets on; its end is told by the caller."""
    import threading

    from mirrortui.errors import MirrorError

    assert isinstance(over, threading.Event)
    reader, last, shown = JournalReader(state), 0, 0.0
    while not over.wait(0.5):
        try:
            snapshot = reader.poll()
        except MirrorError:
            continue
        if snapshot is None or snapshot.run is None or not snapshot.active:
            continue
        for event in snapshot.events:
            if event.id > last:
                last = event.id
                say(event.text if event.level == "info" else f"{event.level}: {event.text}")
        if snapshot.run.phase == "transfer" and time.monotonic() - shown > (1 if sys.stderr.isatty() else 10):
            shown = time.monotonic()
            say(progress_line(snapshot))


def progress_line(snapshot: Snapshot) -> str:
    """One line on a run: what, how much, how fast, how long."""
    run = snapshot.run
    if run is None:
        return "there was no run yet"
    share = f"{100 * run.bytes_done / run.bytes_total:.0f} %, " if run.bytes_total else ""
    eta = f", {span(run.eta)} left" if run.eta is not None and snapshot.state == "running" and run.files_total else ""
    return (
        f"run {run.id} {snapshot.state} {run.phase}: {share}{run.files_done:,} of {run.files_total:,} files, "
        f"{size(run.bytes_done)} of {size(run.bytes_total)}, {size(run.rate)}/s{eta}"
    ).replace(" :", ":")


def _summary(snapshot: Snapshot) -> None:
    run = snapshot.run
    if run is None:
        say("there was no run yet")
        return
    for failure in snapshot.failures[:20]:
        say(f"error: {failure.text}")
    if snapshot.failed_count > 20:
        say(f"error: and {snapshot.failed_count - 20} more; “mirrortui status --json” lists them")
    took = span((run.ended or time.time()) - run.started)
    nothing = not (run.added or run.replaced or run.dropped or run.pruned)
    work = (
        "nothing to do"
        if nothing and snapshot.state == "done"
        else (
            f"added {run.added:,}, replaced {run.replaced:,}, dropped {run.dropped:,}, pruned {run.pruned:,}, {size(run.bytes_fetched)} received"
        )
    )
    message = f": {run.message}" if run.message else ""
    say(f"run {run.id} {snapshot.state} after {took}: {work}{message}")


@click.command()
@config_option
@json_option
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends; with --json a line a change.")
def status(config_path: Path | None, as_json: bool, follow: bool) -> int:
    """Show the newest run. Without --follow the exit code is 0 whatever its state; with it, the run's own."""
    settings, _ = load(config_path)
    reader = JournalReader(settings.state)
    if follow:
        last = Snapshot("idle")
        for last in _follow(reader):
            if as_json:
                emit_line(last.to_json())
            else:
                say(progress_line(last))
        if not as_json:
            _summary(last)
        return EXIT.get(last.state, 0)
    snapshot = reader.snapshot()
    if as_json:
        emit(snapshot.to_json())
    elif snapshot.active:
        age = snapshot.heartbeat_age or 0.0
        click.echo(progress_line(snapshot) + (f" (no sign of life for {span(age)})" if age > 10 else ""))
        for flight in snapshot.in_flight:
            click.echo(
                f"  {flight.channel}/{flight.subdir}/{flight.fn}: {size(flight.bytes_done)} of {size(flight.bytes_total)}"
            )
    else:
        _summary(snapshot)
    return 0


def _follow(reader: JournalReader, every: float = 1.0) -> Iterator[Snapshot]:
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


def _command(config_path: Path | None, verb: str, argument: str = "") -> int:
    settings, _ = load(config_path)
    commands.send(settings.state, verb, argument)
    say(f"asked the worker to {verb}; “mirrortui status” shows when it has")
    return 0


@click.command()
@config_option
def pause(config_path: Path | None) -> int:
    """Ask the worker to stop reading, keeping what it has."""
    return _command(config_path, "pause")


@click.command()
@config_option
def resume(config_path: Path | None) -> int:
    """Ask a paused worker to go on."""
    return _command(config_path, "resume")


@click.command()
@config_option
def stop(config_path: Path | None) -> int:
    """Ask the worker to end; what was received is kept for the next run."""
    return _command(config_path, "stop")


@click.command()
@config_option
@click.argument("rate")
def limit(config_path: Path | None, rate: str) -> int:
    """Change the limit of the run at work, for example “20 MB/s”; 0 removes it."""
    from mirrortui import quantities

    return _command(config_path, "limit", str(quantities.rate(rate)))


@click.command()
@config_option
@json_option
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@click.option("--confirm-prune", is_flag=True, help="Delete even if it is more than [prune] max_share allows.")
def prune(config_path: Path | None, as_json: bool, dry_run: bool, confirm_prune: bool) -> int:
    """Delete files that no published metadata has named for the grace period."""
    from mirrortui.worker.pruning import prune_now

    settings, _ = load(config_path)
    files = prune_now(settings, dry_run=dry_run, confirmed=confirm_prune)
    total = sum(f.bytes for f in files)
    if as_json:
        emit(
            {
                "dry_run": dry_run,
                "files": len(files),
                "bytes": total,
                "list": [{"channel": f.channel, "subdir": f.subdir, "fn": f.fn, "bytes": f.bytes} for f in files],
            }
        )
        return 0
    for f in files:
        click.echo(f"{f.channel}/{f.subdir}/{f.fn}")
    say(f"{'would delete' if dry_run else 'deleted'} {len(files)} files, {size(total)}")
    return 0
