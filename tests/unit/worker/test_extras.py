"""What is fetched beside repodata: only what is asked for, from where the repodata came, and never a reason to fail."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from mirrortui.catalog import cache
from mirrortui.catalog.catalog import Catalog
from mirrortui.config import MirrorConfig, Publish
from mirrortui.worker import extras
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.catalog.test_fetch import Drip, Upstream, pack

RUN = pack(json.dumps(made.run_exports("a-1-0.conda")).encode())
ABOUT = json.dumps(made.channeldata("a")).encode()
PAIRS = (("c", "linux-64"), ("c", "noarch"), ("d", "noarch"))


class Lab:
    """Two channels in the cache; `bring` fetches what lies beside them and keeps what is told."""

    def __init__(self, base: Path) -> None:
        self.upstream, self.told = Upstream(), list[tuple[str, str]]()
        self.config: MirrorConfig = indexes.config(base, PAIRS)
        self.catalog = indexes.catalog(self.config.state, {pair: ["a-1-0.conda"] for pair in PAIRS})

    def bring(self, problems: Mapping[tuple[str, str], str] | None = None) -> dict[tuple[str, str], bytes]:
        async def work() -> extras.Extras:
            async with httpx.AsyncClient(transport=httpx.MockTransport(self.upstream)) as client:
                catalog = Catalog(self.catalog.indexes, dict(problems or {}))
                return await extras.bring(client, self.config, catalog, lambda *words: self.told.append(words))

        self.told.clear()
        self.upstream.asked.clear()
        found = asyncio.run(work())
        return {pair: b"".join(cache.unpacked(extra.body)) for pair, extra in found.items()}

    def options(self, **options: Any) -> None:
        self.config = msgspec.structs.replace(self.config, publish=Publish(**options))

    @property
    def warnings(self) -> list[str]:
        return [text for kind, text in self.told if kind == "warning"]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made_here = Lab(tmp_path)
    made_here.upstream.answers = {
        "/c/linux-64/run_exports.json.zst": httpx.Response(200, content=RUN),
        "/c/channeldata.json": httpx.Response(200, content=ABOUT),
    }
    return made_here


def test_what_there_is_comes_and_what_is_absent_is_no_matter(lab: Lab) -> None:
    assert set(lab.bring()) == {("c", "linux-64"), ("c", "")}
    assert lab.warnings == []
    assert {text for _, text in lab.told} == {"c/linux-64: run_exports received", "c: channeldata received"}
    assert len(lab.upstream.asked) == 1 + 2 + 2 + 1 + 1


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"run_exports": False, "channeldata": False}, set()),
        ({"run_exports": False}, {"/c/channeldata.json", "/d/channeldata.json"}),
    ],
)
def test_what_is_switched_off_is_not_asked_for(lab: Lab, options: dict[str, bool], asked: set[str]) -> None:
    lab.bring()
    lab.options(**options)
    assert {subdir for _, subdir in lab.bring()} <= {""}
    assert set(lab.upstream.paths) == asked


def test_a_channel_that_is_left_as_it_is_and_a_subdir_that_is_not_there_are_not_asked_for(lab: Lab) -> None:
    lab.catalog.indexes["c", "linux-64"] = made.missing(lab.config.state, "c", "linux-64")
    lab.bring({("d", "noarch"): "down"})
    assert set(lab.upstream.paths) == {
        "/c/noarch/run_exports.json.zst",
        "/c/noarch/run_exports.json",
        "/c/channeldata.json",
    }


def test_they_come_from_the_upstream_that_gave_the_repodata(lab: Lab) -> None:
    channels = tuple(
        msgspec.structs.replace(c, upstreams=("https://down/c", f"https://me:secret@up/{c.name}"))
        for c in lab.config.channels
    )
    lab.config = msgspec.structs.replace(lab.config, channels=channels)
    for pair, index in list(lab.catalog.indexes.items()):
        source = dataclasses.replace(index.source, url=f"https://***@up/{pair[0]}/{pair[1]}/repodata.json")
        lab.catalog.indexes[pair] = dataclasses.replace(index, source=source)
    lab.bring()
    assert {request.url.host for request in lab.upstream.asked} == {"up"}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, content=b"<html>sign in</html>"),
        httpx.Response(200, content=b"\x28\xb5\x2f\xfd broken" * 20),
        httpx.ConnectError("refused"),
    ],
)
def test_what_goes_wrong_is_a_warning_and_the_earlier_one_stays(lab: Lab, answer: httpx.Response | Exception) -> None:
    good = dict(lab.upstream.answers)
    bad: dict[str, httpx.Response | Exception] = dict.fromkeys(good, answer)
    lab.upstream.answers = bad
    assert lab.bring() == {}
    assert sorted(text.split(",")[0] for text in lab.warnings) == [
        "c/linux-64: run_exports could not be had",
        "c: channeldata could not be had",
    ]
    assert all("it is left out: " in text for text in lab.warnings)
    lab.upstream.answers = good
    had = lab.bring()
    lab.upstream.answers = bad
    assert lab.bring() == had != {}
    assert all("the earlier one stays: " in text for text in lab.warnings)


def test_one_that_drips_is_given_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Drip):
        async def __aiter__(self):  # type: ignore[no-untyped-def]  # an iterator of bytes that has none
            await asyncio.Event().wait()
            yield b""

    monkeypatch.setattr(extras, "PATIENCE", 0.05)
    lab.upstream.answers["/c/channeldata.json"] = httpx.Response(200, stream=Silent([]))
    assert set(lab.bring()) == {("c", "linux-64")}
    assert any("took longer than" in text for text in lab.warnings)


def test_a_state_that_cannot_be_written_is_a_warning(lab: Lab) -> None:
    place = cache.folder(lab.config.state, "c", "channeldata")
    place.write_text("in the way")
    assert set(lab.bring()) == {("c", "linux-64")}
    assert len(lab.warnings) == 1
