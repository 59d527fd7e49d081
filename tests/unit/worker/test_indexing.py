"""All wanted indexes at once: one that fails is a problem of its own and of nobody else."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirrortui import config as settings
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.fetch import Progress
from mirrortui.config import Channel, Mirror, MirrorConfig
from mirrortui.worker import indexing
from mirrortui.worker.indexing import Throttle
from tests.unit.catalog.made import table

Handler = Callable[[httpx.Request], httpx.Response]


def configured(tmp_path: Path, **channels: tuple[str, ...]) -> MirrorConfig:
    made = tuple(
        Channel(name=name, upstreams=(f"https://{name}.example/{name}",), subdirs=subdirs)
        for name, subdirs in channels.items()
    )
    return MirrorConfig(
        mirror=Mirror(name="lab", root=str(tmp_path / "r"), url="http://m", state=str(tmp_path / "s")), channels=made
    )


def body(subdir: str, *fns: str) -> bytes:
    made = table(*fns)
    made["info"]["subdir"] = subdir
    return json.dumps(made).encode()


def serving(**answers: dict[str, Any]) -> tuple[Handler, list[str]]:
    """Answers by channel and subdir: file names, or a status, or an error; 404 for the rest."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        _, channel, subdir, name = request.url.path.split("/")
        answer = answers.get(channel, {}).get(subdir)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return httpx.Response(answer)
        if answer is None or name != "repodata.json":
            return httpx.Response(404)
        data = answer if isinstance(answer, bytes) else body(subdir, *answer)

        async def stream():  # type: ignore[no-untyped-def]
            yield data

        return httpx.Response(200, content=stream())

    return handler, asked


def refreshed(config: MirrorConfig, handler: Handler, seen: list[Progress] | None = None, **options: Any) -> Catalog:
    async def work() -> Catalog:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
            return await indexing.refresh_all(
                client, config, seen.append if seen is not None else (lambda _p: None), **options
            )

    return asyncio.run(work())


def test_everything_that_the_config_names_is_fetched(tmp_path: Path) -> None:
    config = configured(tmp_path, a=("noarch", "linux-64"), b=("noarch",))
    handler, _ = serving(a={"noarch": ["x-1-0.conda"], "linux-64": ["y-1-0.conda", "z-1-0.conda"]}, b={"noarch": []})
    catalog = refreshed(config, handler)
    assert list(catalog.indexes) == [("a", "noarch"), ("a", "linux-64"), ("b", "noarch")]
    assert (catalog.records, catalog.problems) == (3, {})


@pytest.mark.parametrize(
    ("bad", "words"),
    [(500, "answered 500"), (httpx.ConnectError("refused"), "refused"), (b"<html>", "HTML"), (b"{", "ends in the middle"), (b'{"packages":{"a-1-0.conda":{"name":"a"}},"info":[}', "JSON"),
     (b'{"info":{"subdir":"win-64"}}', "index of win-64"), (b"", "is empty"), (b'{"info":' + b"[" * 100_000, "nested")],
)  # fmt: skip
def test_an_index_that_fails_is_a_problem_of_its_own(tmp_path: Path, bad: Any, words: str) -> None:
    config = configured(tmp_path, a=("noarch", "linux-64"), b=("noarch",))
    handler, _ = serving(a={"noarch": ["x-1-0.conda"], "linux-64": bad}, b={"noarch": ["y-1-0.conda"]})
    seen: list[Progress] = []
    catalog = refreshed(config, handler, seen)
    assert list(catalog.indexes) == [("a", "noarch"), ("b", "noarch")]
    assert list(catalog.problems) == [("a", "linux-64")]
    assert words in catalog.problems["a", "linux-64"]
    failed = [p for p in seen if p.phase == "failed"]
    assert [(p.channel, p.subdir) for p in failed] == [("a", "linux-64")]
    assert failed[0].text.isprintable()


def test_an_index_that_failed_is_left_out_though_an_older_one_is_cached(tmp_path: Path) -> None:
    config = configured(tmp_path, a=("noarch",))
    refreshed(config, serving(a={"noarch": ["x-1-0.conda"]})[0])
    catalog = refreshed(config, serving(a={"noarch": 503})[0])
    assert list(catalog.indexes) == []
    assert list(catalog.problems) == [("a", "noarch")]


