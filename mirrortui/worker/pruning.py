"""Prune outside of a run, under the same lock and the same guards."""

import time

from mirrortui.config import MirrorConfig
from mirrortui.mirror import prune
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.plan import PlannedFile
from mirrortui.mirror.store import Store
from mirrortui.worker.lock import RunLock


def prune_now(config: MirrorConfig, *, dry_run: bool = False, confirmed: bool = False) -> list[PlannedFile]:
    """Delete what is due (or only list it) and return it. Raises `BusyError`, `PruneRefused`."""
    if dry_run:
        return _listed(config, write=False, confirmed=True)
    with RunLock(config.state):
        return _listed(config, write=True, confirmed=confirmed)


def _listed(config: MirrorConfig, *, write: bool, confirmed: bool) -> list[PlannedFile]:
    inventory = Inventory(config.state, write=write)
    try:
        store = Store(config.root)
        due = prune.due(config, inventory, inventory.folders(), time.time())
        if not confirmed:
            prune.check_share(config, inventory, due)
        if write:
            prune.prune(store, inventory, due)
        return [PlannedFile(*pair, entry.fn, entry.size) for pair, entries in due.items() for entry in entries]
    finally:
        inventory.close()
