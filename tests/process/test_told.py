"""What the verbs tell of a run: narration on stderr, whole and in order; status on stdout; who holds the mirror."""

import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable

import pytest

from mirrortui.serve.server import FileServer
from mirrortui.worker import schema
from mirrortui.worker.journal import Journal
from mirrortui.worker.lock import RunLock
from mirrortui.worker.reader import JournalReader
from tests.process.faults import status
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Done, Mirror
from tests.process.packages import ChannelTree
from tests.process.refusals import refused
from tests.process.waiting import until


def told(done: Done) -> list[str]:
    """The events of a narration: all lines but figures under way and the last one."""
    return [line for line in done.err.splitlines()[:-1] if " running transfer: " not in line]


def journal(mirror: Mirror) -> list[str]:
    """The events as they stand in the journal of the newest run, as narration has them."""
    reader = JournalReader(mirror.state)
    try:
        run = reader.runs(1)[0]
        return [e.text if e.level == "info" else f"{e.level}: {e.text}" for e in reader.log(run.id)]
    finally:
        reader.close()


# ------------------------------------------------------------------------------------------------- narration


def test_a_run_shorter_than_a_look_is_told_to_its_end(mirror: Mirror, lab: ChannelTree) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    first, second = mirror.run("sync"), mirror.run("sync")
    assert any(line.startswith("lab: published 1 record") for line in told(first))
    assert first.err.splitlines()[-1].startswith("run 1 done after")
    assert told(second) == journal(mirror)
    assert not any("published" in line for line in told(second))
    assert first.out == second.out == ""


def test_every_warning_and_error_is_told_once_and_in_order(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream
) -> None:
    """More than a viewer's window of events in less time than it takes to look twice; two channels without index."""
    for number in range(260):
        lab.put(f"p{number}", size=10)
    lab.index()
    faulty.rule = lambda asked: status(403) if asked.path.endswith(".conda") else None
    faulty.always("/two/noarch/repodata.json.zst", status(403))
    urls = {"lab": f"{faulty.url}/lab", "two": f"{faulty.url}/two", "three": mirror.folder.as_uri()}
    mirror.write(urls, transfer={"retries": 0})
    done = mirror.run("sync")
    assert done.code == 3
    assert told(done) == journal(mirror)
    assert sum(line.startswith("error: lab/linux-64/p") for line in told(done)) == 260
    for name in ("two", "three"):
        assert f"warning: {name} is left as it is in this run" in done.err
        for subdir in ("linux-64", "noarch"):
            assert any(line.startswith(f"error: {name}/{subdir}: ") for line in told(done))
    run = mirror.status()["run"]
    assert {(p["channel"], p["subdir"]) for p in run["problems"]} == {
        (name, subdir) for name in ("two", "three") for subdir in ("linux-64", "noarch")
    }
    for problem in run["problems"]:
        assert (problem["fn"], problem["reason"]) == ("repodata.json", "index")
        assert problem["text"]
    assert len(run["failed"]) == run["failed_count"] == 260
    assert all("403" in failure["text"] for failure in run["failed"])


def test_what_another_process_runs_is_not_told_here(mirror: Mirror, lab: ChannelTree) -> None:
    mirror.write({"lab": lab.folder.as_uri()})
    with RunLock(mirror.state):
        log = Journal(mirror.state)
        log.begin()
        log.event("error", "of another")
        log.tick()
        refused(mirror.run("sync"), 4, "another run is at work")
        log.finish("done")


def test_a_repair_is_narrated_too(mirror: Mirror, lab: ChannelTree) -> None:
    fn = lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.sync()
    (mirror.root / "lab" / "linux-64" / fn).unlink()
    done = mirror.run("verify", "--repair")
    assert done.code == 0
    assert [line for line in journal(mirror) if line not in done.err.splitlines()] == []
    assert done.err.splitlines()[-1] == "mended 1 of 1 file"
    assert "verify --repair" not in done.err


# ---------------------------------------------------------------------------------------------------- status


def test_status_is_data(mirror: Mirror, lab: ChannelTree) -> None:
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    assert mirror.run("status") == (0, "there was no run yet\n", "")
    mirror.sync()
    for words in ((), ("--follow",)):
        done = mirror.run("status", *words)
        assert done.err == ""
        assert re.fullmatch(r"run 1 done after \d+ s: nothing to do\n", done.out)


