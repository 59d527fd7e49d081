"""What a run refuses unless it is confirmed: to delete a large share of the mirror, to publish an index that has shrunk by one."""

from collections.abc import Iterable, Mapping

from mirrortui.catalog.index import SubdirIndex
from mirrortui.config import MirrorConfig
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.plan import CONFIRM, Totals

HINT = CONFIRM[0].upper() + CONFIRM[1:]

Pair = tuple[str, str]


def refusal(
    config: MirrorConfig, inventory: Inventory, due: Mapping[Pair, Iterable[Entry]], coming: Totals | None = None
) -> str:
    """Why the files that are due may not be deleted: more than `max_share` of the mirror's files or bytes; "" if they may.

    `coming` are files that will be in the mirror by then.
    """
    going = Totals()
    for entries in due.values():
        sizes = [entry.size for entry in entries]
        going += Totals(len(sizes), sum(sizes))
    if not going.files:
        return ""
    here = coming or Totals()
    for pair in inventory.folders():
        here += Totals(*inventory.amount(*pair))
    share = max(going.files / here.files if here.files else 0, going.bytes / here.bytes if here.bytes else 0)
    if share <= config.prune.max_share:
        return ""
    return (
        f"{going.files} files would be deleted, {share:.0%} of the mirror; "
        f"[prune] max_share allows {config.prune.max_share:.0%}"
    )


def shrunken(config: MirrorConfig, inventory: Inventory, index: SubdirIndex) -> str:
    """Why an index is not published: it has shrunk by more than `max_share` since the last one; "" if it has not."""
    last = inventory.published(index.channel, index.subdir)
    if last is None or index.folder is None or index.rows >= last.upstream * (1 - config.prune.max_share):
        return ""
    name = f"{index.channel}/{index.subdir}"
    return f"the upstream index of {name} has shrunk from {last.upstream} to {index.rows} records"
