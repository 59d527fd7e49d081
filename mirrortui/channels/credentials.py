"""Secrets of upstreams that are kept out of mirror.toml: `${NAME}` in a URL is taken from the environment.

    upstreams = ["https://conda.example.org/t/${CONDA_TOKEN}/private"]
    upstreams = ["https://${CONDA_USER}:${CONDA_PASSWORD}@conda.example.org/private"]

The environment holds the secret as it is: here it is percent-encoded, so that no sign of it can end the part of the
URL it stands in. What stands for a host, or for the beginning of a URL, is taken as it is.

Passwords may stand in ~/.netrc instead (or the file that $NETRC names); the client reads it, host by host.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from mirrortui import naming
from mirrortui.config import Channel
from mirrortui.errors import ConfigError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def upstreams(channel: Channel, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The channel's upstream URLs with their variables filled in, each through the gate again.

    Raises `ConfigError` for a variable that is not set, `NameRefused` where its value makes no URL.
    """
    values = os.environ if env is None else env

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        if not value:
            raise ConfigError(
                f"the environment variable {match[1]} is not set",
                where=f"upstream of {channel.name}",
                hint="Set it where the worker is started, for example in the unit's EnvironmentFile",
            )
        return _encoded(match, value)

    return tuple(naming.upstream_url(_VARIABLE.sub(fill, url)) for url in channel.upstreams)


def _encoded(variable: re.Match[str], value: str) -> str:
    """The value fit for where the variable stands: only what has a meaning there keeps it."""
    url = variable.string
    start = url.find("//") + 2
    end = url.find("/", start) % (len(url) + 1)
    if url.startswith("/") or variable.start() < start:  # a local path is encoded as a whole later
        return value
    if variable.start() >= end:
        return quote(value, safe="" if url[: variable.start()].endswith("/t/") else "/")
    user, at, _ = url[start:end].rpartition("@")
    if not at or variable.start() - start > len(user):
        return value
    return quote(value, safe="" if ":" in user else ":")
