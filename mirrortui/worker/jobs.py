"""The transfers that a run's work asks for."""

from collections.abc import Iterator

import numpy as np

from mirrortui import channels, naming
from mirrortui.config import MirrorConfig
from mirrortui.mirror.planning import Work
from mirrortui.mirror.store import Store
from mirrortui.transfer.engine import next_path
from mirrortui.transfer.job import Job

Pair = tuple[str, str]


def jobs(config: MirrorConfig, store: Store, todo: Work) -> Iterator[Job]:
    """Yield a job for each file to fetch or to hash: the largest files first, so that no large one is left alone at the end."""
    order: list[tuple[int, Pair, int]] = []
    for pair, item in todo.items():
        rows = np.flatnonzero(item.add | item.replace | item.check)
        order += zip(item.chosen.index.size[rows].tolist(), [pair] * len(rows), rows.tolist(), strict=True)
    order.sort(key=lambda entry: -entry[0])
    bases = {channel.name: channels.upstreams(channel) for channel in config.channels}
    for size, pair, row in order:
        item = todo[pair]
        fn, replace = item.chosen.index.fn(row), bool(item.replace[row])
        part, final = store.part(*pair, fn), store.package(*pair, fn)
        yield Job(
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
