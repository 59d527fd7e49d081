"""The journal: one writer, any number of readers, each with one snapshot that is true at one moment."""

import os
import sqlite3
from pathlib import Path

import pytest

from mirrortui.worker import journal, schema
from mirrortui.worker.journal import Journal
from mirrortui.worker.lock import RunLock
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import Failure, InFlight, SubdirProgress
from tests.unit.accounts import open_folder

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
        log.flights([(0, "c", "noarch", "a.conda", 1, 2, 3.0, 1, "", 0.0)])
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
    first.flights([(0, "c", "noarch", "a.conda", 1, 2, 3.0, 1, "", 0.0)])
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
        log.flights(
            [
                (1, "c", "noarch", "b.conda", 5, 10, 2.5, 2, "busy", 4.5),
                (0, "c", "noarch", "a.conda", 1, 0, 0.0, 1, "", 0.0),
            ]
        )
        log.event("warning", "careful\x1b[31m\nhttps://me:hunter2@h/t/tok/x")
        log.failure("c", "noarch", "x.conda", "hash", "bad https://me:hunter2@h")
        log.set(phase="transfer", bytes_total=100, plan="abc", speed_limit=7, eta=2.5)
        look = reader(tmp_path)
        assert look.snapshot().events == ()  # nothing is seen before its tick
        log.tick()
        seen = look.snapshot()
    assert seen.subdirs == (
        SubdirProgress("z", "noarch", "transfer", 1, 2, 3, 4, 5),
        SubdirProgress("a", "linux-64", "waiting", 0, 0, 0, 0, 0),
    )
    assert seen.in_flight == (
        InFlight(0, "c", "noarch", "a.conda", 1, 0, 0.0, 1),
        InFlight(1, "c", "noarch", "b.conda", 5, 10, 2.5, 2, "busy", 4.5),
    )
    assert seen.failures == (Failure("c", "noarch", "x.conda", "hash", "bad https://***@h"),)
    assert seen.failed_count == 1
    assert seen.run is not None
    assert (seen.run.id, seen.run.phase, seen.run.bytes_total, seen.run.plan, seen.run.limit, seen.run.eta) == (
        run,
        "transfer",
        100,
        "abc",
        7,
        2.5,
    )
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
    assert out["run"]["failed"] == [
        {"channel": "c", "subdir": "noarch", "fn": "a.conda", "reason": "hash", "text": "text"}
    ]
    assert out["run"]["subdirs"] == [
        {
            "channel": "c",
            "subdir": "noarch",
            "phase": "done",
            "files": {"done": 1, "total": 2},
            "bytes": {"done": 3, "total": 4},
            "failed": 5,
        }
    ]


def test_what_a_thread_notes_while_a_tick_is_written_is_written_by_the_next(tmp_path: Path) -> None:
    """The plan is made in a thread, and SQLite lets other threads go on while it writes."""
    journal = Journal(tmp_path)
    journal.begin()
    journal.set(phase="plan")

    def meanwhile(sql: str) -> None:
        if sql.startswith("update run"):
            journal._db.set_trace_callback(None)
            journal.set(dropped=7)
            journal.event("warning", "noted meanwhile")
            journal.failure("c", "noarch", "a-1-0.conda", "hash", "noted meanwhile")

    journal._db.set_trace_callback(meanwhile)
    journal.tick()
    journal.tick()
    snapshot = JournalReader(tmp_path).snapshot()
    assert snapshot.run is not None
    assert (snapshot.run.phase, snapshot.run.dropped) == ("plan", 7)
    assert [event.text for event in snapshot.events] == ["noted meanwhile"]
    assert [failure.fn for failure in snapshot.failures] == ["a-1-0.conda"]
