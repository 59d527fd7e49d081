"""Staging: every wanted encoding from the one body, the same bytes under each, beside what is published and never half."""

import bz2
import itertools
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from mirrortui.config import Publish
from mirrortui.mirror import shards, staging
from mirrortui.mirror.staging import Item, stage, wanted
from tests.unit.catalog import made
from tests.unit.indexes import pkg
from tests.unit.mirror.tree import ALL, all_of, keep, unpacked

OPTIONS = [Publish(zst=z, bz2=b, shards=s, current=c) for z, b, s, c in itertools.product((True, False), repeat=4)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "scratch").mkdir()
    return tmp_path


def unzstd(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read()


@pytest.mark.parametrize("run_exports", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_is_wanted_has_its_place_in_the_order(options: Publish, run_exports: bool) -> None:
    mine = wanted(options, run_exports=run_exports)
    assert "repodata.json" in mine
    assert ("run_exports.json" in mine) == run_exports
    assert ("run_exports.json.zst" in mine) == (run_exports and options.zst)
    assert set(staging.ORDER).isdisjoint(staging.NEVER)
    order = [staging.ORDER.index(name) for name in mine]
    assert order == sorted(order)  # shards are named by their index before any client is led to other metadata


@pytest.mark.parametrize("part", [True, False])
@pytest.mark.parametrize("options", OPTIONS[::3], ids=str)
def test_all_encodings_say_the_same(place: Path, options: Publish, part: bool) -> None:
    body = made.table(pkg("a-1-0.conda", "b <2"), "b-1-0.conda", "b-2-0.tar.bz2", "c-1-0.conda", "c-2-0.conda")
    index = made.index(place / "state", body)
    mask = keep(index, "a-1-0.conda", "b-1-0.conda", "b-2-0.tar.bz2", "c-1-0.conda") if part else all_of(index)
    staged = stage(place / "root", Item("linux-64", index, mask), options, place / "scratch")
    assert tuple(staged) == wanted(options)
    assert {path.name for path in (place / "root").iterdir()} == {path.name for path in staged.values()} | (
        {"shards"} if options.shards else set()
    )
    assert all(path.name.startswith(".") and path.parent == place / "root" for path in staged.values())
    assert {stat.S_IMODE(path.stat().st_mode) for path in staged.values()} == {0o644}
    plain = staged["repodata.json"].read_bytes()
    shown = {**json.loads(plain)["packages"], **json.loads(plain)["packages.conda"]}
    assert shown == {fn: {**body["packages"], **body["packages.conda"]}[fn] for fn in index.fns(mask)}
    if options.zst:
        assert unzstd(staged["repodata.json.zst"]) == plain
    if options.bz2:
        assert bz2.decompress(staged["repodata.json.bz2"].read_bytes()) == plain
    if options.current:
        small = json.loads(staged["current_repodata.json"].read_bytes())
        assert {**small["packages"], **small["packages.conda"]} == {
            fn: record for fn, record in shown.items() if part or fn != "c-1-0.conda"
        }
        if options.zst:
            assert unzstd(staged["current_repodata.json.zst"]) == staged["current_repodata.json"].read_bytes()
    if options.shards:
        assert set(unpacked(staged[shards.INDEX])["shards"]) == {"a", "b", "c"}


def test_a_body_that_is_wanted_whole_is_upstreams_own(place: Path) -> None:
    text = json.dumps(made.table("a-1-0.conda", "b-1-0.tar.bz2"), indent=1).encode() + b"\n"
    index = made.index(place / "state", text)
    staged = stage(place / "root", Item("linux-64", index, all_of(index)), ALL, place / "scratch")
    assert staged["repodata.json"].read_bytes() == text
    assert index.body is not None
    assert staged["repodata.json.zst"].read_bytes() == index.body.read_bytes()
    assert bz2.decompress(staged["repodata.json.bz2"].read_bytes()) == text


@pytest.mark.parametrize("mask", [True, False])
def test_the_same_input_gives_the_same_bytes(place: Path, mask: bool) -> None:
    index = made.index(place / "state", made.table(*(f"n{n}-{v}-0.conda" for n in range(150) for v in (1, 2))))
    keep_rows = all_of(index) if mask else np.arange(index.rows) % 3 == 0
    found = []
    for name in ("one", "two"):
        (place / name).mkdir()
        staged = stage(place / name, Item("linux-64", index, keep_rows), ALL, place / "scratch")
        found.append({path.name: path.read_bytes() for path in staged.values()})
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["no index", "missing upstream", "no records", "none kept"])
def test_a_subdir_without_records_is_still_a_subdir(place: Path, kind: str) -> None:
    made_here = {
        "no index": lambda: None, "missing upstream": lambda: made.missing(place / "state", subdir="noarch"), "no records": lambda: made.index(place / "state", {"info": {"subdir": "noarch"}}, subdir="noarch"),
        "none kept": lambda: made.index(place / "state", made.table("a-1-0.conda") | {"info": {"subdir": "noarch"}}, subdir="noarch"),
    }[kind]()  # fmt: skip
    rows = made_here.rows if made_here is not None else 0
    staged = stage(place / "root", Item("noarch", made_here, np.zeros(rows, bool)), ALL, place / "scratch")
    for name in ("repodata.json", "current_repodata.json"):
        body = json.loads(staged[name].read_bytes())
        assert body["info"]["subdir"] == "noarch"
        assert not body.get("packages")
        assert not body.get("packages.conda")
    assert unpacked(staged[shards.INDEX]) == {
        "version": 1,
        "info": {"subdir": "noarch", "base_url": "", "shards_base_url": "./shards/"},
        "shards": {},
    }


@pytest.mark.parametrize("fail_at", ["shards", "current", "repodata"])
def test_what_fails_leaves_nothing_behind_and_nothing_published_changes(
    place: Path, monkeypatch: pytest.MonkeyPatch, fail_at: str
) -> None:
    index = made.index(place / "state", made.table("a-1-0.conda"))
    (place / "root" / "repodata.json").write_bytes(b"published")

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        *{"shards": (shards, "write"), "current": (staging, "current"), "repodata": (staging.cut, "verbatim")}[fail_at],
        fail,
    )
    with pytest.raises(OSError, match="No space"):
        stage(place / "root", Item("linux-64", index, all_of(index)), ALL, place / "scratch")
    assert sorted(os.listdir(place / "root")) == ["repodata.json"]
    assert (place / "root" / "repodata.json").read_bytes() == b"published"
