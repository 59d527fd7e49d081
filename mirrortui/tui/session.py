"""The session's eyes: poll the journal, post one snapshot when something changed."""

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from textual.message import Message

from mirrortui.errors import MirrorError
from mirrortui.tui.messages import SnapshotReceived
from mirrortui.tui.rooms import Journal
from mirrortui.tui.text import problem

QUIET = 15.0
"""Seconds without a sign of the worker after which the screen says so."""


def at_work(open_journal: Callable[[Path], Journal], state: Path) -> bool:
    """Whether a run is at work there right now."""
    with suppress(MirrorError, OSError):
        journal = open_journal(state)
        with closing(journal):
            snapshot = journal.poll()
            return snapshot is not None and snapshot.active
    return False


class JournalClient:
    """Polls a journal when told to and posts what is new.

    The poll is gated by the journal's own counter and costs microseconds while nothing changes, so it runs
    on the event loop. `tick` is called by the app's timer, slower where no screen shows the run.
    """

    def __init__(self, open_journal: Callable[[Path], Journal], post: Callable[[Message], object]) -> None:
        self._open = open_journal
        self._post = post
        self._state: Path | None = None
        self._journal: Journal | None = None
        self._trouble = ""
        self._silent = 0.0
        self._active = False
        self._ticks = 0

    def watch(self, state: Path) -> None:
        """Follow the journal of this state folder from now on."""
        if state != self._state:
            self.close()
            self._state = state

    def tick(self) -> None:
        """Look once."""
        if self._state is None:
            return
        try:
            if self._journal is None:
                self._journal = self._open(self._state)
            snapshot = self._journal.poll()
            silent = self._quiet(self._journal) if snapshot is None else 0.0
        except (MirrorError, OSError) as error:
            self._report(problem(error))
            return
        if snapshot is not None:
            self._active, self._trouble, self._silent = snapshot.active, "", 0.0
            self._post(SnapshotReceived(snapshot))
        elif silent != self._silent:
            self._silent = silent
            self._post(SnapshotReceived(None, silent=silent))

    def _quiet(self, journal: Journal) -> float:
        """Whole seconds since the last sign, where that is too long; looked at every fourth tick."""
        self._ticks += 1
        if not self._active:
            return 0.0
        if self._ticks % 4:
            return self._silent
        age = journal.heartbeat_age()
        return float(int(age)) if age is not None and age > QUIET else 0.0

    def _report(self, trouble: str) -> None:
        self._close_quietly()
        if trouble != self._trouble:
            self._trouble = trouble
            self._post(SnapshotReceived(None, trouble=trouble))

    def _close_quietly(self) -> None:
        if self._journal is not None:
            with suppress(MirrorError, OSError):
                self._journal.close()
            self._journal = None

    def close(self) -> None:
        """Let the journal go."""
        self._close_quietly()
        self._trouble, self._silent, self._active = "", 0.0, False
