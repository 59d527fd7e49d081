"""Roots, states and mirror.toml in places that cannot be: told in one clear line, never a traceback."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.process import published
from tests.process.mirror import Done, Mirror
from tests.process.packages import ChannelTree
from tests.process.refusals import failed, refused, text


def test_no_mirror_toml_anywhere(mirror: Mirror) -> None:
    if Path("/etc/mirrortui/mirror.toml").exists():
        pytest.skip("this machine has a mirror of its own")
    done = subprocess.run(
        [*mirror.command("status")[:3], "status"],
        env=mirror.environment,
        cwd=mirror.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    refused(Done(done.returncode, done.stdout, done.stderr), 2, "no mirror.toml found", "mirrortui init")


def test_a_mirror_toml_that_is_not_there(mirror: Mirror) -> None:
    refused(mirror.run("status"), 2, "no such file", "mirrortui init")


def in_the_way(path: Path) -> None:
    path.write_text("a file in the way", encoding="utf-8")


@pytest.mark.parametrize("how", ["--foreground", "--detach"])
@pytest.mark.parametrize("place", ["root", "state"])
def test_a_place_that_is_a_file(mirror: Mirror, place: str, how: str) -> None:
    text(mirror, str)
    in_the_way(getattr(mirror, place))
    refused(mirror.run("sync", how), 1, str(getattr(mirror, place)))


@pytest.mark.parametrize("place", ["root", "state"])
def test_a_place_on_a_file_system_that_takes_nothing(mirror: Mirror, place: str) -> None:
    text(mirror, lambda t: t.replace(str(getattr(mirror, place)), "/proc/mirror"))
    refused(mirror.run("sync"), 1, "/proc/mirror")


@pytest.mark.parametrize("verb", ["sync", "estimate"])
@pytest.mark.parametrize("place", ["root", "state"])
def test_a_place_without_write_permission(mirror: Mirror, lab: ChannelTree, place: str, verb: str) -> None:
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    folder = getattr(mirror, place)
    folder.mkdir()
    folder.chmod(0o555)
    command = mirror.command(verb)
    if os.geteuid() == 0:  # root may write anywhere, unless it gives that up
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to give up root's rights")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]
    ended = subprocess.run(
        command, env=mirror.environment, cwd=mirror.folder, capture_output=True, text=True, check=False
    )
    folder.chmod(0o755)
    done = Done(ended.returncode, ended.stdout, ended.stderr)
    if place == "root" and verb == "estimate":
        assert done.code == 0  # it only looks
    else:
        refused(done, 1, str(folder), "Permission denied")


@pytest.mark.parametrize("name", ["journal.db", "inventory.db"])
@pytest.mark.parametrize("content", [b"this is no database, but it is long enough to look at" * 100, None])
def test_a_database_that_is_none(mirror: Mirror, lab: ChannelTree, name: str, content: bytes | None) -> None:
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.state.mkdir()
    path = mirror.state / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    done = mirror.run("sync")
    (refused if name == "journal.db" else failed)(done, 1, str(path))
    if name == "journal.db":
        refused(mirror.run("status"), 1, str(path))


def test_a_root_that_is_a_link_elsewhere(mirror: Mirror, lab: ChannelTree, tmp_path: Path) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    outside = tmp_path / "outside"
    (outside / "linux-64").mkdir(parents=True)
    mirror.root.mkdir()
    (mirror.root / "lab").symlink_to(outside)
    failed(mirror.run("sync"), 1, "link")
    assert list(outside.rglob("*")) == [outside / "linux-64"]


def test_a_plan_that_does_not_fit_the_disk(mirror: Mirror, lab: ChannelTree) -> None:
    fn = lab.put("vast")
    lab.records["linux-64"][fn]["size"] = 1 << 41
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    failed(mirror.run("sync"), 5, "free")
    assert published.indexes(mirror.root) == []
