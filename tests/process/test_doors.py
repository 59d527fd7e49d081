"""The doors themselves: JSON from every verb that reports, --config in any place, streams that are closed or full."""

import shlex
import subprocess

import pytest

from mirrortui.worker.journal import Journal
from mirrortui.worker.lock import RunLock
from tests.process.mirror import Done, Mirror
from tests.process.packages import ChannelTree


def test_commands_answer_in_json(mirror: Mirror) -> None:
    mirror.write({"lab": mirror.folder.as_uri()})
    with RunLock(mirror.state):
        log = Journal(mirror.state)
        log.begin()
        for verb in ("pause", "resume", "stop"):
            assert mirror.ok(verb) == {"asked": verb}
        assert mirror.ok("limit", "5 MB/s") == {"asked": "limit", "rate": 5_000_000}
        assert log.commands() == [("pause", ""), ("resume", ""), ("stop", ""), ("limit", "5000000")]


def test_snapshots_and_web_servers_answer_in_json(mirror: Mirror, lab: ChannelTree) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.edit(mirror={"url": "http://mirror.lab"})
    mirror.sync()
    before, after = ["snapshot", "--config", str(mirror.file)], ["snapshot"]
    assert outside(mirror, *before, "create", "day", "--json").json()["records"] == 1
    pairs = [{"channel": "lab", "subdir": subdir} for subdir in ("linux-64", "noarch")]
    published = outside(mirror, *after, "publish", "--config", str(mirror.file), "day", "--json").json()
    assert published["published"] == "day"
    assert sorted(published["subdirs"], key=str) == pairs
    assert outside(mirror, *before, "delete", "--json", "day").json() == {"deleted": "day"}
    assert outside(mirror, "--config", str(mirror.file), "snapshot", "list", "--json").out == "[]\n"
    for kind in ("nginx", "caddy", "apache"):
        found = mirror.ok("webserver", kind)
        assert found == {"kind": kind, "text": mirror.run("webserver", kind).out}


def outside(mirror: Mirror, *words: str) -> Done:
    """Run the program with exactly these words, where no mirror.toml is found by itself."""
    folder = mirror.folder / "elsewhere"
    folder.mkdir(exist_ok=True)
    command = [*mirror.command("x")[:3], *words]
    done = subprocess.run(
        command, env=mirror.environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("redirect", "verb", "code", "said"),
    [
        ("2>&-", "sync", 0, None),
        ("2>/dev/full", "sync", 0, None),
        (">&-", "sync", 0, "run 2 done"),
        ("<&- >&- 2>&-", "sync", 0, None),
        ("2>&-", "status", 0, None),
        (">&-", "status", 1, "mirrortui: stdout cannot be written: "),
        (">/dev/full", "status", 1, "mirrortui: stdout cannot be written: No space left on device"),
        (">/dev/full", "plan", 1, "mirrortui: stdout cannot be written: No space left on device"),
        (">/dev/full", "status --json", 1, "mirrortui: stdout cannot be written: No space left on device"),
        (">/dev/full", "status --help", 1, "mirrortui: stdout cannot be written: No space left on device"),
        ("| head -c 0; exit ${PIPESTATUS[0]}", "status --json", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full(
    mirror: Mirror, lab: ChannelTree, redirect: str, verb: str, code: int, said: str | None
) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.sync()
    words = shlex.join(mirror.command(*verb.split()))
    done = subprocess.run(
        ["bash", "-c", f"{words} {redirect}"],
        env=mirror.environment,
        cwd=mirror.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "MIRRORTUI_DEBUG" not in done.stderr
    if said is None:
        assert done.stderr == ""
    elif said.startswith("mirrortui"):
        assert done.stderr.splitlines()[-1].startswith(said)
    else:
        assert said in done.stderr
    assert mirror.status()["state"] == "done"
