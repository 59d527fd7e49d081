"""What clients get, over real connections."""

import concurrent.futures
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mirrortui.serve.server import FileServer

NOARCH = "/conda-forge/noarch"
PACKAGE = f"{NOARCH}/aurora-1.0-h0_0.conda"
BODY = bytes(range(256)) * 160
MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"


def test_a_file_with_its_validators(client) -> None:
    got = client.get(PACKAGE)
    assert (got.status, got.body) == (200, BODY)
    assert got.fields["content-type"] == "application/octet-stream"
    assert got.fields["content-length"] == "40960"
    assert got.fields["last-modified"] == MODIFIED
    assert got.fields["accept-ranges"] == "bytes"
    assert got.fields["cache-control"] == "public, immutable, max-age=31536000"
    assert got.fields["etag"].startswith('"')
    assert got.fields["date"].endswith(" GMT")


def test_zst_is_opaque(client) -> None:
    got = client.get(f"{NOARCH}/repodata.json.zst", "Accept-Encoding: gzip, deflate, zstd")
    assert (got.body, got.fields["content-type"]) == (b"zstd", "application/zstd")
    assert "content-encoding" not in got.fields
    assert got.fields["cache-control"] == "public, max-age=60"


def test_shards_are_kept_forever(client) -> None:
    assert "immutable" in client.get(f"{NOARCH}/shards/{'ab' * 32}.msgpack.zst").fields["cache-control"]


@pytest.mark.parametrize("name", ["aurora-1.0-h0_0.conda", "repodata.json", "empty-1-0.conda", "nothing.conda", ""])
def test_head_says_what_get_says(client, name: str) -> None:
    target = f"{NOARCH}/{name}" if name else "/"
    head, full = client.get(target, method="HEAD"), client.get(target)
    assert head.status == full.status
    assert head.fields | {"date": ""} == full.fields | {"date": ""}
    assert int(head.fields["content-length"]) == len(full.body)


@pytest.mark.parametrize(
    ("value", "status", "part", "said"),
    [
        ("bytes=0-3", 206, slice(0, 4), "bytes 0-3/40960"),
        ("bytes=40950-", 206, slice(40950, None), "bytes 40950-40959/40960"),
        ("bytes=-5", 206, slice(40955, None), "bytes 40955-40959/40960"),
        ("bytes=100-30000", 206, slice(100, 30001), "bytes 100-30000/40960"),
        ("bytes=0-99999", 206, slice(0, None), "bytes 0-40959/40960"),
        ("bytes=0-1,5-6", 200, slice(0, None), None),
        ("nonsense", 200, slice(0, None), None),
    ],
)
def test_ranges(client, value: str, status: int, part: slice, said: str | None) -> None:
    got = client.get(PACKAGE, f"Range: {value}")
    assert (got.status, got.body, got.fields.get("content-range")) == (status, BODY[part], said)


def test_a_range_beyond_the_end(client) -> None:
    got = client.get(PACKAGE, "Range: bytes=40960-")
    assert (got.status, got.fields["content-range"]) == (416, "bytes */40960")
    assert client.get(f"{NOARCH}/empty-1-0.conda", "Range: bytes=0-").status == 416
    assert client.get(PACKAGE).status == 200  # the connection goes on


def test_not_modified(client) -> None:
    etag = client.get(PACKAGE).fields["etag"]
    for field in (f"If-None-Match: {etag}", f"If-None-Match: W/{etag}", f"If-Modified-Since: {MODIFIED}"):
        got = client.get(PACKAGE, field)
        assert (got.status, got.body, got.fields["etag"]) == (304, b"", etag)
        assert "content-length" not in got.fields
    assert client.get(PACKAGE, 'If-None-Match: "x"').status == 200


def test_a_replaced_file_has_another_etag(client, tree: Path) -> None:
    target = tree / "conda-forge" / "noarch" / "repodata.json"
    before = client.get(f"{NOARCH}/repodata.json").fields["etag"]
    new = target.with_name(".new.part")
    new.write_bytes(b"[]" * 20)
    new.replace(target)
    got = client.get(f"{NOARCH}/repodata.json", f"If-None-Match: {before}")
    assert (got.status, got.body) == (200, b"[]" * 20)
    got = client.get(f"{NOARCH}/repodata.json", f"If-Range: {before}", "Range: bytes=0-1")
    assert (got.status, len(got.body)) == (200, 40)


def test_what_is_not_there_is_404(client, tree: Path) -> None:
    (tree / "conda-forge" / "noarch" / ".new.conda.part").write_bytes(b"half")
    (tree / ".hidden").write_bytes(b"hidden")
    (tree.parent / "secret").write_bytes(b"secret")
    for target in (
        f"{NOARCH}/nothing.conda",
        f"{NOARCH}/repodata_shards.msgpack.zst",
        NOARCH,
        f"{NOARCH}/",
        "/conda-forge/linux-64/repodata.json",
        f"{NOARCH}/.new.conda.part",
        "/.hidden",
        "/../secret",
        "/%2e%2e/secret",
        "/conda-forge/%2e%2e/%2e%2e/secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/conda-forge/noarch%2frepodata.json",
        f"{NOARCH}/repodata.json%00",
        f"{NOARCH}/repodata.json/",
        "//etc/passwd",
        "/etc/passwd",
        "*",
        "nothing",
    ):
        got = client.get(target)
        assert got.status == 404, target
        assert got.fields["content-type"] == "text/plain; charset=utf-8"
        assert len(got.body) < 100
        assert b"ecret" not in got.body


