"""How bytes arrive: httpx's API over pyreqwest's connections (Rust reqwest), or over httpx's own where it is absent.

What the packaged adapter of pyreqwest 0.15 does otherwise, and why this one is our own: it follows redirects to
any host, unpacks Content-Encoding, adds all timeouts up into one limit for the whole request, waits for full
chunks, copies every chunk, and says “connection error” for each of refused, DNS and TLS.
"""

import importlib.util
import re
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

import mirrortui
from mirrortui.errors import ConfigError
from mirrortui.naming import display
from mirrortui.transfer.fileurl import FileTransport
from mirrortui.transfer.stock import StockTransport

if TYPE_CHECKING:
    from pyreqwest.client import Client, ClientBuilder
    from pyreqwest.exceptions import PyreqwestError
    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response

_IDLE_SECONDS = 20.0  # shorter than servers keep a silent connection, so that none is used while it dies
_OS_ERROR = re.compile(r" \(os error \d+\)")


def transport_name() -> str:
    """Tell which engine `open_transport` uses on this machine: `pyreqwest` or `httpx`."""
    return "httpx" if importlib.util.find_spec("pyreqwest") is None else "pyreqwest"


def open_client(
    *,
    connections: int,
    proxy: str = "",
    ca_bundle: str = "",
    connect_timeout: float = 10.0,
    read_timeout: float = 60.0,
) -> httpx.AsyncClient:
    """Open a client for http, https and file URLs; redirects are the caller's. Arguments as `open_transport`."""
    transport = open_transport(
        connections=connections,
        proxy=proxy,
        ca_bundle=ca_bundle,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
    )
    return _AnyClient(
        transport=transport,
        mounts={"file://": FileTransport()},
        headers={"User-Agent": f"mirrortui/{mirrortui.__version__}", "Accept-Encoding": "identity"},
        timeout=None,  # the transports hold the limits
        follow_redirects=False,
        trust_env=False,  # proxies and CA of the environment are the transports' business
    )


def open_transport(
    *,
    connections: int,
    proxy: str = "",
    ca_bundle: str = "",
    connect_timeout: float = 10.0,
    read_timeout: float = 60.0,
    pool_timeout: float | None = None,
) -> httpx.AsyncBaseTransport:
    """Open HTTP/1.1 connections, at most `connections` in use at once; timeouts in seconds.

    `proxy` is for every URL; if empty, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY hold, in either case.
    `ca_bundle` is a PEM file trusted besides the system's. `read_timeout` is the longest silence, not a total.
    The timeouts of a request are not looked at. Raises `ConfigError` for a proxy or bundle that cannot be used.
    """
    pem = _certificates(ca_bundle)
    _check_proxy(proxy)
    try:
        from pyreqwest.client import ClientBuilder
    except ImportError:
        timeouts = (connect_timeout, read_timeout, pool_timeout)
        return StockTransport(connections, proxy=proxy, ca_bundle=ca_bundle, timeouts=timeouts)
    builder = (
        ClientBuilder()
        .http1_only()
        .max_connections(connections)
        .pool_max_idle_per_host(connections)
        .pool_idle_timeout(timedelta(seconds=_IDLE_SECONDS))
        .connect_timeout(timedelta(seconds=connect_timeout))
        .read_timeout(timedelta(seconds=read_timeout))
        .follow_redirects(False)
        .referer(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
    )
    if pool_timeout is not None:
        builder = builder.pool_timeout(timedelta(seconds=pool_timeout))
    if pem:
        builder = builder.add_root_certificate_pem(pem)
    return ReqwestTransport(_with_proxy(builder, proxy).build())


def _with_proxy(builder: "ClientBuilder", proxy: str) -> "ClientBuilder":
    from pyreqwest.proxy import ProxyBuilder

    return builder.proxy(ProxyBuilder.all(proxy)) if proxy else builder


def _check_proxy(proxy: str) -> None:
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https", "socks5", "socks5h") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if proxy and not usable:
        hint = "Write for example http://proxy.lab:3128"
        raise ConfigError(f"“{display(proxy)}” is no proxy URL", where="transfer.proxy", hint=hint)


def _certificates(ca_bundle: str) -> bytes:
    """Read a bundle and make sure that it holds certificates: the builder takes any text without a word."""
    if not ca_bundle:
        return b""
    where = f"transfer.ca_bundle {display(ca_bundle)}"
    try:
        pem = Path(ca_bundle).read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError("holds no certificates", where=where, hint="It must be a PEM file") from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=where) from error
    return pem


class _AnyClient(httpx.AsyncClient):
    """httpx takes a URL without a host for a relative one, and so loses the scheme of `file:///path`."""

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        if isinstance(url, str) and url.startswith("file:///"):
            url = f"file://localhost{url.removeprefix('file://')}"
        return super().build_request(method, url, **options)


class ReqwestTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one pyreqwest client."""

    name = "pyreqwest"

    def __init__(self, client: "Client") -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return when the headers are in; raises `httpx.TransportError`s that say why."""
        from pyreqwest.exceptions import PyreqwestError

        url = request.url
        if url.userinfo:  # httpx has made a header of it
            url = url.copy_with(username=None, password=None)
        headers = [(key, value) for key, value in request.headers.multi_items() if key != "accept-encoding"]
        headers.append(("Accept-Encoding", "identity"))
        builder = self._client.request(request.method, str(url)).headers(headers)
        if "content-length" in request.headers or "transfer-encoding" in request.headers:
            builder = builder.body_bytes(await request.aread())
        sent = builder.streamed_read_buffer_limit(0).build_streamed()  # else it holds back the first 64 KB
        try:
            response = await sent.__aenter__()
        except PyreqwestError as error:
            raise _translated(error, request) from error
        body = _Body(sent, response, request)
        try:
            fields = list(response.headers.items())
        except ValueError as error:
            await body.aclose()
            raise httpx.RemoteProtocolError(f"{_host(request)}: a header is no text", request=request) from error
        return httpx.Response(response.status, headers=fields, stream=body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()


class _Body(httpx.AsyncByteStream):
    """Chunks as they come, each a view of Rust's memory."""

    def __init__(self, sent: "StreamRequest", response: "Response", request: httpx.Request) -> None:
        self._sent: StreamRequest | None = sent
        self._read = response.body_reader.read_chunk
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from pyreqwest.exceptions import PyreqwestError

        read = self._read
        try:
            while (chunk := await read()) is not None:
                yield memoryview(chunk)  # type: ignore[misc] # a buffer does all that bytes are needed for here
        except PyreqwestError as error:
            raise _translated(error, self._request) from error

    async def aclose(self) -> None:
        sent, self._sent = self._sent, None
        if sent is not None:
            await sent.__aexit__(None, None, None)


def _host(request: httpx.Request) -> str:
    return display(request.url.netloc.decode("ascii", "replace"))


def _translated(error: "PyreqwestError", request: httpx.Request) -> httpx.TransportError:
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
        kind, reason = httpx.ConnectError, _connect_reason(causes, reason, request)
    elif causes and _OS_ERROR.search(causes[-1]):
        kind = httpx.ReadError
    elif isinstance(error, exceptions.BuilderError):
        kind = httpx.LocalProtocolError
    return kind(f"{_host(request)}: {display(reason)}", request=request)


def _connect_reason(causes: list[str], reason: str, request: httpx.Request) -> str:
    steps = " ".join(causes[1:])
    if "dns error" in steps:
        return f"the name cannot be resolved ({reason})"
    if request.url.scheme == "https" and not any(step in steps for step in ("tcp connect", "tunnel", "proxy")):
        return f"TLS: {reason}"
    return reason
