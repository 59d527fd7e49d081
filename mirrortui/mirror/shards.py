"""Sharded repodata (CEP 16): one small file a package name, named by its content, and an index of them.

Inside a shard hashes are raw bytes, all else is as in repodata.json. Records are gathered by name through a
scratch file, so that memory holds one name at a time, whatever the size of the index.
"""

import hashlib
import json
import math
import os
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import compress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard
from msgspec import UNSET

from mirrortui.catalog import decode
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.catalog.walk import walk
from mirrortui.errors import TargetError
from mirrortui.mirror.cut import unlink
from mirrortui.naming import display

INDEX = "repodata_shards.msgpack.zst"
FOLDER = "shards"
LEVEL = 3
KEEP_SECONDS = 7 * 86400.0
"""CEP 16: a superseded shard stays for at least a week, since clients hold older indexes."""

_BYTES = {"md5": 16, "sha256": 32, "legacy_bz2_md5": 16}
_BATCH = 64


def write(index: SubdirIndex, keep: Mask, folder: Path, scratch: Path) -> bytes:
    """Write the shards of the kept rows below `folder/shards/` and return the index that names them.

    A shard that is there already is left alone. Nothing refers to the shards until the index is published. Raises
    `TargetError` for a `shards` that is a link, `OSError`.
    """
    if (folder / FOLDER).is_symlink():
        raise TargetError(
            "is a link that leads elsewhere", where=display(folder / FOLDER), hint="Replace it by a real folder"
        )
    (folder / FOLDER).mkdir(exist_ok=True)
    hashes: dict[str, bytes] = {}
    writer = _Shards(folder / FOLDER)
    with tempfile.TemporaryFile(dir=scratch) as spill, ThreadPoolExecutor(2) as packers:
        starts = _spill(index, keep, spill)
        jobs = (packers.submit(writer.write, batch) for batch in _batches(_named(index, keep, spill.fileno(), starts)))
        pending = []
        for job in jobs:
            pending.append(job)
            if len(pending) > 4:
                hashes |= pending.pop(0).result()
        for job in pending:
            hashes |= job.result()
    info = {"subdir": index.subdir, "base_url": "", "shards_base_url": f"./{FOLDER}/"}
    body = {"version": 1, "info": info, "shards": dict(sorted(hashes.items()))}
    return _pack(body)


def empty(subdir: str) -> bytes:
    """The index of a subdir without records."""
    return _pack(
        {"version": 1, "info": {"subdir": subdir, "base_url": "", "shards_base_url": f"./{FOLDER}/"}, "shards": {}}
    )


def _pack(body: dict[str, Any]) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL).compress(msgspec.msgpack.encode(body))


