"""Edits of a draft: each takes a config and returns a new one; nothing is written."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from mirrortui import naming
from mirrortui.config import Channel, Mirror, MirrorConfig, Selection, default_state
from mirrortui.errors import ConfigError

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


# ------------------------------------------------------------------------------------------- rules by name

Change = tuple[MirrorConfig, str]
"""The new draft, and in words which rule was written."""


def toggle_name(config: MirrorConfig, name: str, *, wanted: bool, reason: str = "") -> Change:
    """Throw a package name out, or bring it in, by the rule that does it.

    `reason` is what keeps the name out now (`not-included`, `excluded`, ...). Raises `ConfigError` for a name that no MatchSpec can say.
    """
    _sayable(name)
    rules = config.selection
    if not wanted:
        config = _without(config, "always", name)
        return _with(config, "exclude", name), f"exclude += {name}"
    if name in rules.exclude:
        return _without(config, "exclude", name), f"exclude −= {name}"
    if reason == "not-included" and rules.include:
        return _with(config, "include", name), f"include += {name}"
    return _with(config, "always", name), f"always += {name}"


def toggle_always(config: MirrorConfig, name: str) -> Change:
    """Keep every record of a name whatever the other rules say, or no longer. Raises `ConfigError`."""
    _sayable(name)
    if name in config.selection.always:
        return _without(config, "always", name), f"always −= {name}"
    return _with(_without(config, "exclude", name), "always", name), f"always += {name}"


def mend(config: MirrorConfig, rule: str, value: str) -> MirrorConfig:
    """Write what brings a missing dependency back: one more entry of a list, or the value of a choice."""
    if isinstance(getattr(config.selection, rule), tuple):
        return _with(config, rule, value)
    return _everywhere(config, rule, lambda _old: value)


def _sayable(name: str) -> None:
    from mirrortui.selection import matchspec

    spec = matchspec.parse(name)
    if spec.exact_name != name.lower() or spec.needs:
        raise ConfigError(f"“{naming.display(name)}” is no name that a rule can say")


def _with(config: MirrorConfig, rule: str, entry: str) -> MirrorConfig:
    return _everywhere(config, rule, lambda old: old if entry in old else (*old, entry))


def _without(config: MirrorConfig, rule: str, entry: str) -> MirrorConfig:
    return _everywhere(config, rule, lambda old: tuple(each for each in old if each != entry))


def _everywhere(config: MirrorConfig, rule: str, change: Callable[[Any], Any]) -> MirrorConfig:
    """Change one rule of [selection], and of every channel that has its own."""
    channels = tuple(
        replace(c, selection={**c.selection, rule: _plain(change(_hard(c.selection[rule])))})
        if rule in c.selection
        else c
        for c in config.channels
    )
    selection: Selection = replace(config.selection, **{rule: change(getattr(config.selection, rule))})
    return replace(config, selection=selection, channels=channels)


def _hard(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
