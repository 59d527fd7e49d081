"""Messages that cross widgets and screens; each carries immutable values only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from mirrortui.config import MirrorConfig
from mirrortui.mirror.plan import Plan
from mirrortui.worker.snapshot import Snapshot


class SnapshotReceived(Message):
    """The journal has changed, or cannot be read (`trouble`), or its worker has gone quiet (`silent`)."""

    def __init__(self, snapshot: Snapshot | None, *, trouble: str = "", silent: float = 0.0) -> None:
        super().__init__()
        self.snapshot, self.trouble, self.silent = snapshot, trouble, silent

    def can_replace(self, message: Message) -> bool:
        """Only the newest one counts."""
        return isinstance(message, SnapshotReceived)


@dataclass
class DraftEdited(Message):
    """The operator changed something; nothing is written yet.

    The change is made to the draft as it is when the message arrives, so that two quick edits both count.
    """

    change: Callable[[MirrorConfig], MirrorConfig]


@dataclass
class DraftSaved(Message):
    """mirror.toml was written."""

    config: MirrorConfig
    path: Path


@dataclass
class SaveAsked(Message):
    """The draft shall be written."""


@dataclass
class StartAsked(Message):
    """A run shall be started; `plan` is what the operator has seen, if anything."""

    plan: Plan | None = None
    allow_prune: bool = False


@dataclass
class CommandAsked(Message):
    """The worker shall be told something: pause, resume, stop, limit or retry."""

    verb: str
    argument: str = ""


@dataclass
class Said(Message):
    """Something to tell in a toast; severity is information, warning or error."""

    text: str
    severity: str = "information"
