"""Everything that a mirror shows of its subdirs, in all encodings, each read as the client that takes it would."""

import bz2
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import zstandard

from tests.process.published import Records

T = TypeVar("T")

SHARDS = "repodata_shards.msgpack.zst"
ORDER = (
    SHARDS,
    "repodata.json.zst",
    "repodata.json",
    "repodata.json.bz2",
    "current_repodata.json.zst",
    "current_repodata.json",
)
"""The order in which they are switched."""

_HASHES = ("sha256", "md5", "legacy_bz2_md5")
_read: dict[tuple[str, int, int, int], Any] = {}


def plain(path: Path) -> bytes:
    """A file's bytes, unpacked."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    return bz2.decompress(data) if path.suffix == ".bz2" else data


def body(path: Path) -> dict[str, Any]:
    """A whole index or shard, decoded."""

    def decode() -> dict[str, Any]:
        data = plain(path)
        value: dict[str, Any] = msgspec.msgpack.decode(data) if ".msgpack" in path.name else json.loads(data)
        return value

    return once(path, decode)


def shards(folder: Path) -> dict[str, Path]:
    """Package name -> its shard, found as a client finds it; fails on one that is not what its index says."""
    index = body(folder / SHARDS)
    out = {}
    for name, digest in index["shards"].items():
        path = folder / index["info"]["shards_base_url"] / f"{digest.hex()}.msgpack.zst"
        assert sha256(path) == digest.hex(), f"{path} is not what its index says"
        out[name] = path
    return out


def records(folder: Path, name: str) -> Records:
    """The records of one encoding, by file name, hashes in hexadecimal."""
    if name != SHARDS:
        value = body(folder / name)
        assert value["info"]["subdir"] == folder.name
        return {**value["packages"], **value["packages.conda"]}
    out: Records = {}
    for package, path in shards(folder).items():
        shard = body(path)
        for fn, record in {**shard["packages"], **shard["packages.conda"]}.items():
            assert record["name"] == package, f"{fn} is in the shard of {package}"
            out[fn] = record | {key: record[key].hex() for key in _HASHES if isinstance(record.get(key), bytes)}
    return out


def shown(folder: Path) -> dict[str, Records]:
    """Encoding -> its records, for all that are there."""
    return {name: records(folder, name) for name in ORDER if (folder / name).exists()}


def same(folder: Path, *names: str) -> Records:
    """What a subdir shows: exactly these encodings, all with the same records (of one version a name, so that current has them too)."""
    found = shown(folder)
    assert set(found) == set(names or ORDER)
    first = found["repodata.json"]
    assert [name for name, said in found.items() if said != first] == []
    return first


def subdirs(root: Path) -> list[Path]:
    """Every folder that shows anything."""
    return sorted({path.parent for name in ORDER for path in root.rglob(name)})


def wrong(root: Path) -> list[str]:
    """What a client would stumble over: an encoding that cannot be read, a file that is absent or not as its record says."""
    out = []
    for folder in subdirs(root):
        try:
            found = shown(folder)
        except (AssertionError, OSError, KeyError, ValueError, zstandard.ZstdError, msgspec.DecodeError) as error:
            out.append(f"{folder.relative_to(root)} cannot be read: {error!r}")
            continue
        for name, said in found.items():
            for fn, record in said.items():
                have = sha256(folder / fn)
                if have != record["sha256"]:
                    out.append(f"{folder.relative_to(root)}/{name} names {fn}, which is {have}")
    return out


def sha256(path: Path) -> str:
    """A file's hash, or “absent”."""
    return once(path, lambda: hashlib.sha256(path.read_bytes()).hexdigest()) if path.is_file() else "absent"


def once(path: Path, work: Callable[[], T]) -> T:
    """What `work` makes of a file; the same again for as long as it is the same file."""
    status = path.stat()
    key = (work.__qualname__ + str(path), status.st_ino, status.st_size, status.st_ctime_ns)
    if key not in _read:
        _read[key] = work()
    value: T = _read[key]
    return value
