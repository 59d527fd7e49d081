"""Cut the metadata beside repodata to what is published: `run_exports` to file names, `channeldata` to package names.

Entries that stay are the very bytes upstream sent, and so is every other value; links that lead a client off the
mirror go. A channeldata entry tells of the newest version upstream, which a filtered mirror may not have; its `home`,
`doc_url`, `dev_url` and `source_url` are information for people and stay.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import compress
from pathlib import Path

import msgspec
import numpy as np

from mirrortui.catalog import cache
from mirrortui.catalog.body import INNER, SECTIONS, V3, split
from mirrortui.catalog.extras import Entries
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.mirror.cut import Write, clean, encode, unlink

_STRETCH = 1 << 14
"""File names that are looked at in one go."""

# As in `catalog.record`: a key may be spelt with escapes.
_LINK = re.compile(rb"base_url|channel_relations|\\u00[5-7]")


class Names:
    """A set of file names as hashes of 64 bits: eight bytes a name, where the texts of a million would take 150 MB.

    The hashes are Python's, with a key of this process: a name that is taken for another one is not to be expected.
    """

    def __init__(self, fns: Iterable[str]) -> None:
        self._hashes = np.sort(np.fromiter(map(hash, fns), np.int64))

    @classmethod
    def of(cls, index: SubdirIndex, keep: Mask) -> "Names":
        """The names of the rows that a mask keeps."""
        return cls(_file_names(index, keep))

    def among(self, fns: Collection[str]) -> list[bool]:
        """For each of some names whether it is in the set."""
        asked = np.fromiter(map(hash, fns), np.int64, len(fns))
        places = np.searchsorted(self._hashes, asked)
        found = self._hashes.take(places, mode="clip") == asked if self._hashes.size else np.zeros(len(asked), bool)
        return list(found.tolist())


def _file_names(index: SubdirIndex, keep: Mask) -> Iterator[str]:
    names, offsets = index.file_names, index.offsets
    for start in range(0, index.rows, _STRETCH):
        stop = min(start + _STRETCH, index.rows)
        text = names[int(offsets[start]) : int(offsets[stop])].decode("utf-8", "surrogatepass")
        yield from compress(text.split("\n"), keep[start:stop].tolist())


def run_exports(body: Path, published: Names, write: Write) -> bool:
    """Write the run_exports.json with the entries of some files; tells whether that is all of the body, unchanged.

    Raises `BadRepodata`. Memory is one block.
    """
    out, decode = _Table(write), msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    intact = True

    def other(key: str, raw: bytes) -> None:
        nonlocal intact
        text = _unlinked(key, raw)
        intact &= text is raw
        if text is not None:
            out.value(key, text)

    for section, entries in split(cache.unpacked(body), lambda section, data: (section, decode(data)), other):
        chosen = published.among(entries.keys()) if section in SECTIONS else [False] * len(entries)
        pieces = []
        for fn, raw in compress(entries.items(), chosen):
            text = unlink(raw)
            intact &= len(text) == len(raw)
            pieces.append(b"%s:%s" % (msgspec.json.encode(fn), text))
        intact &= all(chosen)
        if section in SECTIONS:
            out.entries(section, pieces)
    out.end(SECTIONS)
    return intact


def channeldata(body: Path, where: Mapping[str, Collection[str]], subdirs: Iterable[str], write: Write) -> None:
    """Write the channeldata.json with the entries of some packages; `where` names the subdirs that have each.

    Raises `BadRepodata`. Memory is one block.
    """
    out, decode = _Table(write), msgspec.json.Decoder(Entries).decode
    everywhere = msgspec.json.encode(sorted(subdirs))

    def other(key: str, raw: bytes) -> None:
        text = everywhere if key == "subdirs" else _unlinked(key, raw)
        if text is not None:
            out.value(key, text)

    for section, entries in split(cache.unpacked(body), lambda section, data: (section, decode(data)), other):
        chosen = ((name, entry) for name, entry in entries.items() if name in where)
        pieces = [b"%s:%s" % (msgspec.json.encode(name), _entry(entry, sorted(where[name]))) for name, entry in chosen]
        if section in SECTIONS:
            out.entries(section, pieces)
    out.end(("packages",))


def packages(index: SubdirIndex, keep: Mask) -> list[str]:
    """The names of the packages that some rows of an index are of."""
    return [index.names[place] for place in np.unique(index.name[keep]).tolist()]


def _entry(entry: Mapping[str, msgspec.Raw], subdirs: list[str]) -> bytes:
    fields = {key: _unlinked(key, bytes(raw)) for key, raw in entry.items()}
    fields["subdirs"] = msgspec.json.encode(subdirs)
    return b"{%s}" % b",".join(
        b"%s:%s" % (msgspec.json.encode(key), raw) for key, raw in fields.items() if raw is not None
    )


def _unlinked(key: str, raw: bytes) -> bytes | None:
    """The value of a key without links: the same object where it has none, None where it is one.

    Tables of `v3`, which neither file has (CEP 12, CEP 38), go too: what they would name is not known to be here.
    """
    if key == V3 or key.startswith(INNER):
        return None
    if _LINK.search(raw) is None and _LINK.search(key.encode()) is None:
        return raw
    try:
        value = {key: msgspec.json.decode(raw)}
    except (msgspec.DecodeError, RecursionError):  # JSON, but with a number or a depth beyond any measure
        return None
    cleaned = clean(value)
    return raw if cleaned == value else encode(cleaned[key]) if key in cleaned else None


class _Table:
    """Writes a JSON object value by value, as upstream's body comes; tables entry by entry."""

    def __init__(self, write: Write) -> None:
        self._write, self._before = write, b"{"
        self._open, self._seen = "", set[str]()
        self._first = True

    def value(self, key: str, raw: bytes) -> None:
        """A whole value."""
        self._begin(key)
        self._write(raw)

    def entries(self, section: str, pieces: list[bytes]) -> None:
        """Some entries of a table; those of one table come one after the other."""
        if section != self._open:
            self._begin(section)
            self._write(b"{\n")
            self._open, self._first = section, True
        if pieces:
            self._write((b"" if self._first else b",\n") + b",\n".join(pieces))
            self._first = False

    def end(self, tables: Iterable[str]) -> None:
        """Close it; tables that upstream has, but empty, are there too."""
        for table in tables:
            if table not in self._seen:
                self.entries(table, [])
        self._close()
        self._write(b"}" if self._seen else b"{}")

    def _begin(self, key: str) -> None:
        self._close()
        self._write(b"%s%s:" % (self._before, msgspec.json.encode(key)))
        self._before = b","
        self._seen.add(key)

    def _close(self) -> None:
        if self._open:
            self._write(b"\n}")
            self._open = ""
