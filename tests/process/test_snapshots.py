"""Snapshots by the command line, and clients that install from them while the live channel goes on."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirrortui.serve.server import FileServer
from mirrortui.worker.lock import RunLock
from tests.process import published, web
from tests.process.client import solve
from tests.process.mirror import SECONDS, Done, Mirror
from tests.process.packages import ChannelTree, write_index

pytestmark = pytest.mark.slow

SPECS = ("bzip2", "libzlib", "libexpat", "ca-certificates", "tzdata", "reproc")
PRUNE = {"grace": "", "max_share": 1.0}


def run(mirror: Mirror, verb: str, *words: str) -> Done:
    """Run a snapshot verb to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "mirrortui", "snapshot", verb, "--config", str(mirror.file), *words],
        env=mirror.environment,
        cwd=mirror.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def ok(mirror: Mirror, verb: str, *words: str) -> Any:
    """A snapshot verb that must succeed; what it printed as JSON, or its narration."""
    as_json = ("--json",) if verb in ("create", "list", "diff") else ()
    done = run(mirror, verb, *words, *as_json)
    assert done.code == 0, done.err
    return json.loads(done.out) if as_json else done.err


@pytest.fixture
def snapshot_of(mirror: Mirror, lab: ChannelTree) -> Mirror:
    """A mirror of `lab` with two packages and a snapshot `day`, after which upstream replaced, removed and added some."""
    lab.put("same")
    lab.put("changed")
    lab.put("leaving")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()}, prune=PRUNE)
    mirror.sync()
    ok(mirror, "create", "day")
    lab.put("changed", size=5000)
    lab.remove("leaving-1.0-0.conda")
    lab.put("new")
    lab.index()
    mirror.sync()
    return mirror


def test_what_the_verbs_print(snapshot_of: Mirror, lab: ChannelTree) -> None:
    mirror = snapshot_of
    found = ok(mirror, "list")
    assert [(s["name"], s["records"], s["bytes"]) for s in found] == [("day", 3, 12000)]
    assert found[0]["subdirs"] == [{"channel": "lab", "subdir": "linux-64"}, {"channel": "lab", "subdir": "noarch"}]
    changes = {
        "channel": "lab",
        "subdir": "linux-64",
        "added": ["new-1.0-0.conda"],
        "removed": ["leaving-1.0-0.conda"],
        "replaced": ["changed-1.0-0.conda"],
    }
    assert ok(mirror, "diff", "day") == [changes]
    said = run(mirror, "diff", "day").out.splitlines()
    assert said == [
        "+ lab/linux-64/new-1.0-0.conda",
        "- lab/linux-64/leaving-1.0-0.conda",
        "! lab/linux-64/changed-1.0-0.conda",
    ]
    made = ok(mirror, "create", "second")
    assert (made["name"], made["records"]) == ("second", 3)
    assert ok(mirror, "diff", "day", "second") == [changes]
    assert ok(mirror, "diff", "second") == []
    assert "no difference" in run(mirror, "diff", "second").err
    assert [s["name"] for s in ok(mirror, "list")] == ["day", "second"]


REFUSED = {
    ("create", "day"): "already",
    ("create", "../day"): "no name for a snapshot",
    ("create", ".day"): "no name for a snapshot",
    ("create", "linux-64"): "subdir",
    ("create", "a\x1b[2J"): "no name for a snapshot",
    ("diff", "night"): "Snapshots: day",
    ("diff", "day", "night"): "Snapshots: day",
    ("publish", "night"): "Snapshots: day",
    ("delete", "night"): "Snapshots: day",
}


def test_what_cannot_be_is_refused(snapshot_of: Mirror) -> None:
    before = published.tree(snapshot_of.root)
    for words, said in REFUSED.items():
        done = run(snapshot_of, *words)
        assert done.code == 2, words
        assert said in done.err, words
        assert "\x1b" not in done.err
    with RunLock(snapshot_of.state):
        for words in (("create", "other"), ("publish", "day"), ("delete", "day")):
            assert run(snapshot_of, *words).code == 4, words
        assert run(snapshot_of, "list").code == 0
    assert published.tree(snapshot_of.root) == before


