"""What an upstream can do to files, and what becomes of them."""

import email.utils
import random
import threading
import time

import pytest

from tests.process import faults, published
from tests.process.faulty import Asked, Exchange, Fault, FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.oddfile import Case
from tests.process.packages import ChannelTree

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

    def busy(ex: Exchange) -> None:
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
