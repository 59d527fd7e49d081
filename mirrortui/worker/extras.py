"""Fetch what some upstreams have beside repodata, for a run that publishes it. Nothing of it can fail a run."""

import asyncio
from collections.abc import Callable

import httpx

from mirrortui import channels, naming
from mirrortui.catalog import extras
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.extras import Extra
from mirrortui.config import Channel, MirrorConfig
from mirrortui.errors import MirrorError

FETCHES = 4
PATIENCE = 600.0
"""Seconds for one file: an upstream that drips must not hold up the packages."""

Pair = tuple[str, str]
Extras = dict[Pair, Extra]
"""By channel and subdir; the subdir "" stands for the channel."""


async def bring(
    client: httpx.AsyncClient, config: MirrorConfig, catalog: Catalog, tell: Callable[[str, str], None]
) -> Extras:
    """Fetch what [publish] asks for, each from the upstream that gave the repodata; returns what is at hand.

    One that cannot be had is told of as a warning, and the one that was fetched before stands in for it. Channels
    of which an index could not be read are left out, as nothing of them is published.
    """
    slots = asyncio.Semaphore(FETCHES)

    async def one(pair: Pair, base: str) -> None:
        name = f"{'/'.join(filter(None, pair))}: {extras.wanted(pair[1]).what}"
        try:
            async with slots, asyncio.timeout(PATIENCE):
                received = await extras.refresh(client, config.state, *pair, base)
        except TimeoutError:
            reason = f"took longer than {PATIENCE / 60:.0f} minutes"
        except MirrorError as error:
            reason = str(error)
        else:
            if received:
                tell("info", f"{name} received")
            return
        here = extras.cached(config.state, *pair) is not None
        tell("warning", f"{name} could not be had, {'the earlier one stays' if here else 'it is left out'}: {reason}")

    broken = {channel for channel, _ in catalog.problems}
    wanted: dict[Pair, str] = {}
    for channel in config.channels:
        if channel.name not in broken:
            wanted |= _wanted(config, channel, catalog)
    async with asyncio.TaskGroup() as group:
        for pair, base in wanted.items():
            group.create_task(one(pair, base))
    return {pair: extra for pair in wanted if (extra := extras.cached(config.state, *pair)) is not None}


def _wanted(config: MirrorConfig, channel: Channel, catalog: Catalog) -> dict[Pair, str]:
    """What is to be fetched for a channel, with the base URL of the channel there."""
    bases: dict[str, str] = {}
    upstreams = channels.upstreams(channel)
    for subdir in channel.subdirs:
        index = catalog.indexes.get((channel.name, subdir))
        if index is not None and index.folder is not None:
            gave = (u for u in upstreams if index.source.url.startswith(f"{naming.mask(naming.join_url(u, subdir))}/"))
            bases[subdir] = next(gave, upstreams[0])
    out = {(channel.name, subdir): base for subdir, base in bases.items()} if config.publish.run_exports else {}
    if config.publish.channeldata and bases:
        out[channel.name, ""] = next(iter(bases.values()))
    return out
