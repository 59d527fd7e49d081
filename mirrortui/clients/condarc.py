"""The `.condarc` that sends everything to the mirror, generated from what is really mirrored.

Every way to a channel is closed to the mirror: bare names (channel_alias), `defaults` (default_channels, which
the alias does not touch), the pkgs/* names hard-coded in conda and mamba (custom_channels, where the name is
appended to the location), and full URLs of the official hosts (migrated_channel_aliases).
Sources: conda: base/context.py, models/channel.py; mamba: libmamba/src/core/channel_context.cpp.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mirrortui import naming
from mirrortui.clients import why
from mirrortui.clients.entry import Entry
from mirrortui.clients.mirrorurl import bare, client_url, location
from mirrortui.clients.published import PublishedChannel
from mirrortui.errors import ConfigError, UsageError

Profile = Literal["user", "system"]

DEFAULTS = ("pkgs/main", "pkgs/r", "pkgs/msys2")  # what `defaults` stands for (conda: DEFAULT_CHANNELS_WIN)
HARD_CODED = ("pkgs/main", "pkgs/r", "pkgs/msys2", "pkgs/pro")
KEYS = frozenset(  # every key that `build` can emit
    {
        "channels",
        "channel_priority",
        "channel_alias",
        "default_channels",
        "custom_multichannels",
        "custom_channels",
        "migrated_channel_aliases",
        "migrated_custom_channels",
        "allowlist_channels",
        "override_channels_enabled",
        "show_channel_urls",
        "auto_update_conda",
        "notify_outdated_conda",
        "number_channel_notices",
    }
)
OFFICIAL = ("https://conda.anaconda.org", "https://repo.anaconda.com")


@dataclass(frozen=True, slots=True)
class Condarc:
    """What a client's rc file should say: entries in order, the mode it needs, and what the operator should know.

    `url` is the mirror's base URL as clients use it (with its secret, if it has one); `channels` are the names
    of all mirrored channels.
    """

    profile: Profile
    url: str
    channels: tuple[str, ...]
    entries: tuple[Entry, ...]
    mode: int = 0o644
    secret: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def locked(self) -> bool:
        """Whether the entries carry `#!final`."""
        return any(entry.final for entry in self.entries)

    def mapping(self) -> dict[str, Any]:
        """Keys and values as plain lists, dicts and scalars, as a YAML reader gives them."""
        return {entry.key: plain(entry.value) for entry in self.entries}

    def text(self) -> str:
        """The whole of a fresh file, each key with its reason."""
        head = [f"{why.HEADER} {naming.mask(self.url)}"]
        if self.locked:
            head += [*why.LOCKED, *(why.beside(e.key, e.why) for e in self.entries), ""]
            return "\n".join([*head, *(line for e in self.entries for line in e.lines())]) + "\n"
        body = [line for e in self.entries for line in ("", f"# {e.why}", *e.lines())]
        return "\n".join([*head, *why.UNLOCKED, *body]) + "\n"


def plain(value: object) -> Any:
    """Tuples become lists and mappings dicts, as a YAML reader gives them."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def build(
    published: Sequence[PublishedChannel],
    url: str,
    *,
    profile: Profile,
    order: Sequence[str] = (),
    upstreams: Mapping[str, Sequence[str]] | None = None,
    filtered: bool = False,
    lock: bool = False,
) -> Condarc:
    """Return the rc file for clients of the mirror at `url` (http, https, file, or an absolute path).

    `order` is the order of the channels in mirror.toml; mirrored channels it does not name follow, conda-forge
    first. `upstreams` (channel -> base URLs) lets full URLs of those hosts lead to the mirror too. `filtered`
    tells that channels are mirrored in part. `lock` makes every key that decides where packages come from
    `#!final` and adds an allowlist by URL.

    Raises `NameRefused` for a URL that conda would parse wrongly, `ConfigError` if nothing is mirrored,
    `UsageError` for a lock outside of the system profile.
    """
    if lock and profile != "system":
        raise UsageError("a lock belongs into the system profile: users can edit their own file")
    url, secret = client_url(url)
    names = sorted({channel.name for channel in published}, key=lambda name: (name != "conda-forge", name))
    if not names:
        raise ConfigError(
            "nothing is mirrored yet, so there is nothing to send clients to", hint="Run “mirrortui sync” first"
        )
    ordered = [name for name in dict.fromkeys(order) if name in names]
    ordered += [name for name in names if name not in ordered]
    channels = _channel_list(ordered)
    bases, shadowed = _old_bases(url, upstreams or {})
    entries = [
        Entry("channels", channels, why.CHANNELS, final=lock),
        Entry("channel_priority", *(("flexible", why.FLEXIBLE) if filtered else ("strict", why.STRICT))),
        Entry("channel_alias", url, why.ALIAS, final=lock),
        *_defaults(url, ordered, lock),
        Entry("custom_channels", dict.fromkeys(HARD_CODED, url), why.CUSTOM, final=lock),
        Entry("migrated_channel_aliases", bases, why.MIGRATED, final=lock),
        *(_lock(url, ordered) if lock else ()),
        Entry("show_channel_urls", True, why.SHOW),
    ]
    if profile == "system":
        entries += [
            Entry("auto_update_conda", False, why.AUTO_UPDATE),
            Entry("notify_outdated_conda", False, why.OUTDATED),
            Entry("number_channel_notices", 0, why.NOTICES),
        ]
    return Condarc(
        profile=profile,
        url=url,
        channels=tuple(ordered),
        entries=tuple(entries),
        mode=0o600 if secret else 0o644,
        secret=secret,
        warnings=tuple(_warnings(url, channels, profile, secret=secret, lock=lock, shadowed=shadowed)),
    )


