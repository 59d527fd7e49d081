"""Decode a repodata body into columns on disk, a block at a time.

Two ways through: a typed decode at C speed for blocks in which every field has the type CEP 34/36 gives it,
and a patient one for blocks in which some record does not. What cannot be right is taken as unknown
(-1 for numbers, "" for texts); a record without a usable name, or whose file name does not pass the gate,
is left out and counted.
"""

import json
import re
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from mirrortui import naming
from mirrortui.catalog.body import split
from mirrortui.errors import BadRepodata

CONDA, HAS_SHA256, HAS_MD5, TWIN, ODD, DUPLICATE, LINKS = (1 << bit for bit in range(7))
"""Bits of the `flags` column. TWIN: a .tar.bz2 whose build is also there as .conda. ODD: the file name is not
name-version-build. DUPLICATE: the same key comes again later (the later one counts). LINKS: the record holds `url`
or `channel`, which must not be published."""

FORMAT = 1
"""Of the column files; a cache of another format is fetched anew."""

MAX_SIZE = 1 << 42
"""Bytes from which on a size is taken as unknown: 4 TB a package, so that the sum of millions still fits 64 bits."""
MAX_STAMP = (
    253402300799  # the last second of the year 9999: larger values are milliseconds (as conda and rattler read them)
)

Flags = npt.NDArray[np.uint8]

_FN_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+!~-\n"
_PYTHON = re.compile(rb'"(python(?:_abi)?(?:[\s=<>!~\[][^"\\]*)?)"')
_SPELLED = re.compile(rb"\\|::")
_BAD_START = re.compile(rb"\n[.+!~-]")
# A key may be spelt with escapes: `"\u0075rl"` is `"url"` to every client.
_LINK = re.compile(rb'"(?:url|channel|base_url)"\s*:|\\u00[5-7]')


def has_link(data: bytes) -> bool:
    """Tell whether a record may hold a key that leads elsewhere (none that does is missed)."""
    return _LINK.search(data) is not None


