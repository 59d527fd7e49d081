"""The dependencies of an index's records, as columns beside the others; built from the body when first asked for.

depends.col        row -> numbers of its dependency specs, row after row
depends_ends.col   row -> where its numbers end
depends.json       the distinct spec texts; written last, so that its presence means the rest is complete
"""

import os
import re
import tempfile
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mirrortui.catalog.decode import Table
from mirrortui.catalog.index import Ints, SubdirIndex
from mirrortui.catalog.walk import walk


class _Record(msgspec.Struct, gc=False):
    depends: list[str] = []


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
        ends = self.ends[rows].astype(np.int64)
        starts = np.where(rows > 0, self.ends[rows - 1], 0).astype(np.int64)
        lengths = ends - starts
        places = np.repeat(starts - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths) + np.arange(
            int(lengths.sum())
        )
        seen = np.zeros(len(self.specs), bool)
        seen[self.numbers[places]] = True
        return np.flatnonzero(seen)

    @cached_property
    def places(self) -> dict[str, int]:
        """Spec text -> its number."""
        return {text: number for number, text in enumerate(self.specs)}

    def asking(self, name: str) -> list[int]:
        """Numbers of the specs that ask for a package name."""
        return self._by_name.get(name, [])

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for number, text in enumerate(self.specs):
            out.setdefault(dependency(text), []).append(number)
        return out

    @cached_property
    def row_of(self) -> Ints:
        """Place in `numbers` -> row."""
        return np.repeat(np.arange(len(self.ends), dtype=np.int32), np.diff(self.ends, prepend=0))


_NAME = re.compile(r"\s*(?:[^\s\[]*::)?([A-Za-z0-9_.-]+)")


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
    if not (index.folder / "depends.json").exists():
        build(index)
    specs = msgspec.json.decode((index.folder / "depends.json").read_bytes(), type=list[str])
    ends = np.memmap(index.folder / "depends_ends.col", "<i4", "r", shape=(index.rows,)).view(np.ndarray)
    total = int(ends[-1])
    numbers: Ints = np.zeros(0, np.int32)
    if total:
        numbers = np.memmap(index.folder / "depends.col", "<i4", "r", shape=(total,)).view(np.ndarray)
    return Depends(ends, numbers, specs)


def build(index: SubdirIndex) -> None:
    """Decode the dependencies of every record of a body into the index's folder."""
    assert index.folder is not None
    table, typed, last = Table(), msgspec.json.Decoder(dict[str, _Record]), 0

    def decode(data: bytes) -> Mapping[str, object]:
        try:
            return typed.decode(data)
        except msgspec.ValidationError:
            loose = msgspec.json.decode(data, type=dict[str, Any])
            return {fn: _Record(_texts(record)) for fn, record in loose.items()}

    numbers_path, ends_path = (_temporary(index.folder, name) for name in ("depends", "depends_ends"))
    with numbers_path.open("wb") as numbers, ends_path.open("wb") as ends:
        for block in walk(index, decode):
            lists = [record.depends for record in block.values if isinstance(record, _Record)]
            numbers.write(array("i", table.all(list(chain.from_iterable(lists)))))
            counts = list(accumulate(map(len, lists), initial=last))[1:]
            last = counts[-1] if counts else last
            ends.write(array("i", counts))
    numbers_path.replace(index.folder / "depends.col")
    ends_path.replace(index.folder / "depends_ends.col")
    texts = _temporary(index.folder, "depends.json")
    texts.write_bytes(msgspec.json.encode(list(table.ids)))
    texts.replace(index.folder / "depends.json")


def _texts(record: object) -> list[str]:
    value = record.get("depends") if isinstance(record, dict) else None
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _temporary(folder: Path, name: str) -> Path:
    handle, path = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    os.close(handle)
    return Path(path)
