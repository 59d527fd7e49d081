"""What is really on disk: the channels below the mirror root that a client could use now.

`noarch/repodata.json` is what makes a folder a channel (CEP 26, CEP 36): conda and rattler refuse a channel
without it. Package files are never listed: a subdir folder is known by its repodata.json and not entered.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from mirrortui import naming
from mirrortui.errors import NameRefused, TargetError

_DEPTH = 8  # naming.channel accepts no deeper name
_NEVER_CHANNELS = frozenset(naming.KNOWN_SUBDIRS)


@dataclass(frozen=True, slots=True)
class PublishedChannel:
    """A channel clients can use: its name below the root, and its subdirs, sorted, noarch last."""

    name: str
    subdirs: tuple[str, ...]


def scan(root: Path) -> tuple[PublishedChannel, ...]:
    """Return the channels below `root`, sorted by name; empty where the root does not exist yet.

    Folders that begin with a dot, `snapshots`, links that lead out of the root and names that
    `naming.channel` refuses are passed over. Raises `TargetError` if the root cannot be read.
    """
    found: list[PublishedChannel] = []
    base = Path(os.path.realpath(root))
    try:
        with os.scandir(base) as entries:
            names = sorted(e.name for e in entries if _is_folder(e, base))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise TargetError(f"cannot be read: {error.strerror}", where=str(root)) from error
    for name in names:
        _walk(base, name, (), found)
    return tuple(sorted(found, key=lambda channel: channel.name))


def _walk(base: Path, name: str, seen: tuple[tuple[int, int], ...], found: list[PublishedChannel]) -> None:
    """Look at one folder and at the folders in it that are no subdirs (labels, `pkgs/main` in `pkgs`)."""
    folder = base / name
    try:
        if naming.channel(name) != name:
            return
        status = folder.stat()
        with os.scandir(folder) as entries:
            children = sorted(e.name for e in entries if _is_folder(e, base))
    except (NameRefused, OSError):
        return
    identity = (status.st_dev, status.st_ino)
    if identity in seen:  # a link to a folder above: without this the walk would go round
        return
    subdirs = [child for child in children if _is_subdir(folder, child, base)]
    if "noarch" in subdirs:
        ordered = sorted(subdirs, key=lambda subdir: (subdir == "noarch", subdir))
        found.append(PublishedChannel(name, tuple(ordered)))
    if name.count("/") + 1 < _DEPTH:
        for child in children:
            if child not in subdirs and child not in _NEVER_CHANNELS:
                _walk(base, f"{name}/{child}", (*seen, identity), found)


def _is_folder(entry: os.DirEntry[str], base: Path) -> bool:
    if entry.name.startswith(".") or entry.name == "snapshots":
        return False
    try:
        return entry.is_dir() and (not entry.is_symlink() or _inside(entry.path, base))
    except OSError:
        return False


def _is_subdir(folder: Path, name: str, base: Path) -> bool:
    """A name of the right form that holds a repodata.json; `conda-forge` has that form too."""
    try:
        naming.subdir(name)
    except NameRefused:
        return False
    index = folder / name / "repodata.json"
    return index.is_file() and (not index.is_symlink() or _inside(index, base))


def _inside(path: str | Path, base: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(base)
