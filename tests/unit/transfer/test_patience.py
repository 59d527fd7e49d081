"""Which failures of an index are worth another try, and how often."""

import asyncio

import pytest

from mirrortui.errors import BadRepodata, UpstreamError, UpstreamStatus, UpstreamUnreachable
from mirrortui.transfer import patience
from mirrortui.transfer.patience import insist, passing


def status(code, retry_after=""):
    return UpstreamStatus(f"answered {code}", status=code, retry_after=retry_after)


@pytest.mark.parametrize(
    "error", [status(code) for code in (408, 425, 429, 500, 502, 503)], ids=lambda e: str(e.status)
)
def test_what_may_pass(error):
    assert 0.1 < passing(error, 1) <= 0.5
    assert passing(error, 5) <= 8


def test_an_upstream_says_when():
    assert passing(status(503, "7"), 1) == 7
    assert 0 < passing(status(503, "0"), 1) <= 0.5


@pytest.mark.parametrize(
    "error",
    [
        status(401),
        status(403),
        status(404),
        BadRepodata("is an HTML page"),
        UpstreamError("redirects in a circle"),
        UpstreamUnreachable("cannot be reached: h: TLS: certificate expired"),
    ],
    ids=str,
)
def test_what_does_not(error):
    assert passing(error, 1) is None


class Upstream:
    """Fails by the given errors, one after the other, then gives an index."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "index"


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(patience, "backoff", lambda _attempt: 0.0)


def test_it_is_asked_until_it_answers(at_once):
    upstream, told = Upstream(status(503), UpstreamUnreachable("was cut off")), []
    assert asyncio.run(insist(upstream, 5, lambda error, pause: told.append((error.what, pause)))) == "index"
    assert upstream.asked == 3
    assert told == [("answered 503", 0.0), ("was cut off", 0.0)]


def test_it_is_asked_so_often_and_no_more(at_once):
    upstream = Upstream(*(status(500 + number) for number in range(9)))
    with pytest.raises(UpstreamStatus, match="502"):
        asyncio.run(insist(upstream, 2, lambda *_: None))
    assert upstream.asked == 3


def test_a_refusal_is_final(at_once):
    upstream = Upstream(status(401))
    with pytest.raises(UpstreamStatus):
        asyncio.run(insist(upstream, 5, lambda *_: None))
    assert upstream.asked == 1


def test_no_retries_at_all():
    upstream = Upstream(status(503))
    with pytest.raises(UpstreamStatus):
        asyncio.run(insist(upstream, 0, lambda *_: None))
    assert upstream.asked == 1
