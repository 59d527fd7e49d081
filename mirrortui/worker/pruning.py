"""Prune outside of a run, under the same lock and the same guards."""

import time
from dataclasses import dataclass

from mirrortui.config import MirrorConfig
from mirrortui.mirror import guards, prune
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.plan import PlannedFile
from mirrortui.mirror.store import Store
from mirrortui.worker.keeping import locked


@dataclass(frozen=True, slots=True)
class Pruning:
    """The files that are due, why they would not be deleted ("" where they would be), and what else is to be known."""

    files: list[PlannedFile]
    refusal: str = ""
    warnings: tuple[str, ...] = ()


def foresee(config: MirrorConfig) -> Pruning:
    """What `prune_now` would do now. Changes nothing, needs no lock. Raises `TargetError`."""
    Store(config.root).check_folder()
    inventory = Inventory(config.state)
    try:
        damaged = list[str]()
        due = prune.due(config, inventory, inventory.folders(), time.time(), damaged.append)
        return Pruning(_listed(due), guards.refusal(config, inventory, due), tuple(dict.fromkeys(damaged)))
    finally:
        inventory.close()


def prune_now(config: MirrorConfig, *, confirmed: bool = False) -> Pruning:
    """Delete what is due and return it. Raises `BusyError`, `PruneRefused`."""
    with locked(config, "prune") as (store, inventory):
        damaged = list[str]()
        due = prune.due(config, inventory, inventory.folders(), time.time(), damaged.append)
        if not confirmed:
            prune.check_share(config, inventory, due)
        prune.prune(store, inventory, due)
        return Pruning(_listed(due), warnings=tuple(dict.fromkeys(damaged)))


def _listed(due: prune.Due) -> list[PlannedFile]:
    return [PlannedFile(*pair, entry.fn, entry.size) for pair, entries in due.items() for entry in entries]
