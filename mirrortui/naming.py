"""The gate: every name that comes from outside passes here before it becomes a path, a URL or a cell.

Sources: CEP 26 (channel, subdir and artifact names), CEP 36 (repodata). The rules for components that
confuse clients come from conda's own URL parsing: a path component that equals or starts with a known
subdir, or that is `t`, is taken for a platform or a token.
"""

import re
import unicodedata
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mirrortui.errors import NameRefused

# conda's KNOWN_SUBDIRS (conda: base/constants.py); the list of a mirror stays open, see `subdir`.
KNOWN_SUBDIRS = (
    "noarch",
    "linux-64",
    "linux-aarch64",
    "linux-ppc64le",
    "linux-s390x",
    "linux-riscv64",
    "linux-armv7l",
    "linux-armv6l",
    "linux-ppc64",
    "linux-32",
    "osx-64",
    "osx-arm64",
    "win-64",
    "win-arm64",
    "win-32",
    "freebsd-64",
    "emscripten-wasm32",
    "wasi-wasm32",
    "zos-z",
)

PACKAGE_SUFFIXES = (".conda", ".tar.bz2")

_SUBDIR = re.compile(r"[a-z0-9]+-[a-z0-9]+|noarch")
_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]*\.(?:conda|tar\.bz2)")
_TOKEN = re.compile(r"/t/[^/\s?#]+")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
# Up to the last @: a password may hold one, and a slash; what follows the colon of a host is a port, though.
_USERINFO = re.compile(r"(?<=//)(?:[^/\s@]+@(?:\S*@)?|[^/\s@:]+:(?![0-9]+/)\S*@)")
_RESERVED = frozenset({"snapshots", "shards", "static"})

MAX_CHANNEL = 256
MAX_FILE = 211  # CEP 26: the longest artifact name


def channel(text: str) -> str:
    """Return a channel name fit to be a path below the mirror root, such as `pkgs/main`.

    Raises `NameRefused` for anything that would leave the root or confuse a client.
    """
    name = text.strip().strip("/")
    parts = name.split("/")
    if not name or len(name) > MAX_CHANNEL or len(parts) > 8:
        raise NameRefused(f"“{display(text)}” is no channel name", hint="Write for example conda-forge or pkgs/main")
    for part in parts:
        if not _COMPONENT.fullmatch(part) or part.endswith("."):
            raise NameRefused(
                f"“{display(part)}” cannot be part of a channel name",
                where=f"channel {display(text)}",
                hint="Use letters, digits, “.”, “_”, “+” and “-”, beginning with a letter or digit",
            )
        _refuse_trap(part, f"channel {display(text)}")
    if parts[0] in _RESERVED:
        raise NameRefused(f"“{parts[0]}” is kept for the mirror's own use", where=f"channel {display(text)}")
    return name


def _refuse_trap(part: str, where: str) -> None:
    if part == "t":
        raise NameRefused("conda takes a path component “t” for a token", where=where, hint="Choose another name")
    for known in KNOWN_SUBDIRS:
        if part == known or (part.startswith(known) and known != "zos-z"):
            raise NameRefused(
                f"conda takes “{display(part)}” for the subdir {known}",
                where=where,
                hint="A channel or root path must not hold a component that begins like a subdir",
            )


def client_path(text: str, where: str) -> None:
    """Refuse a mirror root or URL path that conda would parse wrongly (`/srv/noarch-mirror`, `/mnt/t`)."""
    for part in text.split("/"):
        if part:
            _refuse_trap(unquote(part), where)


def subdir(text: str) -> str:
    """Return the subdir name if it has the form of one (the list of platforms is open)."""
    if len(text) > 64 or not _SUBDIR.fullmatch(text):
        raise NameRefused(
            f"“{display(text)}” is no subdir name", hint="Subdirs look like linux-64, osx-arm64, win-64 or noarch"
        )
    return text


def file_name(text: str) -> str:
    """Return a package file name that is safe below a subdir folder."""
    if len(text) > MAX_FILE or not _FILE.fullmatch(text):
        raise NameRefused(f"“{display(text)}” is no package file name")
    return text


