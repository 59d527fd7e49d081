"""Upstreams that are not there, or answer with something else: told in one clear line, nothing published."""

import socket

import pytest

from tests.process import published
from tests.process.faults import page, status
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.refusals import failed, refused

INDEXES = [
    f"/lab/{subdir}/{name}" for subdir in ("linux-64", "noarch") for name in ("repodata.json.zst", "repodata.json")
]


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
    mirror.write({"lab": f"http://127.0.0.1:{free_port()}/lab"})
    no_channel(mirror, "cannot be reached", "refused")


def test_a_host_that_nobody_knows(mirror: Mirror) -> None:
    mirror.write({"lab": "http://upstream.invalid/lab"})
    no_channel(mirror, "upstream.invalid", "cannot be resolved")


def test_a_token_is_never_told(mirror: Mirror) -> None:
    mirror.write({"lab": f"http://user:pass-word@127.0.0.1:{free_port()}/t/to-ken/lab"})
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
    mirror.write({"lab": f"{faulty.url}/lab"})
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
