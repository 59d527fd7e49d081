"""Cut published repodata from the upstream body: kept records as the very bytes upstream sent.

Unknown keys survive, inside records and beside them. What would lead a client off the mirror does not:
`base_url` and `shards_base_url` wherever they stand, `url` and `channel` inside records, relations to
absolute URLs. Signatures go too, since they no longer fit what is published.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from typing import Any

import msgspec

from mirrortui.catalog import cache, decode
from mirrortui.catalog.body import SECTIONS, split
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.errors import BadRepodata

Write = Callable[[bytes], object]

EMPTY = b'{"info":{"subdir":"%s"},"packages":{},"packages.conda":{},"removed":[],"repodata_version":1}'

_LINKS = ("base_url", "shards_base_url")
_RECORD_LINKS = ("url", "base_url", "channel")
_DROPPED = ("signatures",)


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
    return all(key not in _DROPPED and _clean_top(key, value) == value for key, value in tops.items())


def write(index: SubdirIndex, keep: Mask, out: Write) -> int:
    """Write the repodata.json with the kept rows; returns their number. Memory is one block."""
    if index.body is None:
        out(empty(index.subdir))
        return 0
    out(b'{"info":%s' % msgspec.json.encode(_info(index)))
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
    """Yield for each block the kept records as `"fn":{...}`, walking the rows along with the body."""
    assert index.body is not None
    loose = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    names, offsets, row = index.file_names, index.offsets, 0

    def block(section: str, data: bytes) -> tuple[str, dict[str, msgspec.Raw], bool]:
        return section, loose(data), decode.has_link(data)

    for section, records, linked in split(cache.unpacked(index.body), block, lambda _key, _raw: None):
        fns = list(records)
        end = min(row + len(fns), index.rows)
        if "\n".join(fns).encode() + b"\n" == names[int(offsets[row]) : int(offsets[end])]:
            chosen: Iterable[tuple[str, msgspec.Raw]] = compress(records.items(), keep[row:end].tolist())
            row = end
        else:  # a record of this block was refused when it was decoded
            kept = []
            for item in records.items():
                if row < index.rows and item[0] == index.fn(row):
                    if keep[row]:
                        kept.append(item)
                    row += 1
            chosen = kept
        yield section, [b'"%s":%s' % (fn.encode(), _unlink(raw) if linked else raw) for fn, raw in chosen]
    if row != index.rows:
        raise BadRepodata(
            "does not fit its cached columns", where=str(index.body), hint="Remove that folder; it is fetched anew"
        )


def _unlink(raw: msgspec.Raw) -> bytes:
    if not decode.has_link(bytes(raw)):
        return bytes(raw)
    record = msgspec.json.decode(raw)
    return msgspec.json.encode({k: v for k, v in record.items() if k not in _RECORD_LINKS})


def _info(index: SubdirIndex) -> dict[str, Any]:
    info = _clean_top("info", index.top("info"))
    return {"subdir": index.subdir} | (info if isinstance(info, dict) else {})


def _top(index: SubdirIndex, key: str) -> bytes:
    value = index.top(key)
    clean = _clean_top(key, value)
    if key == "repodata_version" and value == 2:  # version 2 says that base_url is used
        clean = 1
    return msgspec.json.encode(clean)


def _clean_top(key: str, value: Any) -> Any:
    """Remove links from a top-level value; records of newer tables are left out, since their files are not fetched."""
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
    texts = value.values() if isinstance(value, dict) else [value]
    return any("://" in str(text) or str(text).startswith("/") for text in texts)
