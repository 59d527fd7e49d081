"""`file://` upstreams: an httpx transport that answers from the local disk as a plain web server would."""

import asyncio
import email.utils
import errno
import os
import re
import stat
from collections.abc import AsyncIterator

import httpx

from mirrortui import naming

_CHUNK = 1 << 20
_INLINE = 1 << 18  # a read up to this size is quicker than handing it to a thread
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.ENXIO)


class FileTransport(httpx.AsyncBaseTransport):
    """GET and HEAD of regular files with ETag (size and mtime), Range, If-Range and 304.

    404 for what is absent, a folder, a device or a pipe; 403 for what may not be read.
    """

    name = "file"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; raises `httpx.ReadError` where the disk fails."""
        if request.method not in ("GET", "HEAD"):
            return _empty(405)
        if request.url.host not in ("", "localhost"):
            return _empty(404)
        try:
            descriptor = await asyncio.to_thread(_open, str(naming.file_url_path(str(request.url))))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                return _empty(403)
            if error.errno in _ABSENT:
                return _empty(404)
            raise httpx.ReadError(f"the disk says: {error.strerror}", request=request) from error
        if descriptor is None:
            return _empty(404)
        try:
            return _answer(request, descriptor)
        except BaseException:
            os.close(descriptor)
            raise


def _open(path: str) -> int | None:
    """Open a regular file; None for anything else. Never waits for the other end of a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError:  # a NUL, or half a character
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _empty(status: int, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers={"Content-Length": "0", **(headers or {})}, stream=httpx.ByteStream(b""))


def _answer(request: httpx.Request, descriptor: int) -> httpx.Response:
    """Own the descriptor: it is closed here or by the body."""
    info = os.fstat(descriptor)
    size = info.st_size
    headers = {
        "ETag": f'"{size:x}-{info.st_mtime_ns:x}"',
        "Last-Modified": email.utils.formatdate(info.st_mtime, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if _unchanged(request.headers, headers):
        os.close(descriptor)
        return httpx.Response(304, headers=headers, stream=httpx.ByteStream(b""))
    part = _part(request.headers, headers, size)
    if part is None:
        os.close(descriptor)
        return _empty(416, {**headers, "Content-Range": f"bytes */{size}"})
    start, end, status = part
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        os.close(descriptor)
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""))
    return httpx.Response(status, headers=headers, stream=_FileBody(descriptor, start, end, request))


def _unchanged(asked: httpx.Headers, have: dict[str, str]) -> bool:
    """Weigh If-None-Match, or else If-Modified-Since (RFC 9110, 13.2.2)."""
    tags = asked.get("If-None-Match")
    if tags is not None:
        return tags.strip() == "*" or have["ETag"] in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    return bool(asked.get("If-Modified-Since") == have["Last-Modified"])


def _part(asked: httpx.Headers, have: dict[str, str], size: int) -> tuple[int, int, int] | None:
    """Start, end (exclusive) and status; None where the range lies outside the file."""
    match = _RANGE.fullmatch(asked.get("Range", "").replace(" ", ""))
    only_if = asked.get("If-Range", have["ETag"])
    if match is None or match[0] == "bytes=-" or only_if not in (have["ETag"], have["Last-Modified"]):
        return 0, size, 200
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2] or size) + 1)
        if match[2] and int(match[2]) < start:
            return 0, size, 200  # not a valid range: as if none had been asked for
    return (start, end, 206) if start < end else None


class _FileBody(httpx.AsyncByteStream):
    def __init__(self, descriptor: int, start: int, end: int, request: httpx.Request) -> None:
        self._descriptor = descriptor
        self._at = start
        self._end = end
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._at < self._end:
            length = min(_CHUNK, self._end - self._at)
            try:
                if length <= _INLINE:
                    data = os.pread(self._descriptor, length, self._at)
                else:
                    data = await asyncio.to_thread(os.pread, self._descriptor, length, self._at)
            except OSError as error:
                raise httpx.ReadError(f"the disk says: {error.strerror}", request=self._request) from error
            if not data:
                raise httpx.RemoteProtocolError("the file became shorter while it was read", request=self._request)
            self._at += len(data)
            yield data

    async def aclose(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            self._at = self._end
            os.close(descriptor)
