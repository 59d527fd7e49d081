"""mirror.toml <-> MirrorConfig: find, read, validate, write.

One declaration (the structs below) drives reading, writing, defaults and the nearest-key hints of error
messages. Values are immutable; a screen that edits makes a new one with `msgspec.structs.replace`.
"""

import difflib
import os
import re
import stat
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
import tomli_w

from mirrortui import naming, quantities
from mirrortui.errors import ConfigError, MirrorError, NameRefused

Formats = Literal["all", "prefer-conda", "conda", "tar.bz2"]
UnknownLicense = Literal["keep", "drop"]
_CHOICES = {"formats": get_args(Formats), "unknown_license": get_args(UnknownLicense)}


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
    """[publish]: which encodings of the metadata are written besides repodata.json."""

    zst: bool = True
    bz2: bool = False
    shards: bool = True
    current: bool = True


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
            f"no channel “{naming.display(name)}” in this mirror", hint=_nearest(name, [c.name for c in self.channels])
        )

    def rules(self, channel: Channel) -> Selection:
        """[selection] with the channel's own keys laid over it."""
        if not channel.selection:
            return self.selection
        merged = msgspec.structs.asdict(self.selection) | channel.selection
        return msgspec.convert(merged, Selection)


# ---------------------------------------------------------------------------------------------- find


def search_path() -> list[Path]:
    """Where mirror.toml is looked for when no path is given, in order."""
    from platformdirs import user_config_path

    return [Path("mirror.toml"), user_config_path("mirrortui") / "mirror.toml", Path("/etc/mirrortui/mirror.toml")]


def find(given: str | Path | None = None) -> Path:
    """Return the config file to use; raises `ConfigError` naming every place that was looked at."""
    if given is not None:
        path = Path(given)
        path = path / "mirror.toml" if os.path.isdir(path) else path  # noqa: PTH112 - pathlib's raises where it may not look
        try:
            path.stat()
        except OSError as error:
            absent = isinstance(error, FileNotFoundError | NotADirectoryError)
            raise ConfigError(
                "there is no such file" if absent else f"cannot be read: {error.strerror}",
                where=naming.display(path),
                hint="“mirrortui init” makes one" if absent else "",
            ) from error
        return path
    for path in search_path():
        if os.path.isfile(path):  # noqa: PTH113 - pathlib's raises where it may not look
            return path
    places = ", ".join(str(p) for p in search_path())
    raise ConfigError(
        f"no mirror.toml found ({places})", hint="Give one with --config, or make one with “mirrortui init”"
    )


def default_state(name: str) -> Path:
    """The state folder written into a new file: /var/lib for root, else below $XDG_STATE_HOME."""
    if os.geteuid() == 0:
        return Path("/var/lib/mirrortui") / name
    from platformdirs import user_state_path

    return user_state_path("mirrortui") / name


# ---------------------------------------------------------------------------------------------- read


def load(path: str | Path) -> MirrorConfig:
    """Read and validate a mirror.toml. Raises `ConfigError` with file, key and the nearest valid key."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=naming.display(path)) from error
    return loads(data, where=naming.display(path))


def loads(data: bytes | str, *, where: str = "mirror.toml") -> MirrorConfig:
    """Validate the text of a mirror.toml."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text", where=where) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", where=where) from error
    return from_dict(raw, where=where)


def from_dict(raw: dict[str, Any], *, where: str = "mirror.toml") -> MirrorConfig:
    """Validate a parsed mirror.toml."""
    _refuse_unknown(raw, MirrorConfig, "", where)
    try:
        config = msgspec.convert(raw, MirrorConfig)
        for index, channel in enumerate(config.channels):
            _check_override(config, channel, f"channels[{index}].selection")
    except msgspec.ValidationError as error:
        what, hint = _plain(str(error))
        raise ConfigError(what, where=where, hint=hint) from error
    _check(config, where)
    return config


