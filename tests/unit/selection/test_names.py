"""Closure by names: the same names as a plain walk over dicts, from a graph that is made once."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import zstandard

from mirrortui.catalog import cache
from mirrortui.catalog.depends import dependency
from mirrortui.catalog.index import SubdirIndex
from mirrortui.selection import names
from tests.unit.accounts import as_nobody, only_root
from tests.unit.catalog import made
from tests.unit.indexes import pkg


def again(index: SubdirIndex) -> SubdirIndex:
    assert index.folder is not None
    found = cache.open_index(index.folder.parents[3], index.channel, index.subdir)
    assert found is not None
    return found


def plain(bodies: list[dict[str, Any]], seeds: set[str]) -> set[str]:
    edges: dict[str, set[str]] = {}
    for body in bodies:
        for record in (*body["packages"].values(), *body["packages.conda"].values()):
            edges.setdefault(record["name"], set()).update(map(dependency, record["depends"]))
    done: set[str] = set()
    todo = list(seeds)
    while todo:
        name = todo.pop()
        if name not in done and not name.startswith("__"):
            done.add(name)
            todo += edges.get(name, ())
    return done


def small(tmp_path: Path) -> SubdirIndex:
    return made.index(
        tmp_path,
        made.table(
            pkg("a-1-0.conda", "b >=1", "__glibc"),
            pkg("a-2-0.conda", "Python", "nowhere"),
            pkg("b-1-0.conda", "a", "b"),
            "python-3-0.conda",
            "z-1-0.conda",
        ),
    )


@pytest.mark.parametrize(
    ("seeds", "found"),
    [
        ({"a"}, {"a", "b", "python", "nowhere"}),
        ({"python"}, {"python"}),
        ({"unknown"}, {"unknown"}),
        (set(), set()),
        ({"__glibc"}, set()),
    ],
)
def test_names_are_reached_over_all_records(tmp_path: Path, seeds: set[str], found: set[str]) -> None:
    index = small(tmp_path)
    assert names.close([index], seeds) == found
    assert names.close([again(index)], seeds) == found
    assert names.close([], seeds) == seeds - {"__glibc"}


def test_names_are_reached_from_one_index_to_the_other(tmp_path: Path) -> None:
    one = made.index(tmp_path, made.table(pkg("a-1-0.conda", "b")))
    two = made.index(tmp_path, made.table(pkg("b-1-0.conda", "c")), subdir="noarch")
    three = made.index(tmp_path, made.table(pkg("c-1-0.conda", "d")), subdir="osx-64")
    assert names.close([one, two, three], {"a"}) == {"a", "b", "c", "d"}
    assert names.close([one, three], {"a"}) == {"a", "b"}


def test_real_indexes(shared: Path, tmp_path: Path) -> None:
    bodies, indexes = [], []
    for subdir in ("linux-64", "noarch"):
        data = (
            zstandard.ZstdDecompressor()
            .stream_reader(
                (shared / "repodata/conda-forge-python-subset-2024" / subdir / "repodata.json.zst").read_bytes()
            )
            .read()
        )
        bodies.append(json.loads(data))
        indexes.append(made.index(tmp_path, data, subdir=subdir))
    for seed in ("pip", "sqlite", "readline", "tzdata", "wheel"):
        assert names.close(indexes, {seed}) == plain(bodies, {seed})
    links, body = names.graph(indexes[0]), bodies[0]
    for place, name in enumerate(indexes[0].names):
        records = [r for r in (*body["packages"].values(), *body["packages.conda"].values()) if r["name"] == name]
        assert set(links.of(place)) == {dependency(text) for r in records for text in r["depends"]}


@pytest.mark.parametrize("depends", [None, 5, "b", {"b": 1}, [["b"]], [""], [">=3"], ["\x00"], [None]])
def test_hostile_dependencies_reach_nothing(tmp_path: Path, depends: Any) -> None:
    index = made.index(tmp_path, made.table(("a-1-0.conda", {"depends": depends}), pkg("b-1-0.conda")))
    assert names.close([index], {"a"}) - {""} == {"a"}


def test_nothing_to_walk(tmp_path: Path) -> None:
    for index in (
        made.index(tmp_path, made.table()),
        made.index(tmp_path, made.table("a-1-0.conda")),
        made.missing(tmp_path, subdir="noarch"),
    ):
        assert names.close([index], {"a"}) == {"a"}


@pytest.mark.parametrize("left", [None, 0, 4, 8, 16])
def test_a_graph_that_is_lost_or_cut_off_is_made_anew(tmp_path: Path, left: int | None) -> None:
    index = small(tmp_path)
    names.graph(index)
    assert index.folder is not None
    file = index.folder / "name_graph.col"
    whole = file.read_bytes()
    if left is None:
        file.unlink()
    else:
        os.truncate(file, left)
    assert names.close([again(index)], {"a"}) == {"a", "b", "python", "nowhere"}
    assert file.read_bytes() == whole
    assert [path.name for path in index.folder.iterdir() if path.name.startswith(".")] == []


def test_the_graph_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = small(tmp_path)
    names.graph(index)
    monkeypatch.setattr(names, "_pairs", None)
    assert names.close([again(index)], {"b"}) == {"a", "b", "python", "nowhere"}


def test_many_names_take_the_way_that_needs_no_bitmap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = small(tmp_path)
    want = names.graph(index)
    pairs = (index.name[[0, 0, 2]], want.edges[[0, 0, 1]].astype("i8"), 1 << 34)
    assert names._pairs(index, *pairs).tolist() == sorted(
        {int(n) * (1 << 34) + int(t) for n, t in zip(index.name[pairs[0]].tolist(), pairs[1].tolist(), strict=True)}
    )


@only_root
def test_an_account_that_may_not_write_the_state_gets_the_same_answer(tmp_path: Path) -> None:
    index = small(tmp_path)
    assert index.folder is not None
    for folder in (tmp_path, *index.folder.parents[:4], index.folder):
        folder.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.name.startswith("pytest"):
            parent.chmod(0o755)
    before = sorted(index.folder.iterdir())
    assert as_nobody(lambda: sorted(names.close([again(index)], {"b"}))) == ["a", "b", "nowhere", "python"]
    assert sorted(index.folder.iterdir()) == before
