"""run_exports and channeldata: fetched like repodata, read through before they count, kept where the new one is bad."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirrortui.catalog import cache, extras
from mirrortui.errors import BadRepodata, MirrorError, UpstreamStatus, UpstreamUnreachable
from tests.unit.catalog import made
from tests.unit.catalog.test_fetch import Drip, Upstream, pack

BASE = "https://one/c"
RUN = json.dumps(made.run_exports("a-1-0.conda", "b-1-0.tar.bz2")).encode()
ABOUT = json.dumps(made.channeldata("a", "b")).encode()
ZST, JSON, WIDE = "/c/linux-64/run_exports.json.zst", "/c/linux-64/run_exports.json", "/c/channeldata.json"

Bring = Callable[..., bool]


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def bring(tmp_path: Path, upstream: Upstream) -> Bring:
    """Refresh one; afterwards nothing half lies in the cache, whatever happened."""

    def run(subdir: str = "linux-64", base: str = BASE) -> bool:
        async def work() -> bool:
            async with httpx.AsyncClient(transport=httpx.MockTransport(upstream)) as client:
                return await extras.refresh(client, tmp_path, "c", subdir, base)

        upstream.asked.clear()
        try:
            return asyncio.run(work())
        finally:
            place = extras.folder(tmp_path, "c", subdir)
            source = cache.read_source(place)
            allowed = {"source.json", source.folder} if source else set()
            assert {path.name for path in place.iterdir()} <= allowed

    return run


def body(state: Path, subdir: str = "linux-64") -> Any:
    found = extras.cached(state, "c", subdir)
    return None if found is None else b"".join(cache.unpacked(found.body))


def test_zst_is_asked_first_and_is_enough(upstream: Upstream, bring: Bring, tmp_path: Path) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(RUN)), JSON: httpx.Response(200, content=b"{}")}
    assert bring()
    assert upstream.paths == [ZST]
    assert body(tmp_path) == RUN


def test_plain_is_the_fallback(upstream: Upstream, bring: Bring, tmp_path: Path) -> None:
    upstream.answers = {JSON: httpx.Response(200, content=RUN)}
    assert bring()
    assert upstream.paths == [ZST, JSON]
    assert body(tmp_path) == RUN


def test_channeldata_lies_at_the_root_of_the_channel(upstream: Upstream, bring: Bring, tmp_path: Path) -> None:
    upstream.answers = {WIDE: httpx.Response(200, content=ABOUT)}
    assert bring("")
    assert upstream.paths == [WIDE]
    assert body(tmp_path, "") == ABOUT


@pytest.mark.parametrize("subdir", ["linux-64", ""])
@pytest.mark.parametrize("headers", [{"ETag": '"e1"'}, {"Last-Modified": "yesterday"}])
def test_one_that_has_not_changed_costs_one_request(
    upstream: Upstream, bring: Bring, tmp_path: Path, subdir: str, headers: dict[str, str]
) -> None:
    path, data = (ZST, pack(RUN)) if subdir else (WIDE, ABOUT)
    upstream.answers = {path: httpx.Response(200, content=data, headers=headers)}
    assert bring(subdir)
    before = extras.cached(tmp_path, "c", subdir)
    upstream.answers = {path: httpx.Response(304)}
    assert not bring(subdir)
    assert [request.method for request in upstream.asked] == ["GET"]
    asked = upstream.asked[0].headers
    assert asked.get("if-none-match", "") == headers.get("ETag", "")
    assert asked.get("if-modified-since", "") == headers.get("Last-Modified", "")
    after = extras.cached(tmp_path, "c", subdir)
    assert before is not None
    assert after is not None
    assert before.body == after.body


def test_the_same_file_of_another_upstream_is_asked_for_whole(upstream: Upstream, bring: Bring) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(RUN), headers={"ETag": '"e1"'})}
    bring()
    assert bring(base="https://two/c")
    assert "if-none-match" not in upstream.asked[0].headers


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_upstream_that_has_none_is_no_error(upstream: Upstream, bring: Bring, tmp_path: Path, status: int) -> None:
    upstream.answers = {ZST: httpx.Response(status), JSON: httpx.Response(status)}
    assert not bring()
    assert not bring()
    assert len(upstream.asked) == 2
    assert extras.cached(tmp_path, "c", "linux-64") is None


@pytest.mark.parametrize("status", [404, 410])
def test_what_the_upstream_does_not_have_any_more_is_gone_here(
    upstream: Upstream, bring: Bring, tmp_path: Path, status: int
) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(RUN))}
    bring()
    upstream.answers = {ZST: httpx.Response(status), JSON: httpx.Response(status)}
    assert not bring()
    assert extras.cached(tmp_path, "c", "linux-64") is None
    assert not bring()
    upstream.answers = {ZST: httpx.Response(200, content=pack(RUN))}
    assert bring()
    assert body(tmp_path) == RUN


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (httpx.Response(500), UpstreamStatus, "500"),
        (httpx.Response(200, content=b"<html>sign in</html>" * 9), BadRepodata, "HTML page, not run_exports"),
        (httpx.Response(200, content=b""), BadRepodata, "is empty"),
        (httpx.Response(200, content=pack(b'{"packages": {')), BadRepodata, "ends in the middle"),
        (httpx.Response(200, content=pack(RUN)[:60] + b"x" * 60), BadRepodata, "run_exports.json.zst: "),
        (httpx.Response(200, content=pack(b"{}")), BadRepodata, "neither entries"),
        (httpx.Response(200, content=pack(b'{"error": "not found"}')), BadRepodata, "neither entries"),
        (httpx.Response(200, content=pack(b'{"info": {"subdir": "osx-64"}}')), BadRepodata, "is of osx-64"),
        (httpx.Response(200, content=pack(b'{"info": {}, "packages": null}')), BadRepodata, "no table"),
        (httpx.Response(200, content=pack(b'{"packages": {"a-1-0.tar.bz2": []}}')), BadRepodata, "valid JSON"),
        (httpx.Response(200, stream=Drip([pack(RUN)[:50]], httpx.ReadError("gone"))), UpstreamUnreachable, "gone"),
        (httpx.Response(200, headers={"Content-Length": str(1 << 40)}), BadRepodata, "announces"),
    ],
)
def test_a_bad_one_leaves_the_earlier_one(
    upstream: Upstream, bring: Bring, tmp_path: Path, answer: httpx.Response, error: type[MirrorError], words: str
) -> None:
    upstream.answers = {ZST: answer}
    with pytest.raises(error, match=words):
        bring()
    assert extras.cached(tmp_path, "c", "linux-64") is None
    upstream.answers = {ZST: httpx.Response(200, content=pack(RUN))}
    bring()
    upstream.answers = {ZST: answer}
    with pytest.raises(error, match=words):
        bring()
    assert body(tmp_path) == RUN


def test_403_for_one_that_was_there_leaves_it(upstream: Upstream, bring: Bring, tmp_path: Path) -> None:
    """A token that has run out is no word about the file."""
    upstream.answers = {ZST: httpx.Response(200, content=pack(RUN))}
    bring()
    upstream.answers = {ZST: httpx.Response(403), JSON: httpx.Response(403)}
    with pytest.raises(UpstreamStatus, match="403"):
        bring()
    assert body(tmp_path) == RUN


@pytest.mark.parametrize("text", ['{"packages": []}', '{"error": 1}', '{"packages": {"a": 1}}', "[]"])
def test_a_channeldata_of_another_shape_is_none(upstream: Upstream, bring: Bring, text: str) -> None:
    upstream.answers = {WIDE: httpx.Response(200, content=text.encode())}
    with pytest.raises(BadRepodata):
        bring("")


def test_a_cached_body_that_lost_its_end_is_fetched_anew(upstream: Upstream, bring: Bring, tmp_path: Path) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(RUN), headers={"ETag": '"e1"'})}
    bring()
    found = extras.cached(tmp_path, "c", "linux-64")
    assert found is not None
    path = found.body
    del found  # with its hold on the folder
    path.write_bytes(path.read_bytes()[:-3])
    assert extras.cached(tmp_path, "c", "linux-64") is None
    assert bring()
    assert "if-none-match" not in upstream.asked[0].headers
    assert body(tmp_path) == RUN


def test_the_index_of_the_subdir_and_its_extras_do_not_clear_each_other_away(
    upstream: Upstream, bring: Bring, tmp_path: Path
) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(RUN)), WIDE: httpx.Response(200, content=ABOUT)}
    bring()
    bring("")
    made.index(tmp_path, made.table("a-1-0.conda"))
    made.index(tmp_path, made.table("b-1-0.conda"))
    assert body(tmp_path) == RUN
    assert body(tmp_path, "") == ABOUT
    index = cache.open_index(tmp_path, "c", "linux-64")
    assert index is not None
    assert index.fns() == ["b-1-0.conda"]
