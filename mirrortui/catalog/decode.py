"""Decode a repodata body into columns on disk, a block at a time.

Two ways through: a typed decode at C speed for blocks in which every field has the type CEP 34/36 gives it,
and a patient one for blocks in which some record does not. What cannot be right is taken as unknown
(-1 for numbers, "" for texts); a record without a usable name, or whose file name does not pass the gate,
is left out and counted.
"""

import json
import re
from array import array
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from mirrortui import naming
from mirrortui.catalog.body import split
from mirrortui.catalog.record import Linked, Record, plainly, readable, repeated
from mirrortui.catalog.revisions import SUFFIXES, file_names, unknown
from mirrortui.catalog.values import Table, bounded, milliseconds, unhex, unhex_all, version_ranks
from mirrortui.errors import BadRepodata

CONDA, HAS_SHA256, HAS_MD5, TWIN, ODD, DUPLICATE, LINKS, V3 = (1 << bit for bit in range(8))
"""Bits of the `flags` column. TWIN: a .tar.bz2 whose build is also there as .conda, for the same clients. ODD: the file
name is not name-version-build. DUPLICATE: another record of the same file name counts (the last one of `packages` and
`packages.conda`, else the last one). LINKS: the record holds `url` or `channel`, which must not be published. V3: it
stands in `v3`, which older clients do not read."""

FORMAT = 2
"""Of the column files; a cache of another format is fetched anew."""

MAX_SIZE = 1 << 42
"""Bytes from which on a size is taken as unknown: 4 TB a package, so that the sum of millions still fits 64 bits."""

Flags = npt.NDArray[np.uint8]

_FN_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+!~-\n"
_BAD_START = re.compile(rb"\n[.+!~-]")
# A dependency on python, with or without a channel. Looking back for what comes before keeps the search for a fixed text.
_PYTHON = re.compile(rb'(python(?:(?<="python)|(?<=::python))(?:_abi)?+(?:[\s=<>!~\[][^"\\]*+)?+)"')
_ESCAPE = re.compile(rb"\\")

COLUMNS: dict[str, str] = {
    "name": "<i4",
    "version": "<i4",
    "license": "<i4",
    "python": "<i4",
    "build_number": "<i4",
    "size": "<i8",
    "stamp": "<i8",
    "flags": "<u1",
}
"""Column name -> numpy type."""


