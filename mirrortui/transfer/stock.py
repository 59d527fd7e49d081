"""The engine where pyreqwest has no wheel: httpx's own transport, used the way that does not collapse.

httpcore's pool walks all its connections for each request, so one pool of many connections gets slower with
each of them. Here every request in flight has a pool of one connection; all share one SSL context.
"""

import asyncio
import contextlib
import os
import ssl
import urllib.request
from collections.abc import AsyncIterator

import httpx

from mirrortui.errors import ConfigError
from mirrortui.naming import display

_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=20.0)
Timeouts = tuple[float, float, float | None]


class StockTransport(httpx.AsyncBaseTransport):
    """At most `connections` requests at once, each on a connection of its own; `timeouts` are connect, read, pool."""

    name = "httpx"

    def __init__(self, connections: int, *, proxy: str, ca_bundle: str, timeouts: Timeouts) -> None:
        self._proxy = proxy
        self._context = httpx.create_ssl_context()
        if ca_bundle:
            self._context.load_verify_locations(cafile=ca_bundle)
        self._timeouts = timeouts
        self._slots = asyncio.Semaphore(connections)
        self._free: dict[str, list[httpx.AsyncHTTPTransport]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raises `httpx.TransportError`s."""
        connect, read, pool = self._timeouts
        request.headers["Accept-Encoding"] = "identity"
        request.extensions = {**request.extensions, "timeout": {"connect": connect, "read": read, "write": read}}
        try:
            async with asyncio.timeout(pool):
                await self._slots.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("no connection became free", request=request) from error
        free = self._free.setdefault(self._proxy_for(request.url), [])
        transport: httpx.AsyncHTTPTransport | None = None
        try:
            transport = free.pop() if free else self._open(self._proxy_for(request.url))
            response = await transport.handle_async_request(request)
        except BaseException as error:
            self._give_back(free, transport)
            if isinstance(error, httpx.ConnectError):
                raise _explained(error, request) from error
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Leased(response.stream, self, free, transport)
        return response

    def _open(self, proxy: str) -> httpx.AsyncHTTPTransport:
        try:
            return httpx.AsyncHTTPTransport(verify=self._context, trust_env=False, limits=_ONE, proxy=proxy or None)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"“{display(proxy)}” cannot be used as proxy: {error}", where="transfer.proxy") from error

    def _give_back(self, free: list[httpx.AsyncHTTPTransport], transport: httpx.AsyncHTTPTransport | None) -> None:
        if transport is not None:
            free.append(transport)
        self._slots.release()

    def _proxy_for(self, url: httpx.URL) -> str:
        if self._proxy:
            return self._proxy
        proxies = urllib.request.getproxies_environment()
        proxy = proxies.get(url.scheme) or proxies.get("all") or ""
        return "" if not proxy or urllib.request.proxy_bypass(url.host) else proxy

    async def aclose(self) -> None:
        """Close all connections."""
        for free in self._free.values():
            while free:
                await free.pop().aclose()


class _Leased(httpx.AsyncByteStream):
    """A body that hands its connection back when it is closed."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        owner: StockTransport,
        free: list[httpx.AsyncHTTPTransport],
        transport: httpx.AsyncHTTPTransport,
    ) -> None:
        self._stream = stream
        self._lease = contextlib.ExitStack()
        self._lease.callback(owner._give_back, free, transport)  # noqa: SLF001 - the other half of one class

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        with self._lease:
            await self._stream.aclose()


def _explained(error: httpx.ConnectError, request: httpx.Request) -> httpx.ConnectError:
    """Name what httpx calls “All connection attempts failed”: the reason is deep in the chain of causes."""
    host = display(request.url.netloc.decode("ascii", "replace"))
    reason, inner = str(error), error.__cause__
    while inner is not None:
        if isinstance(inner, ssl.SSLError):
            reason = f"TLS: {inner.reason or inner}"
            break
        if isinstance(inner, OSError) and inner.errno:
            reason = os.strerror(inner.errno) if inner.errno > 0 else inner.strerror or reason
        inner = inner.__cause__ or inner.__context__
    return httpx.ConnectError(f"{host}: {display(reason)}", request=request)
