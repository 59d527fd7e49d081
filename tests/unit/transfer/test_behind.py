"""Large files: what is received is hashed and written in order by a thread, and none of it is lost when a transfer ends."""

import asyncio
import hashlib
import threading

import pytest

from mirrortui.errors import NoSpace
from mirrortui.transfer import behind, engine
from mirrortui.transfer.behind import Behind
from mirrortui.transfer.engine import Engine
from mirrortui.transfer.job import Job
from mirrortui.transfer.limits import RateLimit
from mirrortui.transfer.partfile import PartFile
from mirrortui.transfer.transport import open_client
from tests.unit.transfer.loopback import Server

BODY = bytes(range(256)) * 4000


@pytest.fixture
def part(tmp_path):
    made = PartFile(Job("c", "noarch", 0, "f", (), len(BODY), None, tmp_path / ".f.part", tmp_path / "f"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(behind, "BATCH", 10_000)
    monkeypatch.setattr(engine, "LARGE", 1)


def pieces(size=3000):
    return [memoryview(BODY)[start : start + size] for start in range(0, len(BODY), size)]


def test_pieces_are_written_and_hashed_in_their_order(part):
    async def main():
        writer = Behind(part)
        for piece in pieces():
            await writer.add(piece)
        await writer.finish()

    asyncio.run(main())
    assert part.job.part.read_bytes() == BODY
    assert part.hash.digest() == hashlib.sha256(BODY).digest()


def test_what_came_before_the_end_is_kept(part):
    async def main():
        writer = Behind(part)
        for piece in pieces()[:5]:
            await writer.add(piece)
        await writer.abandon()

    asyncio.run(main())
    assert part.job.part.read_bytes() == BODY[:15_000]


def test_no_more_than_one_batch_waits_for_the_one_that_is_written(part, monkeypatch):
    gate, busy = threading.Event(), threading.Event()
    write = part.write

    def slowly(piece):
        busy.set()
        gate.wait(10)
        write(piece)

    monkeypatch.setattr(part, "write", slowly)

    async def main():
        writer = Behind(part)
        feeding = asyncio.create_task(feed(writer))
        while not busy.is_set():  # noqa: ASYNC110 - an event of threads
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not feeding.done()
        assert writer._held <= behind.BATCH + 3000
        gate.set()
        await feeding
        await writer.finish()

    async def feed(writer):
        for piece in pieces():
            await writer.add(piece)

    asyncio.run(main())
    assert part.job.part.read_bytes() == BODY


def bring(folder, answer, *, cancel=None):
    """One large file from a server; returns the outcome."""
    outcomes = []
    digest = ("sha256", hashlib.sha256(BODY).digest())

    async def main():
        async with Server(answer) as server, open_client(connections=1, read_timeout=5.0) as client:
            made = Engine(client, connections=1, retries=3, limit=RateLimit())
            job = Job("c", "noarch", 0, "f", (f"{server.url}/f",), len(BODY), digest, folder / ".f.part", folder / "f")
            async with asyncio.timeout(20):
                running = asyncio.create_task(made.run([[job]], outcomes.append))
                if cancel is not None:
                    await cancel(made)
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)
                else:
                    await running

    asyncio.run(main())
    return outcomes


def answering(*, cut_at=None, more=b"", stay=False):
    """Ranges are honoured; the first answer may end after `cut_at` bytes, or stay open there."""

    async def answer(server, _reader, writer):
        head = server.requests[-1].lower()
        start = int(head.partition("range: bytes=")[2].partition("-")[0] or 0)
        length = len(BODY) - start + len(more)
        status = f"206 Partial\r\nContent-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}" if start else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n".encode())
        end = cut_at if len(server.requests) == 1 and cut_at else len(BODY)
        writer.write(BODY[start:end] + more)
        await writer.drain()
        if stay:
            await server.over.wait()

    return answer


def test_a_large_file_arrives(tmp_path):
    (outcome,) = bring(tmp_path, answering())
    assert (outcome.status, outcome.size) == ("fetched", len(BODY))
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_large_file_is_resumed_where_it_broke(tmp_path):
    (outcome,) = bring(tmp_path, answering(cut_at=700_001))
    assert outcome.status == "fetched"
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_stopped_transfer_keeps_what_it_has(tmp_path):
    async def until_there(made):
        while made.received < 700_001:  # noqa: ASYNC110 - a plain number of the engine
            await asyncio.sleep(0.001)

    assert bring(tmp_path, answering(cut_at=700_001, stay=True), cancel=until_there) == []
    assert (tmp_path / ".f.part").read_bytes() == BODY[:700_001]


def test_a_full_disk_ends_the_run(tmp_path, monkeypatch):
    def full(_part, _piece):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PartFile, "write", full)
    with pytest.raises(NoSpace):
        bring(tmp_path, answering())
    assert not (tmp_path / "f").exists()
