"""A run over files that are all there: what a mirror does every night. No network, no file changes.

A made channel of five subdirs lies upstream behind `file://`; the tree has an empty file for every record, and the
inventory knows each with the record's hash, as nothing looks into a file that is known. The first run publishes;
measured are the runs after it, each in a process of its own, by the worker's own code.
"""

import asyncio
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mirrortui.catalog import cache
from mirrortui.catalog.index import Source
from mirrortui.config import Channel, Mirror, MirrorConfig, Publish
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.store import Store
from mirrortui.worker import conducting
from mirrortui.worker import run as worker
from mirrortui.worker.journal import Journal
from tests.benchmarks.made_repodata import FORM, made

CHANNEL = "conda-forge"
SUBDIRS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "noarch")
BUDGET, GOAL = 6, 4


def report(folder: Path, turns: int, *, records: int) -> None:
    """Make the mirror if it is not there, run it so often, and print seconds by phase."""
    home = folder / f"nothing-{records}-{FORM}"
    if not (home / "made").exists():
        print("making the mirror and publishing it once takes some minutes", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        _make(home, folder, records)
        _child(home)
        (home / "made").touch()
    _child(home)  # into the page cache
    runs = [_child(home) for _ in range(turns)]
    print(f"nothing to do, {records:,} records, {records // len(SUBDIRS):,} files a folder, {turns} runs\n")
    for phase in runs[0]["phases"]:
        print(f"{phase:12} {statistics.median(run['phases'][phase] for run in runs):7.2f} s")
    for key, words in (("wall", "run"), ("process", "whole process"), ("cpu", "CPU")):
        print(f"{words:12} {statistics.median(run[key] for run in runs):7.2f} s", end="")
        print(f"   budget <= {BUDGET} s, goal {GOAL} s" if key == "process" else "")
    print(f"peak RSS     {max(run['rss'] for run in runs):7.0f} MB")
    print(f"changed      {', '.join(sorted({run['told'] for run in runs}))}")


def _config(home: Path) -> MirrorConfig:
    return MirrorConfig(
        mirror=Mirror(name="bench", root=str(home / "root"), url="http://localhost", state=str(home / "state")),
        channels=(Channel(name=CHANNEL, upstreams=((home / "upstream").as_uri(),), subdirs=SUBDIRS),),
        publish=Publish(shards=False),
    )


def _make(home: Path, folder: Path, records: int) -> None:
    config = _config(home)
    store, inventory = Store(config.root), Inventory(config.state, write=True)
    for number, subdir in enumerate(SUBDIRS):
        body = made(folder, subdir, records // len(SUBDIRS), number + 1)
        upstream = home / "upstream" / subdir
        upstream.mkdir(parents=True)
        os.link(body, upstream / "repodata.json.zst")
        place = cache.folder(config.state, CHANNEL, subdir)
        with cache.staging(place) as fresh:
            os.link(body, fresh / "body.json.zst")
            cache.decode_into(fresh)
            cache.write_source(place, Source(url="made", status="ok", folder=fresh.name))
        index = cache.open_index(config.state, CHANNEL, subdir)
        assert index is not None
        entries = [Entry(fn, int(index.size[row]), 0, _digest(index, row)) for row, fn in enumerate(index.fns())]
        target = store.prepare(CHANNEL, subdir)
        for entry in entries:
            os.close(os.open(target / entry.fn, os.O_WRONLY | os.O_CREAT, 0o644))
        inventory.put(CHANNEL, subdir, entries)
    inventory.close()


def _digest(index: Any, row: int) -> bytes:
    found = index.digest(row)
    assert found is not None
    digest: bytes = found[1]
    return digest


def _child(home: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", __spec__.name, str(home)], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout) | {"process": time.perf_counter() - begun}
    return found


# ----------------------------------------------------------------------------------- in a process of its own


class _Timed(worker.Run):
    """A run that notes when each phase begins."""

    def __init__(self, config: MirrorConfig, journal: Journal) -> None:
        super().__init__(config, journal)
        self.begun: list[tuple[str, float]] = []

    def _phase(self, phase: str) -> None:
        self.begun.append((phase, time.perf_counter()))
        super()._phase(phase)


def _run(home: Path) -> None:
    config = _config(home)
    journal = Journal(config.state)
    journal.begin()
    run = _Timed(config, journal)
    start = time.perf_counter()
    ending = asyncio.run(conducting.conduct(run))
    run.close()
    end = time.perf_counter()
    marks = [*run.begun, ("", end)]
    phases = {phase: after - at for (phase, at), (_, after) in itertools.pairwise(marks)}
    changed = f"{run.progress.added} added, {run.progress.replaced} replaced, {ending.pruned} pruned, {ending.state}"
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    found = {"phases": phases, "wall": end - start, "cpu": time.process_time(), "rss": int(peak.split()[1]) / 1024}
    print(json.dumps(found | {"told": changed}), flush=True)
    os._exit(0)  # as the worker's own process ends


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
