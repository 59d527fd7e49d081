import os
import stat
from pathlib import Path
from typing import Any

import pytest

from mirrortui import config
from mirrortui.config import Channel, Mirror, Prune, Transfer
from mirrortui.errors import ConfigError
from tests.unit.test_config import HEAD, made

# ---------------------------------------------------------------------------------------------- save


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_save_makes_folders_and_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mirror.toml"
    config.save(made(), path)
    assert config.load(path) == made()
    assert os.listdir(path.parent) == ["mirror.toml"]
    assert mode(path) == 0o644


def test_save_keeps_the_mode_of_a_file_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "mirror.toml"
    path.write_text("")
    path.chmod(0o640)
    config.save(made(), path)
    assert mode(path) == 0o640


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": (Channel(name="c", upstreams=("https://h/c", "https://h/t/tk-1/c"), subdirs=()),)},
        {"channels": (Channel(name="c", upstreams=("https://me:pw@h/c",), subdirs=()),)},
        {"transfer": Transfer(proxy="http://me:pw@proxy:3128")},
        {"mirror": Mirror(name="lab", root="/srv/conda", url="http://me:pw@mirror.lab", state="/var/lib/x")},
    ],
)
def test_a_file_with_a_secret_is_for_its_owner_alone_from_the_first_byte(
    tmp_path: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mirror.toml"
    config.save(made(), path)
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append(stat.S_IMODE(os.fstat(fd).st_mode)))
    config.save(made(**changes), path)
    assert seen == [0o600]
    assert mode(path) == 0o600


def test_save_refuses_what_it_would_not_read_and_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mirror.toml"
    config.save(made(), path)
    before = path.read_bytes()
    bad = made(channels=(*made().channels, *made().channels))
    with pytest.raises(ConfigError, match="a second channel"):
        config.save(bad, path)
    assert path.read_bytes() == before


def test_a_save_that_breaks_off_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mirror.toml"
    config.save(made(), path)
    before = path.read_bytes()

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        config.save(made(prune=Prune(enabled=False)), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["mirror.toml"]


def test_save_into_a_place_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        config.save(made(), tmp_path / "file" / "mirror.toml")
    with pytest.raises(ConfigError, match="cannot be written"):
        config.save(made(), tmp_path)


# ---------------------------------------------------------------------------------------------- find


def test_load_says_why_a_file_cannot_be_read(tmp_path: Path) -> None:
    for path, word in (
        (tmp_path, "directory"),
        (tmp_path / "absent.toml", "No such file"),
        (tmp_path / "a\x1b[2J\nb", "No such file"),
    ):
        with pytest.raises(ConfigError, match=word) as caught:
            config.load(path)
        assert str(caught.value).isprintable()


def test_a_given_path_is_the_only_one_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mirror.toml").write_text(HEAD)
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        config.find(tmp_path / "other.toml")
    assert "mirrortui init" in caught.value.hint
    with pytest.raises(ConfigError, match="there is no such file"):
        config.find(tmp_path / "mirror.toml" / "x")
    assert config.find(tmp_path) == tmp_path / "mirror.toml"
    assert config.find("mirror.toml") == Path("mirror.toml")


def test_a_path_that_may_not_be_looked_at_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: Path, **_options: Any) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(ConfigError, match="Permission denied"):
        config.find(tmp_path / "mirror.toml")


def test_the_places_are_looked_at_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    own = home / ".config" / "mirrortui" / "mirror.toml"
    assert config.search_path() == [Path("mirror.toml"), own, Path("/etc/mirrortui/mirror.toml")]
    with pytest.raises(ConfigError, match=r"no mirror\.toml found") as caught:
        config.find()
    assert str(own) in str(caught.value)
    own.parent.mkdir(parents=True)
    own.write_text(HEAD)
    assert config.find() == own
    xdg = tmp_path / "xdg" / "mirrortui" / "mirror.toml"
    xdg.parent.mkdir(parents=True)
    xdg.write_text(HEAD)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert config.find() == xdg
    (here / "mirror.toml").mkdir()
    assert config.find() == xdg  # a folder of that name is none
    (here / "mirror.toml").rmdir()
    (here / "mirror.toml").write_text(HEAD)
    assert config.find() == Path("mirror.toml")


def test_the_state_folder_of_a_new_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert config.default_state("lab") == Path("/var/lib/mirrortui/lab")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert config.default_state("lab") == Path("/x/mirrortui/lab")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert config.default_state("lab") == Path("/home/me/.local/state/mirrortui/lab")
