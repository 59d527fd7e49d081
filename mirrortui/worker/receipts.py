"""Files that came in during a run: noted in the inventory in batches, after their bytes are on disk."""

import threading
import time

from mirrortui.catalog.index import Mask
from mirrortui.errors import MirrorError
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.planning import SubdirWork
from mirrortui.mirror.store import Store
from mirrortui.transfer.job import Outcome

BATCH_FILES = 500
BATCH_SECONDS = 5.0

Pair = tuple[str, str]


class Receipts:
    """`verified` tells for each subdir which rows are on disk with the record's hash, as of now.

    A batch is written after one `syncfs`: should the machine lose power, the inventory names no file whose bytes
    were still in memory. Should the process be killed, files of the last batch are hashed once by the next run.
    """

    def __init__(self, store: Store, inventory: Inventory) -> None:
        self.store, self.inventory = store, inventory
        self.verified: dict[Pair, Mask] = {}
        self.replacing: dict[Pair, dict[str, Entry]] = {}
        self._batch: dict[Pair, list[Entry]] = {}
        self._count = 0
        self._since = time.monotonic()
        self._writing = threading.Lock()

    def start(self, pair: Pair, item: SubdirWork) -> None:
        """Begin with what is on disk already."""
        self.verified[pair] = item.keep.copy()

    def add(self, outcome: Outcome) -> None:
        """Take in a verified file; one that replaces another waits for the switch of the metadata."""
        job = outcome.job
        pair = (job.channel, job.subdir)
        entry = Entry(job.fn, outcome.size, outcome.mtime_ns, outcome.digest)
        if job.replace:
            self.replacing.setdefault(pair, {})[job.fn] = entry
            return
        self.verified[pair][job.row] = True
        self._batch.setdefault(pair, []).append(entry)
        self._count += 1

    @property
    def due(self) -> bool:
        """Whether the batch is large or old enough to be written."""
        return self._count >= BATCH_FILES or (self._count > 0 and time.monotonic() - self._since > BATCH_SECONDS)

    def flush(self) -> None:
        """Write the batch; blocks for as long as the disk takes, so call it off the event loop."""
        with self._writing:  # a flush that is not waited for any more still runs in its thread
            batch, self._batch, self._count, self._since = self._batch, {}, 0, time.monotonic()
            try:
                if batch:
                    self.store.flush()
                for pair, entries in batch.items():
                    self.inventory.put(*pair, entries)
            except MirrorError:
                self._take_back(batch)
                raise

    def _take_back(self, batch: dict[Pair, list[Entry]]) -> None:
        """Keep a batch that could not be written for the next time; to note an entry twice does no harm."""
        for pair, entries in batch.items():
            self._batch.setdefault(pair, [])[:0] = entries
        self._count = sum(map(len, self._batch.values()))
