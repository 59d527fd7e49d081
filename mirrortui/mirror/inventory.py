"""What was verified: one row a package file, with the hash it was checked against.

A file counts as present when the tree has its name and the inventory its hash: a directory scan and one
query a subdir, no stat and no request a file. Losing the inventory loses nothing: files that it does not
know are hashed once and taken in again.
"""

import contextlib
import math
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mirrortui.errors import StateError

VERSION = 2

_TABLES = """
create table folder(id integer primary key, channel text not null, subdir text not null, unique(channel, subdir));
create table file(
  folder integer not null, fn text not null, size integer not null, mtime_ns integer not null, digest blob not null,
  verified real not null, dropped real, primary key(folder, fn)) without rowid;
create table note(key text primary key, value text not null) without rowid;
create table published(
  folder integer primary key, key text not null, files text not null, records integer not null, upstream integer not null, time real not null,
  digests text not null default '{}');
"""

_UPGRADE = f"""begin immediate;
create table if not exists note(key text primary key, value text not null) without rowid;
alter table published add column digests text not null default '{{}}';
pragma user_version={VERSION}; commit;"""
"""From version 1, of which the first files have no notes."""

_PUBLISHED_OF_1 = (
    "create temp view published as select folder, key, files, records, upstream, '{}' as digests from main.published"
)


class Entry(NamedTuple):
    """A verified file: size in bytes, digest (32 bytes sha256 or 16 bytes md5), when it left the metadata (None = it is in)."""

    fn: str
    size: int
    mtime_ns: int
    digest: bytes
    dropped: float | None = None


Known = tuple[str, int, bytes, float | None, int]
"""What a comparison needs of a verified file: name, size, digest, when it left the metadata, whether it is doubted."""


class Published(NamedTuple):
    """What was last published of a subdir: a key over its inputs, and the files it left, as (name, size, mtime_ns).

    `records` are named in it, `upstream` were in the upstream index it was cut from; `digests` is a JSON object of
    the files' sha256 in hex by name, empty where an older version of this program published them.
    """

    key: str
    files: str
    records: int
    upstream: int
    digests: str = "{}"


