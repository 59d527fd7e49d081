"""The engine against loopback servers: how many transfers at once, from whom, and how a part is gone on with."""

import asyncio
import hashlib
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mirrortui.transfer.engine import Engine
from mirrortui.transfer.job import Job
from mirrortui.transfer.limits import RateLimit
from mirrortui.transfer.transport import open_client
from tests.unit.transfer.loopback import ENGINES, Server, use_engine

BODY = b"0123456789" * 50_000
DIGEST = ("sha256", hashlib.sha256(BODY).digest())


@pytest.fixture(params=ENGINES, autouse=True)
def engine(request, monkeypatch):
    return use_engine(request, monkeypatch)


def job(folder: Path, name: str, *urls: str, digest=DIGEST) -> Job:
    return Job("lab", "noarch", 0, name, urls, len(BODY), digest, folder / f".{name}.part", folder / name)


def bring(answers, lanes, *, connections=2, retries=3):
    """Serve each answer, fetch the lanes that `lanes(*urls)` gives; returns outcomes by name."""
    outcomes = {}

    async def main():
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(Server(answer)) for answer in answers]
            total = connections * len(servers)
            client = await stack.enter_async_context(open_client(connections=total, read_timeout=5.0))
            engine = Engine(client, connections=connections, retries=retries, limit=RateLimit())
            async with asyncio.timeout(20):
                await engine.run(
                    lanes(*(server.url for server in servers)), lambda out: outcomes.setdefault(out.job.fn, out)
                )
            assert not engine.flights

    asyncio.run(main())
    return outcomes


class Counting:
    """Holds its answers back until `enough` requests are open at once, or all of them have come; knows the most."""

    def __init__(self, enough: int) -> None:
        self.enough, self.open, self.most = enough, 0, 0
        self.go = asyncio.Event()

    async def __call__(self, server, _reader, writer):
        self.open += 1
        self.most = max(self.most, self.open)
        if self.open >= self.enough:
            self.go.set()
        await self.go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
        await writer.drain()
        self.open -= 1


def test_each_host_has_its_own_cap(tmp_path):
    first, second = Counting(3), Counting(3)

    def lanes(one, two):
        return [[job(tmp_path, f"{base[-5:]}-{number}", f"{base}/f") for number in range(9)] for base in (one, two)]

    outcomes = bring([first, second], lanes, connections=3)
    assert {out.status for out in outcomes.values()} == {"fetched"}
    assert len(outcomes) == 18
    assert (first.most, second.most) == (3, 3)


def test_who_helps_out_is_not_asked_more_often_at_once(tmp_path):
    """All files of one host come from the other: its cap holds for both lanes together."""
    missing, helper = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", Counting(2)

    def lanes(one, two):
        return [
            [job(tmp_path, f"a{number}", f"{one}/f", f"{two}/f") for number in range(6)],
            [job(tmp_path, f"b{number}", f"{two}/f") for number in range(6)],
        ]

    outcomes = bring([missing, helper], lanes, connections=2)
    assert {out.status for out in outcomes.values()} == {"fetched"}
    assert len(outcomes) == 12
    assert helper.most == 2


class Granting:
    """A limit that lets everything through and counts what it was asked for."""

    rate, piece = 1_000_000, 64 << 10

    def __init__(self):
        self.asked = 0

    async def take(self, size):
        self.asked += size


async def in_small_pieces(_server, _reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY))
    for start in range(0, len(BODY), 5000):
        writer.write(BODY[start : start + 5000])
        await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize("user", ["", "ada:secret@"], ids=["", "password"])
def test_the_limit_is_asked_for_what_comes_and_no_more(tmp_path, user):
    """With a password in the URL pieces have the size they have: what they leave of a grant is for the next."""
    limit = Granting()

    async def main():
        async with Server(in_small_pieces) as server, open_client(connections=1, read_timeout=5.0) as client:
            made = Engine(client, connections=1, retries=0, limit=limit)
            url = server.url.replace("//", f"//{user}")
            async with asyncio.timeout(20):
                await made.run([[job(tmp_path, "f", f"{url}/f")]], lambda _: None)

    asyncio.run(main())
    assert (tmp_path / "f").read_bytes() == BODY
    assert limit.asked == len(BODY)


def cut_then(tag, rest):
    """100,000 bytes under an ETag, then the connection ends; `rest` answers what comes next."""

    async def answer(server, _reader, writer):
        if len(server.requests) == 1:
            head = b"HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %d\r\n\r\n" % (tag, len(BODY))
            writer.write(head + BODY[:100_000])
        else:
            writer.write(rest)
        await writer.drain()

    return answer


PARTIAL = (
    b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 100000-%d/%d\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    % (len(BODY) - 1, len(BODY), len(BODY) - 100_000)
    + BODY[100_000:]
)
WHOLE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.mark.parametrize(
    ("tag", "rest", "asked"),
    [
        (b'"one"', PARTIAL, ["range: bytes=100000-", 'if-range: "one"']),
        (b'"one"', WHOLE, ["range: bytes=100000-", 'if-range: "one"']),
        (b'W/"one"', PARTIAL, ["range: bytes=100000-"]),
        (b'"' + b"x" * 300 + b'"', PARTIAL, ["range: bytes=100000-"]),
    ],
    ids=["same", "changed", "weak", "long"],
)
def test_the_upstream_is_asked_whether_a_part_still_fits(tmp_path, tag, rest, asked):
    requests = []

    async def answer(server, reader, writer):
        requests[:] = server.requests
        await cut_then(tag, rest)(server, reader, writer)

    outcomes = bring([answer], lambda base: [[job(tmp_path, "f", f"{base}/f")]])
    assert outcomes["f"].status == "fetched"
    assert (tmp_path / "f").read_bytes() == BODY
    fields = [line.lower() for line in requests[1].splitlines() if line.lower().startswith(("range", "if-range"))]
    assert sorted(fields) == sorted(asked)


def test_another_upstream_is_not_asked_for_the_tag_of_the_first(tmp_path):
    requests = []

    async def answer(server, _reader, writer):
        requests[:] = server.requests
        writer.write(PARTIAL)
        await writer.drain()

    lanes = lambda one, two: [[job(tmp_path, "f", f"{one}/f", f"{two}/f")]]  # noqa: E731 - read once, right below
    outcomes = bring([cut_then(b'"one"', WHOLE), answer], lanes)
    assert outcomes["f"].status == "fetched"
    assert "range: bytes=100000-" in requests[0].lower()
    assert "if-range" not in requests[0].lower()


def test_a_part_of_an_earlier_run_is_not_trusted_without_a_hash(tmp_path):
    """Its record has only a size: rests of another build would fit."""
    (tmp_path / ".f.part").write_bytes(b"x" * 100_000)
    requests = []

    async def answer(server, _reader, writer):
        requests[:] = server.requests
        writer.write(WHOLE)
        await writer.drain()

    outcomes = bring([answer], lambda base: [[job(tmp_path, "f", f"{base}/f", digest=None)]])
    assert outcomes["f"].status == "fetched"
    assert (tmp_path / "f").read_bytes() == BODY
    assert "range:" not in requests[0].lower()