class Record(msgspec.Struct, gc=False):
    """The fields that rules, plans and transfers look at."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    version: str
    build: str
    build_number: int = 0
    size: int | None = -1
    license: str | None = ""
    license_family: str | None = ""
    timestamp: int | None = -1
    sha256: str | None = ""
    md5: str | None = ""
    depends: msgspec.Raw = msgspec.Raw(b"[]")
    url: Any = None
    channel: Any = None
    base_url: Any = None


COLUMNS: dict[str, tuple[str, str]] = {
    "name": ("i", "<i4"),
    "version": ("i", "<i4"),
    "license": ("i", "<i4"),
    "python": ("i", "<i4"),
    "build_number": ("i", "<i4"),
    "size": ("q", "<i8"),
    "stamp": ("q", "<i8"),
    "flags": ("B", "<u1"),
}
"""Column name -> (array type code while decoding, numpy type on disk)."""


class Table:
    """Texts seen so far, in order of first appearance."""

    def __init__(self, *first: Any) -> None:
        self.ids: dict[Any, int] = {text: index for index, text in enumerate(first)}

    def all(self, texts: list[Any]) -> list[int]:
        """Return the numbers of texts; the usual case, that all were seen before, is one pass at C speed."""
        try:
            return list(map(self.ids.__getitem__, texts))
        except KeyError:
            for text in texts:
                self.ids.setdefault(text, len(self.ids))
            return list(map(self.ids.__getitem__, texts))


class Decoder:
    """Feed blocks, then `finish`; columns grow as files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        self.refused = 0
        self.others: dict[str, bytes] = {}
        self.sections: list[str] = []
        self.odd: dict[int, str] = {}
        self.names, self.versions = Table(), Table()
        self.licenses, self.python = Table(("", "")), Table(())
        self._files = {name: (folder / f"{name}.col").open("wb") for name in COLUMNS}
        self._raw = {name: (folder / name).open("wb") for name in ("fn.txt", "sha256.col", "md5.col")}
        self._stems = array("q")
        self._spelled = False
        self._typed = msgspec.json.Decoder(dict[str, Record])
        self._loose = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def close(self) -> None:
        """Close the files, finished or not."""
        for stream in (*self._files.values(), *self._raw.values()):
            stream.close()

    def value(self, key: str, raw: bytes) -> None:
        """Keep a top-level value other than the record tables."""
        self.others[key] = raw

    def records(self, section: str, block: bytes) -> int:
        """Decode one block and append its rows; returns their number. Raises `msgspec.DecodeError` if it is no JSON object."""
        if section not in self.sections:
            self.sections.append(section)
        self._spelled = b"\\" in block or b"::" in block
        try:
            table = self._typed.decode(block)
        except msgspec.ValidationError:
            table = self._patient(block)
        fns, recs = list(table), list(table.values())
        fns, recs = self._gate(fns, recs)
        if recs:
            self._append(fns, recs)
        return len(recs)

    def _patient(self, block: bytes) -> dict[str, Record]:
        out = {}
        for fn, raw in self._loose.decode(block).items():
            record = readable(raw)
            if record is None:
                self.refused += 1
            else:
                out[fn] = record
        return out

    def _gate(self, fns: list[str], recs: list[Record]) -> tuple[list[str], list[Record]]:
        """Let only safe file names through. The whole block is looked at in one go; single names only if that fails."""
        text = "\n" + "\n".join(fns) + "\n"
        data = text.encode("utf-8", "surrogatepass")
        suffixes = text.count(".conda\n") + text.count(".tar.bz2\n")
        clean = not data.translate(None, _FN_CHARS) and suffixes == len(fns) == text.count("\n") - 1
        if clean and not _BAD_START.search(data) and max(map(len, fns), default=0) <= naming.MAX_FILE:
            return fns, recs
        good = [i for i, fn in enumerate(fns) if naming.is_file_name(fn)]
        self.refused += len(fns) - len(good)
        return [fns[i] for i in good], [recs[i] for i in good]

    def _append(self, fns: list[str], recs: list[Record]) -> None:
        flags = np.fromiter((fn[-1] == "a" for fn in fns), np.uint8, len(fns))  # CONDA is bit 0
        stems = [fn[:-6] if fn[-1] == "a" else fn[:-8] for fn in fns]
        self._mark_odd(stems, recs, flags)
        self._mark_links(recs, flags)
        self._hashes(recs, flags)
        self._stems.extend(map(hash, stems))
        columns: dict[str, Sequence[int]] = {
            "name": self.names.all([r.name for r in recs]),
            "version": self.versions.all([r.version for r in recs]),
            "license": self.licenses.all(
                list(zip([r.license for r in recs], [r.license_family for r in recs], strict=True))
            ),
            "python": self._python_tags(recs),
            "build_number": [n if -1 < (n := r.build_number) < 1 << 31 else 0 for r in recs],
            "size": [s if (s := r.size) is not None and -1 < s < MAX_SIZE else -1 for r in recs],
            "stamp": _milliseconds([r.timestamp for r in recs]),
        }
        for name, values in columns.items():
            self._files[name].write(array(COLUMNS[name][0], values))
        self._files["flags"].write(flags.data)
        self._raw["fn.txt"].write(("\n".join(fns) + "\n").encode())
        self.rows += len(fns)

    def _mark_odd(self, stems: list[str], recs: list[Record], flags: Flags) -> None:
        expected = [f"{r.name}-{r.version}-{r.build}" for r in recs]
        if stems == expected:
            return
        for i, (stem, want) in enumerate(zip(stems, expected, strict=True)):
            if stem != want:
                flags[i] |= ODD
                self.odd[self.rows + i] = recs[i].build

    def _mark_links(self, recs: list[Record], flags: Flags) -> None:
        found = [r.url is not None or r.channel is not None or r.base_url is not None for r in recs]
        if True in found:
            flags[found] |= LINKS

    def _hashes(self, recs: list[Record], flags: Flags) -> None:
        digests = (
            ("sha256.col", HAS_SHA256, 64, [r.sha256 or "" for r in recs]),
            ("md5.col", HAS_MD5, 32, [r.md5 or "" for r in recs]),
        )
        for name, bit, length, texts in digests:
            data = _unhex(texts, length)
            if data is not None:
                flags |= bit
            else:
                good = [_unhex([text], length) is not None for text in texts]
                flags[good] |= bit
                data = _unhex([text if ok else "0" * length for text, ok in zip(texts, good, strict=True)], length)
            self._raw[name].write(data or b"")

    def _python_tags(self, recs: list[Record]) -> list[int]:
        """Number the distinct sets of `python` and `python_abi` dependencies."""
        if self._spelled:
            for record in recs:
                if _SPELLED.search(record.depends):
                    record.depends = _plainly(record.depends)
        return self.python.all([tuple(found) if (found := _PYTHON.findall(r.depends)) else () for r in recs])

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
        self._rank_versions(tables["versions"])
        meta = {
            "format": FORMAT,
            "rows": self.rows,
            "refused": self.refused,
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
        order = np.argsort(keys, kind="stable")
        step = np.diff(keys[order])
        flags[order[:-1][(step == 1) & (keys[order[:-1]] & 1 == 0)]] |= TWIN
        flags[order[:-1][step == 0]] |= DUPLICATE
        flags.flush()

    def _rank_versions(self, versions: list[str]) -> None:
        """Store each distinct version's place in conda's order (equal versions share one)."""
        from rattler import Version

        keyed: list[tuple[Any, int]] = []
        ranks = np.full(len(versions), -1, "<i4")
        for index, text in enumerate(versions):
            try:
                keyed.append((Version(text), index))
            except Exception:  # noqa: BLE001, S112 - rattler has no common base for its parse errors; no version sorts lowest
                continue
        keyed.sort(key=lambda pair: pair[0])
        rank, last = -1, None
        for version, index in keyed:
            if last is None or version != last:
                rank, last = rank + 1, version
            ranks[index] = rank
        ranks.tofile(self.folder / "version_ranks.col")


def _unhex(texts: list[str], length: int) -> bytes | None:
    """All the digests in bytes, or None if one of them is not `length` hexadecimal digits."""
    if set(map(len, texts)) != {length}:
        return None
    try:
        data = bytes.fromhex("".join(texts))
    except ValueError:
        return None
    return data if 2 * len(data) == length * len(texts) else None  # fromhex skips white space


def _plainly(depends: msgspec.Raw) -> msgspec.Raw:
    """Dependencies without escapes (Go writes a `>` as its number) and without the channel before a name."""
    try:
        texts = msgspec.json.decode(depends)
    except (msgspec.DecodeError, UnicodeError):
        return depends
    plain = [text.rpartition("::")[2] for text in texts if isinstance(text, str)] if isinstance(texts, list) else []
    return msgspec.Raw(msgspec.json.encode(plain))


def _milliseconds(stamps: list[int | None]) -> list[int]:
    """Old records carry seconds, newer ones milliseconds (conda: models/records.py, TimestampField); -1 is unknown."""
    low, high = MAX_STAMP, MAX_STAMP * 1000
    values = [-1 if s is None or s <= 0 or s > high else s for s in stamps]
    return [v if v > low or v < 0 else v * 1000 for v in values]


_one = msgspec.json.Decoder(Record).decode


def readable(raw: msgspec.Raw) -> Record | None:
    """One record of a block that holds odd ones; None where it is left out. Raises `msgspec.DecodeError` for no JSON."""
    try:
        return _one(raw)
    except msgspec.ValidationError:
        pass
    try:
        return _sane(msgspec.json.decode(raw))
    except msgspec.ValidationError:  # a number beyond any measure
        return None


def _sane(raw: object) -> Record | None:
    """Read a record whose types are not what they should be; None if it has no usable name."""
    if not isinstance(raw, dict):
        return None
    name, version, build = raw.get("name"), raw.get("version"), raw.get("build", "")
    if not isinstance(name, str) or not name or not isinstance(version, str | int | float) or isinstance(version, bool):
        return None

    def number(key: str, missing: int) -> int:
        value = raw.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1 << 62:  # noqa: PLR0124 - NaN
            return missing
        return int(value)

    def text(key: str) -> str:
        value = raw.get(key)
        return value if isinstance(value, str) else ""

    depends = raw.get("depends")
    clean = [d for d in depends if isinstance(d, str)] if isinstance(depends, list) else []
    return Record(
        name=name,
        version=str(version),
        build=build if isinstance(build, str) else str(build),
        build_number=number("build_number", 0),
        size=number("size", -1),
        license=text("license"),
        license_family=text("license_family"),
        timestamp=number("timestamp", -1),
        sha256=text("sha256"),
        md5=text("md5"),
        depends=msgspec.Raw(msgspec.json.encode(clean)),
        url=raw.get("url"),
        channel=raw.get("channel"),
        base_url=raw.get("base_url"),
    )


def decode(chunks: Iterable[bytes], folder: Path) -> dict[str, Any]:
    """Decode a whole body into a (new, empty) folder; returns the meta. Raises `BadRepodata`."""
    decoder = Decoder(folder)
    try:
        for _ in split(chunks, decoder.records, decoder.value):
            pass
        for key, raw in decoder.others.items():
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
