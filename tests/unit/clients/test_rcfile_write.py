"""Safe write and undo on real files."""

import os
import stat
from pathlib import Path

import pytest

from mirrortui.clients import Condarc, Preview, PublishedChannel, build, preview, rcfile, undo, write
from mirrortui.errors import RefusedError, TargetError

PUBLISHED = [PublishedChannel(name, ("linux-64", "noarch")) for name in ("conda-forge", "pkgs/main")]
USER = build(PUBLISHED, "http://m.lan", profile="user")
SECRET = build(PUBLISHED, "http://user:hunter2@m.lan", profile="user")
SYSTEM = build(PUBLISHED, "http://m.lan", profile="system")
FILE = build(PUBLISHED, "file:///srv/m", profile="user")


@pytest.fixture
def rc(tmp_path: Path) -> Path:
    return tmp_path / ".condarc"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_write_and_undo_of_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "conda" / "condarc.d" / "mirrortui.yml"
    receipt = write(preview(SYSTEM, path))
    assert receipt.created
    assert receipt.backup is None
    assert receipt.undo_hint == f"rm {path}"
    assert path.read_text() == SYSTEM.text()
    assert mode(path) == 0o644
    assert names(path.parent) == ["mirrortui.yml"]
    assert undo(receipt) == path
    assert names(path.parent) == []


def test_write_keeps_a_backup_beside_and_undo_brings_it_back(rc: Path) -> None:
    rc.write_text("channels: [a]  # mine\n")
    rc.chmod(0o640)
    receipt = write(preview(USER, rc))
    assert receipt.backup is not None
    assert receipt.backup.name.startswith(".condarc.2")
    assert receipt.backup.suffix == ".bak"
    assert receipt.backup.read_text() == "channels: [a]  # mine\n"
    assert mode(receipt.backup) == mode(rc) == 0o640
    assert undo(receipt) == rc
    assert rc.read_text() == "channels: [a]  # mine\n"
    assert names(rc.parent) == [".condarc"]


def test_identical_content_writes_nothing(rc: Path) -> None:
    write(preview(USER, rc))
    before = rc.stat()
    again = preview(USER, rc)
    assert (again.changed, again.diff) == (False, ())
    receipt = write(again)
    assert not receipt.written
    assert rc.stat().st_mtime_ns == before.st_mtime_ns
    assert names(rc.parent) == [".condarc"]
    assert undo(receipt) == rc
    assert rc.exists()


def test_backups_of_one_second_are_told_apart_and_undone_in_turn(rc: Path) -> None:
    rc.write_text("x: 0\n")
    texts = [rc.read_text()]
    for condarc in (USER, FILE, USER):
        write(preview(condarc, rc))
        texts.append(rc.read_text())
    for text in reversed(texts[:-1]):
        undo(rc)
        assert rc.read_text() == text
    with pytest.raises(TargetError, match="no backup"):
        undo(rc)
    assert len(list(rc.parent.glob("*.undone"))) == 3, "what was undone by path alone is kept"


def test_undo_by_path_of_a_file_we_made(rc: Path) -> None:
    write(preview(USER, rc))
    assert undo(rc) == rc
    assert not rc.exists()
    rc.write_text("channels: [a]\n")
    with pytest.raises(TargetError, match="no backup"):
        undo(rc)
    assert rc.read_text() == "channels: [a]\n"


def test_undo_does_not_discard_later_edits(rc: Path) -> None:
    rc.write_text("x: 1\n")
    receipt = write(preview(USER, rc))
    with rc.open("a") as stream:
        stream.write("y: 2\n")
    with pytest.raises(RefusedError, match="has changed since it was written") as caught:
        undo(receipt)
    assert "mv " in caught.value.hint
    undo(rc)
    assert rc.read_text() == "x: 1\n"
    kept = list(rc.parent.glob("*.undone"))
    assert len(kept) == 1
    assert kept[0].read_text().endswith("y: 2\n")


