"""Sharded repodata (CEP 16): one small file a package name, named by its content, and an index of them.

Records are packed as they come (`shard_pack`) and gathered by name through a scratch file, so that memory holds a
few names at a time, whatever the size of the index.
"""

import hashlib
import os
import tempfile
from array import array
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import compress, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import zstandard

from mirrortui.catalog import decode
from mirrortui.catalog.companions import with_companions
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.catalog.walk import walk
from mirrortui.errors import TargetError
from mirrortui.mirror.shard_pack import Packer, map_head
from mirrortui.naming import display

T = TypeVar("T")

INDEX = "repodata_shards.msgpack.zst"
FOLDER = "shards"
LEVEL = 3
KEEP_SECONDS = 7 * 86400.0
"""CEP 16: a superseded shard stays for at least a week, since clients hold older indexes."""

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
    target = _Folder(folder / FOLDER)
    with tempfile.TemporaryFile(dir=scratch) as spill, ThreadPoolExecutor(2) as packers:
        stretches = _spill(index, with_companions(index, keep & index.usable), spill)
        jobs = (packers.submit(_pack_names, batch, spill.fileno()) for batch in _batches(_named(index, stretches)))
        for job in _ahead(jobs, 4):
            for name, data in job.result():
                hashes[name] = target.put(data)
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


class _Stretches(NamedTuple):
    """Runs of records of one name and kind, which lie side by side in the scratch file: how many, how many bytes."""

    names: "array[int]"
    kinds: "array[int]"
    numbers: "array[int]"
    lengths: "array[int]"


def _spill(index: SubdirIndex, keep: Mask, spill: IO[bytes]) -> _Stretches:
    """Write the kept records one behind the other, as entries of a msgpack map."""
    out = _Stretches(array("q"), array("q"), array("q"), array("q"))
    packer = Packer(linked=bool((index.flags & decode.LINKS).any()))
    for block in walk(index, packer.decode):
        rows = np.asarray(block.rows, np.int64)
        mask = keep[rows]
        rows, chosen = rows[mask], mask.tolist()
        names, kinds = index.name[rows], index.flags[rows] & (decode.CONDA | decode.V3)
        first = np.flatnonzero(np.append(len(rows) > 0, (names[1:] != names[:-1]) | (kinds[1:] != kinds[:-1])))
        bounds = [*first.tolist(), len(rows)]
        keys, values = list(compress(block.keys, chosen)), list(compress(block.values, chosen))
        packed = packer.entries(keys, values, block.data, bounds)
        spill.write(b"".join(packed))
        out.names.extend(names[first].tolist())
        out.kinds.extend(kinds[first].tolist())
        out.numbers.extend(np.diff(bounds).tolist())
        out.lengths.extend(map(len, packed))
    spill.flush()
    return out


class _Piece(NamedTuple):
    """One stretch of a name's records: of which kind (CONDA and V3 of their flags), how many, and where in the scratch file."""

    kind: int
    records: int
    begin: int
    length: int


def _named(index: SubdirIndex, stretches: _Stretches) -> Iterator[tuple[str, list[_Piece]]]:
    """Yield each name with its pieces, in order."""
    names, lengths = np.array(stretches.names), np.array(stretches.lengths)
    order = np.argsort(names, kind="stable")
    columns = (names, np.array(stretches.kinds), np.array(stretches.numbers), np.cumsum(lengths) - lengths, lengths)
    sorted_rows = zip(*(column[order].tolist() for column in columns), strict=True)
    for place, rows in groupby(sorted_rows, key=itemgetter(0)):
        yield index.names[place], [_Piece(*row[1:]) for row in rows]


def _batches(named: Iterator[tuple[str, list[_Piece]]]) -> Iterator[list[tuple[str, list[_Piece]]]]:
    while batch := list(islice(named, _BATCH)):
        yield batch


def _ahead(jobs: Iterator[Future[T]], count: int) -> Iterator[Future[T]]:
    """Yield jobs in order, with some more of them under way."""
    pending: deque[Future[T]] = deque()
    for job in jobs:
        pending.append(job)
        if len(pending) > count:
            yield pending.popleft()
    yield from pending


def _pack_names(batch: list[tuple[str, list[_Piece]]], fd: int) -> list[tuple[str, bytes]]:
    """Read the records of some names and compress them to shards."""
    packer = zstandard.ZstdCompressor(level=LEVEL)
    return [(name, packer.compress(_shard(pieces, fd))) for name, pieces in batch]


def _shard(pieces: list[_Piece], fd: int) -> bytes:
    """A shard's body; one without records in `v3` does not name it."""
    newer = any(piece.kind & decode.V3 for piece in pieces)
    out = [map_head(4 if newer else 3)]
    out += _table(b"packages", 0, pieces, fd)
    out += _table(b"packages.conda", decode.CONDA, pieces, fd)
    out += [_text(b"removed"), b"\x90"]
    if newer:
        out += [_text(b"v3"), map_head(2)]
        out += _table(b"tar.bz2", decode.V3, pieces, fd)
        out += _table(b"conda", decode.V3 | decode.CONDA, pieces, fd)
    return b"".join(out)


def _table(key: bytes, kind: int, pieces: list[_Piece], fd: int) -> list[bytes]:
    mine = [piece for piece in pieces if piece.kind == kind]
    head = [_text(key), map_head(sum(piece.records for piece in mine))]
    return head + [os.pread(fd, piece.length, piece.begin) for piece in mine]


def _text(text: bytes) -> bytes:
    return bytes([0xA0 | len(text)]) + text


class _Folder:
    """Writes shards; `present` are the ones that are there already, with their size.

    One of another size was cut off (power failure, full disk) and is written anew. One thread writes: more of them
    only wait for each other at the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = f"{folder}/"
        with os.scandir(folder) as entries:
            self.present = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}

    def put(self, data: bytes) -> bytes:
        """Write one shard; returns its sha256."""
        digest = hashlib.sha256(data)
        name = f"{digest.hexdigest()}.msgpack.zst"
        if self.present.get(name) != len(data):
            self._write(name, data)
            self.present[name] = len(data)
        return digest.digest()

    def _write(self, name: str, data: bytes) -> None:
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
