"""Split a streamed repodata.json into blocks of whole records, in bounded memory.

In valid JSON the bytes `,"x.conda": {` can only be a key, since a quote inside a string is escaped. A
buffer is cut at the last such key and the part before it, wrapped in braces, is decoded at C speed. Only a
block that runs over its section's end (or a key of that shape nested inside a record) fails to decode;
then brackets are counted. The tables of `v3` (CEP 48) lie one level deeper, and their keys lack the extension: there,
a key is known by its two hyphens.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from mirrortui.errors import BadRepodata
from mirrortui.naming import display

T = TypeVar("T")

SECTIONS = ("packages", "packages.conda")
V3 = "v3"
INNER = "v3/"
"""What the name of a section within `v3` begins with; its extension follows."""

MAX_RECORD = 64 << 20
MAX_VALUE = 512 << 20
MAX_KEY = 100
"""Bytes of a top-level key: it becomes part of a file name."""
MAX_KEYS = 1000
MAX_DEPTH = 100
"""Of brackets in one value: deeper ones break the readers of every language."""

_SPACE = b" \t\r\n"
# Possessive: a plain `(?:[^"\\]|\\.)*` remembers every character, 100 bytes of memory for each.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_KEY = re.compile(rb',[ \t\r\n]*"[^"\\]+\.(?:conda|tar\.bz2)"[ \t\r\n]*:[ \t\r\n]*\{')
_STEM = re.compile(rb',[ \t\r\n]*+"[^"\\-]++-[^"\\-]++-[^"\\]++"[ \t\r\n]*+:[ \t\r\n]*+\{')
_TOKEN = re.compile(_STRING + rb'|[{}\[\],"]', re.DOTALL)
_NAME = re.compile(rb"(" + _STRING + rb")[ \t\r\n]*:", re.DOTALL)
_SCALAR = re.compile(_STRING + rb'|[^,}\] \t\r\n"]+', re.DOTALL)


def split(
    chunks: Iterable[bytes], records: Callable[[str, bytes], T], value: Callable[[str, bytes], None]
) -> Iterator[T]:
    """Yield `records(section, block)` for each block of `packages`, `packages.conda` and `v3/<extension>`, in file order.

    `block` is a JSON object `{key: record, ...}`; the callback must raise `msgspec.DecodeError` if it is not
    one. `value(key, raw)` gets every other top-level value, whole; also `{}` for `v3` and for each table in it, where
    they are objects, and what else stands in `v3`. Raises `BadRepodata`.
    """
    reader = _Reader(chunks)
    reader.expect(b"{", "is not a JSON object")
    yield from _members(reader, "", records, value)
    reader.end()


def _members(
    reader: "_Reader", prefix: str, records: Callable[[str, bytes], T], value: Callable[[str, bytes], None]
) -> Iterator[T]:
    """Walk through an object; afterwards the reader stands behind its closing brace."""
    seen: set[str] = set()
    while reader.peek() != b"}" or seen:
        key = reader.key()
        if key in seen:
            raise BadRepodata(f"holds “{display(key)}” twice")
        seen.add(key)
        if len(seen) > MAX_KEYS:
            raise BadRepodata(f"holds more than {MAX_KEYS} keys beside its records", hint="This is no repodata")
        if key.startswith(INNER) and not prefix:
            raise BadRepodata(f"holds the odd key “{display(key, 40)}”", hint="This is no repodata")
        yield from _member(reader, prefix + key, records, value)
        if reader.peek() == b"}":
            break
        reader.expect(b",", f"is not valid JSON after “{display(key)}”")
    reader.expect(b"}", "")


def _member(
    reader: "_Reader", name: str, records: Callable[[str, bytes], T], value: Callable[[str, bytes], None]
) -> Iterator[T]:
    inner = name.startswith(INNER)
    if reader.peek() != b"{" or not (inner or name in (*SECTIONS, V3)):
        value(name, reader.value())
        return
    reader.expect(b"{", "")
    if inner or name == V3:
        value(name, b"{}")
    if name == V3:
        yield from _members(reader, INNER, records, value)
    else:
        yield from _section(reader, name, records, _STEM if inner else _KEY)


class _Reader:
    """A growing buffer over the chunks; `buf` always starts at the next unread byte."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.buf = b""
        self.ended = False

    def more(self) -> bool:
        """Append the next chunk; False at the end."""
        for chunk in self._chunks:
            self.buf = self.buf + chunk if self.buf else chunk
            return True
        self.ended = True
        return False

    def truncated(self) -> BadRepodata:
        return BadRepodata("ends in the middle", hint="The upstream sent it cut off; try again later")

    def peek(self) -> bytes:
        """The next byte that is no white space."""
        while True:
            self.buf = self.buf.lstrip(_SPACE)
            if self.buf:
                return self.buf[:1]
            if not self.more():
                raise self.truncated()

    def end(self) -> None:
        """Nothing may follow."""
        while True:
            if self.buf.strip(_SPACE):
                raise BadRepodata("goes on behind its end")
            self.buf = b""
            if not self.more():
                return

    def expect(self, byte: bytes, otherwise: str) -> None:
        if self.peek() != byte:
            raise BadRepodata(otherwise)
        self.buf = self.buf[1:]

    def key(self) -> str:
        if self.peek() != b'"':
            raise BadRepodata("is not valid JSON")
        while (match := _NAME.match(self.buf)) is None:
            if len(self.buf) > 20 * MAX_KEY:
                raise BadRepodata("is not valid JSON, or holds a very long key")
            if not self.more():
                raise self.truncated()
        self.buf = self.buf[match.end() :]
        try:
            key = msgspec.json.decode(match[1], type=str)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise BadRepodata(f"is not valid JSON: {error}") from error
        if len(key.encode()) > MAX_KEY:
            raise BadRepodata(f"holds the very long key “{display(key, 40)}”", hint="This is no repodata")
        return key

    def value(self) -> bytes:
        """One whole value, as bytes."""
        first = self.peek()
        while True:
            if first in (b"{", b"["):
                end, _ = scan(self.buf[1:], 0)
                cut = end + 2 if end is not None else None
            else:
                match = _SCALAR.match(self.buf)
                cut = match.end() if match is not None and (match.end() < len(self.buf) or self.ended) else None
            if cut is not None:
                raw, self.buf = self.buf[:cut], self.buf[cut:]
                _check(raw)
                return raw
            if len(self.buf) > MAX_VALUE:
                raise BadRepodata("holds a value over 512 MB")
            if not self.double():
                raise self.truncated()

    def double(self) -> bool:
        """Read on until the buffer has doubled, so that rescanning a long value stays linear in all."""
        goal = 2 * len(self.buf)
        grew = self.more()
        while grew and len(self.buf) < goal and self.more():
            pass
        return grew


