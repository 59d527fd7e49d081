"""The engine against a loopback server with faults; each trap of pyreqwest's packaged adapter is a test here."""

import asyncio
import contextlib
import gzip
import socket

import httpx
import pytest

from mirrortui import __version__
from mirrortui.transfer.transport import open_client, open_transport, transport_name
from tests.unit.transfer.loopback import ENGINES, OK, Server, failure, raw, run, use_engine


@pytest.fixture(params=ENGINES, autouse=True)
def engine(request, monkeypatch):
    return use_engine(request, monkeypatch)


# ------------------------------------------------------------------------------------------- requests


def test_the_engine_has_a_name(engine):
    async def main():
        transport = open_transport(connections=1)
        await transport.aclose()
        return transport.name

    assert asyncio.run(main()) == engine
    assert transport_name() == "pyreqwest"


def test_a_request_goes_out_as_it_was_written():
    async def use(client, server):
        body = await raw(client, f"{server.url}/pkgs/main/a-1%211.0-%2Bx_0.conda?q=1", headers={"Range": "bytes=5-"})
        return body, server.requests[0], server.port

    body, request, port = run(OK, use)
    lines = request.lower().split("\r\n")
    assert body == b"ok"
    assert request.startswith("GET /pkgs/main/a-1%211.0-%2Bx_0.conda?q=1 HTTP/1.1\r\n")
    assert [line for line in lines if line.startswith("host:")] == [f"host: 127.0.0.1:{port}"]
    assert [line for line in lines if line.startswith("accept-encoding:")] == ["accept-encoding: identity"]
    assert "range: bytes=5-" in lines
    assert f"user-agent: mirrortui/{__version__}" in lines


def test_a_password_in_the_url_becomes_one_header_and_no_message():
    async def use(client, server):
        await raw(client, server.url.replace("//", "//user:secret@"))
        return server.requests[0].lower()

    request = run(OK, use)
    assert request.count("authorization: basic dxnlcjpzzwnyzxq=") == 1
    assert "secret" not in request

    async def refused(client, server):
        with pytest.raises(httpx.ConnectError) as caught:
            await raw(client, "http://user:secret@127.0.0.1:1/t/secret/x")
        return str(caught.value)

    assert "secret" not in run(OK, refused)


def test_a_body_is_sent():
    async def answer(server, reader, writer):
        server.requests.append(await reader.readexactly(5))
        writer.write(OK)

    async def use(client, server):
        await client.post(server.url, content=b"hello")
        return server.requests[1]

    assert run(answer, use) == b"hello"


def test_a_redirect_is_handed_back_not_followed():
    async def use(client, server):
        async with Server(OK) as other:
            server.answer = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/x\r\nContent-Length: 0\r\n\r\n".encode()
            response = await client.get(server.url, headers={"Authorization": "Bearer secret"})
            return response.status_code, response.headers["location"] == f"{other.url}/x", other.connections

    assert run(b"", use) == (302, True, 0)


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
def test_content_encoding_is_not_decoded(encoding):
    packed = gzip.compress(b"repodata")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()

    async def use(client, server):
        async with client.stream("GET", server.url) as response:
            assert response.headers["content-encoding"] == encoding
            return b"".join([bytes(chunk) async for chunk in response.aiter_raw()])

    assert run(head + packed, use) == packed


# --------------------------------------------------------------------------------------------- bodies


def test_chunks_are_handed_on_as_they_come_and_as_views(engine):
    async def answer(server, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for piece in (b"ab", b"cd", b"ef"):
            writer.write(piece)
            await writer.drain()
            await asyncio.wait_for(server.seen.get(), 5)  # the next piece waits until this one has arrived

    async def use(client, server):
        server.seen = asyncio.Queue()
        chunks = []
        async with client.stream("GET", server.url) as response:
            async for chunk in response.aiter_raw():
                chunks.append(chunk)
                server.seen.put_nowait(None)
        return chunks

    chunks = run(answer, use)
    assert [bytes(chunk) for chunk in chunks] == [b"ab", b"cd", b"ef"]
    assert engine == "httpx" or all(isinstance(chunk, memoryview) for chunk in chunks)


def test_timeouts_of_the_request_do_not_end_a_download():
    async def use(client, server):
        return await raw(client, server.url, timeout=httpx.Timeout(1e-6))

    assert run(OK, use) == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
    ],
    ids=["chunked", "close", "length", "1.0"],
)
def test_ways_to_end_a_body(answer):
    async def use(client, server):
        return await raw(client, server.url)

    assert run(answer, use, close=True) == b"abcde"


