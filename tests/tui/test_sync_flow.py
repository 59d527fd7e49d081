"""Sync: what is shown is what the journal says; keys ask, and leaving leaves the worker alone."""

from dataclasses import replace

import pytest
from textual.widgets import Input

from mirrortui.errors import StateError
from mirrortui.tui.screens.confirm import Confirm, Prompt
from mirrortui.tui.widgets.line_table import LineTable
from mirrortui.tui.widgets.log_pane import LogPane
from mirrortui.tui.widgets.rate_line import RateLine
from mirrortui.worker.snapshot import Event, Snapshot
from tests.tui.driving import driven, facts, make_app, running_app
from tests.tui.fake_rooms import NOW, RUN, FakeRooms, crashed, ended, partial, paused, running


@driven
async def test_pause_is_asked_until_the_journal_says_so() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("syncing")
        await d.press("p")
        await d.until(lambda: ("pause", "") in rooms.done)
        await d.sees("pause asked, waiting for the worker")
        assert "paused" not in d.text()
        rooms.snapshot = running()
        await d.pilot.pause()
        assert "pause asked" in d.text(), "a newer picture of a running worker confirms nothing"
        rooms.snapshot = paused()
        await d.sees("p resumes")
        await d.press("p")
        await d.until(lambda: ("resume", "") in rooms.done)
        rooms.snapshot = running()
        await d.until(lambda: "asked" not in d.text())


@driven
async def test_stop_asks_and_a_dead_worker_is_told() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("syncing")
        await d.press("x")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("escape")
        await d.until(lambda: not isinstance(app.screen, Confirm))
        assert rooms.done == []
        await d.press("x")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("y")
        await d.until(lambda: ("stop", "") in rooms.done)
        await d.sees("stop asked")
        rooms.snapshot = ended("stopped")
        await d.sees("stopped")
        await d.until(lambda: "asked" not in d.text())


@driven
async def test_limit_is_checked_and_sent_in_bytes() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("syncing")
        await d.press("l")
        await d.until(lambda: isinstance(app.screen, Prompt))
        field = app.screen.query_one(Input)
        assert field.value == "50.0 MB/s"
        field.value = "fast"
        await d.sees("is no rate")
        await d.press("enter")
        assert isinstance(app.screen, Prompt)
        field.value = "20 MB/s"
        await d.press("enter")
        await d.until(lambda: ("limit", "20000000") in rooms.done)


@driven
async def test_detaching_says_that_the_sync_goes_on() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("syncing")
        await d.press("q")
        await d.until(lambda: not app.is_running)
    assert rooms.done == []
    assert app.farewell.startswith("The sync goes on (run 12, process 4711). Open mirrortui again to watch")


@driven
async def test_retry_in_a_run_is_a_command_and_after_it_a_new_run() -> None:
    rooms = FakeRooms()
    rooms.snapshot = replace(partial(), state="running", run=RUN)
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("Failed 3")
        await d.press("r")
        await d.until(lambda: ("retry", "") in rooms.done)
        await d.until(lambda: "when the other transfers are in" in d.toasts())
        rooms.snapshot = partial()
        await d.sees("partial, 3 failed")
        await d.press("r")
        await d.until(lambda: app.current_mode == "plan")
        await d.until(lambda: isinstance(app.screen, Confirm))


@driven
async def test_freeze_holds_the_picture_but_not_the_header() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("pytorch-gpu")
        await d.press("f")
        await d.sees("view frozen")
        rooms.snapshot = ended("done")
        await d.sees("✓ done")
        assert "pytorch-gpu" in d.text()
        await d.press("f")
        await d.until(lambda: "pytorch-gpu" not in d.text())


