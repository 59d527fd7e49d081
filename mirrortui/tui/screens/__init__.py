"""One screen, one file, one .tcss."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrortui.tui.rooms import Rooms
    from mirrortui.tui.screens.base import RoomScreen
    from mirrortui.tui.view import View


def make_screen(mode: str, current: "Callable[[], View]", rooms: "Rooms") -> "RoomScreen":
    """The screen of a mode; its code is imported now, so that the first frame waits for one screen only."""
    if mode == "plan":
        from mirrortui.tui.screens.plan import PlanScreen

        return PlanScreen(current, rooms)
    if mode == "sync":
        from mirrortui.tui.screens.sync import SyncScreen

        return SyncScreen(current)
    if mode == "clients":
        from mirrortui.tui.screens.clients import ClientsScreen

        return ClientsScreen(current, rooms)
    if mode == "history":
        from mirrortui.tui.screens.history import HistoryScreen

        return HistoryScreen(current, rooms)
    from mirrortui.tui.screens.setup import SetupScreen

    return SetupScreen(current, rooms)
