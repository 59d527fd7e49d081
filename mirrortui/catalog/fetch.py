"""Fetch metadata conditionally, `.zst` first: the repodata of one subdir, from the first upstream that answers."""

import asyncio
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import zstandard

from mirrortui import naming
from mirrortui.catalog import cache
from mirrortui.catalog.http import get, unreachable
from mirrortui.catalog.index import Source
from mirrortui.errors import BadRepodata, UpstreamError, UpstreamStatus, UpstreamUnreachable

MAX_RECEIVED = 1 << 30
HEAD = 64
"""Bytes by which an answer is known for what it is; they may come one at a time."""
_MISSING = (403, 404, 410)  # object stores answer 403 for a key that is not there

Report = Callable[["Progress"], None]
Tick = Callable[[int, int], None]
"""Told of received bytes and of all that were announced (0: it was not said)."""


class Wanted(NamedTuple):
    """A metadata file: its word in messages, and the names it may have, each with its encoding (zst or json)."""

    what: str
    names: tuple[tuple[str, str], ...]


REPODATA = Wanted("repodata", (("repodata.json.zst", "zst"), ("repodata.json", "json")))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one subdir is. `phase`: fetch, decode, ready, unchanged, empty, failed, again; `text` says why it failed, 403 of an empty one that may have been refused."""

    channel: str
    subdir: str
    phase: str
    bytes_done: int = 0
    bytes_total: int = 0
    records: int = 0
    text: str = ""


async def fetch(
    client: httpx.AsyncClient,
    place: Path,
    upstreams: tuple[str, ...],
    subdir: str,
    fresh: Path,
    tick: Tick,
) -> Source:
    """Bring `fresh/body.json.zst` and return its source; or the known source, checked now, if nothing has changed.

    An upstream that has no such subdir is an answer (status “missing”); the next upstream is asked when one
    cannot be reached or answers with an error. Raises the last `UpstreamError`.
    """
    known = cache.read_usable(place)
    last: UpstreamError | None = None
    for upstream in upstreams:
        base = naming.join_url(upstream, subdir)
        try:
            return await bring(client, base, REPODATA, known, fresh, tick)
        except UpstreamError as error:
            last = error
    assert last is not None
    raise last


async def bring(
    client: httpx.AsyncClient, base: str, wanted: Wanted, known: Source | None, fresh: Path, tick: Tick
) -> Source:
    """Ask one place for a file by each of its names: as `fetch`. Raises `UpstreamError`."""
    refused = False
    for name, encoding in wanted.names:
        url = naming.join_url(base, name)
        headers = {}
        if known is not None and known.url == naming.mask(url) and known.status == "ok":
            headers = {"If-None-Match": known.etag} if known.etag else {}
            headers |= {"If-Modified-Since": known.modified} if known.modified else {}
        async with get(client, url, headers) as response:
            if response.status_code == 304 and known is not None and headers:
                return replace(known, checked=time.time())
            if response.status_code in _MISSING and not (response.status_code == 403 and _there(known)):
                refused |= response.status_code == 403
                continue
            if response.status_code != 200:
                raise UpstreamStatus(
                    f"answered {response.status_code} {naming.display(response.reason_phrase, 60)}".rstrip(),
                    status=response.status_code,
                    where=naming.display(url),
                    hint=_hint(response.status_code),
                    retry_after=response.headers.get("retry-after", ""),
                )
            return await _receive(response, url, wanted.what, encoding, fresh / cache.BODY, tick)
    return Source(url=naming.mask(base), status="missing", checked=time.time(), refused=refused)


def _there(known: Source | None) -> bool:
    """Whether the file was there before: then 403 is no way to say that it does not exist."""
    return known is not None and known.status == "ok"


def _hint(status: int) -> str:
    if status in (401, 403, 407):
        return "Check the token or password of this upstream: in its URL, in ~/.netrc or in the environment"
    return "Try again later; if it stays, check the upstream's URL"


async def _receive(response: httpx.Response, url: str, what: str, encoding: str, target: Path, tick: Tick) -> Source:
    """Write the body as zstd, hashing the bytes as they come; a plain one is packed on the way."""
    hint = f"This is no {what}"
    length = response.headers.get("content-length", "")
    total = int(length) if re.fullmatch("[0-9]{1,15}", length) else 0
    if total > MAX_RECEIVED:
        raise BadRepodata(f"announces {total} bytes of metadata", where=naming.display(url), hint=hint)
    received, head = 0, b""
    digest = hashlib.sha256()
    packer = zstandard.ZstdCompressor(level=3).compressobj() if encoding == "json" else None
    with target.open("wb") as stream:
        try:
            async for chunk in response.aiter_raw():
                if len(head) < HEAD:
                    head += bytes(chunk[:HEAD])
                    if len(head) >= HEAD:
                        _check_first(head, what, encoding, url)
                received += len(chunk)
                if received > MAX_RECEIVED:
                    raise BadRepodata("does not end within 1 GB", where=naming.display(url), hint=hint)
                digest.update(chunk)
                stream.write(packer.compress(bytes(chunk)) if packer else chunk)
                tick(received, total)
        except httpx.TransportError as error:
            raise unreachable(error, url) from error
        if packer:
            stream.write(packer.flush())
    if total and received != total:
        raise UpstreamUnreachable(
            f"was cut off after {received} of {total} bytes", where=naming.display(url), hint="Try again"
        )
    if not received:
        raise BadRepodata("is empty", where=naming.display(url), hint="The upstream sent no bytes; try again later")
    if len(head) < HEAD:
        _check_first(head, what, encoding, url)
    headers = response.headers
    return Source(
        url=naming.mask(url),
        status="ok",
        etag=headers.get("etag", "")[:256],
        modified=headers.get("last-modified", "")[:64],
        encoding=encoding,
        sha256=digest.hexdigest(),
        packed=received,
        checked=time.time(),
    )


def _check_first(head: bytes, what: str, encoding: str, url: str) -> None:
    """Notice a login page or an error text before a megabyte of it is parsed."""
    if encoding == "zst":
        if head.startswith(b"\x28\xb5\x2f\xfd"):
            return
    elif head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return
    html = head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<"))
    raise BadRepodata(
        f"is an HTML page, not {what}" if html else f"is not {what}",
        where=naming.display(url),
        hint="Open the URL in a browser: a login page, a portal or a wrong path answers there",
    )


async def refresh(
    client: httpx.AsyncClient,
    state: Path,
    channel: str,
    upstreams: tuple[str, ...],
    subdir: str,
    report: Report,
    decoding: asyncio.Semaphore,
) -> Source:
    """Bring one subdir's cache up to date: fetch, decode (in a thread, as many at once as `decoding` lets), switch.

    Raises `UpstreamError`; the earlier good cache stays then.
    """
    place = cache.folder(state, channel, subdir)
    with cache.staging(place) as fresh:

        def tick(done: int, total: int) -> None:
            report(Progress(channel, subdir, "fetch", done, total))

        tick(0, 0)
        source = await fetch(client, place, upstreams, subdir, fresh, tick)
        if source.status == "missing":
            cache.write_source(place, source)
            report(Progress(channel, subdir, "empty", text="403" if source.refused else ""))
            return source
        if source.folder:
            cache.write_source(place, source)
            index = cache.open_index(state, channel, subdir)
            report(Progress(channel, subdir, "unchanged", source.packed, source.packed, index.rows if index else 0))
            return source
        report(Progress(channel, subdir, "decode", source.packed, source.packed))
        try:
            async with decoding:
                meta = await asyncio.to_thread(cache.decode_into, fresh)
        except BadRepodata as error:
            raise BadRepodata(error.what, where=naming.display(source.url), hint=error.hint) from error
        _check_subdir(fresh, subdir, source.url)
        source = replace(source, folder=fresh.name)
        cache.write_source(place, source)
        report(Progress(channel, subdir, "ready", source.packed, source.packed, meta["rows"]))
        return source


def _check_subdir(fresh: Path, subdir: str, url: str) -> None:
    """Refuse an index that says it is another subdir's: conda would too (conda: core/subdir_data.py)."""
    file = fresh / f"top-{b'info'.hex()}.json"
    info = msgspec.json.decode(file.read_bytes()) if file.exists() else None
    said = info.get("subdir") if isinstance(info, dict) else None
    if isinstance(said, str) and said != subdir:
        raise BadRepodata(
            f"is the index of {naming.display(said)}, not of {subdir}",
            where=naming.display(url),
            hint="Check the upstream",
        )
