"""Channels made on the spot: files of invented bytes with true records. Mirrors do not look inside; no client installs them."""

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import zstandard

Record = dict[str, Any]


class ChannelTree:
    """One channel below an upstream's folder. `put` and `remove` change files, `index` makes them visible."""

    def __init__(self, root: Path, name: str = "lab", *, seed: int = 1) -> None:
        self.name = name
        self.folder = root / name
        self.records: dict[str, dict[str, Record]] = {}
        self._random = random.Random(seed)
        for subdir in ("linux-64", "noarch"):
            self.records[subdir] = {}
            (self.folder / subdir).mkdir(parents=True)

    def put(
        self,
        name: str,
        version: str = "1.0",
        build: str = "0",
        *,
        subdir: str = "linux-64",
        size: int = 4000,
        **more: Any,
    ) -> str:
        """Make a package (or another one of the same name) with `size` random bytes; returns its file name."""
        fn = f"{name}-{version}-{build}.conda"
        data = self._random.randbytes(size)
        path = self.folder / subdir / fn
        fresh = path.with_suffix(".fresh")
        fresh.write_bytes(data)
        fresh.replace(path)
        self.records[subdir][fn] = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": 0,
            "depends": [],
            "license": "MIT",
            "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": size,
            "subdir": subdir,
            "timestamp": 1_700_000_000_000,
        } | more
        return fn

    def remove(self, fn: str, subdir: str = "linux-64") -> None:
        """Take a package out of the records; its file stays."""
        del self.records[subdir][fn]

    def index(self) -> None:
        """Write the repodata of all subdirs, `.zst` first."""
        for subdir, records in self.records.items():
            write_index(self.folder / subdir, subdir, records)

    def data(self, fn: str, subdir: str = "linux-64") -> bytes:
        """A package's bytes."""
        return (self.folder / subdir / fn).read_bytes()


def write_index(folder: Path, subdir: str, records: dict[str, Record]) -> None:
    """Write repodata.json.zst and repodata.json with the given records, each by a rename."""
    body = json.dumps(
        {
            "info": {"subdir": subdir},
            "packages": {fn: r for fn, r in records.items() if fn.endswith(".tar.bz2")},
            "packages.conda": {fn: r for fn, r in records.items() if fn.endswith(".conda")},
            "removed": [],
            "repodata_version": 1,
        }
    ).encode()
    for name, data in (("repodata.json.zst", zstandard.compress(body)), ("repodata.json", body)):
        fresh = folder / f".{name}"
        fresh.write_bytes(data)
        os.replace(fresh, folder / name)
