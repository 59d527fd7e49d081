"""Requests over pyreqwest (Rust reqwest), as an httpx transport and without httpx; its errors in httpx's classes.

What its packaged adapter (0.15) does otherwise, and why this one is our own: it follows redirects to any host,
unpacks Content-Encoding, adds all timeouts up into one limit for the whole request, waits for full chunks, copies
every chunk, and says “connection error” for each of refused, DNS and TLS.
"""

import asyncio
import functools
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from mirrortui.naming import display

if TYPE_CHECKING:
    from pyreqwest.client import Client
    from pyreqwest.exceptions import PyreqwestError
    from pyreqwest.request import RequestBuilder, StreamRequest
    from pyreqwest.response import Response

_TURN_SECONDS = 0.01  # a body that comes faster than it is used never waits, and would keep the loop to itself
_OS_ERROR = re.compile(r" \(os error \d+\)")


class ReqwestTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one pyreqwest client."""

    name = "pyreqwest"

    def __init__(self, client: "Client") -> None:
        self.client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return when the headers are in; raises `httpx.TransportError`s that say why."""
        url = request.url
        if url.userinfo:  # httpx has made a header of it
            url = url.copy_with(username=None, password=None)
        headers = [(key, value) for key, value in request.headers.multi_items() if key != "accept-encoding"]
        headers.append(("Accept-Encoding", "identity"))
        builder = self.client.request(request.method, str(url)).headers(headers)
        if "content-length" in request.headers or "transfer-encoding" in request.headers:
            builder = builder.body_bytes(await request.aread())
        body = await send(builder, str(request.url))
        try:
            fields = list(body.response.headers.items())
        except ValueError as error:
            await body.aclose()
            raise _no_text(str(request.url)) from error
        return httpx.Response(body.response.status, headers=fields, stream=body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.client.close()


async def send(builder: "RequestBuilder", url: str) -> "Body":
    """Send a request for a URL and return when the headers are in; raises `httpx.TransportError`s that say why."""
    sent = builder.streamed_read_buffer_limit(0).build_streamed()  # else it holds back the first 64 KB
    task = asyncio.current_task()
    asked = _cancellations(task)
    try:
        body = Body(sent, await sent.__aenter__(), url)
    except reqwest_error() as error:
        raise translated(error, url) from error
    if _cancellations(task) > asked:
        await body.aclose()
        raise asyncio.CancelledError
    return body


class Body(httpx.AsyncByteStream):
    """An answer whose headers are in `response`; pieces of its body as they come, each a view of Rust's memory."""

    def __init__(self, sent: "StreamRequest", response: "Response", url: str) -> None:
        self.response = response
        self._sent: StreamRequest | None = sent
        self._take = response.body_reader.read_chunk
        self._url = url
        self._clock = asyncio.get_running_loop().time
        self._turn = self._clock() + _TURN_SECONDS

    def field(self, name: str) -> str | None:
        """A header's value; raises `httpx.RemoteProtocolError` where it is no text."""
        try:
            return self.response.get_header(name)
        except ValueError as error:
            raise _no_text(self._url) from error

    async def read(self, amount: int = 0) -> memoryview | None:
        """The next piece, None at the end: as much as has come, or `amount` bytes unless the body ends before."""
        if self._clock() > self._turn:
            await asyncio.sleep(0)
            self._turn = self._clock() + _TURN_SECONDS
        task = asyncio.current_task()
        asked = _cancellations(task)
        try:
            chunk = await (self.response.body_reader.read(amount) if amount else self._take())
        except reqwest_error() as error:
            raise translated(error, self._url) from error
        if _cancellations(task) > asked:
            raise asyncio.CancelledError
        return None if chunk is None else memoryview(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self.read()) is not None:
            yield piece  # type: ignore[misc] # a buffer does all that bytes are needed for here

    async def aclose(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        sent, self._sent = self._sent, None
        if sent is not None:
            await sent.__aexit__(None, None, None)


def _cancellations(task: asyncio.Task[Any] | None) -> int:
    """How often a task was asked to end.

    Where reqwest has its answer ready at that very moment it gives the answer, and the cancellation is lost: more
    of them after a call than before it mean that the call should not have returned.
    """
    return task.cancelling() if task is not None else 0


@functools.cache
def reqwest_error() -> type["PyreqwestError"]:
    """What pyreqwest raises; looked up only when something is raised."""
    from pyreqwest.exceptions import PyreqwestError

    return PyreqwestError


def _host(url: str) -> str:
    return display(urlsplit(url).netloc.rpartition("@")[2])


def _no_text(url: str) -> httpx.RemoteProtocolError:
    return httpx.RemoteProtocolError(f"{_host(url)}: a header is no text")


def translated(error: "PyreqwestError", url: str) -> httpx.TransportError:
    """Find httpx's class and a readable reason in the list of causes, which runs from general to exact."""
    from pyreqwest import exceptions

    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or ()]
    connecting = "client error (Connect)" in causes
    reason = _OS_ERROR.sub("", causes[-1] if causes else error.message).strip()
    kind: type[httpx.TransportError] = httpx.RemoteProtocolError
    if isinstance(error, exceptions.PoolTimeoutError):
        kind, reason = httpx.PoolTimeout, "no connection became free"
    elif isinstance(error, exceptions.RequestTimeoutError) and connecting:
        kind, reason = httpx.ConnectTimeout, "no connection in time"
    elif isinstance(error, exceptions.RequestTimeoutError):
        kind, reason = httpx.ReadTimeout, "nothing came for too long"
    elif connecting:
        kind, reason = httpx.ConnectError, _connect_reason(causes, reason, url)
    elif causes and _OS_ERROR.search(causes[-1]):
        kind = httpx.ReadError
    elif isinstance(error, exceptions.BuilderError):
        kind = httpx.LocalProtocolError
    return kind(f"{_host(url)}: {display(reason)}")


def _connect_reason(causes: list[str], reason: str, url: str) -> str:
    steps = " ".join(causes[1:])
    if "dns error" in steps:
        return f"the name cannot be resolved ({reason})"
    if url.startswith("https:") and not any(step in steps for step in ("tcp connect", "tunnel", "proxy")):
        return f"TLS: {reason}"
    return reason