def is_file_name(text: str) -> bool:
    """Tell whether `file_name` would accept the text."""
    return len(text) <= MAX_FILE and _FILE.fullmatch(text) is not None


def upstream_template(text: str) -> str:
    """Return an upstream's URL in which `${NAME}` may stand for a secret of the environment. Raises `NameRefused`."""
    upstream_url(_VARIABLE.sub("variable", text))
    return text


def upstream_url(text: str) -> str:
    """Return an upstream's base URL without a trailing slash; http, https or file.

    A plain absolute path becomes a file URL. Raises `NameRefused`.
    """
    text = text.strip()
    if text.startswith("/"):
        text = Path(text).as_uri()
    if not text.isprintable() or any(c in text for c in ' <>"\\^`{|}'):
        raise NameRefused(f"“{display(text)}” is no URL", hint="Write it percent-encoded, without spaces")
    try:
        parts = urlsplit(text)
    except ValueError as error:  # brackets that hold no address, signs that turn into others
        raise NameRefused(f"“{display(text)}” is no URL: {display(error)}") from None
    if parts.scheme not in ("http", "https", "file"):
        raise NameRefused(
            f"“{display(text)}” has no scheme this program reads", hint="Use http://, https:// or file://"
        )
    if parts.query or parts.fragment:
        raise NameRefused(f"“{display(text)}” has a query or fragment", hint="Give the channel's base URL only")
    if parts.scheme == "file" and (parts.netloc not in ("", "localhost") or not re.match("/[^/]", parts.path)):
        raise NameRefused(f"“{display(text)}” is no local path", hint="Write file:///absolute/path")
    if "@" in parts.netloc and "@" in parts.path:
        raise NameRefused(
            f"“{display(text)}” has a password that ends the host's name",
            hint="Percent-encode it (/ as %2F, @ as %40), or write ${NAME} and set that in the environment",
        )
    if parts.scheme != "file":
        try:
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host:
            raise NameRefused(
                f"“{display(text)}” names no host", hint="Write for example https://conda.anaconda.org/conda-forge"
            )
    if not unquote(parts.path).isprintable():
        raise NameRefused(f"“{display(text)}” holds control characters in its path")
    if any(part in (".", "..") for part in unquote(parts.path).split("/")):
        raise NameRefused(f"“{display(text)}” has a path that climbs", hint="Remove the “..”")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def join_url(base: str, *names: str) -> str:
    """Append path components, percent-encoded (`!` and `+` occur in package names)."""
    return "/".join((base.rstrip("/"), *(quote(part, safe="") for name in names for part in name.split("/"))))


def file_url_path(url: str) -> Path:
    """Return the local path of a file URL."""
    return Path(unquote(urlsplit(url).path))


def has_secret(url: str) -> bool:
    """Tell whether a URL carries a token or a password."""
    return mask(url) != url


def holds_secret(template: str) -> bool:
    """Tell whether a URL of mirror.toml carries one itself: what `${NAME}` stands for is kept elsewhere."""
    return has_secret(re.sub(r"//[^/@:]*:@", "//", _VARIABLE.sub("", template)))


def mask(text: str) -> str:
    """Hide `/t/<token>` and `user:password@` wherever they stand in a text."""
    return _USERINFO.sub("***@", _TOKEN.sub("/t/***", text))


def display(text: object, limit: int = 300) -> str:
    r"""Return outside text fit for a terminal or a log: masked, on one line, without control characters.

    Characters that move the cursor, change direction or are no text become their escape (`\x1b`).
    """
    out = []
    # Cut first: hiding takes the square of the length, and an upstream chooses it. No secret is as long as the rest.
    for char in mask(str(text)[: limit + 4096])[: limit + 1]:
        if char.isprintable() and unicodedata.category(char) not in ("Cf", "Co", "Cn"):
            out.append(char)
        else:
            out.append(" " if char in "\n\t\r" else char.encode("unicode_escape").decode("ascii"))
    line = "".join(out)
    return line if len(line) <= limit else line[: limit - 1] + "…"
