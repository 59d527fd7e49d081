"""Questions about a draft: a quick answer when the hand rests, the exact one when it goes on resting; late ones are dropped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from mirrortui.config import MirrorConfig
from mirrortui.tui.background import in_thread
from mirrortui.tui.messages import Said
from mirrortui.tui.rooms import Cancelled, Checked, Pair, Picture, Rooms, Wrong
from mirrortui.tui.text import problem

if TYPE_CHECKING:  # it brings numpy, which the first frame does not wait for
    from mirrortui.selection.estimate import Estimate

REST = 0.09
"""Seconds without a change before computing starts: long enough for a typist, too short to be noticed."""
PAUSE = 0.5
"""Seconds after an approximate answer before the exact one is worth its work."""

Job = Callable[[Cancelled], Message | None]
"""Runs in a thread; the message is posted to the owner, None where there is nothing to say any more."""


class Asker:
    """Answers every `ask` but those that a newer one overtook."""

    def __init__(self, owner: Widget, rest: float = REST, pause: float = PAUSE) -> None:
        self._owner = owner
        self._rest, self._pause = rest, pause
        self._timer: Timer | None = None
        self._number = 0
        self._exact = False

    def ask(self, quick: Job, exact: Job) -> None:
        """Run `quick` soon, and `exact` where the quick answer says of itself that it is `approximate`."""
        number = self.cancel()
        self._timer = self._owner.set_timer(self._rest, lambda: self._begin(number, quick, exact))

    def cancel(self) -> int:
        """No answer is wanted any more; returns the number of the next question."""
        self._number += 1
        self._exact = False
        if self._timer is not None:
            self._timer.stop()
        return self._number

    def drop_exact(self) -> bool:
        """An exact answer that is to come, or under way, is not wanted any more; tells whether there was one."""
        was = self._exact
        if was:
            self.cancel()
        return was

    def _begin(self, number: int, job: Job, then: Job | None) -> None:
        self._owner.run_worker(self._answer(number, job, then), group="ask", exit_on_error=False)

    async def _answer(self, number: int, job: Job, then: Job | None) -> None:
        message = await in_thread(job, lambda: number != self._number)
        if number != self._number or message is None:
            return
        self._owner.post_message(message)
        self._exact = False
        if then is not None and getattr(message, "approximate", False):
            self._exact = True
            self._timer = self._owner.set_timer(self._pause, lambda: self._begin(number, then, None))


@dataclass
class Estimated(Message):
    """The newest draft's figures; `picture` is None where rules are wrong or it failed (`trouble`)."""

    config: MirrorConfig
    picture: Picture | None = None
    checked: Checked = field(default_factory=Checked)
    trouble: str = ""

    @property
    def wrong(self) -> Mapping[str, Wrong]:
        """What is wrong, by key."""
        return self.checked.wrong

    @property
    def approximate(self) -> bool:
        """Whether the exact figures are still to come."""
        return self.picture is not None and self.picture.estimate.approximate


@dataclass
class Refined(Message):
    """The exact figures of a draft."""

    config: MirrorConfig
    estimate: "Estimate"


class Estimator:
    """The live estimate of a draft."""

    def __init__(self, owner: Widget, rooms: Rooms) -> None:
        self._asker = Asker(owner)
        self._rooms = rooms
        self.drop_exact = self._asker.drop_exact

    def ask(self, config: MirrorConfig, others: tuple[Pair, ...]) -> None:
        """Compute this draft soon, unless another one is asked for first."""

        def quick(cancelled: Cancelled) -> Message | None:
            result = Estimated(config)
            try:
                result.checked = self._rooms.check(config)
                if not result.wrong and not cancelled():
                    result.picture = self._rooms.picture(config, others)
            except Exception as error:  # noqa: BLE001 - shown in words where the figures would be
                result.trouble = problem(error)
            return result

        def exact(cancelled: Cancelled) -> Message | None:
            try:
                estimate = self._rooms.exact(config, cancelled)
            except Exception as error:  # noqa: BLE001 - shown in words; the quick figures stay
                return Said(f"No exact estimate: {problem(error)}", "error")
            return None if estimate is None else Refined(config, estimate)

        self._asker.ask(quick, exact)
