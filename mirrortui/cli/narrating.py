"""What a run in this process has to say, on stderr, while it is at work: under cron that is all there is."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from mirrortui.cli.output import say
from mirrortui.cli.telling import progress_line
from mirrortui.errors import MirrorError
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import Snapshot

EVERY = 0.5
"""Seconds between two looks."""


@contextlib.contextmanager
def narrated(state: Path) -> Iterator[None]:
    """Tell every event of the run that is done meanwhile, in order and once, up to its very last."""
    narrator, over = _Narrator(state), threading.Event()

    def work() -> None:
        while not over.wait(EVERY):
            narrator.look()
        narrator.look()  # what was written since, and all of a run that was shorter than a look

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Narrator:
    """Reads the journal as any viewer does; no connection stays open, so that the run's end can tidy it up."""

    def __init__(self, state: Path) -> None:
        self._reader = JournalReader(state, events=0, failures=0)
        self._before, self._last, self._shown = 0, 0, 0.0
        self._pause = 1 if sys.stderr.isatty() else 10
        with contextlib.suppress(MirrorError):
            self._before = max((run.id for run in self._reader.runs(1)), default=0)
        self._reader.close()

    def look(self) -> None:
        """Tell what is new."""
        try:
            snapshot = self._reader.snapshot()
            run = snapshot.run
            # Another process may have been quicker to begin a run, and this one has nothing to tell then.
            if run is not None and run.id > self._before and run.pid == os.getpid():
                self._tell(snapshot, run.id)
        except MirrorError:  # a journal that is busy is looked at again; one that is broken is told by the run
            return
        finally:
            self._reader.close()

    def _tell(self, snapshot: Snapshot, run: int) -> None:
        for event in self._reader.log(run, self._last):
            self._last = event.id
            say(event.text if event.level == "info" else f"{event.level}: {event.text}")
        transfers = snapshot.active and snapshot.run is not None and snapshot.run.phase == "transfer"
        if transfers and time.monotonic() - self._shown > self._pause:
            self._shown = time.monotonic()
            say(progress_line(snapshot))