def _section(reader: _Reader, name: str, records: Callable[[str, bytes], T], keys: re.Pattern[bytes]) -> Iterator[T]:
    """Yield the blocks of one section; afterwards the reader stands behind its closing brace."""
    if reader.peek() == b"}":
        reader.expect(b"}", "")
        return
    while True:
        if reader.peek() in (b",", b"}"):
            raise BadRepodata(f"is not valid JSON: “{name}” has a comma too many")
        cut = _last_key(reader.buf, keys)
        if cut:
            try:
                out = records(name, b"".join((b"{", memoryview(reader.buf)[:cut], b"}")))
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                pass  # the count of brackets finds out
            else:
                reader.buf = reader.buf[cut + 1 :]
                yield out
                reader.more()
                continue
        end, comma = scan(reader.buf, 0)
        cut = comma if end is None else end
        if cut:
            out = _decode(records, name, reader.buf[:cut])
            reader.buf = reader.buf[cut + 1 :]
            yield out
            if end is not None:
                return
        elif len(reader.buf) > MAX_RECORD:
            raise BadRepodata("holds a record over 64 MB")
        if not (reader.more() if cut else reader.double()):
            raise reader.truncated()


def _decode(records: Callable[[str, bytes], T], name: str, block: bytes) -> T:
    try:
        return records(name, b"{" + block + b"}")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRepodata(f"is not valid JSON in “{name}”: {display(error)}") from error


def _check(raw: bytes) -> None:
    """Refuse now what a later reader of this value would stumble over."""
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRepodata(f"is not valid JSON: {display(error)}") from error


def _last_key(buf: bytes, keys: re.Pattern[bytes]) -> int:
    """Where the comma before the last record key stands; 0 if there is none (or none of less than 1,024 bytes)."""
    low = len(buf)
    while low > 0:
        high, low = low + 1024, max(0, low - 4096)
        last = 0
        for match in keys.finditer(buf, low, high):
            last = match.start()
        if last:
            return last
    return 0


def scan(buf: bytes, depth: int) -> tuple[int | None, int]:
    """Count brackets from inside an object: (where it closes or None, the last comma at its own level or 0)."""
    comma = 0
    for match in _TOKEN.finditer(buf):
        char = match[0]
        if char in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                raise BadRepodata("is nested too deeply")
        elif char in (b"}", b"]"):
            depth -= 1
            if depth < 0:
                return match.start(), comma
        elif char == b"," and depth == 0:
            comma = match.start()
        elif char == b'"':  # a string that goes on behind the buffer
            break
    return None, comma
