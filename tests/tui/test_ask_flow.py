"""Questions that take a moment: explain, details, solve check; mends on the plan; the two steps of the estimate."""

import threading
from dataclasses import replace

from textual.widgets import Input

from mirrortui.errors import ConfigError, MirrorError
from mirrortui.tui import draft
from mirrortui.tui.screens.ask import Ask, answer_lines, details_lines, growth_words, solved_lines
from mirrortui.tui.widgets.estimate_panel import EstimatePanel, estimate_brief, verdict
from mirrortui.tui.widgets.line_table import LineTable
from mirrortui.tui.widgets.lines import width
from mirrortui.tui.widgets.plan_tables import broken_rows
from tests.tui.driving import driven, facts, make_app, running_app
from tests.tui.fake_rooms import ANSWERS, BROKEN, DETAILS, SOLVED, FakeRooms, sample_config


def test_lines_fit_and_say_everything() -> None:
    for cells in (40, 58, 78, 118):
        for lines in (answer_lines(ANSWERS, cells), details_lines(DETAILS, cells), solved_lines(SOLVED, cells)):
            assert lines
        assert all(width(one) <= cells for one in details_lines(DETAILS, cells))
    shown = "\n".join("".join(span[0] for span in one) for one in answer_lines(ANSWERS, 100))
    assert "■ in   readline-8.2-h8c095d6_2.conda" in shown
    assert "         ipython-9.7.0-pyhfa0c392_0.conda needs python >=3.12\n           python-3.13" in shown
    assert shown.count("the record says GPL-3.0-only") == 1, "the same words once"
    assert "No build times" in growth_words(None)
    assert "41.0 GB a month" in growth_words(DETAILS.growth)


def test_an_upper_bound_is_never_called_a_fact() -> None:
    rough = replace(FakeRooms().picture(sample_config(), ()).estimate, approximate=True)
    assert verdict(rough)[0].startswith("✓ fits")
    assert "may not fit" in verdict(replace(rough, free=1))[0]
    assert "≤" in "".join(span[0] for span in estimate_brief(rough, 100))


def test_rules_by_name() -> None:
    config = sample_config()
    out, words = draft.toggle_name(config, "numpy", wanted=False)
    assert out.selection.exclude[-1] == "numpy"
    assert words == "exclude += numpy"
    assert draft.toggle_name(out, "numpy", wanted=True, reason="excluded") == (config, "exclude −= numpy")
    some = draft.set_rule(config, "include", ("python",))
    assert draft.toggle_name(some, "numpy", wanted=True, reason="not-included")[1] == "include += numpy"
    assert draft.toggle_name(some, "numpy", wanted=True, reason="license")[1] == "always += numpy"
    assert draft.toggle_name(config, "numpy", wanted=True, reason="license")[1] == "always += numpy"
    kept = draft.toggle_always(config, "numpy")[0]
    assert draft.toggle_name(kept, "numpy", wanted=False)[0].selection.always == ()
    assert draft.toggle_always(kept, "numpy")[0] == config
    for bad in ("a b", "a[b=1]", "*", ""):
        try:
            draft.toggle_always(config, bad)
        except ConfigError:
            continue
        raise AssertionError(bad)


def test_rules_of_a_channel_of_its_own_are_written_too() -> None:
    from msgspec.structs import replace as change

    config = sample_config()
    own = change(config.channels[0], selection={"exclude": ["x"], "newest_versions": 2})
    config = change(config, channels=(own, config.channels[1]))
    out = draft.toggle_name(config, "numpy", wanted=False)[0]
    assert out.channels[0].selection == {"exclude": ["x", "numpy"], "newest_versions": 2}
    assert "numpy" in out.rules(out.channels[0]).exclude
    assert draft.mend(config, "formats", "all").selection.formats == "all"


@driven
async def test_the_exact_estimate_follows_and_the_next_key_cancels_it() -> None:
    rooms = FakeRooms()
    rooms.rough, rooms.hold_exact = True, threading.Event()
    app = make_app(rooms)
    async with running_app(app) as d:
        panel = d.screen.query_one(EstimatePanel)
        await d.until(lambda: "≤ 1,451,484" in facts(panel), "the quick figures")
        assert "at most" in str(panel.border_title)
        await d.until(lambda: any(w.group == "ask" for w in app.workers), "the exact one under way")
        await d.press("down", "down", "space")
        await d.until(lambda: rooms.cancelled == 1, "the keystroke cancels it")
        await d.until(lambda: "≤ 628,093" in facts(panel))
        rooms.hold_exact.set()
        await d.until(lambda: "565,284" in facts(panel) and "≤" not in facts(panel), "the exact figures")
        assert str(panel.border_title).strip() == "Estimate"


