"""The served tree on a local file system: the one place that turns names into paths below the root.

Everything the other rooms do to the tree goes through here: list, write beside and rename, remove. All
names pass `naming`; a symbolic link on the way (a channel folder that points elsewhere) is refused, so that
nothing is ever written or removed outside the root.
"""

import contextlib
import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mirrortui import naming
from mirrortui.errors import MirrorError, NoSpace, TargetError

PART, NEXT = ".part", ".next"


@dataclass(frozen=True, slots=True)
class Disk:
    """Free and total bytes of the disk under the root."""

    free: int
    total: int


class Store:
    """The tree below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[tuple[str, str], Path] = {}

    def folder(self, channel: str, subdir: str) -> Path:
        """The folder of a subdir."""
        known = self._folders.get((channel, subdir))
        if known is None:
            known = self._folders[channel, subdir] = self.root / naming.channel(channel) / naming.subdir(subdir)
        return known

    def package(self, channel: str, subdir: str, fn: str) -> Path:
        """Where a package lies."""
        return self.folder(channel, subdir) / naming.file_name(fn)

    def part(self, channel: str, subdir: str, fn: str) -> Path:
        """Where a package is written until it is verified; same folder, so that the rename is atomic."""
        return self.folder(channel, subdir) / f".{naming.file_name(fn)}{PART}"

    def own(self, channel: str, subdir: str) -> Path:
        """The folder of a subdir, to write in or remove from; raises `TargetError` where a link leads out of the tree."""
        folder = self.folder(channel, subdir)
        if Path(os.path.realpath(folder)) != Path(os.path.realpath(self.root)) / folder.relative_to(self.root):
            raise TargetError(
                "is a link that leads elsewhere", where=naming.display(folder), hint="Replace it by a real folder"
            )
        return folder

    def prepare(self, channel: str, subdir: str) -> Path:
        """Make the folder of a subdir and return it; raises `TargetError` where that cannot be."""
        folder = self.own(channel, subdir)
        with reporting(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _check_access(folder)
        return folder

    def check_folder(self) -> None:
        """Raise `TargetError` where a file stands in the place of the root, or of a folder above it."""
        for place in (*reversed(self.root.parents), self.root):
            try:
                if stat.S_ISDIR(place.stat().st_mode):
                    continue
                what = "is a file, not a folder"
            except FileNotFoundError:
                if not place.is_symlink():
                    return
                what = "is a link that leads nowhere"
            except OSError:  # told by whoever has to go in
                return
            raise TargetError(
                what, where=naming.display(place), hint="Move it away, or set mirror.root to another place"
            )

    def check_writable(self) -> None:
        """Raise `TargetError` unless the root is there (or can be made) and may be written to."""
        self.check_folder()
        with reporting(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            _check_access(self.root)

    def disk(self) -> Disk:
        """Free and total bytes under the root, or under its nearest parent that exists."""
        place = self.root
        while not place.exists() and place != place.parent:
            place = place.parent
        usage = shutil.disk_usage(place)
        return Disk(usage.free, usage.total)

    def names(self, channel: str, subdir: str) -> set[str]:
        """Names of the package files of a subdir: one directory scan, without a stat a file."""
        return {
            name
            for entry in self._listed(channel, subdir)
            if (name := entry.name).endswith(naming.PACKAGE_SUFFIXES)
            and name[0] != "."
            and entry.is_file(follow_symlinks=False)
        }

    def _listed(self, channel: str, subdir: str) -> list[os.DirEntry[str]]:
        folder = self.folder(channel, subdir)
        with _absent_is_empty(folder), os.scandir(folder) as entries:
            return list(entries)
        return []  # type: ignore[unreachable]  # mypy takes every context manager for one that lets errors through

    def parts(self, channel: str, subdir: str) -> list[Path]:
        """Package files being written (`.part`) or waiting to replace another (`.next`), perhaps left by a run that was killed."""
        folder, names = self.folder(channel, subdir), list[str]()
        with _absent_is_empty(folder):
            names = os.listdir(folder)  # noqa: PTH208 - names alone take a third of the time
        return [
            path
            for name in names
            if name[0] == "." and name.endswith((PART, NEXT)) and naming.is_file_name(name[1 : -len(PART)])
            if (path := folder / name).is_file() and not path.is_symlink()
        ]

    def held(self, pairs: Iterable[tuple[str, str]]) -> int:
        """Bytes on disk of the part files of some subdirs."""
        return sum(path.stat().st_blocks * 512 for pair in pairs for path in self.parts(*pair))

    def remove(self, channel: str, subdir: str, fns: Iterable[str]) -> int:
        """Remove package files; one that is gone already counts as removed."""
        count, folder = 0, self.own(channel, subdir)
        for fn in fns:
            with reporting(path := folder / naming.file_name(fn)):
                path.unlink(missing_ok=True)
                count += 1
        return count

    def flush(self) -> None:
        """Bring all written data of the root's file system to disk (syncfs; one call for a whole batch of files)."""
        with contextlib.suppress(OSError):
            fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if _syncfs(fd) != 0:
                    os.sync()
            finally:
                os.close(fd)


@contextlib.contextmanager
def _absent_is_empty(folder: Path) -> Iterator[None]:
    """A folder that is not there is taken for an empty one. Raises `TargetError`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise TargetError(f"cannot be read: {error.strerror}", where=naming.display(folder)) from error


def read_only(folder: Path) -> bool:
    """Whether the file system that holds a folder takes no writes: mounted so, or remounted after an error of its disk."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _check_access(folder: Path) -> None:
    """Raise the OSError that writing to the folder would meet."""
    if not os.access(folder, os.W_OK | os.X_OK):
        number = errno.EROFS if read_only(folder) else errno.EACCES
        raise OSError(number, os.strerror(number))


def _syncfs(fd: int) -> int:
    try:
        return int(ctypes.CDLL(None, use_errno=True).syncfs(fd))
    except (AttributeError, OSError):  # a libc without it
        return -1


@contextlib.contextmanager
def reporting(path: Path):  # type: ignore[no-untyped-def]  # a generator of None
    """Turn an OSError into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise from_os(error, path) from error


def from_os(error: OSError, path: Path) -> MirrorError:
    """The error for a failed file operation below the root."""
    where = naming.display(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(
            "the disk is full" if error.errno == errno.ENOSPC else "the quota is used up",
            where=where,
            hint="Make room or narrow the selection, then start again: nothing that was fetched is lost",
        )
    text = f"cannot be written: {error.strerror or error}"
    hint = "Check owner and mode of the mirror root" if error.errno in (errno.EACCES, errno.EPERM) else ""
    if error.errno == errno.EROFS:
        text = "cannot be written: the file system is read-only"
        hint = "Mount it for writing; an error of its disk may have made it so, the kernel's log tells"
    return TargetError(text, where=where, hint=hint)
