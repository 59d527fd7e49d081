"""verify and snapshot: is the tree still what it was, and what was it on a given day."""

import signal
import sys
import time
from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, json_option, load, say, size, table
from mirrortui.errors import UsageError
from mirrortui.naming import display


@click.command()
@config_option
@json_option
@click.option(
    "--sample", default="100%", show_default=True, help="Hash only a random share of the files, for example 5%."
)
@click.option("--repair", is_flag=True, help="Remove what is wrong and run a sync that fetches it again.")
@click.option("--threads", default=0, type=click.IntRange(0, 256), help="Files hashed at once (default: one a core).")
def verify(config_path: Path | None, as_json: bool, sample: str, repair: bool, threads: int) -> int:
    """Hash the mirrored files again. Goes on where an earlier pass was stopped. Exit code 1 where a file is wrong."""
    from mirrortui.mirror.inventory import Inventory
    from mirrortui.mirror.store import Store
    from mirrortui.mirror.verify import Verified, condemn
    from mirrortui.mirror.verify import verify as check
    from mirrortui.worker.lock import RunLock

    settings, path = load(config_path)
    share = _share(sample)
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, _: stop.append(signum))
    last = [0.0]

    def report(now: Verified) -> None:
        if sys.stderr.isatty() and time.monotonic() - last[0] > 0.5:
            last[0] = time.monotonic()
            rate = now.bytes / now.seconds if now.seconds else 0
            click.echo(
                f"\r\x1b[K{now.files:,} of {now.files_total:,} files, {size(now.bytes)}, {size(rate)}/s",
                nl=False,
                err=True,
            )

    with RunLock(settings.state):
        store, inventory = Store(settings.root), Inventory(settings.state, write=True)
        try:
            found = check(store, inventory, sample=share, threads=threads, report=report, stopped=lambda: bool(stop))
            if repair and found.bad:
                condemn(store, inventory, found.bad)
        finally:
            inventory.close()
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    repaired = _repair(path) if repair and found.bad and not stop else None
    if as_json:
        emit(
            {
                "files": found.files,
                "bytes": found.bytes,
                "skipped": found.skipped,
                "seconds": round(found.seconds, 2),
                "finished": not stop,
                "bad": [b._asdict() for b in found.bad],
                "orphans": found.orphans,
                "repair": repaired,
            }
        )
    else:
        for bad in found.bad:
            click.echo(
                display(
                    f"{bad.reason}: {bad.channel}/{bad.subdir}/{bad.fn}: expected {bad.expected}"
                    + (f", found {bad.found}" if bad.found else ""),
                    1000,
                )
            )
        for orphan in found.orphans[:20]:
            say(f"not of this mirror: {orphan}")
        if len(found.orphans) > 20:
            say(f"not of this mirror: and {len(found.orphans) - 20} more; --json lists them")
        rate = f" ({size(found.bytes / found.seconds)}/s)" if found.seconds > 0.01 else ""
        skipped = f", {found.skipped:,} were hashed in the pass before" if found.skipped else ""
        say(
            f"hashed {found.files:,} files, {size(found.bytes)}{rate}{skipped}: {len(found.bad)} wrong, {len(found.orphans)} not of this mirror"
        )
    if stop:
        say("stopped; the next “mirrortui verify” goes on from here")
        return 130
    if repaired is not None:
        return repaired
    return 1 if found.bad else 0


def _share(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise UsageError(f"“{display(text)}” is no share of the files", hint="Write for example --sample 5%")
    return value


def _repair(path: Path) -> int:
    from mirrortui.worker.launch import foreground

    say("fetching what was wrong")
    return foreground(path).code


@click.group()
def snapshot() -> None:
    """Freeze what is published, compare, roll back. Package files are shared; a snapshot costs only its metadata."""


@snapshot.command("create")
@config_option
@json_option
@click.argument("name", default="")
def create(config_path: Path | None, as_json: bool, name: str) -> int:
    """Freeze what is published now under a name (default: the date)."""
    from mirrortui.mirror import snapshots
    from mirrortui.worker.keeping import locked

    settings, _ = load(config_path)
    with locked(settings) as (store, inventory):
        made = snapshots.create(store, inventory, name or time.strftime("%Y-%m-%d"))
    if as_json:
        emit(made.to_json())
    else:
        say(
            f"snapshot {made.name}: {made.records:,} records in {len(made.subdirs)} subdirs, served below /snapshots/{made.name}/"
        )
    return 0


@snapshot.command("list")
@config_option
@json_option
def list_(config_path: Path | None, as_json: bool) -> int:
    """List the snapshots, oldest first."""
    from mirrortui.mirror import snapshots
    from mirrortui.mirror.store import Store

    settings, _ = load(config_path)
    found = snapshots.listed(Store(settings.root))
    if as_json:
        emit([s.to_json() for s in found])
    else:
        rows = [
            [
                s.name,
                time.strftime("%Y-%m-%d %H:%M", time.localtime(s.created)),
                f"{len(s.subdirs)}",
                f"{s.records:,}",
                size(s.bytes),
            ]
            for s in found
        ]
        table(["name", "made", "subdirs", "records", "packages"], rows, right=(2, 3, 4))
    return 0


@snapshot.command("diff")
@config_option
@json_option
@click.argument("one")
@click.argument("other", default="")
def diff(config_path: Path | None, as_json: bool, one: str, other: str) -> int:
    """Show what changed from one snapshot to another, or to what is published now."""
    from mirrortui.mirror import snapshots
    from mirrortui.mirror.store import Store

    settings, _ = load(config_path)
    found = snapshots.diff(Store(settings.root), one, other)
    if as_json:
        emit(
            [
                {
                    "channel": d.channel,
                    "subdir": d.subdir,
                    "added": d.added,
                    "removed": d.removed,
                    "replaced": d.replaced,
                }
                for d in found
            ]
        )
        return 0
    for d in found:
        for mark, fns in (("+", d.added), ("-", d.removed), ("!", d.replaced)):
            for fn in fns:
                click.echo(display(f"{mark} {d.channel}/{d.subdir}/{fn}"))
    if not found:
        say("no difference")
    return 0


@snapshot.command("publish")
@config_option
@click.argument("name")
def publish(config_path: Path | None, name: str) -> int:
    """Roll the live channels back to a snapshot, until the next sync publishes the upstream's state again."""
    from mirrortui.mirror import snapshots
    from mirrortui.worker.keeping import locked

    settings, _ = load(config_path)
    with locked(settings) as (store, inventory):
        pairs = snapshots.publish(store, inventory, name)
    say(f"{len(pairs)} subdirs are as they were in snapshot {name}; the next sync publishes the upstream's state again")
    return 0


@snapshot.command("delete")
@config_option
@click.argument("name")
def delete(config_path: Path | None, name: str) -> int:
    """Remove a snapshot; packages that nothing else names leave with a later prune."""
    from mirrortui.mirror import snapshots
    from mirrortui.worker.keeping import locked

    settings, _ = load(config_path)
    with locked(settings) as (store, _inventory):
        snapshots.delete(store, name)
    say(f"snapshot {name} is gone")
    return 0
