"""Edits of a draft: each takes a config and returns a new one; nothing is written."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from mirrortui import naming
from mirrortui.config import Channel, Mirror, MirrorConfig, Selection, default_state

COMMON_SUBDIRS = ("noarch", "linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")


def ordered(subdirs: Iterable[str]) -> tuple[str, ...]:
    """Noarch first, then the order clients know them in, then the rest by name."""
    known = {name: index for index, name in enumerate(naming.KNOWN_SUBDIRS)}
    return tuple(sorted(set(subdirs), key=lambda name: (known.get(name, len(known)), name)))


def tick(config: MirrorConfig, channel: str, subdirs: Iterable[str], *, on: bool) -> MirrorConfig:
    """Tick or untick subdirs of a channel."""
    names = set(subdirs)

    def change(entry: Channel) -> Channel:
        ticked = set(entry.subdirs) | names if on else set(entry.subdirs) - names
        return replace(entry, subdirs=ordered(ticked))

    channels = tuple(change(c) if c.name == channel else c for c in config.channels)
    return replace(config, channels=channels)


def add_channel(config: MirrorConfig, name: str, upstreams: tuple[str, ...]) -> MirrorConfig:
    """Append a channel, ticked as the others are (linux-64 and noarch for the first one)."""
    wanted = {subdir for channel in config.channels for subdir in channel.subdirs} or {"linux-64", "noarch"}
    entry = Channel(name=name, upstreams=upstreams, subdirs=ordered(wanted))
    return replace(config, channels=(*config.channels, entry))


def remove_channel(config: MirrorConfig, name: str) -> MirrorConfig:
    """Drop a channel from the draft; its files stay until a run prunes them."""
    return replace(config, channels=tuple(c for c in config.channels if c.name != name))


def set_rule(config: MirrorConfig, key: str, value: Any) -> MirrorConfig:
    """Set one key of [selection]."""
    selection: Selection = replace(config.selection, **{key: value})
    return replace(config, selection=selection)


def set_mirror(config: MirrorConfig, key: str, value: str, *, new: bool) -> MirrorConfig:
    """Set one key of [mirror]; while there is no file yet, the state folder follows the name."""
    mirror: Mirror = replace(config.mirror, **{key: value})
    if key == "name" and new:
        mirror = replace(mirror, state=str(default_state(value)))
    return replace(config, mirror=mirror)


def pairs(config: MirrorConfig) -> tuple[tuple[str, str], ...]:
    """All ticked (channel, subdir)."""
    return tuple((c.name, subdir) for c in config.channels for subdir in c.subdirs)
