"""Our engine on a made tree, in a process of its own, driven by the worker's own code.

Journal ticks, receipts in the inventory, part files and renames are those of a run; only reading an index and
publishing are left out, since no other contender does that. Prints one line of JSON.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mirrortui import naming
from mirrortui.config import Channel, Mirror, MirrorConfig, Transfer
from mirrortui.transfer.client import open_client
from mirrortui.transfer.engine import Engine
from mirrortui.transfer.job import Job
from mirrortui.worker import conducting
from mirrortui.worker import run as worker
from mirrortui.worker.ending import Ending
from mirrortui.worker.journal import Journal
from mirrortui.worker.progress import Count
from tests.benchmarks.made_tree import SUBDIR, Tree, made

CHANNEL = "bench"


class Bringing(worker.Run):
    """A run whose work is given: the files of a tree, all of them to be fetched."""

    def __init__(self, config: MirrorConfig, journal: Journal, tree: Tree) -> None:
        super().__init__(config, journal)
        self.tree, self.pair = tree, (CHANNEL, SUBDIR)
        self.seconds = self.cpu = 0.0

    def jobs(self) -> Iterator[Job]:
        base = self.config.channels[0].upstreams[0]
        order = sorted(range(len(self.tree.files)), key=lambda row: -self.tree.files[row].size)
        for row in order:
            file = self.tree.files[row]
            part, final = self.store.part(*self.pair, file.fn), self.store.package(*self.pair, file.fn)
            urls = (naming.join_url(base, SUBDIR, file.fn),)
            yield Job(*self.pair, row, file.fn, urls, file.size, ("sha256", bytes.fromhex(file.sha256)), part, final)

    async def execute(self) -> Ending:
        async with open_client(self.config) as client:
            settings = self.config.transfer
            self.engine = Engine(client, connections=settings.connections, retries=settings.retries, limit=self.limit)
            self.progress.subdirs[self.pair] = Count(files_total=len(self.tree.files), bytes_total=self.tree.size)
            self.receipts.verified[self.pair] = np.zeros(len(self.tree.files), bool)
            self.store.prepare(*self.pair)
            begun, cpu = time.perf_counter(), time.process_time()
            async with self._receipts_written():
                await self._bring([self.jobs()])
            self.receipts.flush()
            self.seconds, self.cpu = time.perf_counter() - begun, time.process_time() - cpu
        return Ending("done", "done").with_failures(len(self.failed), {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kind", required=True)
    parser.add_argument("--base", required=True, help="URL of the server's root")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--ca", default="")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--limit", type=int, default=0, help="only so many files")
    parser.add_argument("--profile", type=Path)
    options = parser.parse_args()
    tree = made(options.folder, options.kind)
    tree = dataclasses.replace(tree, files=tree.files[: options.limit or None])
    config = MirrorConfig(
        mirror=Mirror(
            name="bench", root=str(options.to / "root"), url="http://localhost", state=str(options.to / "state")
        ),
        channels=(Channel(name=CHANNEL, upstreams=(tree.url(options.base),), subdirs=(SUBDIR,)),),
        transfer=Transfer(connections=options.connections, ca_bundle=options.ca, retries=8),
    )
    config.state.mkdir(parents=True, exist_ok=True)
    run = Bringing(config, Journal(config.state), tree)
    run.journal.begin()
    if options.profile:
        import cProfile

        with cProfile.Profile() as profile:
            ending = asyncio.run(conducting.conduct(run))
        profile.dump_stats(options.profile)
    else:
        ending = asyncio.run(conducting.conduct(run))
    run.close()
    print(
        json.dumps(
            {"net": run.seconds, "cpu": run.cpu, "rss": _peak(), "state": ending.state, "failed": len(run.failed)}
        ),
        flush=True,
    )
    os._exit(0)  # as the worker's own process ends


def _peak() -> float:
    """High-water mark of this process in MB; getrusage would begin with the parent's."""
    lines: list[Any] = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
