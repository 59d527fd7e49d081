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
from mirrortui.catalog.body import SECTIONS
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.catalog.record import has_link
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
    if index.body is None or not bool(keep.all()) or bool((index.flags & decode.LINKS).any()):
        return False
    if index.meta.get("refused"):
        return False
    tops = {key: index.top(key) for key in index.top_keys()}
    return all(key not in (*_DROPPED, *SECTIONS) and _clean_top(key, value) == value for key, value in tops.items())


def write(index: SubdirIndex, keep: Mask, out: Write) -> int:
    """Write the repodata.json with the kept rows; returns their number. Memory is one block."""
    if index.body is None:
        out(empty(index.subdir))
        return 0
    out(b'{"info":%s' % _encode(_info(index)))
    written, current = 0, ""
    for section, pieces in _pieces(index, keep):
        if section != current:
            out(b"%s,%s:{\n" % (b"\n}" if current else b"", msgspec.json.encode(section)))
            first = True
        current = section
        if pieces:
            out((b"" if first else b",\n") + b",\n".join(pieces))
            first = False
            written += len(pieces)
    out(b"\n}" if current else b"")
    seen = _sections_seen(index)
    for section in SECTIONS:
        if section not in seen:
            out(b",%s:{}" % msgspec.json.encode(section))
    for key in index.top_keys():
        if key not in ("info", *SECTIONS, *_DROPPED):
            out(b",%s:%s" % (msgspec.json.encode(key), _top(index, key)))
    out(b"}")
    return written


def _sections_seen(index: SubdirIndex) -> list[str]:
    return [str(name) for name in index.meta.get("sections", ())]


def _pieces(index: SubdirIndex, keep: Mask) -> Iterator[tuple[str, list[bytes]]]:
    """Yield for each block the kept records as `"fn":{...}`."""
    loose = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    linked = bool((index.flags & decode.LINKS).any())
    for block in walk(index, loose):
        rows = block.rows
        mask = keep[rows.start : rows.stop] if isinstance(rows, range) else keep[rows]
        chosen = compress(zip(block.fns, block.values, strict=True), mask.tolist())
        if linked:
            yield block.section, [b'"%s":%s' % (fn.encode(), unlink(raw)) for fn, raw in chosen]
        else:
            yield block.section, [b'"%s":%s' % (fn.encode(), raw) for fn, raw in chosen]


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


def _info(index: SubdirIndex) -> dict[str, Any]:
    info = _clean_top("info", index.top("info"))
    return {"subdir": index.subdir} | (info if isinstance(info, dict) else {})


def _top(index: SubdirIndex, key: str) -> bytes:
    return _encode(_clean_top(key, index.top(key)))


def _encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except OverflowError:  # a whole number of more than 64 bits: JSON has no limit, and what upstream says is kept
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _clean_top(key: str, value: Any) -> Any:
    """Remove links from a top-level value; records of newer tables are left out, since their files are not fetched."""
    if key == "repodata_version" and value == 2:  # version 2 says that base_url is used
        return 1
    if key == "v3" and isinstance(value, dict):
        return {extension: {} for extension in value}
    return _clean(value)


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: _clean(v)
            for k, v in value.items()
            if k not in _LINKS and not (k == "channel_relations" and _absolute(v))
        }
    return [_clean(v) for v in value] if isinstance(value, list) else value


def _absolute(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_absolute, value.values() if isinstance(value, dict) else value))
    return "://" in str(value) or str(value).startswith("/")