def _spill(index: SubdirIndex, keep: Mask, spill: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Write the kept records one behind the other as `"fn":{...}`; returns row -> where it begins (one more at the end)."""
    lengths = np.zeros(index.rows + 1, np.int64)
    loose = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    linked = bool((index.flags & decode.LINKS).any())
    for block in walk(index, loose):
        mask = keep[block.rows.start : block.rows.stop] if isinstance(block.rows, range) else keep[block.rows]
        chosen = compress(zip(block.fns, block.values, strict=True), mask.tolist())
        pieces = [b'"%s":%s,' % (fn.encode(), unlink(raw) if linked else raw) for fn, raw in chosen]
        rows = np.asarray(block.rows, np.int64)[mask]
        lengths[rows + 1] = array("q", map(len, pieces))
        spill.write(b"".join(pieces))
    spill.flush()
    return np.cumsum(lengths)


def _named(
    index: SubdirIndex, keep: Mask, fd: int, starts: np.ndarray[Any, np.dtype[np.int64]]
) -> Iterator[tuple[str, list[bytes]]]:
    """Yield each name with its records' text: neighbours in the scratch file are read together."""
    order = index.by_name[0]
    rows = order[keep[order]]
    if not len(rows):
        return
    names, begins, ends = index.name[rows], starts[rows], starts[rows + 1]
    new_name = np.append(True, names[1:] != names[:-1])
    runs = np.flatnonzero(new_name | np.append(True, begins[1:] != ends[:-1]))
    lasts = np.append(runs[1:], len(rows)) - 1
    name, pieces = "", list[bytes]()
    for place, first, begin, end in zip(
        names[runs].tolist(), new_name[runs].tolist(), begins[runs].tolist(), ends[lasts].tolist(), strict=True
    ):
        if first and pieces:
            yield name, pieces
            pieces = []
        name = index.names[place]
        pieces.append(os.pread(fd, end - begin, begin))
    yield name, pieces


def _batches(named: Iterator[tuple[str, list[bytes]]]) -> Iterator[list[tuple[str, list[bytes]]]]:
    batch: list[tuple[str, list[bytes]]] = []
    for item in named:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class _Record(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The keys that records have today: a struct is turned into msgpack several times as fast as a dict.

    A record with any other key takes the way of the dict, so that nothing is lost.
    """

    arch: Any = UNSET
    build: Any = UNSET
    build_number: Any = UNSET
    constrains: Any = UNSET
    date: Any = UNSET
    depends: Any = UNSET
    features: Any = UNSET
    indexed_timestamp: Any = UNSET
    legacy_bz2_md5: Any = UNSET
    legacy_bz2_size: Any = UNSET
    license: Any = UNSET
    license_family: Any = UNSET
    md5: Any = UNSET
    name: Any = UNSET
    noarch: Any = UNSET
    platform: Any = UNSET
    purls: Any = UNSET
    python_site_packages_path: Any = UNSET
    sha256: Any = UNSET
    size: Any = UNSET
    subdir: Any = UNSET
    timestamp: Any = UNSET
    track_features: Any = UNSET
    version: Any = UNSET


class _Shards:
    """Writes the shards of one subdir; `present` are the ones that are there already, with their size.

    One of another size was cut off (power failure, full disk) and is written anew.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = f"{folder}/"
        with os.scandir(folder) as entries:
            self.present = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
        self._typed = msgspec.json.Decoder(dict[str, _Record]).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def write(self, batch: list[tuple[str, list[bytes]]]) -> dict[str, bytes]:
        """Write the shards of some names; returns name -> sha256 of the file."""
        packer, out = zstandard.ZstdCompressor(level=LEVEL), {}
        for name, pieces in batch:
            data = packer.compress(self._packed(b"".join((b"{", *pieces))[:-1] + b"}"))
            digest = hashlib.sha256(data)
            self._put(f"{digest.hexdigest()}.msgpack.zst", data)
            out[name] = digest.digest()
        return out

    def _packed(self, text: bytes) -> bytes:
        """The shard of some records, read the quickest way that copes with what they hold."""
        try:
            return self._encode(_body(self._known(text)))
        except (msgspec.ValidationError, OverflowError, UnicodeError):
            pass
        try:
            return self._encode(_body(_loose(msgspec.json.decode(text))))
        except (msgspec.ValidationError, OverflowError, UnicodeError):
            plain = text.decode("utf-8", "replace")
            return self._encode(_body(_loose(json.loads(plain, parse_int=_whole, parse_float=_finite))))

    def _known(self, text: bytes) -> Mapping[str, Any]:
        records = self._typed(text)
        for record in records.values():
            for key in _BYTES:
                value = getattr(record, key)
                if value is not UNSET:
                    setattr(record, key, _raw(key, value))
        return records

    def _put(self, name: str, data: bytes) -> None:
        if self.present.get(name) == len(data):
            return
        partial, rest = f"{self.folder}.{name}.new", memoryview(data)
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            while rest:  # a disk that is almost full takes a part, and says so only the next time
                rest = rest[os.write(fd, rest) :]
        except OSError:
            os.unlink(partial)  # noqa: PTH108 - as below
            raise
        finally:
            os.close(fd)
        os.rename(partial, self.folder + name)  # noqa: PTH104 - 30,000 times: a Path costs more than the call
        self.present[name] = len(data)


def _body(records: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"packages": {}, "packages.conda": {}, "removed": []}
    for fn, record in records.items():
        body["packages.conda" if fn[-1] == "a" else "packages"][fn] = record
    return body


def _loose(records: dict[str, Any]) -> dict[str, Any]:
    for record in records.values():
        record |= {key: _raw(key, record[key]) for key in _BYTES if key in record}
    return records


def _whole(text: str) -> int | None:
    """A whole number, or None where it has more than 64 bits: JSON has room for any, msgpack has not."""
    value = int(text) if len(text) <= 20 else 1 << 64
    return value if -(1 << 63) <= value < 1 << 64 else None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _raw(key: str, value: Any) -> Any:
    """A hash in bytes; what is none is left as it is."""
    try:
        data = bytes.fromhex(value)
    except (ValueError, TypeError):
        return value
    return data if len(data) == _BYTES[key] and len(value) == 2 * len(data) else value


def named_by(index_file: Path) -> set[str]:
    """File names of the shards that a published index names; empty where there is none or it cannot be read."""
    return _named_by(index_file) or set()


def _named_by(index_file: Path) -> set[str] | None:
    try:
        body = msgspec.msgpack.decode(
            zstandard.ZstdDecompressor().decompress(index_file.read_bytes(), max_output_size=1 << 28)
        )
        return {f"{digest.hex()}.msgpack.zst" for digest in body["shards"].values()}
    except (OSError, zstandard.ZstdError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return None


def retire(folder: Path, before: set[str], now_named: set[str]) -> None:
    """Note when shards are superseded, before they are: their mtime says so, and `sweep` reads it."""
    for name in before - now_named:
        with suppress(OSError):
            os.utime(folder / FOLDER / name)


def sweep(folder: Path, now: float) -> int:
    """Remove shards that the published index has not named for a week; returns how many.

    Where the index cannot be read, nobody knows which of them it names, and all stay.
    """
    named, count = _named_by(folder / INDEX), 0
    if named is None or (folder / FOLDER).is_symlink():
        return 0
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder / FOLDER) as entries:
        for entry in entries:
            if (
                entry.name not in named
                and entry.name.endswith((".zst", ".new"))
                and now - entry.stat(follow_symlinks=False).st_mtime > KEEP_SECONDS
            ):
                Path(entry.path).unlink(missing_ok=True)
                count += 1
    return count
