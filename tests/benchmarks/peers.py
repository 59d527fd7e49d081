"""The contenders: our engine, our whole product, and the ways of administrators who have neither.

Each is a command line that brings the files of a `Task` to `task.to`. One that works on a sample says how many files
it brings; its figures are for those alone, so rates compare and times do not.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from mirrortui import config as settings
from mirrortui.config import Channel, Mirror, MirrorConfig, Transfer
from tests.benchmarks.made_tree import SUBDIR, File, Tree

SAMPLE = 200
"""Files for what starts a process a file."""

CHECKED = 'while read -r url out sum; do curl -sS --fail $TRUST -o "$out" "$url" && echo "$sum  $out" | sha256sum -c --quiet; done < "$LIST"'


@dataclass(frozen=True)
class Task:
    """Bring `files` of a tree from a base URL below `to`, an empty folder; `work` is for lists and such.

    `ca` is a certificate to trust, or empty.
    """

    tree: Tree
    base: str
    ca: str
    to: Path
    work: Path
    connections: int
    files: tuple[File, ...]

    def target(self, file: File) -> Path:
        """Where curl and the others put a file."""
        return self.to / file.fn

    def url(self, file: File) -> str:
        return f"{self.tree.url(self.base)}/{SUBDIR}/{file.fn}"

    def written(self, name: str, lines: list[str]) -> Path:
        """A list for a command line."""
        path = self.work / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path


@dataclass(frozen=True)
class Command:
    """What to run. `found` is the folder below `task.to` where the files are afterwards."""

    argv: list[str]
    files: tuple[File, ...]
    found: Path
    env: dict[str, str] = field(default_factory=dict)


Build = Callable[[Task], Command]


def engine(task: Task) -> Command:
    """Our engine, driven by the worker's code; sha256 is checked while bytes stream."""
    where = ["--folder", str(task.tree.folder.parent), "--kind", task.tree.kind, "--base", task.base]
    how = ["--to", str(task.to), "--ca", task.ca, "--connections", str(task.connections)]
    limit = ["--limit", str(len(task.files))]
    argv = [sys.executable, "-m", "tests.benchmarks.engine_driver", *where, *how, *limit]
    return Command(argv, task.files, task.to / "root" / "bench" / SUBDIR)


def product(task: Task) -> Command:
    """`mirrortui sync`: index, plan, transfer, publishing, journal, from start to end of the process."""
    path = task.work / "mirror.toml"
    mirror = MirrorConfig(
        mirror=Mirror(name="bench", root=str(task.to / "root"), url="http://localhost", state=str(task.to / "state")),
        channels=(Channel(name="bench", upstreams=(task.tree.url(task.base),), subdirs=(SUBDIR, "noarch")),),
        transfer=Transfer(connections=task.connections, ca_bundle=task.ca),
    )
    settings.save(mirror, path)
    argv = [sys.executable, "-m", "mirrortui", "sync", "--foreground", "--config", str(path)]
    return Command(argv, task.files, task.to / "root" / "bench" / SUBDIR)


def curl(task: Task, *more: str) -> Command:
    """`curl -Z`: many transfers in one process, nothing is verified."""
    lines = [f'url = "{task.url(file)}"\noutput = "{task.target(file)}"' for file in task.files]
    listed = task.written("curl.cfg", lines)
    trust = ["--cacert", task.ca] if task.ca else []
    argv = ["curl", "-s", "--fail", *trust, *more, "-Z", "--parallel-max", str(task.connections), "-K", str(listed)]
    return Command(argv, task.files, task.to)


def curl_http1(task: Task) -> Command:
    """The same without HTTP/2."""
    return curl(task, "--http1.1")


def curl_checked(task: Task) -> Command:
    """`curl -Z`, then `sha256sum -c` over all files."""
    sums = task.written("sums", [f"{file.sha256}  {task.target(file)}" for file in task.files])
    first = curl(task)
    return replace(first, argv=["sh", "-c", f'"$@" && exec sha256sum --quiet -c {sums}', "sh", *first.argv])


