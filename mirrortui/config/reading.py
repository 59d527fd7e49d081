"""Find and read a mirror.toml; an error names file, key and the nearest valid key."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec

from mirrortui import naming
from mirrortui.config.checks import check
from mirrortui.config.model import Channel, Formats, MirrorConfig, Selection, UnknownLicense, nearest
from mirrortui.errors import ConfigError

_CHOICES = {"formats": get_args(Formats), "unknown_license": get_args(UnknownLicense)}


def search_path() -> list[Path]:
    """Where mirror.toml is looked for when no path is given, in order."""
    from platformdirs import user_config_path

    return [Path("mirror.toml"), user_config_path("mirrortui") / "mirror.toml", Path("/etc/mirrortui/mirror.toml")]


def find(given: str | Path | None = None) -> Path:
    """Return the config file to use; raises `ConfigError` naming every place that was looked at."""
    if given is not None:
        path = Path(given)
        path = path / "mirror.toml" if os.path.isdir(path) else path  # noqa: PTH112 - Path raises where it may not look
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
        if os.path.isfile(path):  # noqa: PTH113 - the same
            return path
    places = ", ".join(str(p) for p in search_path())
    raise ConfigError(
        f"no mirror.toml found ({places})", hint="Give one with --config, or make one with “mirrortui init”"
    )


def load(path: str | Path) -> MirrorConfig:
    """Read and validate a mirror.toml. Raises `ConfigError` with file, key and the nearest valid key."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=naming.display(path)) from error
    return _beside(loads(data, where=naming.display(path)), path.absolute().parent)


def _beside(config: MirrorConfig, folder: Path) -> MirrorConfig:
    """Environment files are named relative to mirror.toml: every process must find the same ones."""

    def resolved(names: Any) -> tuple[str, ...]:
        return tuple(str(folder / name) for name in names)

    channels = tuple(
        msgspec.structs.replace(c, selection=c.selection | {"environments": resolved(c.selection["environments"])})
        if c.selection.get("environments")
        else c
        for c in config.channels
    )
    selection = msgspec.structs.replace(config.selection, environments=resolved(config.selection.environments))
    return msgspec.structs.replace(config, channels=channels, selection=selection)


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
    check(config, where)
    return config


def _refuse_unknown(raw: object, struct: type[msgspec.Struct], key: str, where: str) -> None:
    if not isinstance(raw, dict):
        return
    fields = {f.encode_name: f.type for f in msgspec.structs.fields(struct)}
    for name, value in raw.items():
        full = f"{key}.{name}" if key else name
        if name not in fields:
            raise ConfigError(f"unknown key {naming.display(full)}", where=where, hint=nearest(name, list(fields)))
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
