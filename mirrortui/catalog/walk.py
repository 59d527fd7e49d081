"""Walk through a cached body again, with each record beside its row of the columns."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from mirrortui.catalog import cache
from mirrortui.catalog.body import split
from mirrortui.catalog.index import SubdirIndex
from mirrortui.catalog.record import readable
from mirrortui.catalog.revisions import SUFFIXES, file_names
from mirrortui.errors import BadRepodata

T = TypeVar("T")


class Block(NamedTuple):
    """Some records of one section, in order: their rows, file names and whatever they were decoded to.

    `data` is the JSON they come from, and `keys` are what they have there.
    """

    section: str
    data: bytes
    rows: range | list[int]
    keys: list[str]
    fns: list[str]
    values: list[object]


def walk(index: SubdirIndex, decode: Callable[[bytes], Mapping[str, object]]) -> Iterator[Block]:
    """Yield the body's blocks, records that were refused when it was first decoded left out.

    `decode` turns `{fn: record, ...}` into a mapping and raises `msgspec.DecodeError` for anything else.
    Raises `BadRepodata` where body and columns do not belong together.
    """
    if index.body is None:
        return
    names, offsets, row = index.file_names, index.offsets, 0
    all_read = not index.meta.get("refused")

    texts_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def read(section: str, data: bytes) -> tuple[str, bytes, Mapping[str, object]]:
        return section, data, decode(data) if section in SUFFIXES else texts_of(data)

    for section, data, records in split(cache.unpacked(index.body), read, lambda _key, _raw: None):
        if section not in SUFFIXES:
            continue
        keys = list(records)
        fns = file_names(section, keys)
        end = min(row + len(fns), index.rows)
        if (
            all_read
            and "\n".join(fns).encode("utf-8", "surrogatepass") + b"\n" == names[int(offsets[row]) : int(offsets[end])]
        ):
            yield Block(section, data, range(row, end), keys, fns, list(records.values()))
            row = end
            continue
        rows, kept, texts = [], [], texts_of(data)  # a refused record may have the name of a later one that was not
        for key, fn in zip(keys, fns, strict=True):
            if row < index.rows and fn == index.fn(row) and readable(texts[key]) is not None:
                rows.append(row)
                kept.append(key)
                row += 1
        yield Block(section, data, rows, kept, file_names(section, kept), [records[key] for key in kept])
    if row != index.rows:
        raise BadRepodata(
            "does not fit its cached columns", where=str(index.body), hint="Remove that folder; it is fetched anew"
        )
