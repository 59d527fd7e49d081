import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mirrortui.errors import BusyError, StateError
from mirrortui.worker import lock
from mirrortui.worker.lock import Holder, RunLock, held, holder, running, unwritable
from tests.unit.accounts import as_nobody, only_root, open_folder

__all__ = ["open_folder"]  # a fixture

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
        pid, since, verb = (tmp_path / "lock").read_text().split()
        assert (int(pid), verb) == (os.getpid(), "sync")
        assert time.time() - 60 < int(since) <= time.time()


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
    for state in (tmp_path / "file", tmp_path / "file" / "state"):
        with pytest.raises(StateError, match="a file stands where"):
            RunLock(state).acquire()
        assert not held(state)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "the file system is read-only"),
        (errno.ENOSPC, "Make room on the disk of the state folder"),
        (errno.EACCES, "Use the worker's account"),
        (errno.EIO, "cannot be written: Input/output error"),
    ],
)
def test_a_state_folder_that_takes_nothing_says_what_to_do(tmp_path: Path, number: int, words: str) -> None:
    assert words in str(unwritable(tmp_path, OSError(number, os.strerror(number))))


@only_root
def test_another_account_is_told_whose_the_state_is_and_not_to_move_it(open_folder: Path) -> None:
    said = as_nobody(lambda: RunLock(open_folder).acquire())
    assert "Use the worker's account (root)" in said
    assert "mirror.state" not in said


# --------------------------------------------------------------------------------------------- who holds it


def test_who_holds_it_is_told_with_verb_and_since_when(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    before = int(time.time())
    with RunLock(tmp_path, "snapshot create"):
        found = holder(tmp_path)
        assert found is not None
        assert (found.pid, found.verb, found.is_run) == (os.getpid(), "snapshot create", False)
        assert before <= found.since <= time.time()
        assert held(tmp_path)
        assert not running(tmp_path)
        with pytest.raises(BusyError, match="holds the mirror") as caught:
            RunLock(tmp_path).acquire()
    clock = time.strftime("%H:%M", time.localtime(found.since))
    assert f"snapshot create (process {os.getpid()}, since {clock}) holds the mirror" in str(caught.value)
    assert "status --follow" not in str(caught.value)
    assert holder(tmp_path) is None


def test_one_that_holds_it_since_yesterday_is_told_with_its_day() -> None:
    since = time.mktime((2026, 1, 2, 3, 4, 0, 0, 0, -1))
    assert str(Holder(7, since, "verify")) == "verify (process 7, since 2026-01-02 03:04) holds the mirror"


@pytest.mark.parametrize("text", ["", "4711\n", "4711 x y\n", "\x00\x1b[31m", "1 2", "²"])
def test_a_file_that_names_no_verb_is_taken_for_a_run(tmp_path: Path, text: str) -> None:
    """As an earlier version wrote it, or a full disk left it."""
    with RunLock(tmp_path, "verify"):
        (tmp_path / "lock").write_text(text)
        found = holder(tmp_path)
        assert found is not None
        assert found.is_run
        assert found.pid == (4711 if text.startswith("4711") else 1 if text == "1 2" else 0)
        assert running(tmp_path)


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunLock(tmp_path):
        raise ZeroDivisionError
    assert not held(tmp_path)
