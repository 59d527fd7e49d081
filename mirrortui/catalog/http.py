"""One GET that follows redirects by our own rules: never to another scheme than http(s), never with credentials elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from mirrortui.errors import UpstreamError, UpstreamUnreachable
from mirrortui.naming import display

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET = ("authorization", "cookie", "proxy-authorization")


@asynccontextmanager
async def get(
    client: httpx.AsyncClient, url: str, headers: dict[str, str] | None = None, *, method: str = "GET"
) -> AsyncIterator[httpx.Response]:
    """Open a streamed response (whatever its status); the body is read by the caller, closed by this.

    Raises `UpstreamUnreachable` for anything below HTTP, `UpstreamError` for a redirect that is not followed.
    """
    headers, target = dict(headers or {}), httpx.URL("")
    for hop in range(MAX_REDIRECTS + 1):
        try:
            request = client.build_request(method, target if hop else url, headers=headers)
            response = await client.send(request, stream=True, follow_redirects=False)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise unreachable(error, url) from error
        except ValueError as error:  # a host or port that is none: httpx, idna and reqwest find out each in its own way
            raise UpstreamError(f"leads to what is no URL: {display(error)}", where=display(url)) from error
        try:
            location = response.headers.get("location", "") if response.status_code in REDIRECTS else ""
            following = redirect(location, response.request.url, url)
            if following is None:
                yield response
                return
        finally:
            await response.aclose()
        target = following
        if (target.host, target.port) != (request.url.host, request.url.port):
            headers = {key: value for key, value in headers.items() if key.lower() not in _SECRET}
    raise circle(url)


def circle(url: str) -> UpstreamError:
    """The error for more than MAX_REDIRECTS."""
    return UpstreamError("redirects in a circle", where=display(url), hint="Check the upstream's URL")


def redirect(location: str, here: httpx.URL | str, url: str) -> httpx.URL | None:
    """Where a Location found at `here` leads a request for `url`; None for an empty one.

    Raises `UpstreamError` where it must not lead.
    """
    if not location:
        return None
    try:
        here = httpx.URL(here)
        target = here.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise UpstreamError("redirects to something that is no URL", where=display(url)) from error
    if target.scheme not in ("http", "https") or here.scheme not in ("http", "https"):
        raise UpstreamError(f"redirects to {display(target)}, which is not followed", where=display(url))
    if here.scheme == "https" and target.scheme == "http":
        raise UpstreamError("redirects from https to http, which is not followed", where=display(url))
    return target


def unreachable(error: Exception, url: str) -> UpstreamUnreachable:
    """The error for a connection that failed, in the words of the transport."""
    text = display(error) or type(error).__name__
    return UpstreamUnreachable(
        f"cannot be reached: {text}", where=display(url), hint="Check the URL, the network and [transfer] proxy"
    )
