"""The mirror's base URL as conda reads it: what it takes for a token, a platform, a variable."""

import re
from urllib.parse import urlsplit, urlunsplit

from mirrortui import naming
from mirrortui.errors import NameRefused

_TOKEN = re.compile(r"/t/[a-zA-Z0-9-]*")  # conda: common/url.py split_anaconda_token, anywhere in a URL
_END_TOKEN = re.compile(r"/t/[a-zA-Z0-9-]+$")


def client_url(text: str) -> tuple[str, bool]:
    """Return (the URL to write into clients' files, whether it carries a secret).

    Raises `NameRefused` for what conda would read differently: path components or a host that begin like a
    subdir, a component `t`, `$` (conda expands variables in these keys), an IPv6 address (conda drops its
    brackets), text that is not ASCII (conda reads rc files in the host's encoding). A token is accepted as
    the last part, `https://host/t/<token>`: conda puts it there whatever the place it was given in.
    """
    url = naming.upstream_url(text)
    where = f"mirror URL {naming.display(url)}"
    if not url.isascii():
        raise NameRefused(
            "only ASCII is read alike by all clients",
            where=where,
            hint="Percent-encode the path, write the host as xn--…",
        )
    if "$" in url:
        raise NameRefused("conda expands “$” as a variable", where=where, hint="Write it as %24")
    parts = urlsplit(url)
    netloc = "" if parts.scheme == "file" else parts.netloc.rstrip(":")
    if "[" in netloc:
        raise NameRefused(
            "conda drops the brackets of an IPv6 address", where=where, hint="Give the mirror a host name"
        )
    path = parts.path if parts.scheme == "file" else _END_TOKEN.sub("", parts.path)
    if parts.scheme == "file" and not path.strip("/"):
        raise NameRefused("the whole file system is no mirror", where=where, hint="Write file:///path/of/the/mirror")
    checked = f"{parts.hostname or ''}{path}"
    naming.client_path(checked, where)
    for part in checked.split("/"):
        if part.lower() in naming.KNOWN_SUBDIRS:  # conda's search for the platform ignores case
            raise NameRefused(f"conda takes “{naming.display(part)}” for a subdir", where=where)
    url = urlunsplit((parts.scheme, netloc, parts.path, "", ""))
    if parts.scheme == "file" and not url.startswith("file:///"):
        url = f"file://{parts.path}"
    return url, naming.has_secret(url) if parts.scheme != "file" else False


def bare(url: str) -> str:
    """The URL without user, password and token."""
    scheme, mark, rest = _TOKEN.sub("", url, count=1).partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}".rstrip("/")


def location(url: str) -> str:
    """Host (lower case), port and path: what conda compares. Scheme, user and token play no part."""
    rest = bare(url).partition("://")[2]
    host, slash, path = rest.partition("/")
    return f"{host.lower()}{slash}{path}".rstrip("/")
