"""What becomes of files that `verify` found wrong: the next run hashes them once more and fetches what is wrong."""

from collections.abc import Iterable

from mirrortui.mirror import retention
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.store import Store
from mirrortui.mirror.verify import Bad

Pair = tuple[str, str]


def distrust(store: Store, inventory: Inventory, bad: Iterable[Bad]) -> tuple[list[Bad], list[Bad]]:
    """Forget bad files; returns those that the next run is to bring anew, and those that it cannot.

    A file that the metadata names stays until another takes its place: with an upstream that is away, or a memory
    that flips bits, nothing is lost by trying. One that is on its way out is removed; if a snapshot names it, it is
    lost. Of an unreadable one the disk is to be looked at first, and what a snapshot holds itself is upstream no more.
    """
    wanted, lost = list[Bad](), list[Bad]()
    for pair, mine in _by_folder(bad).items():
        known = inventory.entries(*pair)
        leaving = {fn for fn in mine if fn in known and known[fn].dropped is not None and _readable(mine[fn])}
        needed = retention.named(store, pair, leaving) if leaving else set()
        if leaving:
            store.remove(*pair, leaving)
        again = [fn for fn in mine if fn in known and _readable(mine[fn])]
        if again:
            inventory.forget(*pair, again)
        wanted += [mine[fn] for fn in again if fn not in leaving]
        lost += [mine[fn] for fn in mine if fn in needed or fn not in again]
    return wanted, lost


def _readable(item: Bad) -> bool:
    return item.reason != "unreadable"


def _by_folder(bad: Iterable[Bad]) -> dict[Pair, dict[str, Bad]]:
    out: dict[Pair, dict[str, Bad]] = {}
    for item in bad:
        out.setdefault((item.channel, item.subdir), {})[item.fn] = item
    return out


def unmended(inventory: Inventory, wanted: Iterable[Bad]) -> list[Bad]:
    """Those of the forgotten files that no run has brought since."""
    out = []
    for pair, mine in _by_folder(wanted).items():
        known = inventory.entries(*pair)
        out += [item for fn, item in mine.items() if fn not in known]
    return out
