"""Records as shards hold them (CEP 16): msgpack, hashes as raw bytes, all else as in repodata.json.

A block of records whose keys are all known is decoded, and packed name by name, at C speed. One that holds anything
else is packed record by record, so that nothing is lost.
"""

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise, repeat
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET

from mirrortui.mirror.cut import unlink

_BYTES = {"md5": 16, "sha256": 32, "legacy_bz2_md5": 16}
_ODD = (msgspec.ValidationError, OverflowError, UnicodeError)


class Record(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The keys that records have today: a struct is turned into msgpack several times as fast as a dict."""

    arch: Any = UNSET
    build: Any = UNSET
    build_number: Any = UNSET
    constrains: Any = UNSET
    date: Any = UNSET
    depends: Any = UNSET
    extra_depends: Any = UNSET
    features: Any = UNSET
    flags: Any = UNSET
    indexed_timestamp: Any = UNSET
    legacy_bz2_md5: Any = UNSET
    legacy_bz2_size: Any = UNSET
    license: Any = UNSET
    license_family: Any = UNSET
    md5: Any = UNSET
    name: Any = UNSET
    noarch: Any = UNSET
    platform: Any = UNSET
    purls: Any = UNSET
    python_site_packages_path: Any = UNSET
    sha256: Any = UNSET
    size: Any = UNSET
    subdir: Any = UNSET
    timestamp: Any = UNSET
    track_features: Any = UNSET
    version: Any = UNSET


class Packer:
    """Packs the records of one index; `linked` tells that some of them lead off the mirror."""

    def __init__(self, *, linked: bool) -> None:
        self._linked = linked
        self._typed = msgspec.json.Decoder(dict[str, Record]).decode
        self._one = msgspec.json.Decoder(Record).decode
        self._raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def decode(self, data: bytes) -> Mapping[str, object]:
        """Decode a block: to `Record`, or to raw JSON where some record is not like that. Raises `msgspec.DecodeError`."""
        try:
            return self._typed(data)
        except (msgspec.DecodeError, UnicodeError):
            return self._raw(data)

    def entries(self, keys: list[str], values: list[object], data: bytes, bounds: Sequence[int]) -> list[bytes]:
        """Entries of a msgpack map, without its head, for each stretch of records from one bound to the next.

        `values` are what `decode` made of the block `data`.
        """
        records = [value for value in values if isinstance(value, Record)]
        if len(records) == len(values):
            _hashes_to_bytes(records)
            try:
                return self._stretches(keys, records, bounds)
            except (OverflowError, UnicodeError):
                pass
        raws = self._raw(data)
        return self._stretches(keys, [self._careful(raws[key]) for key in keys], bounds)

    def _stretches(self, keys: list[str], records: Sequence[object], bounds: Sequence[int]) -> list[bytes]:
        encode, out = self._encode, []
        for begin, end in pairwise(bounds):
            packed = encode(dict(zip(keys[begin:end], records[begin:end], strict=True)))
            out.append(packed[len(map_head(end - begin)) :])
        return out

    def _careful(self, raw: msgspec.Raw) -> msgspec.Raw:
        """One record, read the quickest way that copes with what it holds."""
        text = unlink(raw) if self._linked else bytes(raw)
        try:
            record = self._one(text)
            _hashes_to_bytes([record])
            return msgspec.Raw(self._encode(record))
        except _ODD:
            pass
        try:
            return msgspec.Raw(self._encode(_loose(msgspec.json.decode(text))))
        except _ODD:
            plain = text.decode("utf-8", "replace")
            found = json.loads(plain, parse_int=_whole, parse_float=_finite)
            return msgspec.Raw(self._encode(_loose(found)))


def map_head(count: int) -> bytes:
    """What begins a msgpack map of so many entries."""
    if count < 16:
        return bytes([0x80 | count])
    return b"\xde" + count.to_bytes(2, "big") if count < 1 << 16 else b"\xdf" + count.to_bytes(4, "big")


def _hashes_to_bytes(records: list[Record]) -> None:
    for key, length in _BYTES.items():
        values = list(map(attrgetter(key), records))
        if values.count(UNSET) < len(values):
            deque(map(setattr, records, repeat(key), _all_raw(values, length)), maxlen=0)  # a loop at C speed


def _all_raw(values: list[Any], length: int) -> list[Any]:
    """Hashes in bytes, all at once where all are alike."""
    try:
        data = bytes.fromhex("".join(values))
    except (TypeError, ValueError):
        data = b""
    if len(data) == length * len(values) and set(map(len, values)) == {2 * length}:
        return [data[at : at + length] for at in range(0, len(data), length)]
    return [value if value is UNSET else _raw(length, value) for value in values]


def _raw(length: int, value: Any) -> Any:
    """A hash in bytes; what is none is left as it is."""
    try:
        data = bytes.fromhex(value)
    except (ValueError, TypeError):
        return value
    return data if len(data) == length and len(value) == 2 * len(data) else value


def _loose(record: dict[str, Any]) -> dict[str, Any]:
    return record | {key: _raw(length, record[key]) for key, length in _BYTES.items() if key in record}


def _whole(text: str) -> int | None:
    """A whole number, or None where it has more than 64 bits: JSON has room for any, msgpack has not."""
    value = int(text) if len(text) <= 20 else 1 << 64
    return value if -(1 << 63) <= value < 1 << 64 else None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None
