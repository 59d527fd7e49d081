"""A run at work obeys: pause, resume, limit, stop, signals; and it is alone."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from mirrortui.serve.server import AccessLine, FileServer
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import Snapshot
from tests.process import published
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.waiting import until

MB = 1_000_000


class Journal:
    """What the worker of a mirror says of itself, read as any viewer does."""

    def __init__(self, mirror: Mirror) -> None:
        self._reader = JournalReader(mirror.state)

    def now(self) -> Snapshot:
        return self._reader.snapshot()

    @property
    def state(self) -> str:
        return self.now().state

    @property
    def reading(self) -> tuple[float, int]:
        """The moment of the last heartbeat, and the bytes received until then."""
        snapshot = self.now()
        assert snapshot.run is not None
        assert snapshot.heartbeat_age is not None
        return time.time() - snapshot.heartbeat_age, snapshot.run.bytes_fetched

    @property
    def received(self) -> int:
        run = self.now().run
        return run.bytes_fetched if run else 0

    def later(self, seconds: float) -> tuple[float, int]:
        """The first reading that is so much later than now."""
        first, _ = self.reading
        until(lambda: self.reading[0] >= first + seconds)
        return self.reading

    def rate(self, seconds: float) -> float:
        """Bytes a second from now on for a while, by the worker's own clock and counter."""
        first, before = self.later(0.3)
        last, after = self.later(seconds)
        return (after - before) / (last - first)


@pytest.fixture
def journal(mirror: Mirror) -> Journal:
    return Journal(mirror)


class Slow:
    """An upstream of bounded speed that notes what it answered."""

    def __init__(self, lab: ChannelTree, serve: Callable[..., FileServer], rate: int) -> None:
        self.answers: list[AccessLine] = []
        self.server = serve(lab.folder.parent, rate=rate, log=self.answers.append)

    def packages(self) -> list[tuple[str, int, int]]:
        """File name, status and bytes of each package that was answered."""
        return [
            (line.target.rpartition("/")[2], line.status, line.bytes)
            for line in list(self.answers)
            if line.target.endswith(".conda")
        ]


@pytest.fixture
def running(mirror: Mirror) -> Iterator[None]:
    """Ends what a test has left at work."""
    yield
    if mirror.status()["state"] in ("running", "paused", "stopping"):
        run = JournalReader(mirror.state).snapshot().run
        assert run is not None
        os.kill(run.pid, signal.SIGKILL)


