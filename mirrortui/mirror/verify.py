"""Hash the tree again: every file that the inventory vouches for, on all cores, with progress, resumable."""

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.store import Store

NOTE = "verify started"
BATCH = 256
_BLOCK = 1 << 20

Pair = tuple[str, str]


class Bad(NamedTuple):
    """A file that is not what the inventory says. `reason`: missing, size, hash or unreadable; hashes in hex."""

    channel: str
    subdir: str
    fn: str
    reason: str
    expected: str
    found: str = ""


@dataclass
class Verified:
    """What a pass has found so far. `skipped` files had been hashed in an earlier, unfinished pass."""

    files: int = 0
    bytes: int = 0
    files_total: int = 0
    bytes_total: int = 0
    skipped: int = 0
    bad: list[Bad] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    seconds: float = 0.0


def verify(
    store: Store,
    inventory: Inventory,
    *,
    sample: float = 1.0,
    threads: int = 0,
    report: Callable[[Verified], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    rng: random.Random | None = None,
) -> Verified:
    """Hash all known files, or a random share of them (`sample`, 0 to 1).

    A whole pass that is stopped is gone on with by the next one: files hashed since it began are not hashed
    again. `inventory` must be open for writing.
    """
    begun, clock = _begin(inventory, whole=sample >= 1.0), time.monotonic()
    todo = _todo(inventory, begun, sample, rng or random.Random())  # noqa: S311 - a sample, no secret
    out = Verified(
        files_total=sum(len(entries) for entries in todo.values()),
        bytes_total=sum(entry.size for entries in todo.values() for entry in entries),
        skipped=sum(len(inventory.entries(*pair)) for pair in todo) - sum(len(e) for e in todo.values())
        if sample >= 1.0
        else 0,
    )
    with ThreadPoolExecutor(threads or os.cpu_count() or 2) as pool:
        for pair, entries in todo.items():
            folder = store.folder(*pair)
            for start in range(0, len(entries), BATCH):
                if stopped():
                    out.seconds = time.monotonic() - clock
                    return out
                batch = entries[start : start + BATCH]
                right = []
                for entry, bad in zip(batch, pool.map(lambda e, f=folder, p=pair: _check(f, p, e), batch), strict=True):
                    out.files += 1
                    out.bytes += entry.size
                    if bad is None:
                        right.append(entry.fn)
                    else:
                        out.bad.append(bad)
                inventory.mark_verified(*pair, right, time.time())
                out.seconds = time.monotonic() - clock
                report(out)
    out.orphans = sorted(_orphans(store, inventory))
    if sample >= 1.0:
        inventory.set_note(NOTE, "")
    out.seconds = time.monotonic() - clock
    return out


def _begin(inventory: Inventory, *, whole: bool) -> float:
    """When the pass began: now, or when the unfinished one did."""
    if not whole:
        return float("inf")
    noted = inventory.note(NOTE)
    if noted:
        return float(noted)
    now = time.time()
    inventory.set_note(NOTE, repr(now))
    return now


def _todo(inventory: Inventory, begun: float, sample: float, rng: random.Random) -> dict[Pair, list[Entry]]:
    todo = {}
    for pair in inventory.folders():
        entries = inventory.unverified_since(*pair, begun)
        if sample < 1.0 and entries:
            chosen = set(rng.sample(range(len(entries)), max(1, round(sample * len(entries)))))
            entries = [entry for place, entry in enumerate(entries) if place in chosen]
        todo[pair] = entries
    return todo


def _check(folder: Path, pair: Pair, entry: Entry) -> Bad | None:
    """Hash one file. Digests of 16 bytes are md5: some old records have nothing better."""
    kind = "md5" if len(entry.digest) == 16 else "sha256"
    expected = f"{kind}:{entry.digest.hex()}"
    try:
        with (folder / entry.fn).open("rb", buffering=0) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != entry.size:
                return Bad(*pair, entry.fn, "size", expected, f"{size} bytes instead of {entry.size}")
            digest = hashlib.new(kind, usedforsecurity=False)
            buffer = bytearray(min(_BLOCK, size or 1))
            view = memoryview(buffer)
            while count := stream.readinto(buffer):
                digest.update(view[:count])
    except FileNotFoundError:
        return Bad(*pair, entry.fn, "missing", expected)
    except OSError as error:
        return Bad(*pair, entry.fn, "unreadable", expected, error.strerror or str(error))
    if digest.digest() != entry.digest:
        return Bad(*pair, entry.fn, "hash", expected, f"{kind}:{digest.hexdigest()}")
    return None


def _orphans(store: Store, inventory: Inventory) -> Iterator[str]:
    """Package files in mirrored folders that the inventory does not know, as paths below the root."""
    for pair in inventory.folders():
        known = inventory.entries(*pair)
        for name in store.names(*pair):
            if name not in known:
                yield "/".join((*pair, name))


def condemn(store: Store, inventory: Inventory, bad: list[Bad]) -> None:
    """Remove bad files and forget them: the next run fetches them anew, or leaves them out of what it publishes."""
    for item in bad:
        if item.reason == "unreadable":  # removing may fail the same way, and the disk is to be looked at first
            continue
        store.remove(item.channel, item.subdir, [item.fn])
        inventory.forget(item.channel, item.subdir, [item.fn])