@driven
async def test_explain_asks_and_tells_trouble() -> None:
    rooms = FakeRooms()
    app = make_app(rooms)
    async with running_app(app) as d:
        await d.press("e")
        await d.until(lambda: isinstance(app.screen, Ask))
        assert ("explain", "") not in rooms.done
        await d.press(*"readline", "enter")
        await d.sees("3 records: 1 in, 2 out")
        await d.sees("needed by a wanted package")
        await d.press("down", "pagedown")
        rooms.answers = MirrorError("“[/bad]” is no version", where="column 3")
        await d.press("enter")
        await d.sees("column 3: “[/bad]” is no version")
        rooms.answers = []
        await d.press("enter")
        await d.sees("No index at hand")
        await d.press("escape")
        await d.until(lambda: not isinstance(app.screen, Ask))


@driven
async def test_details() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        await d.press("i")
        await d.sees("41.0 GB a month")
        await d.sees("License families")
        await d.sees("63 %")
        await d.press("escape")
        await d.until(lambda: not isinstance(app.screen, Ask))


@driven
async def test_broken_dependencies_are_mended_and_planned_again() -> None:
    rooms = FakeRooms()
    rooms.broken = BROKEN
    app = make_app(rooms, screen="plan")
    async with running_app(app, (120, 36)) as d:
        await d.sees("17 packages need readline >=8.2,<9.0a0")
        await d.sees("dropped by “exclude_licenses”")
        await d.sees("m: always += readline")
        await d.sees("1 package needs perl-gd")
        await d.sees("no rule helps")
        table = d.screen.query_one("#broken", LineTable)
        assert [row.cells[2] for row in broken_rows(BROKEN)][1] == ("m: formats = all", "key")
        first = d.screen.plan
        await d.press("m")
        await d.until(lambda: app.current().config.selection.always == ("readline",))
        await d.until(lambda: d.screen.plan is not None and d.screen.plan is not first, "a new plan")
        await d.until(lambda: "Wrote always: readline into the draft" in d.toasts())
        table.move_to(1)
        await d.press("m")
        await d.until(lambda: app.current().config.selection.formats == "all")
        await d.until(lambda: d.screen.plan is not None)
        table.move_to(2)
        await d.press("m")
        await d.until(lambda: "No rule brings this back" in d.toasts())
        d.screen.focus_stop(table)
        table.move_to(0)
        await d.press("e")
        await d.until(lambda: ("explain", "readline >=8.2,<9.0a0") in rooms.done)


@driven
async def test_all_are_mended_at_once() -> None:
    rooms = FakeRooms()
    rooms.broken = BROKEN
    app = make_app(rooms, screen="plan")
    async with running_app(app) as d:
        await d.until(lambda: d.screen.plan is not None)
        await d.press("M")
        await d.until(lambda: app.current().config.selection.always == ("readline",))
        assert app.current().config.selection.formats == "all"
        await d.until(lambda: "and 1 more" in d.toasts())


@driven
async def test_without_broken_ones_there_is_nothing_to_mend() -> None:
    app = make_app(FakeRooms(), screen="plan")
    async with running_app(app) as d:
        await d.until(lambda: d.screen.plan is not None)
        assert not d.screen.check_action("mend", ())
        assert "broken" not in [stop.id for stop in d.screen.stops()]


@driven
async def test_solve_check() -> None:
    rooms = FakeRooms()
    app = make_app(rooms, screen="plan")
    async with running_app(app) as d:
        await d.until(lambda: d.screen.plan is not None)
        await d.press("c")
        await d.until(lambda: isinstance(app.screen, Ask))
        app.screen.query_one(Input).value = "python=3.12 numpy; r-base"
        await d.press("enter")
        await d.sees("1 of 2 do NOT resolve")
        assert ("solve", ("python=3.12 numpy", "r-base")) in rooms.done
        await d.sees("84 packages")
        await d.sees("no viable options")
        rooms.solved = MirrorError("the solver did not end within 600 s")
        await d.press("enter")
        await d.sees("did not end within 600 s")


@driven
async def test_hints_stand_under_their_field_and_are_no_errors() -> None:
    rooms = FakeRooms()
    rooms.hints = {"selection.include": "“scipy 1.2” means exactly version 1.2"}
    app = make_app(rooms)
    async with running_app(app, (120, 36)) as d:
        await d.sees("means exactly version 1.2")
        assert not d.screen.query(".field.-bad")


@driven
async def test_all_rules_are_fields() -> None:
    app = make_app(FakeRooms())
    async with running_app(app) as d:
        screen = d.screen
        screen.query_one("#selection-newest_versions", Input).value = "2"
        screen.query_one("#selection-environments", Input).value = "/a/environment.yml '/b c/x.lock'"
        screen.query_one("#selection-with_dependencies").focus()
        await d.press("right")
        screen.query_one("#selection-runtime_exceptions").focus()
        await d.press("right")
        rules = lambda: app.current().config.selection  # noqa: E731 - asked again and again
        await d.until(lambda: rules().newest_versions == 2 and not rules().runtime_exceptions)
        assert rules().environments == ("/a/environment.yml", "/b c/x.lock")
        assert rules().with_dependencies is False
        screen.query_one("#selection-newest_builds", Input).value = "two"
        await d.sees("Write a number")
        assert rules().newest_builds == 0
