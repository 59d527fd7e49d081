"""The dependencies of an index's records, as columns beside the others; built from the body when first asked for.

depends.col        row -> numbers of its dependency specs, row after row
depends_ends.col   row -> where its numbers end
depends.json       the distinct spec texts; written last, so that its presence means the rest is complete
"""

import re
import tempfile
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from pathlib import Path

import msgspec
import numpy as np

from mirrortui.catalog.index import Ints, SubdirIndex
from mirrortui.catalog.values import Table
from mirrortui.catalog.walk import walk
from mirrortui.errors import BadRepodata


class _Record(msgspec.Struct, gc=False):
    depends: list[str] = []


class _Loose(msgspec.Struct, gc=False):
    depends: msgspec.Raw = msgspec.Raw(b"[]")


@dataclass(frozen=True)
class Depends:
    """Row -> dependency specs, numbered; `specs` are the texts."""

    ends: Ints
    numbers: Ints
    specs: list[str]

    def of(self, row: int) -> list[str]:
        """The specs of one row."""
        start = int(self.ends[row - 1]) if row else 0
        return [self.specs[n] for n in self.numbers[start : int(self.ends[row])].tolist()]

    def distinct(self, rows: Ints) -> Ints:
        """The distinct spec numbers of some rows."""
        if not len(rows):
            return np.zeros(0, np.int32)
        starts = np.where(rows > 0, self.ends[rows - 1], 0)
        seen = np.zeros(len(self.specs), bool)
        seen[self.numbers[spans(starts, self.ends[rows])]] = True
        return np.flatnonzero(seen)

    @cached_property
    def places(self) -> dict[str, int]:
        """Spec text -> its number."""
        return {text: number for number, text in enumerate(self.specs)}

    @cached_property
    def row_of(self) -> Ints:
        """Place in `numbers` -> row."""
        return np.repeat(np.arange(len(self.ends), dtype=np.int32), np.diff(self.ends, prepend=0))


def spans(starts: Ints, ends: Ints) -> Ints:
    """All places from each start up to its end, one behind the other."""
    lengths = (ends - starts).astype(np.int64)
    behind = np.cumsum(lengths)
    places: Ints = np.repeat(starts - (behind - lengths), lengths) + np.arange(int(lengths.sum()))
    return places


_NAME = re.compile(r"\s*(?:[^\s\[]*::)?([A-Za-z0-9_.+-]+)")


def dependency(text: str) -> str:
    """The name that a dependency asks for."""
    found = _NAME.match(text)
    return found[1].lower() if found else ""


def depends(index: SubdirIndex) -> Depends:
    """Open the dependencies of an index, building them once. Raises `BadRepodata`."""
    found: Depends = index.remember("depends", lambda: _open(index))
    return found


def _open(index: SubdirIndex) -> Depends:
    if index.folder is None or not index.rows:
        return Depends(np.zeros(0, np.int32), np.zeros(0, np.int32), [])
    found = _read(index, index.folder)
    if found is not None:
        return found
    try:
        build(index, index.folder)
        found = _read(index, index.folder)
    except OSError:  # the state is another account's, or its disk is full
        with tempfile.TemporaryDirectory() as folder:
            build(index, Path(folder))
            found = _read(index, Path(folder))
    if found is None:
        raise BadRepodata("its dependencies cannot be read back", where=str(index.folder), hint="Remove that folder")
    return found


def _read(index: SubdirIndex, folder: Path) -> Depends | None:
    """What a folder holds; None where it is not there, or cut off (power failure, full disk)."""
    try:
        specs = msgspec.json.decode((folder / "depends.json").read_bytes(), type=list[str])
        ends = np.memmap(folder / "depends_ends.col", "<i4", "r", shape=(index.rows,)).view(np.ndarray)
        total = int(ends[-1])
        numbers: Ints = np.zeros(0, np.int32)
        if total:
            numbers = np.memmap(folder / "depends.col", "<i4", "r", shape=(total,)).view(np.ndarray)
    except (OSError, ValueError, msgspec.DecodeError):
        return None
    return Depends(ends, numbers, specs)


def build(index: SubdirIndex, folder: Path) -> None:
    """Decode the dependencies of every record of an index's body into a folder. Raises `BadRepodata`, `OSError`."""
    table, typed, last = Table(), msgspec.json.Decoder(dict[str, _Record]), 0

    def decode(data: bytes) -> Mapping[str, object]:
        try:
            return typed.decode(data)
        except (msgspec.ValidationError, UnicodeError):
            loose = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
            return {fn: _Record(_texts(raw)) for fn, raw in loose.items()}

    with tempfile.TemporaryDirectory(prefix=".depends.", dir=folder) as temporary:
        fresh = Path(temporary)
        with (fresh / "depends.col").open("wb") as numbers, (fresh / "depends_ends.col").open("wb") as ends:
            for block in walk(index, decode):
                lists = [record.depends for record in block.values if isinstance(record, _Record)]
                numbers.write(array("i", table.all(list(chain.from_iterable(lists)))))
                counts = list(accumulate(map(len, lists), initial=last))[1:]
                last = counts[-1] if counts else last
                ends.write(array("i", counts))
        (fresh / "depends.json").write_bytes(msgspec.json.encode(list(table.ids)))
        for name in ("depends.col", "depends_ends.col", "depends.json"):
            (fresh / name).replace(folder / name)


def _texts(raw: msgspec.Raw) -> list[str]:
    """The dependencies of one record, as far as they are texts."""
    for read in (_typed_texts, _loose_texts):
        try:
            return read(raw)
        except (msgspec.ValidationError, UnicodeError):
            continue
    return []


def _typed_texts(raw: msgspec.Raw) -> list[str]:
    return msgspec.json.decode(raw, type=_Record).depends


def _loose_texts(raw: msgspec.Raw) -> list[str]:
    value = msgspec.json.decode(msgspec.json.decode(raw, type=_Loose).depends)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
