"""The HTTP client of a mirror: its [transfer] settings turned into a transport."""

import httpx

from mirrortui.config import MirrorConfig
from mirrortui.transfer import transport


def open_client(config: MirrorConfig) -> httpx.AsyncClient:
    """Open the client that indexes and packages are fetched with. Raises `ConfigError` for a proxy or CA bundle that cannot be used."""
    settings = config.transfer
    return transport.open_client(connections=settings.connections, proxy=settings.proxy, ca_bundle=settings.ca_bundle)