class Inventory:
    """The inventory of one state folder. The worker writes it; doors open it read-only."""

    def __init__(self, state: Path, *, write: bool = False) -> None:
        self.path = state / "inventory.db"
        self._ids: dict[tuple[str, str], int] = {}
        self._db: sqlite3.Connection | None = None
        self._writes = write
        try:
            if write:
                state.mkdir(parents=True, exist_ok=True)
                self._db = sqlite3.connect(self.path, timeout=10, isolation_level=None, check_same_thread=False)
                self._db.execute("pragma journal_mode=wal")
                self._db.execute("pragma synchronous=normal")
            elif self.path.exists():
                self._db = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=10, isolation_level=None)
            if self._db is not None:
                self._check_version(self._db.execute("pragma user_version").fetchone()[0])
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise self._broken(error) from error

    def _check_version(self, found: int) -> None:
        assert self._db is not None
        if found == 1:
            if self._writes:
                self._db.executescript(_UPGRADE)
            else:
                self._show_upgraded()
        elif found not in (0, VERSION):
            self.close()
            raise StateError(
                f"was written by another version of this program (inventory {found}, here {VERSION})",
                where=str(self.path),
                hint="Use that version, or move the file away: it is rebuilt from the tree by hashing every file once",
            )
        if found == 0 and self._writes:
            self._db.executescript(f"begin; {_TABLES} pragma user_version={VERSION}; commit;")
        elif found == 0:  # the worker is just making it
            self.close()

    def _show_upgraded(self) -> None:
        """A reader may not upgrade the file: it looks at it as if it were."""
        assert self._db is not None
        self._db.execute(_PUBLISHED_OF_1)
        if not self._db.execute("select 1 from main.sqlite_master where name='note'").fetchall():
            self._db.execute("create temp table note(key text primary key, value text not null)")

    def _broken(self, error: Exception) -> StateError:
        hint = "Check its owner; or move it away: it is rebuilt from the tree by hashing every file once"
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            hint = "Make room on the disk of the state folder, and start again"
        return StateError(f"cannot be used: {error}", where=str(self.path), hint=hint)

    def close(self) -> None:
        """Close the database."""
        if self._db is not None:
            if self._writes:
                with contextlib.suppress(sqlite3.Error):
                    # Without its two side files only who may write here could open a WAL database.
                    self._db.execute("pragma busy_timeout=0")
                    self._db.execute("pragma journal_mode=delete")
            self._db.close()
            self._db = None

    def _query(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        if self._db is None:
            return []
        try:
            return self._db.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _write(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        assert self._db is not None
        try:
            self._db.execute("begin immediate")
            try:
                self._db.executemany(sql, rows)
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends one by itself where the disk is full
                    self._db.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def folders(self) -> list[tuple[str, str]]:
        """Every (channel, subdir) that was ever mirrored here."""
        return [(str(c), str(s)) for c, s in self._query("select channel, subdir from folder order by channel, subdir")]

    def _id(self, channel: str, subdir: str, *, make: bool = False) -> int:
        key = (channel, subdir)
        if key not in self._ids:
            if make:
                self._write("insert or ignore into folder(channel, subdir) values(?, ?)", [key])
            found = self._query("select id from folder where channel=? and subdir=?", key)
            if not found:
                return -1
            self._ids[key] = int(str(found[0][0]))
        return self._ids[key]

    def entries(self, channel: str, subdir: str) -> dict[str, Entry]:
        """All verified files of a subdir, by name."""
        rows = self._query(
            "select fn, size, mtime_ns, digest, dropped from file where folder=?", (self._id(channel, subdir),)
        )
        return {row[0]: Entry(*row) for row in rows}  # type: ignore[misc, arg-type]  # the columns' types are the tuple's

    def known(self, channel: str, subdir: str) -> list[Known]:
        """All verified files of a subdir, in brief."""
        sql = "select fn, size, digest, dropped, verified <= 0 from file where folder=?"
        return self._query(sql, (self._id(channel, subdir),))  # type: ignore[return-value]  # as the columns are

    def dropped(self, channel: str, subdir: str, before: float) -> list[Entry]:
        """Files that the metadata has not named since a moment (seconds since 1970) or longer."""
        rows = self._query(
            "select fn, size, mtime_ns, digest, dropped from file where folder=? and dropped <= ?",
            (self._id(channel, subdir), before),
        )
        return [Entry(*row) for row in rows]  # type: ignore[arg-type]  # the columns' types are the tuple's

    def put(self, channel: str, subdir: str, entries: Iterable[Entry]) -> None:
        """Take verified files in, or replace what was known of them."""
        folder, now = self._id(channel, subdir, make=True), time.time()
        self._write(
            "insert or replace into file(folder, fn, size, mtime_ns, digest, verified, dropped) values(?, ?, ?, ?, ?, ?, ?)",
            ((folder, e.fn, e.size, e.mtime_ns, e.digest, now, e.dropped) for e in entries),
        )

    def forget(self, channel: str, subdir: str, fns: Iterable[str]) -> None:
        """Remove files from the inventory."""
        folder = self._id(channel, subdir, make=True)
        self._write("delete from file where folder=? and fn=?", ((folder, fn) for fn in fns))

    def doubt(self, channel: str, subdir: str, fns: Iterable[str]) -> None:
        """Note that files were found wrong: they count as never verified until they are put, or found right, again."""
        self.mark_verified(channel, subdir, fns, 0.0)

    def doubted(self, channel: str, subdir: str) -> set[str]:
        """The files that were found wrong and not mended since."""
        sql = "select fn from file where folder=? and verified <= 0"
        return {str(row[0]) for row in self._query(sql, (self._id(channel, subdir),))}

    def doubts(self) -> tuple[int, int]:
        """The number of doubted files in all subdirs: those that the metadata names, and those that it dropped."""
        sql = "select count(*) - count(dropped), count(dropped) from file where verified <= 0"
        rows = self._query(sql)
        return rows[0] if rows else (0, 0)  # type: ignore[return-value]  # as the columns are

    def mark_dropped(self, channel: str, subdir: str, fns: Iterable[str], when: float | None) -> None:
        """Note since when the metadata no longer names files (None: it names them again)."""
        folder = self._id(channel, subdir, make=True)
        self._write("update file set dropped=? where folder=? and fn=?", ((when, folder, fn) for fn in fns))

    def note(self, key: str) -> str:
        """A remark kept beside the files; "" if there is none."""
        rows = self._query("select value from note where key=?", (key,))
        return str(rows[0][0]) if rows else ""

    def set_note(self, key: str, value: str) -> None:
        """Keep a remark ("" removes it)."""
        if value:
            self._write("insert or replace into note(key, value) values(?, ?)", [(key, value)])
        else:
            self._write("delete from note where key=?", [(key,)])

    def amount(self, channel: str, subdir: str, moment: float = math.inf) -> tuple[int, int]:
        """Number and bytes of the files that were last hashed before a moment (seconds since 1970)."""
        sql = "select count(*), coalesce(sum(size), 0) from file where folder=? and verified < ?"
        rows = self._query(sql, (self._id(channel, subdir), moment))
        return rows[0] if rows else (0, 0)  # type: ignore[return-value]  # as the columns are

    def unverified_since(
        self, channel: str, subdir: str, moment: float, after: str = "", limit: int = -1
    ) -> list[Entry]:
        """Files that were last hashed before a moment, in the order of their names; `after` a name, at most `limit`."""
        rows = self._query(
            "select fn, size, mtime_ns, digest, dropped from file where folder=? and fn > ? and verified < ? order by fn limit ?",
            (self._id(channel, subdir), after, moment, limit),
        )
        return [Entry(*row) for row in rows]  # type: ignore[arg-type]  # the columns' types are the tuple's

    def mark_verified(self, channel: str, subdir: str, fns: Iterable[str], when: float) -> None:
        """Note that files were hashed and found right."""
        folder = self._id(channel, subdir, make=True)
        self._write("update file set verified=? where folder=? and fn=?", ((when, folder, fn) for fn in fns))

    def published(self, channel: str, subdir: str) -> Published | None:
        """What was last published of a subdir."""
        rows = self._query(
            "select key, files, records, upstream, digests from published where folder=?", (self._id(channel, subdir),)
        )
        return Published(*rows[0]) if rows else None  # type: ignore[arg-type]  # the columns' types are the tuple's

    def set_published(self, channel: str, subdir: str, published: Published | None) -> None:
        """Note what was published (None: the metadata was withdrawn)."""
        folder = self._id(channel, subdir, make=True)
        if published is None:
            self._write("delete from published where folder=?", [(folder,)])
            return
        self._write(
            "insert or replace into published(folder, key, files, records, upstream, digests, time) values(?, ?, ?, ?, ?, ?, ?)",
            [(folder, *published, time.time())],
        )
