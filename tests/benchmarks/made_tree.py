"""Channel trees to be served: many small files, few large ones, tiny ones; with an index of them.

The bytes are random, no archives: only sizes and checksums count. The same kind gives the same tree anywhere; one
that was made is kept.
"""

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

import zstandard

SUBDIR = "linux-64"
FORM = 1
"""Of the made trees: raise it when something here changes, so that kept ones are made anew."""


@dataclass(frozen=True)
class Kind:
    """File sizes in bytes: log-normal around `median`, cut at `most`."""

    count: int
    median: int
    sigma: float
    most: int


KINDS = {
    "small": Kind(4000, 100_000, 1.7, 30_000_000),
    "small-quick": Kind(1000, 100_000, 1.7, 30_000_000),
    "large": Kind(6, 400_000_000, 0.0, 400_000_000),
    "large-quick": Kind(3, 200_000_000, 0.0, 200_000_000),
    "tiny": Kind(4000, 8_000, 0.5, 100_000),
    "faulty": Kind(1500, 60_000, 1.0, 2_000_000),
}


@dataclass(frozen=True)
class File:
    """One file of a tree; `sha256` in hexadecimal."""

    fn: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Tree:
    """`folder` is the channel: it holds SUBDIR, and an empty noarch."""

    kind: str
    folder: Path
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def url(self, base: str) -> str:
        """The channel's URL on a server of the folder above."""
        return f"{base}/{self.folder.name}"


def made(folder: Path, kind: str) -> Tree:
    """Return the tree of a kind (a key of KINDS) below `folder`."""
    channel = folder / f"{kind}-{FORM}"
    listed = channel / "files.json"
    if not listed.exists():
        _make(channel, KINDS[kind])
    return Tree(kind, channel, tuple(File(*item) for item in json.loads(listed.read_text(encoding="ascii"))))


def _make(channel: Path, kind: Kind) -> None:
    rnd = random.Random(f"{FORM} {kind}")
    block = rnd.randbytes(4 << 20)
    (channel / SUBDIR).mkdir(parents=True, exist_ok=True)
    files, records = [], {}
    for number in range(kind.count):
        size = min(kind.most, max(1500, int(rnd.lognormvariate(0, kind.sigma) * kind.median)))
        name, version, build = f"pkg{number % 800:03}", f"1.{number // 800}.0", f"h{rnd.getrandbits(28):07x}_0"
        fn = f"{name}-{version}-{build}.conda"
        sha256, md5 = _write(channel / SUBDIR / fn, size, rnd.randbytes(64), block)
        files.append((fn, size, sha256))
        facts = {"name": name, "version": version, "build": build, "build_number": 0, "depends": []}
        records[fn] = facts | {"md5": md5, "sha256": sha256, "size": size, "subdir": SUBDIR}
    for subdir, packages in ((SUBDIR, records), ("noarch", {})):
        (channel / subdir).mkdir(exist_ok=True)
        index = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": packages, "repodata_version": 1}
        body = json.dumps(index).encode()
        (channel / subdir / "repodata.json").write_bytes(body)
        (channel / subdir / "repodata.json.zst").write_bytes(zstandard.compress(body, 3))
    (channel / "files.json").write_text(json.dumps(files), encoding="ascii")


def _write(path: Path, size: int, head: bytes, block: bytes) -> tuple[str, str]:
    """Write a file that begins with `head` and goes on with `block`; returns its sha256 and md5."""
    sha256, md5, left = hashlib.sha256(), hashlib.md5(usedforsecurity=False), size
    with path.open("wb") as stream:
        while left:
            data = (head + block[len(head) :])[:left]
            head = b""
            stream.write(data)
            sha256.update(data)
            md5.update(data)
            left -= len(data)
    return sha256.hexdigest(), md5.hexdigest()
