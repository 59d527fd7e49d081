"""Known channels and hosts, URL layouts, terms notices; the order of upstreams."""

from mirrortui.channels.credentials import upstreams
from mirrortui.channels.known import HOSTS, KNOWN, Host, KnownChannel, expand, known, notice, upstreams_for

__all__ = ["HOSTS", "KNOWN", "Host", "KnownChannel", "expand", "known", "notice", "upstreams", "upstreams_for"]
