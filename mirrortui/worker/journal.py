"""The worker's side of the journal: changes are collected and written in one transaction per tick."""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from mirrortui.naming import display
from mirrortui.worker import schema

MAX_EVENTS = 5000
KEEP_RUNS = 200


class Journal:
    """One run being written. A full or slow disk must not stop a sync: a failed write is tried again with the next tick."""

    def __init__(self, state: Path) -> None:
        self._db = schema.open_writer(state)
        self.run = 0
        self._fields: dict[str, object] = {}
        self._subdirs: dict[tuple[str, str], tuple[object, ...]] = {}
        self._order: dict[tuple[str, str], int] = {}
        self._events: list[tuple[int, float, str, str]] = []
        self._failures: list[tuple[object, ...]] = []
        self._flights: list[tuple[object, ...]] | None = None
        self._forget = False
        self._last_command = 0
        self.refused = ""
        self._collecting = threading.Lock()
        """`set`, `event` and `failure` are called by threads too, also while a tick is being written."""

    def begin(self) -> int:
        """Open a new run; what an earlier one left unfinished is marked as crashed."""
        now = time.time()
        with self._transaction():
            self._db.execute(
                "update run set state='crashed', ended=coalesce(ended, heartbeat) where state in ('running','paused','stopping')"
            )
            self._db.execute("delete from in_flight")
            self._db.execute("delete from command")
            self.run = int(
                self._db.execute(
                    "insert into run(state, phase, started, pid, heartbeat) values('running', 'starting', ?, ?, ?)",
                    (now, os.getpid(), now),
                ).lastrowid
                or 0
            )
            for table in ("subdir", "event", "failure"):
                self._db.execute(f"delete from {table} where run <= ?", (self.run - KEEP_RUNS,))  # noqa: S608 - constants
            self._db.execute("delete from run where id <= ?", (self.run - KEEP_RUNS,))
        return self.run

    @contextlib.contextmanager
    def _transaction(self):  # type: ignore[no-untyped-def]  # a generator of None
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:  # SQLite ends one by itself where the disk is full
                self._db.execute("rollback")
            raise

    def set(self, **fields: object) -> None:
        """Change columns of the run, with the next tick."""
        with self._collecting:
            self._fields.update(fields)

    def event(self, level: str, text: str) -> None:
        """Add a line to the log (info, warning, error)."""
        line = (self.run, time.time(), level, display(text, 500))
        with self._collecting:
            self._events.append(line)
            if len(self._events) > MAX_EVENTS:
                del self._events[: MAX_EVENTS // 2]

    def failure(self, channel: str, subdir: str, fn: str, reason: str, text: str) -> None:
        """Note a file that could not be had."""
        row = (self.run, channel, subdir, fn, reason, display(text, 500))
        with self._collecting:
            self._failures.append(row)

    def forget_failures(self) -> None:
        """Take back what was noted, as it is tried again."""
        with self._collecting:
            self._failures, self._forget = [], True

    def subdir(
        self,
        channel: str,
        subdir: str,
        phase: str,
        files: tuple[int, int] = (0, 0),
        size: tuple[int, int] = (0, 0),
        failed: int = 0,
    ) -> None:
        """Set the line of a subdir: phase, files and bytes as (done, total)."""
        key = (channel, subdir)
        position = self._order.setdefault(key, len(self._order))
        self._subdirs[key] = (self.run, position, channel, subdir, phase, *files, *size, failed)

    def flights(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Set the transfers in flight: (slot, channel, subdir, fn, done, total, rate, attempt, waiting, wait)."""
        self._flights = list(rows)

    def tick(self) -> None:
        """Write everything collected, and the heartbeat; `refused` tells why that could not be, "" if it could."""
        with self._collecting:
            fields, self._fields = self._fields, {}
            events, self._events = self._events, []
            failures, self._failures = self._failures, []
            forget, self._forget = self._forget, False
        columns = fields | {"heartbeat": time.time()}
        try:
            with self._transaction():
                names = ", ".join(f"{name}=?" for name in columns)
                self._db.execute(f"update run set {names} where id=?", (*columns.values(), self.run))  # noqa: S608 - our own names
                self._db.executemany(
                    "insert or replace into subdir values(?,?,?,?,?,?,?,?,?,?)", self._subdirs.values()
                )
                self._db.executemany("insert into event(run, time, level, text) values(?,?,?,?)", events)
                if forget:
                    self._db.execute("delete from failure where run=?", (self.run,))
                self._db.executemany("insert or replace into failure values(?,?,?,?,?,?)", failures)
                if self._flights is not None:
                    self._db.execute("delete from in_flight")
                    self._db.executemany("insert into in_flight values(?,?,?,?,?,?,?,?,?,?)", self._flights)
        except sqlite3.Error as error:
            self.refused = str(error)
            with self._collecting:  # for the next tick, before what has come since
                self._fields = fields | self._fields
                self._events = events + self._events
                self._failures = self._failures if self._forget else failures + self._failures
                self._forget = self._forget or forget
            return
        self.refused = ""
        self._flights = None
        self._subdirs.clear()

    def commands(self) -> list[tuple[str, str]]:
        """Commands that came since the last call, as (verb, argument)."""
        try:
            rows = self._db.execute(
                "select id, verb, argument from command where id > ? order by id", (self._last_command,)
            ).fetchall()
        except sqlite3.Error:
            return []
        if rows:
            self._last_command = rows[-1][0]
        return [(str(verb), str(argument)) for _, verb, argument in rows]

    def finish(self, state: str, message: str = "") -> None:
        """Close the run with its end state; blocks until it is written or the disk refuses for good."""
        self._flights = []
        self.set(state=state, phase="", ended=time.time(), message=display(message, 500), rate=0.0, eta=None)
        for _ in range(20):
            self.tick()
            if not self._fields:
                break
            time.sleep(0.1)
        with contextlib.suppress(sqlite3.Error):
            # Without its two side files only who may write here could open a WAL database; viewers are of any account.
            self._db.execute("pragma busy_timeout=0")
            self._db.execute("pragma journal_mode=delete")  # refused while somebody looks on: then the side files stay
        self._db.close()
