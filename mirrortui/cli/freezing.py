"""snapshot: what was the mirror on a given day; freeze, compare, roll back."""

import time
from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, json_option, load, say, table, tell
from mirrortui.errors import UsageError
from mirrortui.naming import display
from mirrortui.quantities import counted as count
from mirrortui.quantities import words as size

LONGEST = 64
"""Letters of a snapshot's name."""


@click.group()
@config_option
def snapshot(config_path: Path | None) -> None:
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
    if len(name) > LONGEST:
        raise UsageError(f"“{display(name)}” is too long a name", hint=f"Use at most {LONGEST} letters")
    with locked(settings, "snapshot create") as (store, inventory):
        made = snapshots.create(store, inventory, name or time.strftime("%Y-%m-%d"))
    if as_json:
        emit(made.to_json())
    else:
        held = f"{count(made.records, 'record')} in {count(len(made.subdirs), 'subdir')}"
        say(f"snapshot {made.name}: {held}, served below /snapshots/{made.name}/")
    return 0


@snapshot.command("list")
@config_option
@json_option
def list_(config_path: Path | None, as_json: bool) -> int:
    """List the snapshots, oldest first."""
    from mirrortui.mirror import lacking
    from mirrortui.mirror.store import Store

    settings, _ = load(config_path)
    store = Store(settings.root)
    store.check_folder()
    found = lacking.overview(store, settings.state)
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
                f"damaged: {s.damaged}" if s.damaged else "",
            ]
            for s in found
        ]
        table(["name", "made", "subdirs", "records", "packages", ""], rows, right=(2, 3, 4))
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
                tell(f"{mark} {d.channel}/{d.subdir}/{fn}")
    if not found:
        say("no difference")
    return 0


@snapshot.command("publish")
@config_option
@json_option
@click.argument("name")
def publish(config_path: Path | None, as_json: bool, name: str) -> int:
    """Roll the live channels back to a snapshot, until the next sync publishes the upstream's state again."""
    from mirrortui.mirror.rollback import roll_back
    from mirrortui.worker.keeping import locked

    settings, _ = load(config_path)
    with locked(settings, "snapshot publish") as (store, inventory):
        pairs = roll_back(store, inventory, name)
    if as_json:
        emit({"published": name, "subdirs": [{"channel": channel, "subdir": subdir} for channel, subdir in pairs]})
    else:
        what = f"{count(len(pairs), 'subdir')} {'is as it was' if len(pairs) == 1 else 'are as they were'}"
        say(f"{what} in snapshot {name}; the next sync publishes the upstream's state again")
    return 0


@snapshot.command("delete")
@config_option
@json_option
@click.argument("name")
def delete(config_path: Path | None, as_json: bool, name: str) -> int:
    """Remove a snapshot; packages that nothing else names are pruned after the grace period."""
    from mirrortui.mirror import snapshots
    from mirrortui.worker.keeping import locked

    settings, _ = load(config_path)
    with locked(settings, "snapshot delete") as (store, inventory):
        snapshots.delete(store, inventory, name)
    if as_json:
        emit({"deleted": name})
    else:
        say(f"snapshot {name} is gone; packages that only it named are pruned after the grace period")
    return 0
