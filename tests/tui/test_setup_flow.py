"""Setup: ticks and rules change the estimate; the draft is saved, undone, and never lost unasked."""

import asyncio
from pathlib import Path

from textual.widgets import Input

from mirrortui.tui.screens.add_channel import AddChannel
from mirrortui.tui.screens.confirm import Confirm, Prompt
from mirrortui.tui.widgets.check_tree import CheckTree
from mirrortui.tui.widgets.estimate_panel import EstimatePanel
from mirrortui.tui.widgets.rules_form import RulesForm
from tests.tui.driving import driven, facts, make_app, running_app
from tests.tui.fake_rooms import FakeRooms


@driven
async def test_a_tick_changes_figures_and_draft() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        panel = d.screen.query_one(EstimatePanel)
        await d.until(lambda: "1,451,484" in facts(panel), "the first estimate")
        await d.press("down", "down", "space")
        assert "linux-64" not in app.current().config.channels[0].subdirs
        assert "…" in str(panel.border_title)
        assert "1,451,484" in facts(panel), "the former figures stay until the new ones are there"
        await d.until(lambda: "628,093" in facts(panel), "the new estimate")
        await d.sees("unsaved")
        await d.press("up", "up", "a")
        await d.until(lambda: len(app.current().config.channels[0].subdirs) == 6)
        await d.press("a")
        await d.until(lambda: app.current().config.channels[0].subdirs == ())


@driven
async def test_folding_keeps_the_cursor_on_its_channel() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        tree = d.screen.query_one(CheckTree)
        await d.until(lambda: len(tree.rows) == 14)
        await d.press("down", "down", "left", "left")
        await d.until(lambda: len(tree.rows) == 8)
        assert tree.pair == ("conda-forge", "")
        await d.press("enter")
        await d.until(lambda: len(tree.rows) == 14)


@driven
async def test_rules_are_live_and_errors_are_in_words() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        panel = d.screen.query_one(EstimatePanel)
        await d.until(lambda: "1,451,484" in facts(panel))
        field = d.screen.query_one("#selection-include", Input)
        field.value = '"numpy >=1.20,<2" scipy'
        await d.until(lambda: app.current().config.selection.include == ("numpy >=1.20,<2", "scipy"))
        await d.until(lambda: "1,451,484" not in facts(panel), "the narrower estimate")
        former = facts(panel)
        field.value = "numpy>=>1"
        await d.sees("numpy>=>1")
        await d.sees("^ column 6")
        await d.sees("“>=>1” is no version.")
        assert facts(panel) == former
        await d.press("escape")
        d.screen.action_save()
        await d.until(lambda: "Not saved" in d.toasts())
        field.value = '"numpy'
        await d.sees("quotation mark")
        d.screen.action_save()
        await d.until(lambda: "quotation mark" in d.toasts())


@driven
async def test_letters_in_a_field_are_text_and_choices_turn() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        await d.press("tab")
        name = d.screen.query_one("#mirror-name", Input)
        await d.until(lambda: app.focused is name)
        await d.press("q", "s", "end", "x")
        assert name.value.endswith("x")
        assert app.is_running
        await d.press("down", "down", "down", "down")
        await d.until(lambda: app.focused is d.screen.query_one("#selection-exclude"))
        d.screen.query_one("#selection-formats").focus()
        await d.press("right")
        await d.until(lambda: app.current().config.selection.formats == "conda")
        await d.press("escape")
        await d.until(lambda: app.focused is d.screen.query_one(CheckTree))


@driven
async def test_save_shows_the_difference_and_asks() -> None:
    rooms = FakeRooms()
    app = make_app(rooms)
    async with running_app(app) as d:
        await d.press("down", "down", "down", "space", "w")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.sees("linux-aarch64")
        assert app.focused is not None
        assert app.focused.id == "no"
        await d.press("enter")
        await d.until(lambda: not isinstance(app.screen, Confirm))
        assert rooms.done == []
        await d.press("w")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("y")
        await d.until(lambda: not app.current().unsaved)
        assert rooms.done == [("save", Path("/etc/mirrortui/mirror.toml"))]
        assert "unsaved" not in d.text()


@driven
async def test_undo_asks_and_restores() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        saved = app.current().config
        await d.press("space", "u")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("y")
        await d.until(lambda: app.current().config == saved)


@driven
async def test_first_run_asks_for_the_place_and_the_state_follows_the_name() -> None:
    rooms = FakeRooms()
    app = make_app(rooms, fresh=True)
    async with running_app(app) as d:
        await d.sees("press n to add")
        d.screen.query_one("#mirror-name", Input).value = "hpc"
        await d.until(lambda: app.current().config.mirror.state.endswith("/hpc"))
        await d.press("ctrl+s")
        await d.until(lambda: isinstance(app.screen, Prompt))
        await d.sees("mirror.toml")
        await d.press("enter")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("y")
        await d.until(lambda: ("save", rooms.home / ".config/mirrortui/mirror.toml") in rooms.done)
        await d.until(lambda: app.current().path == rooms.home / ".config/mirrortui/mirror.toml")


