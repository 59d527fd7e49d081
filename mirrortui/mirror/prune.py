"""Delete what no published metadata has named for the grace period; guarded, last, and only what is known to be ours."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mirrortui import quantities
from mirrortui.config import MirrorConfig
from mirrortui.errors import PruneRefused
from mirrortui.mirror import guards, retention
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.store import Store
from mirrortui.selection import never

Due = dict[tuple[str, str], list[Entry]]


@dataclass(frozen=True, slots=True)
class Pruned:
    """Files removed and their bytes."""

    files: int = 0
    bytes: int = 0


def due(
    config: MirrorConfig,
    inventory: Inventory,
    pairs: Iterable[tuple[str, str]],
    now: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Due:
    """Files out of the metadata for longer than the grace period, but for those on the never-list or in a snapshot.

    `tell` is told of what is kept because a snapshot is damaged.
    """
    before = now - quantities.duration(config.prune.grace)
    out = {pair: over(config, pair, inventory.dropped(*pair, before), now, tell) for pair in pairs}
    return {pair: entries for pair, entries in out.items() if entries}


def over(
    config: MirrorConfig,
    pair: tuple[str, str],
    entries: Iterable[Entry],
    now: float,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Entry]:
    """Those of a subdir's files whose grace is over, and that neither the never-list nor a snapshot keeps.

    A file that is in the metadata still counts as one that leaves it now: without grace it is due at once.
    """
    before = now - quantities.duration(config.prune.grace)
    spared = [never.parse(text) for text in config.prune.never]
    due = [e for e in entries if (now if e.dropped is None else e.dropped) <= before]
    due = [e for e in due if not any(never.keeps(spec, *pair, e.fn) for spec in spared)]
    kept = retention.named(Store(config.root), pair, {e.fn for e in due}, tell)
    return [e for e in due if e.fn not in kept]


def check_share(config: MirrorConfig, inventory: Inventory, todo: Due) -> None:
    """Raise `PruneRefused` if more than `max_share` of the mirror's files or bytes would go."""
    if why := guards.refusal(config, inventory, todo):
        raise PruneRefused(why, hint=guards.HINT)


def prune(store: Store, inventory: Inventory, todo: Due) -> Pruned:
    """Delete, then forget. A file counts only if it was ours: every entry came from the inventory."""
    files = size = 0
    for (channel, subdir), entries in todo.items():
        names = [entry.fn for entry in entries]
        store.remove(channel, subdir, names)
        inventory.forget(channel, subdir, names)
        files += len(names)
        size += sum(entry.size for entry in entries)
    return Pruned(files, size)
