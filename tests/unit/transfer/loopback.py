"""A loopback server with faults, and both engines to run against it."""

import asyncio
import contextlib
import pickle
import ssl
import sys

import httpx
import pytest

from mirrortui.transfer.transport import open_client

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PLAIN = ssl.create_default_context()


class Server:
    """Answers every request with the same bytes, or hands the connection to a coroutine; counts what comes."""

    def __init__(self, answer, *, context=None, close=False):
        self.answer = answer
        self.context = context
        self.close = close
        self.requests = []
        self.connections = 0
        self.over = asyncio.Event()
        self.open = {}

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        scheme = "https" if self.context else "http"
        self.url = f"{scheme}://{'localhost' if self.context else '127.0.0.1'}:{self.port}"
        return self

    async def __aexit__(self, *_):
        self.over.set()
        self.server.close()
        for writer in self.open.values():
            writer.close()
        await asyncio.gather(*self.open)
        await self.server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        self.open[asyncio.current_task()] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while not self.over.is_set():
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
                if callable(self.answer):
                    await self.answer(self, reader, writer)
                    break
                writer.write(self.answer)
                await writer.drain()
                if self.close:
                    break
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


ENGINES = ["pyreqwest", "httpx"]


def use_engine(request, monkeypatch):
    """Choose the engine named by the parameter, without any proxy of the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if request.param == "httpx":
        if "authority" not in request.fixturenames:
            monkeypatch.setattr(httpx, "create_ssl_context", lambda: PLAIN)  # 30 ms each
        monkeypatch.setitem(sys.modules, "pyreqwest.client", None)
    else:
        pytest.importorskip("pyreqwest")
    return request.param


def run(answer, use, *, connections=2, close=False, context=None, **options):
    """Run `use(client, server)` against a server with that answer; the result is what it returns."""

    async def main():
        options.setdefault("read_timeout", 5.0)
        async with (
            Server(answer, close=close, context=context) as server,
            open_client(connections=connections, **options) as client,
        ):
            async with asyncio.timeout(10):
                return await use(client, server)

    return asyncio.run(main())


async def raw(client, url, **options):
    async with client.stream("GET", url, **options) as response:
        return b"".join([bytes(chunk) async for chunk in response.aiter_raw()])


def failure(answer, kind, *, path="/f", **options):
    """What is raised for a GET; the message must carry across a process boundary."""

    async def use(client, server):
        with pytest.raises(kind) as caught:
            await raw(client, server.url + path)
        return caught.value

    error = run(answer, use, **options)
    assert type(error) is kind
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    return str(error)
