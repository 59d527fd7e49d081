"""Split a streamed repodata.json into blocks of whole records, in bounded memory.

In valid JSON the bytes `,"x.conda": {` can only be a key, since a quote inside a string is escaped. A
buffer is cut at the last such key and the part before it, wrapped in braces, is decoded at C speed. Only a
block that runs over its section's end (or a key of that shape nested inside a record) fails to decode;
then brackets are counted.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from mirrortui.errors import BadRepodata
from mirrortui.naming import display

T = TypeVar("T")

SECTIONS = ("packages", "packages.conda")

MAX_RECORD = 64 << 20
MAX_VALUE = 512 << 20

_KEY = re.compile(rb',\s*"[^"\\]+\.(?:conda|tar\.bz2)"\s*:\s*\{')
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],"]', re.DOTALL)
_NAME = re.compile(rb'\s*("(?:[^"\\]|\\.)*")\s*:\s*', re.DOTALL)
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"|[^,}\]\s"]+', re.DOTALL)


def split(
    chunks: Iterable[bytes], records: Callable[[str, bytes], T], value: Callable[[str, bytes], None]
) -> Iterator[T]:
    """Yield `records(section, block)` for each block of `packages` and `packages.conda`, in file order.

    `block` is a JSON object `{fn: record, ...}`; the callback must raise `msgspec.DecodeError` if it is not
    one. `value(key, raw)` gets every other top-level value, whole. Raises `BadRepodata`.
    """
    reader = _Reader(chunks)
    reader.expect(b"{", "is not a JSON object")
    if reader.peek() == b"}":
        return
    seen = set()
    while True:
        key = reader.key()
        if key in seen:
            raise BadRepodata(f"holds “{display(key)}” twice")
        seen.add(key)
        if key in SECTIONS and reader.peek() == b"{":
            reader.expect(b"{", "")
            yield from _section(reader, key, records)
        else:
            value(key, reader.value())
        if reader.peek() == b"}":
            return
        reader.expect(b",", f"is not valid JSON after “{display(key)}”")


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
            self.buf = self.buf.lstrip()
            if self.buf:
                return self.buf[:1]
            if not self.more():
                raise self.truncated()

    def expect(self, byte: bytes, otherwise: str) -> None:
        if self.peek() != byte:
            raise BadRepodata(otherwise)
        self.buf = self.buf[1:]

    def key(self) -> str:
        while (match := _NAME.match(self.buf)) is None:
            if len(self.buf) > MAX_RECORD or (len(self.buf) > 1 and not self.buf.lstrip().startswith(b'"')):
                raise BadRepodata("is not valid JSON")
            if not self.more():
                raise self.truncated()
        self.buf = self.buf[match.end() :]
        try:
            return str(msgspec.json.decode(match[1], type=str))
        except (msgspec.DecodeError, UnicodeError) as error:
            raise BadRepodata(f"is not valid JSON: {error}") from error

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
                return raw
            if len(self.buf) > MAX_VALUE:
                raise BadRepodata("holds a value over 512 MB")
            if not self._double():
                raise self.truncated()

    def _double(self) -> bool:
        """Read on until the buffer has doubled, so that rescanning a long value stays linear in all."""
        goal = 2 * len(self.buf)
        grew = self.more()
        while grew and len(self.buf) < goal and self.more():
            pass
        return grew


def _section(reader: _Reader, name: str, records: Callable[[str, bytes], T]) -> Iterator[T]:
    """Yield the blocks of one section; afterwards the reader stands behind its closing brace."""
    if reader.peek() == b"}":
        reader.expect(b"}", "")
        return
    while True:
        cut = _last_key(reader.buf)
        if cut:
            try:
                out = records(name, b"".join((b"{", memoryview(reader.buf)[:cut], b"}")))
            except msgspec.DecodeError:
                pass
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
        elif end is not None:
            raise BadRepodata("is not valid JSON: a section ends with a comma")
        elif len(reader.buf) > MAX_RECORD:
            raise BadRepodata("holds a record over 64 MB")
        if not reader.more():
            raise reader.truncated()


def _decode(records: Callable[[str, bytes], T], name: str, block: bytes) -> T:
    try:
        return records(name, b"{" + block + b"}")
    except msgspec.DecodeError as error:
        raise BadRepodata(f"is not valid JSON in “{name}”: {error}") from error


def _last_key(buf: bytes) -> int:
    """Where the comma before the last record key stands; 0 if there is none."""
    low = len(buf)
    while low > 0:
        low = max(0, low - 16384)
        last = 0
        for match in _KEY.finditer(buf, low):
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
        elif char in (b"}", b"]"):
            depth -= 1
            if depth < 0:
                return match.start(), comma
        elif char == b"," and depth == 0:
            comma = match.start()
        elif char == b'"':  # a string that goes on behind the buffer
            break
    return None, comma
