"""Receipts: what came in is noted once, whoever writes it."""

import threading
from pathlib import Path

import numpy as np
import pytest

from mirrortui.errors import StateError
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.store import Store
from mirrortui.transfer.job import Job, Outcome
from mirrortui.worker.receipts import Receipts

PAIR = ("c", "linux-64")
FILES = 300


class SlowStore(Store):
    """A disk that is done only when the test says so."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.begun, self.done = threading.Event(), threading.Event()

    def flush(self) -> None:
        self.begun.set()
        assert self.done.wait(10)


def fetched(store: Store, row: int) -> Outcome:
    fn = f"a-{row}-0.conda"
    job = Job(*PAIR, row, fn, (), 1, None, store.part(*PAIR, fn), store.package(*PAIR, fn))
    return Outcome(job, "fetched", 1, 2, bytes(32))


def test_the_last_batch_waits_for_one_that_is_being_written(tmp_path: Path) -> None:
    store, inventory = SlowStore(tmp_path / "root"), Inventory(tmp_path / "state", write=True)
    receipts = Receipts(store, inventory)
    receipts.verified[PAIR] = np.zeros(2 * FILES, bool)
    for row in range(FILES):
        receipts.add(fetched(store, row))
    left_alone = threading.Thread(target=receipts.flush)  # as after the task that awaited it was cancelled
    left_alone.start()
    assert store.begun.wait(10)
    for row in range(FILES, 2 * FILES):
        receipts.add(fetched(store, row))
    last = threading.Thread(target=receipts.flush)
    last.start()
    last.join(0.05)
    assert last.is_alive()
    assert inventory.amount(*PAIR) == (0, 0)
    store.done.set()
    left_alone.join(10)
    last.join(10)
    assert inventory.amount(*PAIR) == (2 * FILES, 2 * FILES)
    assert receipts.verified[PAIR].all()
    inventory.close()


def test_a_batch_that_could_not_be_written_is_written_by_the_next(tmp_path: Path, monkeypatch) -> None:
    store, inventory = Store(tmp_path), Inventory(tmp_path / "state", write=True)
    receipts = Receipts(store, inventory)
    receipts.verified[PAIR] = np.zeros(3, bool)
    receipts.add(fetched(store, 0))

    def locked(*_: object) -> None:
        receipts.add(fetched(store, 1))  # the loop goes on meanwhile
        raise StateError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(inventory, "put", locked)
        with pytest.raises(StateError):
            receipts.flush()
    receipts.add(fetched(store, 2))
    receipts.flush()
    assert inventory.amount(*PAIR) == (3, 3)
    inventory.close()
