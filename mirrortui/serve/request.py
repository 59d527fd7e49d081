"""One HTTP/1.1 request: its head, the byte range it asks for, the conditions it sets.

Sources: RFC 9112 (messages), RFC 9110 sections 8.8 (validators), 13 (conditions), 14 (ranges). The parser is
strict where leniency has led servers astray: bare line feeds, folded fields, blanks in a field name.
"""

import calendar
import email.utils
import functools
import re
import time
from collections.abc import Mapping
from typing import NamedTuple

MAX_LINE = 8 * 1024
MAX_HEAD = 16 * 1024
MAX_FIELDS = 100

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"[\x21-\x7e]+")
_RANGE = re.compile(r"bytes=[ \t]*(\d{0,20})-(\d{0,20})[ \t]*", re.ASCII | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ENTITY_TAG = re.compile(r'(W/)?("[^"]*")')


class HeadError(Exception):
    """The head of a request is not one that can be answered; carries the status that says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Request(NamedTuple):
    """A request without a body; `fields` has lower-case names, repeated fields joined with a comma."""

    method: str
    target: str
    fields: Mapping[str, str]
    keep_alive: bool
    old: bool  # HTTP/1.0, where a kept connection must be announced


class Outcome(NamedTuple):
    """What a request for a present file comes to: status and the bytes [start, stop) of its body."""

    status: int
    start: int
    stop: int


# ---------------------------------------------------------------------------------------------- head


def parse_head(head: bytes) -> Request:
    """Read a head without its final empty line. Raises `HeadError` (400, 414, 431, 505)."""
    line, _, block = head.partition(b"\r\n")
    if len(line) > MAX_LINE:
        raise HeadError(414, "the request line is too long")
    if len(head) > MAX_HEAD:
        raise HeadError(431, "the head of the request is too large")
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not _TARGET.fullmatch(parts[1]):
        raise HeadError(400, "the request line is malformed")
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        if re.fullmatch(r"HTTP/\d(\.\d)?", version):
            raise HeadError(505, "this server speaks HTTP/1.1")
        raise HeadError(400, "the request line is malformed")
    fields = _fields(block)
    old = version == "HTTP/1.0"
    if not old and ("host" not in fields or "," in fields["host"]):
        raise HeadError(400, "exactly one Host field is needed")
    options = fields.get("connection", "").lower()
    keep = "keep-alive" in options if old else "close" not in options
    if fields.get("content-length", "0") != "0" or "transfer-encoding" in fields:
        keep = False  # a body is not read here, so what follows the head cannot be taken for a request
    return Request(method, target, fields, keep, old)


@functools.lru_cache(maxsize=256)
def _fields(block: bytes) -> Mapping[str, str]:
    """Read the field lines; a client repeats the same block with every request, so it is read once."""
    fields: dict[str, str] = {}
    lines = block.decode("latin-1").split("\r\n") if block else []
    if len(lines) > MAX_FIELDS:
        raise HeadError(431, "the request has too many fields")
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or _CONTROL.search(value):
            raise HeadError(400, "a field of the request is malformed")
        name, value = name.lower(), value.strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


# ---------------------------------------------------------------------------------------------- ranges


def byte_range(value: str, size: int) -> range | None:
    """Return the bytes a Range field asks for; empty = none of them exists (416); None = ignore the field.

    Ignored are other units, malformed fields and several ranges at once, as RFC 9110 section 14.2 allows.
    """
    match = _RANGE.fullmatch(value)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return range(max(0, size - int(match[2])), size)
    first = int(match[1])
    last = int(match[2]) if match[2] else max(first, size - 1)
    if last < first:
        return None
    return range(first, min(last + 1, size)) if first < size else range(0)


# ---------------------------------------------------------------------------------------------- conditions


@functools.lru_cache(maxsize=4096)
def http_date(seconds: int) -> str:
    """Return a moment as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`."""
    return email.utils.formatdate(seconds, usegmt=True)


def _seconds(date: str) -> int | None:
    fields = email.utils.parsedate(date)
    try:
        return None if fields is None else calendar.timegm(fields)
    except (ValueError, OverflowError):
        return None


def _names(value: str, etag: str, *, weak: bool) -> bool:
    """Tell whether a list of entity tags holds this one (RFC 9110 section 8.8.3.2)."""
    if value.strip() == "*":
        return True
    return any(tag == etag and (weak or not prefix) for prefix, tag in _ENTITY_TAG.findall(value))


def decide(request: Request, etag: str, mtime: int, size: int) -> Outcome:
    """Weigh conditions and range against a file's strong ETag, mtime (whole seconds) and size in bytes.

    The order is that of RFC 9110 section 13.2.2; the status is 200, 206, 304, 412 or 416.
    """
    fields = request.fields
    if _failed(fields, etag, mtime):
        return Outcome(412, 0, 0)
    if _unchanged(fields, etag, mtime):
        return Outcome(304, 0, 0)
    wanted = fields.get("range")
    if wanted is not None and request.method == "GET" and _range_holds(fields, etag, mtime):
        part = byte_range(wanted, size)
        if part is not None:
            return Outcome(206, part.start, part.stop) if part else Outcome(416, 0, 0)
    return Outcome(200, 0, size)


def _failed(fields: Mapping[str, str], etag: str, mtime: int) -> bool:
    if (tags := fields.get("if-match")) is not None:
        return not _names(tags, etag, weak=False)
    if (date := fields.get("if-unmodified-since")) is not None:
        moment = _seconds(date)
        return moment is not None and mtime > moment
    return False


def _unchanged(fields: Mapping[str, str], etag: str, mtime: int) -> bool:
    if (tags := fields.get("if-none-match")) is not None:
        return _names(tags, etag, weak=True)
    if (date := fields.get("if-modified-since")) is not None:
        moment = _seconds(date)
        return moment is not None and mtime <= moment
    return False


def _range_holds(fields: Mapping[str, str], etag: str, mtime: int) -> bool:
    """Tell whether If-Range, where given, still means this file.

    A date is only good when the file is older than a second: it cannot tell two versions within one apart.
    """
    validator = fields.get("if-range")
    if validator is None:
        return True
    if '"' in validator:
        return validator == etag
    return _seconds(validator) == mtime and time.time() - mtime >= 1