def test_an_empty_503_leaves_nothing_on_a_kept_connection():
    async def use(client, server):
        for _ in range(3):
            server.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"
            response = await client.get(server.url)
            assert (response.status_code, response.content) == (503, b"")
            server.answer = OK
            assert await raw(client, server.url) == b"ok"
        return server.connections

    assert run(b"", use) == 1


def test_a_body_left_unread_does_not_reach_the_next_request():
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"z" * 3_000_000

    async def use(client, server):
        for _ in range(3):
            server.answer = large
            async with client.stream("GET", server.url) as response:
                assert await anext(response.aiter_raw())
            await response.aclose()  # twice does no harm
            server.answer = OK
            assert await raw(client, server.url) == b"ok"

    run(large, use, connections=1)


def test_a_cancelled_download_frees_its_connection():
    async def hang(server, reader, writer):
        if len(server.requests) == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
            await server.over.wait()
        writer.write(OK)

    async def use(client, server):
        begun = asyncio.Event()

        async def download():
            async with client.stream("GET", server.url) as response:
                async for _ in response.aiter_raw():
                    begun.set()

        task = asyncio.create_task(download())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await raw(client, server.url)

    assert run(hang, use, connections=1) == b"ok"


def test_no_more_than_connections_at_once():
    async def answer(server, reader, writer):
        server.most = max(server.most, len(server.requests) - server.answered)
        if len(server.requests) >= 2:
            server.enough.set()
        await server.enough.wait()
        server.answered += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    async def use(client, server):
        server.most, server.answered, server.enough = 0, 0, asyncio.Event()
        bodies = await asyncio.gather(*(raw(client, server.url) for _ in range(12)))
        return set(bodies), server.most

    bodies, most = run(answer, use, connections=2)
    assert bodies == {b"ok"}
    assert most == 2


# --------------------------------------------------------------------------------------------- faults


async def reset(server, reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc")
    await writer.drain()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def silent(server, reader, writer):
    await server.over.wait()


async def stuck(server, reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc")
    await server.over.wait()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", httpx.RemoteProtocolError),
        (b"", httpx.RemoteProtocolError),
        (b"<html>\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n", httpx.RemoteProtocolError),
        (reset, httpx.ReadError),
    ],
    ids=["short", "chunked short", "chunked wrong", "nothing", "no http", "endless header", "reset"],
)
def test_a_broken_answer_says_so(answer, kind):
    failure(answer, kind, close=True)


@pytest.mark.parametrize("answer", [silent, stuck])
def test_silence_is_a_read_timeout(answer):
    failure(answer, httpx.ReadTimeout, read_timeout=0.05)


def test_a_host_that_does_not_accept_is_a_connect_timeout():
    async def main():
        with contextlib.ExitStack() as stack:
            full = stack.enter_context(socket.socket())
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            async with open_client(connections=1, connect_timeout=0.05) as client:
                with pytest.raises(httpx.ConnectTimeout):
                    await raw(client, f"http://127.0.0.1:{full.getsockname()[1]}")

    asyncio.run(main())


def test_waiting_for_a_connection_is_a_pool_timeout():
    async def main():
        async with Server(stuck) as server, open_transport(connections=1, pool_timeout=0.05) as transport:
            held = await transport.handle_async_request(httpx.Request("GET", server.url))
            with pytest.raises(httpx.PoolTimeout):
                await transport.handle_async_request(httpx.Request("GET", server.url))
            await held.stream.aclose()

    asyncio.run(main())


def test_refused_and_unknown_hosts_are_told_apart():
    async def use(client, server):
        texts = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/x", "http://no-such-host.invalid/x"):
            with pytest.raises(httpx.ConnectError) as caught:
                await raw(client, url)
            texts.append(str(caught.value))
        return port, texts

    port, (refused, unknown) = run(OK, use)
    assert refused.lower() == f"127.0.0.1:{port}: connection refused"
    assert unknown.startswith("no-such-host.invalid: ")
    assert "refused" not in unknown


def test_a_header_that_is_no_text_does_not_leak_a_connection(engine):
    answer = b"HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 2\r\n\r\nok"

    async def use(client, server):
        if engine == "pyreqwest":
            with pytest.raises(httpx.RemoteProtocolError):
                await raw(client, server.url)
        server.answer = OK
        return await raw(client, server.url)

    assert run(answer, use, connections=1) == b"ok"
