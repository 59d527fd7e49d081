"""Indexes of a million records: reading, estimating, closing, filtering, sharding. Run by hand; it fails nothing.

    python -m tests.benchmarks.repodata                    all parts, about five minutes
    python -m tests.benchmarks.repodata --quick            100,000 records, for a look
    python -m tests.benchmarks.repodata --only shards filter -n 5

The made channel (`made_repodata.py`: nine tenths linux-64, one tenth noarch) and its cached columns are kept in
`--folder`, by default below this account's cache: some 2 GB for a million records. Every part runs in processes of
its own, so that one's memory is not another's. Budgets hold for the full size on two quiet cores; `cpu` (all threads
and children) is there to tell a slow program from a busy machine.

ext4 does not hand out an inode again for some minutes after a file was deleted, and looks past each one: where 30,000
shards were just removed, making them anew takes ten seconds of system time instead of one. Let it rest for six
minutes between two calls, or give a `--folder` on a memory file system.

Peak RSS is the process's own high-water mark, which counts pages of mapped column files too.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from tests.benchmarks.repodata_parts import Bench

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
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    records = FEW if options.quick else RECORDS
    if options.one:
        _report(options.one, options.folder, records, options.scratch)
        return
    _child("prepare", options, options.folder)
    print(f"{records:,} records, median of {options.n} processes\n")
    print(f"{'what':40} {'median':>9} {'budget':>9} {'goal':>9} {'cpu':>9} {'peak RSS':>9} {'budget':>9}")
    for key in options.only:
        # What the runs leave goes when all are done, not between them (see above).
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="run-") as scratch:
            part, runs = PARTS[key], [_child(key, options, Path(scratch)) for _ in range(options.n)]
        wall, cpu, peak = (statistics.median(run[what] for run in runs) for what in ("wall", "cpu", "peak"))
        memory = "" if part.memory is None else f"{part.memory:.0f} MB"
        sign = " !" if wall > part.budget or (part.memory is not None and peak > part.memory) else ""
        times = " ".join(f"{_seconds(value):>9}" for value in (wall, part.budget, part.goal, cpu))
        print(f"{part.title:40} {times} {peak:6.0f} MB {memory:>9}{sign}  {runs[0]['note']}", flush=True)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def _child(key: str, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", __spec__.name, "--one", key, "--folder", options.folder, "--scratch", scratch]
    done = subprocess.run([*command, *(["--quick"] if options.quick else [])], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# --------------------------------------------------------------------------- in a process of its own


def _report(key: str, folder: Path, records: int, scratch: Path) -> None:
    """Run one part and print its figures as JSON."""
    bench = Bench(folder, records)
    if key == "prepare":
        bench.prepare()
        print("{}")
        return
    walls, cpus, note = getattr(bench, key.replace("-", "_"))(Path(tempfile.mkdtemp(dir=scratch)))
    print(json.dumps({"wall": statistics.median(walls), "cpu": statistics.median(cpus), "peak": _peak(), "note": note}))


def _peak() -> float:
    """High-water mark of this process in MB; getrusage would begin with the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
