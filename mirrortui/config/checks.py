"""Everything about a mirror.toml that a type cannot say."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from mirrortui import naming, quantities
from mirrortui.config.model import Channel, MirrorConfig, Selection
from mirrortui.errors import ConfigError, MirrorError, NameRefused


def check(config: MirrorConfig, where: str) -> None:
    """Raise `ConfigError` with file, key and hint for the first thing that cannot be."""
    if config.version != 1:
        raise ConfigError(
            f"version {config.version} is not known to this program", where=where, hint="Write version = 1"
        )
    try:
        _check_places(config)
        seen: set[str] = set()
        for index, channel in enumerate(config.channels):
            key = f"channels[{index}]"
            _check_channel(channel, key)
            if channel.name in seen:
                raise ConfigError(f"{key}: a second channel named {channel.name}", hint="Merge the two entries")
            seen.add(channel.name)
            _check_selection(config.rules(channel), f"{key}.selection" if channel.selection else "selection")
        _check_selection(config.selection, "selection")
        _check_numbers(config)
    except MirrorError as error:
        if error.where and error.where != where:
            raise ConfigError(f"{error.where}: {error.what}", where=where, hint=error.hint) from error
        raise ConfigError(error.what, where=where, hint=error.hint) from error


def _keyed(key: str, error: MirrorError) -> ConfigError:
    return ConfigError(f"{key}: {error.what}", hint=error.hint)


def _check_places(config: MirrorConfig) -> None:
    mirror = config.mirror
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", mirror.name):
        raise ConfigError(
            f"mirror.name: “{naming.display(mirror.name)}” is no name", hint="Use letters, digits, “.”, “_”, “-”"
        )
    for key, value in (("mirror.root", mirror.root), ("mirror.state", mirror.state)):
        if not Path(value).is_absolute() or not value.isprintable():
            raise ConfigError(f"{key}: “{naming.display(value)}” is not an absolute path")
    root, state = Path(os.path.normpath(mirror.root)), Path(os.path.normpath(mirror.state))
    if root == Path("/"):
        raise ConfigError("mirror.root: the whole file system cannot be a mirror")
    if state == root or root in state.parents or state in root.parents:
        raise ConfigError("mirror.state: must lie outside the served tree, and the tree outside of it")
    try:
        naming.client_path(urlsplit(naming.upstream_url(mirror.url)).path, "mirror.url")
    except NameRefused as error:
        raise _keyed("mirror.url", error) from error


def _check_channel(channel: Channel, key: str) -> None:
    try:
        if naming.channel(channel.name) != channel.name:
            raise ConfigError(f"{key}.name: write {naming.channel(channel.name)}")
        for number, url in enumerate(channel.upstreams):
            check_upstream(url, f"{key}.upstreams[{number}]")
        for name in channel.subdirs:
            naming.subdir(name)
    except NameRefused as error:
        raise _keyed(key, error) from error
    if not channel.upstreams:
        raise ConfigError(f"{key}.upstreams: at least one URL is needed")
    if len(set(channel.subdirs)) != len(channel.subdirs):
        raise ConfigError(f"{key}.subdirs: a subdir is named twice")


def check_upstream(url: str, key: str) -> None:
    """Raise `ConfigError` that begins with the key where a URL is no upstream's.

    No sign follows the URL at once in these words: whatever shows them masks them again, and where a token ends is
    not to be seen then.
    """
    try:
        naming.upstream_template(url)
    except NameRefused as error:
        shown = naming.display(url)
        raise ConfigError(f"{key}: {shown} {error.what.removeprefix(f'“{shown}” ')}", hint=error.hint) from error


def _check_selection(rules: Selection, key: str) -> None:
    for name, parse in (
        ("before", quantities.date_ms),
        ("min_age", quantities.duration),
        ("max_size", quantities.size),
    ):
        try:
            parse(getattr(rules, name))
        except ConfigError as error:
            raise _keyed(f"{key}.{name}", error) from error
    for version in rules.python:
        if not re.fullmatch(r"\d+\.\d+", version):
            raise ConfigError(
                f"{key}.python: “{naming.display(version)}” is no minor version", hint='Write for example "3.12"'
            )
    for name in ("newest_versions", "newest_builds"):
        if getattr(rules, name) < 0:
            raise ConfigError(f"{key}.{name}: must be 0 (all) or more")


def _check_numbers(config: MirrorConfig) -> None:
    if not 1 <= config.transfer.connections <= 256:
        raise ConfigError("transfer.connections: must be from 1 to 256")
    if not 0 <= config.transfer.retries <= 100:
        raise ConfigError("transfer.retries: must be from 0 to 100")
    if not 0 < config.prune.max_share <= 1:
        raise ConfigError("prune.max_share: must be above 0 and at most 1")
    for key, text, parse in (
        ("transfer.limit", config.transfer.limit, quantities.rate),
        ("prune.grace", config.prune.grace, quantities.duration),
    ):
        try:
            parse(text)
        except ConfigError as error:
            raise _keyed(key, error) from error
    if config.transfer.proxy:
        _check_proxy(config.transfer.proxy)
    if config.transfer.ca_bundle and not Path(config.transfer.ca_bundle).is_absolute():
        raise ConfigError(
            "transfer.ca_bundle: must be an absolute path", hint="The worker is started in another folder than yours"
        )


def _check_proxy(proxy: str) -> None:
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https", "socks5", "socks5h") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not proxy.isprintable() or " " in proxy:
        raise ConfigError(
            f"transfer.proxy: “{naming.display(proxy)}” is no proxy URL", hint="Write for example http://proxy.lab:3128"
        )
