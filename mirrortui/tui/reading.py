"""Reading of indexes: one child process at a time, newest wishes next, progress at most four times a second."""

from collections.abc import Iterable

from textual.message import Message
from textual.widget import Widget

from mirrortui.config import MirrorConfig
from mirrortui.tui.rooms import Pair, Reading, Rooms
from mirrortui.tui.text import problem

PACE = 0.25
_ENDS = ("ready", "unchanged", "empty", "failed")


class ReadingsChanged(Message):
    """Some index is further along; `ready` where a new estimate is worth computing, `failed` what came to nothing."""

    def __init__(self, *, ready: bool = False, failed: tuple[Reading, ...] = ()) -> None:
        super().__init__()
        self.ready, self.failed = ready, failed


class IndexReader:
    """Keeps the state of every reading of this session; a pair that failed is not tried again unasked."""

    def __init__(self, owner: Widget, rooms: Rooms) -> None:
        self._owner = owner
        self._rooms = rooms
        self._config: MirrorConfig | None = None
        self._queue: list[Pair] = []
        self._running = False
        self._told = False
        self.readings: dict[Pair, Reading] = {}

    def want(self, config: MirrorConfig, pairs: Iterable[Pair], *, again: bool = False) -> None:
        """Read these indexes; `again` also those that were read or failed before."""
        self._config = config
        fresh = [p for p in pairs if p not in self._queue and (again or p not in self.readings)]
        fresh = [p for p in fresh if p not in self.readings or self.readings[p].phase in _ENDS]
        if not fresh:
            return
        self._queue += fresh
        self.readings |= {p: Reading(*p, "queued") for p in fresh}
        self._owner.post_message(ReadingsChanged())
        if not self._running:
            self._running = True
            self._owner.run_worker(self._work(), group="indexes", exit_on_error=False)

    async def _work(self) -> None:
        try:
            while self._queue and self._config is not None:
                batch, self._queue = self._queue, []
                await self._read(self._config, batch)
                failed = tuple(r for p in batch if (r := self.readings[p]).phase == "failed")
                self._owner.post_message(ReadingsChanged(ready=True, failed=failed))
        finally:
            self._running = False

    async def _read(self, config: MirrorConfig, batch: list[Pair]) -> None:
        trouble = "the reading ended early"
        try:
            async for reading in self._rooms.refresh(config, batch):
                self.readings[reading.channel, reading.subdir] = reading
                self._pace()
        except Exception as error:  # noqa: BLE001 - shown in words where the figures would be
            trouble = problem(error)
        for pair in batch:
            if self.readings[pair].phase not in _ENDS:
                self.readings[pair] = Reading(*pair, "failed", text=trouble)

    def _pace(self) -> None:
        if self._told:
            return
        self._told = True

        def tell() -> None:
            self._told = False
            self._owner.post_message(ReadingsChanged())

        self._owner.set_timer(PACE, tell)
