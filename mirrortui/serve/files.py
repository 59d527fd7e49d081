"""From a request target to an open file: the only way from the network to the disk.

Served are regular files below the root (or a mounted folder) and nothing else: no dot-files, no `*.part`,
nothing that a link leads to outside. What is refused looks exactly like what is missing, because clients take
any other status for a broken channel (rattler fails on 403 and 500 where a file is merely absent).
"""

import errno
import functools
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from mirrortui.naming import PACKAGE_SUFFIXES

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_ABSENT = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG}
    | {errno.EINVAL, errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP}
)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SHARD = re.compile(r"[0-9a-f]{64}\.msgpack\.zst")
_TYPES = {
    ".json": "application/json",
    ".zst": "application/zstd",
    ".bz2": "application/x-bzip2",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".yml": "text/plain; charset=utf-8",
    ".yaml": "text/plain; charset=utf-8",
}


class OpenFile(NamedTuple):
    """An open regular file: descriptor (the taker closes it), size in bytes, mtime in ns, what its name says."""

    fd: int
    size: int
    mtime_ns: int
    kind: "Kind"

    @property
    def etag(self) -> str:
        """A strong validator: files are replaced by rename, so the nanosecond changes with the content."""
        return f'"{self.mtime_ns:x}-{self.size:x}"'


class Kind(NamedTuple):
    """What a file's name says about it: the media type, and how long a client may keep it."""

    media_type: str
    cache_control: str


@functools.lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind:
    """Return media type and Cache-Control of a file name.

    Packages and shards (named by their sha256, CEP 16) never change; metadata is stale after a minute.
    """
    media_type = _TYPES.get(os.path.splitext(name)[1].lower(), "application/octet-stream")  # noqa: PTH122 - text only
    forever = name.endswith((".conda", ".tar.bz2")) or _SHARD.fullmatch(name) is not None
    return Kind(media_type, "public, immutable, max-age=31536000" if forever else "public, max-age=60")


@functools.lru_cache(maxsize=2048)
def components(target: str) -> tuple[str, ...] | None:
    """Return the path components that a request target names, () for `/`; None = nothing that is ever served.

    Refused are climbing and hidden components, encoded slashes, control characters, and a slash at the end of
    a file. Empty components are skipped, as clients join URLs with one slash too many.
    """
    if not target.startswith("/"):
        if not target.lower().startswith(("http://", "https://")):
            return None
        try:
            target = urlsplit(target).path or "/"
        except ValueError:
            return None
    path = target.partition("?")[0].partition("#")[0]
    parts = []
    for part in path.split("/"):
        if not part:
            continue
        raw = unquote_to_bytes(part)
        if b"/" in raw or _CONTROL.search(raw):
            return None
        parts.append(os.fsdecode(raw))
    if parts and path.endswith("/"):
        return None
    return tuple(parts) if all(map(_visible, parts)) else None


def _visible(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(".part")


class Files:
    """The served tree: a root, and folders mounted below prefixes such as `snapshots`."""

    def __init__(self, root: Path, mounts: Mapping[str, Path] | None = None) -> None:
        self.root = root
        places = {(): root} | {tuple(p.strip("/").split("/")): f for p, f in (mounts or {}).items()}
        ordered = sorted(places.items(), key=lambda item: len(item[0]), reverse=True)  # the root is last
        self._places = [(key, f"{os.path.realpath(folder).rstrip('/')}/") for key, folder in ordered]

    def open(self, parts: tuple[str, ...]) -> OpenFile | None:
        """Open what `components` returned; None = there is no such file to serve.

        A snapshot holds metadata only; its packages are the mirror's own, so `snapshots/<name>/c/s/x.conda` is
        `c/s/x.conda` unless the snapshot keeps a copy of a file that was replaced since.
        Raises `OSError` for what is not the file's fault: too many open files, a failing disk.
        """
        found = self._open_one(parts)
        if found is None and len(parts) > 4 and parts[0] == "snapshots" and parts[-1].endswith(PACKAGE_SUFFIXES):
            return self._open_one(parts[2:])
        return found

    def _open_one(self, parts: tuple[str, ...]) -> OpenFile | None:
        path = self._path(parts)
        try:
            fd = self._open(path)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise
        if fd < 0:
            return None
        try:
            info = os.fstat(fd)
            served = stat.S_ISREG(info.st_mode) and self._inside(_real_path(fd, path))
        except BaseException:
            os.close(fd)
            raise
        if not served:
            os.close(fd)
            return None
        return OpenFile(fd, info.st_size, info.st_mtime_ns, kind_of(parts[-1]))

    def _path(self, parts: tuple[str, ...]) -> str:
        for key, base in self._places[:-1]:
            if parts[: len(key)] == key:
                return base + "/".join(parts[len(key) :])
        return self._places[-1][1] + "/".join(parts)

    def _open(self, path: str) -> int:
        """Open without following a link in the last place; a link is resolved and judged before."""
        try:
            return os.open(path, _FLAGS)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        real = os.path.realpath(path)
        return os.open(real, _FLAGS) if self._inside(real) else -1

    def _inside(self, real: str) -> bool:
        """Tell whether a resolved path lies below a served folder, with no hidden component on the way."""
        for _, base in self._places:
            if real.startswith(base):
                return "/." not in real[len(base) - 1 :] and not real.endswith(".part")
        return False


def _real_path(fd: int, path: str) -> str:
    """Where an open file really is: asked of the descriptor, so that no link can be exchanged in between."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - once a request: no Path objects here
    except OSError:
        return os.path.realpath(path)
