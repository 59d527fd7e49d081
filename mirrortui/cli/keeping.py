"""verify and snapshot: is the tree still what it was, and what was it on a given day."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mirrortui.cli.output import config_option, emit, json_option, load, say, size, span, table
from mirrortui.config import MirrorConfig
from mirrortui.errors import MirrorError, UsageError
from mirrortui.naming import display

if TYPE_CHECKING:  # the verbs import these rooms when they need them
    from mirrortui.mirror.verify import Bad, Verified

_ENDING = (signal.SIGINT, signal.SIGTERM)


@click.command()
@config_option
@json_option
@click.option(
    "--sample", default="100%", show_default=True, help="Hash only a random share of the files, for example 5%."
)
@click.option("--repair", is_flag=True, help="Run a sync that fetches again what is wrong.")
@click.option("--threads", default=0, type=click.IntRange(0, 256), help="Files hashed at once (default: one a core).")
def verify(config_path: Path | None, as_json: bool, sample: str, repair: bool, threads: int) -> int:
    """Hash the mirrored files again. Goes on where an earlier pass was stopped. Exit code 1 where a file is wrong."""
    settings, path = load(config_path)
    found, wanted, lost = _hash(settings, _share(sample), threads, repair)
    code = None
    if repair and found.bad and found.finished:
        code, left = _repair(settings, path, wanted)
        lost += left
    if as_json:
        emit(_as_json(found, code, lost))
    else:
        _tell(found)
        for bad in lost:
            say(f"not mended: {bad.path}")
    if not found.finished:
        say("stopped; the next “mirrortui verify” goes on from here")
        return 130
    if code is not None:
        return code or (1 if lost else 0)
    return 1 if found.bad else 0


def _hash(settings: MirrorConfig, share: float, threads: int, repair: bool) -> "tuple[Verified, list[Bad], list[Bad]]":
    """Do one pass under the lock; with `repair` also what is to be fetched again and what cannot be."""
    from mirrortui.mirror.repair import distrust
    from mirrortui.mirror.verify import verify as check
    from mirrortui.worker.keeping import locked

    with locked(settings) as (store, inventory), _signals() as stop:
        found = check(store, inventory, sample=share, threads=threads, report=_progress(), stopped=lambda: bool(stop))
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
        wanted, lost = distrust(store, inventory, found.bad) if repair and found.finished else ([], [])
    return found, wanted, lost


@contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that SIGINT and SIGTERM add themselves to, so that a pass ends in good order."""
    seen: list[int] = []
    before = {number: signal.signal(number, lambda got, _: seen.append(got)) for number in _ENDING}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress() -> "Callable[[Verified], None]":
    """Show on a terminal, twice a second, how a pass gets on."""
    last = 0.0

    def report(now: "Verified") -> None:
        nonlocal last
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            rate = now.bytes / now.seconds if now.seconds else 0
            left = span((now.bytes_total - now.bytes) / rate) if rate else "unknown"
            text = f"{now.files:,} of {now.files_total:,} files, {size(now.bytes)}, {size(rate)}/s, {left} left"
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    return report if sys.stderr.isatty() else lambda _: None


def _as_json(found: "Verified", code: int | None, lost: "list[Bad]") -> dict[str, object]:
    return {
        "files": found.files,
        "bytes": found.bytes,
        "skipped": found.skipped,
        "seconds": round(found.seconds, 2),
        "finished": found.finished,
        "bad": [bad._asdict() for bad in found.bad],
        "orphans": found.orphans,
        "repair": None if code is None else {"exit_code": code, "left": [bad._asdict() for bad in lost]},
    }


def _tell(found: "Verified") -> None:
    for bad in found.bad:
        text = f"{bad.reason}: {bad.path}: expected {bad.expected}" + (f", found {bad.found}" if bad.found else "")
        click.echo(display(text, 1000))
    for orphan in found.orphans[:20]:
        say(f"not of this mirror: {orphan}")
    if len(found.orphans) > 20:
        say(f"not of this mirror: and {len(found.orphans) - 20} more; --json lists them")
    rate = f" ({size(found.bytes / found.seconds)}/s)" if found.seconds > 0.01 else ""
    skipped = f", {found.skipped:,} were hashed in the pass before" if found.skipped else ""
    say(
        f"hashed {found.files:,} files, {size(found.bytes)}{rate}{skipped}: "
        f"{len(found.bad)} wrong, {len(found.orphans)} not of this mirror"
    )


def _share(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise UsageError(f"“{display(text)}” is no share of the files", hint="Write for example --sample 5%")
    return value


def _repair(settings: MirrorConfig, path: Path, wanted: "list[Bad]") -> "tuple[int, list[Bad]]":
    """Do a run for what is wanted anew; returns its exit code and what it has not brought."""
    from mirrortui.mirror.inventory import Inventory
    from mirrortui.mirror.repair import unmended
    from mirrortui.worker.launch import foreground

    say("fetching what was wrong")
    try:
        ending = foreground(path)
        code, message = ending.code, ending.message
    except MirrorError as error:  # what was found is still to be told
        code, message = error.exit_code, str(error)
    if message:
        say(message)
    inventory = Inventory(settings.state)
    try:
        return code, unmended(inventory, wanted)
    finally:
        inventory.close()


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
    from mirrortui.mirror.inventory import Inventory
    from mirrortui.mirror.store import Store

    settings, _ = load(config_path)
    inventory = Inventory(settings.state)
    try:
        found = snapshots.diff(Store(settings.root), one, other, inventory.folders())
    finally:
        inventory.close()
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
    from mirrortui.mirror.rollback import roll_back
    from mirrortui.worker.keeping import locked

    settings, _ = load(config_path)
    with locked(settings) as (store, inventory):
        pairs = roll_back(store, inventory, name)
    say(f"{len(pairs)} subdirs are as they were in snapshot {name}; the next sync publishes the upstream's state again")
    return 0


@snapshot.command("delete")
@config_option
@click.argument("name")
def delete(config_path: Path | None, name: str) -> int:
    """Remove a snapshot; packages that nothing else names are pruned after the grace period."""
    from mirrortui.mirror import snapshots
    from mirrortui.worker.keeping import locked

    settings, _ = load(config_path)
    with locked(settings) as (store, inventory):
        snapshots.delete(store, inventory, name)
    say(f"snapshot {name} is gone")
    return 0
