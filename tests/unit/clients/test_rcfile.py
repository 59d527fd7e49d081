"""Preview, safe write and undo on real files."""

import os
from pathlib import Path

import pytest

from mirrortui.clients import PublishedChannel, as_text, build, preview, target, write
from mirrortui.clients.diff import unified
from mirrortui.errors import ConfigError, TargetError

PUBLISHED = [PublishedChannel(name, ("linux-64", "noarch")) for name in ("conda-forge", "pkgs/main")]
USER = build(PUBLISHED, "http://m.lan", profile="user")
SECRET = build(PUBLISHED, "http://user:hunter2@m.lan", profile="user")
FILE = build(PUBLISHED, "file:///srv/m", profile="user")


@pytest.fixture
def rc(tmp_path: Path) -> Path:
    return tmp_path / ".condarc"


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
