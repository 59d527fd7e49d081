"""What an upstream can do to a single file, and what becomes of the file."""

import asyncio
import email.utils
import random
import threading
import time
from pathlib import Path

import pytest

from mirrortui.transfer import transport
from mirrortui.transfer.engine import Engine
from mirrortui.transfer.job import Job, Outcome
from mirrortui.transfer.limits import RateLimit
from tests.process import faulty as faults
from tests.process import published
from tests.process.faulty import Asked, Fault, FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.waiting import until

SIZE = 300_000


class Case:
    """A mirror of a channel with five good files and one, `fn`, to do things to."""

    def __init__(self, mirror: Mirror, lab: ChannelTree, upstream: FaultyUpstream) -> None:
        self.mirror, self.lab, self.upstream = mirror, lab, upstream
        for number in range(5):
            lab.put(f"good{number}")
        self.fn = lab.put("odd", size=SIZE)
        lab.index()
        mirror.write({"lab": f"{upstream.url}/lab"}, transfer={"retries": 3})
        self.path = f"/lab/linux-64/{self.fn}"
        self.part = mirror.root / "lab" / "linux-64" / f".{self.fn}.part"

    @property
    def asked(self) -> list[Asked]:
        return self.upstream.requests(self.fn)

    @property
    def sent(self) -> int:
        return sum(asked.sent for asked in self.asked)

    def arrives(self) -> None:
        """One run brings everything."""
        run = self.mirror.sync()["run"]
        assert (run["added"], run["failed"]) == (6, [])
        self.complete()

    def complete(self) -> None:
        shown = published.published(self.mirror.root, "lab", "linux-64")
        assert shown == self.lab.records["linux-64"]
        assert published.wrong(self.mirror.root) == []
        assert not self.part.exists()


