"""A run in words."""

import time
from dataclasses import replace

import pytest

from mirrortui.cli.telling import ending_line, faults, progress_line
from mirrortui.quantities import counted as count
from mirrortui.worker.snapshot import Failure, RunStatus, Snapshot

RUN = RunStatus(7, "running", "transfer", 100.0, None, 1, "", 5, 10, 50, 100, 0, 0, 0, 0, 50, 25.0, 2.0, 0, "")


def test_where_there_was_no_run() -> None:
    assert progress_line(Snapshot("idle")) == ending_line(Snapshot("idle")) == "there was no run yet"


def test_a_run_at_work() -> None:
    line = progress_line(Snapshot("running", RUN))
    assert line == "run 7 running transfer: 50 %, 5 of 10 files, 50 B of 100 B, 25 B/s, 2 s left"


def test_a_crash_took_as_long_as_it_lived_and_has_a_next_step() -> None:
    line = ending_line(Snapshot("crashed", replace(RUN, ended=102.0)))
    assert line.startswith("run 7 crashed after 2 s: ")
    assert line.endswith("start it again: “mirrortui sync” resumes where it stopped")


def test_an_end_says_what_was_done_and_why_no_more() -> None:
    done = replace(RUN, ended=time.time(), started=time.time() - 5)
    assert ending_line(Snapshot("done", done)) == "run 7 done after 5 s: nothing to do"
    partial = ending_line(Snapshot("partial", replace(done, added=3, message="lab: not updated")))
    assert partial.endswith("added 3, replaced 0, dropped 0, pruned 0, 50 B received: lab: not updated")


@pytest.mark.parametrize(("failed", "lines"), [(0, 2), (20, 22), (21, 23)])
def test_faults_are_told_indexes_first_and_not_all_of_the_files(failed: int, lines: int) -> None:
    files = tuple(Failure("c", "noarch", f"{n}.conda", "refused", f"c/noarch/{n}.conda 403") for n in range(failed))
    indexes = tuple(Failure("c", subdir, "repodata.json", "index", "404") for subdir in ("noarch", "linux-64"))
    told = faults(Snapshot("partial", RUN, failures=files, failed_count=failed, problems=indexes))
    assert told[:2] == ["error: c/noarch: 404", "error: c/linux-64: 404"]
    assert len(told) == lines
    if failed > 20:
        assert told[-1] == "error: and 1 more; “mirrortui status --json” lists them"


def test_one_is_no_plural() -> None:
    assert [count(n, "file") for n in (0, 1, 2, 1000)] == ["0 files", "1 file", "2 files", "1,000 files"]
