"""Which upstream is asked for a file, for how long, and when it is given up."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from mirrortui.transfer import transport
from mirrortui.transfer.engine import Engine
from mirrortui.transfer.job import Job, Outcome
from mirrortui.transfer.limits import RateLimit
from tests.process import faults, published
from tests.process.faulty import FaultyUpstream
from tests.process.oddfile import SIZE, Case
from tests.process.waiting import until


class Second:
    """A second upstream with the same files."""

    def __init__(self, case: Case, upstream: FaultyUpstream) -> None:
        self.case, self.upstream = case, upstream
        case.mirror.write({"lab": [f"{case.upstream.url}/lab", f"{upstream.url}/lab"]}, transfer={"retries": 3})

    @property
    def packages(self) -> list[str]:
        return [Path(asked.path).name for asked in self.upstream.requests(".conda")]


@pytest.fixture
def second(case: Case):  # type: ignore[no-untyped-def]  # a generator of Second
    with FaultyUpstream(case.lab.folder.parent) as upstream:
        yield Second(case, upstream)
        assert not upstream.broken


def test_single_files_come_from_the_second_upstream(case: Case, second: Second) -> None:
    odd = (faults.status(404), faults.wrong_bytes, faults.short(10), faults.status(403), faults.status(500))
    fns = [case.lab.put(f"odd{number}") for number in range(len(odd))]
    case.lab.index()
    for fn, fault in zip(fns, odd, strict=True):
        case.upstream.always(f"/lab/linux-64/{fn}", fault)
    case.mirror.sync()
    case.complete()
    assert sorted(second.packages) == fns


def test_the_whole_channel_comes_from_the_second_upstream(case: Case, second: Second) -> None:
    for number in range(60):
        case.lab.put(f"more{number}")
    case.lab.index()
    case.upstream.stop()
    began = time.monotonic()
    case.mirror.sync()
    assert time.monotonic() - began < 6
    case.complete()
    assert len(second.packages) == 66


def test_the_first_upstream_goes_away_in_the_middle(case: Case, second: Second) -> None:
    for number in range(60):
        case.lab.put(f"more{number}")
    case.lab.index()
    gate = threading.Event()
    gone = case.lab.put("gone-first")
    case.lab.index()
    case.mirror.edit(transfer={"connections": 4})
    case.upstream.always(f"/lab/linux-64/{gone}", faults.reset(10, gate))
    case.upstream.always(case.path, faults.reset(10, gate))
    process = case.mirror.start()
    until(lambda: len(case.upstream.requests(".conda")) > 20)
    gate.set()
    case.upstream.stop()
    began = time.monotonic()
    assert process.wait(30) == 0
    assert time.monotonic() - began < 8
    case.complete()
    assert second.packages


def test_two_dead_upstreams_fail_in_reasonable_time(case: Case, second: Second) -> None:
    case.mirror.edit(transfer={"retries": 1, "connections": 4})
    process = case.mirror.start()
    until(lambda: len(case.upstream.requests("repodata.json.zst")) == 2)
    case.upstream.stop()
    second.upstream.stop()
    assert process.wait(30) in (0, 1, 3)
    assert published.wrong(case.mirror.root) == []


def job(case: Case, fn: str, *upstreams: FaultyUpstream) -> Job:
    """One file of the channel, to be brought beside mirror.toml."""
    record, folder = case.lab.records["linux-64"][fn], case.mirror.folder
    return Job(
        "lab",
        "linux-64",
        0,
        fn,
        tuple(f"{upstream.url}/lab/linux-64/{fn}" for upstream in upstreams),
        record["size"],
        ("sha256", bytes.fromhex(record["sha256"])),
        folder / f".{fn}.part",
        folder / fn,
    )


def bring(
    *jobs: Job, retries: int = 3, stall_seconds: float = 5.0, read_timeout: float = 5.0, breaker_seconds: float = 5.0
) -> list[Outcome]:
    """Fetch files by an engine of its own, with timings that a test can wait for."""
    outcomes: list[Outcome] = []

    async def work() -> None:
        async with transport.open_client(connections=4, read_timeout=read_timeout) as client:
            engine = Engine(client, connections=4, retries=retries, limit=RateLimit())
            engine.stall_seconds = stall_seconds
            engine.hosts.breaker_seconds, engine.hosts.most_breaks = breaker_seconds, 3
            await engine.run([jobs], outcomes.append)

    asyncio.run(work())
    return outcomes


def test_a_drip_is_given_up_and_what_it_brought_is_kept(case: Case) -> None:
    over = threading.Event()
    case.upstream.once(case.path, faults.cut(50_000), faults.drip(over), faults.drip(over))
    began = time.monotonic()
    (outcome,) = bring(job(case, case.fn, case.upstream), stall_seconds=0.3)
    over.set()
    assert outcome.status == "fetched"
    assert 0.5 < time.monotonic() - began < 10
    assert (case.mirror.folder / case.fn).read_bytes() == case.lab.data(case.fn)
    assert len(case.asked) == 4
    assert all(int(asked.fields["range"][6:-1]) >= 50_000 for asked in case.asked[1:])


def test_an_upstream_that_falls_silent_is_given_up_for_the_next(case: Case, second: Second) -> None:
    gate = threading.Event()
    case.upstream.always(case.path, faults.hold(50_000, gate))
    (outcome,) = bring(job(case, case.fn, case.upstream, second.upstream), read_timeout=0.3)
    assert outcome.status == "fetched"
    assert second.packages == [case.fn]
    # The client has the file before the server's thread has counted what it sent; the first one still holds its rest back.
    until(lambda: second.upstream.requests(case.fn)[0].sent == SIZE - 50_000)
    assert case.sent == 50_000
    gate.set()


def test_a_drip_everywhere_is_told_as_slow(case: Case) -> None:
    over = threading.Event()
    case.upstream.always(case.path, faults.drip(over))
    (outcome,) = bring(job(case, case.fn, case.upstream), stall_seconds=0.1, retries=1)
    over.set()
    assert (outcome.status, outcome.reason) == ("failed", "slow")


def test_a_host_that_stays_away_is_given_up_for_the_rest_of_the_run(case: Case) -> None:
    for number in range(100):
        case.lab.put(f"many{number}", size=100)
    case.upstream.rule = lambda asked: faults.status(502)
    jobs = [job(case, fn, case.upstream) for fn in case.lab.records["linux-64"]]
    outcomes = bring(*jobs, retries=1, breaker_seconds=0.05)
    assert {(outcome.status, outcome.reason) for outcome in outcomes} <= {("failed", "server"), ("failed", "network")}
    assert len(outcomes) == 106
    assert len(case.upstream.asked) < 50
    assert "does not answer" in outcomes[-1].text
