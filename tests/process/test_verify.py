"""verify by the command line: what it finds, what it mends, and how it ends."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.verify import NOTE
from mirrortui.worker.lock import RunLock
from tests.process import published
from tests.process.faults import status
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.waiting import until

GB = 1 << 30


@pytest.fixture
def whole(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> Mirror:
    """A mirror of eight packages over HTTP, all of them right."""
    for number in range(8):
        lab.put(f"p{number}")
    lab.index()
    mirror.write({"lab": f"{faulty.url}/lab"}, transfer={"retries": 0})
    mirror.sync()
    return mirror


def spoil(mirror: Mirror) -> dict[str, str]:
    """Damage three files in three ways; returns name -> what verify is to say."""
    folder = mirror.root / "lab" / "linux-64"
    data = (folder / "p0-1.0-0.conda").read_bytes()
    (folder / "p0-1.0-0.conda").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (folder / "p1-1.0-0.conda").write_bytes(data[:-1])
    (folder / "p2-1.0-0.conda").unlink()
    return {"p0-1.0-0.conda": "hash", "p1-1.0-0.conda": "size", "p2-1.0-0.conda": "missing"}


def test_a_mirror_without_fault(whole: Mirror) -> None:
    before = published.stamps(whole.root)
    found = whole.ok("verify")
    assert found.pop("seconds") >= 0
    assert found["metadata"] > 8
    assert found == {
        "files": 8,
        "bytes": 32000,
        "skipped": 0,
        "metadata": found["metadata"],
        "finished": True,
        "bad": [],
        "orphans": [],
        "repair": None,
    }
    assert whole.ok("verify", "--repair")["repair"] is None
    assert whole.ok("verify", "--sample", "25%")["files"] == 2
    assert published.stamps(whole.root) == before


def test_what_is_wrong_is_told_with_path_and_hash(whole: Mirror, lab: ChannelTree) -> None:
    want = spoil(whole)
    stray = whole.root / "lab" / "linux-64" / "stray-1-0.conda"
    stray.write_bytes(b"stray")
    before = published.tree(whole.root)
    done = whole.run("verify", "--json")
    assert done.code == 1
    found = done.json()
    assert {bad["fn"]: bad["reason"] for bad in found["bad"]} == want
    for bad in found["bad"]:
        assert set(bad) == {"channel", "subdir", "fn", "reason", "expected", "found"}
        assert bad["expected"] == f"sha256:{lab.records['linux-64'][bad['fn']]['sha256']}"
    assert found["orphans"] == ["lab/linux-64/stray-1-0.conda"]
    said = whole.run("verify")
    assert said.code == 1
    for bad in found["bad"]:
        assert f"{bad['reason']}: lab/linux-64/{bad['fn']}: expected {bad['expected']}" in said.out
    assert len(said.out.splitlines()) == 3
    assert "not of this mirror: lab/linux-64/stray-1-0.conda" in said.err
    assert published.tree(whole.root) == before


def test_what_was_found_is_mended_by_the_next_sync(whole: Mirror, faulty: FaultyUpstream) -> None:
    """Size and time of the file tell nothing: it is fetched since verify has noted that it is bad."""
    path = whole.root / "lab" / "linux-64" / "p0-1.0-0.conda"
    flip(path)
    still_bad(whole, path.name)
    assert "1 file is known to be bad" in whole.run("doctor", "--no-network").out
    plan = whole.run("plan")
    assert plan.code in {0, 1}
    assert "1 file on disk was never verified here" in plan.out + plan.err
    before = len(faulty.asked)
    whole.sync()
    assert [asked.path for asked in faulty.asked[before:] if asked.path.endswith(".conda")] == [
        f"/lab/linux-64/{path.name}"
    ]
    assert whole.ok("verify")["bad"] == []
    assert "known to be bad" not in whole.run("doctor", "--no-network").out


def flip(path: Path) -> None:
    """Change a byte and leave size and times as they are."""
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_bad_file_that_only_a_snapshot_names_is_kept_and_told_until_the_snapshot_goes(whole: Mirror) -> None:
    assert whole.run("snapshot", "create", "day").code == 0
    whole.edit(selection={"exclude": ["p0"]})
    whole.sync()
    path = whole.root / "lab" / "linux-64" / "p0-1.0-0.conda"
    flip(path)
    for _ in range(2):
        done = whole.run("verify", "--repair", "--json")
        assert done.code == 1
        assert [bad["fn"] for bad in done.json()["repair"]["left"]] == [path.name]
        assert path.exists()
        still_bad(whole, path.name)
    assert "damaged: 1 package known to be bad" in whole.run("snapshot", "list").out
    path.unlink()
    done = whole.run("verify", "--repair")
    assert done.code == 1
    assert f"not mended: lab/linux-64/{path.name}: missing" in done.err
    assert "what only a snapshot needs no run fetches" in done.err
    found = whole.run("verify", "--json")
    assert found.code == 1
    assert [(bad["channel"], bad["reason"]) for bad in found.json()["bad"]] == [("snapshots/day/lab", "missing")]
    assert "damaged: 1 package missing" in whole.run("snapshot", "list").out
    refused = whole.run("snapshot", "publish", "day")
    assert (refused.code, "1 package of snapshot day is gone" in refused.err) == (5, True)
    assert whole.run("snapshot", "delete", "day").code == 0
    assert whole.ok("verify")["bad"] == []


def test_a_mirror_that_has_lost_its_state(whole: Mirror) -> None:
    assert whole.run("snapshot", "create", "day").code == 0
    shutil.rmtree(whole.state)
    done = whole.run("verify")
    assert done.code == 0
    assert "nothing is known of 8 files here yet: run “mirrortui sync” first" in done.err
    whole.edit(selection={"exclude": ["p0"]})
    whole.sync()
    done = whole.run("verify")
    assert done.code == 0
    assert "not of this mirror:" not in done.err
    assert "nothing is known" not in done.err


def test_repair_brings_it_anew(whole: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    want, before = spoil(whole), len(faulty.asked)
    found = whole.ok("verify", "--repair")
    assert {bad["fn"] for bad in found["bad"]} == set(want)
    assert found["repair"] == {"exit_code": 0, "left": []}
    fetched = [asked.path for asked in faulty.asked[before:] if asked.path.endswith(".conda")]
    assert sorted(fetched) == sorted(f"/lab/linux-64/{fn}" for fn in want)
    assert published.wrong(whole.root) == []
    assert set(published.published(whole.root, "lab", "linux-64")) == set(lab.records["linux-64"])
    assert whole.ok("verify")["bad"] == []


def test_what_upstream_no_longer_has_leaves_the_metadata(whole: Mirror, faulty: FaultyUpstream) -> None:
    want = spoil(whole)
    faulty.always("/lab/linux-64/p0-1.0-0.conda", status(404))
    done = whole.run("verify", "--repair", "--json")
    assert done.code == 3
    assert [bad["fn"] for bad in done.json()["repair"]["left"]] == ["p0-1.0-0.conda"]
    assert published.wrong(whole.root) == []
    live = published.published(whole.root, "lab", "linux-64")
    assert "p0-1.0-0.conda" not in live
    assert set(want) - {"p0-1.0-0.conda"} <= set(live)
    still_bad(whole, "p0-1.0-0.conda")
    assert whole.sync(code=3)["run"]["failed"]
    still_bad(whole, "p0-1.0-0.conda")
    faulty.always("/lab/linux-64/p0-1.0-0.conda", None)
    whole.sync()
    assert whole.ok("verify")["bad"] == []
    assert "p0-1.0-0.conda" in published.published(whole.root, "lab", "linux-64")


def still_bad(mirror: Mirror, *fns: str) -> None:
    """verify goes on saying so, and takes nothing for a stranger."""
    done = mirror.run("verify", "--json")
    assert done.code == 1
    assert {bad["fn"] for bad in done.json()["bad"]} == set(fns)
    assert done.json()["orphans"] == []


def test_repair_without_upstream_loses_nothing(whole: Mirror, faulty: FaultyUpstream) -> None:
    spoil(whole)
    before = published.tree(whole.root)
    faulty.rule = lambda _asked: status(503)
    done = whole.run("verify", "--repair", "--json")
    assert done.code == 1
    assert len(done.json()["repair"]["left"]) == 3
    assert published.tree(whole.root) == before
    for _ in range(2):
        still_bad(whole, "p0-1.0-0.conda", "p1-1.0-0.conda", "p2-1.0-0.conda")
    faulty.rule = None
    whole.sync()
    assert published.wrong(whole.root) == []
    assert whole.ok("verify")["bad"] == []


def test_a_damaged_index_is_found_and_mended_without_upstream(whole: Mirror, faulty: FaultyUpstream) -> None:
    before = published.tree(whole.root)
    path = whole.root / "lab" / "linux-64" / "repodata.json"
    status_before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status_before.st_atime_ns, status_before.st_mtime_ns))
    (whole.root / "lab" / "noarch" / "repodata.json.zst").unlink()
    for _ in range(2):
        done = whole.run("verify", "--json")
        assert done.code == 1
        assert {(bad["subdir"], bad["fn"], bad["reason"]) for bad in done.json()["bad"]} == {
            ("linux-64", "repodata.json", "hash"),
            ("noarch", "repodata.json.zst", "missing"),
        }
    doctor = whole.run("doctor", "--json", "--no-network")
    assert "lab/noarch/repodata.json.zst was published and is missing" in doctor.out
    faulty.rule = lambda _asked: status(503)
    asked = len(faulty.asked)
    mended = whole.ok("verify", "--repair")
    assert mended["repair"] == {"exit_code": 0, "left": []}
    assert len(faulty.asked) == asked
    assert published.tree(whole.root) == before
    assert whole.ok("verify")["bad"] == []


def test_a_damaged_index_that_the_cache_cannot_mend_is_mended_by_the_next_run(
    whole: Mirror, faulty: FaultyUpstream
) -> None:
    before = published.tree(whole.root)
    path = whole.root / "lab" / "linux-64" / "repodata.json"
    path.write_bytes(path.read_bytes()[:-2] + b"??")
    shutil.rmtree(whole.state / "catalog")
    faulty.rule = lambda _asked: status(503)
    done = whole.run("verify", "--repair", "--json")
    assert done.code == 1
    assert [bad["fn"] for bad in done.json()["repair"]["left"]] == ["repodata.json"]
    still_bad(whole, "repodata.json")
    faulty.rule = None
    whole.ok("verify", "--repair")
    assert published.tree(whole.root) == before
    assert whole.ok("verify")["bad"] == []


def test_links_among_the_packages_are_told(whole: Mirror) -> None:
    (whole.root / "lab" / "linux-64" / "link-1-0.conda").symlink_to("/etc/passwd")
    assert whole.ok("verify")["orphans"] == ["lab/linux-64/link-1-0.conda"]


def test_beside_a_run_it_does_nothing(whole: Mirror) -> None:
    with RunLock(whole.state):
        done = whole.run("verify", "--json")
    assert done.code == 4
    assert done.out == ""
    assert "another run is at work" in done.err


def test_a_share_that_is_none(mirror: Mirror) -> None:
    mirror.write({"lab": mirror.folder.as_uri()})
    for share in ("0%", "101%", "many", "-5", "nan"):
        done = mirror.run("verify", f"--sample={share}")
        assert done.code == 2, share
        assert "no share of the files" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pass_that_is_stopped_is_gone_on_with(whole: Mirror, number: signal.Signals) -> None:
    """The last file by name is large and not as it is known; the eight before it are hashed when the signal comes."""
    large = whole.root / "lab" / "noarch" / "z-1.0-0.conda"
    with large.open("wb") as stream:
        stream.truncate(64 * GB)
    inventory = Inventory(whole.state, write=True)
    inventory.put("lab", "noarch", [Entry(large.name, 64 * GB, 0, bytes(32))])
    inventory.close()

    process = subprocess.Popen(
        [*whole.command("verify"), "--json", "--threads", "2"],
        env=whole.environment,
        cwd=whole.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until(lambda: opened(process.pid, large))
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    first = json.loads(out)
    assert (first["files"], first["finished"], first["bad"]) == (8, False, [])
    assert b"goes on from here" in err

    large.write_bytes(b"")
    done = whole.run("verify", "--json")
    second = done.json()
    assert (second["files"], second["skipped"], second["finished"]) == (1, 8, True)
    assert [(bad["fn"], bad["reason"]) for bad in second["bad"]] == [(large.name, "size")]
    third = whole.run("verify", "--json").json()
    assert (third["files"], third["skipped"]) == (9, 0)
    check = Inventory(whole.state)
    assert check.note(NOTE) == ""
    check.close()


def opened(pid: int, path: Path) -> bool:
    """Tell whether a process has a file open."""
    try:
        return any(entry.resolve() == path for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
