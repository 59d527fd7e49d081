"""What every screen is given to show: one immutable value, replaced whole."""

from dataclasses import dataclass
from pathlib import Path

from mirrortui.config import MirrorConfig
from mirrortui.worker.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class View:
    """The draft, the file it came from, and the newest state of the run.

    `snapshot` is None until the journal was read once; `trouble` says in words why it cannot be read.
    `silent` is the age of the worker's last sign in seconds where it is suspiciously old, otherwise 0.
    `free` and `total` are bytes of the disk below the mirror root, -1 and 0 where not known yet. `now` is the clock of the
    last update, seconds since 1970.
    """

    config: MirrorConfig
    saved: MirrorConfig | None = None
    path: Path | None = None
    snapshot: Snapshot | None = None
    trouble: str = ""
    silent: float = 0.0
    free: int = -1
    total: int = 0
    now: float = 0.0
    read_only: bool = False

    @property
    def unsaved(self) -> bool:
        """Whether the draft differs from the file."""
        return self.config != self.saved

    @property
    def active(self) -> bool:
        """Whether a worker is at work on this mirror."""
        return self.snapshot is not None and self.snapshot.active
