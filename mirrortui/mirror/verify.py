"""Hash the tree again: every file that the inventory vouches for, on all cores, with progress, resumable."""

import errno
import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mirrortui.errors import MirrorError
from mirrortui.mirror import lacking, metadata, named, retention, snapshots
from mirrortui.mirror.faults import Bad
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.records import records
from mirrortui.mirror.store import Store

NOTE = "verify started"
RESUME_SECONDS = 30 * 86400.0
"""An unfinished pass that began longer ago is not gone on with."""

PAGE = 4096
GROUP_FILES, GROUP_BYTES = 32, 8 << 20
"""A thread takes small files by the group: handing over costs as much as hashing one. Large ones keep all cores busy."""

_BLOCK = 256 << 10
_NOTE_FILES, _NOTE_SECONDS = 2000, 1.0
_POLL = 0.2

Pair = tuple[str, str]

__all__ = ["Bad", "Verified", "verify"]


@dataclass
class Verified:
    """What a pass has found so far. `skipped` files had been hashed in an earlier, unfinished pass.

    `metadata` files were hashed besides. `orphans` are package files, and links with a package's name, in mirrored
    folders that neither inventory nor metadata (live or a snapshot's) know, as paths below the root; they are looked for at the end.
    """

    files: int = 0
    bytes: int = 0
    files_total: int = 0
    bytes_total: int = 0
    skipped: int = 0
    metadata: int = 0
    bad: list[Bad] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False


class _Group(NamedTuple):
    """Files of one folder that a thread hashes in one go; `live` if the inventory knows them."""

    pair: Pair
    folder: Path
    entries: list[Entry]
    live: bool


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
    """Hash all known files, or a random share of them (`sample`, 0 to 1), what snapshots hold themselves, and all metadata.

    Files that the metadata names otherwise than the inventory are hashed against their records, whatever the share.
    What a snapshot names and nobody has any more is looked for at the end, by name.

    A whole pass that is stopped is gone on with by the next one: files hashed since it began are not hashed
    again. `inventory` must be open for writing. `report` and `stopped` are called in this thread, some times a second.
    """
    whole = sample >= 1.0
    begun, out, groups = _begin(inventory) if whole else float("inf"), Verified(), list[Iterable[_Group]]()
    for pair in inventory.folders():
        entries: Iterable[Entry]
        if whole:
            count, size = inventory.amount(*pair, begun)
            entries = _paged(inventory, pair, begun)
            out.skipped += inventory.amount(*pair)[0] - count
        else:
            entries = chosen = _sampled(inventory, pair, sample, rng or random.Random())  # noqa: S311 - no secret
            count, size = len(chosen), sum(entry.size for entry in chosen)
        out.files_total, out.bytes_total = out.files_total + count, out.bytes_total + size
        groups.append(_grouped(pair, store.folder(*pair), entries, live=True))
    strange = list(_unvouched(store, inventory))
    for pair, folder, held in (*_held(store, inventory), *strange):
        out.files_total += len(held)
        out.bytes_total += sum(entry.size for entry in held)
        groups.append(_grouped(pair, folder, held, live=False))
    work = _Pass(inventory, out, threads or len(os.sched_getaffinity(0)), report, stopped)
    work.run(group for some in groups for group in some)
    found = metadata.verify(store, inventory, threads=work.threads, stopped=stopped)
    out.metadata, out.bad = found.files, out.bad + found.bad
    told = {(*pair, entry.fn) for pair, _, held in strange for entry in held}
    out.bad += lacking.missing(store, inventory, told, found.bad, stopped)
    if not stopped():
        out.orphans = sorted(_orphans(store, inventory))
        out.finished = True
        if whole:
            inventory.set_note(NOTE, "")
    work.report()
    return out


def _begin(inventory: Inventory) -> float:
    """When the pass began: now, or when the unfinished one did."""
    noted, now = inventory.note(NOTE), time.time()
    if noted and now - RESUME_SECONDS < float(noted) <= now:
        return float(noted)
    inventory.set_note(NOTE, repr(now))
    return now


def _paged(inventory: Inventory, pair: Pair, begun: float) -> Iterator[Entry]:
    page = inventory.unverified_since(*pair, begun, limit=PAGE)
    while page:
        yield from page
        page = inventory.unverified_since(*pair, begun, page[-1].fn, PAGE)


def _sampled(inventory: Inventory, pair: Pair, share: float, rng: random.Random) -> list[Entry]:
    """A share of a subdir's files, rounded, but at least one."""
    count = inventory.amount(*pair)[0]
    chosen = set(rng.sample(range(count), max(1, round(share * count)))) if count else set()
    return [entry for place, entry in enumerate(_paged(inventory, pair, float("inf"))) if place in chosen]


def _held(store: Store, inventory: Inventory) -> Iterator[tuple[Pair, Path, list[Entry]]]:
    """Files that snapshots hold themselves, as their records describe them."""
    for place in snapshots.places(store):
        for pair in inventory.folders():
            own = retention.kept(place, pair)
            try:
                meant = records(place.joinpath(*pair), own) if own else {}
            except MirrorError:  # that it is damaged is told with the metadata
                continue
            entries = [
                Entry(fn, record.size if isinstance(record.size, int) else -1, 0, next(iter(record.digests.values())))
                for fn, record in meant.items()
                if record.digests
            ]
            yield (f"{snapshots.FOLDER}/{place.name}/{pair[0]}", pair[1]), place.joinpath(*pair), entries


