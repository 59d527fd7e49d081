"""Secrets of upstreams: from the environment, from netrc, never in a file that others read."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from mirrortui import channels, config
from mirrortui.catalog import cache
from mirrortui.catalog.fetch import refresh
from mirrortui.config import Channel, Mirror, MirrorConfig
from mirrortui.errors import ConfigError, NameRefused
from mirrortui.transfer.client import open_client

TOKEN = "sesame-123"


class Body(httpx.AsyncByteStream):
    """A body that comes over the line."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.data


def private(url: str) -> Channel:
    return Channel(name="private", upstreams=(url,), subdirs=("noarch",))


def mirror(tmp_path: Path, url: str = "https://repo.example/private") -> MirrorConfig:
    place = Mirror(name="lab", root=str(tmp_path / "root"), url="http://mirror.lab", state=str(tmp_path / "state"))
    return MirrorConfig(mirror=place, channels=(private(url),))


def test_a_variable_is_filled_in_from_the_environment() -> None:
    channel = private("https://repo.example/t/${TOKEN}/private")
    assert channels.upstreams(channel, {"TOKEN": TOKEN}) == (f"https://repo.example/t/{TOKEN}/private",)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigError, match="TOKEN is not set"):
        channels.upstreams(private("https://repo.example/t/${TOKEN}/private"), {})


def test_what_a_variable_brings_passes_the_gate() -> None:
    with pytest.raises(NameRefused):
        channels.upstreams(private("https://repo.example/${TOKEN}"), {"TOKEN": "../../etc"})


def test_a_file_with_a_variable_is_valid_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "mirror.toml"
    config.save(mirror(tmp_path, "https://repo.example/t/${TOKEN}/private"), path)
    assert config.load(path).channels[0].upstreams == ("https://repo.example/t/${TOKEN}/private",)
    assert TOKEN not in path.read_text()


@pytest.mark.parametrize(
    "url", ["https://repo.example/${}", "https://repo.example/$TOKEN{", "https://repo.example/${a b}"]
)
def test_other_braces_are_no_variables(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="is no URL"):
        config.save(mirror(tmp_path, url), tmp_path / "mirror.toml")


def test_no_token_lands_in_the_cache(tmp_path: Path) -> None:
    body = b'{"info":{"subdir":"noarch"},"packages":{},"packages.conda":{}}'

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(".zst"):
            return httpx.Response(404, stream=Body(b""))
        return httpx.Response(200, stream=Body(body), headers={"ETag": '"1"'})

    async def fetch() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            url = (f"https://user:{TOKEN}@repo.example/t/{TOKEN}/private",)
            await refresh(client, tmp_path, "private", url, "noarch", lambda _: None, asyncio.Semaphore(1))

    asyncio.run(fetch())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
    source = cache.folder(tmp_path, "private", "noarch") / "source.json"
    assert source.stat().st_mode & 0o777 == 0o644


def test_netrc_passwords_go_to_their_own_host_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text(f"machine repo.example login ada password {TOKEN}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    async def headers(url: str) -> httpx.Headers:
        async with open_client(mirror(tmp_path)) as client:
            flow = client.auth.async_auth_flow(httpx.Request("GET", url)) if client.auth else None
            assert flow is not None
            return (await anext(flow)).headers

    basic = "Basic " + base64.b64encode(f"ada:{TOKEN}".encode()).decode()
    assert asyncio.run(headers("https://repo.example/private")).get("authorization") == basic
    assert "authorization" not in asyncio.run(headers("https://elsewhere.example/private"))


def test_a_broken_netrc_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(ConfigError, match="netrc file cannot be read"):
        open_client(mirror(tmp_path))
