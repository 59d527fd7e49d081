"""Our engine against curl, aria2, wget and conda-mirror, side by side on loopback. Run by hand; it fails nothing.

    python -m tests.benchmarks.transfer                     all parts, about ten minutes
    python -m tests.benchmarks.transfer --quick             smaller trees, for a look
    python -m tests.benchmarks.transfer --only large late -n 4
    python -m tests.benchmarks.transfer --only mirror --conda-mirror VENV/bin/conda-mirror
    python -m tests.benchmarks.transfer --nothing-to-do     a run over 1,000,000 files that are all there

Needs nginx (with libnginx-mod-http-echo for `late`), openssl and curl; aria2 and wget take part where installed. The
contenders run in turn, A B C C B A, and every ratio is taken within a turn: compare figures of one run only. Ours
checks sha256 while bytes stream, journals, and keeps receipts. Its `net` seconds and its CPU leave out the start of the
process, its `wall` seconds do not. Trees are kept in `--folder`, some 4 GB. Files land in memory where /dev/shm is large enough: this measures
processors, not disks. Budgets hold on two quiet cores, shared with the server; CPU seconds tell a slow program from a
busy machine.
"""

import argparse
import random
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tests.benchmarks import nothing_to_do, peers
from tests.benchmarks.loopback_nginx import DELAY, Addresses, serving
from tests.benchmarks.made_tree import Tree, made
from tests.benchmarks.peers import Measured, Task
from tests.process import faults, faulty

OURS = "mirrortui engine"
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Budget:
    """Of a ratio of rates, ours over a peer's; or, without a peer, of a figure of ours (`least` or `most`)."""

    what: str
    budget: float
    goal: float
    peer: str = ""
    figure: str = "rate"
    most: bool = False


@dataclass(frozen=True)
class Part:
    """One comparison. `unit` is what a rate counts: files or MB."""

    title: str
    kind: str
    names: tuple[str, ...]
    budgets: tuple[Budget, ...]
    unit: str = "files"
    connections: int = 16
    files: int | None = None
    server: str = "https"


SMALL = ("curl -Z", "curl -Z, HTTP/1.1", "curl -Z + sha256sum", "aria2c, checksums", "wget -i", "one curl a file")
PARTS = {
    "small": Part(
        "small files over HTTPS",
        "small",
        (OURS, *SMALL, "mirrortui sync"),
        (
            Budget("files/s against curl -Z, which verifies nothing", 0.7, 1.0, "curl -Z"),
            Budget("against aria2c with checksums", 1.4, 2.0, "aria2c, checksums"),
            Budget("against curl -Z + sha256sum", 1.7, 2.2, "curl -Z + sha256sum"),
            Budget("against one curl and sha256sum a file", 8, 12, "one curl a file"),
            Budget("CPU s/GB", 2.0, 1.7, figure="cpu", most=True),
            Budget("peak RSS, MB", 150, 120, figure="rss", most=True),
        ),
    ),
    "plain": Part(
        "small files over HTTP", "small", (OURS, "curl -Z", "curl -Z + sha256sum", "wget -i"), (), server="http"
    ),
    "large": Part(
        "large files over HTTPS",
        "large",
        (OURS, "curl -Z", "curl -Z, HTTP/1.1", "curl -Z + sha256sum"),
        (
            Budget("MB/s against curl -Z", 1.0, 1.4, "curl -Z"),
            Budget("CPU s/GB", 2.0, 1.7, figure="cpu", most=True),
            Budget("peak RSS, MB", 150, 120, figure="rss", most=True),
        ),
        unit="MB",
        connections=4,
    ),
    "late": Part(
        f"tiny files, {DELAY * 1000:.0f} ms a request, 32 connections",
        "tiny",
        (OURS, "curl -Z", "aria2c, checksums"),
        (Budget("share of connections / 0.03 s", 0.9, 0.97, figure="share"),),
        connections=32,
        files=4000,
        server="delayed",
    ),
    "late128": Part(
        f"tiny files, {DELAY * 1000:.0f} ms a request, 128 connections",
        "tiny",
        (OURS, "curl -Z"),
        (Budget("share of connections / 0.03 s", 0.7, 0.9, figure="share"),),
        connections=128,
        files=4000,
        server="delayed",
    ),
    "mirror": Part(
        "small files over HTTPS, against PyPI's conda-mirror",
        "small",
        (OURS, "conda-mirror"),
        (Budget("files/s against conda-mirror", 8, 12, "conda-mirror"),),
    ),
}
FAULTY = "faulty"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(platformdirs.user_cache_dir("mirrortui")) / "benchmarks")
    parser.add_argument("--quick", action="store_true", help="1,000 small files, 3 x 200 MB")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, FAULTY], default=[*PARTS, FAULTY], metavar="PART")
    parser.add_argument("-n", type=int, default=4, help="turns (default 4)")
    parser.add_argument("--conda-mirror", default="", metavar="PROGRAM", help="else `mirror` is left out")
    parser.add_argument("--nothing-to-do", action="store_true", help="measure only that")
    options = parser.parse_args()
    if options.conda_mirror:
        peers.PEERS["conda-mirror"] = (options.conda_mirror, peers.conda_mirror(options.conda_mirror))
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.nothing_to_do:
        nothing_to_do.report(options.folder, options.n, records=100_000 if options.quick else 1_000_000)
        return
    with serving(options.folder) as addresses:
        for key in options.only:
            if key == FAULTY:
                _faulty(options.folder)
            elif PARTS[key].server == "delayed" and not addresses.delayed:
                print(f"{PARTS[key].title}: left out, nginx has no echo module\n")
            elif key != "mirror" or options.conda_mirror:
                _part(PARTS[key], addresses, options)


