"""Cutting run_exports and channeldata: what stays are upstream's own bytes, what goes leaves valid JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from mirrortui.mirror import extras
from tests.unit.catalog import made
from tests.unit.mirror.tree import Tree, keep

FNS = ("a-1-0.conda", "a-2-0.conda", "b-1-0.tar.bz2", "c-1-0.conda")
EVIL = "https://elsewhere.example"


def run_exports(state: Path, body: dict[str, Any] | bytes, *fns: str) -> tuple[dict[str, Any], bytes, bool]:
    pieces: list[bytes] = []
    whole = extras.run_exports(made.extra(state, body, subdir="linux-64").body, extras.Names(fns), pieces.append)
    return json.loads(b"".join(pieces)), b"".join(pieces), whole


def channeldata(state: Path, body: dict[str, Any], where: dict[str, list[str]], *subdirs: str) -> dict[str, Any]:
    pieces: list[bytes] = []
    extras.channeldata(made.extra(state, body).body, where, subdirs, pieces.append)
    value: dict[str, Any] = json.loads(b"".join(pieces))
    return value


@pytest.mark.parametrize(
    "kept", [FNS, FNS[:1], FNS[2:3], FNS[1:3], (), ("z-1-0.conda",)], ids=lambda kept: " ".join(kept) or "none"
)
def test_exactly_the_entries_of_published_files_stay(tmp_path: Path, kept: tuple[str, ...]) -> None:
    body = made.run_exports(*FNS)
    said, _, whole = run_exports(tmp_path, body, *kept)
    want = {key: {fn: entry for fn, entry in body[key].items() if fn in kept} for key in ("packages", "packages.conda")}
    assert said == body | want
    assert list(said) == list(body)
    assert whole == (kept == FNS)


def test_an_entry_is_copied_byte_by_byte(tmp_path: Path) -> None:
    entry = b'{ "run_exports" : {"weak":["\\u00e4 >=1"],\n "x": 1.10e2, "big": 123456789012345678901234567890} }'
    body = b'{"info": {"a" : 1},"packages":{}, "packages.conda":{"a-1-0.conda":%s, "b-1-0.conda": {}}}' % entry
    said, data, whole = run_exports(tmp_path, body, "a-1-0.conda")
    assert entry in data
    assert b'{"a" : 1}' in data
    assert not whole
    assert set(said["packages.conda"]) == {"a-1-0.conda"}


def test_tables_that_upstream_leaves_out_are_there(tmp_path: Path) -> None:
    said, _, _ = run_exports(tmp_path, {"info": {}})
    assert (said["packages"], said["packages.conda"]) == ({}, {})


def test_no_link_survives_and_what_is_unknown_does(tmp_path: Path) -> None:
    body = made.run_exports("a-1-0.conda")
    body["info"] |= {"base_url": EVIL, "shards_base_url": EVIL, "odd": [1]}
    body |= {"base_url": EVIL, "channel_relations": {"base": EVIL}, "zz": {"deep": [{"base_url": EVIL, "y": 1}]}}
    body["packages.conda"]["a-1-0.conda"] |= {"url": EVIL, "channel": EVIL, "base_url": EVIL, "more": 2}
    body["v3"] = {"conda": {"n-1-0": {"run_exports": {}, "url": EVIL}}, "whl": {}}
    text = json.dumps(body).replace('"channel": ', '"ch\\u0061nnel": ').replace('"base_url": ', '"base\\u005furl": ', 1)
    said, data, whole = run_exports(tmp_path, text.encode(), "a-1-0.conda", "n-1-0.conda")
    assert b"elsewhere" not in data
    assert not whole
    assert said["info"] == {"subdir": "linux-64", "version": 1, "odd": [1]}
    assert said["zz"] == {"deep": [{"y": 1}]}
    assert said["packages.conda"] == {"a-1-0.conda": {"run_exports": {"weak": ["a >=1"]}, "more": 2}}
    assert set(said) == {"info", "packages", "packages.conda", "zz"}


def test_a_long_body_is_cut_block_by_block(tmp_path: Path) -> None:
    fns = [f"p{number}-1-{number}.{'conda' if number % 3 else 'tar.bz2'}" for number in range(20_000)]
    body = made.run_exports(*fns)
    said, _, _ = run_exports(tmp_path, body, *fns[::2])
    assert {**said["packages"], **said["packages.conda"]} == {
        fn: {**body["packages"], **body["packages.conda"]}[fn] for fn in fns[::2]
    }


# ----------------------------------------------------------------------------------------- channeldata


def test_packages_and_subdirs_are_what_is_mirrored(tmp_path: Path) -> None:
    body = made.channeldata("a", "b", "c") | {"more": [1]}
    said = channeldata(
        tmp_path, body, {"a": ["noarch", "linux-64"], "c": ["noarch"], "new": ["noarch"]}, "noarch", "linux-64"
    )
    assert said["subdirs"] == ["linux-64", "noarch"]
    assert {name: entry["subdirs"] for name, entry in said["packages"].items()} == {
        "a": ["linux-64", "noarch"],
        "c": ["noarch"],
    }
    assert said["packages"]["a"]["home"] == "https://a.example"  # information, which no client follows
    assert (said["more"], said["channeldata_version"]) == ([1], 1)
    assert list(said) == list(body)


def test_channeldata_leads_nowhere_and_keeps_what_is_unknown(tmp_path: Path) -> None:
    body = made.channeldata("a")
    body |= {"base_url": EVIL, "channel_relations": {"base": EVIL}, "v3": {"a": {"b": {"url": EVIL}}}}
    body["packages"]["a"] |= {"base_url": EVIL, "x": {"shards_base_url": EVIL, "y": 1}, "z": {"base_url": "@"}}
    text = json.dumps(body).replace('"@"', "1e999").encode()
    pieces: list[bytes] = []
    extras.channeldata(made.extra(tmp_path, text).body, {"a": ["noarch"]}, ["noarch"], pieces.append)
    assert b"elsewhere" not in b"".join(pieces)
    said = json.loads(b"".join(pieces))
    assert said["packages"]["a"]["x"] == {"y": 1}
    assert "z" not in said["packages"]["a"]
    assert set(said) == {"channeldata_version", "packages", "subdirs"}


@pytest.mark.parametrize("body", [{"channeldata_version": 1}, {"channeldata_version": 1, "packages": {}}])
def test_a_channeldata_without_packages(tmp_path: Path, body: dict[str, Any]) -> None:
    assert channeldata(tmp_path, body, {}, "noarch")["packages"] == {}


def test_a_real_channeldata(tmp_path: Path, shared: Path) -> None:
    body = json.loads((shared / "channels/conda_format_repo/channeldata.json").read_bytes())
    name = next(iter(body["packages"]))
    said = channeldata(tmp_path, body, {name: ["linux-64"]}, "linux-64", "noarch")
    assert said["packages"] == {name: body["packages"][name] | {"subdirs": ["linux-64"]}}


@pytest.mark.parametrize("stretch", [1, 2, 3, 1 << 14])
def test_the_file_names_of_kept_rows(tree: Tree, monkeypatch: pytest.MonkeyPatch, stretch: int) -> None:
    monkeypatch.setattr(extras, "_STRETCH", stretch)
    index = tree.index(made.table(*FNS))
    for kept in (FNS, FNS[:1], FNS[1:3], ()):
        names = extras.Names.of(index, keep(index, *kept))
        assert names.among((*FNS, "z-1-0.conda")) == [*(fn in kept for fn in FNS), False]
    assert names.among(()) == []


def test_the_names_of_kept_rows(tree: Tree) -> None:
    index = tree.index(made.table("a-1-0.conda", "a-2-0.conda", "b-1-0.conda", "c-1-0.conda"))
    assert sorted(extras.packages(index, keep(index, "a-2-0.conda", "c-1-0.conda"))) == ["a", "c"]
    assert extras.packages(index, keep(index)) == []
