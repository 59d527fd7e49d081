"""Published metadata read back: which files it names, with which hashes; and the list of names that a snapshot keeps."""

from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from mirrortui.catalog.body import INNER, split
from mirrortui.catalog.revisions import SUFFIXES, file_names
from mirrortui.errors import BadRepodata, TargetError
from mirrortui.mirror.inventory import Entry
from mirrortui.mirror.staging import JSON
from mirrortui.naming import display

NAMES = ".names.zst"
"""Beside the metadata of a snapshot: the names of its files, since reading a million records takes a second."""


class Record(msgspec.Struct, gc=False):
    """What is needed of a record; upstream may write anything into each."""

    size: Any = 0
    sha256: Any = ""
    md5: Any = ""

    @property
    def digests(self) -> dict[str, bytes]:
        """Its hashes in bytes, by kind, the better one first."""
        out = {}
        for kind, text, length in (("sha256", self.sha256, 64), ("md5", self.md5, 32)):
            if isinstance(text, str) and len(text) == length:
                with suppress(ValueError):
                    out[kind] = bytes.fromhex(text)
        return out

    def entry(self, fn: str) -> Entry:
        """The file it describes: size -1 if it says none, digest empty if it has none."""
        size = self.size if isinstance(self.size, int) and self.size > 0 else -1
        return Entry(fn, size, 0, next(iter(self.digests.values()), b""))

    def fits(self, digest: bytes, size: int) -> bool:
        """Tell whether a file is the one that is meant; one without a hash has only its size to be known by."""
        digests = self.digests
        return digest in digests.values() if digests else self.size in (0, size)


def records(folder: Path, fns: Container[str] | None = None) -> dict[str, Record]:
    """The records of a folder's repodata.json by file name, all or those of some files; none where there is no such file."""
    out: dict[str, Record] = {}
    for block in blocks(folder):
        out |= block if fns is None else {fn: record for fn, record in block.items() if fn in fns}
    return out


def blocks(folder: Path) -> Iterator[dict[str, Record]]:
    """The same in blocks, in bounded memory. Raises `BadRepodata`, `TargetError`."""
    for _section, block in _blocks(folder):
        yield block


def _blocks(folder: Path) -> Iterator[tuple[str, dict[str, Record]]]:
    """The sections, block by block: those whose records are published."""
    path, decode = folder / JSON, msgspec.json.Decoder(dict[str, Record]).decode
    other = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def read(section: str, data: bytes) -> tuple[str, dict[str, Record]]:
        if section not in SUFFIXES:
            other(data)  # no JSON would be cut at the wrong place
            return section, {}
        block = decode(data)
        if SUFFIXES[section]:
            block = dict(zip(file_names(section, block), block.values(), strict=True))
        return section, block

    try:
        with path.open("rb") as stream:
            chunks = iter(lambda: stream.read(1 << 20), b"")
            yield from split(chunks, read, lambda *_: None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TargetError(f"cannot be read: {error.strerror or error}", where=display(path)) from error
    except BadRepodata as error:
        raise BadRepodata(error.what, where=display(path)) from error


def note_names(folder: Path) -> tuple[int, int]:
    """Write the list of names beside a repodata.json; returns their number and the bytes of the files."""
    names, total = _listed(folder)
    text = "\n".join(names).encode()
    (folder / NAMES).write_bytes(zstandard.ZstdCompressor(level=3, write_checksum=True).compress(text))
    return len(names), total


def number(folder: Path) -> int:
    """How many names there are, as `note_names` counts them."""
    return len(_listed(folder)[0])


def _listed(folder: Path) -> tuple[list[str], int]:
    names: list[str] = []
    total, known = 0, None
    for section, block in _blocks(folder):
        if known is None and section.startswith(INNER):
            known = set(names)
        if known is not None:  # a file may have a record in v3 beside its older one
            fresh = {fn: record for fn, record in block.items() if fn not in known}
            known.update(fresh)
        else:
            fresh = block
        names += fresh
        total += sum(record.size for record in fresh.values() if isinstance(record.size, int))
    return names, total


def named_in(folder: Path, fns: set[str]) -> set[str]:
    """Which files a snapshot's folder names, by its list, or by its records where that cannot be read.

    Raises `BadRepodata` or `TargetError` where neither can be: nobody knows then what the snapshot names.
    """
    if not fns:
        return set()
    return fns & names_in(folder)


def names_in(folder: Path) -> set[str]:
    """All files that a snapshot's folder names, read and raising as for `named_in`."""
    try:
        text = zstandard.ZstdDecompressor().decompress((folder / NAMES).read_bytes())
        return set(filter(None, text.decode().split("\n")))
    except (OSError, zstandard.ZstdError, ValueError):
        if not (folder / JSON).is_file():
            raise BadRepodata("is not there", where=display(folder / JSON)) from None
        return {fn for block in blocks(folder) for fn in block}
