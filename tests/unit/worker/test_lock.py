import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mirrortui.errors import BusyError, StateError
from mirrortui.worker import lock
from mirrortui.worker.lock import RunLock, held

HOLD = "import pathlib, sys; from mirrortui.worker.lock import RunLock; held = RunLock(pathlib.Path(sys.argv[1])); held.acquire(); print('held', flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PAUSE", 0.0)


def test_the_second_taker_is_told_who_is_first(tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(BusyError, match=f"process {os.getpid()}") as caught:
        RunLock(tmp_path).acquire()
    assert caught.value.exit_code == 4
    RunLock(tmp_path).acquire()  # and it is free again


def test_held_tells_without_taking(tmp_path: Path) -> None:
    assert not held(tmp_path)
    assert not (tmp_path / "lock").exists()
    with RunLock(tmp_path):
        assert held(tmp_path)
        assert held(tmp_path)
    assert not held(tmp_path)
    with RunLock(tmp_path):
        pass


def test_a_lock_file_left_by_a_dead_process_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("4194304\nand more that is longer than the pid to come\n")
    assert not held(tmp_path)
    with RunLock(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert held(tmp_path)
        with pytest.raises(BusyError, match=f"process {process.pid}"):
            RunLock(tmp_path).acquire()
        process.kill()
    assert not held(tmp_path)
    with RunLock(tmp_path):
        pass


def test_a_lock_is_not_inherited_by_a_child(tmp_path: Path) -> None:
    taken = RunLock(tmp_path)
    taken.acquire()
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        taken.release()
        assert not held(tmp_path)
        child.kill()


def test_a_viewer_that_asks_at_the_wrong_moment_is_not_taken_for_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lock").touch()
    viewer = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(viewer, fcntl.LOCK_SH)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            os.close(viewer)

    monkeypatch.setattr(time, "sleep", wait)
    with RunLock(tmp_path):
        assert len(waits) == 3


@pytest.mark.parametrize("text", [b"", b"\xff\xfe\x1b[31m", b"12345678901234567890123456789012345678901234567890"])
def test_whatever_stands_in_the_file_the_message_is_clean(tmp_path: Path, text: bytes) -> None:
    with RunLock(tmp_path):
        (tmp_path / "lock").write_bytes(text)
        with pytest.raises(BusyError) as caught:
            RunLock(tmp_path).acquire()
        assert str(caught.value).isprintable()


def test_releasing_twice_or_never_taken_is_harmless(tmp_path: Path) -> None:
    taken = RunLock(tmp_path)
    taken.release()
    taken.acquire()
    taken.release()
    taken.release()


def test_a_state_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        RunLock(tmp_path / "file").acquire()
    assert not held(tmp_path / "file")


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunLock(tmp_path):
        raise ZeroDivisionError
    assert not held(tmp_path)
