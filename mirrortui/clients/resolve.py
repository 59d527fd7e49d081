"""Which URL would conda ask for a channel? The look-up of conda: models/channel.py and base/context.py, without conda.

Keys read: channel_alias, custom_channels, default_channels, custom_multichannels, migrated_channel_aliases and
migrated_custom_channels, with conda's own built-in values where a key is absent or null. The built-in value of
default_channels is the one for Unix; `local`, conda-build's own folder, names no URL and is left out.
Variables (`$X`) in values are not expanded.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mirrortui.clients.mirrorurl import bare, location
from mirrortui.naming import KNOWN_SUBDIRS, PACKAGE_SUFFIXES

BUILT_IN: Mapping[str, Any] = {
    "channel_alias": "https://conda.anaconda.org",
    "custom_channels": {"pkgs/pro": "https://repo.anaconda.com"},
    "default_channels": ["https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"],
    "migrated_channel_aliases": [],
    "migrated_custom_channels": {},
}

_SCHEME = re.compile(r"[a-z][a-z0-9]{0,11}://")
_PLATFORM = re.compile(rf"/({'|'.join(KNOWN_SUBDIRS)})(?:/|$)", re.IGNORECASE)
_PATH = re.compile(r"\./|\.\.|~|/")


@dataclass(frozen=True, slots=True)
class Resolved:
    """The base URL (without secrets) that a client asks for a channel, and the rc key that decides it.

    `key` is `url` where a full URL is asked as it stands.
    """

    asked: str
    url: str
    key: str
    on_mirror: bool


@dataclass(frozen=True, slots=True)
class _Channel:
    scheme: str
    place: str
    name: str
    key: str

    @property
    def url(self) -> str:
        start = "" if self.place and not self.place.startswith("/") else "/"
        return f"{self.scheme}://{start}{'/'.join(p for p in (self.place.strip('/'), self.name.strip('/')) if p)}"


def resolve(names: Iterable[str], rc: Mapping[str, Any], *, mirror: str = "") -> list[Resolved]:
    """Return what conda asks for each name, in order; `defaults` and other multichannels give several.

    `rc` is the merged configuration; `mirror` the mirror's base URL, without it the rc's own channel_alias.
    """
    here = location(mirror or str(rc.get("channel_alias") or "")).rstrip("/")
    look_up = _LookUp(rc)
    out = []
    for asked in names:
        for channel in look_up.channels(asked):
            place = location(channel.url)
            on_mirror = bool(here) and (place == here or place.startswith(f"{here}/"))
            out.append(Resolved(asked, channel.url, channel.key, on_mirror))
    return out


class _LookUp:
    """conda's tables of channels, built once from a mapping."""

    def __init__(self, rc: Mapping[str, Any]) -> None:
        values = {key: _typed(rc.get(key), default) for key, default in BUILT_IN.items()}
        self._alias = _Channel(_scheme(values["channel_alias"]), location(values["channel_alias"]), "", "channel_alias")
        self._old_aliases = [location(url) for url in values["migrated_channel_aliases"]]
        self._old_names = sorted(values["migrated_custom_channels"].items(), key=lambda item: -len(item[0]))
        groups = _groups(rc.get("custom_multichannels"))
        group_key = dict.fromkeys(groups, "custom_multichannels")
        if "defaults" not in groups:
            groups["defaults"] = values["default_channels"]
            group_key["defaults"] = "default_channels"
        groups["local"] = []  # always conda-build's, whatever the file says
        self._multi = {
            name: [self._member(url, group_key.get(name, "")) for url in dict.fromkeys(urls)]
            for name, urls in groups.items()
        }
        self._custom = {channel.name: channel for members in self._multi.values() for channel in members}
        for name, url in values["custom_channels"].items():
            clean = name.strip("/")
            if _SCHEME.match(url):
                self._custom[clean] = _Channel(_scheme(url), location(url), clean, "custom_channels")
            else:
                self._custom[clean] = replace(self._alias, name=clean, key="custom_channels")

    def channels(self, asked: str) -> list[_Channel]:
        if _SCHEME.match(asked):
            return [self._by_url(asked)]
        if _PATH.match(asked):
            return [self._by_url(f"file://{Path(asked).expanduser().absolute()}")]
        name = _without_platform(asked)
        return self._multi[name] if name in self._multi else [self._by_name(name)]

    def _member(self, url: str, key: str) -> _Channel:
        """A member of a multichannel: a URL, or a name below the alias."""
        if not _SCHEME.match(url):
            return replace(self._alias, name=url.strip("/"), key=key)
        place = location(url)
        if self._alias.place and place.startswith(self._alias.place):
            return _Channel(_scheme(url), self._alias.place, place.removeprefix(self._alias.place).strip("/"), key)
        host, _, path = place.partition("/")
        return _Channel(_scheme(url), host, path.strip("/"), key)

    def _by_name(self, name: str) -> _Channel:
        """custom_channels by the longest prefix of the name, else the alias; the whole name is appended."""
        parts = name.split("/")
        for length in range(len(parts), 0, -1):
            channel = self._custom.get("/".join(parts[:length]))
            if channel is not None:
                return replace(channel, name=name)
        return replace(self._alias, name=name)

    def _by_url(self, url: str) -> _Channel:
        text = _without_platform(bare(url))
        if text.endswith(PACKAGE_SUFFIXES):
            text = text.rpartition("/")[0]
        scheme, place = _scheme(text), location(text)
        return self._rewritten(place) or self._known(place, scheme) or _unknown(place, scheme)

    def _rewritten(self, place: str) -> _Channel | None:
        """The migrated_* keys: an old place leads to where its channel is now."""
        if "/" not in place:
            return None
        for name, old in self._old_names:
            start = f"{location(old)}/{name.strip('/')}"
            if _begins(place, start):
                rest = place.replace(start, "", 1).strip("/")
                found = self._by_name(f"{name}/{rest}" if rest else name)
                return replace(found, name=unquote(found.name), key="migrated_custom_channels")
        for old in self._old_aliases:
            if place.startswith(old):  # by plain text, as conda does it
                name = unquote(place.replace(old, "", 1).strip("/"))
                return replace(self._alias, name=name, key="migrated_channel_aliases")
        return None

    def _known(self, place: str, scheme: str) -> _Channel | None:
        """A URL below a known place keeps its scheme and takes that place's credentials."""
        if "/" not in place:
            return None
        for _, channel in sorted(self._custom.items(), key=lambda item: -len(item[0])):
            start = f"{channel.place}/{channel.name}"
            if _begins(place, start):
                rest = place.replace(start, "", 1).strip("/")
                return replace(channel, scheme=scheme, name=unquote(f"{channel.name}/{rest}" if rest else channel.name))
        if self._alias.place and _begins(place, self._alias.place):
            name = unquote(place.replace(self._alias.place, "", 1).strip("/"))
            return replace(self._alias, scheme=scheme, name=name)
        return None