@pytest.fixture
def case(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> Case:
    return Case(mirror, lab, faulty)


CANNOT_BE_HAD: dict[str, tuple[Fault, str]] = {
    "s404": (faults.status(404), "missing"),
    "s410": (faults.status(410), "missing"),
    "s403": (faults.status(403), "refused"),
    "wrong": (faults.wrong_bytes, "hash"),
    "short": (faults.short(1000), "size"),
    "page": (faults.page("<html>sign in</html>"), "size"),
    "endless": (faults.endless, "size"),
    "s500": (faults.status(500), "server"),
    "circle": (faults.redirect("/lab/linux-64/circle-1.0-0.conda"), "refused"),
    "tofile": (faults.redirect("file:///etc/passwd"), "refused"),
    "toftp": (faults.redirect("ftp://127.0.0.1/file"), "refused"),
    "tonowhere": (faults.redirect("http://["), "refused"),
    "nolocation": (faults.status(302), "refused"),
}
GOES_WRONG_ONCE: dict[str, Fault] = {
    "wrong": faults.wrong_bytes,
    "short": faults.short(1000),
    "endless": faults.endless,
    "s500": faults.status(500),
    "s503": faults.status(503),
    "s429": faults.status(429),
    "atonce": faults.cut(0),
    "cut": faults.cut(3000),
    "whole": faults.ignore_range,
    "odd206": faults.status(206, content_range="bytes 5-9/10"),
    "misled": faults.redirect("good-1.0-0.conda"),
}


def test_files_that_cannot_be_had_are_left_out_and_retried_by_the_next_run(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream
) -> None:
    good = [lab.put(f"good{number}") for number in range(5)]
    odd = {lab.put(name): (fault, reason) for name, (fault, reason) in CANNOT_BE_HAD.items()}
    lab.index()
    for fn, (fault, _) in odd.items():
        faulty.always(f"/lab/linux-64/{fn}", fault)
    mirror.write({"lab": f"{faulty.url}/lab"}, transfer={"retries": 2})

    partial = mirror.sync(code=3)
    assert partial["state"] == "partial"
    failed = {(f["channel"], f["subdir"], f["fn"]): f["reason"] for f in partial["run"]["failed"]}
    assert failed == {("lab", "linux-64", fn): reason for fn, (_, reason) in odd.items()}
    assert partial["run"]["added"] == len(good)
    assert set(published.published(mirror.root, "lab", "linux-64")) == set(good)
    assert published.wrong(mirror.root) == []
    assert {path.name for path in mirror.root.rglob("*.conda")} == set(good)

    for fn in odd:
        faulty.always(f"/lab/linux-64/{fn}", None)
    run = mirror.sync()["run"]
    assert (run["added"], run["failed"]) == (len(odd), [])
    assert published.published(mirror.root, "lab", "linux-64") == lab.records["linux-64"]
    assert published.wrong(mirror.root) == []
    assert list(mirror.root.rglob("*.part")) == []


def test_files_that_go_wrong_once_arrive(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    lab.put("good")
    for name, fault in GOES_WRONG_ONCE.items():
        faulty.once(f"/lab/linux-64/{lab.put(name)}", fault)
    lab.index()
    mirror.write({"lab": f"{faulty.url}/lab"})
    run = mirror.sync()["run"]
    assert (run["added"], run["failed"]) == (1 + len(GOES_WRONG_ONCE), [])
    assert published.published(mirror.root, "lab", "linux-64") == lab.records["linux-64"]
    assert published.wrong(mirror.root) == []
    for name in GOES_WRONG_ONCE:
        assert len(faulty.requests(f"/{name}-1.0-0.conda")) == (1 if name == "whole" else 2)


def test_an_endless_body_is_not_read_to_its_end(case: Case) -> None:
    case.upstream.always(case.path, faults.endless)
    case.mirror.sync(code=3)
    assert 1 <= len(case.asked) <= 2
    assert all(asked.sent < faults.MOST_ENDLESS // 2 for asked in case.asked)


def test_a_body_cut_off_again_and_again_is_resumed_and_no_byte_is_fetched_twice(case: Case) -> None:
    case.upstream.always(case.path, faults.cut(70_000))
    case.arrives()
    ranges = [asked.fields.get("range") for asked in case.asked]
    assert ranges == [None, *(f"bytes={start}-" for start in range(70_000, SIZE, 70_000))]
    assert case.sent == SIZE


def test_a_reset_connection_is_resumed_where_it_broke(case: Case) -> None:
    gate = threading.Event()
    case.upstream.once(case.path, faults.reset(100_000, gate))
    process = case.mirror.start()
    until(lambda: case.part.exists() and case.part.stat().st_size == 100_000)
    gate.set()
    assert process.wait(20) == 0
    case.complete()
    assert [asked.fields.get("range") for asked in case.asked] == [None, "bytes=100000-"]
    assert case.sent == SIZE


@pytest.mark.parametrize(
    ("fault", "status"),
    [(faults.ignore_range, 200), (faults.wrong_range, 206), (faults.status(416), 416)],
    ids=["ignored", "another", "416"],
)
def test_a_resume_that_is_not_understood_starts_anew(case: Case, fault: Fault, status: int) -> None:
    case.upstream.once(case.path, faults.cut(100_000), fault)
    case.arrives()
    assert case.asked[1].fields["range"] == "bytes=100000-"
    assert case.asked[1].status == status
    if status != 200:
        assert "range" not in case.asked[2].fields


def test_a_file_that_is_another_one_at_the_resume_is_fetched_whole(case: Case) -> None:
    """The rest of another file is joined to what was received: only the hash can tell."""
    case.upstream.once(case.path, faults.cut(100_000), faults.wrong_bytes)
    case.arrives()
    assert "range" not in case.asked[-1].fields


def as_date(seconds: int) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(("code", "form"), [(429, "seconds"), (503, "date")])
def test_retry_after_is_honoured_for_the_whole_host(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream, code: int, form: str
) -> None:
    for number in range(12):
        lab.put(f"p{number:02}")
    lab.index()
    told = threading.Event()
    moment = 0.0

    def busy(ex: faults.Exchange) -> None:
        nonlocal moment
        ex.head(code, content_length=0, retry_after=1 if form == "seconds" else as_date(2))
        moment = time.monotonic()
        told.set()

    queue = [busy]
    lock = threading.Lock()

    def rule(asked: Asked) -> Fault | None:
        if not asked.path.endswith(".conda"):
            return None
        with lock:
            return queue.pop() if queue else None

    faulty.rule = rule
    mirror.write({"lab": f"{faulty.url}/lab"}, transfer={"connections": 2})
    mirror.sync()
    assert told.is_set()
    later = [asked.when - moment for asked in faulty.requests(".conda") if asked.when > moment]
    assert len(later) >= 10
    # One request may have been under way on the other connection; nobody else asks before the second is over.
    assert sum(span < 0.9 for span in later) <= 1, later
    assert published.wrong(mirror.root) == []


def test_a_flood_of_faults_over_many_small_files_leaves_all_of_them_right(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream
) -> None:
    for number in range(300):
        lab.put(f"p{number:03}", size=2000)
    lab.index()
    rng, lock = random.Random(7), threading.Lock()
    burst = 0
    counts = {"503": 0, "cut": 0}

    def rule(asked: Asked) -> Fault | None:
        nonlocal burst
        if not asked.path.endswith(".conda"):
            return None
        with lock:
            if burst or rng.random() < 0.0125:
                burst = burst - 1 if burst else 3
                counts["503"] += 1
                return faults.status(503)
            if rng.random() < 0.05:
                counts["cut"] += 1
                return faults.cut(rng.randrange(2000))
        return None

    faulty.rule = rule
    mirror.write({"lab": f"{faulty.url}/lab"})
    assert mirror.sync()["run"]["added"] == 300
    assert counts["503"] >= 8
    assert counts["cut"] >= 8
    assert len(published.published(mirror.root, "lab", "linux-64")) == 300
    assert published.wrong(mirror.root) == []


# --------------------------------------------------------------------------------- redirects and secrets


@pytest.mark.parametrize("target", ["same host", "other host"])
def test_credentials_stay_with_their_host(case: Case, target: str) -> None:
    with FaultyUpstream(case.lab.folder.parent, host="localhost") as other:
        url = other.url if target == "other host" else ""
        for path in (case.path, "/lab/noarch/repodata.json.zst"):
            case.upstream.once(path, faults.redirect(f"{url}{path.replace('/lab/', '/elsewhere/')}"))
        (case.lab.folder.parent / "elsewhere").symlink_to(case.lab.folder)
        secret = case.upstream.url.replace("://", "://operator:pass-word@")
        case.mirror.write({"lab": f"{secret}/lab"})
        case.arrives()
        own = case.upstream.requests()
        assert all(asked.fields.get("authorization", "").startswith("Basic ") for asked in own)
        assert not other.broken
        if target == "other host":
            assert [asked.path.split("/")[1] for asked in other.asked] == ["elsewhere"] * 2
            assert all("authorization" not in asked.fields for asked in other.asked)
        else:
            assert [asked.path for asked in own].count(case.path.replace("/lab/", "/elsewhere/")) == 1
            assert other.asked == []


# ---------------------------------------------------------------------------------------- other upstreams


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


# -------------------------------------------------------------------------------------- in this process


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
            await engine.run(jobs, outcomes.append)

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
    gate.set()
    assert outcome.status == "fetched"
    assert second.packages == [case.fn]
    assert (case.sent, second.upstream.requests(case.fn)[0].sent) == (50_000, SIZE - 50_000)


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
