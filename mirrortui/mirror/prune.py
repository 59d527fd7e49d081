"""Delete what no published metadata has named for the grace period; guarded, last, and only what is known to be ours."""

from collections.abc import Iterable
from dataclasses import dataclass

from mirrortui import quantities
from mirrortui.config import MirrorConfig
from mirrortui.errors import PruneRefused
from mirrortui.mirror import retention
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.store import Store
from mirrortui.naming import PACKAGE_SUFFIXES
from mirrortui.selection import matchspec

Due = dict[tuple[str, str], list[Entry]]


@dataclass(frozen=True, slots=True)
class Pruned:
    """Files removed and their bytes."""

    files: int = 0
    bytes: int = 0


def due(config: MirrorConfig, inventory: Inventory, pairs: Iterable[tuple[str, str]], now: float) -> Due:
    """Files out of the metadata for longer than the grace period, but for those on the never-list or in a snapshot."""
    before = now - quantities.duration(config.prune.grace)
    out = {pair: over(config, pair, inventory.dropped(*pair, before), now) for pair in pairs}
    return {pair: entries for pair, entries in out.items() if entries}


def over(config: MirrorConfig, pair: tuple[str, str], entries: Iterable[Entry], now: float) -> list[Entry]:
    """Those of a subdir's files whose grace is over, and that neither the never-list nor a snapshot keeps."""
    before = now - quantities.duration(config.prune.grace)
    never = [matchspec.parse(text) for text in config.prune.never]
    due = [e for e in entries if e.dropped is not None and e.dropped <= before]
    due = [e for e in due if not any(spec.matches(_record(*pair, e.fn)) for spec in never)]
    kept = retention.named(Store(config.root), pair, {e.fn for e in due})
    return [e for e in due if e.fn not in kept]


def _record(channel: str, subdir: str, fn: str) -> dict[str, object]:
    """What a file name says of its record, for the never-list."""
    stem = next((fn.removesuffix(s) for s in PACKAGE_SUFFIXES if fn.endswith(s)), fn)
    name, version, build = ([*stem.rsplit("-", 2), "", ""])[:3]
    return {"channel": channel, "subdir": subdir, "fn": fn, "name": name, "version": version, "build": build}


def check_share(config: MirrorConfig, inventory: Inventory, todo: Due) -> None:
    """Raise `PruneRefused` if more than `max_share` of the mirror's files or bytes would go."""
    if not todo:
        return
    files = size = all_files = all_size = 0
    for pair in inventory.folders():
        count, amount = inventory.amount(*pair)
        all_files, all_size = all_files + count, all_size + amount
    for entries in todo.values():
        files += len(entries)
        size += sum(entry.size for entry in entries)
    share = max(files / all_files if all_files else 0, size / all_size if all_size else 0)
    if share > config.prune.max_share:
        raise PruneRefused(
            f"{files} files would be deleted, {share:.0%} of the mirror; [prune] max_share allows {config.prune.max_share:.0%}",
            hint="If that is meant, run it with --confirm-prune",
        )


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