def _unknown(place: str, scheme: str) -> _Channel:
    """A URL that no key knows; of file URLs conda decodes the last part only."""
    head, slash, tail = place.rpartition("/") if scheme == "file" else place.partition("/")
    return _Channel(scheme, head or slash, unquote(tail), "url")


def _begins(text: str, start: str) -> bool:
    """Compare component by component, which stops at the shorter of the two (conda: tokenized_startswith)."""
    return all(a == b for a, b in zip(text.split("/"), start.split("/"), strict=False))


def _typed(value: Any, default: Any) -> Any:
    """The value if it has the form of the built-in one (conda refuses others; null counts as absent)."""
    if isinstance(default, str):
        return value if isinstance(value, str) else default
    if isinstance(default, Mapping):
        return {str(k): v for k, v in value.items() if isinstance(v, str)} if isinstance(value, Mapping) else default
    return [str(item) for item in value] if isinstance(value, list | tuple) else default


def _groups(value: Any) -> dict[str, list[str]]:
    given = value if isinstance(value, Mapping) else {}
    return {str(name): _typed(urls, []) for name, urls in given.items() if urls is not None}


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower() if "://" in url else "https"


def _without_platform(text: str) -> str:
    match = _PLATFORM.search(text)
    return (text.replace(f"/{match[1]}", "", 1) if match else text).rstrip("/")
