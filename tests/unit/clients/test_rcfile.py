"""Preview, safe write and undo on real files."""

import os
import stat
from pathlib import Path

import pytest

from mirrortui.clients import Condarc, Preview, PublishedChannel, as_text, build, preview, rcfile, target, undo, write
from mirrortui.clients.diff import unified
from mirrortui.errors import ConfigError, RefusedError, TargetError

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


# ------------------------------------------------------------------------------------------- target


def test_target_is_the_file_that_conda_lets_win(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert target("system", env=env) == Path("/etc/conda/condarc.d/mirrortui.yml")
    assert target("user", env=env) == tmp_path / ".condarc"
    for place in ("xdg/conda/.condarc", ".config/conda/condarc", ".conda/.condarc", ".condarc"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
        assert target("user", env=env) == tmp_path / place
    assert target("user", env={}, home=tmp_path / "else") == tmp_path / "else" / ".condarc"


@pytest.mark.parametrize("name", ["my.rc", "condarc.txt", "condarc.d/.condarc", ".condarc.bak"])
def test_a_name_that_conda_passes_over_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="does not read a file of this name"):
        preview(USER, tmp_path / name)


@pytest.mark.parametrize("name", [".condarc", "condarc", "lab.yml", "condarc.d/lab.yaml"])
def test_names_that_conda_reads(tmp_path: Path, name: str) -> None:
    assert preview(USER, tmp_path / name).changed


# ------------------------------------------------------------------------------------------ preview


def test_a_fresh_file_is_shown_whole_and_nothing_is_touched(rc: Path) -> None:
    shown = preview(USER, rc)
    assert (shown.before, shown.after, shown.existed, shown.mode) == ("", USER.text(), False, 0o644)
    assert {line.tag for line in shown.diff} == {"head", "hunk", "add"}
    assert shown.diff_text().count("\n+") == USER.text().count("\n") + 1
    assert names(rc.parent) == []


def test_the_diff_is_safe_to_show(rc: Path) -> None:
    rc.write_text('channel_alias: http://bob:pa55@x\nx: "a\\u202eb"  # \u202e right to left\n')
    shown = preview(SECRET, rc)
    assert "pa55" in shown.before
    assert "hunter2" in shown.after
    text = shown.diff_text()
    assert "pa55" not in text
    assert "hunter2" not in text
    assert "\u202e" not in text
    assert "-channel_alias: http://***@x" in text


def test_unified_tags_and_text() -> None:
    lines = unified("a\nb\n", "a\nc\n", "rc")
    assert [line.tag for line in lines] == ["head", "head", "hunk", "same", "drop", "add"]
    assert as_text(lines).splitlines()[-3:] == [" a", "-b", "+c"]
    assert unified("a\n", "a\n", "rc") == ()
    assert unified("a\r\n", "a\n", "rc")[0].tag == "hunk"


def test_byte_order_mark_and_line_endings_stay(rc: Path) -> None:
    rc.write_bytes(b"\xef\xbb\xbfchannels:\r\n  - x\r\nssl_verify: true\r\n")
    write(preview(USER, rc))
    data = rc.read_bytes()
    assert data.startswith(b"\xef\xbb\xbfchannels:\r\n  - conda-forge\r\n  - defaults\r\nssl_verify: true\r\n")
    assert data.count(b"\n") == data.count(b"\r\n")
    assert not preview(USER, rc).changed


@pytest.mark.parametrize("content", [b"a: '\n", b"\xff\xfea\x00", b"- a\n", b"a:\n\t- b\n", b"x" * 1_000_001])
def test_broken_files_stay_as_they_are(rc: Path, content: bytes) -> None:
    rc.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        preview(USER, rc)
    assert str(rc) in str(caught.value)
    assert rc.read_bytes() == content


def test_what_is_no_file_is_refused(tmp_path: Path, rc: Path) -> None:
    rc.mkdir()
    with pytest.raises(TargetError, match="is not a file"):
        preview(USER, rc)
    fifo = tmp_path / "pipe.yml"
    os.mkfifo(fifo)
    with pytest.raises(TargetError, match="is not a file"):
        preview(USER, fifo)
    ring = tmp_path / "ring.yml"
    ring.symlink_to(ring)
    with pytest.raises(TargetError):
        preview(USER, ring)
    (tmp_path / "plain").touch()
    with pytest.raises(TargetError, match="cannot be read"):
        preview(USER, tmp_path / "plain" / ".condarc")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("custom_multichannels: {pkgs: [https://x/y], conda-forge/label: [https://evil/cf]}", ""),
        ("custom_multichannels: {team: [https://x/y]}", ""),
        ("migrated_custom_channels: {conda-forge: https://conda.anaconda.org}", ""),
        ("proxy_servers: {http: 'http://proxy:80'}", '"http://m.lan": ""'),
        ("proxy_servers: {http: 'http://proxy:80', 'http://m.lan': ''}", ""),
        ("proxy_servers: {all: 'http://proxy:80'}", "exempt it"),
        ("proxy_servers: {https: 'http://proxy:80'}", ""),
        ("offline: true", "offline: true keeps"),
        ("repodata_fns: [current_repodata.json]", "repodata_fns: without repodata.json"),
        ("repodata_fns: [current_repodata.json, repodata.json]", ""),
        ("subdirs: [linux-64]", "without noarch"),
        ("allowlist_channels: [https://conda.anaconda.org/conda-forge]", "the mirror's pkgs/main is refused"),
        ("whitelist_channels: [http://m.lan/pkgs/main]", "whitelist_channels: the mirror's conda-forge is refused"),
        ("allowlist_channels: [conda-forge, defaults]", ""),
        ("denylist_channels: [defaults]", "denylist_channels: the mirror's pkgs/main"),
        ("denylist_channels: [https://evil/x]", ""),
        ("mirrored_channels: {conda-forge: [https://x/cf]}", "mamba asks https://x/cf for conda-forge"),
        ("mirrored_channels: {conda-forge: [http://m.lan/conda-forge]}", ""),
        ("custom_channels: {lab: 'http://lab/lab'}", "http://lab/lab/lab"),
        ("chanels: [a]", "is channels meant?"),
        ("always_yes: true", ""),
        ("proxy_servers:\nallowlist_channels: []\nrepodata_fns: ~\nmirrored_channels: 3\ndenylist_channels: x", ""),
    ],
)
def test_what_works_against_the_mirror_is_told(rc: Path, text: str, warning: str) -> None:
    rc.write_text(f"{text}\n")
    told = preview(USER, rc).warnings
    assert any(warning in line for line in told) if warning else told == ()


def test_redirected_names_are_replaced_or_told(rc: Path) -> None:
    rc.write_text("custom_multichannels: {conda-forge: [https://evil/cf], defaults: [https://evil/d]}\n")
    told = "\n".join(preview(USER, rc).warnings)
    assert "conda-forge leads to https://evil/cf, not to the mirror" in told
    assert "defaults leads to https://evil/d, not to the mirror" in told


def test_a_file_mirror_needs_no_network(rc: Path) -> None:
    rc.write_text("offline: true\nproxy_servers: {http: 'http://p'}\n")
    assert preview(FILE, rc).warnings == ()


# -------------------------------------------------------------------------------------------- write


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
