"""What the screens look like, at the sizes people have."""

from collections.abc import Callable
from typing import Any

import pytest

from mirrortui.tui.app import MirrorApp
from mirrortui.tui.rooms import Wrong
from mirrortui.worker.snapshot import Snapshot
from tests.tui import fake_rooms
from tests.tui.driving import DEADLINE, make_app
from tests.tui.fake_rooms import FakeRooms

SIZES = [(60, 20), (80, 24), (120, 36)]
Compare = Callable[..., bool]


def settled(app: MirrorApp) -> bool:
    """Whether the screen shows what it was waiting for."""
    screen: Any = app.screen_stack[0]
    return {
        "setup": lambda: (
            screen.query_one("#rules").rows
            and screen.query_one("#estimate").border_title == " Estimate "
            and not app.current().free < 0
        ),
        "plan": lambda: screen.plan is not None and app.current().total > 0,
        "sync": lambda: app.current().snapshot is not None,
        "clients": lambda: screen.preview is not None,
        "history": lambda: screen.history is not None,
    }[app.current_mode]() and app.current().free >= 0


def ready(*keys: str, then: Callable[[MirrorApp], object] = lambda _app: True) -> Callable[[Any], Any]:
    async def wait(pilot: Any) -> None:
        async def until(condition: Callable[[], object]) -> None:
            for _ in range(int(DEADLINE / 0.01)):
                if condition():
                    break
                await pilot.pause(0.01)
            else:
                raise AssertionError("the screen does not settle")
            await pilot.pause()

        await until(lambda: pilot.app.current_mode == pilot.app.first_screen and settled(pilot.app))
        await pilot.press(*keys)
        await until(lambda: settled(pilot.app) and then(pilot.app))

    return wait


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("screen", ["setup", "plan", "sync", "clients", "history"])
def test_screen(snap_compare: Compare, screen: str, size: tuple[int, int]) -> None:
    rooms = FakeRooms()
    rooms.snapshot = fake_rooms.running()
    rooms.warnings = ("conda-forge/osx-64: its index was not read yet; refresh it",)
    rooms.client_warnings = ("A proxy is set: conda asks it for the mirror too, unless no_proxy names mirror.lab.",)
    assert snap_compare(make_app(rooms, screen=screen), terminal_size=size, run_before=ready())


@pytest.mark.parametrize("state", ["paused", "partial", "crashed", "done", "none"])
def test_sync_states(snap_compare: Compare, state: str) -> None:
    rooms = FakeRooms()
    rooms.snapshot = {
        "paused": fake_rooms.paused,
        "partial": fake_rooms.partial,
        "crashed": fake_rooms.crashed,
        "done": lambda: fake_rooms.ended("done"),
        "none": lambda: Snapshot("idle"),
    }[state]()
    assert snap_compare(make_app(rooms, screen="sync"), terminal_size=(80, 24), run_before=ready())


@pytest.mark.parametrize("screen", ["setup", "sync"])
def test_ascii(snap_compare: Compare, screen: str) -> None:
    rooms = FakeRooms()
    rooms.snapshot = fake_rooms.running()
    assert snap_compare(make_app(rooms, screen=screen, ascii=True), terminal_size=(80, 24), run_before=ready())


def test_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(make_app(FakeRooms()), terminal_size=(80, 24), run_before=ready("down"))


def test_first_run(snap_compare: Compare) -> None:
    assert snap_compare(make_app(FakeRooms(), fresh=True), terminal_size=(80, 24), run_before=ready())


@pytest.mark.parametrize("size", [(60, 16), (80, 24)], ids=str)
@pytest.mark.parametrize(
    ("screen", "keys"),
    [("setup", ("n", "p", "k", "g")), ("setup", ("question_mark",)), ("setup", ("space", "w")), ("plan", ("s",))],
    ids=["add-channel", "help", "save", "start"],
)
def test_dialogs(snap_compare: Compare, screen: str, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    app = make_app(FakeRooms(), screen=screen)
    assert snap_compare(app, terminal_size=size, run_before=ready(*keys, then=lambda app: len(app.screen_stack) > 1))


def test_a_field_that_is_wrong(snap_compare: Compare) -> None:
    rooms = FakeRooms()
    rooms.errors = {"mirror.root": "“srv” is not an absolute path"}
    app = make_app(rooms)

    async def wait(pilot: Any) -> None:
        while not pilot.app.screen.checked.wrong:
            await pilot.pause(0.01)
        await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=wait)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_packages(snap_compare: Compare, size: tuple[int, int]) -> None:
    def named(app: MirrorApp) -> object:
        return getattr(app.screen, "table", None) is not None and app.screen.query_one("#names").has_focus

    app = make_app(FakeRooms())
    assert snap_compare(app, terminal_size=size, run_before=ready("b", then=named))


@pytest.mark.parametrize("size", [(60, 16), (80, 24)], ids=str)
@pytest.mark.parametrize(
    ("screen", "keys"),
    [("setup", ("e", "x", "enter")), ("setup", ("i",)), ("plan", ("c", "x", "enter")), ("setup", ("n", "d", "e", "f", "a"))],
    ids=["explain", "details", "solve", "defaults"],
)  # fmt: skip
def test_questions(snap_compare: Compare, screen: str, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    def answered(app: MirrorApp) -> bool:
        return len(app.screen_stack) > 1 and getattr(app.screen, "found", app) is not None

    app = make_app(FakeRooms(), screen=screen)
    assert snap_compare(app, terminal_size=size, run_before=ready(*keys, then=answered))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_plan_with_broken_dependencies(snap_compare: Compare, size: tuple[int, int]) -> None:
    rooms = FakeRooms()
    rooms.broken = fake_rooms.BROKEN
    app = make_app(rooms, screen="plan")
    assert snap_compare(app, terminal_size=size, run_before=ready("tab"))


def test_rules_with_a_mark_and_a_hint(snap_compare: Compare) -> None:
    rooms = FakeRooms()
    rooms.errors = {"selection.include": Wrong("“>=>1” is no version. Write for example >=1.2,<2", "scipy >=>1", 7)}
    rooms.hints = {"selection.exclude": "“numpy 1.2” means exactly version 1.2; for every 1.2.x write “numpy 1.2.*”"}
    app = make_app(rooms)

    async def wait(pilot: Any) -> None:
        while not pilot.app.screen.checked.wrong:
            await pilot.pause(0.01)
        await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=wait)


STATES = {"failing": fake_rooms.failing, "guarded": fake_rooms.guarded, "held-up": fake_rooms.held_up}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("state", list(STATES))
def test_what_goes_wrong(snap_compare: Compare, state: str, size: tuple[int, int]) -> None:
    rooms = FakeRooms()
    rooms.snapshot = STATES[state]()
    assert snap_compare(make_app(rooms, screen="sync"), terminal_size=size, run_before=ready())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("page", ["failure", "past-run", "allow"])
def test_pages_about_it(snap_compare: Compare, page: str, size: tuple[int, int]) -> None:
    rooms = FakeRooms()
    rooms.snapshot = fake_rooms.guarded() if page == "allow" else fake_rooms.partial()
    rooms.warnings = ("osx-arm64: 4 records have no size; the byte figures leave them out",)
    screen, keys = {
        "failure": ("sync", ("tab", "enter")),
        "past-run": ("history", ("down", "enter")),
        "allow": ("sync", ("a",)),
    }[page]

    def there(app: MirrorApp) -> bool:
        return len(app.screen_stack) > 1 and getattr(app.screen, "found", app) is not None

    app = make_app(rooms, screen=screen)
    assert snap_compare(app, terminal_size=size, run_before=ready(*keys, then=there))
