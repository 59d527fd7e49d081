"""The seam: all that the interface asks of the rest of the program.

`Rooms` is what screens see. `live.LiveRooms` asks the real rooms; tests give a fake one, so that they need
no network, no worker and no clock. Methods marked *blocking* are called in a thread.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mirrortui.config import MirrorConfig
from mirrortui.mirror.plan import Plan
from mirrortui.worker.snapshot import Failure, RunStatus, Snapshot

if TYPE_CHECKING:  # it brings numpy, which the first frame does not wait for
    from mirrortui.mirror.snapshots import Snapshot as Frozen
    from mirrortui.mirror.solving import Solved
    from mirrortui.selection.estimate import Details, Estimate, SubdirEstimate
    from mirrortui.selection.explain import Answer
    from mirrortui.selection.nametable import NameTable
    from mirrortui.worker.doctor import Finding

Pair = tuple[str, str]
"""(channel, subdir)."""

Cancelled = Callable[[], bool]
"""Asked now and then by long work: whether its answer is still wanted."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a value cannot be used; `text` is the entry of a list at fault and `column` (from 1) the place in it, where known."""

    words: str
    text: str = ""
    column: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a draft, and what is right but may not mean what was meant; by key as `selection.include`."""

    wrong: Mapping[str, Wrong] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """How far the reading of one index is; `phase` is fetch, decode, ready, unchanged, empty or failed."""

    channel: str
    subdir: str
    phase: str
    bytes_done: int = 0
    bytes_total: int = 0
    records: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The estimate of a draft, and what each subdir that is not ticked would be."""

    estimate: "Estimate"
    others: Mapping[Pair, "SubdirEstimate"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """Runs and snapshots, newest first, and what was found when the mirror was looked over."""

    runs: tuple[RunStatus, ...] = ()
    snapshots: "tuple[Frozen, ...]" = ()
    findings: "tuple[Finding, ...]" = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of client configuration, and the file it is written to by default."""

    key: str
    title: str
    target: Path


@dataclass(frozen=True, slots=True)
class ClientPreview:
    """What would be written to a client's file. `token` is the clients room's own value, handed back to write."""

    path: Path
    before: str
    after: str
    changed: bool
    mode: int
    warnings: tuple[str, ...] = ()
    token: Any = None


@dataclass(frozen=True, slots=True)
class ClientReceipt:
    """A client's file was written; `backup` is the copy of what was there, None where nothing was."""

    path: Path
    backup: Path | None
    token: Any = None


class Journal(Protocol):
    """The reading side of a run's journal."""

    def poll(self) -> Snapshot | None:
        """Return a new snapshot if anything changed, else None; microseconds."""

    def heartbeat_age(self) -> float | None:
        """Seconds since the worker's last sign."""

    def close(self) -> None:
        """Let the file go."""


class Rooms(Protocol):
    """Everything the interface needs of the rest; errors are `MirrorError`."""

    def clock(self) -> float:
        """Seconds since 1970."""

    def load(self, path: Path) -> MirrorConfig:
        """Read a mirror.toml."""

    def save(self, config: MirrorConfig, path: Path) -> None:
        """Blocking: validate and write it."""

    def text(self, config: MirrorConfig) -> str:
        """What `save` would write."""

    def fresh(self) -> MirrorConfig:
        """A draft for a host that has no mirror.toml."""

    def search_path(self) -> list[Path]:
        """Where mirror.toml is looked for, best first."""

    def check(self, config: MirrorConfig) -> Checked:
        """Blocking: every value of the draft, looked at on its own."""

    def disk(self, root: Path) -> tuple[int, int]:
        """Blocking: free and total bytes of the disk that holds (or will hold) the root."""

    def picture(self, config: MirrorConfig, others: Sequence[Pair]) -> Picture:
        """Blocking, a keystroke's time: the estimate of a draft from the indexes at hand, perhaps an upper bound."""

    def exact(self, config: MirrorConfig, cancelled: Cancelled) -> "Estimate | None":
        """Blocking, perhaps for seconds: the exact estimate; None once it is cancelled."""

    def names(self, config: MirrorConfig, *, quick: bool, cancelled: Cancelled) -> "NameTable | None":
        """Blocking: every package name and what of it is in; `quick` as `picture`, otherwise as `exact`."""

    def details(self, config: MirrorConfig) -> "Details":
        """Blocking, perhaps for seconds: what the estimate is made of."""

    def explain(self, config: MirrorConfig, question: str) -> "list[Answer]":
        """Blocking, perhaps for seconds: why the records that a file name or MatchSpec names are in or out."""

    def solve(self, config: MirrorConfig, environments: Sequence[str]) -> "list[Solved]":
        """Blocking, perhaps for minutes: whether environments resolve on what would be published."""

    def plan(self, config: MirrorConfig) -> Plan:
        """Blocking: what a run would do now."""

    def refresh(self, config: MirrorConfig, wanted: Sequence[Pair]) -> AsyncIterator[Reading]:
        """Fetch and decode indexes in a child process; ends with the consumer."""

    async def discover(self, config: MirrorConfig, channel: str) -> tuple[str, ...]:
        """Subdirs that the channel has upstream."""

    def journal(self, state: Path) -> Journal:
        """A reader of the state folder's journal."""

    def start(self, path: Path, *, allow_prune: bool) -> int:
        """Blocking: start the detached worker, return its process id once its run is in the journal."""

    def send(self, state: Path, verb: str, argument: str) -> None:
        """Blocking: tell the worker something."""

    def bystander(self, state: Path) -> str:
        """Why this account can only watch the runs of a state folder; empty where it can steer them."""

    def failures(self, config: MirrorConfig, run: int) -> tuple[Failure, ...]:
        """Blocking: what a run could not have, also a past one."""

    def survival(self) -> str:
        """One sentence: whether a worker started here outlives the login."""

    def history(self, config: MirrorConfig, *, network: bool) -> History:
        """Blocking: past runs, snapshots, and what there is to say of the mirror's health; `network` asks upstreams, too."""

    def profiles(self) -> tuple[Profile, ...]:
        """The client configurations that can be written."""

    def client_preview(self, config: MirrorConfig, profile: str, url: str, target: Path) -> ClientPreview:
        """Blocking: what would be written."""

    def client_write(self, preview: ClientPreview) -> ClientReceipt:
        """Blocking: write it, keeping a copy of what was there."""

    def client_undo(self, receipt: ClientReceipt) -> None:
        """Blocking: put back what was there."""
