import asyncio
from collections.abc import Callable

import httpx
import pytest

from mirrortui.catalog import http
from mirrortui.errors import UpstreamError
from tests.unit.catalog.test_fetch import Drip

SECRET = {"Authorization": "Bearer hunter2", "Cookie": "a=b", "Accept": "x/y"}


def visit(
    handler: Callable[[httpx.Request], httpx.Response], url: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    async def work() -> tuple[int, bytes]:
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client,
            http.get(client, url, headers) as response,
        ):
            return response.status_code, await response.aread()

    return asyncio.run(work())


def chain(*hops: str) -> tuple[Callable[[httpx.Request], httpx.Response], list[httpx.Request]]:
    """A handler that sends on from each hop to the next."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) <= len(hops):
            return httpx.Response(302, headers={"Location": hops[len(seen) - 1]})
        return httpx.Response(200, content=b"here")

    return handler, seen


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(status, headers={"Location": "/b"})
            if request.url.path == "/a"
            else httpx.Response(200, content=b"here")
        )

    assert visit(handler, "https://h/a") == (200, b"here")


@pytest.mark.parametrize(("status", "location"), [(300, "/b"), (304, "/b"), (302, ""), (404, "/b"), (200, "/b")])
def test_what_is_no_redirect_is_the_answer(status: int, location: str) -> None:
    assert visit(lambda _r: httpx.Response(status, headers={"Location": location}), "https://h/a")[0] == status


def test_five_hops_are_followed_and_six_are_not() -> None:
    handler, seen = chain(*(f"https://h/{i}" for i in range(5)))
    assert visit(handler, "https://h/a") == (200, b"here")
    assert len(seen) == 6
    handler, seen = chain(*(f"https://h/{i}" for i in range(50)))
    with pytest.raises(UpstreamError, match="in a circle"):
        visit(handler, "https://h/a")
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("hops", "kept"),
    [
        (["https://h/b"], [True, True]),
        (["/b", "/c"], [True, True, True]),
        (["https://other/b"], [True, False]),
        (["https://h:8443/b"], [True, False]),
        (["https://h.evil/b"], [True, False]),
        (
            ["https://other/b", "https://other/c"],
            [True, False, False],
        ),  # a hop within the other host brings nothing back
        (["https://other/b", "https://h/c"], [True, False, False]),
        (["//other/b"], [True, False]),
    ],
)
def test_credentials_go_to_nobody_else(hops: list[str], kept: list[bool]) -> None:
    handler, seen = chain(*hops)
    visit(handler, "https://h/a", SECRET)
    assert ["authorization" in request.headers for request in seen] == kept
    assert ["cookie" in request.headers for request in seen] == kept
    assert all(request.headers["accept"] == "x/y" for request in seen)


def test_a_password_in_the_url_is_not_sent_to_another_host() -> None:
    handler, seen = chain("https://other/b", "/c")
    visit(handler, "https://me:hunter2@h/a")
    assert ["authorization" in request.headers for request in seen] == [True, False, False]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://h/x", "http://h/x", "javascript:x", "data:,x", "https://[", "\x1b[2J://x"]
)
def test_a_redirect_elsewhere_is_refused_and_its_connection_given_back(location: str) -> None:
    stream = Drip([b"x"])
    with pytest.raises(UpstreamError) as caught:
        visit(lambda _r: httpx.Response(302, headers={"Location": location}, stream=stream), "https://me:hunter2@h/a")
    assert stream.closed
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_from_http_to_https_is_followed() -> None:
    handler, _ = chain("https://h/b")
    assert visit(handler, "http://h/a") == (200, b"here")


@pytest.mark.parametrize(
    "error",
    [httpx.ConnectTimeout(""), httpx.ConnectError("x\x1b[31m"), httpx.RemoteProtocolError("y"), httpx.PoolTimeout("z")],
)
def test_what_fails_below_http_is_unreachable(error: httpx.TransportError) -> None:
    def handler(_request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(UpstreamError, match="cannot be reached") as caught:
        visit(handler, "https://h/a")
    assert str(caught.value).isprintable()
    assert type(error).__name__ in str(caught.value) or str(error)


def test_the_response_is_closed_when_its_reader_fails() -> None:
    stream = Drip([b"x"])

    async def work() -> None:
        transport = httpx.MockTransport(lambda _r: httpx.Response(200, stream=stream))
        async with httpx.AsyncClient(transport=transport) as client, http.get(client, "https://h/a"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(work())
    assert stream.closed
