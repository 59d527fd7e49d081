"""Write a mirror.toml: validated, atomically, and for its owner only where a URL holds a secret."""

import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from mirrortui import naming
from mirrortui.config.checks import check
from mirrortui.config.model import Check, MirrorConfig, Prune, Publish, Selection, Transfer
from mirrortui.errors import ConfigError


def default_state(name: str) -> Path:
    """The state folder written into a new file: /var/lib for root, else below $XDG_STATE_HOME."""
    if os.geteuid() == 0:
        return Path("/var/lib/mirrortui") / name
    from platformdirs import user_state_path

    return user_state_path("mirrortui") / name


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
    check(config, naming.display(path))
    text = dumps(config)
    urls = [url for channel in config.channels for url in channel.upstreams]
    secret = any(map(naming.holds_secret, (*urls, config.mirror.url, config.transfer.proxy)))
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
