"""The HTTP client of a mirror: its [transfer] settings turned into a transport, and the passwords of ~/.netrc."""

import netrc
import os
from pathlib import Path

import httpx

from mirrortui import channels
from mirrortui.config import MirrorConfig
from mirrortui.errors import ConfigError
from mirrortui.naming import display
from mirrortui.transfer import transport
from mirrortui.transfer.retry import host_of


def open_client(config: MirrorConfig) -> httpx.AsyncClient:
    """Open the client that indexes and packages are fetched with.

    Raises `ConfigError` for a proxy or CA bundle that cannot be used, and for a netrc file that cannot be read.
    """
    settings = config.transfer
    hosts = {host_of(base) for channel in config.channels for base in channels.upstreams(channel)}
    client = transport.open_client(
        connections=settings.connections * max(len(hosts), 1),  # the engine keeps to the cap of each host
        proxy=settings.proxy,
        ca_bundle=settings.ca_bundle,
    )
    passwords = _netrc()
    if passwords is not None:
        client.auth = passwords
    return client


def _netrc() -> httpx.NetRCAuth | None:
    """The passwords of $NETRC or ~/.netrc; each goes to its own host only, also after a redirect."""
    given = os.environ.get("NETRC", "")
    try:
        path = Path(given) if given else Path.home() / ".netrc"
        return httpx.NetRCAuth(str(path)) if path.is_file() else None
    except (OSError, RuntimeError, netrc.NetrcParseError) as error:
        raise ConfigError(
            f"the netrc file cannot be read: {display(error)}", hint="Mend it, or point $NETRC elsewhere"
        ) from error