def test_a_snapshot_is_there_to_be_served_whatever_the_umask(snapshot_of: Mirror) -> None:
    before = os.umask(0o077)
    try:
        ok(snapshot_of, "create", "night")
    finally:
        os.umask(before)
    place = snapshot_of.root / "snapshots" / "night"
    for path in (place, *place.rglob("*")):
        assert path.stat().st_mode & 0o005 == (0o005 if path.is_dir() else 0o004), path


def test_before_the_first_run_there_is_nothing_to_freeze(mirror: Mirror, lab: ChannelTree) -> None:
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    done = run(mirror, "create")
    assert done.code == 2
    assert "nothing is published yet" in done.err
    assert ok(mirror, "list") == []


def test_a_snapshot_keeps_what_upstream_replaced_and_removed(
    snapshot_of: Mirror, lab: ChannelTree, serve: Callable[..., FileServer]
) -> None:
    mirror = snapshot_of
    assert mirror.run("prune", "--confirm-prune").code == 0
    records = published.records(mirror.root / "snapshots/day/lab/linux-64/repodata.json")
    live = published.published(mirror.root, "lab", "linux-64")
    assert records["changed-1.0-0.conda"]["sha256"] != live["changed-1.0-0.conda"]["sha256"]
    base = serve(mirror.root).url
    with httpx.Client(trust_env=False) as client:
        for place, wanted in ((f"{base}/snapshots/day/lab", records), (f"{base}/lab", live)):
            for fn, record in wanted.items():
                data = client.get(f"{place}/linux-64/{fn}").content
                assert hashlib.sha256(data).hexdigest() == record["sha256"], fn


def test_rolling_back_and_going_on(snapshot_of: Mirror, lab: ChannelTree) -> None:
    mirror = snapshot_of
    after = published.published(mirror.root, "lab", "linux-64")
    assert "2 subdirs are as they were" in ok(mirror, "publish", "day")
    frozen = mirror.root / "snapshots" / "day" / "lab"
    for path in published.tree(frozen):
        if "repodata" in path:
            assert (mirror.root / "lab" / path).read_bytes() == (frozen / path).read_bytes()
    assert set(published.published(mirror.root, "lab", "linux-64")) == {
        f"{name}-1.0-0.conda" for name in ("same", "changed", "leaving")
    }
    assert published.wrong(mirror.root / "lab") == []
    assert mirror.ok("verify")["bad"] == []
    assert mirror.run("prune", "--confirm-prune").code == 0
    assert published.wrong(mirror.root / "lab") == []

    again = mirror.sync()
    assert (again["run"]["replaced"], again["run"]["added"]) == (1, 0)
    assert published.published(mirror.root, "lab", "linux-64") == after
    assert published.wrong(mirror.root / "lab") == []
    assert (frozen / "linux-64" / "leaving-1.0-0.conda").exists() is False
    assert (mirror.root / "lab" / "linux-64" / "leaving-1.0-0.conda").exists()
    assert mirror.sync()["run"]["replaced"] == 0


def test_what_only_a_snapshot_needed_goes_with_it(snapshot_of: Mirror) -> None:
    mirror, fn = snapshot_of, "leaving-1.0-0.conda"
    mirror.edit(prune={"grace": "1 day"})
    ok(mirror, "delete", "day")
    assert ok(mirror, "list") == []
    assert not list((mirror.root / "snapshots").iterdir())
    assert mirror.ok("prune")["files"] == 0  # the grace period begins when the snapshot goes
    mirror.edit(prune=PRUNE)
    assert [f["fn"] for f in mirror.ok("prune")["list"]] == [fn]
    assert published.wrong(mirror.root) == []


def test_a_rollback_for_which_a_package_is_gone_is_refused(snapshot_of: Mirror) -> None:
    (snapshot_of.root / "lab" / "linux-64" / "leaving-1.0-0.conda").unlink()
    before = published.tree(snapshot_of.root)
    done = run(snapshot_of, "publish", "day")
    assert done.code == 5
    assert "leaving-1.0-0.conda" in done.err
    assert published.tree(snapshot_of.root) == before


