"""Outside strings are shown as they are: never markup, never control sequences, never a crash, never a shifted column."""

from dataclasses import replace

import pytest
from rich.cells import cell_len

from mirrortui.errors import MirrorError
from mirrortui.mirror.plan import PlannedFile
from mirrortui.mirror.snapshots import Snapshot as Frozen
from mirrortui.mirror.solving import Solved
from mirrortui.selection.estimate import Details
from mirrortui.selection.explain import Answer
from mirrortui.selection.reasons import Broken, Reason
from mirrortui.tui.glyphs import to_ascii
from mirrortui.tui.messages import Said
from mirrortui.tui.rooms import History, Wrong
from mirrortui.tui.screens.confirm import Confirm
from mirrortui.worker.doctor import Finding
from mirrortui.worker.snapshot import Event, Failure, InFlight, Snapshot, SubdirProgress
from tests.tui.driving import Driver, driven, make_app, running_app
from tests.tui.fake_rooms import NOW, RUN, FakeRooms, past_run, sample_config

NASTY = (
    "[/bad]",
    "[red]x[/red]",
    "[@click=app.leave]y[/]",
    "\x1b[2J\x1b[31mz",
    "\u202eabc\u2066",
    "\x00\x07\x9b5m",
    "日本語パッケージ名",
    "e\u0301\u200b\ufeff",
    "$var ${x} {y} %s",
    "https://user:secret@host/t/token/x",
)
ALL = " ".join(NASTY)


def clean(d: Driver) -> str:
    text = d.text()
    for char in text:
        assert char == "\n" or char.isprintable(), repr(char)
        assert char not in "\u202e\u2066\u200b\ufeff"
    assert "secret" not in text
    assert "/t/token" not in text
    for one in text.splitlines():
        assert cell_len(one.rstrip()) <= d.app.size.width
    return text


def nasty_run() -> Snapshot:
    run = replace(RUN, message=ALL, phase="transfer")
    return Snapshot(
        "running",
        run,
        0.1,
        tuple(SubdirProgress(n, "linux-64", n, 1, 2, 3, 4, 1) for n in NASTY),
        tuple(InFlight(i, n, n, n, 1, 2, 3.0, 2) for i, n in enumerate(NASTY)),
        tuple(Event(i, NOW, "warning", n) for i, n in enumerate(NASTY, 1)),
        tuple(Failure(n, "noarch", n, n, ALL) for n in NASTY),
        len(NASTY),
    )


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)], ids=str)
def test_sync(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.snapshot = nasty_run()
        app = make_app(rooms, screen="sync")
        async with running_app(app, size) as d:
            await d.sees("[/bad]")
            clean(d)
            for state in ("partial", "failed", "crashed"):
                rooms.snapshot = replace(
                    nasty_run(), state=state, run=replace(RUN, state=state, message=ALL, ended=NOW)
                )
                await d.sees(state if state != "crashed" else "is gone")
                clean(d)
            for _ in range(4):
                await d.press("tab")
                clean(d)
            rooms.snapshot = MirrorError(ALL)
            await d.sees("unreadable")
            clean(d)

    see()


@driven
async def test_setup() -> None:
    rooms = FakeRooms()
    config = sample_config()
    hostile = replace_channels(config)
    rooms.unread = {(c.name, s) for c in hostile.channels for s in c.subdirs}
    rooms.broken_reads = dict.fromkeys(rooms.unread, ALL)
    rooms.errors = {"selection.include": ALL, "channels[0]": ALL}
    app = make_app(rooms, config=hostile)
    async with running_app(app) as d:
        await d.sees("[/bad]")
        rooms.errors = {}
        d.screen.action_tick_all()
        await d.sees("failed: [/bad]")
        clean(d)


def replace_channels(config):  # type: ignore[no-untyped-def]
    import msgspec

    channels = tuple(
        msgspec.structs.replace(config.channels[0], name=name, upstreams=(name,))
        for name in (NASTY[0], NASTY[1], NASTY[6])
    )
    rules = msgspec.structs.replace(config.selection, include=NASTY, exclude=NASTY)
    mirror = msgspec.structs.replace(config.mirror, name=NASTY[0], root=f"/srv/{NASTY[6]}/{NASTY[3]}", url="http://x")
    return msgspec.structs.replace(config, channels=channels, selection=rules, mirror=mirror)


@driven
async def test_plan_clients_toasts_and_dialogs() -> None:
    rooms = FakeRooms()
    rooms.warnings = NASTY
    rooms.client_warnings = NASTY
    rooms.present = "\n".join(NASTY)
    plan = rooms.plan

    def nasty_plan(config: object):  # type: ignore[no-untyped-def]
        made = plan(config)  # type: ignore[arg-type]
        return replace(made, largest=tuple(PlannedFile(n, n, n, 5) for n in NASTY))

    rooms.plan = nasty_plan  # type: ignore[method-assign]
    app = make_app(rooms, screen="plan")
    async with running_app(app, (120, 36)) as d:
        await d.sees("[red]x[/red]")
        clean(d)
        for words in NASTY:
            app.post_message(Said(words, "error"))
        await d.until(lambda: "[/bad]" in d.toasts())
        clean(d)
        app.clear_notifications()
        await d.press("4")
        await d.until(lambda: app.current_mode == "clients")
        await d.press("d")
        await d.sees("-[/bad]")
        clean(d)
        app.push_screen(Confirm("Sure?", NASTY, yes="Yes"))
        await d.until(lambda: isinstance(app.screen, Confirm))
        clean(d)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)], ids=str)
