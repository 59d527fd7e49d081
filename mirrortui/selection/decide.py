"""The whole decision: rules, then dependencies; quick for a figure on a screen, exact for a plan and a run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mirrortui.catalog.catalog import Catalog
from mirrortui.config import MirrorConfig
from mirrortui.selection import closure, names
from mirrortui.selection.reasons import Broken, Reason
from mirrortui.selection.select import Selection, SubdirSelection, put, select


@dataclass(frozen=True)
class Decision:
    """A selection, what is broken in it, what dependencies brought in, and whether that is only an estimate (`approximate`)."""

    selection: Selection
    broken: tuple[Broken, ...] = ()
    brought: tuple[closure.Brought, ...] = ()
    approximate: bool = False


def decide(catalog: Catalog, config: MirrorConfig, cancelled: Callable[[], bool] = lambda: False) -> Decision:
    """Apply all rules and close over dependencies, version by version. Raises `ConfigError`, `closure.Cancelled`.

    Takes a moment where anything is filtered: a second or two for a hundred names out of a million records.
    """
    chosen = select(catalog, config)
    if all(item.whole for item in chosen.subdirs.values()):
        return Decision(chosen)
    closed = closure.close(catalog, config, chosen, cancelled)
    return Decision(closed.selection, closed.broken, closed.brought)


def decide_quickly(catalog: Catalog, config: MirrorConfig) -> Decision:
    """Apply all rules; where dependencies may be brought in, take every record of every name that might be needed."""
    chosen = select(catalog, config)
    if not closure.needed(config):
        return Decision(chosen)
    reasons = {pair: np.array(item.reasons) for pair, item in chosen.subdirs.items()}
    for channel in config.channels:
        rules = config.rules(channel)
        if not rules.with_dependencies or not (rules.include or rules.environments):
            continue
        pairs = [pair for pair in chosen.subdirs if pair[0] in closure.bases(config, channel)]
        world = names.world([catalog.indexes[pair] for pair in pairs])
        wanted = np.zeros(len(world.names), bool)
        for pair, own in zip(pairs, world.own, strict=True):
            if pair[0] == channel.name:
                seeds = (reasons[pair] < Reason.REPLACED) & (reasons[pair] != Reason.PINNED)
                wanted[own[catalog.indexes[pair].name.take(np.flatnonzero(seeds))]] = True
        reached = world.reach(wanted)
        for pair, own in zip(pairs, world.own, strict=True):
            needed = reached[own].take(catalog.indexes[pair].name)
            put(reasons[pair], needed & (reasons[pair] == Reason.NOT_INCLUDED), Reason.DEPENDENCY)
    done = {pair: SubdirSelection(item.index, reasons[pair]) for pair, item in chosen.subdirs.items()}
    return Decision(Selection(done), approximate=True)
