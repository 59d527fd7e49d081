"""From a `Condarc` to a file: where it goes, what would change, the safe write, and the way back."""

import datetime as dt
import hashlib
import os
import re
import shlex
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mirrortui import naming
from mirrortui.clients.condarc import Condarc, Profile
from mirrortui.clients.defeats import defeats
from mirrortui.clients.diff import DiffLine, as_text, unified
from mirrortui.clients.merge import merge
from mirrortui.clients.why import HEADER
from mirrortui.errors import ConfigError, RefusedError, TargetError

SYSTEM = Path("/etc/conda/condarc.d/mirrortui.yml")

_LARGEST = 1_000_000  # bytes; no rc file is larger, a wrong path may be
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Preview:
    """What `write` would do to `path`. `target` is the file behind `path` where that is a link.

    `before` and `after` are the whole texts and may hold secrets; `diff` is safe to show. `mode` is the mode the
    file will have.
    """

    path: Path
    target: Path
    before: str
    after: str
    diff: tuple[DiffLine, ...]
    mode: int
    existed: bool
    changed: bool
    warnings: tuple[str, ...]

    def diff_text(self) -> str:
        """The diff as text, safe to show."""
        return as_text(self.diff)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What `write` did. `backup` is None where nothing was written or no file had been there.

    `undo_hint` is a shell command; `digest` is the SHA-256 of what was written.
    """

    path: Path
    backup: Path | None
    undo_hint: str
    written: bool
    created: bool
    digest: str


def target(profile: Profile, *, env: Mapping[str, str] | None = None, home: Path | None = None) -> Path:
    """Return the file of a profile.

    system: a file of our own in /etc/conda/condarc.d, read by every conda on the host.
    user: the existing file that conda lets win, of ~/.condarc, ~/.conda, ~/.config/conda and
    $XDG_CONFIG_HOME/conda; ~/.condarc if there is none (conda: base/constants.py, SEARCH_PATH).
    """
    if profile == "system":
        return SYSTEM
    env = os.environ if env is None else env
    home = home or Path(env.get("HOME") or Path.home())
    folders = [home / ".conda", home / ".config" / "conda"]
    if env.get("XDG_CONFIG_HOME"):
        folders.append(Path(env["XDG_CONFIG_HOME"]) / "conda")
    first = home / ".condarc"
    places = [first, *(folder / name for folder in folders for name in ("condarc", ".condarc"))]
    return next((place for place in places if place.is_file()), first)


def preview(condarc: Condarc, path: Path) -> Preview:
    """Return what writing would change; nothing is touched.

    Raises `ConfigError` for a name conda passes over, and for a file that is broken or cannot be changed safely
    (with line and column); `TargetError` for a file that cannot be read.
    """
    _check_name(path)
    real = _real(path)
    content, status = _read(real)
    mark, before = _decode(content, path)
    merged = merge(before, condarc, str(path))
    existed = status is not None
    now = stat.S_IMODE(status.st_mode) if status else condarc.mode
    mode = 0o600 if condarc.secret else now
    warnings = [*condarc.warnings, *merged.warnings, *defeats(merged.values, condarc)]
    if now & 0o077 and not condarc.secret and naming.mask(before) != before:
        warnings.append("The file holds a password or token and others can read it: chmod 600 it.")
    if condarc.profile == "system" and not condarc.secret and not mode & 0o004:
        warnings.append(f"The file has mode {mode:04o}: other users' conda cannot read it.")
    return Preview(
        path=path,
        target=real,
        before=mark + before,
        after=mark + merged.text,
        diff=unified(before, merged.text, str(path)),
        mode=mode,
        existed=existed,
        changed=merged.text != before or (existed and mode != now),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def write(plan: Preview) -> Receipt:
    """Write what was previewed: backup beside the file, then an atomic replacement that keeps mode and owner.

    Nothing is written if nothing changes. Raises `RefusedError` if the file is no longer the previewed one,
    `TargetError` if it cannot be written; the file is then as it was.
    """
    content, status = _read(plan.target)
    before = plan.before.encode()
    if _real(plan.path) != plan.target or content != (before if plan.existed else None):
        raise RefusedError("has changed since it was shown", where=str(plan.path), hint="Look at the difference again")
    data = plan.after.encode()
    digest = hashlib.sha256(data).hexdigest()
    if not plan.changed:
        return Receipt(plan.path, None, "nothing was written", written=False, created=False, digest=digest)
    backup: Path | None = None
    try:
        plan.target.parent.mkdir(parents=True, exist_ok=True)
        if content is not None and status is not None:
            private = naming.mask(plan.before) != plan.before
            backup = _beside(plan.target, "bak", content, status, plan.mode if private else None)
        _replace(plan.target, data, plan.mode, status)
    except OSError as error:
        if backup is not None:
            backup.unlink(missing_ok=True)
        hint = "Write it as root, or give another path" if isinstance(error, PermissionError) else ""
        raise TargetError(f"cannot be written: {error.strerror or error}", where=str(plan.path), hint=hint) from error
    hint = shlex.join(["mv", str(backup), str(plan.target)] if backup else ["rm", str(plan.target)])
    return Receipt(plan.path, backup, hint, written=True, created=not plan.existed, digest=digest)


def undo(what: Receipt | Path) -> Path:
    """Bring back the newest backup, or remove the file if there had been none; return the path.

    Content that is not known to be ours is kept beside the file as `<name>.<time>.undone`. Raises `RefusedError`
    if the file was changed since the receipt, `TargetError` if there is nothing to go back to.
    """
    path = what.path if isinstance(what, Receipt) else what
    if isinstance(what, Receipt) and not what.written:
        return path
    real = _real(path)
    content, status = _read(real)
    proven = isinstance(what, Receipt) and content is not None and hashlib.sha256(content).hexdigest() == what.digest
    if isinstance(what, Receipt) and not proven:
        raise RefusedError(
            "has changed since it was written", where=str(path), hint=f"To go back all the same: {what.undo_hint}"
        )
    backup = what.backup if isinstance(what, Receipt) else _newest_backup(real)
    ours = isinstance(what, Receipt) or (content or b"").removeprefix(_BOM.encode()).startswith(HEADER.encode())
    if (backup is None and not ours) or (backup is not None and not backup.is_file()):
        raise TargetError("has no backup beside it", where=str(path), hint=f"Backups are named {real.name}.<time>.bak")
    try:
        if content is not None and status is not None and not proven:
            _beside(real, "undone", content, status)
        if backup is None:
            real.unlink()
        else:
            backup.replace(real)
        _sync_folder(real.parent)
    except OSError as error:
        raise TargetError(f"cannot be restored: {error.strerror or error}", where=str(path)) from error
    return path


# ----------------------------------------------------------------------------------------------- files


def _check_name(path: Path) -> None:
    """Refuse a name that conda silently passes over (conda: base/constants.py, `condarc.d`)."""
    if path.suffix in (".yml", ".yaml") or (path.name in (".condarc", "condarc") and path.parent.name != "condarc.d"):
        return
    raise ConfigError(
        "conda does not read a file of this name", where=str(path), hint="Name it .condarc, or give it the ending .yml"
    )


def _real(path: Path) -> Path:
    """The file itself: a link is followed, so that the link stays a link."""
    try:
        return path.absolute().resolve()
    except (OSError, RuntimeError) as error:  # a ring of links is a RuntimeError before Python 3.13
        raise TargetError("is a ring of links", where=str(path)) from error


def _read(path: Path) -> tuple[bytes | None, os.stat_result | None]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise TargetError("is not a file", where=str(path))
        if status.st_size > _LARGEST:
            raise ConfigError("is too large for an rc file", where=str(path))
        return path.read_bytes(), status
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise TargetError(f"cannot be read: {error.strerror or error}", where=str(path)) from error


def _decode(content: bytes | None, path: Path) -> tuple[str, str]:
    """(byte order mark, text)."""
    try:
        text = (content or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not UTF-8 text (byte {error.start})", where=str(path), hint="Nothing was changed"
        ) from error
    return (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)


def _beside(path: Path, kind: str, content: bytes, like: os.stat_result, mode: int | None = None) -> Path:
    """Keep content as `<name>.<UTC time>.<kind>`: UTC, so that names sort by age all year."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        copy = path.with_name(f"{path.name}.{stamp}{f'-{number:03d}' if number > 1 else ''}.{kind}")
        try:
            handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        try:
            _fill(handle, content, stat.S_IMODE(like.st_mode) if mode is None else mode, like)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        return copy
    raise FileExistsError(f"too many backups of {path.name}")


def _replace(path: Path, content: bytes, mode: int, like: os.stat_result | None) -> None:
    # The ending .tmp keeps a half-written file out of condarc.d, where conda reads *.yml.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        _fill(handle, content, mode, like)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _fill(handle: int, content: bytes, mode: int, like: os.stat_result | None) -> None:
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        if like is not None and (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
            _own(stream.fileno(), like)
        os.fchmod(stream.fileno(), mode)
        stream.flush()
        os.fsync(stream.fileno())


def _own(handle: int, like: os.stat_result) -> None:
    """Keep owner and group where the system allows it: root may, others may set a group of their own."""
    for uid, gid in ((like.st_uid, like.st_gid), (-1, like.st_gid)):
        try:
            os.fchown(handle, uid, gid)
        except PermissionError:
            continue
        return


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _newest_backup(path: Path) -> Path | None:
    form = re.compile(re.escape(path.name) + r"\.(\d{8}-\d{6}(?:-\d{3})?)\.bak")
    found = [(match[1], p) for p in path.parent.glob("*.bak") if (match := form.fullmatch(p.name))]
    return max(found)[1] if found else None
