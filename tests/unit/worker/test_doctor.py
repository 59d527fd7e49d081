"""What doctor says of mirror.toml and of the two places."""

from pathlib import Path

import pytest

from mirrortui.config import Channel, Mirror, MirrorConfig, Transfer
from mirrortui.mirror.staging import Item
from mirrortui.worker import doctor
from mirrortui.worker.doctor import Finding, examine, file_of
from tests.unit.mirror.tree import PLAIN, Tree, all_of


def config(folder: Path, *urls: str, proxy: str = "") -> MirrorConfig:
    mirror = Mirror(name="lab", root=str(folder / "root"), url="http://mirror.lab", state=str(folder / "state"))
    return MirrorConfig(
        mirror=mirror,
        channels=(Channel(name="lab", upstreams=urls, subdirs=("noarch",)),) if urls else (),
        transfer=Transfer(proxy=proxy),
    )


def places(folder: Path) -> dict[str, Finding]:
    return {found.subject: found for found in examine(config(folder), network=False)}


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://h/t/hunter2/lab", True),
        ("https://me:hunter2@h/lab", True),
        ("https://hunter2@h/lab", True),
        ("https://me:${PASSWORD}hunter2@h/lab", True),
        ("https://h/t/${TOKEN}/lab", False),
        ("https://${ME}:${PASSWORD}@h/lab", False),
        ("https://me:${PASSWORD}@h/lab", False),
        ("https://${TOKEN}@h/lab", False),
        ("https://h/lab", False),
        ("file:///srv/lab", False),
    ],
)
def test_a_secret_that_everyone_may_read_is_bad(tmp_path: Path, url: str, secret: bool) -> None:
    path = tmp_path / "mirror.toml"
    path.touch(0o644)
    found = file_of(path, config(tmp_path, url))
    assert found.state == ("bad" if secret else "ok")
    assert str(path) in found.text
    assert "hunter2" not in found.text + found.hint
    if secret:
        assert "chmod o-r" in found.hint
        assert file_of(path, config(tmp_path, proxy=url)).state == "bad"
    path.chmod(0o640)
    assert file_of(path, config(tmp_path, url)).state == "ok"


def test_places_that_are_not_there_yet(tmp_path: Path) -> None:
    found = places(tmp_path)
    assert (found["root"].state, found["state"].state) == ("note", "ok")
    assert "not there yet" in found["state"].text


@pytest.mark.parametrize("below", [False, True])
def test_a_file_in_the_place_of_a_folder_is_bad(tmp_path: Path, below: bool) -> None:
    folder = tmp_path / "mirror" if below else tmp_path
    for file in [folder] if below else [tmp_path / "root", tmp_path / "state"]:
        file.write_text("")
    found = places(folder)
    for name in ("root", "state"):
        assert found[name].state == "bad"
        assert "is a file, not a folder" in found[name].text


def test_a_read_only_file_system_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "root").mkdir()
    monkeypatch.setattr(doctor, "read_only", lambda _: True)
    found = places(tmp_path)
    for name in ("root", "state"):
        assert found[name].state == "bad"
        assert "read-only" in found[name].text


def test_published_metadata_that_is_gone_is_bad(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    index = tree.index({"info": {"subdir": "linux-64"}, "packages": {}, "packages.conda": {}})
    tree.publish(Item("linux-64", index, all_of(index)), options=PLAIN)
    tree.inventory.close()
    assert "metadata" not in places(tmp_path)
    (tree.folder() / "repodata.json").unlink()
    found = places(tmp_path)["metadata"]
    assert (found.state, found.text) == ("bad", "c/linux-64/repodata.json was published and is missing")
    assert "verify --repair" in found.hint


def test_files_that_are_known_to_be_bad(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.put("a-1-0.conda", "b-1-0.conda", "c-1-0.conda")
    tree.inventory.doubt("c", "linux-64", ["a-1-0.conda", "b-1-0.conda", "c-1-0.conda"])
    tree.inventory.mark_dropped("c", "linux-64", ["c-1-0.conda"], 1.0)
    live, leaving = (one for one in examine(config(tmp_path), network=False) if one.subject == "packages")
    assert (live.state, live.text) == ("bad", "2 files are known to be bad")
    assert "mirrortui sync" in live.hint
    assert (leaving.state, leaving.text) == ("bad", "1 file is known to be bad, and published no longer")
    tree.inventory.put("c", "linux-64", tree.inventory.entries("c", "linux-64").values())
    assert "packages" not in places(tmp_path)
    tree.inventory.close()


def test_a_damaged_snapshot_is_bad(tmp_path: Path) -> None:
    lost = tmp_path / "root" / "snapshots" / "day"
    lost.mkdir(parents=True)
    (lost / ".snapshot.json").write_text("{")
    found = places(tmp_path)["snapshot day"]
    assert found.state == "bad"
    assert "snapshot delete day" in found.hint
