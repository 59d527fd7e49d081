"""The cache of fetched bodies and their columns below `<state>/catalog/`.

    <channel, “/” as %2F>/<subdir>/source.json      which folder is current, validators
    <channel, “/” as %2F>/<subdir>/<folder>/        body.json.zst and its columns, complete before it is named
    <channel, “/” as %2F>/run_exports/<subdir>/     the same without columns (see `catalog.extras`)
    <channel, “/” as %2F>/channeldata/              the same

A new body is decoded in a folder of its own; only then source.json is switched by a rename. A body that
does not decode changes nothing: the earlier good one stays.
"""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any
from urllib.parse import quote

import msgspec
import zstandard

from mirrortui.catalog import decode
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.index import Source, SubdirIndex
from mirrortui.catalog.inuse import Hold, remove_unused
from mirrortui.errors import BadRepodata, StateError

BODY = "body.json.zst"
MAX_UNPACKED = 8 << 30
MAX_WINDOW = 1 << 27
"""What every zstd client unpacks without being asked to take more: a window is memory, and the upstream chooses it."""
CHUNK = 1 << 19
"""Bytes that are decoded at once: what some thousand records need then stays in the processor's cache."""
AHEAD = 4
"""Chunks that are unpacked before they are asked for: fewer, and each side waits for the other."""


def folder(state: Path, channel: str, subdir: str) -> Path:
    """Where the cache of one subdir is kept."""
    return state / "catalog" / quote(channel, safe="") / subdir


def read_source(place: Path) -> Source | None:
    """The validators of a cached subdir, or None."""
    try:
        return msgspec.json.decode((place / "source.json").read_bytes(), type=Source)
    except (OSError, msgspec.DecodeError):
        return None


def read_usable(place: Path) -> Source | None:
    """The source, if its columns are there and of this program's format: only then a 304 is of use."""
    source = read_source(place)
    if source is None or source.status != "ok":
        return source
    return source if _meta(place / source.folder) is not None else None


def _meta(inner: Path) -> dict[str, Any] | None:
    try:
        meta = msgspec.json.decode((inner / "meta.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return None
    return meta if meta.get("format") == decode.FORMAT and whole(inner) else None


def whole(inner: Path) -> bool:
    """Whether every file has the size it was left with: a lost or cut-off one (power failure, full disk) means a new fetch."""
    try:
        sizes = msgspec.json.decode((inner / "files.json").read_bytes(), type=dict[str, int])
        return all((inner / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, msgspec.DecodeError):
        return False


def write_source(place: Path, source: Source) -> None:
    """Make a source current, atomically."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".source.", dir=place)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(msgspec.json.encode(source))
                os.fchmod(handle, 0o644)  # holds no secret; every account that looks at the mirror reads it
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(place / "source.json")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}", where=str(place)) from error


@contextmanager
def staging(place: Path) -> Iterator[Path]:
    """A new folder beside the current one; at the end all are removed but the current one and what is in use.

    Other processes may do the same at the same time; they remove neither of the two meanwhile.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        _, known = held(place)
        fresh, hold = _new_folder(place)
    except OSError as error:
        raise StateError(
            f"cannot be written: {error.strerror}", where=str(place), hint="Check owner and mode of the state folder"
        ) from error
    try:
        yield fresh
    except OSError as error:
        raise StateError(
            f"cannot be written: {error.strerror or error}",
            where=str(place),
            hint="Is the disk of the state folder full?",
        ) from error
    finally:
        for one in (hold, known):
            if one is not None:
                one.release()
        current = read_source(place)
        for old in place.iterdir():
            if old.is_dir() and (current is None or old.name != current.folder):
                remove_unused(old)


def _new_folder(place: Path) -> tuple[Path, Hold]:
    while True:
        fresh = Path(tempfile.mkdtemp(prefix=f"{int(time.time())}-", dir=place))
        try:
            fresh.chmod(0o755)  # other accounts watch the same mirror
            return fresh, Hold(fresh)
        except (FileNotFoundError, BlockingIOError):  # taken for a left-over one in the moment before it was held
            continue


def held(place: Path) -> tuple[Source | None, Hold | None]:
    """The current source, with a hold on its folder if it has one that is there."""
    while True:
        source = read_source(place)
        if source is None or not source.folder:
            return source, None
        try:
            return source, Hold(place / source.folder)
        except OSError:
            if read_source(place) == source:  # not just switched: it is really gone
                return source, None


def unpacked(body: Path, size: int = CHUNK) -> Iterator[bytes]:
    """The JSON of a cached body, in chunks; the next ones are unpacked in a thread while one is looked at.

    Raises `BadRepodata` where the zstd stream is broken or absurdly large. An iterator that is given up halfway may be
    collected in any thread at any moment, under whatever lock: its end waits for nothing.
    """
    try:
        stream = body.open("rb")
    except OSError as error:  # another process has put a newer one in its place
        raise BadRepodata(f"cannot be read: {error.strerror}", where=str(body), hint="Try again") from error
    total = 0
    asked: SimpleQueue[bool] = SimpleQueue()
    came: SimpleQueue[bytes | Exception] = SimpleQueue()
    for _ in range(AHEAD):
        asked.put(True)
    Thread(target=_unpack, args=(stream, size, asked, came), name="unpack", daemon=True).start()
    try:
        while chunk := came.get():
            if isinstance(chunk, zstandard.ZstdError):
                raise BadRepodata(f"is not valid zstd: {chunk}") from chunk
            if isinstance(chunk, Exception):
                raise chunk
            total += len(chunk)
            if total > MAX_UNPACKED:
                raise BadRepodata("unpacks to more than 8 GB", hint="This is no repodata; look at the upstream")
            asked.put(True)
            yield chunk
    finally:
        asked.put(False)


def _unpack(stream: IO[bytes], size: int, asked: "SimpleQueue[bool]", came: "SimpleQueue[bytes | Exception]") -> None:
    """Read a chunk each time it is asked for, and close the stream when no more are; an error is the last answer."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    with stream, unpacker.stream_reader(stream, read_size=1 << 20, read_across_frames=True) as reader:
        while asked.get():
            try:
                came.put(reader.read(size))
            except Exception as error:  # noqa: BLE001 - whoever asked must not wait for ever
                came.put(error)
                return


def decode_into(fresh: Path) -> dict[str, Any]:
    """Decode `fresh/body.json.zst` into columns beside it; returns the meta."""
    meta = decode.decode(unpacked(fresh / BODY), fresh)
    note_sizes(fresh)
    return meta


def note_sizes(inner: Path) -> None:
    """Write down the sizes of a finished folder's files, for `whole`."""
    sizes = {path.name: path.stat().st_size for path in inner.iterdir()}
    (inner / "files.json").write_bytes(msgspec.json.encode(sizes))


def open_index(state: Path, channel: str, subdir: str) -> SubdirIndex | None:
    """Open a cached subdir, or None if there is none."""
    place = folder(state, channel, subdir)
    source, hold = held(place)
    if source is None:
        return None
    if source.status == "missing":
        return SubdirIndex(channel, subdir, source, None)
    meta = _meta(place / source.folder)
    return None if meta is None else SubdirIndex(channel, subdir, source, place / source.folder, meta, hold)


def open_catalog(state: Path, pairs: Iterable[tuple[str, str]]) -> Catalog:
    """Open whatever of the wanted (channel, subdir) pairs is cached; no network."""
    found = ((pair, open_index(state, *pair)) for pair in pairs)
    return Catalog({pair: index for pair, index in found if index is not None})
