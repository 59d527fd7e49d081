"""What a transfer that brings nothing says of itself, in the journal's words."""

import time
from pathlib import Path

import pytest

from mirrortui.errors import TransferError
from mirrortui.transfer.job import Flight, Job
from mirrortui.transfer.retry import Busy, Hosts
from mirrortui.worker.advice import ADVICE, advice
from mirrortui.worker.reporting import waiting

HERE, THERE = "http://one.example", "http://two.example"


def flight(*bases: str, why: str = "waiting for the host") -> Flight:
    urls = tuple(f"{base}/noarch/a.conda" for base in bases)
    part = Path("/srv/.a.conda.part")
    return Flight(Job("c", "noarch", 0, "a.conda", urls, 10, None, part, part), time.monotonic(), waiting=why)


def test_a_host_that_asked_for_patience_is_busy() -> None:
    hosts = Hosts()
    hosts.bad("one.example", Busy("was answered 429", wait=40))
    word, left = waiting(hosts, flight(HERE), time.monotonic())
    assert word == "busy"
    assert 30 < left <= 40


def test_a_transfer_that_was_under_way_does_not_make_it_down() -> None:
    hosts = Hosts()
    hosts.bad("one.example", Busy("was answered 429", wait=40))
    hosts.good("one.example")
    assert waiting(hosts, flight(HERE), time.monotonic())[0] == "busy"


def test_a_host_that_failed_again_and_again_is_down() -> None:
    hosts = Hosts(breaker_seconds=30)
    for _ in range(20):
        hosts.bad("one.example", TransferError("was answered 500", reason="server"))
    word, left = waiting(hosts, flight(HERE, why="server"), time.monotonic())
    assert word == "down"
    assert 20 < left <= 30


def test_the_host_that_is_free_first_counts() -> None:
    hosts = Hosts(breaker_seconds=30)
    hosts.bad("two.example", Busy("was answered 429", wait=300))
    for _ in range(20):
        hosts.bad("one.example", TransferError("was answered 500", reason="server"))
    assert waiting(hosts, flight(THERE, HERE), time.monotonic())[0] == "down"


@pytest.mark.parametrize(("why", "word"), [("waiting for the host", "queued"), ("network", "network")])
def test_hosts_that_may_be_asked(why: str, word: str) -> None:
    hosts = Hosts()
    assert waiting(hosts, flight(HERE, THERE, why=why), time.monotonic()) == (word, 0.0)
    assert hosts.hosts == {}, "looking makes no entries"
    hosts.bad("one.example", Busy("was answered 429", wait=1))
    assert waiting(hosts, flight(HERE, why=why), time.monotonic() + 2) == (word, 0.0)


def test_there_is_advice_for_every_reason() -> None:
    from mirrortui.transfer import retry

    assert retry.__doc__ is not None
    listed = {line.split("|")[1].strip() for line in retry.__doc__.splitlines() if line.count("|") >= 4}
    reasons = {word for word in listed if word.isalpha()} - {"reason"}
    assert reasons
    assert reasons | {"index"} == set(ADVICE)
    assert all(text.endswith(".") and "\n" not in text for text in ADVICE.values())
    assert advice("odd") == ""
