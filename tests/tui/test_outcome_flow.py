"""What went wrong is told in full, with what to do about it, and the key that does it."""

from dataclasses import replace

import pytest

from mirrortui.tui.screens.confirm import Confirm
from mirrortui.tui.screens.page import Page
from mirrortui.tui.view import View
from mirrortui.tui.widgets.lines import width
from mirrortui.tui.widgets.log_pane import LogPane
from mirrortui.tui.widgets.outcome import MOST, held_up, outcome_lines
from mirrortui.tui.widgets.rate_line import RateLine, figures_line
from mirrortui.tui.widgets.transfer_table import failure_lines, failure_rows, flight_rows
from mirrortui.worker.advice import ADVICE
from mirrortui.worker.snapshot import Event, Failure, Snapshot
from tests.tui import fake_rooms
from tests.tui.driving import PATH, driven, facts, make_app, running_app
from tests.tui.fake_rooms import (
    FAILURES,
    NOW,
    RUN,
    FakeRooms,
    ended,
    failing,
    guarded,
    partial,
    running,
)

SIZES = [(60, 20), (80, 24), (120, 36)]
LONG = "http://127.0.0.1:9/conda-forge/linux-64/repodata.json.zst: broke off: error sending request: connection refused"


def words(snapshot: Snapshot, cells: int = 78, **changes: object) -> str:
    view = View(fake_rooms.sample_config(), snapshot=snapshot, now=NOW, **changes)  # type: ignore[arg-type]
    lines = outcome_lines(view, "", cells)
    assert all(width(one) <= cells for one in lines)
    return "\n".join("".join(span[0] for span in one) for one in lines)


# ------------------------------------------------------------------------------------------- what failed


def test_the_text_does_not_begin_with_the_path_again() -> None:
    cells = [row.cells for row in failure_rows(FAILURES)]
    assert [c[3] for c in cells][1:] == ["is listed but not there (404)", "has 2101234 bytes, its record says 2412345"]
    other = Failure("c", "noarch", "a.conda", "index", "http://h/c: was answered 503")
    assert failure_rows([other])[0].cells[3] == "was answered 503"
    told = "".join(span[0] for one in failure_lines(other, 60) for span in one)
    assert "http://h/c: was answered 503" in told
    odd = Failure("c", "noarch", "a.conda", "index", "was answered by http://h/c: 503")
    assert failure_rows([odd])[0].cells[3] == odd.text