@driven
async def test_zoom_and_panes_also_when_narrow() -> None:
    rooms = FakeRooms()
    rooms.snapshot = replace(partial(), state="running", run=RUN)
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("Failed 3")
        assert "Log" in d.text()
        await d.press("z")
        await d.until(lambda: " Log " not in d.text())
        await d.press("tab", "tab", "tab")
        await d.sees(" Log ")
        await d.press("z")
        await d.sees(" Subdirs ")
        await d.pilot.resize_terminal(60, 16)
        await d.until(lambda: " Subdirs " not in d.text())
        await d.sees(" Log ")
        await d.press("tab")
        await d.sees(" Subdirs ")
        await d.pilot.resize_terminal(50, 12)
        await d.sees("at least 60")
        await d.pilot.resize_terminal(80, 24)
        await d.sees(" Log ")


@driven
async def test_log_follows_until_somebody_scrolls_up() -> None:
    rooms = FakeRooms()
    events = tuple(Event(i, NOW, "info", f"line {i}") for i in range(1, 61))
    rooms.snapshot = replace(running(), events=events)
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("line 60")
        log = d.screen.query_one(LogPane)
        log.focus()
        await d.press("g")
        await d.until(lambda: "line 60" not in d.text())
        more = (*events, Event(61, NOW, "error", "line 61"), Event(62, NOW, "info", "line 62"))
        rooms.snapshot = replace(running(), events=more)
        await d.sees("2 new below")
        assert "line 62" not in d.text()
        await d.press("G")
        await d.sees("line 62")
        assert "new below" not in d.text()
        assert "error: line 61" in facts(log)


@driven
async def test_log_is_bounded() -> None:
    rooms = FakeRooms()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        log = d.screen.query_one(LogPane)
        for first in range(1, 2000, 200):
            log.show(1, [Event(i, NOW, "info", f"line {i}") for i in range(first, first + 200)])
        assert len(log.lines) == 1000


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (Snapshot("idle"), "No run yet. Press s"),
        (crashed(), "The worker is gone (last sign 14 min ago)"),
        (partial(), "hash 1, missing 1, size 1"),
        (ended("done"), "added 32,544"),
        (
            ended("failed", run=replace(RUN, state="failed", ended=NOW, message="/srv/conda is full")),
            "/srv/conda is full",
        ),
        (replace(running(), state="stopping"), "stopping: what was received is kept"),
        (StateError("is of another version of this program (7)", where="journal.db"), "another version"),
    ],
    ids=["idle", "crashed", "partial", "done", "failed", "stopping", "other-version"],
)
def test_every_state_is_told_in_words(snapshot: Snapshot | Exception, words: str) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.snapshot = snapshot
        app = make_app(rooms, screen="sync")
        async with running_app(app) as d:
            await d.until(lambda: words in facts(d.screen.query_one(RateLine)), words)

    see()


@driven
async def test_a_quiet_worker_is_told() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    rooms.heartbeat = 42.0
    app = make_app(rooms, screen="sync", refresh_hz=10.0)
    async with running_app(app) as d:
        await d.sees("gave no sign for 42 s")
        await d.sees("no sign for 42 s")


@driven
async def test_a_command_nobody_hears_is_not_shown_as_asked() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("syncing")
        app.screen.action_pause()
        rooms.snapshot = ended("done")
        await d.sees("✓ done")
        await d.until(lambda: "asked" not in facts(d.screen.query_one(RateLine)))


@driven
async def test_only_cells_that_differ_are_repainted(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("qt6-main")
        table = d.screen.query_one("#flights", LineTable)
        seen: list[object] = []
        refresh = table.refresh
        monkeypatch.setattr(table, "refresh", lambda *regions, **k: (seen.extend(regions), refresh(*regions, **k))[1])
        flights = list(running().in_flight)
        flights[2] = replace(flights[2], rate=5_000_000.0)
        rooms.snapshot = replace(running(), in_flight=tuple(flights))
        await d.sees("5.0 MB/s")
        assert len(seen) == 1
        assert getattr(seen[0], "height", 0) == 1
        assert getattr(seen[0], "width", 99) <= 17, "from the left edge to the rate"
