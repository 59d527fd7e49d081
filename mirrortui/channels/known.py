"""Channels and hosts an operator picks from a list, with the URL layout of each host.

Facts: conda's constants for `defaults` (conda: base/constants.py), the two-root layout of the TUNA family
of public mirrors, prefix.dev's channel URLs. The list only saves typing: any channel and URL may be used.
"""

import re
from dataclasses import dataclass

from mirrortui import naming
from mirrortui.errors import UsageError

_TERMS = (
    "Anaconda's terms of service restrict the use and mirroring of repo.anaconda.com by organisations of 200 people "
    "or more without a license. Check that yours may mirror it."
)
_CHANNEL = re.compile(r"(?<!\$)\{channel\}")
_FROZEN = "No longer updated; mirrored once, it stays as it is."


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """A channel offered by name; `base` tells which channels it draws dependencies from."""

    name: str
    title: str
    notice: str = ""
    base: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """A host and where it keeps `pkgs/*` and all other channels."""

    name: str
    title: str
    cloud: str
    pkgs: str = ""

    def url(self, channel: str) -> str | None:
        """The channel's base URL on this host, or None where the host does not carry that kind."""
        if channel.startswith("pkgs/"):
            return naming.join_url(self.pkgs, channel.removeprefix("pkgs/")) if self.pkgs else None
        return naming.join_url(self.cloud, channel) if self.cloud else None


KNOWN = (
    KnownChannel("conda-forge", "the community channel"),
    KnownChannel("bioconda", "life sciences", base=("conda-forge",)),
    KnownChannel("pkgs/main", "Anaconda's main channel, first of “defaults”", _TERMS),
    KnownChannel("pkgs/r", "R packages of “defaults”", f"{_TERMS} {_FROZEN}", base=("pkgs/main",)),
    KnownChannel("pkgs/msys2", "Windows build tools of “defaults”", f"{_TERMS} {_FROZEN}", base=("pkgs/main",)),
    KnownChannel("nvidia", "CUDA and other NVIDIA software", "Under NVIDIA's own licenses.", base=("conda-forge",)),
    KnownChannel("pytorch", "PyTorch up to 2.5", _FROZEN, base=("pkgs/main",)),
    KnownChannel("rapidsai", "GPU data science", base=("conda-forge", "nvidia")),
    KnownChannel("robostack-staging", "ROS", base=("conda-forge",)),
    KnownChannel("emscripten-forge", "WebAssembly builds", base=("conda-forge",)),
)

HOSTS = (
    Host("anaconda", "the official hosts", "https://conda.anaconda.org", "https://repo.anaconda.com/pkgs"),
    Host("prefix", "prefix.dev", "https://prefix.dev"),
    Host(
        "tuna",
        "TUNA, Tsinghua University",
        "https://mirrors.tuna.tsinghua.edu.cn/anaconda/cloud",
        "https://mirrors.tuna.tsinghua.edu.cn/anaconda/pkgs",
    ),
)


def known(name: str) -> KnownChannel | None:
    """Return the list's entry for a channel, if it has one."""
    return next((channel for channel in KNOWN if channel.name == name), None)


def notice(name: str, upstreams: tuple[str, ...] = ()) -> str:
    """The terms or freeze notice to show before a channel is mirrored; empty for most."""
    entry = known(name)
    if entry is not None and entry.notice:
        return entry.notice
    hosts = ("repo.anaconda.com", "repo.continuum.io")
    return _TERMS if any(host in url for url in upstreams for host in hosts) else ""


def expand(name: str) -> tuple[str, ...]:
    """`defaults` is a name for several channels; every other name is itself."""
    return ("pkgs/main", "pkgs/r") if name == "defaults" else (name,)


def _checked(url: str) -> str:
    """A URL through the gate; one with variables in it stays as it is."""
    return naming.upstream_template(url) if "${" in url else naming.upstream_url(url)


def upstreams_for(channel: str, hosts: tuple[str, ...] = ("anaconda",)) -> tuple[str, ...]:
    """Base URLs of a channel on named hosts or below base URLs, in the order given.

    A host is a name of `HOSTS`, a base URL below which the channel is appended, or holds `{channel}`; `${NAME}` in it
    stands for a secret of the environment, which stays there.
    Raises `UsageError` where none of them carries the channel.
    """
    urls = []
    for host in hosts:
        entry = next((h for h in HOSTS if h.name == host), None)
        if entry is not None:
            url = entry.url(channel)
            if url is not None:
                urls.append(url)
        elif (url := _CHANNEL.sub(channel, host)) != host:
            urls.append(_checked(url))
        else:
            urls.append(naming.join_url(_checked(host), channel))
    if not urls:
        raise UsageError(
            f"no upstream among {', '.join(hosts)} carries {channel}", hint="Give a base URL with --upstream"
        )
    return tuple(urls)
