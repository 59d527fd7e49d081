"""`mirrortui serve` against one worker process of nginx on the same files. Run by hand; it fails nothing.

    python -m tests.benchmarks.serve                 100 KB and 1 MB, 4 turns of 4 seconds for each server
    python -m tests.benchmarks.serve --seconds 8 -n 7

wrk asks both for the same files over 16 kept connections, in turn, A B B A; the ratio is taken within a turn. Needs
nginx and wrk. Load and server share the cores.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirrortui import config as settings
from tests.benchmarks.loopback_nginx import serving

FILES = 100
SUBDIR = Path("lab", "noarch")
SIZES = (("100 KB files", 100_000, 0.5, 0.6), ("1 MB files", 1_000_000, 0.8, 1.0))
"""What, bytes, budget and goal of the ratio."""

_LUA = """
local number = 0
request = function()
  number = (number + 7) % {files}
  return wrk.format("GET", "/{subdir}/p" .. number .. "-{size}-0.conda")
end
"""


def main() -> None:
    """Measure both sizes and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("-n", type=int, default=4, help="turns (default 4)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mirrortui-serve-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker may be another account
        root = made(folder)
        with serving(root, workers=1) as addresses, ours(folder, root) as url:
            print(f"{'':14} {'ours/s':>8} {'nginx/s':>8} {'ratio':>7} {'within':>12} {'budget':>7} {'goal':>6}")
            for what, size, budget, goal in SIZES:
                script = folder / f"{size}.lua"
                script.write_text(_LUA.format(files=FILES, subdir=SUBDIR, size=size), encoding="ascii")
                turns = []
                for number in range(options.n):
                    order = [("ours", url), ("nginx", addresses.http)]
                    turns.append(
                        {w: rate(base, script, options.seconds) for w, base in order[:: -1 if number % 2 else 1]}
                    )
                _row(what, turns, budget, goal)


def made(folder: Path) -> Path:
    """A root with files of each size in one subdir."""
    root = folder / "root"
    place = root / SUBDIR
    place.mkdir(parents=True)
    for _, size, _, _ in SIZES:
        for number in range(FILES):
            (place / f"p{number}-{size}-0.conda").write_bytes(os.urandom(size))
    return root


@contextmanager
def ours(folder: Path, root: Path) -> Iterator[str]:
    """The built-in server, in a process of its own; gives its URL."""
    places = {"name": "lab", "root": str(root), "url": "http://127.0.0.1", "state": str(folder / "state")}
    channels = [{"name": "lab", "upstreams": [root.as_uri()], "subdirs": ["noarch"]}]
    toml = folder / "mirror.toml"
    settings.save(settings.from_dict({"version": 1, "mirror": places, "channels": channels}), toml)
    command = [sys.executable, "-m", "mirrortui", "serve", "--config", str(toml), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def rate(base: str, script: Path, seconds: int) -> float:
    """Answers a second; every one of them must be good."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", str(script), base]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        sys.exit(f"{base}: {told}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", told)
    assert found is not None, told
    return float(found[1])


def _row(what: str, turns: list[dict[str, float]], budget: float, goal: float) -> None:
    ratios = [turn["ours"] / turn["nginx"] for turn in turns]
    ratio, within = statistics.median(ratios), f"{min(ratios):.2f}-{max(ratios):.2f}"
    here, there = (statistics.median(turn[which] for turn in turns) for which in ("ours", "nginx"))
    missed = "   !" if ratio < budget else ""
    print(f"{what:14} {here:8.0f} {there:8.0f} {ratio:6.2f}x {within:>12} {budget:6.1f}x {goal:5.1f}x{missed}")


if __name__ == "__main__":
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed")
    main()
