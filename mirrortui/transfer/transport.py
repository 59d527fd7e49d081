"""How bytes arrive: httpx's API over pyreqwest's connections, or over httpx's own where pyreqwest is absent."""

import importlib.util
import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

import mirrortui
from mirrortui.errors import ConfigError
from mirrortui.naming import display
from mirrortui.transfer.fileurl import FileTransport
from mirrortui.transfer.reqwest import ReqwestTransport
from mirrortui.transfer.stock import StockTransport

if TYPE_CHECKING:
    from pyreqwest.client import ClientBuilder

_IDLE_SECONDS = 20.0  # shorter than servers keep a silent connection, so that none is used while it dies


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
    return MirrorClient(
        transport,
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


class MirrorClient(httpx.AsyncClient):
    """A client that shows its transport, and takes `file:///path`: httpx calls a URL without a host relative."""

    def __init__(self, transport: httpx.AsyncBaseTransport, **options: Any) -> None:
        super().__init__(transport=transport, **options)
        self.main_transport = transport

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Build a request as httpx does."""
        if isinstance(url, str) and url.startswith("file:///"):
            url = f"file://localhost{url.removeprefix('file://')}"
        return super().build_request(method, url, **options)
