"""What the engine is given and what it gives back."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Job(NamedTuple):
    """One file to bring: from the first of `urls` that has it, to `part`, then (verified) to `final`.

    `size` in bytes, -1 unknown; `digest` is (“sha256” or “md5”, raw bytes) or None; `check` says that `final` may
    already be there and needs only hashing.
    """

    channel: str
    subdir: str
    row: int
    fn: str
    urls: tuple[str, ...]
    size: int
    digest: tuple[str, bytes] | None
    part: Path
    final: Path
    check: bool = False
    replace: bool = False


class Outcome(NamedTuple):
    """How a job ended. `status`: fetched, adopted (it was there and right), failed (`reason`, `text` say why)."""

    job: Job
    status: str
    size: int = 0
    mtime_ns: int = 0
    digest: bytes = b""
    reason: str = ""
    text: str = ""


@dataclass(slots=True)
class Flight:
    """A transfer under way, as the journal shows it; changed in place by the engine.

    `done` bytes are there; the present attempt found `start` of them. `tag` is the strong ETag with which the URL
    `tagged` answered last: by it that upstream tells whether the file is still the same when it is resumed.
    """

    job: Job
    started: float
    attempt: int = 1
    start: int = 0
    done: int = 0
    waiting: str = ""
    tag: str = ""
    tagged: str = ""
