"""What mirror.toml can say: one declaration drives reading, writing, defaults and the hints of error messages.

Values are immutable; a screen that edits makes a new one with `msgspec.structs.replace`.
"""

import difflib
from pathlib import Path
from typing import Any, Literal

import msgspec

from mirrortui import naming
from mirrortui.errors import ConfigError

Formats = Literal["all", "prefer-conda", "conda", "tar.bz2"]
UnknownLicense = Literal["keep", "drop"]


class Mirror(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[mirror]: where the tree is, how clients reach it, where the state is kept."""

    name: str
    root: str
    url: str
    state: str


class Selection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[selection]: which records are wanted; a channel may override any key."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    exclude_licenses: tuple[str, ...] = ()
    unknown_license: UnknownLicense = "keep"
    runtime_exceptions: bool = True
    python: tuple[str, ...] = ()
    newest_versions: int = 0
    newest_builds: int = 0
    before: str = ""
    min_age: str = ""
    max_size: str = ""
    formats: Formats = "prefer-conda"
    with_dependencies: bool = True
    environments: tuple[str, ...] = ()


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One [[channels]] entry; `selection` holds only the keys that differ from [selection]."""

    name: str
    upstreams: tuple[str, ...]
    subdirs: tuple[str, ...]
    selection: dict[str, Any] = msgspec.field(default_factory=dict)


class Transfer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[transfer]: connections per host, bandwidth limit, retries, proxy and CA bundle."""

    connections: int = 16
    limit: str = ""
    retries: int = 5
    proxy: str = ""
    ca_bundle: str = ""


class Publish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[publish]: what is written besides repodata.json.

    `run_exports` and `channeldata` serve those who build packages; they are fetched where the upstream has them.
    """

    zst: bool = True
    bz2: bool = False
    shards: bool = True
    current: bool = True
    run_exports: bool = True
    channeldata: bool = True


class Prune(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[prune]: what happens to files that no published metadata names any more."""

    enabled: bool = True
    grace: str = "7 days"
    max_share: float = 0.2
    never: tuple[str, ...] = ()


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[check]: environments that must resolve on what is published, each a list of MatchSpecs in one text."""

    solve: tuple[str, ...] = ()


class MirrorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of mirror.toml."""

    version: int = 1
    mirror: Mirror
    channels: tuple[Channel, ...] = ()
    selection: Selection = Selection()
    transfer: Transfer = Transfer()
    publish: Publish = Publish()
    prune: Prune = Prune()
    check: Check = Check()

    @property
    def root(self) -> Path:
        """The served tree."""
        return Path(self.mirror.root)

    @property
    def state(self) -> Path:
        """Journal, inventory and catalog cache."""
        return Path(self.mirror.state)

    @property
    def filtered(self) -> bool:
        """Whether any rule leaves packages out: a solver may then have to reach into another channel."""
        keys = (
            *("include", "exclude", "exclude_licenses", "python", "newest_versions", "newest_builds"),
            *("before", "min_age", "max_size", "environments"),
        )
        return any(getattr(self.rules(channel), key) for channel in self.channels for key in keys)

    def channel(self, name: str) -> Channel:
        """Return the entry of that name; raises `ConfigError` with the nearest one."""
        for entry in self.channels:
            if entry.name == name:
                return entry
        raise ConfigError(
            f"no channel “{naming.display(name)}” in this mirror", hint=nearest(name, [c.name for c in self.channels])
        )

    def rules(self, channel: Channel) -> Selection:
        """[selection] with the channel's own keys laid over it."""
        if not channel.selection:
            return self.selection
        merged = msgspec.structs.asdict(self.selection) | channel.selection
        return msgspec.convert(merged, Selection)


def nearest(name: str, choices: list[str]) -> str:
    """A hint: the choice that was probably meant, or all of them."""
    close = difflib.get_close_matches(name, choices, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(choices))}" if choices else ""
