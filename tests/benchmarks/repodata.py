"""Indexes of a million records: reading, estimating, closing, filtering, sharding. Run by hand; it fails nothing.

    python -m tests.benchmarks.repodata                    all parts, about five minutes
    python -m tests.benchmarks.repodata --quick            100,000 records, for a look
    python -m tests.benchmarks.repodata --only shards filter -n 5

The made channel (`made_repodata.py`: nine tenths linux-64, one tenth noarch) and its cached columns are kept in
`--folder`, by default below this account's cache: some 2 GB for a million records. Every part runs in processes of
its own, so that one's memory is not another's. Budgets hold for the full size on two quiet cores; `cpu` (all threads
and children) is there to tell a slow program from a busy machine.

Peak RSS is the process's own high-water mark, which counts pages of mapped column files too.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

CHANNEL = "conda-forge"
RECORDS, FEW = 1_000_000, 100_000


@dataclass(frozen=True)
class Part:
    """One thing to measure: seconds and megabytes. `repeats` runs happen inside one process where opening is not the point."""

    title: str
    budget: float
    goal: float
    memory: float | None = None
    inside: bool = False


PARTS = {
    "index": Part("index linux-64, .zst to columns", 3, 2, 250),
    "reopen": Part("reopen the cached columns", 0.06, 0.01),
    "estimate": Part("estimate, all rules, one keystroke", 0.05, 0.02, inside=True),
    "include": Part("the same, a keystroke in include", 0.05, 0.02, inside=True),
    "browse": Part("filter the package browser", 0.05, 0.015, inside=True),
    "names": Part("closure by names, 100 names", 0.05, 0.016, inside=True),
    "closure": Part("exact closure, 100 names", 5, 1),
    "filter": Part("filtered .json + .zst, half of linux-64", 3, 1.9, 200),
    "shards": Part("shards of linux-64", 8, 5, 300),
    "explain": Part("explain one spec", 1, 0.2, inside=True),
    "explain-cold": Part("the same with the whole decision", 8, 2),
}


def main() -> None:
    """Measure the chosen parts and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(platformdirs.user_cache_dir("mirrortui")) / "benchmarks")
    parser.add_argument("--quick", action="store_true", help=f"{FEW:,} records instead of {RECORDS:,}")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("-n", type=int, default=3, help="processes for each part (default 3)")
    parser.add_argument("--one", choices=("prepare", *PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    records = FEW if options.quick else RECORDS
    if options.one:
        _report(options.one, options.folder, records)
        return
    _child("prepare", options)
    print(f"{records:,} records, median of {options.n} processes\n")
    print(f"{'what':40} {'median':>9} {'budget':>9} {'goal':>9} {'cpu':>9} {'peak RSS':>9} {'budget':>9}")
    for key in options.only:
        part, runs = PARTS[key], [_child(key, options) for _ in range(options.n)]
        wall, cpu, peak = (statistics.median(run[what] for run in runs) for what in ("wall", "cpu", "peak"))
        memory = "" if part.memory is None else f"{part.memory:.0f} MB"
        sign = " !" if wall > part.budget or (part.memory is not None and peak > part.memory) else ""
        times = " ".join(f"{_seconds(value):>9}" for value in (wall, part.budget, part.goal, cpu))
        print(f"{part.title:40} {times} {peak:6.0f} MB {memory:>9}{sign}  {runs[0]['note']}", flush=True)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def _child(key: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", __spec__.name, "--one", key, "--folder", str(options.folder)]
    done = subprocess.run([*command, *(["--quick"] if options.quick else [])], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# --------------------------------------------------------------------------- in a process of its own


def _report(key: str, folder: Path, records: int) -> None:
    """Run one part and print its figures as JSON."""
    bench = _Bench(folder, records)
    if key == "prepare":
        bench.prepare()
        print("{}")
        return
    scratch = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    try:
        walls, cpus, note = getattr(bench, key.replace("-", "_"))(scratch)
    finally:
        shutil.rmtree(scratch)
    print(json.dumps({"wall": statistics.median(walls), "cpu": statistics.median(cpus), "peak": _peak(), "note": note}))


def _peak() -> float:
    """High-water mark of this process in MB; getrusage would begin with the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


Measured = tuple[list[float], list[float], str]


def _timed(work: Callable[..., object], *arguments: tuple[Any, ...]) -> tuple[list[float], list[float], Any]:
    """Wall and CPU seconds of each call, and what the last one returned."""
    walls, cpus, out = [], [], None
    for given in arguments or ((),):
        wall, cpu = time.perf_counter(), sum(os.times()[:4])
        process = time.process_time()
        out = work(*given)
        walls.append(time.perf_counter() - wall)
        children = sum(os.times()[:4]) - cpu
        cpus.append(max(time.process_time() - process, children if children > 0.5 else 0))
    return walls, cpus, out


class _Bench:
    """The parts, each importing what it measures before the clock runs."""

    def __init__(self, folder: Path, records: int) -> None:
        self.folder, self.state = folder, folder / f"state-{records}"
        self.sizes = {"linux-64": records * 9 // 10, "noarch": records // 10}

    def prepare(self) -> None:
        """Make the channel, read it into the cache, and warm what is made once for an index."""
        from mirrortui.catalog import cache
        from mirrortui.catalog.decode import FORMAT
        from mirrortui.catalog.index import Source
        from mirrortui.selection.names import graph
        from tests.benchmarks.made_repodata import made

        for subdir, count in self.sizes.items():
            body = made(self.folder, subdir, count)
            place = cache.folder(self.state, CHANNEL, subdir)
            url = f"{body.name} in format {FORMAT}"
            known = cache.read_usable(place)
            if known is not None and known.url == url:
                continue
            with cache.staging(place) as fresh:
                os.link(body, fresh / "body.json.zst")
                cache.decode_into(fresh)
                cache.write_source(place, Source(url=url, status="ok", folder=fresh.name))
        for index in self._catalog():
            graph(index)

    def _catalog(self) -> Any:
        from mirrortui.catalog import cache

        return cache.open_catalog(self.state, [(CHANNEL, subdir) for subdir in self.sizes])

    def _config(self, **rules: Any) -> Any:
        from mirrortui.config import Channel, Mirror, MirrorConfig, Selection

        mirror = Mirror(name="bench", root="/srv/none", url="http://localhost", state=str(self.state))
        channel = Channel(name=CHANNEL, upstreams=("https://localhost/c",), subdirs=tuple(self.sizes))
        return MirrorConfig(mirror=mirror, channels=(channel,), selection=Selection(**rules))

    def _seeds(self, catalog: Any, count: int = 100) -> tuple[str, ...]:
        """Names all over the alphabet, in equal steps."""
        names = sorted(catalog.indexes[CHANNEL, "linux-64"].names)
        return tuple(names[:: max(len(names) // count, 1)][:count])

    def index(self, scratch: Path) -> Measured:
        from mirrortui.catalog import cache
        from tests.benchmarks.made_repodata import made

        import rattler  # noqa: F401, I001 - its import is no part of the figure

        os.link(made(self.folder, "linux-64", self.sizes["linux-64"]), scratch / "body.json.zst")
        walls, cpus, meta = _timed(cache.decode_into, (scratch,))
        return walls, cpus, f"{meta['rows']:,} records"

    def reopen(self, scratch: Path) -> Measured:
        from mirrortui.catalog import cache  # noqa: F401 - its import is no part of the figure
        from mirrortui.catalog.decode import COLUMNS

        def work() -> int:
            catalog = self._catalog()
            for index in catalog:
                for name in (*COLUMNS, "names", "versions", "licenses", "pythons", "version_ranks"):
                    len(getattr(index, name))
            return sum(int(index.size.sum()) for index in catalog)

        walls, cpus, total = _timed(work)
        return walls, cpus, f"{total / 1e12:.1f} TB"

    def _keystrokes(self, drafts: list[dict[str, Any]]) -> Measured:
        from mirrortui.selection.decide import decide_quickly
        from mirrortui.selection.estimate import estimate

        catalog = self._catalog()
        rules: dict[str, Any] = {
            "include": ("py*", "lib*", "r-*", "numpy", "*[license=MIT*]", "jupyter-*>=1.2"),
            "exclude": ("*-mesh", "*[build=*h0*]", "lib*<1"),
            "always": ("openssl", "py*key"),
            "exclude_licenses": ("GPL", "PROPRIETARY"),
            "python": ("3.10", "3.11", "3.12"),
            "newest_versions": 3,
            "newest_builds": 2,
            "before": "2025-06-01",
            "min_age": "7 days",
            "max_size": "500 MB",
        }

        def work(draft: dict[str, Any]) -> Any:
            config = self._config(**(rules | {key: (*rules[key], *texts) for key, texts in draft.items()}))
            decision = decide_quickly(catalog, config)
            return estimate(config, decision.selection, {}, free=1, total=1, approximate=decision.approximate)

        work({})
        walls, cpus, last = _timed(work, *((draft,) for draft in drafts))
        return walls, cpus, f"{last.records:,} records left; slowest {max(walls) * 1000:.0f} ms"

    def estimate(self, scratch: Path) -> Measured:
        typed = ["tor", "torc", "torch", "torch*", "torch*vis", "*torch*vis*", "web-*", "web-*>=2", "*wave*", "*wave"]
        return self._keystrokes([{"exclude": (text,)} for text in typed])

    def include(self, scratch: Path) -> Measured:
        typed = ["tor", "torc", "torch", "torch*", "torch*vis", "*torch*vis*", "web-*", "web-*>=2", "*wave*", "*wave"]
        return self._keystrokes([{"include": (text,)} for text in typed])

    def browse(self, scratch: Path) -> Measured:
        import numpy as np

        from mirrortui.selection.pattern import Pattern

        catalog = self._catalog()
        names, columns = list[str](), []
        for index in catalog:
            size = np.maximum(index.size, 0)
            names += index.names
            columns.append((np.bincount(index.name), np.bincount(index.name, weights=size)))
        records, total = (np.concatenate([column[at] for column in columns]) for at in (0, 1))

        def work(text: str) -> list[tuple[str, int, int]]:
            found = np.flatnonzero(Pattern(text).ok_each(names))
            found = found[np.argsort(-total[found], kind="stable")]
            rows = zip(found.tolist(), records[found].tolist(), total[found].tolist(), strict=True)
            return [(names[place], count, int(weight)) for place, count, weight in rows]

        walls, cpus, last = _timed(work, *((text,) for text in ("*", "*p*", "*py*", "*py*t*", "lib*", "*wave*")))
        return walls, cpus, f"{len(names):,} names; slowest {max(walls) * 1000:.0f} ms"

    def names(self, scratch: Path) -> Measured:
        from mirrortui.selection import names

        catalog = self._catalog()
        seeds = self._seeds(catalog)
        names.close(catalog, seeds[:1])
        walls, cpus, found = _timed(names.close, *[(catalog, seeds)] * 9)
        return walls, cpus, f"{len(found):,} names"

    def closure(self, scratch: Path) -> Measured:
        from mirrortui.selection import closure
        from mirrortui.selection.select import select

        import rattler  # noqa: F401, I001 - its import is no part of the figure

        catalog = self._catalog()
        config = self._config(include=self._seeds(catalog))
        chosen = select(catalog, config)
        walls, cpus, (closed, broken) = _timed(closure.close, (catalog, config, chosen))
        return walls, cpus, f"{chosen.records:,} to {closed.records:,} records, {len(broken)} broken"

    def _half(self) -> Any:
        import numpy as np

        index = self._catalog().indexes[CHANNEL, "linux-64"]
        return index, np.random.default_rng(1).random(index.rows) < 0.5

    def filter(self, scratch: Path) -> Measured:
        from mirrortui.config import Publish
        from mirrortui.mirror import staging

        index, keep = self._half()
        item = staging.Item("linux-64", index, keep)
        options = Publish(zst=True, bz2=False, shards=False, current=False)
        walls, cpus, out = _timed(staging.stage, (scratch, item, options, scratch))
        return walls, cpus, ", ".join(f"{path.stat().st_size / 1e6:.0f} MB" for path in out.values())

    def shards(self, scratch: Path) -> Measured:
        import numpy as np

        from mirrortui.mirror import shards

        index = self._half()[0]
        walls, cpus, body = _timed(shards.write, (index, np.ones(index.rows, bool), scratch, scratch))
        files = list((scratch / shards.FOLDER).iterdir())
        return walls, cpus, f"{len(files):,} shards, {sum(f.stat().st_size for f in files) / 1e6:.0f} MB, index {len(body) / 1e6:.1f} MB"

    def explain(self, scratch: Path) -> Measured:
        from mirrortui.selection.decide import decide
        from mirrortui.selection.explain import explain

        catalog = self._catalog()
        config = self._config(include=self._seeds(catalog), newest_versions=3)
        decision = decide(catalog, config)
        explain(config, decision, "numpy")
        walls, cpus, last = _timed(explain, *((config, decision, text) for text in ("libzlib", "tzdata >=2", "lib*", "openssl", "python 3.12.*")))
        return walls, cpus, f"slowest {max(walls) * 1000:.0f} ms"

    def explain_cold(self, scratch: Path) -> Measured:
        from mirrortui.selection.decide import decide
        from mirrortui.selection.explain import explain

        config = self._config(include=self._seeds(self._catalog()), newest_versions=3)
        walls, cpus, last = _timed(lambda: explain(config, decide(self._catalog(), config), "libzlib"))
        return walls, cpus, f"{len(last)} answers"


if __name__ == "__main__":
    main()
