"""The live estimate's clock: wait until the hand rests, compute in a thread, drop what came too late."""

from dataclasses import dataclass, field

from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from mirrortui.config import MirrorConfig
from mirrortui.tui.background import in_thread
from mirrortui.tui.rooms import Pair, Picture, Rooms
from mirrortui.tui.text import problem

REST = 0.09
"""Seconds without a change before computing starts: long enough for a typist, too short to be noticed."""


@dataclass
class Estimated(Message):
    """The newest draft's figures; `picture` is None where rules are wrong (`errors`) or it failed (`trouble`)."""

    config: MirrorConfig
    picture: Picture | None = None
    errors: dict[str, str] = field(default_factory=dict)
    trouble: str = ""


class Estimator:
    """Answers every `ask` but those that a newer one overtook."""

    def __init__(self, owner: Widget, rooms: Rooms) -> None:
        self._owner = owner
        self._rooms = rooms
        self._timer: Timer | None = None
        self._asked = 0

    def ask(self, config: MirrorConfig, others: tuple[Pair, ...]) -> None:
        """Compute this draft soon, unless another one is asked for first."""
        self._asked += 1
        number = self._asked
        if self._timer is not None:
            self._timer.stop()

        def begin() -> None:
            self._owner.run_worker(self._compute(number, config, others), group="estimate", exit_on_error=False)

        self._timer = self._owner.set_timer(REST, begin)

    async def _compute(self, number: int, config: MirrorConfig, others: tuple[Pair, ...]) -> None:
        result = Estimated(config)
        try:
            result.errors = await in_thread(self._rooms.check, config)
            if number == self._asked and not result.errors:
                result.picture = await in_thread(self._rooms.picture, config, others)
        except Exception as error:  # noqa: BLE001 - shown in words where the figures would be
            result.trouble = problem(error)
        if number == self._asked:
            self._owner.post_message(result)
