"""All metadata that the mirror has published, live and in snapshots, against what was noted when it was."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from mirrortui.mirror import channeldata, digests, mark, snapshots
from mirrortui.mirror.digests import Halted, Reader
from mirrortui.mirror.faults import Bad
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.store import Store

_POLL = 0.2

Pair = tuple[str, str]
Job = Callable[[Reader], list[Bad]]


@dataclass
class Checked:
    """What a pass over the metadata has found; `files` and `bytes` were hashed."""

    files: int = 0
    bytes: int = 0
    bad: list[Bad] = field(default_factory=list)


def verify(
    store: Store, inventory: Inventory, *, threads: int = 1, stopped: Callable[[], bool] = lambda: False
) -> Checked:
    """Hash it all; a pass that is `stopped` returns what it has found so far."""
    halt, out = threading.Event(), Checked()
    reader = Reader(halt)
    if stopped():
        return out
    with ThreadPoolExecutor(threads) as pool:
        pending = {pool.submit(_halted, job, reader) for job in _jobs(store, inventory)}
        while pending:
            done, pending = wait(pending, timeout=_POLL, return_when=FIRST_COMPLETED)
            for job in done:
                out.bad += job.result()
            if stopped():
                halt.set()
    out.files, out.bytes = reader.files, reader.bytes
    out.bad.sort()
    return out


def of(store: Store, inventory: Inventory, pair: Pair) -> list[Bad]:
    """What is wrong with the live metadata of a subdir, or of a channel (subdir "") as a whole."""
    return [bad for mine, job in _live(store, inventory) if mine == pair for bad in job(Reader())]


def missing(store: Store, inventory: Inventory) -> list[str]:
    """Files that were published and are not there any more, as paths below the root; nothing is read."""
    out = []
    for pair in inventory.folders():
        last = inventory.published(*pair)
        names = digests.noted(last) if last else ()
        out += ["/".join((*pair, name)) for name in names if not (store.folder(*pair) / name).is_file()]
    return out


def _halted(job: Job, reader: Reader) -> list[Bad]:
    try:
        return job(reader)
    except Halted:
        return []


def _jobs(store: Store, inventory: Inventory) -> Iterator[Job]:
    yield from (job for _, job in _live(store, inventory))
    for place in snapshots.places(store):
        yield from _snapshot(place)


def _live(store: Store, inventory: Inventory) -> Iterator[tuple[Pair, Job]]:
    pairs = inventory.folders()
    for pair in pairs:
        last = inventory.published(*pair)
        if last is not None:
            yield pair, _subdir(store.folder(*pair), pair, digests.noted(last))
    for channel in dict.fromkeys(channel for channel, _ in pairs):
        digest = channeldata.noted(inventory, channel)
        if digest is not None:
            yield (channel, ""), _file(store.root / channel, (channel, ""), channeldata.NAME, digest)


def _subdir(folder: Path, pair: Pair, wanted: dict[str, str]) -> Job:
    return lambda reader: digests.check(folder, pair, wanted, reader) + digests.strays(folder, pair, wanted)


def _file(folder: Path, pair: Pair, name: str, digest: str) -> Job:
    def job(reader: Reader) -> list[Bad]:
        found = digests.one(folder, pair, name, digest, reader)
        return [found] if isinstance(found, Bad) else []

    return job


def frozen(place: Path, reader: Reader | None = None) -> list[Bad]:
    """What is wrong with the metadata of the snapshot in a folder."""
    shared = reader or Reader()
    return [bad for job in _snapshot(place) for bad in job(shared)]


def _snapshot(place: Path) -> Iterator[Job]:
    """A snapshot's files, as far as it is known which it has: its mark says so."""
    name = f"{snapshots.FOLDER}/{place.name}"
    wanted = mark.noted(place)
    if wanted is None:
        if mark.read(place) is None:  # no snapshot at all
            return
        what = "missing" if not os.path.lexists(place / mark.MARK) else "unreadable"
        yield lambda _: [Bad(name, "", mark.MARK, what, "a whole file")]
        return
    for (channel, subdir), files in wanted.items():
        yield _frozen(place / channel / subdir, (f"{name}/{channel}", subdir), files)


def _frozen(folder: Path, pair: Pair, wanted: dict[str, str]) -> Job:
    return lambda reader: digests.check(folder, pair, wanted, reader)
