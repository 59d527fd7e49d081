"""What an upstream may have beside its repodata: run_exports of each subdir, channeldata of the channel."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import zstandard

from tests.process.packages import ChannelTree

RUN, RUN_ZST = "run_exports.json", "run_exports.json.zst"


def put(path: Path, data: bytes) -> None:
    """As upstreams do: by a rename."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(data)
    os.replace(fresh, path)


def tell(tree: ChannelTree, extra: Iterable[str] = ("hidden-1.0-0.conda",), *, word: str = "weak") -> None:
    """What the upstream says beside its repodata: of every record, and of files and packages that no record names."""
    for subdir, records in tree.records.items():
        entries = {fn: {"run_exports": {word: [f"{fn.split('-')[0]} >=1"]}} for fn in (*records, *extra)}
        body = {
            "info": {"subdir": subdir, "base_url": "https://away.example"},
            "packages": {},
            "packages.conda": entries,
        }
        put(tree.folder / subdir / RUN_ZST, zstandard.compress(json.dumps(body).encode()))
    names = {fn.split("-")[0] for records in tree.records.values() for fn in records} | {"elsewhere"}
    packages = {n: {"home": "https://h.example", "subdirs": ["linux-64", "noarch", "win-64"]} for n in names}
    body = {"channeldata_version": 1, "packages": packages, "subdirs": ["linux-64", "noarch", "win-64"]}
    put(tree.folder / "channeldata.json", json.dumps(body).encode())