@pytest.mark.usefixtures("running")
def test_pause_and_resume(mirror: Mirror, lab: ChannelTree, serve: Callable[..., FileServer], journal: Journal) -> None:
    for number in range(3):
        lab.put(f"large{number}", size=4 * MB)
    lab.index()
    slow = Slow(lab, serve, 4 * MB)
    mirror.write({"lab": f"{slow.server.url}/lab"})
    started = mirror.ok("sync", "--detach")
    until(lambda: journal.received > MB // 2)
    assert mirror.run("pause").code == 0
    until(lambda: mirror.status()["state"] == "paused")
    _, before = journal.later(0.3)  # a piece that was under way may still be written
    _, after = journal.later(1.0)
    assert after == before < 12 * MB
    assert mirror.status()["state"] == "paused"
    assert mirror.run("resume").code == 0
    until(lambda: journal.state == "running")
    until(lambda: journal.state == "done")
    run = mirror.status()["run"]
    assert (run["id"], run["added"], run["bytes"]) == (started["run"]["id"], 3, 12 * MB)
    assert published.wrong(mirror.root) == []
    assert len(slow.packages()) == 3


@pytest.mark.usefixtures("running")
def test_the_limit_holds_and_changes_at_once(
    mirror: Mirror, lab: ChannelTree, serve: Callable[..., FileServer], journal: Journal
) -> None:
    for number in range(4):
        lab.put(f"large{number}", size=10 * MB)
    lab.index()
    mirror.write({"lab": f"{serve(lab.folder.parent).url}/lab"}, transfer={"limit": "6 MB/s"})
    assert mirror.ok("plan")["eta"] == pytest.approx(40 / 6)
    mirror.ok("sync", "--detach")
    until(lambda: journal.received > MB)
    assert journal.rate(1.5) == pytest.approx(6 * MB, rel=0.2)
    assert mirror.run("limit", "2 MB/s").code == 0
    until(lambda: mirror.status()["run"]["limit"] == 2 * MB)
    assert journal.rate(1.5) == pytest.approx(2 * MB, rel=0.2)
    assert mirror.run("limit", "0").code == 0
    began = time.monotonic()
    until(lambda: journal.state == "done")
    assert time.monotonic() - began < 5
    assert mirror.status()["run"]["added"] == 4


@pytest.mark.parametrize("how", ["stop", "paused", "SIGTERM", "SIGINT"])
@pytest.mark.usefixtures("running")
def test_a_stopped_run_keeps_what_it_has_and_the_next_one_goes_on_there(
    mirror: Mirror, lab: ChannelTree, serve: Callable[..., FileServer], journal: Journal, how: str
) -> None:
    fns = [lab.put(f"large{number}", size=2 * MB) for number in range(3)]
    lab.index()
    slow = Slow(lab, serve, 2 * MB)
    mirror.write({"lab": f"{slow.server.url}/lab"})
    folder = mirror.root / "lab" / "linux-64"
    parts = [folder / f".{fn}.part" for fn in fns]
    process = mirror.start()
    until(lambda: all(part.exists() and part.stat().st_size > 100_000 for part in parts))
    if how == "paused":
        mirror.run("pause")
        until(lambda: journal.state == "paused")
    if how.startswith("SIG"):
        process.send_signal(getattr(signal, how))
    else:
        assert mirror.run("stop").code == 0
    assert process.wait(5) == (130 if how.startswith("SIG") else 1)
    stopped = mirror.status()
    assert stopped["state"] == "stopped"
    assert stopped["run"]["exit_code"] == process.returncode
    held = {part.name[1:].removesuffix(".part"): part.stat().st_size for part in parts}
    assert all(100_000 < size < 2 * MB for size in held.values())
    assert published.indexes(mirror.root) == []

    slow.server.close()
    slow.answers.clear()
    again = Slow(lab, serve, 0)
    mirror.write({"lab": f"{again.server.url}/lab"})
    run = mirror.sync()["run"]
    assert run["added"] == 3
    assert sorted(again.packages()) == sorted((fn, 206, 2 * MB - size) for fn, size in held.items())
    assert run["bytes"] == 6 * MB - sum(held.values())
    assert published.wrong(mirror.root) == []
    assert published.hidden(mirror.root) == []


@pytest.mark.usefixtures("running")
def test_stop_is_obeyed_at_full_speed(
    mirror: Mirror, lab: ChannelTree, serve: Callable[..., FileServer], journal: Journal
) -> None:
    """Answers that are always there already must not outrun the wish to stop."""
    fn = lab.put("large0", size=20 * MB)
    for number in range(1, 60):
        lab.records["linux-64"][f"large{number}-1.0-0.conda"] = lab.records["linux-64"][fn] | {"name": f"large{number}"}
        os.link(lab.folder / "linux-64" / fn, lab.folder / "linux-64" / f"large{number}-1.0-0.conda")
    lab.index()
    mirror.write({"lab": f"{serve(lab.folder.parent).url}/lab"}, transfer={"connections": 4})
    process = mirror.start()
    until(lambda: journal.received > 0, every=0.005)
    began = time.monotonic()
    assert mirror.run("stop").code == 0
    assert process.wait(20) == 1
    assert time.monotonic() - began < 3
    assert journal.state == "stopped"
    assert journal.received < 60 * 20 * MB
