"""Bring the catalog cache up to date: all wanted subdirs at once, or in a child process for a screen that must not freeze."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict

import httpx
import msgspec

from mirrortui import channels, naming
from mirrortui import config as settings
from mirrortui.catalog import cache
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.fetch import Progress, refresh
from mirrortui.catalog.http import get
from mirrortui.catalog.index import Source
from mirrortui.config import Channel, MirrorConfig
from mirrortui.errors import MirrorError, UpstreamError
from mirrortui.transfer.client import open_client
from mirrortui.transfer.patience import insist

FETCHES = 4

Pair = tuple[str, str]


def pairs(config: MirrorConfig) -> list[Pair]:
    """Every (channel, subdir) of a config; noarch comes along, since a client must find it."""
    out = []
    for channel in config.channels:
        out += [(channel.name, subdir) for subdir in channel.subdirs]
    return out


async def refresh_all(
    client: httpx.AsyncClient,
    config: MirrorConfig,
    report: Callable[[Progress], None],
    wanted: Iterable[Pair] | None = None,
    max_age: float = 0.0,
    *,
    retries: int = 0,
) -> Catalog:
    """Fetch and decode the wanted subdirs, then open the catalog. An upstream that is out of order is asked `retries` times more.

    One that fails is reported and named in `Catalog.problems`; what is cached of it is left out. A channel of
    which the upstream has no subdir at all, not even noarch, is not there: that is a problem of each of its subdirs.
    """
    todo = list(wanted) if wanted is not None else pairs(config)
    problems: dict[Pair, str] = {}
    slots, decoding = asyncio.Semaphore(FETCHES), asyncio.Semaphore(1)

    async def one(channel: Channel, subdir: str) -> None:
        known = cache.read_usable(cache.folder(config.state, channel.name, subdir))
        if known is not None and max_age and time.time() - known.checked < max_age:
            report(Progress(channel.name, subdir, "unchanged"))
            return

        async def attempt() -> Source:
            async with slots:  # who waits for another try leaves it to others
                bases = channels.upstreams(channel)
                return await refresh(client, config.state, channel.name, bases, subdir, report, decoding)

        def told(error: UpstreamError, pause: float) -> None:
            report(Progress(channel.name, subdir, "again", text=f"{error.what}; asked again in {pause:.0f} s"))

        try:
            await insist(attempt, retries, told)
        except MirrorError as error:
            problems[channel.name, subdir] = str(error)
            report(Progress(channel.name, subdir, "failed", text=str(error)))

    async with asyncio.TaskGroup() as group:
        for name, subdir in todo:
            group.create_task(one(config.channel(name), subdir))
    await _note_absent(client, config, todo, problems, report)
    catalog = cache.open_catalog(config.state, [pair for pair in todo if pair not in problems])
    return Catalog(catalog.indexes, problems)


async def _note_absent(
    client: httpx.AsyncClient,
    config: MirrorConfig,
    todo: list[Pair],
    problems: dict[Pair, str],
    report: Callable[[Progress], None],
) -> None:
    for channel in config.channels:
        mine = [pair for pair in todo if pair[0] == channel.name and pair not in problems]
        indexes = [cache.open_index(config.state, *pair) for pair in mine]
        if not mine or any(index is None or index.folder is not None for index in indexes):
            continue
        if "noarch" not in channel.subdirs and await exists(client, channel, "noarch"):
            continue
        tried = [*(subdir for _, subdir in mine if subdir != "noarch"), "noarch"]
        error = _no_channel(channel, tried, await answer(client, channel, tried[0]))
        for pair in mine:
            problems[pair] = str(error)
            report(Progress(*pair, "failed", text=str(error)))


def _no_channel(channel: Channel, tried: list[str], status: int) -> UpstreamError:
    """Some hosts answer 403 for what is not there, others for a token that is none: then both are named."""
    refused = status == 403
    return UpstreamError(
        f"{'403 for' if refused else 'there is no'} channel {channel.name} (no repodata for {' or '.join(tried)})",
        where=naming.display(channel.upstreams[0]),
        hint="Check token or password, and the channel's name"
        if refused
        else "Check the channel's name and its upstream",
    )


async def exists(client: httpx.AsyncClient, channel: Channel, subdir: str) -> bool:
    """Whether any upstream answers for a subdir."""
    return await answer(client, channel, subdir) == 200


async def answer(client: httpx.AsyncClient, channel: Channel, subdir: str) -> int:
    """The status of a subdir's index: 200 if any upstream has one, else the last; 0 where none could be asked.

    `.zst` is asked first, as most have it.
    """
    status = 0
    for upstream in channels.upstreams(channel):
        for name in ("repodata.json.zst", "repodata.json"):
            try:
                async with get(client, naming.join_url(upstream, subdir, name), method="HEAD") as response:
                    status = response.status_code
            except UpstreamError:
                break
            if status == 200:
                return status
    return status


async def discover(client: httpx.AsyncClient, channel: Channel) -> tuple[str, ...]:
    """The known subdirs that exist upstream, noarch first (one HEAD each)."""
    slots = asyncio.Semaphore(FETCHES)

    async def one(subdir: str) -> str:
        async with slots:
            return subdir if await exists(client, channel, subdir) else ""

    found = await asyncio.gather(*(one(subdir) for subdir in naming.KNOWN_SUBDIRS))
    return tuple(subdir for subdir in found if subdir)


# ------------------------------------------------------------------------------------ in a child process


async def refresh_in_child(
    config: MirrorConfig, wanted: Sequence[Pair] | None = None, *, max_age: float = 0.0
) -> AsyncIterator[Progress]:
    """As `refresh_all`, in a process of its own; yields its progress. Closing the iterator ends the process."""
    request = {"config": settings.to_dict(config), "wanted": wanted, "max_age": max_age}
    async for line in _child(request):
        yield msgspec.json.decode(line, type=Progress)


async def discover_in_child(config: MirrorConfig, channel: Channel) -> tuple[str, ...]:
    """As `discover`, in a process of its own."""
    request = {"config": settings.to_dict(config), "discover": msgspec.to_builtins(channel)}
    found: tuple[str, ...] = ()
    async for line in _child(request):
        found = tuple(json.loads(line))
    return found


async def _child(request: Mapping[str, object]) -> AsyncIterator[bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mirrortui.worker.indexing",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        async for line in process.stdout:
            yield line
        if await process.wait() != 0:
            raise MirrorError(
                "the process that reads the indexes broke off", hint="Run “mirrortui estimate --refresh” to see why"
            )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def child() -> None:
    """Serve one request from stdin: JSON lines on stdout."""
    request = json.loads(sys.stdin.read())
    config = settings.from_dict(request["config"])

    def out(value: object) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    async def work() -> None:
        async with open_client(config) as client:
            if "discover" in request:
                out(await discover(client, msgspec.convert(request["discover"], Channel)))
                return
            wanted = request.get("wanted")
            await refresh_all(
                client,
                config,
                Throttle(lambda progress: out(asdict(progress))),
                [tuple(pair) for pair in wanted] if wanted is not None else None,
                request.get("max_age", 0.0),
            )

    asyncio.run(work())


class Throttle:
    """Pass every change of phase on, but byte counts at most five times a second for each subdir."""

    def __init__(self, report: Callable[[Progress], None]) -> None:
        self.report = report
        self._last: dict[Pair, tuple[str, float]] = {}

    def __call__(self, progress: Progress) -> None:
        """Report, or swallow."""
        key, now = (progress.channel, progress.subdir), time.monotonic()
        phase, when = self._last.get(key, ("", 0.0))
        if phase != progress.phase or now - when >= 0.2:
            self._last[key] = progress.phase, now
            self.report(progress)


if __name__ == "__main__":
    child()
    os._exit(0)  # each line was flushed; threads of native libraries can abort an interpreter that winds down
