"""What in a finished rc file would still lead a client away from the mirror, or keep it from it.

Unknown and misspelt keys pass conda's own `--validate`, and so do all of these.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from mirrortui import naming
from mirrortui.clients.condarc import HARD_CODED, KEYS, OFFICIAL, Condarc
from mirrortui.clients.mirrorurl import bare, location
from mirrortui.clients.resolve import resolve

_KEYS_READ_HERE = KEYS | {
    "channel", "whitelist_channels", "denylist_channels", "proxy_servers", "offline", "repodata_fns", "subdirs",
    "mirrored_channels", "channel_settings", "custom_multichannels", "subdir",
}  # fmt: skip


def defeats(rc: Mapping[str, Any], condarc: Condarc) -> tuple[str, ...]:
    """Return one sentence for each thing in `rc` (plain values) that works against the mirror of `condarc`."""
    return tuple(
        message
        for check in (_leaks, _doubled, _proxy, _switches, _lists, _mamba, _misspelt)
        for message in dict.fromkeys(check(rc, condarc))
    )


def _leaks(rc: Mapping[str, Any], condarc: Condarc) -> Iterator[str]:
    """Ask for every channel in every way, as conda would."""
    listed = [str(name) for name in rc.get("channels") or ()]
    closed = condarc.mapping()["migrated_channel_aliases"]
    full = [f"{OFFICIAL[name.startswith('pkgs/')]}/{name}" for name in condarc.channels]
    full = [url for url in full if any(url.startswith(base) for base in closed)]
    for found in resolve(
        dict.fromkeys(["defaults", *condarc.channels, *HARD_CODED, *listed, *full]), rc, mirror=condarc.url
    ):
        if not found.on_mirror:
            yield f"{found.key}: {naming.display(found.asked)} leads to {naming.display(found.url)}, not to the mirror."


def _doubled(rc: Mapping[str, Any], _: Condarc) -> Iterator[str]:
    custom = rc.get("custom_channels")
    for name, url in custom.items() if isinstance(custom, dict) else ():
        if url and f"/{str(url).rstrip('/')}".endswith(f"/{name}"):
            asked = naming.display(f"{str(url).rstrip('/')}/{name}")
            yield f"custom_channels: {naming.display(name)} is asked at {asked}; conda appends the name, so leave it off the URL."


def _proxy(rc: Mapping[str, Any], condarc: Condarc) -> Iterator[str]:
    """proxy_servers replaces NO_PROXY; an empty text exempts a host (requests: select_proxy)."""
    servers = rc.get("proxy_servers")
    parts = urlsplit(condarc.url)
    if not isinstance(servers, dict) or parts.scheme == "file":
        return
    host = parts.hostname or ""
    for key in (f"{parts.scheme}://{host}", parts.scheme, f"all://{host}", "all"):
        if servers.get(key) is not None:
            if servers[key]:
                yield (
                    f"proxy_servers: the mirror is asked through a proxy, and conda then reads no NO_PROXY; "
                    f'exempt it with  "{parts.scheme}://{host}": ""'
                )
            return


def _switches(rc: Mapping[str, Any], condarc: Condarc) -> Iterator[str]:
    if rc.get("offline") is True and not condarc.url.startswith("file:"):
        yield "offline: true keeps conda from asking the mirror at all."
    names = rc.get("repodata_fns")
    if isinstance(names, list) and names and "repodata.json" not in names:
        yield "repodata_fns: without repodata.json a solve fails where the mirror lacks the named file."
    subdirs = rc.get("subdirs")
    if isinstance(subdirs, list) and subdirs and "noarch" not in subdirs:
        yield "subdirs: without noarch most packages are out of reach."


def _lists(rc: Mapping[str, Any], condarc: Condarc) -> Iterator[str]:
    """What counts is the resolved base URL: a name in either list stands for where it leads."""
    wanted = {name: location(naming.join_url(bare(condarc.url), name)) for name in condarc.channels}
    for key, allows in (("allowlist_channels", True), ("whitelist_channels", True), ("denylist_channels", False)):
        given = rc.get(key)
        if not isinstance(given, list) or not given:
            continue
        places = {location(found.url) for found in resolve([str(name) for name in given], rc)}
        for name, place in wanted.items():
            if (place in places) is not allows:
                yield f"{key}: the mirror's {name} is refused by this list."


def _mamba(rc: Mapping[str, Any], condarc: Condarc) -> Iterator[str]:
    mirrored = rc.get("mirrored_channels")
    here = location(condarc.url)
    for name, urls in mirrored.items() if isinstance(mirrored, dict) else ():
        first = str((urls or [""])[0]) if isinstance(urls, list) else str(urls)
        if name in condarc.channels and not f"{location(first)}/".startswith(f"{here}/"):
            yield f"mirrored_channels: mamba asks {naming.display(first)} for {name}, not the mirror."


def _misspelt(rc: Mapping[str, Any], _: Condarc) -> Iterator[str]:
    for key in rc:
        if key not in _KEYS_READ_HERE:
            near = difflib.get_close_matches(key, _KEYS_READ_HERE, n=1, cutoff=0.9)
            if near:
                yield f"{naming.display(key)} is no key of conda's, which passes over it silently; is {near[0]} meant?"
