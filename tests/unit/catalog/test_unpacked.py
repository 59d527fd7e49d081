"""Unpacking ahead in a thread: all bytes, every error, and an end that waits for nobody."""

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import pytest
import zstandard

from mirrortui.catalog import cache
from mirrortui.errors import BadRepodata

DATA = bytes(range(256)) * 5000


def packed(folder: Path, data: bytes = DATA) -> Path:
    path = folder / cache.BODY
    path.write_bytes(zstandard.ZstdCompressor().compress(data))
    return path


OTHERS: set[threading.Thread] = set()
"""Threads of iterators that other tests, or the errors kept of them, still hold."""


@pytest.fixture(autouse=True)
def others() -> None:
    OTHERS.clear()
    OTHERS.update(threading.enumerate())


def ended() -> bool:
    """Whether all threads that unpack come to their end."""
    until = time.monotonic() + 10
    while any(thread.name == "unpack" for thread in set(threading.enumerate()) - OTHERS):
        if time.monotonic() > until:
            return False
        threading.Event().wait(0.001)
    return True


@pytest.mark.parametrize("size", [1000, 1 << 16, 1 << 24])
def test_all_bytes_come_in_order(tmp_path: Path, size: int) -> None:
    assert b"".join(cache.unpacked(packed(tmp_path), size)) == DATA
    assert ended()


def test_a_broken_stream_is_told_and_what_came_before_it_is_there(tmp_path: Path) -> None:
    path = packed(tmp_path, b"x" * 3_000_000)
    path.write_bytes(path.read_bytes() + b"rubbish")
    with pytest.raises(BadRepodata, match="not valid zstd"):
        b"".join(cache.unpacked(path))
    assert ended()


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(stream: IO[bytes], _size: int, _asked: object, came: "SimpleQueue[bytes | Exception]") -> None:
        stream.close()
        came.put(OSError(5, "Input/output error"))

    monkeypatch.setattr(cache, "_unpack", fail)
    with pytest.raises(OSError, match="Input/output"):
        next(cache.unpacked(packed(tmp_path)))


def test_one_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_UNPACKED", 10_000)
    with pytest.raises(BadRepodata, match="8 GB"):
        b"".join(cache.unpacked(packed(tmp_path), 1000))
    assert ended()


@pytest.mark.parametrize("end", [lambda chunks: chunks.close(), lambda chunks: gc.collect()])
def test_giving_up_halfway_ends_the_thread(tmp_path: Path, end: Callable[[object], object]) -> None:
    chunks = cache.unpacked(packed(tmp_path), 1000)
    next(chunks)
    end(chunks)
    del chunks
    assert ended()


def test_giving_up_does_not_wait_for_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector may do it under a lock that the thread needs for its end."""
    gate, gone = threading.Event(), threading.Event()

    def slow(stream: IO[bytes], _size: int, _asked: object, came: "SimpleQueue[bytes | Exception]") -> None:
        came.put(b"x")
        gate.wait(30)
        stream.close()
        gone.set()

    monkeypatch.setattr(cache, "_unpack", slow)
    chunks = cache.unpacked(packed(tmp_path))
    next(chunks)
    chunks.close()
    assert not gone.is_set()
    gate.set()
    assert gone.wait(10)
