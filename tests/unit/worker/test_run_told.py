"""What a reader makes of a run's journal beyond its columns: the end of a crash, unread indexes, the whole log."""

import os
import sqlite3
import time
from pathlib import Path

import pytest

from mirrortui.errors import BusyError
from mirrortui.worker import commands, schema
from mirrortui.worker.journal import Journal
from mirrortui.worker.lock import RunLock
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import Failure


def crashed(state: Path, *, began: float, beat: float) -> None:
    """A run that was killed: its lock is free, its journal says running."""
    log = Journal(state)
    log.begin()
    db = sqlite3.connect(schema.path(state))
    db.execute("update run set started=?, heartbeat=?", (began, beat))
    db.commit()
    db.close()


def test_a_crash_ends_with_the_last_heartbeat(tmp_path: Path) -> None:
    now = time.time()
    crashed(tmp_path, began=now - 3602, beat=now - 3600)
    seen = JournalReader(tmp_path).snapshot()
    assert seen.state == "crashed"
    assert seen.run is not None
    assert seen.run.ended == pytest.approx(now - 3600)
    assert seen.to_json()["run"]["ended"] == pytest.approx(now - 3600)


def test_a_crashed_run_is_not_at_work_because_a_verify_is(tmp_path: Path) -> None:
    crashed(tmp_path, began=1.0, beat=2.0)
    with RunLock(tmp_path, "verify"):
        assert JournalReader(tmp_path).snapshot().state == "crashed"
        with pytest.raises(BusyError, match=rf"no run is at work: verify \(process {os.getpid()}, since"):
            commands.send(tmp_path, "stop")
    with RunLock(tmp_path):
        assert JournalReader(tmp_path).snapshot().state == "running"


def test_indexes_that_could_not_be_read_are_named_with_their_reason(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    log.begin()
    log.subdir("a/b", "noarch", "failed")
    log.subdir("a", "noarch", "done")
    log.subdir("c", "linux-64", "failed")
    log.event("error", "a/b/noarch: 503 at https://me:hunter2@h: really")
    log.event("info", "c/linux-64: only said")
    log.finish("partial")
    seen = JournalReader(tmp_path).snapshot()
    assert seen.problems == (
        Failure("a/b", "noarch", "repodata.json", "index", "503 at https://***@h: really"),
        Failure("c", "linux-64", "repodata.json", "index", "its index could not be read"),
    )
    assert seen.failed_count == 0
    run = seen.to_json()["run"]
    assert run["failed"] == []
    assert [p["fn"] for p in run["problems"]] == ["repodata.json"] * 2


def test_the_log_is_whole_in_order_and_goes_on_where_it_was(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    run = log.begin()
    for number in range(500):
        log.event("info", f"line {number}")
    log.tick()
    look = JournalReader(tmp_path, events=5)
    first = look.log(run)
    assert [event.text for event in first] == [f"line {number}" for number in range(500)]
    assert look.log(run, first[-1].id) == ()
    log.event("warning", "one more")
    log.finish("done")
    assert [(event.level, event.text) for event in look.log(run, first[-1].id)] == [("warning", "one more")]
    assert look.log(run + 1) == ()


def test_a_reader_may_ask_for_all_failures(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    log.begin()
    for number in range(1200):
        log.failure("c", "noarch", f"{number:04}.conda", "hash", "x")
    log.finish("partial")
    assert len(JournalReader(tmp_path).snapshot().failures) == 1000
    assert len(JournalReader(tmp_path, failures=-1).snapshot().failures) == 1200
