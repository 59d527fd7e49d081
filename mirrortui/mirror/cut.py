"""Cut published repodata from the upstream body: kept records as the very bytes upstream sent.

Unknown keys survive, inside records and beside them. What would lead a client off the mirror does not:
`base_url` and `shards_base_url` wherever they stand, `url` and `channel` inside records, relations to
absolute URLs. Signatures go too, since they no longer fit what is published.
"""

import json
from collections.abc import Callable, Iterator
from itertools import compress
from typing import Any

import msgspec

from mirrortui.catalog import decode
from mirrortui.catalog.body import INNER, SECTIONS, V3
from mirrortui.catalog.companions import with_companions
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.catalog.record import has_link
from mirrortui.catalog.revisions import later
from mirrortui.catalog.walk import walk

Write = Callable[[bytes], object]

EMPTY = b'{"info":{"subdir":"%s"},"packages":{},"packages.conda":{},"removed":[],"repodata_version":1}'

_LINKS = ("base_url", "shards_base_url")
_RECORD_LINKS = ("url", "base_url", "channel")
_DROPPED = ("signatures", *_LINKS)


def empty(subdir: str) -> bytes:
    """The repodata.json of a subdir without records; a channel must at least have noarch."""
    return EMPTY % subdir.encode()


def verbatim(index: SubdirIndex, keep: Mask) -> bool:
    """Tell whether upstream's body can be published as it is: all records kept and no link in it."""
    if index.body is None or not _whole(index, with_companions(index, keep)):
        return False
    if bool((index.flags & decode.LINKS).any()):
        return False
    tops = {key: index.top(key) for key in index.top_keys()}
    return all(
        key not in SECTIONS and not _drops(key, value) and _clean_top(key, value) == value
        for key, value in tops.items()
    )


def write(index: SubdirIndex, keep: Mask, out: Write) -> int:
    """Write the repodata.json with the kept rows; returns their number. Memory is one block."""
    if index.body is None:
        out(empty(index.subdir))
        return 0
    keep = with_companions(index, keep)
    out(b'{"info":%s' % encode(_info(index, keep)))
    written, tables = 0, _Tables(index, out)
    for section, pieces in _pieces(index, keep):
        tables.put(section, pieces)
        written += len(pieces)
    tables.close()
    for key, value in _others(index):
        if key not in ("info", V3) and not key.startswith(INNER):
            out(b",%s:%s" % (msgspec.json.encode(key), value))
    out(b"}")
    return written


class _Tables:
    """Writes the tables in upstream's order; those of `v3` come one behind the other, since they lie in one object."""

    def __init__(self, index: SubdirIndex, out: Write) -> None:
        self._out, self._open, self._first = out, "", True
        self._missing = [name for name in SECTIONS if name not in index.meta.get("sections", ())]
        self._v3 = V3 in index.top_keys()
        self._rest = {key: value for key, value in _others(index) if key.startswith(INNER)}

    def put(self, section: str, pieces: list[bytes]) -> None:
        """Write some records of a table, each with its key."""
        if section != self._open:
            self._begin(section)
        if pieces:
            self._out((b"" if self._first else b",\n") + b",\n".join(pieces))
            self._first = False

    def close(self) -> None:
        """End the last table, and write the ones that had no records."""
        self._end(leave=True)
        for section in self._missing:
            self._out(b",%s:{}" % msgspec.json.encode(section))
        if self._v3:
            self._out(b',"v3":{')
            self._end_v3(b"")

    def _begin(self, section: str) -> None:
        inner, before = section.startswith(INNER), self._open.startswith(INNER)
        self._end(leave=not inner)
        self._rest.pop(section, None)
        self._out(b',"v3":{' if inner and not before else b",")
        self._v3 = self._v3 and not inner
        self._out(b"%s:{\n" % msgspec.json.encode(section.removeprefix(INNER)))
        self._open, self._first = section, True

    def _end(self, *, leave: bool) -> None:
        if self._open:
            self._out(b"\n}")
        if self._open.startswith(INNER) and leave:
            self._end_v3(b",")

    def _end_v3(self, comma: bytes) -> None:
        """What else stands in `v3`: tables without records, and what is no table."""
        rest = [b"%s:%s" % (msgspec.json.encode(key.removeprefix(INNER)), value) for key, value in self._rest.items()]
        self._out((comma if rest else b"") + b",".join(rest) + b"}")


