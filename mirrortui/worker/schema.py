"""The journal's tables. One writer (the worker), any number of readers, one table that readers may write."""

import os
import sqlite3
from pathlib import Path

from mirrortui.errors import StateError
from mirrortui.naming import display

VERSION = 2

TABLES = """
create table run(
  id integer primary key autoincrement, state text not null, phase text not null default '', started real not null,
  ended real, pid integer not null, plan text not null default '', files_done integer not null default 0,
  files_total integer not null default 0, bytes_done integer not null default 0, bytes_total integer not null default 0,
  added integer not null default 0, replaced integer not null default 0, dropped integer not null default 0,
  pruned integer not null default 0, bytes_fetched integer not null default 0, rate real not null default 0, eta real,
  speed_limit integer not null default 0, message text not null default '', heartbeat real not null, exit_code integer);
create table subdir(
  run integer not null, position integer not null, channel text not null, subdir text not null, phase text not null,
  files_done integer not null, files_total integer not null, bytes_done integer not null, bytes_total integer not null,
  failed integer not null, primary key(run, channel, subdir)) without rowid;
create table in_flight(
  slot integer primary key, channel text not null, subdir text not null, fn text not null, bytes_done integer not null,
  bytes_total integer not null, rate real not null, attempt integer not null, waiting text not null default '',
  wait real not null default 0);
create table event(
  id integer primary key autoincrement, run integer not null, time real not null, level text not null, text text not null);
create index event_run on event(run, id);
create table failure(
  run integer not null, channel text not null, subdir text not null, fn text not null, reason text not null,
  text text not null, primary key(run, channel, subdir, fn)) without rowid;
create table command(id integer primary key autoincrement, time real not null, verb text not null, argument text not null);
"""

LATER = {"exit_code": "null", "waiting": "''", "wait": "0"}
"""Columns that version 1 lacks, and what a reader takes for them."""

READABLE = frozenset({1, VERSION})
"""Versions that a viewer can show: an older one stays as it is until a worker opens it."""

_UPGRADE = """
alter table run add column exit_code integer;
alter table in_flight add column waiting text not null default '';
alter table in_flight add column wait real not null default 0;
"""

# SQLite's WAL needs shared memory between processes, which these do not give (names of /proc/mounts).
_NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "fuse.sshfs",
        "glusterfs",
        "fuse.glusterfs",
    }
    | {"afs", "9p", "panfs", "orangefs", "pvfs2", "fuse.ceph"}
)


def path(state: Path) -> Path:
    """The journal's file below the state folder."""
    return state / "journal.db"


def file_system(folder: Path) -> str:
    """The type of the file system that holds a folder (or its nearest existing parent), "" if unknown."""
    folder = Path(os.path.realpath(folder))
    best, kind = "", ""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in mounts:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        if (point == "/" or folder == Path(point) or Path(point) in folder.parents) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def refuse_network(state: Path) -> None:
    """Raise `StateError` where the state folder is on a network file system."""
    kind = file_system(state)
    if kind in _NETWORK:
        raise StateError(
            f"is on {kind}, where the journal cannot be shared between processes",
            where=f"state {display(state)}",
            hint="Set mirror.state to a folder on a local disk, for example /var/lib/mirrortui",
        )


def open_writer(state: Path) -> sqlite3.Connection:
    """Open the journal for the worker, which holds the lock: makes folder and tables, upgrades an older one; raises `StateError`."""
    refuse_network(state)
    file = path(state)
    try:
        state.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(file, timeout=5, isolation_level=None, check_same_thread=False)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=normal")
        found = db.execute("pragma user_version").fetchone()[0]
        if found == 0:
            db.executescript(f"begin; {TABLES} pragma user_version={VERSION}; commit;")
        elif found == 1:
            db.executescript(f"begin immediate; {_UPGRADE} pragma user_version={VERSION}; commit;")
        elif found != VERSION:
            raise StateError(
                f"was written by another version of this program (journal {found}, here {VERSION})",
                where=str(file),
                hint="Finish runs with the version that made it, or move the file away",
            )
    except (OSError, sqlite3.Error) as error:
        raise StateError(
            f"cannot be used: {error}",
            where=str(file),
            hint="Check owner and mode of the state folder, and that its disk is not full",
        ) from error
    return db