def _unvouched(store: Store, inventory: Inventory) -> Iterator[tuple[Pair, Path, list[Entry]]]:
    for pair in inventory.folders():
        entries = named.unvouched(store, inventory, pair)
        entries += lacking.unknown(store, inventory, pair, {entry.fn for entry in entries})
        if entries:
            yield pair, store.folder(*pair), entries


def _grouped(pair: Pair, folder: Path, entries: Iterable[Entry], *, live: bool) -> Iterator[_Group]:
    group, size = list[Entry](), 0
    for entry in entries:
        group.append(entry)
        size += entry.size
        if len(group) == GROUP_FILES or size >= GROUP_BYTES:
            yield _Group(pair, folder, group, live)
            group, size = [], 0
    if group:
        yield _Group(pair, folder, group, live)


class _Pass:
    """Hands groups to threads, and takes in and notes what they found."""

    def __init__(
        self,
        inventory: Inventory,
        out: Verified,
        threads: int,
        report: Callable[[Verified], None],
        stopped: Callable[[], bool],
    ) -> None:
        self.inventory, self.out, self.threads, self.tell, self.stopped = inventory, out, threads, report, stopped
        self.halt, self.clock = threading.Event(), time.monotonic()
        self.noted, self.right = self.clock, dict[Pair, list[str]]()
        self.pending: set[Future[tuple[_Group, list[Bad | None]]]] = set()

    def run(self, groups: Iterable[_Group]) -> None:
        """Hash until all is done or `stopped` says so; then the files that are being hashed are given up."""
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for group in groups:
                    self.pending.add(pool.submit(_hash_all, group, self.halt))
                    self.gather(2 * self.threads)
                    if self.stopped():
                        break
                self.gather(0)
            finally:
                self.halt.set()
        for job in self.pending:
            self.take(*job.result())
        self.note()

    def gather(self, most: int) -> None:
        """Wait until no more than `most` groups are under way."""
        while len(self.pending) > most and not self.stopped():
            done, self.pending = wait(self.pending, timeout=_POLL, return_when=FIRST_COMPLETED)
            for job in done:
                self.take(*job.result())
            self.report()

    def report(self) -> None:
        self.out.seconds = time.monotonic() - self.clock
        self.tell(self.out)

    def take(self, group: _Group, found: list[Bad | None]) -> None:
        """Count a group's files, as far as they were hashed."""
        right = self.right.setdefault(group.pair, []) if group.live else []
        for entry, bad in zip(group.entries, found, strict=False):
            self.out.files += 1
            self.out.bytes += max(entry.size, 0)
            if bad is None:
                right.append(entry.fn)
            else:
                self.out.bad.append(bad)
        if sum(map(len, self.right.values())) > _NOTE_FILES or time.monotonic() - self.noted > _NOTE_SECONDS:
            self.note()

    def note(self) -> None:
        """Write down which files were right, for a pass that is stopped."""
        for pair, fns in self.right.items():
            self.inventory.mark_verified(*pair, fns, time.time())
        self.right, self.noted = {}, time.monotonic()


def _hash_all(group: _Group, halt: threading.Event) -> tuple[_Group, list[Bad | None]]:
    """Hash the files of a group in turn; the list is shorter where `halt` was set."""
    buffer, out = bytearray(_BLOCK), list[Bad | None]()
    for entry in group.entries:
        bad = _check(group, entry, buffer, halt)
        if halt.is_set():
            break
        out.append(bad)
    return group, out


def _check(group: _Group, entry: Entry, buffer: bytearray, halt: threading.Event) -> Bad | None:
    """Hash one file. Digests of 16 bytes are md5: some old records have nothing better, some not even that."""
    kind = "md5" if len(entry.digest) == 16 else "sha256"
    expected = f"{kind}:{entry.digest.hex()}" if entry.digest else f"{entry.size} bytes"
    digest, view = hashlib.new(kind, usedforsecurity=False), memoryview(buffer)
    try:
        with open(f"{group.folder}/{entry.fn}", "rb", buffering=0, opener=_no_link) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != entry.size >= 0:
                return Bad(*group.pair, entry.fn, "size", expected, f"{size} bytes instead of {entry.size}")
            while (count := stream.readinto(buffer)) and not halt.is_set():
                digest.update(view[:count])
    except FileNotFoundError:
        return Bad(*group.pair, entry.fn, "missing", expected)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return Bad(*group.pair, entry.fn, "missing", expected, "a link in its place")
        return Bad(*group.pair, entry.fn, "unreadable", expected, error.strerror or str(error))
    if entry.digest and digest.digest() != entry.digest:
        return Bad(*group.pair, entry.fn, "hash", expected, f"{kind}:{digest.hexdigest()}")
    return None


def _no_link(path: str, flags: int) -> int:
    """Open a file itself: what a link leads to is not of this mirror, and a pipe would wait for ever."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _orphans(store: Store, inventory: Inventory) -> Iterator[str]:
    for pair in inventory.folders():
        yield from ("/".join((*pair, name)) for name in named.orphans(store, inventory, pair))
