"""Bodies and indexes made on the spot, for tests of catalog, selection and mirror."""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zstandard

from mirrortui.catalog import cache, extras
from mirrortui.catalog.extras import Extra
from mirrortui.catalog.index import Source, SubdirIndex


def record(fn: str, **fields: Any) -> dict[str, Any]:
    """A plain record for a file name; its hash and size are those of `content(fn)`."""
    stem = fn.removesuffix(".conda").removesuffix(".tar.bz2")
    name, version, build = stem.rsplit("-", 2)
    number = build.rpartition("_")[2]
    plain = {
        "name": name,
        "version": version,
        "build": build,
        "build_number": int(number) if number.isdigit() else 0,
        "depends": [],
        "license": "MIT",
        "sha256": hashlib.sha256(content(fn)).hexdigest(),
        "md5": hashlib.md5(content(fn)).hexdigest(),
        "size": len(content(fn)),
        "subdir": "linux-64",
        "timestamp": 1_700_000_000_000,
    }
    return {key: value for key, value in (plain | fields).items() if value is not ...}


def content(fn: str) -> bytes:
    """What a package of that name holds."""
    return f"package {fn}\n".encode() * 3


def table(*fns: str | tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A repodata.json with records by name, each into its section; a pair brings fields of its own."""
    out: dict[str, Any] = {
        "info": {"subdir": "linux-64"},
        "packages": {},
        "packages.conda": {},
        "removed": [],
        "repodata_version": 1,
    }
    for entry in fns:
        fn, fields = (entry, {}) if isinstance(entry, str) else entry
        out["packages.conda" if fn.endswith(".conda") else "packages"][fn] = record(fn, **fields)
    return out


def index(
    state: Path, body: Mapping[str, Any] | bytes, channel: str = "c", subdir: str = "linux-64", chunk: int = 0
) -> SubdirIndex:
    """Put a body into the cache of a state folder as if it had been fetched, and open it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    place = cache.folder(state, channel, subdir)
    with cache.staging(place) as fresh:
        packed = zstandard.ZstdCompressor(level=1).compress(data)
        (fresh / "body.json.zst").write_bytes(packed)
        cache.decode_into(fresh)
        sha = hashlib.sha256(packed).hexdigest()
        source = Source(
            url=f"https://up/{channel}/{subdir}/repodata.json.zst",
            status="ok",
            sha256=sha,
            packed=len(packed),
            checked=time.time(),
            folder=fresh.name,
        )
        cache.write_source(place, source)
    found = cache.open_index(state, channel, subdir)
    assert found is not None
    return found


def run_exports(*fns: str, subdir: str = "linux-64") -> dict[str, Any]:
    """A run_exports.json with an entry for each file name, which names its package."""
    out: dict[str, Any] = {"info": {"subdir": subdir, "version": 1}, "packages": {}, "packages.conda": {}}
    for fn in fns:
        weak = {"weak": [f"{fn.rsplit('-', 2)[0]} >=1"]}
        out["packages.conda" if fn.endswith(".conda") else "packages"][fn] = {"run_exports": weak}
    return out


def channeldata(*names: str, subdirs: tuple[str, ...] = ("linux-64", "noarch", "osx-64")) -> dict[str, Any]:
    """A channeldata.json in which each package is in all subdirs."""
    packages = {
        name: {"home": f"https://{name}.example", "license": "MIT", "run_exports": {}, "subdirs": list(subdirs)}
        for name in names
    }
    return {"channeldata_version": 1, "packages": packages, "subdirs": list(subdirs)}


def extra(state: Path, body: Mapping[str, Any] | bytes, channel: str = "c", subdir: str = "") -> Extra:
    """Put a run_exports ("" for a channeldata) into the cache as if it had been fetched, and open it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    place = extras.folder(state, channel, subdir)
    with cache.staging(place) as fresh:
        (fresh / cache.BODY).write_bytes(zstandard.ZstdCompressor(level=1).compress(data))
        cache.note_sizes(fresh)
        sha = hashlib.sha256(data).hexdigest()
        cache.write_source(place, Source(url="https://up", status="ok", sha256=sha, folder=fresh.name))
    found = extras.cached(state, channel, subdir)
    assert found is not None
    return found


def missing(state: Path, channel: str = "c", subdir: str = "linux-64") -> SubdirIndex:
    """The cache of a subdir that the upstream does not have."""
    cache.write_source(
        cache.folder(state, channel, subdir), Source(url="https://up", status="missing", checked=time.time())
    )
    found = cache.open_index(state, channel, subdir)
    assert found is not None
    return found