def test_undo_after_the_backup_is_gone(rc: Path) -> None:
    rc.write_text("x: 1\n")
    receipt = write(preview(USER, rc))
    assert receipt.backup is not None
    receipt.backup.unlink()
    with pytest.raises(TargetError, match="no backup"):
        undo(receipt)
    assert rc.exists()


@pytest.mark.parametrize("change", ["edited", "removed", "made", "linked"])
def test_a_change_since_the_preview_is_noticed(rc: Path, change: str) -> None:
    if change != "made":
        rc.write_text("x: 1\n")
    shown = preview(USER, rc)
    if change == "removed":
        rc.unlink()
    elif change == "linked":
        rc.rename(rc.with_name("real"))
        rc.symlink_to("real")
    else:
        rc.write_text("x: 2\n")
    before = {name: (rc.parent / name).read_bytes() for name in names(rc.parent)}
    with pytest.raises(RefusedError, match="has changed since it was shown"):
        write(shown)
    assert {name: (rc.parent / name).read_bytes() for name in names(rc.parent)} == before


@pytest.mark.parametrize("broken", ["replace", "fsync", "fchmod"])
def test_a_failure_leaves_the_file_and_no_leftovers(rc: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    rc.write_text("x: 1\n")
    shown = preview(USER, rc)

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    if broken == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, broken, fail)
    with pytest.raises(TargetError, match="No space left"):
        write(shown)
    assert names(rc.parent) == [".condarc"]
    assert rc.read_text() == "x: 1\n"


def test_no_permission_is_told_with_a_way_out(rc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(rcfile.tempfile, "mkstemp", refuse)
    with pytest.raises(TargetError, match="as root"):
        write(preview(USER, rc))


def test_a_link_stays_a_link(tmp_path: Path, rc: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "condarc-file").write_text("x: 1\n")
    rc.symlink_to("dotfiles/condarc-file")
    receipt = write(preview(USER, rc))
    assert rc.is_symlink()
    assert "conda-forge" in (dotfiles / "condarc-file").read_text()
    assert receipt.backup is not None
    assert receipt.backup.parent == dotfiles
    undo(receipt)
    assert rc.is_symlink()
    assert rc.read_text() == "x: 1\n"


def test_a_dangling_link_gets_its_file(tmp_path: Path, rc: Path) -> None:
    rc.symlink_to("later/file")
    write(preview(USER, rc))
    assert (tmp_path / "later" / "file").read_text() == USER.text()
    assert rc.is_symlink()


# --------------------------------------------------------------------------------------------- modes


def test_a_secret_is_private_whatever_the_file_was(rc: Path) -> None:
    receipt = write(preview(SECRET, rc))
    assert receipt.created
    assert mode(rc) == 0o600
    rc.chmod(0o644)
    again = preview(SECRET, rc)
    assert (again.changed, again.diff) == (True, ()), "the text is right, the mode is not"
    receipt = write(again)
    assert mode(rc) == 0o600
    assert receipt.backup is not None
    assert mode(receipt.backup) == 0o600, "the backup holds the secret too"


def test_modes_are_judged(rc: Path) -> None:
    rc.write_text("proxy_servers: {https: 'http://bob:pw@proxy'}\n")
    rc.chmod(0o644)
    assert any("chmod 600" in line for line in preview(USER, rc).warnings)
    rc.write_text("")
    rc.chmod(0o600)
    shown: Preview = preview(SYSTEM, rc)
    assert shown.mode == 0o600
    assert any("other users' conda cannot read it" in line for line in shown.warnings)


def test_the_owner_is_kept_where_the_system_allows(rc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rc.write_text("x: 1\n")
    wanted: list[tuple[int, int]] = []

    def refusing(handle: int, uid: int, gid: int) -> None:
        wanted.append((uid, gid))
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    monkeypatch.setattr(os, "fchown", refusing)
    condarc: Condarc = USER
    assert write(preview(condarc, rc)).written
    status = rc.stat()
    assert (status.st_uid, status.st_gid) in wanted
    assert (-1, status.st_gid) in wanted
