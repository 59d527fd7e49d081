"""The one metadata file of a whole channel, `<root>/<channel>/channeldata.json`: staged, switched and removed with its subdirs.

Kept in the inventory under the note `channeldata <channel>`: over which inputs it was made, and stamp and sha256 of the
file that was left, so that a run with nothing new does not make it again, and `verify` knows what it should be.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mirrortui import naming
from mirrortui.catalog.extras import Extra
from mirrortui.errors import BadRepodata, TargetError
from mirrortui.mirror import extras
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.records import blocks
from mirrortui.mirror.staging import Item
from mirrortui.mirror.store import Store, reporting
from mirrortui.mirror.switch import switch

NAME = "channeldata.json"


@dataclass(frozen=True)
class Change:
    """What is to become of a channel's file: `staged` takes its place (None: it goes)."""

    target: Path
    staged: Path | None
    key: str = ""


def path(store: Store, channel: str) -> Path:
    """Where a channel's file lies; raises `TargetError` where a link leads out of the tree."""
    return store.own(channel, "noarch").parent / NAME


def stage(
    store: Store, inventory: Inventory, channel: str, extra: Extra | None, items: Mapping[str, Item], staying: list[str]
) -> Change | None:
    """Write the new file beside the old one; None where there is nothing to do.

    `items` are the subdirs that are published, each by the key over its inputs; those in `staying` are left as they
    are. Without `extra` (switched off, or upstream has none) there is to be no file. Raises `TargetError`, `NoSpace`.
    """
    target = path(store, channel)
    if extra is None:
        return Change(target, None) if target.is_file() or inventory.note(_note(channel)) else None
    digest = hashlib.sha256(f"{extra.source.sha256} {sorted(items)}".encode())
    for subdir in staying:
        last = inventory.published(channel, subdir)
        digest.update(f"{subdir} {last.key if last else ''}".encode())
    key = digest.hexdigest()
    if target.is_file() and _noted(inventory, channel)[:3] == _stamp(key, target):
        return None
    staged = target.with_name(f".{NAME}.new")
    with reporting(staged):
        staged.unlink(missing_ok=True)  # perhaps a link that somebody put there
        try:
            where = _where(store, channel, items, staying)
            subdirs = [*(item.subdir for item in items.values()), *staying]
            with staged.open("wb") as stream:
                extras.channeldata(extra.body, where, subdirs, stream.write)
            staged.chmod(0o644)
        except BadRepodata as error:  # a damaged cache
            staged.unlink(missing_ok=True)
            raise TargetError(f"cannot be made: {error}", where=naming.display(target)) from error
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
    return Change(target, staged, key)


def apply(inventory: Inventory, channel: str, change: Change) -> bool:
    """Make a change visible and note it; tells whether the file is another one now. Raises `MirrorError`."""
    with reporting(change.target):
        if change.staged is not None:
            done = switch(change.staged, change.target)
        elif done := change.target.is_file():
            change.target.unlink()
    note(inventory, channel, change.key, change.target)
    return done


def note(inventory: Inventory, channel: str, key: str, target: Path) -> None:
    """Note what lies there now, if anything. Raises `MirrorError`."""
    text = ""
    with reporting(target):
        if target.is_file():
            digest = hashlib.sha256(target.read_bytes()).hexdigest()
            text = msgspec.json.encode([*_stamp(key, target), digest]).decode()
    inventory.set_note(_note(channel), text)


def noted(inventory: Inventory, channel: str) -> str | None:
    """The sha256 (hex) of the file that was published last, "" where it was not noted; None where there is to be none."""
    last = _noted(inventory, channel)
    return None if not last else str(last[3]) if len(last) > 3 else ""


def distrust(inventory: Inventory, channel: str) -> None:
    """Have the next run make the file anew; what it should be stays noted."""
    last = _noted(inventory, channel)
    if last:
        inventory.set_note(_note(channel), msgspec.json.encode(["", *last[1:]]).decode())


def withdraw(store: Store, inventory: Inventory, channel: str, subdir: str) -> list[Path]:
    """Take the file out of view with the last subdir of a channel; returns what was removed."""
    others = (s for c, s in inventory.folders() if c == channel and s != subdir)
    if any(inventory.published(channel, other) for other in others):
        return []
    change = Change(path(store, channel), None)
    return [change.target] if apply(inventory, channel, change) else []


def _where(store: Store, channel: str, items: Mapping[str, Item], staying: list[str]) -> dict[str, list[str]]:
    """Package name -> the subdirs that have it."""
    where: dict[str, list[str]] = {}
    for item in items.values():
        for name in extras.packages(item.index, item.keep) if item.index is not None else ():
            where.setdefault(name, []).append(item.subdir)
    for subdir in staying:
        names = {fn.rsplit("-", 2)[0] for block in blocks(store.folder(channel, subdir)) for fn in block}
        for name in names:
            where.setdefault(name, []).append(subdir)
    return where


def _note(channel: str) -> str:
    return f"channeldata {channel}"


def _noted(inventory: Inventory, channel: str) -> list[object]:
    text = inventory.note(_note(channel))
    return msgspec.json.decode(text, type=list[object]) if text else []


def _stamp(key: str, target: Path) -> list[object]:
    """A key with size and mtime of the file that was left."""
    status = target.stat()
    return [key, status.st_size, status.st_mtime_ns]
