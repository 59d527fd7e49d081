"""One subdir of a catalog: columns on disk, opened by memory map; rows are records in upstream's order."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from mirrortui.catalog import decode
from mirrortui.errors import BadRepodata

Ints = npt.NDArray[np.signedinteger[Any]]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a cached body came from. `status` is ok, or missing (the upstream has no such subdir); times in seconds since 1970.

    `encoding` is what the upstream sent (zst or json); the cached body is always zstd. `sha256` is of the body as it was sent.
    `refused` tells of a missing one that the answer was 403: object stores say so of what is not there, others of a bad token.
    """

    url: str
    status: str
    etag: str = ""
    modified: str = ""
    encoding: str = "zst"
    sha256: str = ""
    unpacked: int = 0
    packed: int = 0
    checked: float = 0.0
    folder: str = ""
    refused: bool = False


@dataclass(frozen=True)
class SubdirIndex:
    """The records of one (channel, subdir) as columns. -1 is an unknown number; times in milliseconds.

    `hold` keeps `folder` on disk while this value lives: columns are opened when they are first asked for.
    """

    channel: str
    subdir: str
    source: Source
    folder: Path | None
    meta: dict[str, Any] = field(default_factory=dict)
    hold: object = field(default=None, repr=False, compare=False)

    @property
    def rows(self) -> int:
        """Number of records."""
        return int(self.meta.get("rows", 0))

    @property
    def body(self) -> Path | None:
        """The upstream's repodata.json, zstd-compressed; None for a subdir that upstream does not have."""
        return None if self.folder is None else self.folder / "body.json.zst"

    def _column(self, name: str, kind: str, width: int = 1) -> npt.NDArray[Any]:
        if not self.rows or self.folder is None:
            return np.zeros((0, width) if width > 1 else 0, kind)
        shape = (self.rows, width) if width > 1 else (self.rows,)
        try:
            return np.memmap(self.folder / f"{name}.col", kind, "r", shape=shape).view(np.ndarray)
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error

    def _plain(self, name: str) -> npt.NDArray[Any]:
        return self._column(name, decode.COLUMNS[name])

    @cached_property
    def name(self) -> Ints:
        """Row -> place in `names`."""
        return self._plain("name")

    @cached_property
    def version(self) -> Ints:
        """Row -> place in `versions`."""
        return self._plain("version")

    @cached_property
    def license(self) -> Ints:
        """Row -> place in `licenses`."""
        return self._plain("license")

    @cached_property
    def python(self) -> Ints:
        """Row -> place in `pythons`."""
        return self._plain("python")

    @cached_property
    def build_number(self) -> Ints:
        """Build numbers."""
        return self._plain("build_number")

    @cached_property
    def size(self) -> Ints:
        """Bytes; -1 where the record does not say."""
        return self._plain("size")

    @cached_property
    def stamp(self) -> Ints:
        """Build times in milliseconds since 1970; -1 where the record does not say."""
        return self._plain("stamp")

    @cached_property
    def flags(self) -> Bytes:
        """Bits as named in `catalog.decode`."""
        return self._plain("flags")

    @cached_property
    def sha256(self) -> Bytes:
        """Row -> 32 bytes; zeros where `flags` lacks HAS_SHA256."""
        return self._column("sha256", "<u1", 32)

    @cached_property
    def md5(self) -> Bytes:
        """Row -> 16 bytes; zeros where `flags` lacks HAS_MD5."""
        return self._column("md5", "<u1", 16)

    def _table(self, name: str) -> list[Any]:
        if self.folder is None or not self.rows:
            return []
        return list(msgspec.json.decode(self._read(f"{name}.json")))

    def _read(self, name: str) -> bytes:
        assert self.folder is not None
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> BadRepodata:
        return BadRepodata(f"its cache is damaged: {error}", where=str(self.folder), hint="Remove that folder")

    @cached_property
    def names(self) -> list[str]:
        """Distinct package names."""
        return self._table("names")

    @cached_property
    def name_places(self) -> dict[str, int]:
        """Package name -> place in `names`."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def versions(self) -> list[str]:
        """Distinct versions."""
        return self._table("versions")

    @cached_property
    def licenses(self) -> list[tuple[str, str]]:
        """Distinct (license, license_family)."""
        return [(a, b) for a, b in self._table("licenses")]

    @cached_property
    def pythons(self) -> list[str]:
        """Distinct sets of `python` and `python_abi` dependencies, a spec a line; "" is none."""
        return self._table("pythons")

    @cached_property
    def version_ranks(self) -> Ints:
        """Place in `versions` -> place in conda's order; -1 where the text is no version."""
        if self.folder is None or not self.rows:
            return np.zeros(0, "<i4")
        return np.frombuffer(self._read("version_ranks.col"), "<i4")

    @cached_property
    def file_names(self) -> bytes:
        """All file names, a line each."""
        if self.folder is None or not self.rows:
            return b""
        return self._read("fn.txt")

    @cached_property
    def offsets(self) -> Ints:
        """Row -> where its file name begins in `file_names`; one more at the end."""
        ends = np.flatnonzero(np.frombuffer(self.file_names, "u1") == 10)
        return np.concatenate((np.zeros(1, "<i8"), ends + 1))

    def fn(self, row: int) -> str:
        """The file name of a row."""
        return self.file_names[int(self.offsets[row]) : int(self.offsets[row + 1]) - 1].decode()

    def fns(self, mask: Mask | None = None) -> list[str]:
        """File names of the rows that a mask keeps (all without one), in order."""
        names = self.file_names.decode().split("\n")[:-1]
        return names if mask is None else [names[i] for i in np.flatnonzero(mask)]

    def row(self, fn: str) -> int | None:
        """The row of a file name (the one that counts, where the index has it twice); None if there is none."""
        text, names = b"\n%s\n" % fn.encode("utf-8", "surrogatepass"), self.file_names
        end = len(names)
        while (place := names.rfind(text, 0, end)) >= 0:
            row = int(np.searchsorted(self.offsets, place + 1))
            if self.usable[row]:
                return row
            end = place + 1
        return 0 if names.startswith(text[1:]) else None

    def build(self, row: int) -> str:
        """The build string of a row."""
        return self.builds([row])[0]

    def builds(self, rows: Sequence[int] | Ints) -> list[str]:
        """Build strings of rows; read from the file names, where regular ones hold them last."""
        names, odd = self.file_names, self.meta.get("odd", {})
        rows = np.asarray(rows, dtype=np.int64)
        starts, ends = self.offsets[rows].tolist(), self.offsets[rows + 1].tolist()
        conda = (self.flags[rows] & decode.CONDA).tolist()
        out = []
        for start, end, is_conda in zip(starts, ends, conda, strict=True):
            stop = end - (7 if is_conda else 9)
            out.append(names[names.rfind(b"-", start, stop) + 1 : stop].decode())
        if odd:
            for place, row in enumerate(rows.tolist()):
                out[place] = str(odd.get(str(row), out[place]))
        return out

    @cached_property
    def by_name(self) -> tuple[Ints, Ints]:
        """Rows sorted by name, and where the rows of each name begin (one more at the end)."""
        order = np.argsort(self.name, kind="stable").astype(np.int32)
        return order, np.searchsorted(self.name[order], np.arange(len(self.names) + 1))

    def rows_of(self, name: str) -> Ints:
        """The rows of one package name."""
        place = self.name_places.get(name)
        if place is None:
            return np.zeros(0, np.int32)
        order, begins = self.by_name
        return order[begins[place] : begins[place + 1]]

    def digest(self, row: int) -> tuple[str, bytes] | None:
        """The hash to check a file by: ("sha256", 32 bytes), else ("md5", 16 bytes), else None."""
        flags = int(self.flags[row])
        if flags & decode.HAS_SHA256:
            return "sha256", self.sha256[row].tobytes()
        if flags & decode.HAS_MD5:
            return "md5", self.md5[row].tobytes()
        return None

    def hashes(self, row: int) -> tuple[str, str]:
        """The sha256 and md5 of a row in hex, "" for one that its record does not say."""
        flags = int(self.flags[row])
        return (
            self.sha256[row].tobytes().hex() if flags & decode.HAS_SHA256 else "",
            self.md5[row].tobytes().hex() if flags & decode.HAS_MD5 else "",
        )

    @cached_property
    def usable(self) -> Mask:
        """Rows that count: not overwritten by another entry of the same file name."""
        return np.equal(np.bitwise_and(self.flags, decode.DUPLICATE), 0)

    @cached_property
    def _memory(self) -> tuple[dict[Hashable, Any], Lock]:
        return {}, Lock()

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made under a key before, or make it: masks and orders that many questions share.

        The newest hundred are kept; an index never changes, so that nothing in here can be stale. Threads may ask
        at the same time: at worst both make the same value.
        """
        memory, lock = self._memory
        value: T
        with lock:
            if key in memory:
                value = memory[key] = memory.pop(key)  # the last used goes last
                return value
        value = make()
        with lock:
            memory[key] = value
            while len(memory) > 100:
                memory.pop(next(iter(memory)))
        return value

    def top(self, key: str) -> Any:
        """Another value of the body (`info`, `removed`, `v3/...`), decoded; None if absent."""
        if self.folder is None:
            return None
        file = self.folder / f"top-{key.encode().hex()}.json"
        return msgspec.json.decode(file.read_bytes()) if file.exists() else None

    def top_keys(self) -> list[str]:
        """The other top-level keys of the body."""
        return list(self.meta.get("others", ()))
