"""The engine: so many transfers at once from each host, each verified while it streams.

A lane is the files of one host; its transfers share one cursor over them, so that none is left with the slow half.
Files that another upstream has to help out with keep to the cap of that host as well. Cancelling `run` stops at the next chunk; what was received stays as `.part` files and is resumed.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

from mirrortui.errors import MirrorError, TransferError, UpstreamError, UpstreamUnreachable
from mirrortui.mirror.store import from_os
from mirrortui.naming import display
from mirrortui.transfer import partfile
from mirrortui.transfer.direct import Answer, Getter
from mirrortui.transfer.job import Flight, Job, Outcome
from mirrortui.transfer.limits import RateLimit
from mirrortui.transfer.partfile import PartFile
from mirrortui.transfer.retry import FRESH, STALL_BYTES, Course, Hosts, from_status, host_of

STALL_SECONDS = 60.0
"""An attempt that brings less than STALL_BYTES in STALL_SECONDS is given up and resumed."""

INLINE = 1 << 20
"""Parts up to this size are hashed where they are found; larger ones in a thread."""

MAX_TAG = 256

IN_LINE = "waiting for the host"
"""Of a `Flight`: its host has as many transfers as it may, or is left alone for a while."""

Done = Callable[[Outcome], None]
T = TypeVar("T")


class Engine:
    """Transfers over one client, `connections` at once from a host. `flights`, `received` and `hosts` may be read at any time."""

    def __init__(self, client: httpx.AsyncClient, *, connections: int, retries: int, limit: RateLimit) -> None:
        self.client, self.connections, self.retries, self.limit = client, connections, retries, limit
        self.flights: dict[int, Flight] = {}
        self._permits: dict[str, asyncio.Semaphore] = {}
        self.received = 0
        self.hosts = Hosts()
        self._getter = Getter(client)
        self._running = asyncio.Event()
        self._running.set()
        self.stall_seconds = STALL_SECONDS

    def pause(self) -> None:
        """Stop reading; connections stay open as long as the upstream lets them."""
        self._running.clear()

    def resume(self) -> None:
        """Go on reading."""
        self._running.set()

    async def run(self, lanes: Iterable[Iterable[Job]], done: Done) -> None:
        """Bring every file of every lane; `done` gets each outcome. Raises `MirrorError` for what stops all (a full disk)."""
        slots = itertools.count()
        try:
            async with asyncio.TaskGroup() as group:
                for cursor in map(iter, lanes):
                    for _ in range(self.connections):
                        group.create_task(self._slot(next(slots), cursor, done))
        except* MirrorError as errors:
            raise _first(errors) from None

    async def _slot(self, slot: int, cursor: Iterator[Job], done: Done) -> None:
        for job in cursor:
            await self._running.wait()
            flight = self.flights[slot] = Flight(job, time.monotonic())
            try:
                outcome = await self._job(flight)
            finally:
                self.flights.pop(slot, None)
            done(outcome)

    async def _job(self, flight: Flight) -> Outcome:
        job = flight.job
        if job.check:
            digest = await asyncio.to_thread(partfile.check, job)
            if digest is None and not job.replace and job.final.exists():
                # Published metadata may name what lies there: the new file waits until that has been switched.
                job = flight.job = job._replace(final=next_path(job.part), replace=True)
                digest = await asyncio.to_thread(partfile.check, job)  # perhaps an earlier run has brought it
            if digest is not None:
                found = job.final.stat()
                return Outcome(job, "adopted", found.st_size, found.st_mtime_ns, digest)
        course = Course(job.urls, self.retries, job.size)
        while (url := course.next(self.hosts)) is not None:
            host = host_of(url)
            permit = self._permits.setdefault(host, asyncio.Semaphore(self.connections))
            flight.waiting = IN_LINE if permit.locked() or not self.hosts.open(host) else ""
            try:
                async with permit:
                    await self.hosts.wait(host)
                    flight.waiting = ""
                    outcome = await self._attempt(flight, url)
            except TransferError as error:
                self.hosts.bad(host, error)
                pause = course.failed(url, error, flight.done - flight.start)
                flight.attempt += 1
                flight.waiting = error.reason
                await asyncio.sleep(pause)
            else:
                self.hosts.good(host)
                return outcome
        last = course.last
        return Outcome(job, "failed", reason=last.reason, text=display(f"{partfile.describe(job)} {last.what}"))

    async def _attempt(self, flight: Flight, url: str) -> Outcome:
        """One request: resume what is there, verify, rename. Raises `TransferError`, or `MirrorError` for the disk."""
        job = flight.job
        try:
            part = PartFile(job)
        except OSError as error:
            raise from_os(error, job.part) from error
        try:
            tag = flight.tag if flight.tagged == url else ""
            offset = await _resume(part, tag)
            flight.start = flight.done = part.received
            with _transport_errors(url):
                async with self._getter.get(url, offset, tag) as answer:
                    _accept(answer, part, url)
                    flight.tag, flight.tagged = _strong(answer.field("etag") or ""), url
                    flight.done = part.received
                    await self._receive(flight, part, answer)
            return Outcome(job, "fetched", *part.finish())
        except TransferError as error:
            if error.reason in FRESH:
                part.restart()
            raise
        except OSError as error:
            raise from_os(error, job.part) from error
        finally:
            part.close()

    async def _receive(self, flight: Flight, part: PartFile, answer: Answer) -> None:
        loop = asyncio.get_running_loop()
        mark, granted = part.received, 0
        try:
            async with asyncio.timeout(self.stall_seconds) as guard:
                while True:
                    if not self._running.is_set() or (self.limit.rate and not granted):
                        granted += await _no_stall(guard, self._allowed(part))
                    piece = await answer.read(granted)
                    if piece is None:
                        return
                    part.write(piece)
                    size = len(piece)
                    self.received += size
                    flight.done = part.received
                    if granted and size > granted:
                        await _no_stall(guard, self.limit.take(size - granted))
                    granted = max(granted - size, 0) if self.limit.rate else 0
                    if part.received - mark >= STALL_BYTES:
                        mark = part.received
                        guard.reschedule(loop.time() + self.stall_seconds)
        except TimeoutError:
            raise TransferError(
                f"brought less than {STALL_BYTES // 1024} KB in {self.stall_seconds:.0f} s", reason="slow"
            ) from None

    async def _allowed(self, part: PartFile) -> int:
        """Wait until reading may go on; returns how much of it, 0 for no limit. A file that is complete has not to wait."""
        left = part.job.size - part.received
        if left == 0:
            return 0
        await self._running.wait()
        amount = min(self.limit.piece, left) if left > 0 else self.limit.piece
        await self.limit.take(amount)
        await self._running.wait()
        return amount


async def _no_stall(guard: asyncio.Timeout, wait: Awaitable[T]) -> T:
    """Wait for what we ask for ourselves: that time is none in which the upstream brings nothing."""
    loop, end = asyncio.get_running_loop(), guard.when()
    began = loop.time()
    guard.reschedule(None)
    try:
        return await wait
    finally:
        if end is not None:
            guard.reschedule(end + loop.time() - began)


async def _resume(part: PartFile, tag: str) -> int:
    """Where to go on. Without a hash of the record or an ETag, nothing could tell whether the rest belongs to the beginning."""
    if part.job.digest is None and not tag:
        part.restart()
        return 0
    return await asyncio.to_thread(part.resume) if part.held > INLINE else part.resume()


def _strong(tag: str) -> str:
    """An ETag that promises the same bytes, else nothing: a weak one must not be used to resume (RFC 9110, 13.1.5)."""
    return tag if tag.startswith('"') and len(tag) <= MAX_TAG else ""


def _accept(answer: Answer, part: PartFile, url: str) -> None:
    """Check status and range against what was asked; an ignored range means starting anew."""
    status = answer.status
    if status == 206:
        start = (answer.field("content-range") or "").removeprefix("bytes ").partition("-")[0]
        if start != str(part.received):
            part.restart()
            raise TransferError("was answered with another range than asked", reason="server", where=display(url))
    elif status == 200:
        if part.received:
            part.restart()
    elif status == 416:
        part.restart()
        raise TransferError("could not be resumed", reason="server", where=display(url))
    else:
        raise from_status(status, url, answer.field("retry-after") or "")
    length = answer.field("content-length") or ""
    if part.job.size >= 0 and length.isdigit() and part.received + int(length) > part.job.size:
        raise TransferError(
            f"is announced with {part.received + int(length)} bytes, its record says {part.job.size}",
            reason="size",
            where=display(url),
        )


@contextlib.contextmanager
def _transport_errors(url: str) -> Iterator[None]:
    """Map what httpx and the redirect rules raise to reasons."""
    try:
        yield
    except UpstreamUnreachable as error:
        raise TransferError(error.what, reason=_network(error), where=error.where) from error
    except UpstreamError as error:
        raise TransferError(error.what, reason="refused", where=error.where) from error
    except httpx.TransportError as error:
        text = display(error) or type(error).__name__
        raise TransferError(f"broke off: {text}", reason=_network(error), where=display(url)) from error


def _network(error: Exception) -> str:
    text = str(error).lower()
    return "tls" if "tls" in text or "certificate" in text or "ssl" in text else "network"


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def next_path(part: Path) -> Path:
    """Where a file waits that is to replace another one when the metadata is switched."""
    return part.with_suffix(".next")
