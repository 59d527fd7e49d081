import asyncio
import os

import httpx
import pytest

from mirrortui.transfer import fileurl
from mirrortui.transfer.transport import open_client

DATA = bytes(range(256)) * 40


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a file+1!2.conda").write_bytes(DATA)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def ask(path, method="GET", **headers):
    """One request through the client; the response is read."""

    async def main():
        async with open_client(connections=1) as client:
            url = path if isinstance(path, str) else path.as_uri()
            return await client.request(method, url, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return asyncio.run(main())


def test_a_file_comes_whole_with_validators(folder):
    path = folder / "a file+1!2.conda"
    answer = ask(path)
    info = path.stat()
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["etag"] == f'"{info.st_size:x}-{info.st_mtime_ns:x}"'
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["last-modified"].endswith("GMT")
    assert answer.headers["accept-ranges"] == "bytes"


def test_forms_of_the_url(folder):
    uri = (folder / "a file+1!2.conda").as_uri()
    for url in (uri, uri.replace("file://", "file://localhost"), uri.replace("%20", " "), uri.replace("+", "%2B")):
        assert ask(url).content == DATA
    assert ask(uri.replace("file://", "file://other.host")).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "part", "shown"),
    [
        ("bytes=0-9", 206, DATA[:10], "0-9"),
        ("bytes=100-", 206, DATA[100:], "100-10239"),
        ("bytes=-7", 206, DATA[-7:], "10233-10239"),
        ("bytes=-99999", 206, DATA, "0-10239"),
        ("bytes=10000-99999", 206, DATA[10000:], "10000-10239"),
        ("bytes=10240-", 416, b"", "*"),
        ("bytes=99999-", 416, b"", "*"),
        ("bytes=-0", 416, b"", "*"),
        ("bytes=9-3", 200, DATA, None),
        ("bytes=0-1,4-5", 200, DATA, None),
        ("bytes=-", 200, DATA, None),
        ("lines=1-2", 200, DATA, None),
        ("bytes=" + "9" * 40 + "-", 200, DATA, None),
    ],
)
def test_ranges(folder, asked, status, part, shown):
    answer = ask(folder / "a file+1!2.conda", Range=asked)
    assert (answer.status_code, answer.content) == (status, part)
    assert answer.headers.get("content-range") == (None if shown is None else f"bytes {shown}/10240")


def test_a_resumed_part_must_be_of_the_same_file(folder):
    path = folder / "a file+1!2.conda"
    seen = ask(path).headers
    for same in (seen["etag"], seen["last-modified"]):
        assert ask(path, Range="bytes=5-", If_Range=same).content == DATA[5:]
    path.write_bytes(DATA + b"!")
    answer = ask(path, Range="bytes=5-", If_Range=seen["etag"])
    assert (answer.status_code, answer.content) == (200, DATA + b"!")


def test_what_has_not_changed_is_304(folder):
    path = folder / "a file+1!2.conda"
    seen = ask(path).headers
    for tags in (seen["etag"], f'"x", W/{seen["etag"]}', "*"):
        answer = ask(path, If_None_Match=tags)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", seen["etag"])
    assert ask(path, If_Modified_Since=seen["last-modified"]).status_code == 304
    assert ask(path, If_None_Match='"x"', If_Modified_Since=seen["last-modified"]).status_code == 200


def test_head_sends_no_body(folder):
    answer = ask(folder / "a file+1!2.conda", "HEAD")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "10240")


def test_only_regular_files_are_served(folder):
    for name in ("absent", "folder", "folder/", "pipe", "empty/x", "n" * 300, "nul%00", "half%ff"):
        assert ask(f"{folder.as_uri()}/{name}").status_code == 404, name
    assert ask("file:///dev/zero").status_code == 404
    assert ask(folder / "empty").content == b""
    assert ask(folder / "empty", "POST").status_code == 405


def test_a_file_that_may_not_be_read_is_403(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(fileurl, "_open", refuse)
    assert ask(folder / "empty").status_code == 403


def test_a_failing_disk_is_a_read_error(folder, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(fileurl.os, "pread", fail)
        with pytest.raises(httpx.ReadError, match="Input/output error"):
            ask(folder / "a file+1!2.conda")
    monkeypatch.setattr(fileurl, "_open", fail)
    with pytest.raises(httpx.ReadError, match="Input/output error"):
        ask(folder / "a file+1!2.conda")


def test_a_file_cut_while_it_is_read_is_no_success(folder, monkeypatch):
    monkeypatch.setattr(fileurl, "_CHUNK", 1000)
    path = folder / "a file+1!2.conda"

    async def main():
        async with open_client(connections=1) as client, client.stream("GET", path.as_uri()) as answer:
            async for _ in answer.aiter_raw():
                os.truncate(path, 1500)

    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(main())


def test_large_files_stream_and_leave_nothing_open(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"z" * (3 << 20))

    async def main():
        async with open_client(connections=1) as client:
            before = len(os.listdir("/proc/self/fd"))
            async with client.stream("GET", path.as_uri()) as answer:
                sizes = [len(chunk) async for chunk in answer.aiter_raw()]
            async with client.stream("GET", path.as_uri()) as answer:
                sizes.append(len(await anext(answer.aiter_raw())))  # and leave the rest
            return sizes, len(os.listdir("/proc/self/fd")) - before

    sizes, left = asyncio.run(main())
    assert sizes == [1 << 20] * 4
    assert left <= 0
