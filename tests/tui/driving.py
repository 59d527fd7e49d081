"""How tests drive the app: wait on conditions with a deadline, never on time."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mirrortui.config import MirrorConfig
from mirrortui.tui.app import MirrorApp
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.widgets.lines import Facts, LineView
from mirrortui.tui.widgets.rules_form import RulesForm
from tests.tui.fake_rooms import FakeRooms, sample_config

DEADLINE = 10.0
PATH = Path("/etc/mirrortui/mirror.toml")


def driven(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test to its end."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def make_app(rooms: FakeRooms, *, screen: str = "setup", fresh: bool = False, **options: Any) -> MirrorApp:
    """The app over fake rooms; with a saved mirror.toml unless `fresh`."""
    config: MirrorConfig = options.pop("config", None) or (rooms.fresh() if fresh else sample_config())
    saved = None if fresh else config
    return MirrorApp(rooms, config, saved=saved, path=None if fresh else PATH, screen=screen, **options)


class Driver:
    """An app under test."""

    def __init__(self, app: MirrorApp, pilot: Any) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> Any:
        return self.app.screen

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what or condition}; screen shows:\n{self.text()}"
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def sees(self, words: str) -> None:
        await self.until(lambda: words in self.text(), f"“{words}”")

    def text(self) -> str:
        """The screen as text, line by line."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()  # the screen as the terminal would get it
        return "\n".join("".join(segment.text for segment in strip).ljust(width) for strip in strips[:height])

    def toasts(self) -> str:
        return "\n".join(n.message for n in self.app._notifications)


@asynccontextmanager
async def running_app(app: MirrorApp, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Driver]:
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.until(lambda: isinstance(app.screen, RoomScreen) and app.current_mode == app.first_screen)
        if app.first_screen == "setup":
            await driver.until(lambda: app.screen.query_one(RulesForm).rows, "the fields")
        yield driver


def facts(widget: Facts | LineView) -> str:
    lines = widget.shown if isinstance(widget, Facts) else widget.lines
    return "\n".join("".join(span[0] for span in spans) for spans in lines)
