"""Look a mirror over: what is wrong, what is only slow, and what to do about it. Changes nothing."""

import asyncio
import importlib.metadata
import os
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirrortui import clients
from mirrortui.catalog import cache
from mirrortui.config import MirrorConfig
from mirrortui.errors import MirrorError
from mirrortui.mirror import lacking, metadata
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.store import Store, read_only
from mirrortui.naming import display, holds_secret
from mirrortui.transfer.client import open_client
from mirrortui.transfer.transport import transport_name
from mirrortui.worker import launch, lock, schema
from mirrortui.worker.indexing import exists
from mirrortui.worker.reader import JournalReader

LOW_DISK = 0.05
SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `state` is ok, note (works, but you should know) or bad."""

    subject: str
    state: str
    text: str
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """The stable form that `doctor --json` prints."""
        return asdict(self)


def examine(config: MirrorConfig, *, network: bool = True) -> Iterator[Finding]:
    """Look at program, places, runs, indexes, what is published and (with `network`) the upstreams."""
    yield from _program()
    yield from _root(config)
    yield from _state(config)
    yield from _runs(config)
    yield from _indexes(config)
    yield from _published(config)
    if network:
        yield from asyncio.run(_upstreams(config))


def _program() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("textual", "httpx", "py-rattler"))
    yield Finding(
        "program", "ok", f"mirrortui {importlib.metadata.version('mirrortui')}, Python {version}, {libraries}"
    )
    if transport_name() == "pyreqwest":
        yield Finding("transport", "ok", "pyreqwest")
    else:
        hint = "There is a wheel for Linux on x86_64 and aarch64: pip install pyreqwest"
        yield Finding("transport", "note", "httpx's own: works, at a third of the speed over TLS", hint)


def _root(config: MirrorConfig) -> Iterator[Finding]:
    where, kind = display(config.root), schema.file_system(config.root)
    try:
        Store(config.root).check_folder()
    except MirrorError as error:
        yield Finding("root", "bad", f"{error.where} {error.what}", error.hint)
        return
    if not config.root.is_dir():
        yield Finding("root", "note", f"{where} is not there yet", "The first sync makes it")
    elif read_only(config.root):
        hint = "Mount it for writing; an error of its disk may have made it so, the kernel's log tells"
        yield Finding("root", "bad", f"{where} ({kind}) is on a file system that is mounted read-only", hint)
    elif not os.access(config.root, os.W_OK | os.X_OK):
        yield Finding(
            "root",
            "note",
            f"{where} ({kind}) may not be written by this account",
            "Run syncs with the one that owns it",
        )
    else:
        yield Finding("root", "ok", f"{where} ({kind})")
    disk = Store(config.root).disk()
    state = "ok" if disk.free > LOW_DISK * disk.total else "note"
    yield Finding("disk", state, f"{disk.free / 1e9:.1f} GB of {disk.total / 1e9:.1f} GB are free")


def _state(config: MirrorConfig) -> Iterator[Finding]:
    where = f"{display(config.state)} ({schema.file_system(config.state)})"
    try:
        schema.refuse_network(config.state)
        yield _state_folder(config.state, where)
    except MirrorError as error:
        yield Finding("state", "bad", f"{where}: {error.what}", error.hint)
    yield Finding("logout", "ok" if "goes on" in launch.survival() else "note", launch.survival())


def _state_folder(state: Path, where: str) -> Finding:
    place = next(place for place in (state, *state.parents) if os.path.lexists(place))
    if not place.is_dir():
        hint = "Move it away, or set mirror.state to another place"
        return Finding("state", "bad", f"{where}: {display(place)} is a file, not a folder", hint)
    if read_only(place):
        return Finding("state", "bad", f"{where} is mounted read-only", "Mount it for writing, or set mirror.state")
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("state", "note", f"{where} may not be written by this account", "Run syncs with its owner's")
    return Finding("state", "ok", where if place == state else f"{where} is not there yet; the first sync makes it")


def _runs(config: MirrorConfig) -> Iterator[Finding]:
    reader = JournalReader(config.state)
    try:
        snapshot = reader.snapshot()
    except MirrorError as error:
        yield Finding("journal", "bad", error.what, error.hint)
        return
    finally:
        reader.close()
    run = snapshot.run
    if run is None:
        yield Finding("last run", "note", "there was none yet", "Start one with “mirrortui sync”")
        return
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started))
    text = f"run {run.id} of {when}: {snapshot.state}{f', {run.message}' if run.message else ''}"
    bad = {"failed": "bad", "crashed": "bad", "partial": "note", "stopped": "note"}
    yield Finding(
        "last run",
        bad.get(snapshot.state, "ok"),
        text,
        "The next run goes on from there" if snapshot.state in bad else "",
    )
    if lock.running(config.state) and (snapshot.heartbeat_age or 0) > 60:
        hint = f"Look at process {run.pid} and at {launch.log_path(config.state)}"
        yield Finding(
            "worker", "bad", f"holds the lock but gave no sign of life for {snapshot.heartbeat_age:.0f} s", hint
        )


def _indexes(config: MirrorConfig) -> Iterator[Finding]:
    for channel in config.channels:
        for subdir in channel.subdirs:
            name = f"{channel.name}/{subdir}"
            index = cache.open_index(config.state, channel.name, subdir)
            if index is None:
                yield Finding(name, "note", "its index was not read yet", "“mirrortui estimate” reads it")
            else:
                age = (time.time() - index.source.checked) / 3600
                found = f"{index.rows:,} records" if index.folder is not None else "not upstream"
                found += " (answered 403)" if index.source.refused else ""
                usual = index.folder is not None or (subdir == "noarch" and not index.source.refused)
                yield Finding(name, "ok" if age < 72 and usual else "note", f"{found}, checked {age:.1f} hours ago")


def _published(config: MirrorConfig) -> Iterator[Finding]:
    try:
        found = clients.scan(config.root)
    except MirrorError as error:
        yield Finding("published", "bad", error.what, error.hint)
        return
    names = ", ".join(f"{c.name} ({len(c.subdirs)})" for c in found)
    yield Finding("published", "ok" if found else "note", names or "nothing yet")
    yield from _lost(config)


def _lost(config: MirrorConfig) -> Iterator[Finding]:
    """Published files that are not there any more, and snapshots that have lost some: by names, without reading any."""
    store = Store(config.root)
    try:
        inventory = Inventory(config.state)
        try:
            lost, bad = metadata.missing(store, inventory), inventory.doubts()
        finally:
            inventory.close()
        damaged = [snapshot for snapshot in lacking.overview(store, config.state) if snapshot.damaged]
    except MirrorError as error:
        yield Finding("metadata", "bad", str(error), error.hint)
        return
    for path in lost[:SAMPLE]:
        yield Finding("metadata", "bad", f"{path} was published and is missing", "“mirrortui verify --repair” mends it")
    if len(lost) > SAMPLE:
        yield Finding("metadata", "bad", f"and {len(lost) - SAMPLE} more files are missing")
    yield from _bad(*bad)
    for snapshot in damaged:
        hint = f"Bring its files back, or “mirrortui snapshot delete {snapshot.name}”: until then nothing that it may name is pruned"
        yield Finding(f"snapshot {display(snapshot.name)}", "bad", f"is damaged: {snapshot.damaged}", hint)


def _bad(named: int, leaving: int) -> Iterator[Finding]:
    """Packages that a `verify` or a run found wrong, and that none has mended since."""
    for number, which, hint in (
        (named, "", "“mirrortui sync” or “mirrortui verify --repair” fetches what is wrong anew"),
        (
            leaving,
            ", and published no longer",
            "A snapshot may need what is wrong: “mirrortui verify” tells which it is",
        ),
    ):
        if number:
            files = "1 file is" if number == 1 else f"{number:,} files are"
            yield Finding("packages", "bad", f"{files} known to be bad{which}", hint)


async def _upstreams(config: MirrorConfig) -> list[Finding]:
    out = []
    async with open_client(config) as client:
        for channel in config.channels:
            try:
                there = await exists(client, channel, "noarch")
                where = display(channel.upstreams[0])
                hint = "" if there else "Check the upstream's URL, the network and [transfer] proxy"
                text = f"{where} answers" if there else f"{where} has no noarch, or does not answer"
                out.append(Finding(f"upstream {channel.name}", "ok" if there else "bad", text, hint))
            except MirrorError as error:
                out.append(Finding(f"upstream {channel.name}", "bad", error.what, error.hint))
    return out


def file_of(path: Path, config: MirrorConfig) -> Finding:
    """The finding that names the config in use; bad where everyone on this host may read a secret in it."""
    where = display(path.absolute())
    urls = [url for channel in config.channels for url in channel.upstreams]
    if not any(map(holds_secret, (*urls, config.transfer.proxy))) or not path.stat().st_mode & stat.S_IROTH:
        return Finding("config", "ok", where)
    hint = f"“chmod o-r {where}”, or keep the secret out of it: ${{NAME}} in the URL, or ~/.netrc"
    return Finding("config", "bad", f"{where} holds a token or password, and every account may read it", hint)
