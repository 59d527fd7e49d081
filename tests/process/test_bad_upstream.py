"""Upstreams that are not there, or answer with something else: told in one clear line, nothing published."""

import socket

import pytest

from tests.process import published
from tests.process.faults import cut, page, status
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.refusals import failed, refused

INDEXES = [
    f"/lab/{subdir}/{name}" for subdir in ("linux-64", "noarch") for name in ("repodata.json.zst", "repodata.json")
]

ONCE = {"retries": 0}
"""An upstream that does not answer is asked again, which takes its time."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def no_channel(mirror: Mirror, *words: str) -> None:
    """An upstream of no use: each verb says so in its own way, and nothing is made."""
    refused(mirror.run("estimate"), 1, *words)
    refused(mirror.run("plan", "--json"), 1, *words)
    failed(mirror.run("sync"), 1, *words)
    refused_or_told = mirror.run("sync", "--json")
    assert refused_or_told.code == 1
    assert refused_or_told.json()["state"] == "failed"
    assert all(word in refused_or_told.json()["run"]["message"] for word in words)
    assert published.indexes(mirror.root) == []


def test_nobody_listens(mirror: Mirror) -> None:
    mirror.write({"lab": f"http://127.0.0.1:{free_port()}/lab"}, transfer=ONCE)
    no_channel(mirror, "cannot be reached", "refused")


def test_a_host_that_nobody_knows(mirror: Mirror) -> None:
    mirror.write({"lab": "http://upstream.invalid/lab"}, transfer=ONCE)
    no_channel(mirror, "upstream.invalid", "cannot be resolved")


def test_a_token_is_never_told(mirror: Mirror) -> None:
    mirror.write({"lab": f"http://user:pass-word@127.0.0.1:{free_port()}/t/to-ken/lab"}, transfer=ONCE)
    for verb in ("estimate", "sync"):
        done = mirror.run(verb)
        assert done.code == 1
        assert "pass-word" not in done.err + done.out
        assert "to-ken" not in done.err + done.out
    for path in mirror.state.rglob("*"):
        if path.is_file():
            assert b"to-ken" not in path.read_bytes(), path


def test_a_channel_that_is_not_there(mirror: Mirror, faulty: FaultyUpstream) -> None:
    mirror.write({"nowhere": f"{faulty.url}/nowhere"})
    no_channel(mirror, "there is no channel nowhere")


def test_an_html_page_instead_of_an_index(mirror: Mirror, faulty: FaultyUpstream) -> None:
    for path in INDEXES:
        faulty.always(path, page("<!DOCTYPE html><title>Sign in</title>") if path.endswith("json") else status(404))
    mirror.write({"lab": f"{faulty.url}/lab"})
    no_channel(mirror, "HTML page", "repodata.json", "login page")


def test_a_login_page_instead_of_a_packed_index(mirror: Mirror, faulty: FaultyUpstream) -> None:
    for path in INDEXES:
        faulty.always(path, page("<html><form>password</form></html>"))
    mirror.write({"lab": f"{faulty.url}/lab"})
    no_channel(mirror, "HTML page", "repodata.json.zst", "login page")


@pytest.mark.parametrize("body", ["[]", '{"packages": {"a-1-0.conda": ', ""])
def test_json_that_is_no_index(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream, body: str) -> None:
    lab.index()
    for path in INDEXES:
        faulty.always(path, page(body, "application/json") if path.endswith("json") else status(404))
    mirror.write({"lab": f"{faulty.url}/lab"})
    refused(mirror.run("estimate", "--json"), 1, f"{faulty.url}/lab")


def test_an_upstream_in_trouble(mirror: Mirror, faulty: FaultyUpstream) -> None:
    for path in INDEXES:
        faulty.always(path, status(500))
    mirror.write({"lab": f"{faulty.url}/lab"}, transfer=ONCE)
    no_channel(mirror, "answered 500")


def test_one_bad_channel_does_not_hold_up_the_others(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": f"{faulty.url}/lab", "nowhere": f"{faulty.url}/nowhere"})
    partial = mirror.sync(code=3)
    assert partial["state"] == "partial"
    assert "nowhere" in partial["run"]["message"]
    assert len(published.published(mirror.root, "lab", "linux-64")) == 1
    assert not (mirror.root / "nowhere").exists()


def test_an_upstream_that_was_out_of_order_for_a_moment_is_asked_again(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream
) -> None:
    lab.put("some")
    lab.index()
    zst, plain = "/lab/noarch/repodata.json.zst", "/lab/linux-64/repodata.json"
    faulty.once(zst, status(503, retry_after=1), status(429))
    faulty.once(plain, cut(5))
    mirror.write({"lab": f"{faulty.url}/lab"})
    done = mirror.run("sync")
    assert done.code == 0, done.err
    assert "lab/noarch: answered 503" in done.err
    assert "asked again in 1 s" in done.err
    first, second, third, *_ = (asked for asked in faulty.asked if asked.path == zst)
    assert 0.9 < second.when - first.when < 10
    assert third.status in (200, 404)
    assert len(published.published(mirror.root, "lab", "linux-64")) == 1


@pytest.mark.parametrize("code", [401, 403])
def test_an_upstream_that_refuses_is_told_as_such(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream, code: int
) -> None:
    """A token that has run out: what is mirrored stays, the run is not “done”, and the hint is about the token."""
    lab.put("some")
    lab.index()
    mirror.write({"lab": f"{faulty.url}/lab"})
    mirror.sync()
    for path in INDEXES:
        faulty.always(path, status(code))
    failed(mirror.run("sync"), 1, str(code), "token or password")
    assert len(published.published(mirror.root, "lab", "linux-64")) == 1
