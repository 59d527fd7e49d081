"""What an administrator does about a file that could not be had, by the reason that journal and JSON carry.

The reasons are those of `mirrortui.transfer.retry`, which also says what the engine itself does about each.
"""

ADVICE = {
    "missing": "The index names it, the upstream does not have it: the next index may be right; another upstream may have it.",
    "refused": "The upstream does not give it to this host: check token, proxy and the channel's terms, or exclude the package.",
    "hash": "What came is not what the index says: a cache in between, or a file just being replaced. Try later, or name another upstream.",
    "size": "What came is longer or shorter than the index says: a cache or proxy in between. Try later, or name another upstream.",
    "busy": "The upstream asks for fewer requests: lower transfer.connections, or set transfer.limit, and try again later.",
    "server": "The upstream has a fault of its own: try again later, or name a second upstream.",
    "network": "No connection, or it broke off: look at DNS, firewall and transfer.proxy; “mirrortui doctor” asks each upstream.",
    "tls": "The certificate is not trusted here: check this host's clock; where a proxy opens TLS, name its CA in transfer.ca_bundle.",
    "slow": "Hardly anything came for a minute: look at line and proxy; fewer transfer.connections may help.",
    "index": "Without its index the channel stays as it was, and nothing of it is deleted: try again later, or name another upstream.",
}
"""Reason -> one line."""


def advice(reason: str) -> str:
    """The line for a reason; empty for one that is not known."""
    return ADVICE.get(reason, "")
