"""The heads of answers, and the short texts that go with a refusal."""

import time
from http import HTTPStatus
from typing import NamedTuple

from mirrortui.serve.files import OpenFile
from mirrortui.serve.request import Outcome, Request, http_date

_TEXTS = {
    400: "The request is malformed",
    404: "There is no such file on this mirror",
    405: "This mirror answers GET and HEAD only",
    408: "The request took too long to arrive",
    412: "The file is not the one the request is about",
    414: "The request line is too long",
    416: "The file has no such bytes",
    431: "The head of the request is too large",
    503: "The mirror cannot open the file right now",
    505: "This mirror speaks HTTP/1.1",
}
_EXTRA = {405: "Allow: GET, HEAD\r\n", 503: "Retry-After: 2\r\n"}
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Answer(NamedTuple):
    """A head, and a body that fits in memory (b"" where the body comes from a file, or none is due)."""

    status: int
    head: bytes
    body: bytes = b""


def _start(status: int, connection: str) -> str:
    date = http_date(int(time.time()))
    return f"HTTP/1.1 {status} {_PHRASES[status]}\r\nServer: mirrortui\r\nDate: {date}\r\n{connection}"


def connection_field(request: Request | None) -> str:
    """Return the Connection field that an answer needs, or nothing."""
    if request is None or not request.keep_alive:
        return "Connection: close\r\n"
    return "Connection: keep-alive\r\n" if request.old else ""


def file_head(request: Request, file: OpenFile, outcome: Outcome) -> bytes:
    """Compose the head for 200, 206 and 304; a `.zst` is sent as it is, never as a Content-Encoding."""
    text = (
        f"{_start(outcome.status, connection_field(request))}"
        f"ETag: {file.etag}\r\nLast-Modified: {http_date(file.mtime_ns // 10**9)}\r\n"
        f"Cache-Control: {file.kind.cache_control}\r\nAccept-Ranges: bytes\r\n"
    )
    if outcome.status != 304:
        text += f"Content-Type: {file.kind.media_type}\r\nContent-Length: {outcome.stop - outcome.start}\r\n"
    if outcome.status == 206:
        text += f"Content-Range: bytes {outcome.start}-{outcome.stop - 1}/{file.size}\r\n"
    return f"{text}\r\n".encode("latin-1")


def refusal(status: int, request: Request | None = None, *, text: str = "", size: int = 0) -> Answer:
    """Answer with a status and a line of text; `size` is the file's, for 416."""
    extra = _EXTRA.get(status, "")
    if status == 416:
        extra += f"Content-Range: bytes */{size}\r\n"
    return page(status, f"{text or _TEXTS[status]}.\n", "text/plain; charset=utf-8", request, extra)


def page(status: int, text: str, media_type: str, request: Request | None, extra: str = "") -> Answer:
    """Answer with a text made on the spot, which nobody is to keep."""
    body = text.encode("utf-8", "replace")
    head = (
        f"{_start(status, connection_field(request))}{extra}Content-Type: {media_type}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"
    )
    wanted = request is None or request.method != "HEAD"
    return Answer(status, head.encode("latin-1"), body if wanted else b"")
