"""The journal: one writer, any number of readers, each with one snapshot that is true at one moment."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mirrortui.errors import StateError, UsageError
from mirrortui.worker import commands, journal, schema
from mirrortui.worker.journal import Journal
from mirrortui.worker.lock import RunLock
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import Failure, InFlight, SubdirProgress
from tests.unit.accounts import as_nobody, only_root, open_folder

__all__ = ["open_folder"]  # a fixture


@pytest.fixture
def lock(tmp_path: Path) -> RunLock:
    return RunLock(tmp_path)


def reader(state: Path) -> JournalReader:
    return JournalReader(state)


# ------------------------------------------------------------------------------------ states of a run


def test_where_there_never_was_a_run_it_is_idle_and_nothing_is_made(tmp_path: Path) -> None:
    look = reader(tmp_path / "state")
    assert look.poll() is not None
    assert look.poll() is None
    assert look.snapshot().state == "idle"
    assert look.snapshot().run is None
    assert look.heartbeat_age() is None
    assert look.runs() == ()
    assert not (tmp_path / "state").exists()


def test_a_run_is_running_while_its_lock_is_held_and_crashed_without(tmp_path: Path, lock: RunLock) -> None:
    log = Journal(tmp_path)
    look = reader(tmp_path)
    with lock:
        log.begin()
        seen = look.poll()
        assert seen is not None
        assert seen.state == "running"
        assert seen.active
        assert seen.run is not None
        assert (seen.run.phase, seen.run.pid, seen.run.ended) == ("starting", os.getpid(), None)
    seen = look.poll()  # nobody wrote, but the lock is free: that is news
    assert seen is not None
    assert (seen.state, seen.active) == ("crashed", False)
    assert look.poll() is None


@pytest.mark.parametrize("state", ["paused", "stopping"])
def test_other_active_states_are_shown_and_crash_alike(tmp_path: Path, lock: RunLock, state: str) -> None:
    log = Journal(tmp_path)
    with lock:
        log.begin()
        log.set(state=state)
        log.tick()
        assert reader(tmp_path).snapshot().state == state
    assert reader(tmp_path).snapshot().state == "crashed"


@pytest.mark.parametrize("state", ["done", "partial", "failed", "stopped"])
def test_an_end_is_an_end_with_or_without_the_lock(tmp_path: Path, lock: RunLock, state: str) -> None:
    with lock:
        log = Journal(tmp_path)
        log.begin()
        log.flights([(0, "c", "noarch", "a.conda", 1, 2, 3.0, 1)])
        log.set(rate=5.0, eta=7.0, phase="transfer")
        log.tick()
        log.finish(state, "why \x1b[31m https://me:hunter2@h")
        seen = reader(tmp_path).snapshot()
        assert seen.state == state
        assert seen.run is not None
        assert seen.run.ended is not None
        assert (seen.run.rate, seen.run.eta, seen.run.phase) == (0.0, None, "")
        assert "hunter2" not in seen.run.message
        assert seen.run.message.isprintable()
        assert seen.in_flight == ()
    assert reader(tmp_path).snapshot().state == state


def test_what_an_earlier_run_left_unfinished_is_marked_as_crashed(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    first.begin()
    first.flights([(0, "c", "noarch", "a.conda", 1, 2, 3.0, 1)])
    first.tick()
    second = Journal(tmp_path)
    assert second.begin() == 2
    newest, oldest = reader(tmp_path).runs()
    assert (newest.id, newest.state) == (2, "running")
    assert (oldest.id, oldest.state) == (1, "crashed")
    assert oldest.ended is not None
    assert reader(tmp_path).snapshot().in_flight == ()


def test_old_runs_are_forgotten_with_all_that_belongs_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "KEEP_RUNS", 3)
    for i in range(6):
        log = Journal(tmp_path)
        log.begin()
        log.event("info", f"run {i}")
        log.failure("c", "noarch", f"{i}.conda", "hash", "x")
        log.subdir("c", "noarch", "done")
        log.finish("done")
    assert [run.id for run in reader(tmp_path).runs()] == [6, 5, 4]
    db = sqlite3.connect(schema.path(tmp_path))
    for table in ("event", "failure", "subdir"):
        assert db.execute(f"select min(run) from {table}").fetchone() == (4,)
    db.close()


# ---------------------------------------------------------------------------------- what is in a snapshot


def test_a_snapshot_holds_everything_that_was_ticked(tmp_path: Path, lock: RunLock) -> None:
    log = Journal(tmp_path)
    with lock:
        run = log.begin()
        log.subdir("z", "noarch", "transfer", (1, 2), (3, 4), 5)
        log.subdir("a", "linux-64", "waiting")
        log.flights([(1, "c", "noarch", "b.conda", 5, 10, 2.5, 2), (0, "c", "noarch", "a.conda", 1, 0, 0.0, 1)])
        log.event("warning", "careful\x1b[31m\nhttps://me:hunter2@h/t/tok/x")
        log.failure("c", "noarch", "x.conda", "hash", "bad https://me:hunter2@h")
        log.set(phase="transfer", bytes_total=100, plan="abc", speed_limit=7, eta=2.5)
        look = reader(tmp_path)
        assert look.snapshot().events == ()  # nothing is seen before its tick
        log.tick()
        seen = look.snapshot()
    assert seen.subdirs == (SubdirProgress("z", "noarch", "transfer", 1, 2, 3, 4, 5), SubdirProgress("a", "linux-64", "waiting", 0, 0, 0, 0, 0))
    assert seen.in_flight == (InFlight(0, "c", "noarch", "a.conda", 1, 0, 0.0, 1), InFlight(1, "c", "noarch", "b.conda", 5, 10, 2.5, 2))
    assert seen.failures == (Failure("c", "noarch", "x.conda", "hash", "bad https://***@h"),)
    assert seen.failed_count == 1
    assert seen.run is not None
    assert (seen.run.id, seen.run.phase, seen.run.bytes_total, seen.run.plan, seen.run.limit, seen.run.eta) == (run, "transfer", 100, "abc", 7, 2.5)
    assert [e.text for e in seen.events] == ["careful\\x1b[31m https://***@h/t/***/x"]
    assert seen.heartbeat_age is not None
    assert 0 <= seen.heartbeat_age < 60


def test_poll_says_nothing_while_nothing_has_changed(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    log.begin()
    look = reader(tmp_path)
    assert look.poll() is not None
    for _ in range(3):
        assert look.poll() is None
    log.tick()
    assert look.poll() is not None
    assert look.poll() is None
    assert look.snapshot() is not None  # asked for, it is told again


def test_the_newest_events_are_told_oldest_first_and_not_all_failures(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    log.begin()
    for i in range(50):
        log.event("info", f"line {i}")
        log.failure("c", "noarch", f"{i:03}.conda", "hash", "x")
    log.tick()
    seen = JournalReader(tmp_path, events=5, failures=7).snapshot()
    assert [e.text for e in seen.events] == [f"line {i}" for i in range(45, 50)]
    assert [f.fn for f in seen.failures] == [f"{i:03}.conda" for i in range(7)]
    assert seen.failed_count == 50


def test_a_failure_that_comes_again_counts_once(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    log.begin()
    for reason in ("hash", "missing"):
        log.failure("c", "noarch", "a.conda", reason, "x")
        log.tick()
    seen = reader(tmp_path).snapshot()
    assert [f.reason for f in seen.failures] == ["missing"]
    assert seen.failed_count == 1


def test_events_that_cannot_be_written_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_EVENTS", 100)
    log = Journal(tmp_path)
    log.begin()
    for i in range(1000):
        log.event("info", str(i))
    log.tick()
    texts = [e.text for e in reader(tmp_path).snapshot().events]
    assert len(texts) <= 100
    assert texts[-1] == "999"


def test_a_tick_that_fails_is_made_good_by_the_next(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    log.begin()
    other = sqlite3.connect(schema.path(tmp_path), isolation_level=None)
    other.execute("begin immediate")
    log._db.execute("pragma busy_timeout=0")
    log.event("info", "kept")
    log.subdir("c", "noarch", "done")
    log.set(phase="publish")
    log.tick()  # raises nothing: a journal that is busy must not stop a sync
    other.execute("rollback")
    other.close()
    assert reader(tmp_path).snapshot().events == ()
    log.tick()
    seen = reader(tmp_path).snapshot()
    assert [e.text for e in seen.events] == ["kept"]
    assert [s.phase for s in seen.subdirs] == ["done"]
    assert seen.run is not None
    assert seen.run.phase == "publish"


def test_the_json_form_is_stable(tmp_path: Path) -> None:
    assert reader(tmp_path).snapshot().to_json() == {"state": "idle", "run": None, "heartbeat_age": None}
    log = Journal(tmp_path)
    log.begin()
    log.subdir("c", "noarch", "done", (1, 2), (3, 4), 5)
    log.failure("c", "noarch", "a.conda", "hash", "text")
    log.finish("partial")
    out = reader(tmp_path).snapshot().to_json()
    assert out["state"] == out["run"]["state"] == "partial"
    assert {"id", "started", "ended", "added", "replaced", "bytes", "failed", "rate", "eta"} <= set(out["run"])
    assert out["run"]["failed"] == [{"channel": "c", "subdir": "noarch", "fn": "a.conda", "reason": "hash"}]
    assert out["run"]["subdirs"] == [{"channel": "c", "subdir": "noarch", "phase": "done", "files": {"done": 1, "total": 2}, "bytes": {"done": 3, "total": 4}, "failed": 5}]


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


@pytest.mark.parametrize("found", [2, 99])
def test_a_journal_of_another_version_is_refused_by_both_sides(tmp_path: Path, found: int) -> None:
    Journal(tmp_path).finish("done")
    db = sqlite3.connect(schema.path(tmp_path))
    db.execute(f"pragma user_version={found}")
    db.close()
    for call in (lambda: Journal(tmp_path), lambda: reader(tmp_path).snapshot(), lambda: reader(tmp_path).runs(), lambda: reader(tmp_path).heartbeat_age()):
        with pytest.raises(StateError, match="version") as caught:
            call()
        assert caught.value.hint


def test_a_journal_that_is_just_being_made_reads_as_idle(tmp_path: Path) -> None:
    sqlite3.connect(schema.path(tmp_path)).close()
    schema.path(tmp_path).touch()
    assert reader(tmp_path).snapshot().state == "idle"


@pytest.mark.parametrize("garbage", [b"this is no database, but it is long enough to look like something", b"SQLite format 3\x00" + b"\xff" * 500])
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
def test_a_state_folder_on_a_network_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
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
