"""What a viewer may ask of a run, by a table that is outside text like any other."""

import asyncio
import threading
from pathlib import Path

import pytest

from mirrortui.config import Mirror, MirrorConfig
from mirrortui.worker.journal import Journal
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.run import Run, undisturbed


@pytest.fixture
def run(tmp_path: Path):  # type: ignore[no-untyped-def]  # a generator of a Run
    config = MirrorConfig(
        mirror=Mirror(name="lab", root=str(tmp_path / "r"), url="http://m", state=str(tmp_path / "s"))
    )
    journal = Journal(tmp_path / "s")
    journal.begin()
    made = Run(config, journal)
    yield made
    made.close()
    journal.finish("done")


def test_the_limit_is_set_and_taken_away(run: Run) -> None:
    assert not run.obey([("limit", "5000")])
    assert run.limit.rate == 5000
    assert not run.obey([("limit", "0")])
    assert run.limit.rate == 0


@pytest.mark.parametrize("argument", ["", "-1", "1.5", "²", "٣", "9" * 5000, "1e6", "x", "5 MB/s", "\x1b[31m"])
def test_a_limit_that_is_no_number_changes_nothing(run: Run, argument: str) -> None:
    run.limit.set(7)
    assert not run.obey([("limit", argument)])
    assert run.limit.rate == 7


@pytest.mark.parametrize(
    ("argument", "words"),
    [("1000000", "asked to limit 1.0 MB/s"), ("0", "asked to limit none"), ("1e6", "asked to limit 1e6")],
)
def test_a_limit_is_told_in_words(run: Run, tmp_path: Path, argument: str, words: str) -> None:
    run.obey([("limit", argument)])
    run.journal.tick()
    assert JournalReader(tmp_path / "s").snapshot().events[-1].text == words


def test_stop_ends_it_and_what_comes_after_is_not_obeyed(run: Run) -> None:
    assert run.obey([("limit", "5"), ("stop", ""), ("limit", "9")])
    assert run.limit.rate == 5
    assert run.state == "stopping"


def test_retry_is_noted_and_an_unknown_word_is_not_minded(run: Run) -> None:
    assert not run.obey([("retry", ""), ("explode\x1b[31m", "now"), ("pause", ""), ("resume", "")])
    assert run.retry_asked


def test_what_was_asked_stands_in_the_log_in_clean_lines(run: Run, tmp_path: Path) -> None:
    run.obey([("limit", "\x1b[31m https://me:hunter2@h")])
    run.journal.tick()
    text = JournalReader(tmp_path / "s").snapshot().events[-1].text
    assert text.isprintable()
    assert "hunter2" not in text


def test_work_in_a_thread_ends_before_a_cancelled_task_does() -> None:
    """Otherwise the lock would be gone while the thread still writes."""
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_end.wait(20)
        ended.set()

    async def scenario() -> None:
        task = asyncio.create_task(undisturbed(work))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, may_end.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(scenario())