class Decoder:
    """Feed blocks, then `finish`; columns grow as files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        self.refused = 0
        self.left_out: dict[str, int] = {}
        self.others: dict[str, bytes] = {}
        self.sections: list[str] = []
        self.odd: dict[int, str] = {}
        self.names, self.versions = Table(), Table()
        self.licenses, self.python = Table(("", "")), Table(())
        names = (*(f"{name}.col" for name in COLUMNS), "fn.txt", "sha256.col", "md5.col")
        self._files = {name: (folder / name).open("wb", buffering=1 << 18) for name in names}
        self._stems = array("q")
        self._escapes = False
        self._typed = msgspec.json.Decoder(dict[str, Record])
        self._linked = msgspec.json.Decoder(dict[str, Linked])
        self._loose = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def close(self) -> None:
        """Close the files, finished or not."""
        for stream in self._files.values():
            stream.close()

    def value(self, key: str, raw: bytes) -> None:
        """Keep a value beside the record tables."""
        self.others[key] = raw

    def records(self, section: str, block: bytes) -> int:
        """Decode one block and append its rows; returns their number. Raises `msgspec.DecodeError` if it is no JSON object."""
        if section not in SUFFIXES:
            self.left_out[section] = self.left_out.get(section, 0) + len(self._loose.decode(block))
            return 0
        self._escapes = b"\\" in block
        table = self._read(block)
        if section not in self.sections:
            self.sections.append(section)
        fns, recs, lines = self._gate(file_names(section, table), list(table.values()))
        if recs:
            self._append(fns, recs, lines, V3 if SUFFIXES[section] else 0)
        return len(recs)

    def _read(self, block: bytes) -> Mapping[str, Record]:
        decoders: tuple[Callable[[bytes], Mapping[str, Record]], ...] = (self._typed.decode, self._linked.decode)
        for read in decoders:
            try:
                table = read(block)
            except msgspec.ValidationError:
                continue
            self.refused += repeated(block, len(table))
            return table
        return self._patient(block)

    def _patient(self, block: bytes) -> Mapping[str, Record]:
        out = {}
        texts = self._loose.decode(block)
        self.refused += repeated(block, len(texts))
        for fn, raw in texts.items():
            record = readable(raw)
            if record is None:
                self.refused += 1
            else:
                out[fn] = record
        return out

    def _gate(self, fns: list[str], recs: list[Record]) -> tuple[list[str], list[Record], bytes]:
        """Let only safe file names through; returns them also as lines.

        The whole block is looked at in one go; single names only if that fails.
        """
        lines = _lines(fns)
        good_start = not lines.startswith((b".", b"+", b"!", b"~", b"-")) and not _BAD_START.search(lines)
        suffixes = lines.count(b".conda\n") + lines.count(b".tar.bz2\n")
        clean = not lines.translate(None, _FN_CHARS) and suffixes == len(fns) == lines.count(b"\n")
        if clean and good_start and max(map(len, fns), default=0) <= naming.MAX_FILE:
            return fns, recs, lines
        good = [i for i, fn in enumerate(fns) if naming.is_file_name(fn)]
        self.refused += len(fns) - len(good)
        fns = [fns[i] for i in good]
        return fns, [recs[i] for i in good], _lines(fns)

    def _append(self, fns: list[str], recs: list[Record], lines: bytes, bits: int) -> None:
        stems, flags = _stems(fns, lines)
        flags |= bits
        names, versions, builds = [r.name for r in recs], [r.version for r in recs], [r.build for r in recs]
        self._mark_odd(stems, list(map("-".join, zip(names, versions, builds, strict=True))), builds, flags)
        self._mark_links(recs, flags)
        self._hashes(recs, flags)
        self._stems.extend(map(hash, stems))
        columns: dict[str, Any] = {
            "name": self.names.all(names),
            "version": self.versions.all(versions),
            "license": self.licenses.all([r.license for r in recs], [r.license_family for r in recs]),
            "python": self._python_tags(recs),
            "build_number": bounded([r.build_number for r in recs], (1 << 31) - 1, missing=0),
            "size": bounded([r.size for r in recs], MAX_SIZE - 1),
            "stamp": milliseconds([r.timestamp for r in recs]),
            "flags": flags,
        }
        for name, values in columns.items():
            self._files[f"{name}.col"].write(np.asarray(values, COLUMNS[name]).data)
        self._files["fn.txt"].write(lines)
        self.rows += len(fns)

    def _mark_odd(self, stems: list[str], expected: list[str], builds: list[str], flags: Flags) -> None:
        if stems == expected:
            return
        for i, (stem, want) in enumerate(zip(stems, expected, strict=True)):
            if stem != want:
                flags[i] |= ODD
                self.odd[self.rows + i] = builds[i]

    def _mark_links(self, recs: list[Record], flags: Flags) -> None:
        if isinstance(recs[0], Linked):
            flags[[isinstance(r, Linked) and r.leads_away for r in recs]] |= LINKS

    def _hashes(self, recs: list[Record], flags: Flags) -> None:
        digests = (
            ("sha256.col", HAS_SHA256, 64, [r.sha256 for r in recs]),
            ("md5.col", HAS_MD5, 32, [r.md5 for r in recs]),
        )
        for name, bit, length, raws in digests:
            data = unhex_all(raws, length)
            if data is not None:
                flags |= bit
            else:
                each = [unhex(raw, length) for raw in raws]
                flags[[digest is not None for digest in each]] |= bit
                data = b"".join([digest or bytes(length // 2) for digest in each])
            self._files[name].write(data)

    def _python_tags(self, recs: list[Record]) -> list[int]:
        """Number the distinct sets of `python` and `python_abi` dependencies."""
        if self._escapes:
            for record in recs:
                if _ESCAPE.search(record.depends):
                    record.depends = plainly(record.depends)
        return self.python.all(list(map(tuple, map(_PYTHON.findall, [r.depends for r in recs]))))

    def finish(self) -> dict[str, Any]:
        """Write tables and meta.json; returns the meta."""
        self.close()
        self._flag_twins()
        tables: dict[str, list[Any]] = {
            "names": list(self.names.ids),
            "versions": list(self.versions.ids),
            "licenses": [(license_ or "", family or "") for license_, family in self.licenses.ids],
            "pythons": [
                "\n".join(spec.decode("utf-8", "replace") for spec in sorted(found)) for found in self.python.ids
            ],
        }
        for name, table in tables.items():
            (self.folder / f"{name}.json").write_bytes(msgspec.json.encode(table))
        version_ranks(tables["versions"]).tofile(self.folder / "version_ranks.col")
        meta = {
            "format": FORMAT,
            "rows": self.rows,
            "refused": self.refused,
            "left_out": self.left_out | unknown(self.others),
            "odd": {str(row): build for row, build in self.odd.items()},
            "others": sorted(self.others),
            "sections": self.sections,
        }
        (self.folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        return meta

    def _flag_twins(self) -> None:
        """Set TWIN and DUPLICATE, by 64-bit hashes of the file names without their suffix."""
        if not self.rows:
            return
        flags = np.memmap(self.folder / "flags.col", "<u1", "r+")
        # The last bit tells the formats apart, so that a build's .tar.bz2 stand right before its .conda.
        keys = np.frombuffer(self._stems, "<i8") & ~1 | (flags & CONDA)
        older = (flags & V3) == 0
        if older.all():
            _mark(flags, keys, np.argsort(keys, kind="stable"))
        else:
            # A client of the older tables sees nothing in v3: there, no twin and nothing that counts instead.
            _mark(flags, keys, np.lexsort((older, keys)))
            rows = np.flatnonzero(older)
            flags[rows] &= ~np.uint8(TWIN | DUPLICATE)
            _mark(flags, keys, rows[np.argsort(keys[rows], kind="stable")])
        flags.flush()


def _mark(flags: Flags, keys: npt.NDArray[np.int64], order: npt.NDArray[np.intp]) -> None:
    step = np.diff(keys[order])
    flags[order[:-1][(step == 1) & (keys[order[:-1]] & 1 == 0)]] |= TWIN
    flags[order[:-1][step == 0]] |= DUPLICATE


def _lines(fns: list[str]) -> bytes:
    return "\n".join((*fns, "")).encode("utf-8", "surrogatepass")


def _stems(fns: list[str], lines: bytes) -> tuple[list[str], Flags]:
    """File names without their suffixes, and CONDA where that was it; a section mostly has one kind."""
    conda = lines.count(b".conda\n")
    if conda in (0, len(fns)):
        cut = -len(".conda" if conda else ".tar.bz2")
        return [fn[:cut] for fn in fns], np.full(len(fns), CONDA if conda else 0, np.uint8)
    kinds = [fn[-1] == "a" for fn in fns]
    return [fn[: -6 if kind else -8] for fn, kind in zip(fns, kinds, strict=True)], np.array(kinds, np.uint8) * CONDA


def decode(chunks: Iterable[bytes], folder: Path) -> dict[str, Any]:
    """Decode a whole body into a (new, empty) folder; returns the meta. Raises `BadRepodata`."""
    decoder = Decoder(folder)
    try:
        for _ in split(chunks, decoder.records, decoder.value):
            pass
        for key, raw in decoder.others.items():  # “v3/whl” is no path: hexadecimal digits are
            (folder / f"top-{key.encode().hex()}.json").write_bytes(raw)
        version = msgspec.json.decode(decoder.others.get("repodata_version", b"1"))
        if isinstance(version, int) and version > 2:
            raise BadRepodata(
                f"is repodata of version {version}, which this program does not know", hint="Update mirrortui"
            )
        return decoder.finish()
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadRepodata(f"is not valid JSON: {error}") from error
    finally:
        decoder.close()
