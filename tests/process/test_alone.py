"""A run is alone with its mirror: other runs, viewers and a full disk do it no harm."""

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrortui.serve.server import FileServer
from tests.process import faults, published
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.waiting import until

MB = 1_000_000


def test_of_many_syncs_at_once_one_goes_on(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    fn = lab.put("held")
    lab.index()
    gate = threading.Event()
    faulty.always(f"/lab/linux-64/{fn}", faults.hold(10, gate))
    mirror.write({"lab": f"{faulty.url}/lab"})
    processes = [mirror.start() for _ in range(5)]

    def ended() -> list[int]:
        return [code for process in processes if (code := process.poll()) is not None]

    until(lambda: len(ended()) == 4)
    assert ended() == [4] * 4
    gate.set()
    until(lambda: len(ended()) == 5)
    assert sorted(ended()) == [0, 4, 4, 4, 4]
    assert mirror.status()["run"]["id"] == 1


def test_a_lock_left_by_a_killed_worker_holds_nobody_up(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream
) -> None:
    fn = lab.put("held")
    lab.index()
    gate = threading.Event()
    faulty.once(f"/lab/linux-64/{fn}", faults.hold(10, gate))
    mirror.write({"lab": f"{faulty.url}/lab"})
    process = mirror.start()
    until(lambda: faulty.requests(fn))
    process.kill()
    process.wait()
    gate.set()
    assert mirror.status()["state"] == "crashed"
    assert mirror.run("stop").code == 2
    assert mirror.sync()["run"]["id"] == 2


def test_looking_at_a_newer_index_does_not_disturb_the_run(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream
) -> None:
    """`estimate` and `plan` fetch an index that is newer than the one the run works from."""
    fns = [lab.put(f"p{number:02}", size=500) for number in range(30)]
    lab.index()
    gate = threading.Event()
    faulty.once(f"/lab/linux-64/{fns[0]}", faults.hold(10, gate))
    mirror.write({"lab": f"{faulty.url}/lab"})
    process = mirror.start()
    until(lambda: faulty.requests(fns[0]))
    for turn in range(3):
        lab.put(f"newer{turn}")
        lab.index()
        assert mirror.ok("estimate")["total"]["records"] == 31 + turn
        assert mirror.ok("plan")["add"]["files"] > 0
    gate.set()
    assert process.wait(20) == 0, (mirror.status(), (mirror.state / "worker.log").exists())
    assert set(published.published(mirror.root, "lab", "linux-64")) == set(fns)
    assert mirror.sync()["run"]["added"] == 3
    assert published.published(mirror.root, "lab", "linux-64") == lab.records["linux-64"]


def test_many_looks_at_once_while_the_index_changes(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": f"{faulty.url}/lab"})
    for turn in range(3):
        lab.put(f"more{turn}")
        lab.index()
        looks = [
            subprocess.Popen(
                mirror.command(verb, "--json"),
                env=mirror.environment,
                cwd=mirror.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for verb in ("estimate", "plan", "estimate", "sync")
        ]
        for look in looks:
            out, err = look.communicate(timeout=30)
            assert (look.returncode, "Traceback" in err) == (0, False), err
            assert out
    assert len(published.published(mirror.root, "lab", "linux-64")) == 4


def test_a_disk_that_fills_up_costs_nothing_that_was_fetched(
    mirror: Mirror, lab: ChannelTree, serve: Callable[..., FileServer], tmp_path: Path
) -> None:
    """On a small file system of its own; sizes that the index does not tell get past the plan's look at the free space."""
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*words, "mount -t tmpfs none /mnt"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs a user namespace with mounts")
    for number in range(4):
        fn = lab.put(f"large{number}", size=MB)
        del lab.records["linux-64"][fn]["size"]
    lab.index()
    mirror.write({"lab": f"{serve(lab.folder.parent).url}/lab"}, transfer={"connections": 1})
    mirror.root.mkdir()
    kept = tmp_path / "kept"
    script = (
        'mount -t tmpfs -o size="$1" none "$2"; [ ! -d "$3" ] || cp -a "$3/." "$2"; root=$2 kept=$3; shift 3; "$@"; code=$?; '
        'rm -rf "$kept"; cp -a "$root/." "$kept"; exit $code'
    )

    def sync(size: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, script, "sh", size, str(mirror.root), str(kept), *mirror.command("sync", "--json")],
            env=mirror.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    full = sync("2500k")
    assert full.returncode == 5, full.stderr
    assert "disk is full" in json.loads(full.stdout)["run"]["message"]
    assert "Traceback" not in full.stderr
    assert len(list(kept.rglob("*.conda"))) == 2
    roomy = sync("20m")
    assert roomy.returncode == 0, roomy.stderr
    assert json.loads(roomy.stdout)["run"]["added"] == 2
    assert published.wrong(kept) == []
    assert len(published.published(kept, "lab", "linux-64")) == 4
