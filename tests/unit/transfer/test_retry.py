"""What a failed attempt means for the file and for its host."""

import asyncio
import email.utils
import random
import time

import pytest

from mirrortui.errors import TransferError
from mirrortui.transfer.retry import (
    BREAKER_FAILURES,
    MAX_BACKOFF,
    MAX_RETRY_AFTER,
    Busy,
    Course,
    Hosts,
    backoff,
    from_status,
    host_of,
    retry_after,
)

ONE, TWO = "http://one.test/f", "http://two.test/f"


def failure(reason):
    return TransferError("went wrong", reason=reason)


@pytest.mark.parametrize(
    ("status", "pause", "reason"),
    [
        (404, "", "missing"),
        (410, "", "missing"),
        (401, "", "refused"),
        (403, "", "refused"),
        (451, "", "refused"),
        (408, "", "server"),
        (429, "", "busy"),
        (429, "3", "busy"),
        (503, "3", "busy"),
        (503, "", "server"),
        (500, "", "server"),
    ],
)
def test_reasons_of_statuses(status, pause, reason):
    assert from_status(status, ONE, pause).reason == reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 3 ", 3.0),
        ("0", 0.0),
        ("999999999", MAX_RETRY_AFTER),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("\u00b2", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
    ],
)
def test_retry_after_in_seconds(value, seconds):
    assert retry_after(value) == seconds


def test_retry_after_as_a_date():
    now = 1_700_000_000.0
    assert retry_after(email.utils.formatdate(now + 90, usegmt=True), now) == 90
    assert retry_after(email.utils.formatdate(now - 90, usegmt=True), now) == 0


def test_a_backoff_doubles_with_jitter_and_is_capped():
    rng = random.Random(1)
    for attempt, span in ((1, 0.5), (2, 1.0), (5, 8.0), (50, MAX_BACKOFF)):
        pauses = [backoff(attempt, rng) for _ in range(200)]
        assert span / 4 <= min(pauses) < max(pauses) <= span
        assert max(pauses) - min(pauses) > span / 2


@pytest.mark.parametrize(("wait", "blocked"), [(0.0, False), (5.0, True), (None, True)])
def test_a_busy_host_waits_as_long_as_it_asks(wait, blocked):
    hosts = Hosts()
    hosts.bad("h", Busy("busy", wait=wait))
    assert hosts.open("h") is not blocked
    if wait:
        assert hosts["h"].blocked_until == pytest.approx(time.monotonic() + wait, abs=1)


@pytest.mark.parametrize(("wait", "least"), [(0.0, 0.1), (5.0, 0.0), (None, 0.0)])
def test_a_file_waits_itself_where_its_host_does_not(wait, least):
    course = Course([ONE], 3, 1000)
    pause = course.failed(ONE, Busy("busy", wait=wait), 0)
    assert least <= pause <= 0.5
    assert course.next(Hosts()) == ONE


def test_the_breaker_opens_after_failures_in_a_row_and_closes_by_time():
    hosts = Hosts(breaker_seconds=0.01)
    for _ in range(BREAKER_FAILURES - 1):
        hosts.bad("h", failure("network"))
    hosts.good("h")
    for _ in range(BREAKER_FAILURES - 1):
        hosts.bad("h", failure("server"))
    assert hosts.open("h")
    hosts.bad("h", failure("slow"))
    assert not hosts.open("h")
    asyncio.run(hosts.wait("h"))
    assert hosts.open("h")


@pytest.mark.parametrize("reason", ["missing", "refused", "hash", "size", "tls"])
def test_what_is_no_fault_of_the_line_does_not_open_the_breaker(reason):
    hosts = Hosts()
    for _ in range(5 * BREAKER_FAILURES):
        hosts.bad("h", failure(reason))
    assert hosts.open("h")


@pytest.mark.parametrize("reason", ["missing", "refused", "tls"])
def test_a_final_answer_is_not_asked_for_again(reason):
    course, hosts = Course([ONE, TWO], 5, 1000), Hosts()
    assert course.next(hosts) == ONE
    assert course.failed(ONE, failure(reason), 0) == 0
    assert course.next(hosts) == TWO
    course.failed(TWO, failure(reason), 0)
    assert course.next(hosts) is None
    assert course.last.reason == reason


@pytest.mark.parametrize("reason", ["hash", "size"])
def test_wrong_bytes_are_asked_for_once_more_of_each(reason):
    course, hosts, asked = Course([ONE, TWO], 5, 1000), Hosts(), []
    while (url := course.next(hosts)) is not None:
        asked.append(url)
        course.failed(url, failure(reason), 0)
    assert asked == [ONE, TWO, ONE, TWO]


def test_the_next_upstream_is_asked_at_once_and_a_wait_comes_when_all_failed():
    course, hosts = Course([ONE, TWO], 2, 1000), Hosts()
    pauses = []
    while (url := course.next(hosts)) is not None:
        pauses.append((url, course.failed(url, failure("network"), 0) > 0))
    assert pauses == [(ONE, False), (TWO, True), (ONE, False), (TWO, True), (ONE, False), (TWO, False)]


def test_progress_does_not_use_up_the_retries():
    course, hosts = Course([ONE], 1, 1_000_000), Hosts()
    for _ in range(20):
        assert course.next(hosts) == ONE
        course.failed(ONE, failure("network"), 100_000)
    course.failed(ONE, failure("network"), 1)
    assert course.next(hosts) is None


def test_a_blocked_host_is_passed_over():
    course, hosts = Course([ONE, TWO], 5, 1000), Hosts()
    hosts.bad(host_of(ONE), Busy("busy", wait=60.0))
    assert course.next(hosts) == TWO


def test_names_of_hosts():
    assert host_of("https://one.test/a/b") == "one.test"
    assert host_of("https://one.test:8443/a") == "one.test:8443"
    assert host_of("http://one.test") == "one.test"
    assert host_of("file:///srv/channel/noarch/f.conda") == "file"
    assert host_of("https://user:pw@one.test/a") == "one.test"


def test_why_a_host_is_left_alone_outlives_an_answer_that_was_under_way():
    hosts = Hosts(breaker_seconds=30.0)
    hosts.bad("h", Busy("busy", wait=60.0))
    hosts.good("h")
    assert not hosts.open("h")
    assert hosts["h"].asked
    for _ in range(BREAKER_FAILURES):
        hosts.bad("h", failure("server"))
    assert hosts["h"].asked, "the longer pause counts"
    hosts.hosts.clear()
    for _ in range(BREAKER_FAILURES):
        hosts.bad("h", failure("server"))
    hosts.bad("h", Busy("busy", wait=1.0))
    assert not hosts["h"].asked
