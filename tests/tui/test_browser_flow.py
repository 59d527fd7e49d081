"""Packages: thousands of names, a live filter, and keys that write rules into the draft."""

import threading
import time

import numpy as np
from textual.widgets import Input

from mirrortui.selection.nametable import NameTable
from mirrortui.selection.reasons import Reason
from mirrortui.tui.screens.ask import Ask
from mirrortui.tui.screens.browser import BrowserScreen
from mirrortui.tui.screens.setup import SetupScreen
from mirrortui.tui.widgets.lines import Facts
from mirrortui.tui.widgets.name_list import NameList
from tests.tui.driving import Driver, driven, facts, make_app, running_app
from tests.tui.fake_rooms import FakeRooms


async def opened(d: Driver) -> NameList:
    await d.press("b")
    await d.until(lambda: isinstance(d.screen, BrowserScreen))
    names = d.screen.query_one(NameList)
    await d.until(lambda: names.length)
    return names  # type: ignore[no-any-return]


def said(d: Driver) -> str:
    return facts(d.screen.query_one("#names-said", Facts))


@driven
async def test_names_with_marks_in_words() -> None:
    app = make_app(FakeRooms())
    async with running_app(app, (120, 36)) as d:
        await opened(d)
        await d.sees("■ in")
        await d.sees("1,204 of 2,310")
        await d.sees("◧ partly")
        await d.sees("□ out")
        await d.sees("dropped by “exclude”")
        await d.sees("12 names")
        await d.press("escape")
        await d.until(lambda: isinstance(d.screen, SetupScreen))


@driven
async def test_filter_keeps_the_cursor_on_its_name() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        names = await opened(d)
        for _ in range(4):
            await d.press("down")
        assert names.current == "numpy-base"
        await d.press("slash", *"num")
        await d.until(lambda: names.length == 2)
        assert names.current == "numpy-base"
        await d.press("up")
        await d.until(lambda: names.current == "numpy")
        await d.press("enter")
        await d.until(lambda: names.has_focus)
        await d.sees("2 of 12 names")
        await d.press("escape")
        await d.until(lambda: names.length == 12)
        assert names.current == "numpy"
        assert isinstance(d.screen, BrowserScreen)
        field = d.screen.query_one("#filter", Input)
        for text, count in (("!num", 10), ("^lib", 1), ("*z*", 3), ("zlib$", 1), ("xyzzy", 0), ("", 12)):
            field.value = text
            await d.until(lambda: names.length == count, text)  # noqa: B023 - awaited in the loop
        await d.press("o")
        await d.sees("by size")
        assert names.row_at(0).key == "python"


@driven
async def test_a_toggle_writes_a_rule_and_says_which_and_u_takes_it_back() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        names = await opened(d)
        before = app.current().config
        await d.press("down")
        assert names.current == "bzip2"
        await d.press("space")
        await d.until(lambda: "bzip2" in app.current().config.selection.exclude)
        assert "exclude += bzip2" in said(d)
        await d.until(lambda: names.row_at(1).cells[0] == ("□ out", "dim"))
        await d.press("space")
        await d.until(lambda: app.current().config == before)
        assert "exclude −= bzip2" in said(d)
        names.move_to(8)
        assert names.current == "readline"
        await d.press("space")
        await d.until(lambda: app.current().config.selection.always == ("readline",))
        assert "always += readline" in said(d)
        await d.press("u")
        await d.until(lambda: app.current().config == before)
        assert "took back always += readline" in said(d)
        names.move_to(10)
        await d.press("a")
        await d.until(lambda: app.current().config.selection.always == ("xz",))
        await d.press("1")
        await d.until(lambda: isinstance(d.screen, SetupScreen))
        await d.sees("unsaved")


@driven
async def test_a_rough_table_says_so_until_the_exact_one_is_there() -> None:
    rooms = FakeRooms()
    rooms.rough, rooms.hold_exact = True, threading.Event()
    app = make_app(rooms, screen="setup")
    async with running_app(app) as d:
        names = await opened(d)
        await d.sees("at most")
        await d.until(lambda: names.table is not None and names.table.approximate)
        rooms.hold_exact.set()
        await d.until(lambda: names.table is not None and not names.table.approximate)
        await d.until(lambda: "at most" not in d.text())


@driven
async def test_enter_explains_the_name() -> None:
    rooms = FakeRooms()
    app = make_app(rooms)
    async with running_app(app) as d:
        await opened(d)
        await d.press("down", "enter")
        await d.until(lambda: isinstance(app.screen, Ask))
        await d.until(lambda: ("explain", "bzip2") in rooms.done)
        await d.sees("3 records: 1 in, 2 out")
        await d.press("escape")
        await d.until(lambda: isinstance(app.screen, BrowserScreen))


@driven
async def test_a_name_that_no_rule_can_say_is_left_alone() -> None:
    rooms = FakeRooms()
    rooms.packages = {"[/bad] x": (1, 1, 1, Reason.WANTED)}
    app = make_app(rooms)
    async with running_app(app) as d:
        await opened(d)
        before = app.current().config
        await d.press("space")
        await d.until(lambda: "No rule written for [/bad] x" in d.toasts())
        assert app.current().config == before


@driven
async def test_trouble_is_told_in_words() -> None:
    rooms = FakeRooms()

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(5, "Input/output error", "/state/[/bad]")

    rooms.names = fail  # type: ignore[method-assign,assignment]
    app = make_app(rooms)
    async with running_app(app) as d:
        await d.press("b")
        await d.sees("/state/[/bad]: Input/output error")


def big_table(count: int = 31_000) -> NameTable:
    names = [f"{word}-{number:05d}" for number in range(count // 4) for word in ("py", "lib", "r", "web")]
    names.sort()
    ones = np.arange(len(names), dtype=np.int64) + 1
    reasons = np.zeros(len(names), np.uint8)
    return NameTable(names, ones, ones, ones * 1000, ones * 1000, reasons)


@driven
async def test_thirty_thousand_names_filter_within_a_frame_or_two() -> None:
    rooms = FakeRooms()
    table = big_table()
    rooms.names = lambda *_a, **_k: table  # type: ignore[method-assign]
    app = make_app(rooms)
    async with running_app(app) as d:
        names = await opened(d)
        assert names.length == 31_000
        field = d.screen.query_one("#filter", Input)
        took = []
        for text in ("w", "we", "web", "web-0", "web-00", "web-001", "", "*1*", "!5", ""):
            begun = time.perf_counter()
            field.value = text
            d.screen.on_input_changed(Input.Changed(field, text))
            for y in range(names.size.height):
                names.render_line(y)
            took.append(time.perf_counter() - begun)
        print(f"\nfilter to painted lines: median {sorted(took)[5] * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms")
        assert sorted(took)[5] < 0.05
        await d.until(lambda: names.length == 31_000)
        await d.press("end")
        await d.until(lambda: names.cursor == 30_999)
        await d.sees("web-07749")
