"""The fields of one record that rules, plans and transfers look at, read from JSON as it comes.

Usually a whole block of records is decoded to `Record` at C speed. A block in which some record leads elsewhere is
decoded to `Linked`; one in which some field has not the type that CEP 34/36 gives it, record by record (`readable`).
"""

import json
import re
from typing import Annotated, Any

import msgspec

# A key may be spelt with escapes: `"\u0075rl"` is `"url"` to every client.
_LINK = re.compile(rb'"(?:url|channel|base_url)"\s*:|\\u00[5-7]')


class Record(msgspec.Struct, gc=False):
    """A record without a link. Hashes and dependencies stay JSON until it is known what of them is needed."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    version: str
    build: str
    build_number: int = 0
    size: int | None = -1
    license: str | None = ""
    license_family: str | None = ""
    timestamp: int | None = -1
    sha256: msgspec.Raw = msgspec.Raw(b'""')
    md5: msgspec.Raw = msgspec.Raw(b'""')
    depends: msgspec.Raw = msgspec.Raw(b"[]")
    url: None = None
    channel: None = None
    base_url: None = None


class Linked(Record, gc=False):
    """A record that may lead elsewhere."""

    url: Any = msgspec.UNSET
    channel: Any = msgspec.UNSET
    base_url: Any = msgspec.UNSET

    @property
    def leads_away(self) -> bool:
        """Whether it holds a key that must not be published, be it null: the same key may have come before with a value."""
        return any(value is not msgspec.UNSET for value in (self.url, self.channel, self.base_url))


def has_link(data: bytes) -> bool:
    """Tell whether a record may hold a key that leads elsewhere (none that does is missed)."""
    return _LINK.search(data) is not None


def repeated(block: bytes, keys: int) -> int:
    """How many entries of a block of so many keys come under a key that another one has: readers differ in which counts."""
    if block.count(b"{") == keys + 1:  # no record holds an object, and none was overwritten
        return 0
    entries: int = json.loads(block, object_pairs_hook=len, parse_int=len, parse_float=len)
    return entries - keys


_one = msgspec.json.Decoder(Linked).decode


def readable(raw: msgspec.Raw) -> Linked | None:
    """One record of a block that holds odd ones; None where it is left out. Raises `msgspec.DecodeError` for no JSON."""
    try:
        return _one(raw)
    except msgspec.ValidationError:
        pass
    try:
        return _sane(msgspec.json.decode(raw))
    except msgspec.ValidationError:  # a number beyond any measure
        return None


def _sane(raw: object) -> Linked | None:
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
    return Linked(
        name=name,
        version=str(version),
        build=build if isinstance(build, str) else str(build),
        build_number=number("build_number", 0),
        size=number("size", -1),
        license=text("license"),
        license_family=text("license_family"),
        timestamp=number("timestamp", -1),
        sha256=msgspec.Raw(msgspec.json.encode(text("sha256"))),
        md5=msgspec.Raw(msgspec.json.encode(text("md5"))),
        depends=msgspec.Raw(msgspec.json.encode(clean)),
        url=raw.get("url", msgspec.UNSET),
        channel=raw.get("channel", msgspec.UNSET),
        base_url=raw.get("base_url", msgspec.UNSET),
    )


def plainly(depends: msgspec.Raw) -> msgspec.Raw:
    """Dependencies without escapes (Go writes a `>` as its number; v3 quotes within brackets) or a channel before the name."""
    try:
        texts = msgspec.json.decode(depends)
    except (msgspec.DecodeError, UnicodeError):
        return depends
    if not isinstance(texts, list):
        return msgspec.Raw(b"[]")
    # Either quote may stand in a MatchSpec, and only one of them needs no escape in JSON.
    plain = [text.rpartition("::")[2].replace('"', "'") for text in texts if isinstance(text, str)]
    return msgspec.Raw(msgspec.json.encode(plain))
