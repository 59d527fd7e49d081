"""The metadata that some upstreams have beside repodata: `run_exports` of a subdir (CEP 12), `channeldata` of a channel (CEP 38).

    <state>/catalog/<channel, “/” as %2F>/run_exports/<subdir>/   source.json, and a folder with body.json.zst
    <state>/catalog/<channel, “/” as %2F>/channeldata/            the same

They are fetched as repodata is (conditionally, within the same limits), and read through once before they take the place
of the earlier ones. The subdir "" stands for the channel.
"""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from mirrortui import naming
from mirrortui.catalog import cache
from mirrortui.catalog.body import SECTIONS, split
from mirrortui.catalog.index import Source
from mirrortui.errors import BadRepodata

if TYPE_CHECKING:  # who reads what is cached needs no HTTP client
    import httpx

    from mirrortui.catalog.fetch import Wanted

Entries = dict[str, dict[str, msgspec.Raw]]
"""A table of both: file name or package name -> entry, each value as its own bytes."""


@dataclass(frozen=True)
class Extra:
    """A fetched body, zstd-compressed, and where it came from. `hold` keeps it on disk while this value lives."""

    source: Source
    body: Path
    hold: object = field(default=None, repr=False, compare=False)


def wanted(subdir: str) -> "Wanted":
    """What is fetched for a subdir, or ("") for the channel itself."""
    from mirrortui.catalog.fetch import Wanted

    if subdir:
        return Wanted("run_exports", (("run_exports.json.zst", "zst"), ("run_exports.json", "json")))
    return Wanted("channeldata", (("channeldata.json", "json"),))


def folder(state: Path, channel: str, subdir: str) -> Path:
    """Where it is cached; neither word can be a subdir."""
    home = state / "catalog" / quote(channel, safe="")
    return home / "run_exports" / subdir if subdir else home / "channeldata"


def cached(state: Path, channel: str, subdir: str) -> Extra | None:
    """What was fetched last and is still there; None where the upstream had none, or nothing was ever fetched."""
    place = folder(state, channel, subdir)
    source, hold = cache.held(place)
    if source is None or not _usable(place, source):
        return None
    return Extra(source, place / source.folder / cache.BODY, hold)


def _usable(place: Path, source: Source) -> bool:
    return bool(source.folder) and cache.whole(place / source.folder)


async def refresh(client: "httpx.AsyncClient", state: Path, channel: str, subdir: str, base: str) -> bool:
    """Bring the cache up to date from the upstream `base`; tells whether a new body came.

    Raises `UpstreamError` or `StateError`; what was cached before stays then.
    """
    from mirrortui.catalog.fetch import bring

    place = folder(state, channel, subdir)
    known = cache.read_source(place)
    if known is not None and not _usable(place, known):
        known = None
    url = naming.join_url(base, subdir) if subdir else base
    with cache.staging(place) as fresh:
        source = await bring(client, url, wanted(subdir), known, fresh, lambda *_: None)
        if source.status == "ok" and not source.folder:
            try:
                await asyncio.to_thread(check, fresh / cache.BODY, subdir)
            except BadRepodata as error:
                raise BadRepodata(error.what, where=naming.display(source.url), hint=error.hint) from error
            cache.note_sizes(fresh)
            source = replace(source, folder=fresh.name)
        cache.write_source(place, source)
        return source.folder == fresh.name


def check(body: Path, subdir: str) -> None:
    """Read a body through. Raises `BadRepodata` unless it is JSON of the shape that clients read."""
    decode, must = msgspec.json.Decoder(Entries).decode, "info" if subdir else "channeldata_version"
    seen = False

    def other(key: str, raw: bytes) -> None:
        nonlocal seen
        seen |= key == must
        if key in SECTIONS:
            raise BadRepodata(f"holds “{key}” that is no table")
        if key == "info" and subdir:
            info = msgspec.json.decode(raw)
            said = info.get("subdir") if isinstance(info, dict) else None
            if isinstance(said, str) and said != subdir:
                raise BadRepodata(f"is of {naming.display(said)}, not of {subdir}", hint="Check the upstream")

    for _ in split(cache.unpacked(body), lambda _section, data: bool(decode(data)), other):
        seen = True
    if not seen:  # perhaps an error message of a server that answers in JSON
        raise BadRepodata(f"has neither entries nor “{must}”", hint="Open the URL in a browser")
