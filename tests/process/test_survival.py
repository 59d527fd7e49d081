"""The worker belongs to nobody's terminal."""

import shlex
import shutil
import threading
from collections.abc import Iterator

import pytest

from mirrortui.worker.reader import JournalReader
from tests.process import published
from tests.process.faults import hold
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.terminals import Terminal, Tmux, assert_worker_outlives
from tests.process.waiting import until


@pytest.fixture
def gate(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> Iterator[threading.Event]:
    """A mirror to sync, of which one file does not come before the gate opens."""
    for number in range(20):
        lab.put(f"small{number}")
    large = lab.put("large", size=400_000)
    lab.index()
    opened = threading.Event()
    faulty.always(f"/lab/linux-64/{large}", hold(100_000, opened))
    mirror.write({"lab": f"{faulty.url}/lab"})
    yield opened
    opened.set()


@pytest.mark.parametrize("end", ["hang_up", "kill"])
def test_a_detached_worker_outlives_its_session(mirror: Mirror, gate: threading.Event, end: str) -> None:
    script = f"{shlex.join(mirror.command('sync', '--detach'))}; exec cat"
    with Terminal(["/bin/sh", "-c", script], mirror.environment, folder=mirror.folder) as terminal:
        until(lambda: b"goes on in process" in terminal.output)
        assert_worker_outlives(mirror, getattr(terminal, end), gate.set)
        assert terminal.process.returncode is not None
    assert published.wrong(mirror.root) == []
    assert len(published.published(mirror.root, "lab", "linux-64")) == 21


def test_a_detached_worker_outlives_tmux(mirror: Mirror, gate: threading.Event) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    with Tmux(mirror.environment) as tmux:
        tmux.new_session(f"{shlex.join(mirror.command('sync', '--detach'))}; exec sleep 600")
        until(lambda: "goes on in process" in tmux.screen().replace("\n", " "))
        assert_worker_outlives(mirror, tmux.kill_server, gate.set)


def test_a_sync_started_on_the_screens_outlives_their_pane_and_is_seen_again(
    mirror: Mirror, gate: threading.Event
) -> None:
    """The laptop is closed in the middle: the worker ends its work, and screens opened anew show the same run."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    screens = shlex.join(mirror.command("tui", "--screen", "sync"))
    with Tmux(mirror.environment) as tmux:
        tmux.new_session(screens)
        until(lambda: "no run yet" in tmux.screen())
        tmux.press("s")
        until(lambda: "Start the sync?" in tmux.screen())
        tmux.press("y")
        until(lambda: "process" in tmux.screen() and mirror.status()["state"] == "running")
        run = mirror.status()["run"]["id"]

        def lose_the_pane_and_look_again() -> None:
            tmux.kill_server()
            with Tmux(mirror.environment) as again:
                again.new_session(screens)
                until(lambda: "syncing" in again.screen() and "of 21 files" in again.screen())

        assert_worker_outlives(mirror, lose_the_pane_and_look_again, gate.set)
        with Tmux(mirror.environment) as afterwards:
            afterwards.new_session(screens)
            until(lambda: "done" in afterwards.screen() and "21 of 21 files" in afterwards.screen())
        assert mirror.status()["run"]["id"] == run


def test_a_run_in_the_foreground_goes_on_when_the_line_is_lost(mirror: Mirror, gate: threading.Event) -> None:
    reader = JournalReader(mirror.state)

    def state() -> str:
        return reader.snapshot().state

    with Terminal(mirror.command("sync", "--foreground"), mirror.environment, folder=mirror.folder) as terminal:
        until(lambda: state() == "running")
        closer = threading.Thread(target=terminal.hang_up)
        closer.start()
        until(lambda: mirror.status()["run"]["files"]["done"] == 20)
        gate.set()
        until(lambda: state() != "running")
        closer.join(20)
        assert terminal.process.returncode == 0
    reader.close()
    assert mirror.status()["state"] == "done"


def test_the_door_that_starts_a_worker_returns_at_once(mirror: Mirror, gate: threading.Event) -> None:
    started = mirror.ok("sync", "--detach")
    assert started["state"] == "running"
    assert mirror.status()["run"]["id"] == started["run"]["id"]
    gate.set()
    done = mirror.run("status", "--follow", "--json")
    assert done.code == 0
    assert '"state": "done"' in done.out.splitlines()[-1]