def test_status_follows_on_stdout(mirror: Mirror, lab: ChannelTree, serve: Callable[..., FileServer]) -> None:
    lab.put("large", size=2_000_000)
    lab.index()
    mirror.write({"lab": f"{serve(lab.folder.parent, rate=1_000_000).url}/lab"})
    mirror.ok("sync", "--detach")
    done = mirror.run("status", "--follow")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith("run 1 running")
    assert done.out.splitlines()[-1].startswith("run 1 done after")


def test_all_failures_are_listed(mirror: Mirror) -> None:
    mirror.write({"lab": mirror.folder.as_uri()})
    log = Journal(mirror.state)
    log.begin()
    for number in range(1200):
        log.failure("lab", "noarch", f"{number:04}.conda", "refused", f"lab/noarch/{number:04}.conda: 403")
    log.finish("partial")
    for run in (mirror.status()["run"], mirror.run("status", "--follow", "--json").json()["run"]):
        assert len(run["failed"]) == run["failed_count"] == 1200
        assert run["failed"][-1] == {
            "channel": "lab",
            "subdir": "noarch",
            "fn": "1199.conda",
            "reason": "refused",
            "text": "lab/noarch/1199.conda: 403",
        }
    lines = mirror.run("status").out.splitlines()
    assert lines[0].startswith("run 1 partial")
    assert lines[1] == "error: lab/noarch/0000.conda: 403"
    assert lines[-1] == "error: and 1180 more; “mirrortui status --json” lists them"
    assert len(lines) == 22


def test_a_crash_is_told_with_its_own_time_and_a_next_step(mirror: Mirror) -> None:
    mirror.write({"lab": mirror.folder.as_uri()})
    Journal(mirror.state).begin()
    db = sqlite3.connect(schema.path(mirror.state))
    db.execute("update run set started=?, heartbeat=?", (time.time() - 3602, time.time() - 3600))
    db.commit()
    db.close()
    done = mirror.run("status")
    assert done.out.startswith("run 1 crashed after 2 s: ")
    assert "“mirrortui sync” resumes where it stopped" in done.out
    assert mirror.run("status", "--follow").code == 1


def test_following_ends_with_the_runs_own_code(mirror: Mirror, lab: ChannelTree) -> None:
    fn = lab.put("vast")
    lab.records["linux-64"][fn]["size"] = 1 << 41
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    assert mirror.run("sync").code == 5
    assert mirror.run("status", "--follow").code == 5
    assert mirror.status()["run"]["exit_code"] == 5


# ------------------------------------------------------------------------------------- who holds the mirror


@pytest.mark.parametrize("verb", ["verify", "prune", "snapshot create"])
def test_what_holds_the_mirror_is_named(mirror: Mirror, lab: ChannelTree, verb: str) -> None:
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.sync()
    who = f"{verb} (process {os.getpid()}, since "
    assert mirror.status()["holder"] is None
    with RunLock(mirror.state, verb):
        done = mirror.run("sync")
        refused(done, 4, who, ") holds the mirror")
        assert "status --follow" not in done.err
        for words in (("stop",), ("pause",), ("resume",), ("limit", "1 MB/s")):
            refused(mirror.run(*words), 4, "no run is at work", who)
        lines = mirror.run("status").out.splitlines()
        assert lines[0].startswith("run 1 done")
        assert lines[-1].startswith(who)
        found = mirror.status()["holder"]
        assert (found["verb"], found["pid"]) == (verb, os.getpid())
        assert time.time() - 60 < found["since"] <= time.time()


def test_an_interrupted_run_ends_as_shells_have_it(
    mirror: Mirror, lab: ChannelTree, serve: Callable[..., FileServer]
) -> None:
    lab.put("large", size=4_000_000)
    lab.index()
    mirror.write({"lab": f"{serve(lab.folder.parent, rate=500_000).url}/lab"})
    process = mirror.start()
    until(lambda: (run := JournalReader(mirror.state).snapshot().run) is not None and run.bytes_fetched > 0)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert mirror.status()["state"] == "stopped"
    assert mirror.run("status", "--follow").code == 130
