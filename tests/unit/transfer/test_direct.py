"""GETs of packages: straight over pyreqwest or through httpx, the same answers and the same rules."""

import base64

import httpx
import pytest

from mirrortui.errors import UpstreamError, UpstreamUnreachable
from mirrortui.transfer.direct import Getter
from tests.unit.transfer.loopback import ENGINES, OK, Server, run, use_engine

BASIC = "authorization: Basic " + base64.b64encode(b"ada:secret").decode()


@pytest.fixture(params=ENGINES, autouse=True)
def engine(request, monkeypatch):
    return use_engine(request, monkeypatch)


async def taken(getter, url, offset=0):
    """Status and body."""
    async with getter.get(url, offset) as answer:
        pieces = []
        while (piece := await answer.read(0)) is not None:
            pieces.append(bytes(piece))
        return answer.status, b"".join(pieces)


def fields(request):
    """The lines of a request's head, names in lower case, without what only the connection is told."""
    lines = [line.partition(": ") for line in request.splitlines()[1:] if line]
    return {f"{name.lower()}: {value}" for name, _, value in lines if name.lower() not in ("host", "connection")}


def moved(target, code=302):
    return f"HTTP/1.1 {code} Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()


def test_what_is_asked_and_what_comes():
    async def use(client, server):
        getter = Getter(client)
        assert await taken(getter, server.url + "/a%21b+c.conda") == (200, b"ok")
        assert await taken(getter, server.url + "/x", 7) == (200, b"ok")
        return [*server.requests, client.headers["user-agent"]]

    plain, resumed, agent = run(OK, use)
    assert plain.startswith("GET /a%21b+c.conda HTTP/1.1\r\n")
    assert fields(plain) == {f"user-agent: {agent}", "accept: */*", "accept-encoding: identity"}
    assert fields(resumed) - fields(plain) == {"range: bytes=7-"}


def test_fields_of_an_answer():
    async def use(client, server):
        async with Getter(client).get(server.url) as answer:
            return answer.status, answer.field("retry-after"), answer.field("content-range")

    assert run(b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n", use) == (503, "3", None)


def test_a_redirect_is_followed_with_the_range():
    async def use(client, server):
        async with Server(moved(server.url + "/there")) as first:
            assert await taken(Getter(client), first.url + "/here", 5) == (200, b"ok")
        return server.requests[0]

    request = run(OK, use)
    assert request.startswith("GET /there ")
    assert "range: bytes=5-" in fields(request)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://h/x", "http://[", "http://h:99999/", "/circle"])
def test_a_redirect_that_is_not_followed(target):
    async def use(client, server):
        with pytest.raises(UpstreamError) as caught:
            await taken(Getter(client), server.url + "/circle")
        assert len(server.requests) == (6 if target == "/circle" else 1)
        return caught.value

    error = run(moved(target), use)
    if not target.startswith("http"):  # what is no address is found out late by httpx's own transport
        assert not isinstance(error, UpstreamUnreachable)


def test_a_password_of_netrc_goes_to_its_own_host_only(tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password secret\n")

    async def use(client, server):
        client.auth = httpx.NetRCAuth(str(netrc))
        async with Server(moved(f"http://localhost:{server.port}/there")) as first:
            await taken(Getter(client), first.url)
            return first.requests[0], server.requests[0]

    first, second = run(OK, use)
    assert BASIC in {line.replace("Authorization", "authorization") for line in first.splitlines()}
    assert not [line for line in second.splitlines() if line.lower().startswith("authorization")]


def test_a_password_in_the_url_becomes_a_header():
    async def use(client, server):
        await taken(Getter(client), server.url.replace("//", "//ada:secret@") + "/x")
        return server.requests[0]

    request = run(OK, use)
    assert request.startswith("GET /x ")
    assert BASIC in {line.replace("Authorization", "authorization") for line in request.splitlines()}


def test_a_redirect_to_a_url_with_a_password():
    async def use(client, server):
        async with Server(moved(server.url.replace("//", "//ada:secret@") + "/there")) as first:
            assert await taken(Getter(client), first.url) == (200, b"ok")
        return server.requests[0]

    assert BASIC in {line.replace("Authorization", "authorization") for line in run(OK, use).splitlines()}


def test_nobody_there():
    async def use(client, server):
        async with Server(OK) as gone:
            url = gone.url
        with pytest.raises(UpstreamUnreachable, match=r"cannot be reached: .*refused"):
            await taken(Getter(client), url.replace("//", "//ada:secret@"))
        with pytest.raises(UpstreamUnreachable, match=r"cannot be reached: .*refused"):
            await taken(Getter(client), url)

    run(OK, use)


@pytest.mark.parametrize("url", ["http://h:99999/", "http://[", "http://a b/"])
def test_what_is_no_url(url):
    async def use(client, server):
        with pytest.raises(UpstreamError):
            await taken(Getter(client), url)

    run(OK, use)


def test_a_body_that_breaks_off():
    async def use(client, server):
        with pytest.raises(httpx.TransportError):
            await taken(Getter(client), server.url)

    run(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", use, close=True)


def test_a_field_that_is_no_text(engine):
    answer = b"HTTP/1.1 200 OK\r\nContent-Range: b\xfcg\r\nContent-Length: 2\r\n\r\nok"

    async def use(client, server):
        async with Getter(client).get(server.url) as given:
            if engine == "httpx":  # takes it for Latin-1
                return given.field("content-range")
            with pytest.raises(httpx.RemoteProtocolError, match="no text"):
                given.field("content-range")
        assert await taken(Getter(client), server.url) == (200, b"ok")
        return None

    run(answer, use)