def test_packages_and_answers(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.packages = {n: (i, i + i % 3, 1000 * i, Reason.WANTED) for i, n in enumerate(NASTY)}
        rooms.answers = [
            Answer(n, n, n, i % 2 == 0, Reason.DEPENDENCY, n, n, ((n, n), (ALL, n))) for i, n in enumerate(NASTY)
        ]
        rooms.details_found = Details(1.0, tuple((n, 1, 2) for n in NASTY), tuple((n, 1, 2) for n in NASTY))
        app = make_app(rooms)
        async with running_app(app, size) as d:
            await d.press("b")
            await d.sees("$var ${x} {y} %s")
            clean(d)
            for n in NASTY[:-1]:  # what an operator types is shown as typed
                d.screen.query_one("#filter").value = n
                await d.pilot.pause()
                clean(d)
            d.screen.query_one("#filter").value = ""
            for _ in range(4):
                await d.press("space", "a", "down")
                clean(d)
            d.screen.query_one("#names").move_to(len(NASTY) - 2)
            app.clear_notifications()
            await d.press("e")
            await d.sees("records:")
            clean(d)
            await d.press("escape", "i")
            await d.sees("License families")
            clean(d)

    see()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)], ids=str)
def test_broken_dependencies_and_solver(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.broken = tuple(Broken(n, n, n, n, Reason.LICENSE, 3, n, n) for n in NASTY)
        rooms.solved = [Solved(n, (n, ALL), error=ALL) for n in NASTY]
        app = make_app(rooms, screen="plan")
        async with running_app(app, size) as d:
            await d.until(lambda: d.screen.plan is not None)
            d.screen.focus_stop(d.screen.query_one("#broken"))
            for _ in NASTY:
                await d.press("down")
                clean(d)
            await d.press("c", "x", "enter")
            await d.sees("do NOT resolve")
            clean(d)
            await d.press("escape", "m")
            await d.until(lambda: app.current().unsaved)
            clean(d)

    see()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)], ids=str)
def test_history(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.past = History(
            tuple(past_run(i, n, i, ALL) for i, n in enumerate(NASTY)),
            tuple(Frozen(n, NOW, ((n, n),), 1, 2) for n in NASTY),
            tuple(Finding(n, n, n, ALL) for n in NASTY),
        )
        app = make_app(rooms, screen="history")
        async with running_app(app, size) as d:
            await d.until(lambda: d.screen.history is not None)
            for _ in range(4):
                await d.press("tab", "down")
                clean(d)

    see()


@driven
async def test_wrong_rules_and_hints() -> None:
    rooms = FakeRooms()
    rooms.hints = dict.fromkeys(("selection.include", "selection.always"), ALL)
    rooms.errors = {
        "selection.exclude": Wrong(ALL, NASTY[0] + NASTY[3], 7),
        "selection.always": Wrong(ALL, ALL, 9),
        "selection.environments": Wrong(ALL, NASTY[3], 99),
    }
    app = make_app(rooms)
    async with running_app(app, (120, 36)) as d:
        await d.sees("^ column 7")
        await d.sees("column 9: [/bad]")
        await d.sees("[/bad]")
        clean(d)


def test_ascii_keeps_the_width() -> None:
    for words in (*NASTY[:2], NASTY[6], "─│╭╮■◧□▾▸█▒░●○‖✓✗…·→‹›“x”—naïve ß Ω"):
        plain = to_ascii(words)
        assert plain.isascii()
        assert cell_len(plain) == cell_len(words)


@driven
async def test_ascii_mode_shows_nothing_else() -> None:
    rooms = FakeRooms()
    rooms.snapshot = nasty_run()
    app = make_app(rooms, screen="sync", ascii=True)
    async with running_app(app) as d:
        await d.until(lambda: "[/bad]" in app.export_screenshot())
        for mode in "12345":
            await d.press(mode)
            await d.pilot.pause()
            shown = "".join(c for c in app.export_screenshot() if not c.isascii())
            assert shown.replace("\xa0", "") == "", shown
