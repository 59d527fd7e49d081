"""Plan: figures first, then a start that checks, asks, and never surprises."""

from dataclasses import replace

import pytest

from mirrortui.errors import BusyError, MirrorError
from mirrortui.tui.screens.confirm import Confirm
from mirrortui.tui.widgets.lines import width
from mirrortui.tui.widgets.plan_tables import summary
from tests.tui.driving import PATH, driven, make_app, running_app
from tests.tui.fake_rooms import BROKEN, GB, FakeRooms, ended, running, sample_config


def test_summary_fits_every_width() -> None:
    plan = FakeRooms().plan(sample_config())
    for cells in (58, 78, 118, 158):
        assert {width(one) for one in summary(plan, 8_000 * GB, "50 MB/s", cells)} == {cells}
    short = replace(plan, free=1)
    assert any("does NOT fit" in span[0] for one in summary(short, 8_000 * GB, "", 78) for span in one)


@driven
async def test_plan_confirm_start() -> None:
    rooms = FakeRooms()
    app = make_app(rooms, screen="plan")
    async with running_app(app) as d:
        await d.sees("580,592")
        await d.press("s")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.sees("outlives this login")
        assert app.focused is not None
        assert app.focused.id == "no", "the safe answer has the focus"
        await d.press("enter")
        await d.until(lambda: not isinstance(app.screen, Confirm))
        assert rooms.done == []
        await d.press("s")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("y")
        await d.until(lambda: ("start", PATH, False) in rooms.done)
        await d.until(lambda: app.current_mode == "sync")
        await d.sees("pytorch-gpu")


@driven
async def test_what_does_not_fit_is_refused_in_words() -> None:
    rooms = FakeRooms()
    rooms.free = 100 * GB
    app = make_app(rooms, screen="plan")
    async with running_app(app) as d:
        await d.sees("does NOT fit")
        await d.press("s")
        await d.until(lambda: "does NOT fit" in d.toasts())
        assert rooms.done == []


@driven
async def test_an_unsaved_draft_is_saved_first() -> None:
    rooms = FakeRooms()
    app = make_app(rooms)
    async with running_app(app) as d:
        await d.press("space", "2")
        await d.sees("add ")
        await d.until(lambda: d.screen.plan is not None)
        await d.press("s")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.sees("Save the draft first?")
        await d.press("y")
        await d.sees("Write mirror.toml?")
        await d.press("y")
        await d.sees("Start the sync?")
        await d.press("y")
        await d.until(lambda: [entry[0] for entry in rooms.done if entry[0] != "refresh"] == ["save", "start"])


@driven
async def test_a_plan_that_fails_says_why_and_can_be_tried_again() -> None:
    rooms = FakeRooms()
    rooms.fail_plan = MirrorError("cannot be read [/bad]", where="/srv/conda")
    app = make_app(rooms, screen="plan")
    async with running_app(app) as d:
        await d.sees("/srv/conda: cannot be read [/bad]")
        rooms.fail_plan = None
        await d.press("r")
        await d.sees("580,592")


@driven
async def test_it_plans_again_when_a_run_has_ended() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="plan")
    async with running_app(app) as d:
        await d.until(lambda: d.screen.plan is not None)
        first = d.screen.plan
        assert "start sync" not in d.text()
        rooms.snapshot = ended("done")
        await d.until(lambda: d.screen.plan is not None and d.screen.plan is not first)
        await d.until(lambda: "Run 12 ended: done" in d.toasts())
        await d.sees("start sync")


@driven
async def test_another_worker_was_faster() -> None:
    rooms = FakeRooms()

    def busy(path: object, *, allow_prune: bool) -> int:
        raise BusyError("another run is at work (process 4711)")

    rooms.start = busy  # type: ignore[method-assign,assignment]
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.press("s")
        await d.until(lambda: isinstance(app.screen, Confirm))
        assert app.current_mode == "plan", "a start goes by way of the plan"
        await d.press("y")
        await d.until(lambda: "another run is at work" in d.toasts())


@driven
async def test_palette_starts_with_the_prune_guard_off() -> None:
    rooms = FakeRooms()
    app = make_app(rooms, screen="plan")
    async with running_app(app) as d:
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "Start, allow a large prune" in titles
        command = next(c for c in app.get_system_commands(app.screen) if c.title == "Start, allow a large prune")
        command.callback()
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.sees("prune.max_share (20% of the mirror) is OFF")
        await d.sees("240 files (16.2 GB) will be DELETED")
        await d.sees("Delete 240 files (y)")
        await d.press("y")
        await d.until(lambda: ("start", PATH, True) in rooms.done)


WARNINGS = ("what leaves the metadata is deleted in this run, since [prune] grace is 0",)
REFUSALS = ("nothing will be deleted: 40 files would be deleted, 43% of the mirror",)


@pytest.mark.parametrize("size", [(60, 16), (60, 20), (80, 24), (120, 36)], ids=str)
def test_warnings_and_deletions_are_told_before_a_start(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.warnings, rooms.refusals, rooms.broken = WARNINGS, REFUSALS, BROKEN
        app = make_app(rooms, screen="plan")
        async with running_app(app, size) as d:
            await d.sees("prune due")
            await d.sees("2 warnings" if size[0] < 80 else "By subdir ")
            await d.press("s")
            await d.until(lambda: isinstance(app.screen, Confirm))
            await d.sees("240 files (16.2 GB) are due for deletion")
            await d.sees("! nothing will be deleted: 40 files would be deleted")
            await d.sees("Start (y)")
            assert "--confirm-prune" not in d.text()
            for _ in range(3):
                await d.press("pagedown")
            await d.sees("3 dependencies broken")
            await d.sees("Start (y)")
            assert app.focused is not None
            assert app.focused.id == "no"
            await d.press("n")
            await d.until(lambda: not isinstance(app.screen, Confirm))
            if size[0] >= 80:
                await d.sees("a allow ")
            await d.press("a")
            await d.sees("240 files (16.2 GB) will be DELETED")
            await d.sees("! what leaves the metadata is deleted")
            assert "nothing will be deleted" not in d.text().partition("guard?")[2].partition("Cancel")[0]
            await d.press("y")
            await d.until(lambda: ("start", PATH, True) in rooms.done)

    see()