@pytest.mark.parametrize("lost", [("repodata.json*",), ("repodata.json*", ".names.zst"), ("../../.snapshot.json",)])
def test_a_damaged_snapshot_is_refused_keeps_every_package_and_can_be_deleted(
    snapshot_of: Mirror, lost: tuple[str, ...]
) -> None:
    mirror, fn = snapshot_of, "leaving-1.0-0.conda"
    place = mirror.root / "snapshots" / "day" / "lab" / "linux-64"
    for pattern in lost:
        head, _, name = pattern.rpartition("/")
        for path in (place / head).glob(name):
            path.unlink()
    before = published.tree(mirror.root)
    done = run(mirror, "publish", "day")
    assert done.code == 5
    assert "snapshot day is damaged" in done.err
    assert published.tree(mirror.root) == before
    assert [(s["name"], bool(s["damaged"])) for s in ok(mirror, "list")] == [("day", True)]
    assert "damaged: " in run(mirror, "list").out
    assert mirror.run("verify").code == 1

    assert mirror.sync("--confirm-prune")["run"]["pruned"] == 0
    pruned = mirror.ok("prune", "--confirm-prune")
    assert pruned["files"] == 0
    assert (mirror.root / "lab" / "linux-64" / fn).exists()
    if lost != ("repodata.json*",):  # its list of names is there
        assert "snapshot day is damaged" in pruned["warnings"][0]
    assert "already" in run(mirror, "create", "day").err
    ok(mirror, "delete", "day")
    ok(mirror, "create", "day")


# ------------------------------------------------------------------------------------- a real client


def test_a_client_installs_from_a_snapshot_while_the_live_channel_has_changed(
    mirror: Mirror, shared: Path, tmp_path: Path
) -> None:
    nginx = web.find("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed")
    upstream = tmp_path / "upstream" / "conda-forge"
    for subdir in ("linux-64", "noarch"):
        shutil.copytree(shared / "channels" / "conda-forge" / subdir, upstream / subdir)
    mirror.write({"conda-forge": upstream.as_uri()}, prune=PRUNE)
    mirror.sync()
    ok(mirror, "create", "day")
    fn, old, new = replace_bzip2(upstream)
    mirror.edit(selection={"exclude": ["libexpat"]})
    mirror.sync("--confirm-prune")

    (tmp_path / "server").mkdir()
    with web.WebServer("nginx", nginx, tmp_path / "server", mirror.root) as server:
        now, day = f"{server.url}/conda-forge", f"{server.url}/snapshots/day/conda-forge"
        assert "libexpat" in solve([now], SPECS, tmp_path / "none")["error"]
        for url, digest, specs in ((now, new, ("bzip2",)), (day, old, SPECS)):
            home = tmp_path / digest
            answer = solve([url], specs, home, install=home / "environment")
            assert answer["error"] == ""
            assert os.access(home / "environment" / "bin" / "bzip2", os.X_OK)
            assert {r["sha256"] for r in answer["records"] if r["fn"] == fn} == {digest}
            assert all(r["url"].startswith(url) for r in answer["records"])
        asked = {line.path for line in server.log() if line.status == 200}
    assert "/snapshots/day/conda-forge/linux-64/repodata_shards.msgpack.zst" in asked
    assert any(path.startswith("/snapshots/day/conda-forge/noarch/shards/") for path in asked)


def replace_bzip2(upstream: Path) -> tuple[str, str, str]:
    """Let upstream put another file under the name of one; returns name, old hash, new hash."""
    folder = upstream / "linux-64"
    records = published.records(folder / "repodata.json")
    fn = next(fn for fn in records if fn.startswith("bzip2-"))
    old = records[fn]["sha256"]
    with zipfile.ZipFile(folder / fn, "a") as package:
        package.comment = b"another build"
    data = (folder / fn).read_bytes()
    digests = {name: hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in ("sha256", "md5")}
    records[fn] |= digests | {"size": len(data)}
    for path in folder.glob("*repodata*"):
        path.unlink()
    write_index(folder, "linux-64", records)
    return fn, old, digests["sha256"]
