"""The transfers that a run's work asks for."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from mirrortui import channels, naming
from mirrortui.config import MirrorConfig
from mirrortui.mirror.planning import Work
from mirrortui.mirror.store import Store
from mirrortui.transfer.engine import next_path
from mirrortui.transfer.job import Job
from mirrortui.transfer.retry import host_of

BLOCK = 4096
"""Files whose places are looked up in one go: single values of an array are slow, a list of a million is large."""

Pair = tuple[str, str]


def lanes(config: MirrorConfig, store: Store, todo: Work) -> list[Iterator[Job]]:
    """For each host, the files to fetch or to hash that are asked of it first; the largest first, so that no large one is left alone at the end."""
    bases = {channel.name: channels.upstreams(channel) for channel in config.channels}
    by_host: dict[str, list[Pair]] = {}
    for pair in todo:
        by_host.setdefault(host_of(bases[pair[0]][0]), []).append(pair)
    return [_jobs(bases, store, todo, pairs) for pairs in by_host.values()]


def again(jobs: Iterable[Job]) -> list[list[Job]]:
    """Lanes of given jobs."""
    by_host: dict[str, list[Job]] = {}
    for job in jobs:
        by_host.setdefault(host_of(job.urls[0]), []).append(job)
    return list(by_host.values())


def _jobs(bases: Mapping[str, tuple[str, ...]], store: Store, todo: Work, pairs: list[Pair]) -> Iterator[Job]:
    rows = [np.flatnonzero(todo[pair].add | todo[pair].replace | todo[pair].check).astype(np.int32) for pair in pairs]
    sizes = np.concatenate([todo[pair].chosen.index.size[found] for pair, found in zip(pairs, rows, strict=True)])
    which = np.repeat(np.arange(len(pairs), dtype=np.int16), list(map(len, rows)))
    row = np.concatenate(rows)
    order = np.argsort(-sizes, kind="stable").astype(np.int32)
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        for size, number, place in zip(sizes[block].tolist(), which[block].tolist(), row[block].tolist(), strict=True):
            yield _job(bases, store, todo, pairs[number], place, size)


def _job(bases: Mapping[str, tuple[str, ...]], store: Store, todo: Work, pair: Pair, row: int, size: int) -> Job:
    item = todo[pair]
    fn, replace = item.chosen.index.fn(row), bool(item.replace[row])
    part, final = store.part(*pair, fn), store.package(*pair, fn)
    return Job(
        *pair,
        row,
        fn,
        tuple(naming.join_url(base, pair[1], fn) for base in bases[pair[0]]),
        size,
        item.chosen.index.digest(row),
        part,
        next_path(part) if replace else final,
        check=bool(item.check[row]) or replace,
        replace=replace,
    )
