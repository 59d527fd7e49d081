"""The tree and its inventory under the lock of a run, for work that changes them outside of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mirrortui.config import MirrorConfig
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.store import Store
from mirrortui.worker.lock import RunLock


@contextmanager
def locked(config: MirrorConfig) -> Iterator[tuple[Store, Inventory]]:
    """Hold the lock and open tree and inventory for writing. Raises `BusyError`."""
    os.umask(0o022)  # as in a run: the tree is there to be served
    with RunLock(config.state):
        inventory = Inventory(config.state, write=True)
        try:
            yield Store(config.root), inventory
        finally:
            inventory.close()
