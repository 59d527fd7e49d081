"""What all connections of a server share: the files, the limits, the log."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from mirrortui.serve.files import Files

MOST = 1 << 20  # bytes sent on one connection before the others have their turn


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One answered request: start (unix time), bytes of the body sent, wall seconds; texts are display-safe."""

    moment: float
    client: str
    method: str
    target: str
    status: int
    bytes: int
    seconds: float
    agent: str

    def __str__(self) -> str:
        """Write the line as a log shows it."""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.moment))
        what = f"{self.method} {self.target} {self.status} {self.bytes} {self.seconds:.3f}s"
        return f"{when} {self.client} {what} {self.agent}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds a client may take: for a head, between two requests, without taking any byte of an answer."""

    head: float = 10.0
    idle: float = 30.0
    write: float = 30.0


@dataclass(frozen=True, slots=True)
class Site:
    """What all connections of a server share."""

    files: Files
    limits: Limits
    chunk: int  # bytes that may leave without a turn: MOST, or 0 where the bandwidth is shared out
    log: Callable[[AccessLine], None] | None
