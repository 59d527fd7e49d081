"""Clients' configuration: what is published, the `.condarc` for it, its safe way onto disk, and conda's look-up."""

from mirrortui.clients.condarc import Condarc, Profile, build
from mirrortui.clients.diff import DiffLine, as_text
from mirrortui.clients.entry import Entry
from mirrortui.clients.published import PublishedChannel, scan
from mirrortui.clients.rcfile import Preview, Receipt, preview, target, undo, write
from mirrortui.clients.resolve import Resolved, resolve

__all__ = [
    "Condarc",
    "DiffLine",
    "Entry",
    "Preview",
    "Profile",
    "PublishedChannel",
    "Receipt",
    "Resolved",
    "as_text",
    "build",
    "preview",
    "resolve",
    "scan",
    "target",
    "undo",
    "write",
]