def _channel_list(ordered: Sequence[str]) -> tuple[str, ...]:
    """Names for `channels`: pkgs/* through `defaults`; labels and other pkgs/* only when asked for by name."""
    listed: list[str] = []
    for name in ordered:
        if name in DEFAULTS:
            listed.append("defaults")
        elif not name.startswith("pkgs/") and "/label/" not in name:
            listed.append(name)
    return tuple(dict.fromkeys(listed)) or tuple(ordered)


def _defaults(url: str, ordered: Sequence[str], lock: bool) -> list[Entry]:
    """`default_channels`, and `custom_multichannels` where the lock or a borrowed `defaults` needs it.

    Without pkgs/* on the mirror `defaults` borrows the first channel. conda then calls that channel `defaults`,
    in `conda list` and in exported environments; a multichannel of the channel's own name comes first in the
    look-up and keeps its name (conda: models/channel.py, `canonical_name`).
    """
    members = [name for name in DEFAULTS if name in ordered]
    multi: dict[str, tuple[str, ...]] = {}
    entries = [Entry("default_channels", tuple(naming.join_url(url, m) for m in members), why.DEFAULTS, final=lock)]
    if not members:
        first = naming.join_url(url, ordered[0])
        entries = [Entry("default_channels", (first,), why.BORROWED, final=lock)]
        multi[ordered[0]] = (first,)
    if multi or lock:
        entries.append(Entry("custom_multichannels", multi, why.KEEP_NAME if multi else why.NO_REDIRECT, final=lock))
    return entries


def _lock(url: str, ordered: Sequence[str]) -> list[Entry]:
    allowed = tuple(naming.join_url(bare(url), name) for name in sorted(ordered))
    return [
        Entry("migrated_custom_channels", {}, why.NO_REDIRECT, final=True),
        Entry("allowlist_channels", allowed, why.ALLOW, final=True),
        Entry("override_channels_enabled", False, why.NO_OVERRIDE, final=True),
    ]


def _old_bases(url: str, upstreams: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], list[str]]:
    """Bases whose full URLs lead to the mirror, longest first, and those left out.

    conda compares by plain text and takes the first that fits: a base that begins the mirror's own URL would
    rewrite the mirror's URLs too, so it is left out.
    """
    bases = set(OFFICIAL)
    for name, urls in upstreams.items():
        for upstream in map(bare, urls):
            base = upstream.removesuffix(f"/{name}")
            if (
                base != upstream
                and location(base)
                and not base.startswith("file:")
                and "$" not in base
                and base.isascii()
            ):
                bases.add(base)
    here = location(url)
    shadowed = sorted(base for base in bases if here.startswith(location(base)))
    return tuple(sorted(bases.difference(shadowed), key=lambda base: (-len(base), base))), shadowed


def _warnings(
    url: str, channels: Sequence[str], profile: Profile, *, secret: bool, lock: bool, shadowed: Sequence[str]
) -> list[str]:
    out = []
    if secret:
        out.append(
            "The URL carries a secret. conda writes it in clear text, readable for all, to pkgs/urls.txt and into every "
            "installed package's record; keep it in ~/.netrc (mode 0600) instead and give the URL without it."
        )
        if profile == "system":
            out.append("The file is made readable for its owner alone, so other users' conda cannot read it.")
        if url.startswith("http:"):
            out.append("The secret travels unencrypted over http.")
    if {"bioconda", "conda-forge"} <= set(channels) and channels.index("bioconda") < channels.index("conda-forge"):
        out.append("bioconda stands before conda-forge; its packages are built to be used with conda-forge first.")
    out += [
        f"Full URLs of {base} are not led to the mirror: its own URL begins the same, and conda would rewrite it too."
        for base in shadowed
    ]
    if lock:
        out.append(
            "The lock binds conda. mamba and micromamba read neither #!final nor allowlists, pixi does not read the "
            "file, and explicit package URLs of other hosts are stopped by a firewall only."
        )
        out.append("The allowlist names the channels mirrored now: write the file again when one is added.")
    return out
