"""current_repodata.json against its algorithm written out over dicts: newest of each name, then what those leave unmet."""

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from mirrortui.catalog.index import SubdirIndex
from mirrortui.mirror.current import current
from tests.unit.catalog import made
from tests.unit.indexes import pkg
from tests.unit.mirror.tree import all_of, keep
from tests.unit.plain import Record, matches, version_key


def newest_of(records: dict[str, Record]) -> set[str]:
    """All builds of the newest version; what is no version is older than what is one."""
    keys = {fn: version_key(record["version"]) for fn, record in records.items()}
    real = [key for key in keys.values() if key is not None]
    return {fn for fn, key in keys.items() if key == (max(real) if real else None)}


def plain(records: dict[str, Record], passes: int = 50) -> set[str]:
    """The algorithm; conda-index makes one pass for unmet dependencies, we go on until none is left that can be met.

    It does not close what it adds for features; we do.
    """
    by_name: dict[str, dict[str, Record]] = {}
    for fn, record in records.items():
        by_name.setdefault(record["name"], {})[fn] = record
    out = _closed(set().union(*map(newest_of, by_name.values())), records, by_name, passes)
    for group in by_name.values():
        plainer = {fn: record for fn, record in group.items() if not has_features(record)}
        if plainer and any(has_features(record) for fn, record in group.items() if fn in out):
            out.add(max(plainer, key=lambda fn: place_of(fn, records[fn])))
    return _closed(out, records, by_name, passes)


def has_features(record: Record) -> bool:
    return bool(record.get("features") or record.get("track_features"))


def place_of(fn: str, record: Record) -> Any:
    version = version_key(record["version"])
    real = version is not None
    return real, version if real else 0, record["build_number"], record.get("timestamp") or -1, fn.endswith(".conda")


def _closed(out: set[str], records: dict[str, Record], by_name: dict[str, dict[str, Record]], passes: int) -> set[str]:
    for _ in range(passes):
        texts = {text for fn in out for text in records[fn]["depends"] if not text.startswith("__")}
        more: set[str] = set()
        for text in texts:
            name = text.split(" ")[0].split("=")[0].split(">")[0].split("<")[0].lower()
            meeting = {fn: record for fn, record in by_name.get(name, {}).items() if matches(text, record)}
            if meeting and not out & set(meeting):
                more |= newest_of(meeting)
        if not more:
            break
        out |= more
    return out


def names(index: SubdirIndex, mask: Any) -> set[str]:
    return set(index.fns(mask))


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[SubdirIndex, dict[str, Record]]]:
    out = {}
    for source in (
        "conda-forge-python-subset-2024/osx-64/repodata",
        "conda-forge-python-subset-2024/noarch/repodata",
        "pkgs-r-2025/win-64/current_repodata",
    ):
        data = zstandard.ZstdDecompressor().stream_reader((shared / f"repodata/{source}.json.zst").read_bytes()).read()
        body = json.loads(data)
        out[source.split("/")[0] + source.split("/")[1]] = (
            made.index(tmp_path_factory.mktemp("real"), data),
            body["packages"] | body["packages.conda"],
        )
    return out


@pytest.mark.parametrize(
    "source", ["conda-forge-python-subset-2024osx-64", "conda-forge-python-subset-2024noarch", "pkgs-r-2025win-64"]
)
def test_real_indexes(real: dict[str, tuple[SubdirIndex, dict[str, Record]]], source: str) -> None:
    index, records = real[source]
    found = names(index, current(index, all_of(index)))
    assert found == plain(records)
    assert found >= plain(records, passes=1)
    assert len(found) < len(records) or source.startswith("pkgs-r")


@pytest.mark.parametrize("seed", range(3))
def test_parts_of_a_real_index(real: dict[str, tuple[SubdirIndex, dict[str, Record]]], seed: int) -> None:
    """Only what is published is looked at: the newest of it, and what of it meets a dependency."""
    index, records = real["conda-forge-python-subset-2024osx-64"]
    rnd = random.Random(seed)
    mask = np.array([rnd.random() < 0.2 for _ in range(index.rows)], bool)
    part = {fn: records[fn] for fn in index.fns(mask)}
    assert names(index, current(index, mask)) == plain(part)


