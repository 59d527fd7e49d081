"""An account that cannot write to the state folder looks on: it is told so once, and offered nothing that cannot work."""

from pathlib import Path

import pytest

from tests.tui import fake_rooms
from tests.tui.driving import driven, make_app, running_app
from tests.tui.fake_rooms import FakeRooms, ended, failing

SIZES = [(60, 20), (80, 24), (120, 36)]
LOOK_ON = "This account can only watch: /var/lib/mirrortui/lab belongs to mirror. Start, pause and stop runs as mirror."


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_another_account_is_told_once_that_it_only_watches(size: tuple[int, int]) -> None:
    @driven
    async def see() -> None:
        rooms = FakeRooms()
        rooms.looks_on = LOOK_ON
        rooms.snapshot = failing()
        app = make_app(rooms, screen="sync")
        async with running_app(app, size) as d:
            await d.until(lambda: "can only watch" in d.toasts())
            await d.sees("mirror." if size[0] < 80 else "runs as mirror.")  # nothing of it is cut
            await d.sees(" watching ")
            await d.sees("f freeze")
            for key in ("p pause", "x stop", "l limit", "r retry"):
                assert key not in d.text()
            await d.press("p", "x", "l", "r")
            await d.press("2")
            await d.until(lambda: d.screen.MODE == "plan" and d.screen.plan is not None)
            rooms.snapshot = ended("stopped")
            await d.sees("stopped")
            assert "s start" not in d.text()
            assert [done for done in rooms.done if done[0] != "refresh"] == []
            assert d.toasts().count("can only watch") == 1

    see()


def test_whoever_may_write_is_no_bystander(tmp_path: Path) -> None:
    from mirrortui.tui.live import LiveRooms
    from mirrortui.worker.journal import Journal

    log = Journal(tmp_path / "state")
    run = log.begin()
    log.failure("c", "noarch", "a.conda", "hash", "c/noarch/a.conda has another hash")
    log.finish("partial")
    rooms = LiveRooms()
    config = fake_rooms.sample_config(str(tmp_path / "root"), str(tmp_path / "state"))
    assert rooms.bystander(config.state) == ""
    assert [f.why for f in rooms.failures(config, run)] == ["has another hash"]
    assert rooms.failures(config, run + 1) == ()


def test_a_home_of_its_own_takes_every_file_of_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mirrortui.tui.live import LiveRooms

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    index = tmp_path / "root" / "conda-forge" / "noarch" / "repodata.json"
    index.parent.mkdir(parents=True)
    index.write_text('{"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": {}}')
    mine = tmp_path / "mine" / "conda" / "condarc"
    mine.parent.mkdir(parents=True)
    mine.touch()
    home = tmp_path / "demo" / "home"
    rooms = LiveRooms(home)
    config = fake_rooms.sample_config(str(tmp_path / "root"), str(tmp_path / "state"))
    for profile in rooms.profiles():
        assert profile.target.is_relative_to(home)
        preview = rooms.client_preview(config, profile.key, "file:///srv/conda", profile.target)
        assert rooms.client_write(preview).path == profile.target
    assert (home / ".condarc").is_file()
    assert mine.read_bytes() == b""
    assert {p.key: p.target for p in LiveRooms().profiles()}["user"] == mine
