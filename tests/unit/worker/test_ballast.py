"""Room that is kept back on the state's disk, and a journal that is refused for want of it."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from mirrortui.worker import schema
from mirrortui.worker.ballast import BYTES, Ballast
from mirrortui.worker.journal import Journal


def test_there_is_room_until_it_is_given_back(tmp_path: Path) -> None:
    with Ballast(tmp_path) as ballast:
        assert (tmp_path / "ballast").stat().st_blocks * 512 >= BYTES
        ballast.release()
        assert list(tmp_path.iterdir()) == []
    with Ballast(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_it_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with Ballast(tmp_path):
        pass
    with Ballast(tmp_path / "absent"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_is_refused_says_why_until_it_is_written(tmp_path: Path) -> None:
    log = Journal(tmp_path)
    log.begin()
    other = sqlite3.connect(schema.path(tmp_path), isolation_level=None)
    other.execute("begin immediate")
    log._db.execute("pragma busy_timeout=0")
    log.tick()
    assert "locked" in log.refused
    other.execute("rollback")
    other.close()
    log.tick()
    assert log.refused == ""
    log.finish("done")
