"""Clients: preview, difference, write with a receipt, undo."""

from dataclasses import replace
from pathlib import Path

from textual.widgets import Input

from mirrortui.tui.screens.confirm import Confirm
from mirrortui.tui.widgets.diff_view import DiffView
from tests.tui.driving import driven, facts, make_app, running_app
from tests.tui.fake_rooms import RUN, FakeRooms, ended, running


@driven
async def test_preview_diff_write_undo() -> None:
    rooms = FakeRooms()
    rooms.client_warnings = ("A proxy is set: conda will ask it for the mirror too.",)
    app = make_app(rooms, screen="clients")
    async with running_app(app) as d:
        await d.sees("channel_alias")
        await d.sees("A proxy is set")
        await d.press("d")
        await d.sees("-  - defaults")
        await d.sees("+  - conda-forge")
        await d.press("w")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.sees("mode 0600")
        assert app.focused is not None
        assert app.focused.id == "no"
        await d.press("y")
        await d.until(lambda: ("write", rooms.home / ".condarc") in rooms.done)
        await d.until(lambda: "u puts it back" in d.toasts())
        await d.sees("The file says this")
        await d.press("u")
        await d.until(lambda: ("undo", rooms.home / ".condarc") in rooms.done)
        await d.until(lambda: rooms.present == "channels:\n  - defaults\n")


@driven
async def test_profiles_change_file_and_lock() -> None:
    app = make_app(FakeRooms(), screen="clients")
    async with running_app(app) as d:
        await d.sees("channel_alias")
        await d.press("down", "down")
        await d.sees("#!final")
        assert app.screen.query_one("#client-target", Input).value == "/etc/conda/.condarc"


@driven
async def test_address_and_file_can_be_edited_and_errors_are_words() -> None:
    rooms = FakeRooms()
    app = make_app(rooms, screen="clients")
    async with running_app(app) as d:
        await d.sees("channel_alias")
        app.screen.query_one("#client-url", Input).value = "file:///srv/conda"
        await d.sees("channel_alias: file:///srv/conda")
        app.screen.query_one("#client-target", Input).value = "condarc"
        await d.until(lambda: "absolute path" in d.text())
        app.screen.query_one("#client-target", Input).value = "/tmp/x/.condarc"
        await d.until(lambda: d.screen.preview is not None and d.screen.preview.path == Path("/tmp/x/.condarc"))
        app.screen.query_one("#client-url", Input).value = "http://a b"
        await d.until(lambda: "is no URL" in d.text())
        await d.press("w")
        assert not isinstance(app.screen, Confirm), "nothing to write while the preview is wrong"


@driven
async def test_read_only_previews_but_does_not_write() -> None:
    rooms = FakeRooms()
    app = make_app(rooms, screen="clients", read_only=True)
    async with running_app(app) as d:
        await d.sees("channel_alias")
        await d.press("w")
        await d.pilot.pause()
        assert not isinstance(app.screen, Confirm)
        assert rooms.done == []


@driven
async def test_the_file_is_diffed_from_nothing_when_new() -> None:
    rooms = FakeRooms()
    rooms.present = ""
    app = make_app(rooms, screen="clients")
    async with running_app(app) as d:
        await d.until(lambda: "(no file yet)" in facts(d.screen.query_one(DiffView)))
        await d.sees("This file is not there")


@driven
async def test_it_is_read_again_when_a_run_ends() -> None:
    rooms = FakeRooms()
    rooms.snapshot = running()
    rooms.client_warnings = ("nothing is mirrored yet",)
    app = make_app(rooms, screen="clients")
    async with running_app(app) as d:
        await d.sees("nothing is mirrored yet")
        await d.until(lambda: d.screen.view.active)
        rooms.client_warnings = ("noarch is mirrored",)
        rooms.snapshot = ended("done")
        await d.sees("noarch is mirrored")
        done = rooms.snapshot.run or RUN
        rooms.client_warnings = ("linux-64 is mirrored",)
        rooms.snapshot = ended("done", run=replace(done, id=done.id + 1))
        await d.sees("linux-64 is mirrored")


@driven
async def test_it_is_read_again_when_it_is_shown_and_what_is_old_is_not_written() -> None:
    rooms = FakeRooms()
    app = make_app(rooms, screen="clients")
    async with running_app(app) as d:
        await d.until(lambda: d.screen.preview is not None)
        old = d.screen.preview
        await d.press("1")
        await d.until(lambda: app.current_mode == "setup")
        rooms.client_warnings = ("a channel came in",)
        await d.press("4")
        await d.until(lambda: app.current_mode == "clients")
        assert d.screen.preview is not old
        await d.sees("a channel came in")
        await d.until(lambda: d.screen.preview is not None)