def _whole(index: SubdirIndex, keep: Mask) -> bool:
    """Whether all of upstream's records are kept."""
    left = index.meta.get("refused") or any(index.meta.get("left_out", {}).values())
    return bool(keep.all()) and not left


def _pieces(index: SubdirIndex, keep: Mask) -> Iterator[tuple[str, list[bytes]]]:
    """Yield for each block the kept records as `"key":{...}`."""
    loose = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    linked = bool((index.flags & decode.LINKS).any())
    for block in walk(index, loose):
        rows = block.rows
        mask = keep[rows.start : rows.stop] if isinstance(rows, range) else keep[rows]
        chosen = compress(zip(block.keys, block.values, strict=True), mask.tolist())
        if linked:
            yield block.section, [b'"%s":%s' % (key.encode(), unlink(raw)) for key, raw in chosen]
        else:
            yield block.section, [b'"%s":%s' % (key.encode(), raw) for key, raw in chosen]


def unlink(raw: object) -> bytes:
    """A record without the keys that lead elsewhere; its own bytes where it has none."""
    assert isinstance(raw, msgspec.Raw)
    text = bytes(raw)
    if not has_link(text):
        return text
    record = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    if not any(key in record for key in _RECORD_LINKS):
        return text
    return b"{%s}" % b",".join(
        b"%s:%s" % (msgspec.json.encode(key), value) for key, value in record.items() if key not in _RECORD_LINKS
    )


def _info(index: SubdirIndex, keep: Mask) -> dict[str, Any]:
    found = clean(index.top("info"))
    info: dict[str, Any] = {"subdir": index.subdir} | (found if isinstance(found, dict) else {})
    revisions = info.get("repodata_revisions")
    if isinstance(revisions, dict) and not _whole(index, keep):
        count = int(((index.flags & decode.V3) != 0)[keep].sum())
        info["repodata_revisions"] = {key: _revised(about, count * (key == V3)) for key, about in revisions.items()}
    return info


def _revised(about: Any, count: int) -> Any:
    """What is said of a revision must fit this file (CEP 48); the times, which need not be there, might not."""
    if not isinstance(about, dict):
        return about
    kept = {key: value for key, value in about.items() if key not in ("oldest", "newest")}
    return kept | ({"n_packages": count} if "n_packages" in kept else {})


def _others(index: SubdirIndex) -> Iterator[tuple[str, bytes]]:
    """What is published beside the records, by its place."""
    for key in index.top_keys():
        value = index.top(key)
        if key not in SECTIONS and not _drops(key, value):
            yield key, encode(_clean_top(key, value))


def _drops(key: str, value: Any) -> bool:
    name = key.removeprefix(INNER)
    return name in _DROPPED or (name == "channel_relations" and _absolute(value))


def encode(value: Any) -> bytes:
    """JSON of a decoded value."""
    try:
        return msgspec.json.encode(value)
    except OverflowError:  # a whole number of more than 64 bits: JSON has no limit, and what upstream says is kept
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _clean_top(key: str, value: Any) -> Any:
    """Remove links from a value; records of unknown revisions are left out, since their files are not fetched."""
    if key == "repodata_version" and value == 2:  # version 2 says that base_url is used
        return 1
    if key == V3:  # its tables come as values of their own
        return {}
    if later(key) and isinstance(value, dict):
        value = {extension: {} if isinstance(table, dict) else table for extension, table in value.items()}
    return clean(value)


def clean(value: Any) -> Any:
    """A decoded value without what leads elsewhere: `base_url`, `shards_base_url`, relations to absolute URLs."""
    if isinstance(value, dict):
        return {
            k: clean(v) for k, v in value.items() if k not in _LINKS and not (k == "channel_relations" and _absolute(v))
        }
    return [clean(v) for v in value] if isinstance(value, list) else value


def _absolute(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_absolute, value.values() if isinstance(value, dict) else value))
    return "://" in str(value) or str(value).startswith("/")
