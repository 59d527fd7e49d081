import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard

from mirrortui.catalog import cache, fetch
from mirrortui.catalog.index import Source
from mirrortui.errors import BadRepodata, MirrorError, StateError, UpstreamError, UpstreamStatus, UpstreamUnreachable
from tests.unit.catalog.made import table

BODY = json.dumps(table("a-1-0.conda", "a-1-0.tar.bz2")).encode()
OTHER = json.dumps(table("a-1-0.conda", "b-2-0.conda")).encode()
UPSTREAM = "https://one/c"
ZST, JSON = "/c/linux-64/repodata.json.zst", "/c/linux-64/repodata.json"


def pack(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


class Drip(httpx.AsyncByteStream):
    """A body in given pieces; may break off."""

    def __init__(self, pieces: Iterable[bytes], error: Exception | None = None) -> None:
        self.pieces, self.error, self.closed = pieces, error, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.error:
            raise self.error

    async def aclose(self) -> None:
        self.closed = True


def streamed(pieces: Iterable[bytes], error: Exception | None = None, **headers: str) -> httpx.Response:
    return httpx.Response(200, headers=headers, stream=Drip(pieces, error))


class Upstream:
    """Answers by path, or by host and path; remembers what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response | Exception] = {}
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        for key in (str(request.url), request.url.path):
            if key in self.answers:
                answer = self.answers[key]
                if isinstance(answer, Exception):
                    raise answer
                stream = answer.stream if isinstance(answer.stream, Drip) else Drip([answer.content])
                return httpx.Response(
                    answer.status_code, headers=answer.headers, stream=stream, extensions=answer.extensions
                )
        return httpx.Response(404)

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.asked]


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def bring(tmp_path: Path, upstream: Upstream) -> Callable[..., Source]:
    """Refresh one subdir; afterwards the cache must be tidy, whatever happened."""

    def run(*upstreams: str, subdir: str = "linux-64", phases: list[str] | None = None) -> Source:
        async def work() -> Source:
            async with httpx.AsyncClient(transport=httpx.MockTransport(upstream)) as client:
                report = (lambda p: phases.append(p.phase)) if phases is not None else (lambda _p: None)
                return await fetch.refresh(
                    client, tmp_path, "c", upstreams or (UPSTREAM,), subdir, report, asyncio.Semaphore(1)
                )

        upstream.asked.clear()
        try:
            return asyncio.run(work())
        finally:
            tidy(tmp_path, subdir)

    return run


def tidy(state: Path, subdir: str = "linux-64") -> None:
    place = cache.folder(state, "c", subdir)
    source = cache.read_source(place)
    allowed = {"source.json", source.folder} if source else set()
    assert {path.name for path in place.iterdir()} <= allowed


def names(state: Path) -> list[str]:
    index = cache.open_index(state, "c", "linux-64")
    return [] if index is None else index.fns()


# ------------------------------------------------------------------------------------- the good ways


def test_zst_is_asked_first_and_is_enough(upstream: Upstream, bring: Callable[..., Source], tmp_path: Path) -> None:
    upstream.answers = {
        ZST: httpx.Response(200, content=pack(BODY), headers={"ETag": '"e1"', "Last-Modified": "yesterday"}),
        JSON: httpx.Response(200, content=OTHER),
    }
    phases: list[str] = []
    source = bring(phases=phases)
    assert upstream.paths == [ZST]
    assert (source.status, source.encoding, source.etag, source.modified, source.url) == (
        "ok",
        "zst",
        '"e1"',
        "yesterday",
        f"https://one{ZST}",
    )
    assert source.packed == len(pack(BODY))
    assert names(tmp_path) == ["a-1-0.tar.bz2", "a-1-0.conda"]
    assert list(dict.fromkeys(phases)) == ["fetch", "decode", "ready"]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_json_is_the_fallback_and_is_packed_on_the_way(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path, status: int
) -> None:
    upstream.answers = {ZST: httpx.Response(status), JSON: httpx.Response(200, content=BODY)}
    assert bring().encoding == "json"
    assert upstream.paths == [ZST, JSON]
    index = cache.open_index(tmp_path, "c", "linux-64")
    assert index is not None
    assert index.body is not None
    assert b"".join(cache.unpacked(index.body)) == BODY


@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 1000])
@pytest.mark.parametrize("path", [ZST, JSON])
def test_a_body_may_come_in_the_smallest_pieces(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path, size: int, path: str
) -> None:
    data = pack(BODY) if path == ZST else b"\n \t" + BODY
    upstream.answers = {path: streamed([b"", *(data[i : i + size] for i in range(0, len(data), size)), b""])}
    assert bring().status == "ok"
    assert len(names(tmp_path)) == 2


def test_a_missing_subdir_is_an_answer_and_no_second_upstream_is_asked(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path
) -> None:
    phases: list[str] = []
    source = bring("https://one/c", "https://two/c", phases=phases)
    assert source.status == "missing"
    assert {request.url.host for request in upstream.asked} == {"one"}
    index = cache.open_index(tmp_path, "c", "linux-64")
    assert index is not None
    assert (index.rows, index.body, index.fns(), index.names) == (0, None, [], [])
    assert phases[-1] == "empty"


@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.Response(500), httpx.Response(429), httpx.Response(401), httpx.Response(200, content=b"<html>"),
     httpx.Response(200, content=b""), httpx.Response(301, headers={"Location": "file:///etc/passwd"}), httpx.Response(304), httpx.Response(204), httpx.Response(206)],
)  # fmt: skip
def test_the_second_upstream_is_asked_when_the_first_fails(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path, failure: Any
) -> None:
    upstream.answers = {f"https://one{ZST}": failure, f"https://two{ZST}": httpx.Response(200, content=pack(BODY))}
    assert bring("https://one/c", "https://two/c").url.startswith("https://two/")
    assert len(names(tmp_path)) == 2


def test_a_host_that_is_no_host_is_an_upstream_that_fails(upstream: Upstream, bring: Callable[..., Source]) -> None:
    upstream.answers = {f"https://two{ZST}": httpx.Response(200, content=pack(BODY))}
    assert bring("https://☃☃.example/c", "https://two/c").status == "ok"
    with pytest.raises(UpstreamUnreachable):
        bring("https://☃☃.example/c")


# --------------------------------------------------------------------------------------- conditional


def test_an_unchanged_index_is_not_fetched_again(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path
) -> None:
    headers = {"ETag": '"e1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    upstream.answers = {ZST: httpx.Response(200, content=pack(BODY), headers=headers)}
    first = bring()
    folder = cache.folder(tmp_path, "c", "linux-64") / first.folder
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    upstream.answers = {ZST: httpx.Response(304)}
    phases: list[str] = []
    second = bring(phases=phases)
    assert upstream.asked[0].headers["if-none-match"] == '"e1"'
    assert upstream.asked[0].headers["if-modified-since"] == headers["Last-Modified"]
    assert second.folder == first.folder
    assert second.checked > first.checked
    assert phases[-1] == "unchanged"
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_an_index_of_another_url_is_asked_for_whole(upstream: Upstream, bring: Callable[..., Source]) -> None:
    upstream.answers = {
        f"https://one{ZST}": httpx.Response(200, content=pack(BODY), headers={"ETag": '"e1"'}),
        f"https://two{ZST}": httpx.Response(200, content=pack(OTHER)),
    }
    bring("https://one/c")
    bring("https://two/c")
    assert "if-none-match" not in upstream.asked[0].headers


@pytest.mark.parametrize("known", [False, True])
def test_a_304_nobody_asked_for_is_an_error(upstream: Upstream, bring: Callable[..., Source], known: bool) -> None:
    if known:
        upstream.answers = {ZST: httpx.Response(200, content=pack(BODY), headers={"ETag": '"e1"'})}
        bring()
    upstream.answers = {f"https://two{ZST}": httpx.Response(304)}
    with pytest.raises(UpstreamStatus) as caught:
        bring("https://two/c")
    assert caught.value.status == 304


def test_after_a_missing_subdir_came_into_being_it_is_fetched(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path
) -> None:
    assert bring().status == "missing"
    upstream.answers = {ZST: httpx.Response(200, content=pack(BODY))}
    assert bring().status == "ok"
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize(
    "file",
    ["name.col", "names.json", "fn.txt", "meta.json", "body.json.zst", "flags.col", "version_ranks.col", "files.json"],
)
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_damaged_cache_is_fetched_whole_again(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path, file: str, damage: str
) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(BODY), headers={"ETag": '"e1"'})}
    path = cache.folder(tmp_path, "c", "linux-64") / bring().folder / file
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    assert cache.open_index(tmp_path, "c", "linux-64") is None
    bring()
    assert "if-none-match" not in upstream.asked[0].headers
    assert len(names(tmp_path)) == 2


def test_a_source_file_that_is_garbage_counts_as_none(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path
) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(BODY))}
    bring()
    for garbage in (b"", b"{", b"[]", b"\xff", b'{"url": 1}'):
        (cache.folder(tmp_path, "c", "linux-64") / "source.json").write_bytes(garbage)
        assert cache.open_index(tmp_path, "c", "linux-64") is None
    bring()
    assert len(names(tmp_path)) == 2


# ------------------------------------------------------------------------------------------- failures

BOMB = pack(b'{"packages":{"a-1-0.conda":{"x":"' + b"0" * 3_000_000 + b'"}}}')
Failure = tuple[str, Any, type[MirrorError], str]


def failures() -> dict[str, Failure]:
    return {
        "html for zst": (ZST, httpx.Response(200, content=b"<!DOCTYPE html><p>log in"), BadRepodata, "HTML"),
        "html for json": (JSON, httpx.Response(200, content=b"\n<html>"), BadRepodata, "HTML"),
        "text": (JSON, httpx.Response(200, content=b"ok"), BadRepodata, "is not repodata"),
        "a list": (JSON, httpx.Response(200, content=b"[]"), BadRepodata, "is not repodata"),
        "json for zst": (ZST, httpx.Response(200, content=BODY), BadRepodata, "is not repodata"),
        "gzip": (ZST, httpx.Response(200, content=b"\x1f\x8b\x08" + bytes(80)), BadRepodata, "is not repodata"),
        "empty zst": (ZST, httpx.Response(200, content=b""), BadRepodata, "is empty"),
        "empty json": (JSON, streamed([]), BadRepodata, "is empty"),
        "only blanks": (JSON, httpx.Response(200, content=b" \n"), BadRepodata, "is not repodata"),
        "magic alone": (ZST, httpx.Response(200, content=b"\x28\xb5\x2f\xfd"), BadRepodata, ""),
        "broken zst": (ZST, httpx.Response(200, content=pack(BODY)[:40] + bytes(200)), BadRepodata, ""),
        "truncated zst": (ZST, streamed([pack(BODY * 1)[:-60]]), BadRepodata, ""),
        "truncated json": (JSON, streamed([BODY[:-60]]), BadRepodata, "ends in the middle"),
        "garbage behind": (ZST, httpx.Response(200, content=pack(BODY) + b"garbage"), BadRepodata, "zstd"),
        "two bodies": (ZST, httpx.Response(200, content=pack(BODY) + pack(BODY)), BadRepodata, "goes on behind its end"),
        "shorter than said": (ZST, streamed([pack(BODY)[:-9]], **{"Content-Length": str(len(pack(BODY)))}), UpstreamUnreachable, "was cut off"),
        "longer than said": (ZST, streamed([pack(BODY)], **{"Content-Length": "5"}), UpstreamUnreachable, "was cut off"),
        "breaks off": (ZST, streamed([pack(BODY)[:50]], httpx.ReadError("reset")), UpstreamUnreachable, "reset"),
        "refused": (ZST, httpx.ConnectError("connection refused \x1b[31m"), UpstreamUnreachable, "refused"),
        "status": (ZST, httpx.Response(503, extensions={"reason_phrase": b"Bu\x1bsy"}), UpstreamStatus, "answered 503"),
        "other subdir": (JSON, httpx.Response(200, content=BODY.replace(b'"info": {"subdir": "linux-64"}', b'"info": {"subdir": "win-64"}')), BadRepodata, "index of win-64"),
        "version 3": (JSON, httpx.Response(200, content=BODY.replace(b'"repodata_version": 1', b'"repodata_version": 3')), BadRepodata, "version 3"),
        "info no json": (JSON, httpx.Response(200, content=BODY.replace(b'{"subdir": "linux-64"}', b'{"subdir": }', 1)), BadRepodata, "JSON"),
        "info too deep": (JSON, httpx.Response(200, content=BODY.replace(b'{"subdir": "linux-64"}', b"[" * 5000 + b"]" * 5000, 1)), BadRepodata, "nested"),
        "record too deep": (JSON, httpx.Response(200, content=BODY.replace(b"[]", b"[" * 5000 + b"]" * 5000, 1)), BadRepodata, ""),
        "long key": (JSON, httpx.Response(200, content=b'{"' + b"k" * 300 + b'":1}'), BadRepodata, "long key"),
        "too large announced": (ZST, streamed([pack(BODY)], **{"Content-Length": "1000001"}), BadRepodata, "announces 1000001 bytes"),
        "too large": (ZST, streamed([pack(BODY)] + [bytes(100_000)] * 11), BadRepodata, "does not end"),
        "zip bomb": (ZST, httpx.Response(200, content=BOMB), BadRepodata, "unpacks to more"),
        "huge window": (ZST, httpx.Response(200, content=b"\x28\xb5\x2f\xfd\x00\xa8" + bytes(100)), BadRepodata, "zstd"),
        "redirect to a file": (ZST, httpx.Response(302, headers={"Location": "file:///etc/passwd"}), UpstreamError, "not followed"),
        "redirect to ftp": (ZST, httpx.Response(302, headers={"Location": "ftp://h/x"}), UpstreamError, "not followed"),
        "redirect to http": (ZST, httpx.Response(301, headers={"Location": "http://one/x"}), UpstreamError, "https to http"),
        "redirect in a circle": (ZST, httpx.Response(307, headers={"Location": ZST}), UpstreamError, "in a circle"),
        "redirect to nonsense": (ZST, httpx.Response(307, headers={"Location": "https://h:port/"}), UpstreamError, "Invalid port"),
        "redirect to a snowman": (ZST, httpx.Response(307, headers=[(b"Location", "https://\u2603\u2603/".encode())]), UpstreamError, ""),
    }  # fmt: skip


@pytest.mark.parametrize("kind", failures())
@pytest.mark.parametrize("before", [False, True])
def test_a_failure_says_what_and_where_and_the_earlier_index_stays(
    upstream: Upstream,
    bring: Callable[..., Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    before: bool,
) -> None:
    if before:
        upstream.answers = {ZST: httpx.Response(200, content=pack(OTHER), headers={"ETag": '"e1"'})}
        bring()
    monkeypatch.setattr(fetch, "MAX_RECEIVED", 1_000_000)
    monkeypatch.setattr(cache, "MAX_UNPACKED", 2_000_000)
    path, answer, error, words = failures()[kind]
    upstream.answers = {path: answer}
    with pytest.raises(error) as caught:
        bring("https://me:hunter2@one/c")
    assert words in str(caught.value)
    assert str(caught.value).isprintable()
    assert "hunter2" not in str(caught.value)
    assert "one/c/linux-64/" in caught.value.where
    assert names(tmp_path) == (["a-1-0.conda", "b-2-0.conda"] if before else [])


def test_a_bomb_is_given_up_before_it_has_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_UNPACKED", 1 << 20)
    (tmp_path / "bomb.zst").write_bytes(pack(bytes(200 << 20)))
    seen: list[int] = []
    with pytest.raises(BadRepodata, match="unpacks to more"):
        seen.extend(map(len, cache.unpacked(tmp_path / "bomb.zst", 1 << 16)))
    assert sum(seen) <= 1 << 20


def test_a_state_folder_that_cannot_be_written_says_so(upstream: Upstream, tmp_path: Path) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(BODY))}
    (tmp_path / "catalog").write_text("a file")

    async def work() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(upstream)) as client:
            await fetch.refresh(client, tmp_path, "c", (UPSTREAM,), "linux-64", lambda _p: None, asyncio.Semaphore(1))

    with pytest.raises(MirrorError, match="cannot be written"):
        asyncio.run(work())


@pytest.mark.parametrize("name", ["body.json.zst", "meta.json"])
def test_a_full_disk_is_the_state_folders_error_and_the_earlier_index_stays(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    upstream.answers = {ZST: httpx.Response(200, content=pack(OTHER))}
    bring()
    upstream.answers = {ZST: httpx.Response(200, content=pack(BODY))}
    opened = Path.open

    def full(path: Path, *args: Any, **options: Any) -> Any:
        if path.name == name and "w" in (args[0] if args else options.get("mode", "r")):
            raise OSError(28, "No space left on device")
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StateError, match="No space left"):
        bring()
    monkeypatch.undo()
    assert names(tmp_path) == ["a-1-0.conda", "b-2-0.conda"]


def test_a_killed_fetch_leaves_nothing_once_the_next_is_done(
    upstream: Upstream, bring: Callable[..., Source], tmp_path: Path
) -> None:
    place = cache.folder(tmp_path, "c", "linux-64")
    left = place / "1700000000-dead"
    left.mkdir(parents=True)
    (left / "body.json.zst").write_bytes(b"half")
    upstream.answers = {ZST: httpx.Response(200, content=pack(BODY))}
    bring()
    assert not left.exists()
