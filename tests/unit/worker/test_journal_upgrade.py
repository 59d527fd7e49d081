"""A journal of the version before: viewers show it as it is, the next worker upgrades it."""

import sqlite3
from pathlib import Path

from mirrortui.worker import schema
from mirrortui.worker.journal import Journal
from mirrortui.worker.lock import RunLock
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import InFlight

FIRST = """
pragma journal_mode=wal;
create table run(
  id integer primary key autoincrement, state text not null, phase text not null default '', started real not null,
  ended real, pid integer not null, plan text not null default '', files_done integer not null default 0,
  files_total integer not null default 0, bytes_done integer not null default 0, bytes_total integer not null default 0,
  added integer not null default 0, replaced integer not null default 0, dropped integer not null default 0,
  pruned integer not null default 0, bytes_fetched integer not null default 0, rate real not null default 0, eta real,
  speed_limit integer not null default 0, message text not null default '', heartbeat real not null);
create table subdir(
  run integer not null, position integer not null, channel text not null, subdir text not null, phase text not null,
  files_done integer not null, files_total integer not null, bytes_done integer not null, bytes_total integer not null,
  failed integer not null, primary key(run, channel, subdir)) without rowid;
create table in_flight(
  slot integer primary key, channel text not null, subdir text not null, fn text not null, bytes_done integer not null,
  bytes_total integer not null, rate real not null, attempt integer not null);
create table event(
  id integer primary key autoincrement, run integer not null, time real not null, level text not null, text text not null);
create index event_run on event(run, id);
create table failure(
  run integer not null, channel text not null, subdir text not null, fn text not null, reason text not null,
  text text not null, primary key(run, channel, subdir, fn)) without rowid;
create table command(id integer primary key autoincrement, time real not null, verb text not null, argument text not null);
insert into run(state, phase, started, pid, message, heartbeat) values('running', 'transfer', 1000, 7, 'kept', 1001);
insert into in_flight values(0, 'c', 'noarch', 'a.conda', 1, 2, 3.0, 1);
insert into failure values(1, 'c', 'noarch', 'b.conda', 'hash', 'c/noarch/b.conda differs');
pragma user_version=1;
"""


def first(state: Path) -> None:
    state.mkdir(exist_ok=True)
    db = sqlite3.connect(schema.path(state), isolation_level=None)
    db.executescript(FIRST)
    db.close()


def test_a_viewer_shows_it_as_it_is(tmp_path: Path) -> None:
    first(tmp_path)
    with RunLock(tmp_path):
        seen = JournalReader(tmp_path).snapshot()
    assert seen.in_flight == (InFlight(0, "c", "noarch", "a.conda", 1, 2, 3.0, 1),)
    assert seen.run is not None
    assert (seen.run.message, seen.run.exit_code, seen.run.guarded) == ("kept", None, False)
    assert [run.message for run in JournalReader(tmp_path).runs()] == ["kept"]
    db = sqlite3.connect(schema.path(tmp_path))
    assert db.execute("pragma user_version").fetchone() == (1,)
    db.close()


def test_a_worker_upgrades_it_under_the_eyes_of_a_viewer(tmp_path: Path) -> None:
    first(tmp_path)
    look = JournalReader(tmp_path)
    assert look.snapshot().state == "crashed"
    with RunLock(tmp_path):
        log = Journal(tmp_path)
        log.begin()
        log.flights([(0, "c", "noarch", "a.conda", 1, 2, 3.0, 1, "busy", 4.5)])
        log.tick()
        assert look.snapshot().in_flight == (InFlight(0, "c", "noarch", "a.conda", 1, 2, 3.0, 1, "busy", 4.5),)
        log.set(exit_code=5)
        log.finish("partial", "nothing was deleted")
    newest, oldest = look.runs()
    assert (newest.id, newest.exit_code, newest.guarded) == (2, 5, True)
    assert (oldest.id, oldest.state, oldest.message) == (1, "crashed", "kept")
    assert [f.why for f in look.failures(1)] == ["differs"]
    again = Journal(tmp_path)
    assert again.begin() == 3


def test_paused_means_no_rate(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        log = Journal(tmp_path)
        log.begin()
        log.set(state="paused", rate=433_000.0, eta=12.0)
        log.tick()
        seen = JournalReader(tmp_path).snapshot()
    assert seen.run is not None
    assert (seen.run.rate, seen.run.eta) == (0.0, None)