@pytest.mark.parametrize("cells", [40, 56, 74])
def test_all_of_a_failure_is_told_with_advice(cells: int) -> None:
    for reason, advice in ADVICE.items():
        failure = Failure("conda-forge", "osx-arm64", "zstd-1.5.5-h4f39d0f_0.conda", reason, LONG)
        lines = failure_lines(failure, cells)
        assert all(width(one) <= cells for one in lines)
        told = " ".join("".join(span[0] for span in one) for one in lines)
        assert advice.split()[-1] in told
        assert "connection refused" in told
    assert failure_lines(Failure("c", "s", "f", "odd", ""), cells)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_enter_on_what_failed_tells_all_of_it(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.snapshot = failing()
        app = make_app(rooms, screen="sync")
        async with running_app(app, size) as d:
            await d.until(lambda: d.screen.has_class("-failed"))
            d.screen.focus_stop(d.screen.query_one("#failures"))
            await d.sees("Failed 3, enter tells more, r retries at the end")
            await d.press("down", "enter")
            await d.until(lambda: isinstance(app.screen, Page))
            await d.sees("uv-0.9.2-h30787bc_0.conda")
            await d.sees("is listed but not there (404)")
            await d.sees("The index names it")
            await d.press("enter")
            await d.until(lambda: not isinstance(app.screen, Page))
            await d.press("r")
            await d.until(lambda: ("retry", "") in rooms.done)

    see()


@pytest.mark.parametrize("pane", ["#subdirs", "#flights", "#failures", "LogPane"])
def test_enter_tells_why_from_every_pane(pane: str) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.snapshot = running()
        app = make_app(rooms, screen="sync")
        async with running_app(app, (120, 36)) as d:
            await d.sees("libarrow")
            if pane != "#failures":
                d.screen.focus_stop(d.screen.query_one(pane))
            await d.press("enter")
            assert not isinstance(app.screen, Page), "nothing has failed"
            rooms.snapshot = failing()
            await d.until(lambda: d.screen.has_class("-failed"))
            d.screen.focus_stop(d.screen.query_one(pane))
            await d.press("enter")
            await d.until(lambda: isinstance(app.screen, Page))
            await d.sees(FAILURES[0].fn)

    see()


@driven
async def test_enter_tells_why_where_no_subdir_is_planned_and_a_click_beside_it_does_not() -> None:
    rooms = FakeRooms()
    rooms.snapshot = failing()
    app = make_app(rooms, screen="sync")
    async with running_app(app, (120, 36)) as d:
        await d.until(lambda: d.screen.has_class("-failed"))
        await d.pilot.click("#subdirs", offset=(3, 3))
        await d.pilot.click("#subdirs", offset=(3, 3))
        assert not isinstance(app.screen, Page)
        rooms.snapshot = replace(failing(), subdirs=())
        await d.sees("nothing planned yet")
        assert app.focused is d.screen.query_one("#subdirs")
        await d.press("enter")
        await d.until(lambda: isinstance(app.screen, Page))


@driven
async def test_retry_is_offered_as_long_as_files_come() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("p pause")
        assert "r retry" not in d.text()
        rooms.snapshot = failing()
        await d.sees("r retry")
        rooms.snapshot = replace(failing(), run=replace(RUN, phase="publish"))
        await d.until(lambda: "r retry" not in d.text())
        await d.until(lambda: "r retries" not in d.text())


@driven
async def test_an_index_that_could_not_be_read_is_among_what_failed() -> None:
    rooms = FakeRooms()
    lost = Failure("bioconda", "noarch", "repodata.json", "index", "http://127.0.0.1:9/bioconda: was answered 503")
    run = replace(RUN, state="partial", ended=NOW, exit_code=3, message="bioconda: not updated (was answered 503)")
    rooms.snapshot = ended("partial", problems=(lost,), run=run)
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("bioconda: not updated (was answered 503)")
        await d.sees("r tries again")
        await d.sees("Failed 1, enter tells more")
        await d.press("tab", "enter")
        await d.sees("Without its index the channel stays as it was")
        await d.press("escape", "r")
        await d.until(lambda: app.current_mode == "plan")


# ----------------------------------------------------------------------------------------- how it ended


@pytest.mark.parametrize("cells", [58, 78, 118])
def test_a_message_is_not_cut(cells: int) -> None:
    failed = ended("failed", run=replace(RUN, state="failed", ended=NOW, message=LONG))
    told = words(failed, cells)
    assert "connection refused" in told.replace("\n", " ")
    assert told.endswith("s tries again")
    endless = words(ended("failed", run=replace(RUN, state="failed", ended=NOW, message=f"{LONG} " * 9)), cells)
    assert endless.count("\n") == MOST - 1
    assert "…" in endless


def test_what_is_said_of_a_partial_run() -> None:
    assert words(partial()).endswith("hash 1, missing 1, size 1  r tries them again")
    told = words(guarded(), 118).replace("\n", " ")
    assert "nothing was deleted: 40 files would be deleted, 43% of the mirror" in told
    assert told.endswith("a allows it for one run (asks)")
    both = replace(partial(), run=guarded().run)
    assert words(both).replace("\n", " ").endswith("a allows it for one run (asks), r tries them again")
    stopped = replace(partial(), state="stopped", run=replace(RUN, state="stopped", ended=NOW, message="by op"))
    assert words(stopped).endswith("by op  s goes on where it was"), "r is for a run that went through"
    assert "asks" not in words(guarded(), bystander="This account can only watch."), (
        "no keys for those who may not use them"
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_the_guard_refused_can_be_allowed(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.snapshot = guarded()
        app = make_app(rooms, screen="sync")
        async with running_app(app, size) as d:
            await d.sees("a allow ")
            assert "r retry" not in d.text(), "the guard would say no again"
            await d.press("a")
            await d.until(lambda: isinstance(app.screen, Confirm))
            await d.sees("240 files (16.2 GB) will be DELETED")
            await d.sees("OFF for")
            assert app.focused is not None
            assert app.focused.id == "no", "the safe answer has the focus"
            await d.press("n")
            await d.until(lambda: not isinstance(app.screen, Confirm))
            assert ("start", PATH, True) not in rooms.done
            await d.press("3", "a")
            await d.until(lambda: isinstance(app.screen, Confirm))
            await d.sees("Delete 240 files (y)")
            await d.press("y")
            await d.until(lambda: ("start", PATH, True) in rooms.done)

    see()


@driven
async def test_the_allowance_is_not_offered_otherwise() -> None:
    rooms = FakeRooms()
    rooms.snapshot = partial()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("partial, 3 failed")
        assert "a allow" not in d.text()
        await d.press("a")
        assert app.current_mode == "sync"


@driven
async def test_the_question_before_a_stop_is_true() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("syncing")
        await d.press("x")
        await d.sees("Transfers are cut at once. What was received of them is kept")
        await d.press("n")
        rooms.snapshot = replace(running(), run=replace(RUN, phase="publish"))
        await d.sees("publishing")
        await d.press("x")
        await d.sees("What is being written is finished first")


# ------------------------------------------------------------------------------------- pauses and limits


def test_paused_transfers_have_no_rate() -> None:
    assert {row.cells[1] for row in flight_rows(running().in_flight, paused=True)} == {("paused", "dim")}
    figures = "".join(span[0] for span in figures_line(replace(RUN, rate=433_000.0), "paused", NOW, 78))
    assert figures.startswith("paused ")
    assert "433" not in figures


def test_the_limit_in_force_is_seen_at_80_columns() -> None:
    figures = "".join(span[0] for span in figures_line(replace(RUN, limit=500_000), "running", NOW, 78))
    assert "limit 500 kB/s" in figures
    free = "".join(span[0] for span in figures_line(replace(RUN, limit=0), "running", NOW, 158))
    assert "limit none" in free


@driven
async def test_the_highest_rate_is_not_taken_for_the_limit() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("limit 50.0 MB/s")
        assert "peak" not in facts(d.screen.query_one(RateLine))
        rooms.snapshot = replace(running(), run=replace(RUN, id=13, limit=0))
        await d.sees("peak 12.3 MB/s")
        await d.pilot.resize_terminal(120, 36)
        rooms.snapshot = replace(running(), run=replace(RUN, id=14))
        await d.sees("peak 12.3 MB/s")
        await d.sees("limit 50.0 MB/s")


def test_transfers_that_wait_say_why() -> None:
    snapshot = fake_rooms.held_up()
    assert [row.cells[1] for row in flight_rows(snapshot.in_flight)][:3] == [
        "3.1 MB/s",
        "1.2 MB/s",
        ("host busy", "warn"),
    ]
    assert words(snapshot) == "6 of 8 wait 40 s: too many requests, says the upstream"
    one = replace(running(), in_flight=(replace(running().in_flight[0], waiting="server"), *running().in_flight[1:]))
    assert held_up(one) == "", "between two attempts is no reason to worry"
    assert flight_rows(one.in_flight)[0].cells[1] == ("server", "warn")
    assert held_up(running()) == held_up(replace(running(), in_flight=())) == ""


# --------------------------------------------------------------------------------------------- the log


@driven
async def test_long_lines_of_the_log_are_wrapped_to_the_width() -> None:
    rooms = FakeRooms()
    end = "conda-forge/osx-arm64/zstd-1.5.5-h4f39d0f_0.conda is listed but not there (404)"
    rooms.snapshot = replace(running(), events=(Event(1, NOW, "error", end), Event(2, NOW, "info", "short")))
    app = make_app(rooms, screen="sync")
    async with running_app(app) as d:
        await d.sees("not there (404)")
        log = d.screen.query_one(LogPane)
        assert len(log.lines) == 3
        await d.pilot.resize_terminal(60, 20)
        d.screen.focus_stop(log)
        await d.until(lambda: len(log.lines) == 3 and width(log.lines[0]) <= 58)
        await d.sees("not there (404)")
        await d.pilot.resize_terminal(200, 24)
        await d.until(lambda: len(log.lines) <= 3)
        await d.sees("not there (404)")


@driven
async def test_the_rate_is_never_above_its_peak() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    app = make_app(rooms, screen="sync")
    async with running_app(app, (120, 36)) as d:
        await d.sees("peak 12.3 MB/s")
        rooms.snapshot = replace(running(), run=replace(RUN, rate=13.5e6))
        await d.sees("peak 13.5 MB/s")
        rooms.snapshot = running()
        await d.sees("peak 13.5 MB/s")
