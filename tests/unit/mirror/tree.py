"""A mirror made on the spot: root, state, inventory, and packages that lie in it as if they had been fetched."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard

from mirrortui.catalog import decode
from mirrortui.catalog.extras import Extra
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.config import Channel, Mirror, MirrorConfig, Prune, Publish, Selection
from mirrortui.mirror import publish
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.staging import Item
from mirrortui.mirror.store import Store
from tests.unit.catalog.made import content
from tests.unit.catalog.made import index as made_index

PLAIN = Publish(zst=True, bz2=False, shards=False, current=False, run_exports=False, channeldata=False)
ALL = Publish(zst=True, bz2=True, shards=True, current=True)


class Tree:
    """One mirror below a temporary folder."""

    def __init__(self, base: Path) -> None:
        self.root, self.state = base / "root", base / "state"
        self.root.mkdir(exist_ok=True)
        self.state.mkdir(exist_ok=True)
        self.store, self.inventory = Store(self.root), Inventory(self.state, write=True)

    def config(
        self, channels: Iterable[Channel] | None = None, prune: Prune | None = None, **rules: Any
    ) -> MirrorConfig:
        return MirrorConfig(
            mirror=Mirror(name="lab", root=str(self.root), url="http://m", state=str(self.state)),
            channels=tuple(channels)
            if channels is not None
            else (Channel(name="c", upstreams=("https://up/c",), subdirs=("linux-64",)),),
            selection=Selection(formats="all", **rules),
            prune=prune or Prune(),
        )

    def index(self, body: dict[str, Any] | bytes, channel: str = "c", subdir: str = "linux-64") -> SubdirIndex:
        return made_index(self.state, body, channel, subdir)

    def put(
        self, *fns: str, channel: str = "c", subdir: str = "linux-64", dropped: float | None = None, known: bool = True
    ) -> None:
        """Lay packages into the tree and, if `known`, into the inventory."""
        folder, entries = self.store.prepare(channel, subdir), []
        for fn in fns:
            (folder / fn).write_bytes(content(fn))
            status = (folder / fn).stat()
            entries.append(Entry(fn, status.st_size, status.st_mtime_ns, hashlib.sha256(content(fn)).digest(), dropped))
        if known:
            self.inventory.put(channel, subdir, entries)

    def publish(
        self,
        *items: Item,
        options: Publish = PLAIN,
        channel: str = "c",
        about: Extra | None = None,
        staying: Iterable[str] = (),
    ) -> publish.Switched:
        return publish.publish(self.store, self.inventory, channel, items, options, self.state, about, staying)

    def folder(self, channel: str = "c", subdir: str = "linux-64") -> Path:
        return self.root / channel / subdir

    def names(self, channel: str = "c", subdir: str = "linux-64") -> list[str]:
        return sorted(path.name for path in self.folder(channel, subdir).iterdir())


def all_of(index: SubdirIndex) -> Mask:
    return np.ones(index.rows, bool)


def keep(index: SubdirIndex, *fns: str) -> Mask:
    return np.array([fn in fns for fn in index.fns()], bool)


def stored_files(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below a folder with inode, mtime and bytes: what must not change when nothing changes."""
    return {
        str(p.relative_to(folder)): (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes())
        for p in folder.rglob("*")
        if p.is_file()
    }


def read_all(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Encoding -> {fn: record} of everything that is published in a folder; fails on anything that cannot be read."""
    import bz2

    out: dict[str, dict[str, dict[str, Any]]] = {}
    for name in (
        "repodata.json",
        "repodata.json.zst",
        "repodata.json.bz2",
        "current_repodata.json",
        "current_repodata.json.zst",
    ):
        if (folder / name).exists():
            data = (folder / name).read_bytes()
            data = zstandard.ZstdDecompressor().stream_reader(data).read() if name.endswith(".zst") else data
            body = json.loads(bz2.decompress(data) if name.endswith(".bz2") else data)
            out[name] = _tables(body)
    shard_index = folder / "repodata_shards.msgpack.zst"
    if shard_index.exists():
        records: dict[str, dict[str, Any]] = {}
        body = unpacked(shard_index)
        for digest in body["shards"].values():
            path = folder / body["info"]["shards_base_url"] / f"{digest.hex()}.msgpack.zst"
            assert hashlib.sha256(path.read_bytes()).digest() == digest
            shard = unpacked(path)
            records |= _tables(shard)
        out["shards"] = records
    return out


def _tables(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    newer = {f"{key}.{kind}": record for kind, table in body.get("v3", {}).items() for key, record in table.items()}
    return {**body.get("packages", {}), **body.get("packages.conda", {}), **newer}


def unpacked(path: Path) -> Any:
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())


LINKS = decode.LINKS