@driven
async def test_adding_pkgs_main_shows_the_terms_and_waits_for_a_yes() -> None:
    rooms = FakeRooms()
    app = make_app(rooms)
    async with running_app(app) as d:
        await d.press("n")
        await d.until(lambda: isinstance(app.screen, AddChannel))
        await d.press(*"pkgs/main")
        await d.until(lambda: app.screen.query_one("#url", Input).value == "https://repo.anaconda.com/pkgs/main")
        await d.sees("terms of service")
        await d.press("enter")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("escape")
        await d.until(lambda: isinstance(app.screen, AddChannel))
        assert len(app.current().config.channels) == 2
        await d.press("enter")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("y")
        await d.until(lambda: len(app.current().config.channels) == 3)
        added = app.current().config.channels[2]
        assert added.name == "pkgs/main"
        assert added.upstreams == ("https://repo.anaconda.com/pkgs/main",)
        assert added.subdirs == ("noarch", "linux-64")


@driven
async def test_a_name_of_ones_own_and_bad_names() -> None:
    app = make_app(FakeRooms())
    async with running_app(app, (60, 16)) as d:
        await d.press("n")
        await d.until(lambda: isinstance(app.screen, AddChannel))
        app.screen.query_one("#name", Input).value = "noarch-stuff"
        await d.pilot.pause()
        await d.press("enter")
        await d.sees("conda takes")
        app.screen.query_one("#name", Input).value = "our-lab"
        await d.until(lambda: app.screen.query_one("#url", Input).value.endswith("/our-lab"))
        await d.press("enter")
        await d.until(lambda: app.current().config.channels[-1].name == "our-lab")


@driven
async def test_indexes_that_are_missing_are_read_at_once() -> None:
    rooms = FakeRooms()
    rooms.unread = {("bioconda", "noarch"), ("bioconda", "linux-64")}
    rooms.broken_reads = {("bioconda", "noarch"): "https://host/x: HTTP 503 [/bad]"}
    rooms.hold_reads = asyncio.Event()
    app = make_app(rooms)
    async with running_app(app) as d:
        await d.sees("reading… 12.3 MB")
        await d.sees("2 indexes not read yet")
        rooms.hold_reads.set()
        await d.sees("137,721")
        await d.sees("failed: HTTP 503 [/bad]")
        await d.until(lambda: "bioconda/noarch: https://host/x: HTTP 503 [/bad]" in d.toasts())
        assert [entry for entry in rooms.done if entry[0] == "refresh"] == [
            ("refresh", (("bioconda", "noarch"), ("bioconda", "linux-64")))
        ]


@driven
async def test_remove_asks() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        await d.press("x")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("y")
        await d.until(lambda: [c.name for c in app.current().config.channels] == ["bioconda"])


@driven
async def test_leaving_with_a_draft_asks() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        await d.press("space", "q")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("n")
        await d.until(lambda: not isinstance(app.screen, Confirm))
        await d.press("q")
        await d.until(lambda: isinstance(app.screen, Confirm))
        await d.press("y")
        await d.until(lambda: not app.is_running)


@driven
async def test_leaving_a_first_draft_asks_once_it_is_worth_something() -> None:
    app = make_app(FakeRooms(), fresh=True)
    async with running_app(app) as d:
        await d.press("n")
        await d.until(lambda: isinstance(app.screen, AddChannel))
        await d.press("enter")
        await d.until(lambda: len(app.current().config.channels) == 1)
        await d.press("q")
        await d.until(lambda: isinstance(app.screen, Confirm))
    app = make_app(FakeRooms(), fresh=True)
    async with running_app(app) as d:
        await d.press("q")
        await d.until(lambda: not app.is_running)


@driven
async def test_read_only_offers_nothing_that_changes() -> None:
    rooms = FakeRooms()
    rooms.unread = {("bioconda", "noarch")}
    app = make_app(rooms, read_only=True)
    async with running_app(app) as d:
        await d.sees("read-only")
        await d.press("space", "w", "r")
        await d.until(lambda: "Read-only" in d.toasts())
        assert rooms.done == []


@driven
async def test_form_follows_the_draft_without_moving_a_cursor() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        form = d.screen.query_one(RulesForm)
        field = form.query_one("#selection-exclude", Input)
        assert field.value == '*-nightly "numpy <1.20"'
        field.value = '*-nightly   "numpy <1.20"  '
        await d.pilot.pause()
        assert field.value.endswith("  "), "the text means the same, so it is left alone"
