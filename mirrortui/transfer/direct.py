"""GETs of package files straight over pyreqwest: httpx's own work around a request costs more than the request.

Per request httpx parses URLs character by character, merges headers and looks for cookies: some 0.3 ms, a third of
what a package of 100 KB costs in all. What pyreqwest cannot serve (`file://`, a user name in the URL, machines
without it) goes the usual way, through `catalog.http.get`. Redirects follow the same rules on both ways.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from mirrortui.catalog import http
from mirrortui.errors import UpstreamError
from mirrortui.naming import display
from mirrortui.transfer.reqwest import ReqwestTransport, reqwest_error, send

if TYPE_CHECKING:
    from pyreqwest.request import RequestBuilder

Fields = list[tuple[str, str]]


class Answer(NamedTuple):
    """An answer whose body is still to be read.

    `field` gives a header's value or None; `read` the next bytes-like piece of the body, None at its end. Asked for
    so many bytes it waits for no more than these (except on the usual way). `read` raises `httpx.TransportError`.
    """

    status: int
    field: Callable[[str], str | None]
    read: Callable[[int], Awaitable[Any]]


class Getter:
    """The GETs of one client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        transport = getattr(client, "main_transport", None)
        self._direct = transport.client if isinstance(transport, ReqwestTransport) else None
        self._fields: dict[str, Fields] = {}

    def get(self, url: str, offset: int = 0, tag: str = "") -> AbstractAsyncContextManager[Answer]:
        """Open what a URL gives from byte `offset` on, or all of it where its ETag is not `tag` any more.

        Raises as `catalog.http.get`.
        """
        fields = _ranged(offset, tag)
        return self._straight(url, fields) if self._serves(url) else self._through(url, fields)

    def _serves(self, url: str) -> bool:
        return self._direct is not None and url.startswith(("https://", "http://")) and "@" not in _origin(url)

    @asynccontextmanager
    async def _through(self, url: str, fields: Fields) -> AsyncIterator[Answer]:
        async with http.get(self._client, url, dict(fields)) as response:
            pieces = response.stream.__aiter__()  # type: ignore[union-attr]  # always the asynchronous kind here
            yield Answer(response.status_code, response.headers.get, lambda _: anext(pieces, None))

    @asynccontextmanager
    async def _straight(self, url: str, fields: Fields) -> AsyncIterator[Answer]:
        target = url
        for _ in range(http.MAX_REDIRECTS + 1):
            try:
                body = await send(self._request(target, fields), target)
            except httpx.TransportError as error:
                raise http.unreachable(error, url) from error
            try:
                status = body.response.status
                location = body.field("location") if status in http.REDIRECTS else None
                following = http.redirect(location or "", target, url)
                if following is None:
                    yield Answer(status, body.field, body.read)
                    return
            finally:
                await body.aclose()
            target = str(following)
            if not self._serves(target):
                async with self._through(url, fields) as answer:
                    yield answer
                return
        raise http.circle(url)

    def _request(self, url: str, ranged: Fields) -> "RequestBuilder":
        assert self._direct is not None
        try:
            origin = _origin(url)
            fields = self._fields.get(origin)
            if fields is None:
                fields = self._fields[origin] = self._usual_fields(origin)
            request = self._direct.get(url).headers(fields)
        except (reqwest_error(), httpx.InvalidURL, ValueError) as error:
            raise UpstreamError(f"leads to what is no URL: {display(error)}", where=display(url)) from error
        for name, value in ranged:
            request = request.header(name, value)
        return request

    def _usual_fields(self, origin: str) -> Fields:
        """What every request to a host carries: the client's headers, and the host's own password."""
        request = self._client.build_request("GET", origin)
        if self._client.auth is not None:
            request = next(self._client.auth.sync_auth_flow(request))
        return [(name, value) for name, value in request.headers.multi_items() if name not in ("host", "connection")]


def _ranged(offset: int, tag: str) -> Fields:
    if not offset:
        return []
    return [("Range", f"bytes={offset}-"), *([("If-Range", tag)] if tag else [])]


def _origin(url: str) -> str:
    """Scheme, host and port of a URL; no more, without parsing it."""
    end = url.find("/", 8)
    return url if end < 0 else url[:end]
