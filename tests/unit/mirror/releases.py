"""Two generations of one channel, published as a run does it; in the second a file has other bytes under its name."""

import hashlib

from mirrortui.config import Publish
from mirrortui.mirror import retention
from mirrortui.mirror.inventory import Entry
from mirrortui.mirror.staging import Item
from tests.unit.catalog.made import channeldata, content, extra, record, run_exports, table
from tests.unit.mirror.tree import ALL, Tree, all_of

SUBDIRS = ("linux-64", "noarch")
PAIRS = [("c", subdir) for subdir in SUBDIRS]
SAME, CHANGED, GONE, NEW = "same-1-0.conda", "changed-1-0.conda", "gone-1-0.tar.bz2", "new-1-0.conda"
OLD_BYTES, NEW_BYTES = content(CHANGED), b"another build"


def publish_old(tree: Tree, options: Publish = ALL) -> None:
    """The first generation: SAME, CHANGED and GONE in both subdirs."""
    for subdir in SUBDIRS:
        tree.put(SAME, CHANGED, GONE, subdir=subdir)
    _publish(tree, [SAME, CHANGED, GONE], options)


def publish_new(tree: Tree, options: Publish = ALL, now: float = 0.0, build: bytes = NEW_BYTES) -> None:
    """The second: GONE has gone, CHANGED is another file, NEW has come."""
    digest = hashlib.sha256(build)
    for pair in PAIRS:
        tree.put(NEW, subdir=pair[1])
        retention.keep_replaced(tree.store, tree.inventory, pair, {CHANGED})
        path = tree.store.package(*pair, CHANGED)
        fresh = path.with_name(".fresh")
        fresh.write_bytes(build)
        fresh.replace(path)
        tree.inventory.put(*pair, [Entry(CHANGED, len(build), path.stat().st_mtime_ns, digest.digest())])
        tree.inventory.mark_dropped(*pair, [GONE], now)
    fields = {"sha256": digest.hexdigest(), "md5": hashlib.md5(build).hexdigest(), "size": len(build)}
    _publish(tree, [SAME, (CHANGED, fields), NEW], options)


def _publish(tree: Tree, fns: list[object], options: Publish) -> None:
    items = []
    names = [str(fn if isinstance(fn, str) else fn[0]) for fn in fns]  # type: ignore[index]
    for subdir in SUBDIRS:
        body = table(*fns)  # type: ignore[arg-type]
        body["info"]["subdir"] = subdir
        index = tree.index(body, subdir=subdir)
        exports = extra(tree.state, run_exports(*names, subdir=subdir), subdir=subdir) if options.run_exports else None
        items.append(Item(subdir, index, all_of(index), exports))
    packages = channeldata(*(name.split("-")[0] for name in names))
    tree.publish(*items, options=options, about=extra(tree.state, packages) if options.channeldata else None)


def old_size() -> int:
    return sum(record(fn)["size"] for fn in (SAME, CHANGED, GONE))