# -------------------------------------------------------------------------------------------- a comparison


def _part(part: Part, addresses: Addresses, options: argparse.Namespace) -> None:
    quick = f"{part.kind}-quick" if options.quick and part.kind in ("small", "large") else part.kind
    tree = made(options.folder, quick)
    base = {"http": addresses.http, "https": addresses.https, "delayed": addresses.delayed}[part.server]
    names = [name for name in part.names if name in peers.PEERS and peers.present(name)]
    missing = [name for name in part.names if name not in names]
    turns: list[dict[str, Measured]] = []
    for number in range(options.n):
        order = names if number % 2 == 0 else names[::-1]
        turns.append({name: _run(name, tree, base, addresses, part) for name in order})
    size = sum(file.size for file in tree.files[: part.files])
    print(
        f"{part.title}: {len(tree.files[: part.files]):,} files, {size / 1e9:.2f} GB, {options.n} turns, {part.connections} connections"
    )
    print(f"{'':22} {'wall s':>7} {'net s':>7} {'files/s':>8} {'MB/s':>6} {'CPU s/GB':>8} {'RSS MB':>7}  right")
    for name in names:
        _row(name, [turn[name] for turn in turns])
    for name in missing:
        print(f"{name:22} not installed")
    print()
    for budget in part.budgets:
        _judge(budget, part, turns)
    print(flush=True)


def _run(name: str, tree: Tree, base: str, addresses: Addresses, part: Part) -> Measured:
    with _Scratch(tree.size) as (to, work):
        ca = str(addresses.ca) if base.startswith("https") else ""
        task = Task(tree, base, ca, to, work, part.connections, tree.files[: part.files])
        return peers.measure(peers.PEERS[name][1](task), tree.folder.parent)


class _Scratch:
    """An empty folder to download to, in memory where there is room, and one for lists; both removed at the end."""

    def __init__(self, size: int) -> None:
        roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * size + (1 << 30)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-to-", dir=MEMORY if roomy else None))

    def __enter__(self) -> tuple[Path, Path]:
        folders = self.folder / "to", self.folder / "work"
        for folder in folders:
            folder.mkdir()
        return folders

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


def _rate(run: Measured, unit: str) -> float:
    return (len(run.files) if unit == "files" else run.size / 1e6) / run.net


def _row(name: str, runs: list[Measured]) -> None:
    size, files, right = runs[0].size, len(runs[0].files), min(run.right for run in runs)
    wall, net, cpu, rss = (
        statistics.median(getattr(run, key) for run in runs) for key in ("wall", "net", "cpu", "rss")
    )
    rates = f"{files / net:8.0f} {size / net / 1e6:6.0f} {cpu / size * 1e9:8.2f}"
    note = f"{'all' if right == files else right} of {files}"
    print(f"{name:22} {wall:7.2f} {net:7.2f} {rates} {f'{rss:.0f}' if rss else '':>7}  {note}")


def _judge(budget: Budget, part: Part, turns: list[dict[str, Measured]]) -> None:
    if budget.peer and budget.peer not in turns[0]:
        return
    values = [_figure(budget, part, turn) for turn in turns]
    value = statistics.median(values)
    missed = value > budget.budget if budget.most else value < budget.budget
    sign, within = "<=" if budget.most else ">=", f"{min(values):.2f}-{max(values):.2f}"
    print(
        f"  {budget.what:50} {value:7.2f}  ({within})  budget {sign} {budget.budget:g}, goal {budget.goal:g}{'   !' if missed else ''}"
    )


def _figure(budget: Budget, part: Part, turn: dict[str, Measured]) -> float:
    ours = turn[OURS]
    if budget.figure == "cpu":
        return ours.cpu / ours.size * 1e9
    if budget.figure == "rss":
        return ours.rss
    if budget.figure == "share":
        return _rate(ours, "files") * DELAY / part.connections
    return _rate(ours, part.unit) / _rate(turn[budget.peer], part.unit)


# ------------------------------------------------------------------------------------------ bad upstreams


def _faulty(folder: Path) -> None:
    """5 % 503 or 429, 5 % bodies that end early: all files must be right, by their hash."""
    tree = made(folder, FAULTY)
    rnd = random.Random(7)

    def rule(asked: faulty.Asked) -> faulty.Fault | None:
        draw = rnd.random()
        if draw < 0.05:
            return faults.status(503 if draw < 0.025 else 429, retry_after=0)
        return faults.cut(rnd.randrange(1000)) if draw < 0.1 else None

    print(f"5 % 503 and 429, 5 % bodies cut: {len(tree.files):,} files, {tree.size / 1e6:.0f} MB")
    for name in filter(peers.present, (OURS, "curl -Z", "aria2c, checksums")):
        with faulty.FaultyUpstream(folder, rule=rule) as upstream, _Scratch(tree.size) as (to, work):
            command = peers.PEERS[name][1](Task(tree, upstream.url, "", to, work, 16, tree.files))
            run = peers.measure(command, folder)
            right = sum(_hash(command.found / file.fn) == file.sha256 for file in tree.files)
            short = sum((command.found / file.fn).is_file() for file in tree.files) - right
        print(f"{name:22} {run.wall:7.2f} s  {right:5} right, {short} wrong under their final name")
    print(flush=True)


def _hash(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


if __name__ == "__main__":
    main()
