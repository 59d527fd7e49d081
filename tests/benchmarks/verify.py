"""`mirrortui verify` against sha256sum on the same tree. Run by hand; it fails nothing.

    python -m tests.benchmarks.verify                       2 GB of files of real sizes, and half as much in small ones
    python -m tests.benchmarks.verify --gigabytes 8 -n 9
    python -m tests.benchmarks.verify --folder /srv/scratch --drop-caches    from a disk (as root)

Two processes in turn, A B B A: the whole `mirrortui verify` with start, inventory and orphans, and
`find … | xargs -P <cores> -n 64 sha256sum`, which compares nothing. Files lie in memory, so that this measures
processors, not disks. `cpu` (all children) tells a slow program from a busy machine.
"""

import argparse
import hashlib
import math
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from mirrortui import config as settings
from mirrortui.mirror.inventory import Entry, Inventory

BUDGET, GOAL = 2.0, 3.0
MEMORY = Path("/dev/shm")
LARGEST = 256 << 20
PAIR = ("lab", "linux-64")


class Took(NamedTuple):
    """Seconds, and CPU seconds of all threads and children."""

    wall: float
    cpu: float


def main() -> None:
    """Measure both trees and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=MEMORY if MEMORY.is_dir() else None, help="where the trees are made"
    )
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("-n", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--drop-caches", action="store_true", help="before each measurement; needs root")
    options = parser.parse_args()
    print(
        f"{'tree':24} {'ours MB/s':>10} {'sha256sum':>10} {'ratio':>7} {'budget':>7} {'goal':>6} {'cpu':>7} {'cpu of it':>10}"
    )
    for title, size, median in (
        ("files of real sizes", options.gigabytes * 1e9, 300e3),
        ("small files", options.gigabytes * 5e8, 15e3),
    ):
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="mirrortui-") as folder:
            count, total = make(Path(folder), int(size), median)
            turns = [turn(Path(folder), backwards=bool(n % 2), drop=options.drop_caches) for n in range(options.n)]
        ours, peer = ([t[which] for t in turns] for which in (0, 1))
        ratio = statistics.median(p.wall / o.wall for o, p in turns)
        speed = [statistics.median(total / 1e6 / t.wall for t in side) for side in (ours, peer)]
        cpu = [statistics.median(t.cpu for t in side) for side in (ours, peer)]
        print(
            f"{f'{count:,} {title}':24} {speed[0]:10.0f} {speed[1]:10.0f} {ratio:6.2f}x {BUDGET:6.1f}x {GOAL:5.1f}x"
            f" {cpu[0]:6.2f}s {cpu[1]:9.2f}s"
        )


def make(folder: Path, total: int, median: float) -> tuple[int, int]:
    """A mirror with files of lognormal sizes and an inventory that knows them; returns their number and bytes."""
    root, draw, block = folder / "root", random.Random(1), random.Random(2).randbytes(1 << 20)
    (root.joinpath(*PAIR)).mkdir(parents=True)
    entries: list[Entry] = []
    done = 0
    while done < total:
        path = root.joinpath(*PAIR, f"package{len(entries)}-1.0-0.conda")
        left = size = min(int(draw.lognormvariate(math.log(median), 2.0)), LARGEST) + 16
        digest = hashlib.sha256()
        with path.open("wb") as stream:
            for piece in (path.name.encode()[:16].ljust(16), *[block] * (left // len(block) + 1)):
                stream.write(piece[:left])
                digest.update(piece[:left])
                left -= len(piece[:left])
        entries.append(Entry(path.name, size, path.stat().st_mtime_ns, digest.digest()))
        done += size
    inventory = Inventory(folder / "state", write=True)
    inventory.put(*PAIR, entries)
    inventory.close()
    places = {"name": "lab", "root": str(root), "url": root.as_uri(), "state": str(folder / "state")}
    channels = [{"name": PAIR[0], "upstreams": [root.as_uri()], "subdirs": [PAIR[1]]}]
    settings.save(settings.from_dict({"version": 1, "mirror": places, "channels": channels}), folder / "mirror.toml")
    return len(entries), done


def turn(folder: Path, *, backwards: bool, drop: bool) -> tuple[Took, Took]:
    """Both in one order or the other; returns ours, theirs."""
    ours = [sys.executable, "-m", "mirrortui", "verify", "--config", str(folder / "mirror.toml")]
    cores = len(os.sched_getaffinity(0))
    peer = ["sh", "-c", f"find root -type f -print0 | xargs -0 -P {cores} -n 64 sha256sum >sums"]
    order = [("ours", ours), ("peer", peer)]
    found = {name: took(command, folder, drop) for name, command in (reversed(order) if backwards else order)}
    return found["ours"], found["peer"]


def took(command: list[str], folder: Path, drop: bool) -> Took:
    """Run a command to its end, which must be a good one."""
    if drop:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    if shutil.which("sha256sum") is None:
        sys.exit("sha256sum is not installed")
    main()
