"""The tree and its inventory under the lock of a run, for work that changes them outside of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mirrortui.config import MirrorConfig
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.owner import owned
from mirrortui.mirror.store import Store
from mirrortui.worker.lock import RunLock


@contextmanager
def locked(config: MirrorConfig, verb: str) -> Iterator[tuple[Store, Inventory]]:
    """Hold the lock in the name of a verb, and open tree and inventory for writing. Raises `BusyError`, `TargetError`."""
    os.umask(0o022)  # as in a run: the tree is there to be served
    Store(config.root).check_folder()
    with RunLock(config.state, verb), owned(config.root, config.state):
        inventory = Inventory(config.state, write=True)
        try:
            yield Store(config.root), inventory
        finally:
            inventory.close()