def test_an_unreadable_file_is_404(client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mirrortui.serve.files.Files._open", fail)
    assert client.get(f"{NOARCH}/repodata.json").status == 404


def test_a_failing_disk_is_503(client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("mirrortui.serve.files.Files._open", fail)
    got = client.get(PACKAGE)
    assert (got.status, got.fields["retry-after"]) == (503, "2")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods(client, method: str) -> None:
    got = client.get(PACKAGE, method=method)
    assert (got.status, got.fields["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nHost: m\r\n\r\n", 505),
        (b"GET /" + b"a" * 9000, 414),
        (b"GET / HTTP/1.1\r\nHost: m\r\nX: " + b"a" * 17000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)
def test_malformed_heads_end_the_connection(client, data: bytes, status: int) -> None:
    client.send(data)
    got = client.reply()
    assert (got.status, got.fields["connection"]) == (status, "close")
    assert client.rest() == b""


def test_a_request_body_is_never_taken_for_a_request(client) -> None:
    client.send(
        b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 44\r\n\r\nGET /conda-forge HTTP/1.1\r\nHost: smuggled\r\n\r\n"
    )
    assert client.reply().status == 405
    assert client.rest() == b""


def test_pipelined_requests_are_answered_in_order(client) -> None:
    names = ["repodata.json", "aurora-1.0-h0_0.conda", "nothing", "empty-1-0.conda", "repodata.json.zst"] * 6
    client.send(b"\r\n" + b"".join(f"GET {NOARCH}/{n} HTTP/1.1\r\nHost: m\r\n\r\n".encode() for n in names))
    expected = [(200, 40), (200, 40960), (404, 38), (200, 0), (200, 4)] * 6
    assert [(r.status, len(r.body)) for r in (client.reply() for _ in names)] == expected


def test_a_head_in_small_pieces(client) -> None:
    for byte in f"GET {PACKAGE} HTTP/1.1\r\nHost: m\r\n\r\n".encode():
        client.send(bytes([byte]))
    assert client.reply().body == BODY


def test_http_1_0(client, serve, connect) -> None:
    client.send(f"GET {PACKAGE} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode())
    assert client.reply().fields["connection"] == "keep-alive"
    client.send(f"GET {PACKAGE} HTTP/1.0\r\n\r\n".encode())
    assert client.reply().fields["connection"] == "close"
    assert client.rest() == b""


def test_the_home_page_names_the_channels_escaped(client, tree: Path) -> None:
    hostile = tree / "<script>alert(1)<" / "noarch"
    hostile.mkdir(parents=True)
    (hostile / "repodata.json").write_bytes(b"{}")
    got = client.get("/")
    assert (got.status, got.fields["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in got.fields["content-security-policy"]
    text = got.body.decode()
    assert "<code>conda-forge</code>" in text
    assert "<code>pkgs/main</code>" in text
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;" in text


def test_httpx_reads_it(serve: Callable[..., FileServer]) -> None:
    server = serve()
    with httpx.Client(base_url=server.url) as client:
        assert client.get(PACKAGE).content == BODY
        assert client.get(PACKAGE, headers={"Range": "bytes=1-2"}).content == b"\x01\x02"
        assert client.head(PACKAGE).headers["content-length"] == "40960"
        assert client.get("/nothing").status_code == 404


def test_a_large_file_arrives_whole(serve: Callable[..., FileServer], tree: Path) -> None:
    block = random.Random(7).randbytes(1 << 20)
    with (tree / "large.conda").open("wb") as out:
        for _ in range(50):
            out.write(block)
    expected = hashlib.sha256(block * 50).hexdigest()
    with httpx.stream("GET", f"{serve().url}/large.conda") as reply:
        digest = hashlib.sha256()
        for chunk in reply.iter_raw():
            digest.update(chunk)
    assert digest.hexdigest() == expected


def test_fifty_clients_at_once(serve: Callable[..., FileServer]) -> None:
    server = serve()

    def work(number: int) -> bool:
        with httpx.Client(base_url=server.url) as client:
            full = client.get(PACKAGE).content == BODY
            part = client.get(PACKAGE, headers={"Range": f"bytes={number}-{number}"}).content
            return full and part == bytes([number]) and client.get(f"/{number}").status_code == 404

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        assert all(pool.map(work, range(50)))


def test_the_log_has_a_safe_line_for_each_answer(serve, connect) -> None:
    lines = []
    server = serve(log=lines.append)
    client = connect(server)
    client.get(PACKAGE, "User-Agent: conda/26", "Range: bytes=0-9")
    client.get("/t/tk-secret/x")
    client.get("/nothing", "User-Agent: a\x85b")
    client.send(b"BAD\r\n\r\n")
    client.rest()
    assert [(x.method, x.target, x.status, x.bytes) for x in lines] == [
        ("GET", PACKAGE, 206, 10),
        ("GET", "/t/***/x", 404, 38),
        ("GET", "/nothing", 404, 38),
        ("-", "-", 400, 31),
    ]
    assert lines[0].agent == "conda/26"
    assert lines[2].agent == r"a\x85b"
    assert lines[0].client == "127.0.0.1"
    assert all(str(x).isprintable() and 0 <= x.seconds < 10 for x in lines)