def aria2(task: Task) -> Command:
    """Aria2c with a checksum for each file; it allows 16 connections to a host."""
    lines = [
        f"{task.url(file)}\n out={file.fn}\n dir={task.to}\n checksum=sha-256={file.sha256}" for file in task.files
    ]
    listed = task.written("aria2", lines)
    plain = ["--file-allocation=none", "--auto-file-renaming=false", "--allow-overwrite=true", "--summary-interval=0"]
    many = ["-j", str(task.connections), "-x", "1"]
    trust = [f"--ca-certificate={task.ca}"] if task.ca else []
    return Command(["aria2c", "-q", *many, *trust, *plain, "-i", str(listed)], task.files, task.to)


def wget(task: Task) -> Command:
    """`wget -i`: one after the other over one connection, nothing is verified."""
    listed = task.written("urls", [task.url(file) for file in task.files])
    trust = [f"--ca-certificate={task.ca}"] if task.ca else []
    argv = ["wget", "-q", *trust, "-P", str(task.to), "-i", str(listed)]
    return Command(argv, task.files, task.to)


def curl_each(task: Task) -> Command:
    """A script's loop: one curl and one sha256sum for each file of a sample."""
    files = task.files[:: max(len(task.files) // SAMPLE, 1)][:SAMPLE]
    listed = task.written("list", [f"{task.url(file)} {task.target(file)} {file.sha256}" for file in files])
    env = {"LIST": str(listed), "TRUST": f"--cacert {task.ca}" if task.ca else ""}
    return Command(["sh", "-c", CHECKED], files, task.to, env)


def conda_mirror(program: str) -> Build:
    """PyPI's conda-mirror, from an environment of its own."""

    def build(task: Task) -> Command:
        where = ["--upstream-channel", task.tree.url(task.base), "--platform", SUBDIR]
        temporary = task.work / "conda-mirror"
        temporary.mkdir(exist_ok=True)
        to = ["--target-directory", str(task.to), "--temp-directory", str(temporary), "--num-threads", "1"]
        env = {"REQUESTS_CA_BUNDLE": task.ca}
        return Command([program, *where, *to, "--no-progress"], task.files, task.to / SUBDIR, env)

    return build


PEERS: dict[str, tuple[str, Build]] = {
    "mirrortui engine": ("", engine),
    "curl -Z": ("curl", curl),
    "curl -Z, HTTP/1.1": ("curl", curl_http1),
    "curl -Z + sha256sum": ("curl", curl_checked),
    "aria2c, checksums": ("aria2c", aria2),
    "wget -i": ("wget", wget),
    "one curl a file": ("curl", curl_each),
    "mirrortui sync": ("", product),
}
"""Name: the program that must be there, and the command line."""


@dataclass(frozen=True)
class Measured:
    """One run: seconds, CPU seconds of all processes, what it says of itself, and how many files are there in full size.

    `net` and `rss` are given by our engine: seconds without the start of the process, and its peak in MB.
    """

    wall: float
    cpu: float
    net: float
    rss: float
    right: int
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def measure(command: Command, kept: Path) -> Measured:
    """Run a command to its end; how it ends is for `right` to say. `kept` holds what Python compiles."""
    env = os.environ | {"PYTHONPYCACHEPREFIX": str(kept / "pyc")} | command.env
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # a program's start is measured as users know it: compiled
    before, begun = os.times(), time.perf_counter()
    done = subprocess.run(command.argv, capture_output=True, env=env, text=True, check=False)
    wall, after = time.perf_counter() - begun, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    right = sum(_size(command.found / file.fn) == file.size for file in command.files)
    if done.returncode or right < len(command.files):
        print(f"({command.argv[0]} ended with {done.returncode}: {done.stderr[-300:].strip()})")
    told = json.loads(done.stdout) if done.stdout.startswith('{"net"') else {"net": wall, "cpu": cpu, "rss": 0}
    return Measured(wall, told["cpu"], told["net"], told["rss"], right, command.files)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def present(name: str) -> bool:
    """Whether a contender's program is installed."""
    program = PEERS[name][0]
    return not program or shutil.which(program) is not None
