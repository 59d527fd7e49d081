"""What a folder's metadata is made of, by sha256: noted when it is published, and compared by `verify`."""

import bz2
import hashlib
import io
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec
import zstandard

from mirrortui.catalog import cache
from mirrortui.errors import MirrorError
from mirrortui.mirror import shards
from mirrortui.mirror.faults import Bad
from mirrortui.mirror.inventory import Published
from mirrortui.mirror.records import blocks
from mirrortui.mirror.staging import JSON, NEVER, ORDER

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_BLOCK = 1 << 20
_NOFOLLOW = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Pair = tuple[str, str]


class Halted(Exception):
    """The pass was stopped while a file was read."""


class Sums(NamedTuple):
    """A file's size in bytes and sha256 in hex; `unpacked` is that of what it unpacks to, "" where it does not."""

    size: int
    sha256: str
    unpacked: str = ""


class Reader:
    """Hashes files, each only once: the same file has a name in many snapshots. Threads may share one; `halt` ends it."""

    def __init__(self, halt: threading.Event | None = None) -> None:
        self.halt, self._known = halt or threading.Event(), dict[tuple[int, int, int, int], Sums]()

    @property
    def files(self) -> int:
        """How many were read."""
        return len(self._known)

    @property
    def bytes(self) -> int:
        """How many bytes they have."""
        return sum(sums.size for sums in self._known.values())

    def sums(self, path: Path) -> Sums:
        """Read a file. Raises `OSError` (also for a link), `Halted`."""
        with open(path, "rb", buffering=0, opener=lambda name, _: os.open(name, _NOFOLLOW)) as stream:
            found = os.fstat(stream.fileno())
            key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if key not in self._known:
                self._known[key] = self._read(path.name, stream)
            return self._known[key]

    def _read(self, name: str, stream: io.RawIOBase) -> Sums:
        raw = _Hashing(stream, self.halt)
        unpacked = ""
        if name.endswith((".json.zst", ".json.bz2")):
            unpacked = _unpacked(raw, bz2.BZ2File(raw) if name.endswith(".bz2") else _zstd(raw))
        while raw.read(_BLOCK):
            pass
        return Sums(raw.size, raw.digest.hexdigest(), unpacked)


def _zstd(raw: io.RawIOBase) -> IO[bytes]:
    unpacker = zstandard.ZstdDecompressor(max_window_size=cache.MAX_WINDOW)
    return unpacker.stream_reader(raw, read_across_frames=True)  # type: ignore[arg-type]  # its stub knows only IO


def _unpacked(raw: "_Hashing", stream: IO[bytes]) -> str:
    """The sha256 (hex) of what a file unpacks to; "" where it is damaged. Raises what reading it has raised."""
    digest, total = hashlib.sha256(), 0
    try:
        while data := stream.read(_BLOCK):
            digest.update(data)
            total += len(data)
            if total > cache.MAX_UNPACKED:
                return ""
    except (zstandard.ZstdError, OSError, EOFError, ValueError):
        if raw.error is not None:
            raise raw.error from None
        return ""
    return digest.hexdigest()


class _Hashing(io.RawIOBase):
    """A stream that hashes what is read of it; `error` is what the disk said."""

    def __init__(self, stream: io.RawIOBase, halt: threading.Event) -> None:
        self.stream, self.halt, self.digest, self.size = stream, halt, hashlib.sha256(), 0
        self.error: OSError | None = None

    def readinto(self, buffer: "Buffer") -> int:
        """Read, unless the pass is stopped."""
        if self.halt.is_set():
            raise Halted
        try:
            count = self.stream.readinto(buffer) or 0
        except OSError as error:
            self.error = error
            raise
        self.digest.update(memoryview(buffer)[:count])
        self.size += count
        return count

    def readable(self) -> bool:
        """It is there to be read."""
        return True


def digests(folder: Path, names: Iterable[str] = ORDER) -> dict[str, str]:
    """The sha256 (hex) of every metadata file that lies in a folder, by name. Raises `OSError`."""
    out = {}
    for name in names:
        if (folder / name).is_file():
            with (folder / name).open("rb") as stream:
                out[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return out


def noted(last: Published) -> dict[str, str]:
    """Which files were published, each with its sha256, or "" where an older version of this program did not note it."""
    out = {str(row[0]): "" for row in msgspec.json.decode(last.files)} if last.files else {}
    return out | msgspec.json.decode(last.digests, type=dict[str, str])


def check(folder: Path, pair: Pair, wanted: Mapping[str, str], reader: Reader) -> list[Bad]:
    """What is wrong with a folder's metadata; `wanted` is as `noted` gives it. Raises `Halted`.

    Where no digests were noted, the files must at least fit each other, and repodata.json must be whole.
    """
    bad: list[Bad] = []
    right: dict[str, Sums] = {}
    for name, digest in wanted.items():
        found = one(folder, pair, name, digest, reader)
        if isinstance(found, Bad):
            bad.append(found)
        else:
            right[name] = found
    for name, sums in right.items():
        plain = name.removesuffix(".zst").removesuffix(".bz2")
        if plain != name and plain in right and sums.unpacked != right[plain].sha256:
            bad.append(
                Bad(*pair, name, "hash", f"what {plain} holds", "other content" if sums.unpacked else "no whole file")
            )
    if JSON in right and not wanted[JSON]:
        bad += _unread(folder, pair)
    if shards.INDEX in right:
        for name in sorted(shards.named_by(folder / shards.INDEX)):
            found = one(folder, pair, f"{shards.FOLDER}/{name}", name.partition(".")[0], reader)
            if isinstance(found, Bad):
                bad.append(found)
    return bad


def strays(folder: Path, pair: Pair, wanted: Iterable[str]) -> list[Bad]:
    """Metadata that was never published here, and that a client might read in place of what was."""
    names = {*ORDER, *NEVER} - set(wanted)
    return [Bad(*pair, name, "stray", "no such file") for name in sorted(names) if os.path.lexists(folder / name)]


def one(folder: Path, pair: Pair, name: str, digest: str, reader: Reader) -> Bad | Sums:
    """One file against its sha256 (hex, "" unknown). Raises `Halted`."""
    expected = f"sha256:{digest}" if digest else "a whole file"
    try:
        found = reader.sums(folder / name)
    except (FileNotFoundError, NotADirectoryError):
        return Bad(*pair, name, "missing", expected)
    except OSError as error:
        return Bad(*pair, name, "unreadable", expected, error.strerror or str(error))
    if digest and found.sha256 != digest:
        return Bad(*pair, name, "hash", expected, f"sha256:{found.sha256}")
    return found


def _unread(folder: Path, pair: Pair) -> list[Bad]:
    try:
        for _ in blocks(folder):
            pass
    except MirrorError as error:
        return [Bad(*pair, JSON, "hash", "a whole file", error.what)]
    return []
