"""Journals that are absent, broken, moved, of another version or of another account; and the commands in them."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mirrortui.errors import StateError, UsageError
from mirrortui.worker import commands, schema
from mirrortui.worker.journal import Journal
from mirrortui.worker.lock import RunLock
from mirrortui.worker.reader import JournalReader
from tests.unit.accounts import as_nobody, only_root, open_folder

__all__ = ["open_folder"]  # a fixture


@pytest.fixture
def lock(tmp_path: Path) -> RunLock:
    return RunLock(tmp_path)


def reader(state: Path) -> JournalReader:
    return JournalReader(state)


# ----------------------------------------------------------------------------------------- odd files


def test_a_reader_that_is_there_first_sees_the_first_run(tmp_path: Path) -> None:
    look = reader(tmp_path)
    assert look.snapshot().state == "idle"
    log = Journal(tmp_path)
    assert look.snapshot().run is None  # a journal without a run
    log.begin()
    seen = look.poll()
    assert seen is not None
    assert seen.run is not None


def test_a_reader_goes_on_from_run_to_run(tmp_path: Path) -> None:
    look = reader(tmp_path)
    for number in (1, 2, 3):
        log = Journal(tmp_path)
        log.begin()
        log.finish("done")
        seen = look.poll()
        assert seen is not None
        assert seen.run is not None
        assert (seen.run.id, seen.run.state) == (number, "done")


def test_a_journal_that_is_moved_away_is_not_looked_at_for_ever(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    log.begin()
    log.finish("done")
    look = reader(tmp_path)
    assert look.snapshot().state == "done"
    schema.path(tmp_path).rename(tmp_path / "old.db")
    assert look.snapshot().state == "idle"
    fresh = Journal(tmp_path)
    fresh.begin()
    fresh.finish("failed")
    seen = look.poll()
    assert seen is not None
    assert seen.state == "failed"


@pytest.mark.parametrize("found", [schema.VERSION + 1, 99])
def test_a_journal_of_another_version_is_refused_by_both_sides(tmp_path: Path, found: int) -> None:
    Journal(tmp_path).finish("done")
    db = sqlite3.connect(schema.path(tmp_path))
    db.execute(f"pragma user_version={found}")
    db.close()
    for call in (
        lambda: Journal(tmp_path),
        lambda: reader(tmp_path).snapshot(),
        lambda: reader(tmp_path).runs(),
        lambda: reader(tmp_path).heartbeat_age(),
    ):
        with pytest.raises(StateError, match="version") as caught:
            call()
        assert caught.value.hint


def test_a_journal_that_is_just_being_made_reads_as_idle(tmp_path: Path) -> None:
    sqlite3.connect(schema.path(tmp_path)).close()
    schema.path(tmp_path).touch()
    assert reader(tmp_path).snapshot().state == "idle"


@pytest.mark.parametrize(
    "garbage",
    [b"this is no database, but it is long enough to look like something", b"SQLite format 3\x00" + b"\xff" * 500],
)
def test_a_broken_journal_is_an_error_with_a_hint(tmp_path: Path, garbage: bytes) -> None:
    schema.path(tmp_path).write_bytes(garbage)
    for call in (lambda: Journal(tmp_path), lambda: reader(tmp_path).snapshot(), lambda: reader(tmp_path).runs()):
        with pytest.raises(StateError) as caught:
            call()
        assert "journal.db" in caught.value.where
    assert schema.path(tmp_path).read_bytes() == garbage


def test_a_table_that_is_gone_is_an_error_and_not_a_traceback(tmp_path: Path) -> None:
    Journal(tmp_path).begin()
    look = reader(tmp_path)
    look.snapshot()
    db = sqlite3.connect(schema.path(tmp_path))
    db.execute("drop table run")
    db.commit()
    db.close()
    for call in (look.snapshot, look.runs, look.heartbeat_age):
        with pytest.raises(StateError, match="no such table"):
            call()


def test_a_state_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="Check owner"):
        Journal(tmp_path / "file" / "state")
    assert reader(tmp_path / "file" / "state").snapshot().state == "idle"


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "gpfs", "beegfs"])
def test_a_state_folder_on_a_network_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(schema, "file_system", lambda _folder: kind)
    with pytest.raises(StateError, match=f"is on {kind}") as caught:
        Journal(tmp_path)
    assert "local disk" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_the_file_system_is_that_of_the_deepest_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = "root / ext4 rw 0 0\nnfs:/x /srv nfs4 rw 0 0\ndev /srv/local\\040disk xfs rw 0 0\nover / overlay rw 0 0\nbroken\n"
    monkeypatch.setattr(Path, "read_text", lambda _path, **_options: mounts)
    monkeypatch.setattr(os.path, "realpath", str)
    assert schema.file_system(Path("/srv/conda")) == "nfs4"
    assert schema.file_system(Path("/srv")) == "nfs4"
    assert schema.file_system(Path("/srv/local disk/x")) == "xfs"
    assert schema.file_system(Path("/srvx")) == "overlay"


@only_root
def test_another_account_sees_the_run_while_it_lasts_and_afterwards(open_folder: Path) -> None:
    state = open_folder / "state"
    with RunLock(state):
        log = Journal(state)
        log.begin()
        log.tick()
        assert as_nobody(lambda: reader(state).snapshot().state) == "running"
        log.finish("done")
    assert as_nobody(lambda: reader(state).snapshot().state) == "done"
    assert sorted(path.name for path in state.iterdir()) == ["journal.db", "lock"]


@only_root
def test_another_account_sees_the_end_of_a_run_that_somebody_watched(open_folder: Path) -> None:
    log = Journal(open_folder)
    log.begin()
    watching = reader(open_folder)
    watching.snapshot()
    log.finish("done")  # the side files cannot go while somebody looks on
    assert as_nobody(lambda: reader(open_folder).snapshot().state) == "done"
    watching.close()
    assert as_nobody(lambda: reader(open_folder).snapshot().state) == "done"


@only_root
def test_a_state_folder_that_is_closed_to_others_says_so(open_folder: Path) -> None:
    state = open_folder / "state"
    Journal(state).begin()
    state.chmod(0o700)
    assert as_nobody(lambda: reader(state).snapshot().state).startswith("StateError: ")


# ------------------------------------------------------------------------------------------ commands


def test_commands_arrive_once_and_in_order(tmp_path: Path, lock: RunLock) -> None:
    log = Journal(tmp_path)
    log.begin()
    with lock:
        for verb, argument in (("pause", ""), ("limit", "5000"), ("resume", "")):
            commands.send(tmp_path, verb, argument)
        assert log.commands() == [("pause", ""), ("limit", "5000"), ("resume", "")]
        assert log.commands() == []
        commands.send(tmp_path, "stop")
        assert log.commands() == [("stop", "")]


def test_commands_of_an_earlier_run_are_not_obeyed(tmp_path: Path, lock: RunLock) -> None:
    log = Journal(tmp_path)
    log.begin()
    with lock:
        commands.send(tmp_path, "stop")
    again = Journal(tmp_path)
    again.begin()
    assert again.commands() == []


def test_without_a_worker_there_is_nobody_to_command(tmp_path: Path) -> None:
    Journal(tmp_path).begin()
    with pytest.raises(UsageError, match="no run is at work"):
        commands.send(tmp_path, "stop")
    with pytest.raises(UsageError, match="unknown command"):
        commands.send(tmp_path, "explode")


def test_a_command_that_cannot_be_written_says_so(tmp_path: Path, lock: RunLock) -> None:
    with lock:
        schema.path(tmp_path).write_bytes(b"no database, though it is here and is long enough")
        with pytest.raises(StateError, match="cannot be written"):
            commands.send(tmp_path, "stop")


def test_a_killed_worker_leaves_a_journal_that_says_crashed(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from mirrortui.worker.journal import Journal; from mirrortui.worker.lock import RunLock\n"
        "state = pathlib.Path(sys.argv[1]); lock = RunLock(state); lock.acquire(); log = Journal(state); log.begin(); log.event('info', 'alive'); log.tick()\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    seen = reader(tmp_path).snapshot()
    assert seen.state == "crashed"
    assert [e.text for e in seen.events] == ["alive"]
    assert Journal(tmp_path).begin() == 2