def _refuse_unknown(raw: object, struct: type[msgspec.Struct], key: str, where: str) -> None:
    if not isinstance(raw, dict):
        return
    fields = {f.encode_name: f.type for f in msgspec.structs.fields(struct)}
    for name, value in raw.items():
        full = f"{key}.{name}" if key else name
        if name not in fields:
            raise ConfigError(f"unknown key {naming.display(full)}", where=where, hint=_nearest(name, list(fields)))
        kind = fields[name]
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            _refuse_unknown(value, kind, full, where)
        elif name == "channels" and isinstance(value, list):
            for index, item in enumerate(value):
                _refuse_unknown(item, Channel, f"channels[{index}]", where)
                if isinstance(item, dict):
                    _refuse_unknown(item.get("selection"), Selection, f"channels[{index}].selection", where)


def _check_override(config: MirrorConfig, channel: Channel, key: str) -> None:
    try:
        config.rules(channel)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(str(error).replace("`$", f"`$.{key}")) from None


def _plain(message: str) -> tuple[str, str]:
    """Turn msgspec's “Expected `str`, got `int` - at `$.mirror.name`” into the words of the file, and a hint."""
    what, _, at = message.rpartition(" - at ") if " - at " in message else (message, "", "")
    key = at.strip("`").removeprefix("$.").replace("[...]", "") or "the file"
    words = {
        "array": "list",
        "str": "text",
        "int": "number",
        "object": "table",
        "bool": "true or false",
        "float": "number",
    }
    hint = "Put it in quotes" if re.search("Expected `str`, got `(int|float|date|datetime|time)`", what) else ""
    if what.startswith("Invalid enum value"):
        hint = f"Write one of {', '.join(_CHOICES.get(key.rpartition('.')[2], ()))}"
    what = re.sub(r"`(\w+)`", lambda m: words.get(m[1], m[1]), what)
    what = what.replace("Object missing required field", "the required key is missing:")
    return naming.display(f"{key}: {what[:1].lower()}{what[1:]}"), hint


def _nearest(name: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(name, choices, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(choices))}" if choices else ""


def _check(config: MirrorConfig, where: str) -> None:
    """Everything a type cannot say."""
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
        for url in channel.upstreams:
            naming.upstream_template(url)
        for name in channel.subdirs:
            naming.subdir(name)
    except NameRefused as error:
        raise _keyed(key, error) from error
    if not channel.upstreams:
        raise ConfigError(f"{key}.upstreams: at least one URL is needed")
    if len(set(channel.subdirs)) != len(channel.subdirs):
        raise ConfigError(f"{key}.subdirs: a subdir is named twice")


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


# --------------------------------------------------------------------------------------------- write


def to_dict(config: MirrorConfig) -> dict[str, Any]:
    """The TOML form: [mirror] and [[channels]] in full, elsewhere only what differs from the default."""
    raw = msgspec.to_builtins(config)
    out: dict[str, Any] = {"version": config.version, "mirror": raw["mirror"], "channels": raw["channels"]}
    for channel in out["channels"]:
        if not channel["selection"]:
            del channel["selection"]
    for section, struct in (
        ("selection", Selection),
        ("transfer", Transfer),
        ("publish", Publish),
        ("prune", Prune),
        ("check", Check),
    ):
        default = msgspec.to_builtins(struct())
        changed = {key: value for key, value in raw[section].items() if value != default[key]}
        if changed:
            out[section] = changed
    return out


def dumps(config: MirrorConfig) -> str:
    """The text of a mirror.toml."""
    return tomli_w.dumps(to_dict(config), multiline_strings=False)


def save(config: MirrorConfig, path: str | Path) -> None:
    """Validate, then write atomically; a file with a token or password in a URL is made 0600."""
    path = Path(path)
    _check(config, naming.display(path))
    text = dumps(config)
    urls = [url for channel in config.channels for url in channel.upstreams]
    secret = any(map(naming.has_secret, (*urls, config.mirror.url, config.transfer.proxy)))
    mode = 0o600 if secret else 0o644
    try:
        if not secret and path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}",
            where=naming.display(path),
            hint="Choose a writable place with --config",
        ) from error
