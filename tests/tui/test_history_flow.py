"""History and health: what the journal, the tree and doctor say."""

from dataclasses import replace

import pytest

from mirrortui.errors import StateError
from mirrortui.mirror.snapshots import Snapshot as Frozen
from mirrortui.tui.glyphs import WARN
from mirrortui.tui.rooms import History
from mirrortui.tui.screens.ask import Ask
from mirrortui.tui.screens.history import HistoryScreen, frozen_rows, health_lines, run_rows
from mirrortui.tui.view import View
from mirrortui.worker.doctor import Finding
from tests.tui.driving import driven, make_app, running_app
from tests.tui.fake_rooms import NOW, PAST, FakeRooms, ended, past_run, running, sample_config

SIZES = [(60, 20), (80, 24), (120, 36)]
LONG = "http://127.0.0.1:9/conda-forge/linux-64/repodata.json.zst: broke off: error sending request: connection refused"


def test_a_run_that_was_cut_off_is_called_crashed() -> None:
    runs = (past_run(12, "running", 0.1), past_run(10, "running", 2))
    view = View(sample_config(), snapshot=running(), now=NOW)
    states = [row.cells[2] for row in run_rows(runs, view)]
    assert states == [("● running", ""), ("✗ crashed", "bad")]


def test_the_worst_comes_first_with_what_to_do() -> None:
    for width in (40, 58, 78, 118):
        lines = ["".join(span[0] for span in one) for one in health_lines(PAST.findings, width)]
        assert lines[0].startswith("✗ bad  state")
        assert any("Put it on" in one for one in lines)
        assert all(len(one) <= max(width, 46) for one in lines)
    assert "".join(span[0] for span in health_lines([Finding("x", "odd", "y")], 60)[0]).startswith("! odd")


@driven
async def test_runs_snapshots_and_health() -> None:
    rooms = FakeRooms()
    app = make_app(rooms)
    async with running_app(app) as d:
        await d.press("5")
        await d.until(lambda: isinstance(d.screen, HistoryScreen))
        await d.sees("✓ done")
        await d.sees("before-numpy2")
        await d.sees("SQLite does not work there")
        await d.press("down")
        await d.sees("3 files could not be had")
        await d.press("n")
        await d.until(lambda: ("history", True) in rooms.done)
        await d.press("r")
        await d.until(lambda: rooms.done.count(("history", False)) == 2)


@driven
async def test_a_run_that_ends_is_news() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="history")
    async with running_app(app) as d:
        await d.until(lambda: d.screen.history is not None)
        looks = len(rooms.done)
        rooms.snapshot = ended("done")
        await d.until(lambda: len(rooms.done) > looks)


@driven
async def test_nothing_yet_and_trouble() -> None:
    rooms = FakeRooms()
    rooms.past = History()
    app = make_app(rooms, screen="history")
    async with running_app(app) as d:
        await d.sees("no run yet")
        await d.sees("mirrortui snapshot create")
        rooms.past = StateError("cannot be read: [/bad]", where="/state/journal.db")
        await d.press("r")
        await d.sees("/state/journal.db: cannot be read: [/bad]")


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_history_tells_a_message_in_full(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        runs = (past_run(12, "done", 0.1), past_run(11, "partial", 1, f"{LONG}; {LONG}. Try once more."))
        rooms.past = History(runs, PAST.snapshots, PAST.findings)
        app = make_app(rooms, screen="history")
        async with running_app(app, size) as d:
            await d.until(lambda: d.screen.history is not None)
            await d.press("down")
            await d.sees("enter: all of it")
            await d.press("enter")
            await d.until(lambda: isinstance(app.screen, Ask))
            await d.sees("Try once more.")
            await d.press("pagedown", "pagedown", "pagedown")
            await d.sees("2412345")
            await d.press("escape")
            await d.until(lambda: not isinstance(app.screen, Ask))

    see()


def test_a_damaged_snapshot_is_marked_by_more_than_colour() -> None:
    good = Frozen("good", NOW, (("c", "noarch"),), 1, 2)
    first, second = frozen_rows([good, replace(good, name="bad", damaged="1 package missing")])
    assert first.cells[0] == ("good", "")
    assert second.cells[0] == (f"{WARN} bad", "warn")
    assert second.key == "bad"
