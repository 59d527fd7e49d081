"""Invariants 3 and 4: no encoding is stale or leads away, nothing else is changed, and exactly the kept records are there."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process import encodings, published
from tests.process.encodings import ORDER, SHARDS
from tests.process.mirror import Mirror
from tests.process.onlooker import Onlooker
from tests.process.packages import ChannelTree
from tests.process.rawindex import EVIL, LINKS, RawIndex
from tests.process.test_invariants import ALL, AT_ONCE, NONE, SUBDIRS, change

pytestmark = pytest.mark.slow

RECORDS = 60
EVERYWHERE: dict[str, Any] = {
    "base_url": f"https://{EVIL}",
    "shards_base_url": f"//{EVIL}/shards",
    "signatures": {"p00-1.0-0.conda": {EVIL: "signed"}},
    "news": {"deep": [{"base_url": f"https://{EVIL}", "kept": 1}, {"x": {"shards_base_url": [EVIL]}}]},
    "v3": {"whl": {"x.whl": {"url": f"https://{EVIL}/x.whl"}}},
    "repodata_version": 2,
}
UNKNOWN: dict[str, Any] = {"future": {"a": [1, {"b": None}]}, "é": "漢", "big": 2**70, "list": [1.5, "x"]}


def hostile(lab: ChannelTree, where: str = "") -> RawIndex:
    """Records with unknown keys; every third of the “records”, and all places “beside” them, lead away too if `where` says so."""
    index = RawIndex(lab, "linux-64", seed=20261120)
    for number in range(RECORDS):
        linked = "records" in where and number % 3 == 0
        index.put(f"p{number:02}", linked=linked, license="GPL-3.0-only" if number % 2 else "MIT")
    index.tops |= UNKNOWN
    index.tops["info"] |= {"arch": "x86_64", "future": {"x": [1]}}
    if "beside" in where:
        index.tops |= EVERYWHERE
        index.tops["info"] |= {"base_url": f"https://{EVIL}", "shards_base_url": f"https://{EVIL}/s"}
        index.tops["info"]["channel_relations"] = {"overrides": f"https://{EVIL}/c"}
    RawIndex(lab, "noarch", seed=1).write(packed=True)
    return index


def keys_in(value: Any) -> Iterator[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_in(item)


def everything(folder: Path) -> dict[str, Any]:
    """All that is published in a folder, decoded: encodings and shards."""
    files = [*(folder / name for name in ORDER), *(folder / "shards").iterdir()]
    return {path.name: encodings.body(path) for path in files}


# -------------------------------------------------------------------------------------- 3: nothing leads away


@pytest.mark.parametrize("where", ["records", "beside", "records and beside"])
@pytest.mark.parametrize(("packed", "filtered"), [(True, False), (False, True)])
def test_3_no_link_survives_in_any_place_of_any_encoding_and_all_else_does(
    mirror: Mirror, lab: ChannelTree, onlooker: Onlooker, packed: bool, filtered: bool, where: str
) -> None:
    index = hostile(lab, where)
    index.write(packed=packed)
    rules = {"exclude_licenses": ["GPL"]} if filtered else {}
    mirror.write({"lab": lab.folder.as_uri()}, publish=ALL, selection=rules)
    assert onlooker.run(mirror.file).code == 0
    folder = mirror.root / "lab" / "linux-64"
    for name, said in everything(folder).items():
        assert EVIL not in json.dumps(said, ensure_ascii=False, default=bytes.hex), name
        beside = {key: value for key, value in said.items() if key not in ("packages", "packages.conda")}
        found = {key for key in keys_in(beside) if key in ("base_url", "shards_base_url")}
        if name == SHARDS:
            assert (said["info"]["base_url"], said["info"]["shards_base_url"]) == ("", "./shards/")
        else:
            assert found == set(), name
    want = {fn: r for fn, r in index.records().items() if not (filtered and r["license"].startswith("GPL"))}
    assert len(want) == (RECORDS // 2 if filtered else RECORDS)
    assert encodings.same(folder) == want
    for name in set(ORDER) - {SHARDS}:
        said = encodings.body(folder / name)
        assert {key: said[key] for key in UNKNOWN} == UNKNOWN, name
        assert said["info"] == {"subdir": "linux-64", "arch": "x86_64", "future": {"x": [1]}}, name
        assert said["repodata_version"] == 1
        if "beside" in where:
            assert said["news"] == {"deep": [{"kept": 1}, {"x": {}}]}, name


# ---------------------------------------------------------------------------------------- 3: nothing is stale

CHOICES: list[dict[str, bool]] = [
    ALL,
    ALL | {"shards": False},
    ALL | {"zst": False},
    NONE,
    NONE | {"shards": True},
    NONE | {"current": True, "bz2": True},
]


def asked_for(options: dict[str, bool]) -> set[str]:
    files = {"repodata.json"}
    files |= {"repodata.json.zst"} if options["zst"] else set()
    files |= {"repodata.json.bz2"} if options["bz2"] else set()
    files |= {"current_repodata.json"} if options["current"] else set()
    files |= {"current_repodata.json.zst"} if options["current"] and options["zst"] else set()
    return files | ({SHARDS, "shards"} if options["shards"] else set())


def test_3_options_switched_on_and_off_leave_nothing_stale_and_are_safe_at_each_step(
    mirror: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    """At every turn files are replaced, added and dropped too, and a program that indexes has left its own files."""
    for options in CHOICES:
        for subdir in SUBDIRS:
            for name in ("kept", "dropped", "replaced"):
                lab.put(name, subdir=subdir, size=300)
            lab.records[subdir].pop("added-1.0-0.conda", None)
        lab.index()
        mirror.write({"lab": lab.folder.as_uri()}, publish=options, prune=AT_ONCE)
        first = onlooker.run(mirror.file, look=True)
        for stale in ("repodata.jlap", "current_repodata.json.bz2", "run_exports.json"):
            (mirror.root / "lab/linux-64" / stale).write_text(json.dumps({"info": {"base_url": EVIL}}))
        change(lab)
        second = onlooker.run(mirror.file, look=True)
        assert (first.code, second.code) == (0, 0)
        assert [sight for sight in (*first.sights, *second.sights) if sight.wrong] == []
        for subdir in SUBDIRS:
            folder = mirror.root / "lab" / subdir
            there = {path.name for path in folder.iterdir() if not path.name.endswith(".conda")}
            assert there == asked_for(options), options
            assert encodings.same(folder, *(there - {"shards"})) == lab.records[subdir]


# --------------------------------------------------------------------------------- 4: upstream's own records


def packages(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, size and mtime of every package."""
    return {name: stamp for name, stamp in published.stamps(folder).items() if name.endswith(".conda")}


