"""One mirror to a tree: a root that two states write to would lose what only one of them knows of.

The lock of a run stands in the state folder, on a local disk; two machines that share a root over the network do not
see each other's. So the root says whose it is (`<root>/.mirrortui`), and is locked there as well while it is changed.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mirrortui.errors import BusyError, RefusedError
from mirrortui.mirror.store import reporting
from mirrortui.naming import display

MARK = ".mirrortui"
"""In the root; begins with a dot, so that no server shows it."""

ID = "id"
"""In the state folder: by it a state is known that was moved to another folder or machine."""

_UNLOCKABLE = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)  # the last: NFS, opened for reading
_MOST = 4096


class Owner(msgspec.Struct):
    """Whose tree it is."""

    id: str
    state: str = ""
    host: str = ""

    def is_same(self, other: "Owner") -> bool:
        """Whether it is the same mirror: also one whose state was lost and begun anew in its place."""
        return self.id == other.id or (self.state, self.host) == (other.state, other.host)


@contextlib.contextmanager
def owned(root: Path, state: Path) -> Iterator[None]:
    """Hold the tree for the mirror of this state; one that is nobody's becomes its own.

    A file system without locks is held by the mark alone, a tree that may only be read is not held. Raises
    `RefusedError` where the tree is another mirror's, `BusyError` where another process changes it, `TargetError`.
    """
    path = root / MARK
    with reporting(path):
        fd = _open(path)
    if fd < 0:
        yield
        return
    try:
        _lock(fd, path)
        me = Owner(_identity(state), str(state), socket.gethostname())
        found = _read(fd)
        if found is not None and not me.is_same(found):
            raise RefusedError(
                f"belongs to another mirror (state {display(found.state)} on {display(found.host)})",
                where=str(root),
                hint=f"Use one configuration and one state for a root; if that mirror is gone, remove {path}",
            )
        writable = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
        if writable and (found is None or found.id != me.id):
            with reporting(path):
                os.ftruncate(fd, 0)
                os.pwrite(fd, msgspec.json.encode(me), 0)
        yield
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    """Another account's mark can at least be read and locked; -1 where there is none and none can be made."""
    for mode in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        try:
            return os.open(path, mode | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT):
                raise
    return -1


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = _read(fd)
        host = f" on {display(found.host)}" if found is not None else ""
        raise BusyError(
            f"another process{host} is changing this tree", where=str(path.parent), hint="Wait for its end"
        ) from None
    except OSError as error:
        if error.errno not in _UNLOCKABLE:
            raise


def _read(fd: int) -> Owner | None:
    try:
        return msgspec.json.decode(os.pread(fd, _MOST, 0), type=Owner)
    except (msgspec.DecodeError, UnicodeError):  # new, or cut off by a crash
        return None


def _identity(state: Path) -> str:
    path = state / ID
    with reporting(path):
        text = path.read_text(encoding="ascii", errors="replace").strip() if path.exists() else ""
        if not text:
            text, fresh = secrets.token_hex(16), path.with_suffix(".new")
            fresh.write_text(f"{text}\n", encoding="ascii")
            fresh.replace(path)
        return text
