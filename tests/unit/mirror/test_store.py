import errno
import os
from pathlib import Path

import pytest

from mirrortui.errors import MirrorError, NameRefused, NoSpace, TargetError
from mirrortui.mirror.store import Store, from_os
from tests.unit.mirror.tree import Tree

HOSTILE = ["../x", "/../etc", "a/../../b", "..", "", "noarch", "a\x00b", "a\nb", "t"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_root(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "root")
    for call in (
        lambda: store.folder(name, "linux-64"),
        lambda: store.prepare(name, "linux-64"),
        lambda: store.names(name, "linux-64"),
        lambda: store.parts(name, "linux-64"),
        lambda: store.remove(name, "linux-64", ["a-1-0.conda"]),
    ):
        with pytest.raises(NameRefused):
            call()
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "fn", ["../a-1-0.conda", "/etc/passwd", "a/b.conda", ".a.conda", "repodata.json", "", "a.conda\n", "x\x00.conda"]
)
def test_no_file_name_leads_anywhere_else(tree: Tree, fn: str) -> None:
    tree.put("a-1-0.conda")
    for call in (tree.store.package, tree.store.part):
        with pytest.raises(NameRefused):
            call("c", "linux-64", fn)
    with pytest.raises(NameRefused):
        tree.store.remove("c", "linux-64", [fn])
    with pytest.raises(NameRefused):
        tree.store.package("c", "Linux", "a-1-0.conda")
    assert tree.names() == ["a-1-0.conda"]


def test_a_part_lies_beside_its_package_and_is_hidden(tree: Tree) -> None:
    part, package = tree.store.part("c", "linux-64", "a-1-0.conda"), tree.store.package("c", "linux-64", "a-1-0.conda")
    assert part.parent == package.parent
    assert part.name == ".a-1-0.conda.part"


@pytest.mark.parametrize("link", ["c", "c/linux-64"])
def test_a_link_that_leads_out_of_the_tree_is_refused_and_nothing_is_touched_there(
    tree: Tree, tmp_path: Path, link: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    victim = elsewhere / ("linux-64" if link == "c" else "") / "a-1-0.conda"
    victim.parent.mkdir(parents=True)
    victim.write_text("precious")
    (tree.root / link).parent.mkdir(exist_ok=True)
    (tree.root / link).symlink_to(elsewhere)
    for call in (
        lambda: tree.store.prepare("c", "linux-64"),
        lambda: tree.store.remove("c", "linux-64", ["a-1-0.conda"]),
        lambda: tree.store.own("c", "linux-64"),
    ):
        with pytest.raises(TargetError, match="a link that leads elsewhere"):
            call()
    assert victim.read_text() == "precious"


def test_no_folder_is_made_behind_a_link(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tree.root / "c").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetError):
        tree.store.prepare("c", "linux-64")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_in_a_circle_is_refused(tree: Tree) -> None:
    (tree.root / "c").symlink_to("c")
    with pytest.raises(MirrorError):
        tree.store.prepare("c", "linux-64")


def test_a_root_that_is_itself_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert Store(tmp_path / "root").prepare("pkgs/main", "linux-64").is_dir()
    assert (tmp_path / "disk" / "pkgs" / "main" / "linux-64").is_dir()


def test_the_scan_sees_package_files_and_nothing_else(tree: Tree) -> None:
    tree.put("a-1-0.conda", "b-1-0.tar.bz2")
    folder = tree.folder()
    for name in ("repodata.json", ".c-1-0.conda.part", ".hidden.conda", "x.zip"):
        (folder / name).write_text("")
    (folder / "folder-1-0.conda").mkdir()
    (folder / "link-1-0.conda").symlink_to(folder / "a-1-0.conda")
    os.mkfifo(folder / "pipe-1-0.conda")
    assert tree.store.names("c", "linux-64") == {"a-1-0.conda", "b-1-0.tar.bz2"}
    assert tree.store.names("c", "osx-64") == set()
    (tree.root / "file").write_text("")
    assert tree.store.names("file", "linux-64") == set()


def test_parts_are_only_what_this_program_writes(tree: Tree) -> None:
    folder = tree.store.prepare("c", "linux-64")
    ours = {".a-1-0.conda.part", ".b-1-0.tar.bz2.next"}
    for name in (
        *ours,
        ".rsync.part",
        ".a.part",
        "a-1-0.conda.part",
        ".x-1-0.conda.partial",
        ".part",
        ".next",
        ".-1.conda.part",
    ):
        (folder / name).write_text("")
    (folder / ".dir-1-0.conda.part").mkdir()
    (folder / ".link-1-0.conda.part").symlink_to("/etc/passwd")
    assert {path.name for path in tree.store.parts("c", "linux-64")} == ours
    assert tree.store.parts("c", "osx-64") == []


def test_a_folder_that_may_not_be_read_says_so(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.put("a-1-0.conda")

    def denied(_path: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    monkeypatch.setattr(os, "listdir", denied)
    for call in (tree.store.names, tree.store.parts):
        with pytest.raises(TargetError, match="cannot be read: Permission denied"):
            call("c", "linux-64")


def test_remove_takes_what_is_there_and_does_not_mind_what_is_not(tree: Tree) -> None:
    tree.put("a-1-0.conda", "b-1-0.conda")
    assert tree.store.remove("c", "linux-64", ["a-1-0.conda", "gone-1-0.conda"]) == 2
    assert tree.names() == ["b-1-0.conda"]


def test_disk_asks_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    disk = Store(tmp_path / "not" / "yet" / "there").disk()
    assert 0 < disk.free <= disk.total


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, NoSpace, "the disk is full"),
        (errno.EDQUOT, NoSpace, "the quota is used up"),
        (errno.EACCES, TargetError, "owner and mode"),
        (errno.EROFS, TargetError, "read-only"),
        (errno.EIO, TargetError, "cannot be written"),
    ],
)
def test_an_error_of_the_disk_says_what_to_do(number: int, kind: type[MirrorError], words: str) -> None:
    error = from_os(OSError(number, os.strerror(number)), Path("/srv/a\x1b[31m"))
    assert isinstance(error, kind)
    assert words in str(error)
    assert str(error).isprintable()
    assert error.exit_code == (5 if kind is NoSpace else 1)


def test_a_root_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="is a file, not a folder"):
        Store(tmp_path / "file" / "root").check_writable()
    Store(tmp_path / "new" / "root").check_writable()
    assert (tmp_path / "new" / "root").is_dir()


def test_flush_of_a_root_that_is_not_there_is_harmless(tmp_path: Path) -> None:
    Store(tmp_path / "absent").flush()
    Store(tmp_path).flush()