@pytest.mark.parametrize("packed", [True, False])
def test_4_unfiltered_is_what_upstream_sent_byte_by_byte(
    mirror: Mirror, lab: ChannelTree, onlooker: Onlooker, packed: bool
) -> None:
    index = hostile(lab)
    text = index.write(packed=packed)
    mirror.write({"lab": lab.folder.as_uri()}, publish=ALL)
    assert onlooker.run(mirror.file).code == 0
    folder = mirror.root / "lab" / "linux-64"
    for name in ("repodata.json", "repodata.json.zst", "repodata.json.bz2"):
        assert encodings.plain(folder / name) == text, name
    assert encodings.same(folder) == index.records()


@pytest.mark.parametrize("where", ["", "records"])
def test_4_filtered_is_exactly_the_kept_records_in_upstreams_own_bytes(
    mirror: Mirror, lab: ChannelTree, onlooker: Onlooker, where: str
) -> None:
    """Ten sets of records, drawn by chance and given by name: in every encoding those, as they came, and no others."""
    index = hostile(lab, where)
    index.write(packed=True)
    records = index.records()
    folder = mirror.root / "lab" / "linux-64"
    for _ in range(10):
        out = {fn for fn in index.raw if index.rng.random() < index.rng.choice([0.1, 0.5, 0.95])}
        names = sorted(index.lab.records["linux-64"][fn]["name"] for fn in out)
        mirror.write({"lab": lab.folder.as_uri()}, publish=ALL, selection={"exclude": names}, prune=AT_ONCE)
        assert onlooker.run(mirror.file).code == 0
        assert encodings.same(folder) == {fn: record for fn, record in records.items() if fn not in out}
        text = encodings.plain(folder / "repodata.json")
        said = json.loads(text)
        assert list(said["packages.conda"]) == [fn for fn in index.raw if fn not in out]  # in upstream's order
        for fn, raw in index.raw.items():
            if not set(json.loads(raw)) & set(LINKS):
                assert (b'"%s":%s' % (fn.encode(), raw) in text) == (fn not in out), fn
        for name in ("repodata.json.zst", "repodata.json.bz2"):
            assert encodings.plain(folder / name) == text
        assert {path.name for path in folder.glob("*.conda")} == set(index.raw) - out
        assert encodings.wrong(mirror.root) == []


def test_4_a_hotfix_of_upstream_arrives_without_a_download_and_packages_are_never_indexed_again(
    mirror: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    """Upstream patches records of files that are here: the records change in every encoding, the files are left alone."""
    for number in range(6):
        lab.put(f"p{number}", depends=["old >=1"], size=200)
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()}, publish=ALL, selection={"exclude": ["p5"]})
    assert onlooker.run(mirror.file).run["added"] == 5
    folder = mirror.root / "lab" / "linux-64"
    before = packages(folder)
    for number, record in enumerate(lab.records["linux-64"].values()):
        record |= {"depends": [f"new >={number}"], "constrains": ["old <0"], "license": "BSD-3-Clause", "patched": True}
    lab.index()
    ended = onlooker.run(mirror.file, look=True)
    assert (ended.run["added"], ended.run["replaced"], ended.run["bytes"]) == (0, 0, 0)
    want = {fn: record for fn, record in lab.records["linux-64"].items() if record["name"] != "p5"}
    assert encodings.same(folder) == want
    assert packages(folder) == before
    assert hashlib.sha256((folder / "p0-1.0-0.conda").read_bytes()).hexdigest() == want["p0-1.0-0.conda"]["sha256"]
