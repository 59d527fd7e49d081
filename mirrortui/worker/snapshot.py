"""What a viewer sees of a run: immutable values read from the journal in one go."""

from dataclasses import asdict, dataclass
from typing import Any

from mirrortui.errors import RefusedError
from mirrortui.naming import display

ACTIVE = frozenset({"running", "paused", "stopping"})
"""States in which a worker process holds the lock; every other state is an end."""


@dataclass(frozen=True, slots=True)
class SubdirProgress:
    """One subdir of a run. `phase` is waiting, index, transfer, publish, done or failed; sizes in bytes."""

    channel: str
    subdir: str
    phase: str
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    failed: int


@dataclass(frozen=True, slots=True)
class InFlight:
    """One transfer under way: bytes received of the total (0 = unknown), bytes a second, attempt from 1.

    `waiting` says why nothing comes: busy (the host asked for patience), down (it failed again and again and is left
    alone), queued (others of the same host come first), or the reason of the last attempt; `wait` for how many
    seconds more, 0 = not known.
    """

    slot: int
    channel: str
    subdir: str
    fn: str
    bytes_done: int
    bytes_total: int
    rate: float
    attempt: int
    waiting: str = ""
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log; `level` is info, warning or error; `time` seconds since 1970."""

    id: int
    time: float
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be had; `reason` is the short word (hash, size, missing, refused, ...)."""

    channel: str
    subdir: str
    fn: str
    reason: str
    text: str

    @property
    def why(self) -> str:
        """The text without the file's path, which those who list the file have shown already."""
        return self.text.removeprefix(f"{display(f'{self.channel}/{self.subdir}/{self.fn}')} ")


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The head of a run.

    `state`: running, paused, stopping; or an end: done, partial, failed, stopped, crashed.
    `phase`: starting, catalog, plan, transfer, publish, prune or "".
    `rate` in bytes a second and `eta` in seconds (None = not known) are computed by the worker. `exit_code` is the
    process's, None while it is at work and for runs of which it was not noted.
    """

    id: int
    state: str
    phase: str
    started: float
    ended: float | None
    pid: int
    plan: str
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    added: int
    replaced: int
    dropped: int
    pruned: int
    bytes_fetched: int
    rate: float
    eta: float | None
    limit: int
    message: str
    exit_code: int | None = None

    @property
    def guarded(self) -> bool:
        """Whether the guard `prune.max_share` said no, to deleting or to publishing, and the rest was done."""
        return self.state == "partial" and self.exit_code == RefusedError.exit_code


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All a screen shows of the newest run, read in one transaction.

    `state` is the run's state, "idle" where there never was a run, or "crashed" where the journal says
    running but nobody holds the lock; its `ended` is then the last heartbeat. `heartbeat_age` in seconds; None
    without a run. `problems` are the subdirs whose index could not be read; they are no part of `failed_count`.
    """

    state: str
    run: RunStatus | None = None
    heartbeat_age: float | None = None
    subdirs: tuple[SubdirProgress, ...] = ()
    in_flight: tuple[InFlight, ...] = ()
    events: tuple[Event, ...] = ()
    failures: tuple[Failure, ...] = ()
    failed_count: int = 0
    problems: tuple[Failure, ...] = ()

    @property
    def active(self) -> bool:
        """Whether a worker is at work."""
        return self.state in ACTIVE

    def to_json(self) -> dict[str, Any]:
        """The stable form that `sync --json` and `status --json` print."""
        run = self.run
        return {
            "state": self.state,
            "run": None
            if run is None
            else {
                "id": run.id,
                "state": self.state,
                "phase": run.phase,
                "started": run.started,
                "ended": run.ended,
                "plan": run.plan,
                "files": {"done": run.files_done, "total": run.files_total},
                "bytes": run.bytes_fetched,
                "bytes_done": run.bytes_done,
                "bytes_total": run.bytes_total,
                "added": run.added,
                "replaced": run.replaced,
                "dropped": run.dropped,
                "pruned": run.pruned,
                "failed": [asdict(failure) for failure in self.failures],
                "failed_count": self.failed_count,
                "problems": [asdict(problem) for problem in self.problems],
                "rate": run.rate,
                "eta": run.eta,
                "limit": run.limit,
                "message": run.message,
                "exit_code": run.exit_code,
                "subdirs": [
                    {
                        "channel": s.channel,
                        "subdir": s.subdir,
                        "phase": s.phase,
                        "files": {"done": s.files_done, "total": s.files_total},
                        "bytes": {"done": s.bytes_done, "total": s.bytes_total},
                        "failed": s.failed,
                    }
                    for s in self.subdirs
                ],
            },
            "heartbeat_age": None if self.heartbeat_age is None else round(self.heartbeat_age, 1),
        }
