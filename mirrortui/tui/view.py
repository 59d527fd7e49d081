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
    last update, seconds since 1970. `bystander` says in words why this account cannot steer the runs; empty where it can. `painted` is False until the first frame is out: what is not needed for it waits.
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
    bystander: str = ""
    painted: bool = True

    @property
    def unsaved(self) -> bool:
        """Whether the draft differs from the file."""
        return self.config != self.saved

    @property
    def worth_saving(self) -> bool:
        """Whether something would be lost with the draft: a change of the file, or the channels of a first one."""
        return self.unsaved and (self.saved is not None or bool(self.config.channels))

    @property
    def watching(self) -> bool:
        """Whether runs are only looked at: nothing that starts, pauses or stops one is offered."""
        return self.read_only or bool(self.bystander)

    @property
    def farewell(self) -> str:
        """What to say to whoever leaves while a run goes on."""
        run = self.snapshot.run if self.snapshot is not None else None
        if not self.active or run is None:
            return ""
        watch = "Open mirrortui again to watch, or: mirrortui status --follow"
        return f"The sync goes on (run {run.id}, process {run.pid}). {watch}"

    @property
    def active(self) -> bool:
        """Whether a worker is at work on this mirror."""
        return self.snapshot is not None and self.snapshot.active