def test_all_builds_of_the_newest_version_and_nothing_older(tmp_path: Path) -> None:
    index = made.index(
        tmp_path,
        made.table(
            "a-1.9-0.conda",
            "a-1.10-0.conda",
            "a-1.10-1.conda",
            "a-1.10-0.tar.bz2",
            "b-1!0.1-0.conda",
            "b-9-0.conda",
            ("c-1-0.conda", {"version": "??"}),
        ),
    )
    assert names(index, current(index, all_of(index))) == {
        "a-1.10-0.conda",
        "a-1.10-1.conda",
        "a-1.10-0.tar.bz2",
        "b-1!0.1-0.conda",
        "c-1-0.conda",
    }


def test_what_the_newest_need_comes_in_and_what_that_needs(tmp_path: Path) -> None:
    fns = [
        pkg("a-1-0.conda", "b <2"),
        pkg("b-1.5-0.conda", "c 1"),
        pkg("b-1.5-1.conda"),
        "b-1.2-0.conda",
        "b-2-0.conda",
        "c-1-0.conda",
        "c-2-0.conda",
        pkg("d-1-0.conda", "b", "nowhere", "__unix", "c >=9"),
    ]
    index = made.index(tmp_path, made.table(*fns))
    everything = {
        "a-1-0.conda",
        "b-2-0.conda",
        "c-2-0.conda",
        "d-1-0.conda",
        "b-1.5-0.conda",
        "b-1.5-1.conda",
        "c-1-0.conda",
    }
    assert names(index, current(index, all_of(index))) == everything
    some = keep(index, "a-1-0.conda", "b-1.2-0.conda", "b-2-0.conda")
    assert names(index, current(index, some)) == {"a-1-0.conda", "b-1.2-0.conda", "b-2-0.conda"}


def test_each_dependency_gets_its_own_newest_in_whatever_order(tmp_path: Path) -> None:
    asks = ["b <9", "b <7", "b <5"]
    for number, order in enumerate(itertools.permutations(asks)):
        index = made.index(
            tmp_path / str(number),
            made.table(
                *(pkg(f"a{n}-1-0.conda", text) for n, text in enumerate(order)),
                *(f"b-{v}-0.conda" for v in (1, 4, 6, 8, 9)),
            ),
        )
        assert {fn for fn in names(index, current(index, all_of(index))) if fn.startswith("b")} == {
            f"b-{v}-0.conda" for v in (4, 6, 8, 9)
        }


def test_a_name_with_features_keeps_its_newest_build_without(tmp_path: Path) -> None:
    fns = [
        ("a-3-0.conda", {"track_features": "x"}),
        ("a-2-0.conda", {"features": "x"}),
        ("a-1-0.conda", {"track_features": "", "depends": ["c <2"]}),
        ("a-1-1.conda", {"track_features": [], "depends": ["c <2"]}),
        "a-0-0.conda",
        ("b-2-0.conda", {"track_features": ["x"]}),
        "c-1-0.conda",
        "c-2-0.conda",
        ("d-2-0.conda", {"summary": 'features": "x', "track_features": None}),
        "d-1-0.conda",
    ]
    index = made.index(tmp_path, made.table(*fns))
    chosen = {"a-3-0.conda", "a-1-1.conda", "b-2-0.conda", "c-1-0.conda", "c-2-0.conda", "d-2-0.conda"}
    assert names(index, current(index, all_of(index))) == chosen


def test_what_is_in_v3_stays_out_and_displaces_nothing(tmp_path: Path) -> None:
    index = made.index(tmp_path, made.table("a-1-0.conda") | {"v3": {"conda": {"a-2-0": made.record("a-2-0.conda")}}})
    assert names(index, current(index, all_of(index))) == {"a-1-0.conda"}


def test_hostile_records_and_empty_ones(tmp_path: Path) -> None:
    hostile = [None, 5, "b", {"b": 1}, [["b"]], ["^(a|aa)+$"], ["b ^(0|00)+x$"], [""], ["b " + ">" * 900]]
    index = made.index(
        tmp_path,
        made.table(
            *((f"a{n}-1-0.conda", {"depends": value}) for n, value in enumerate(hostile)),
            "b-1-" + "0" * 60 + ".conda",
            "b-2-0.conda",
        ),
    )
    assert names(index, current(index, all_of(index))) == {
        *(f"a{n}-1-0.conda" for n in range(len(hostile))),
        "b-2-0.conda",
    }
    assert not current(index, np.zeros(index.rows, bool)).any()
    for nothing in (made.index(tmp_path, made.table(), subdir="noarch"), made.missing(tmp_path, subdir="osx-64")):
        assert current(nothing, np.zeros(0, bool)).tolist() == []