def test_a_subdir_that_is_not_upstream_is_empty_if_the_channel_is(tmp_path: Path) -> None:
    config = configured(tmp_path, a=("noarch", "osx-64"))
    catalog = refreshed(config, serving(a={"noarch": ["x-1-0.conda"]})[0])
    assert catalog.problems == {}
    assert catalog.indexes["a", "osx-64"].folder is None


def test_a_subdir_that_is_not_upstream_is_empty_if_noarch_is_though_nobody_wants_it(tmp_path: Path) -> None:
    config = configured(tmp_path, a=("osx-64",))
    assert refreshed(config, serving(a={"noarch": ["x-1-0.conda"]})[0]).problems == {}


def test_a_channel_that_is_not_there_is_a_problem_of_each_of_its_subdirs(tmp_path: Path) -> None:
    config = configured(tmp_path, gone=("noarch", "linux-64"), b=("noarch",))
    catalog = refreshed(config, serving(b={"noarch": []})[0])
    assert set(catalog.problems) == {("gone", "noarch"), ("gone", "linux-64")}
    assert "there is no channel gone" in catalog.problems["gone", "noarch"]
    assert list(catalog.indexes) == [("b", "noarch")]


def test_what_was_read_a_moment_ago_is_not_asked_for(tmp_path: Path) -> None:
    config = configured(tmp_path, a=("noarch",))
    handler, asked = serving(a={"noarch": ["x-1-0.conda"]})
    refreshed(config, handler)
    asked.clear()
    seen: list[Progress] = []
    assert refreshed(config, handler, seen, max_age=3600.0).records == 1
    assert asked == []
    assert [p.phase for p in seen] == ["unchanged"]
    refreshed(config, handler, max_age=0.0)
    assert asked != []


def test_only_what_is_wanted_is_asked_for(tmp_path: Path) -> None:
    config = configured(tmp_path, a=("noarch", "linux-64"))
    handler, asked = serving(a={"noarch": [], "linux-64": []})
    catalog = refreshed(config, handler, wanted=[("a", "linux-64")])
    assert list(catalog.indexes) == [("a", "linux-64")]
    assert all("linux-64" in path for path in asked)


def test_the_subdirs_of_a_channel_are_found(tmp_path: Path) -> None:
    config = configured(tmp_path, a=("noarch",))
    handler, _ = serving(a={"noarch": [], "win-64": [], "osx-64": httpx.ConnectError("x"), "linux-64": []})

    async def work() -> tuple[str, ...]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
            return await indexing.discover(client, config.channels[0])

    assert asyncio.run(work()) == ("noarch", "linux-64", "win-64")


def test_byte_counts_are_told_now_and_then_but_every_change_of_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [0.0], list[Progress]()
    monkeypatch.setattr(indexing.time, "monotonic", lambda: now[0])
    throttle = Throttle(told.append)
    for step in range(100):
        now[0] = 100 + step * 0.01
        throttle(Progress("a", "noarch", "fetch", step, 100))
    throttle(Progress("b", "noarch", "fetch", 1, 2))
    throttle(Progress("a", "noarch", "decode"))
    throttle(Progress("a", "noarch", "ready"))
    assert 4 <= len([p for p in told if p.phase == "fetch" and p.channel == "a"]) <= 6
    assert [p.phase for p in told[-3:]] == ["fetch", "decode", "ready"]


def test_a_child_process_does_the_same_from_files(tmp_path: Path) -> None:
    """Over a file upstream: request on stdin, progress as it comes, the catalog in the cache."""
    (tmp_path / "up" / "noarch").mkdir(parents=True)
    (tmp_path / "up" / "noarch" / "repodata.json").write_bytes(body("noarch", "x-1-0.conda"))
    channel = Channel(name="a", upstreams=(f"file://{tmp_path}/up",), subdirs=("noarch",))
    config = MirrorConfig(
        mirror=Mirror(name="lab", root=str(tmp_path / "r"), url="http://m", state=str(tmp_path / "s")),
        channels=(channel,),
    )
    assert settings.loads(settings.dumps(config)) == config

    async def work() -> tuple[list[Progress], tuple[str, ...]]:
        seen = [progress async for progress in indexing.refresh_in_child(config)]
        return seen, await indexing.discover_in_child(config, channel)

    seen, found = asyncio.run(work())
    assert [p.phase for p in seen][-1] == "ready"
    assert seen[-1].records == 1
    assert found == ("noarch",)
