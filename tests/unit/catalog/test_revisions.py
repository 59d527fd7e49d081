"""The tables of `v3` (CEP 48) as rows: their file names, which of two records of a file counts, and what is left out."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrortui.catalog import cache, decode
from mirrortui.catalog.companions import with_companions
from mirrortui.catalog.depends import depends
from mirrortui.catalog.index import SubdirIndex
from mirrortui.catalog.walk import walk
from mirrortui.selection.pythons import accepted, allowed
from tests.unit.catalog.made import index as made_index
from tests.unit.catalog.made import record, table
from tests.unit.mirror.tree import keep

loose = msgspec.json.Decoder(dict[str, Any]).decode


def body(*fns: str, v3: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """A repodata.json with some records in the older tables and some in v3."""
    inner: dict[str, Any] = {"conda": {}, "tar.bz2": {}}
    for fn in v3 or []:
        kind = "conda" if fn.endswith(".conda") else "tar.bz2"
        inner[kind][fn.removesuffix(f".{kind}")] = record(fn)
    return table(*fns) | {"v3": inner | more}


def bits(index: SubdirIndex, flag: int) -> list[str]:
    return index.fns((index.flags & flag) != 0)


def test_records_of_v3_are_rows_by_their_file_name(tmp_path: Path) -> None:
    index = made_index(tmp_path, body("a-1-0.conda", v3=["b-1-0.conda", "c-1-h_7.tar.bz2"]))
    assert index.fns() == ["a-1-0.conda", "b-1-0.conda", "c-1-h_7.tar.bz2"]
    assert bits(index, decode.V3) == ["b-1-0.conda", "c-1-h_7.tar.bz2"]
    assert bits(index, decode.CONDA) == ["a-1-0.conda", "b-1-0.conda"]
    assert bits(index, decode.ODD) == []
    assert (index.row("c-1-h_7.tar.bz2"), index.build(2), index.names[index.name[2]]) == (2, "h_7", "c")
    assert index.digest(1) == ("sha256", bytes.fromhex(record("b-1-0.conda")["sha256"]))
    assert (index.meta["refused"], index.meta["left_out"]) == (0, {})


@pytest.mark.parametrize("stem", ["../a-1-0", "a/b-1-0", "", "-a-1-0", "a b-1-0", "\u202ea-1-0", "x" * 210, "a-1-0\n"])
def test_a_key_that_makes_no_safe_file_name_is_left_out(tmp_path: Path, stem: str) -> None:
    made = table() | {"v3": {"conda": {stem: record("a-1-0.conda"), "b-1-0": record("b-1-0.conda")}}}
    index = made_index(tmp_path, made)
    assert index.fns() == ["b-1-0.conda"]
    assert index.meta["refused"] == 1
    assert [key for block in walk(index, loose) for key in block.keys] == ["b-1-0"]


@pytest.mark.parametrize(
    "v3",
    [None, [], 5, "x", {"conda": None}, {"conda": []}, {"conda": {}}, {"../../x": {}}, {"": {}}, {"é" * 40: {"a": {}}}],
)
def test_a_v3_of_any_shape_breaks_nothing(tmp_path: Path, v3: Any) -> None:
    index = made_index(tmp_path, table("a-1-0.conda") | {"v3": v3})
    assert index.fns() == ["a-1-0.conda"]
    assert [block.fns for block in walk(index, loose)] == [["a-1-0.conda"]]


@pytest.mark.parametrize("chunk", [20, 200, 1 << 20])
def test_records_of_other_kinds_are_counted_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(cache.unpacked, "__defaults__", (chunk,))
    wheels = {f"w-{i}-py3_none_any": {"fn": f"w-{i}.whl", "name": "w", "version": "1", "build": "0"} for i in range(9)}
    made = body("a-1-0.conda", v3=["b-1-0.conda"], whl=wheels, zip={"x": 1}, empty={}) | {
        "v4": {"conda": {"c-1-0": {}, "d-1-0": {}}, "x": 1},
        "v5": 7,
        "v6": {"conda": {}},
        "verbs": {"conda": {"e": {}}},
    }
    index = made_index(tmp_path, made)
    assert index.fns() == ["a-1-0.conda", "b-1-0.conda"]
    assert index.meta["left_out"] == {"v3/whl": 9, "v3/zip": 1, "v4": 2}
    assert [fn for block in walk(index, loose) for fn in block.fns] == index.fns()


def test_the_older_record_of_a_file_counts_wherever_it_stands(tmp_path: Path) -> None:
    made = body("a-1-0.conda", v3=["a-1-0.conda", "b-1-0.conda"])
    for order in (list(made), sorted(made, reverse=True)):
        index = made_index(tmp_path / order[0], {key: made[key] for key in order})
        assert bits(index, decode.DUPLICATE) == ["a-1-0.conda"]
        assert ((index.flags & decode.V3) != 0)[~index.usable].tolist() == [True]
        row = index.row("a-1-0.conda")
        assert row is not None
        assert index.usable[row]


def test_an_older_package_has_no_twin_that_only_newer_clients_see(tmp_path: Path) -> None:
    older = ["a-1-0.tar.bz2", "b-1-0.tar.bz2", "b-1-0.conda", "c-1-0.conda"]
    newer = ["a-1-0.conda", "b-1-0.conda", "c-1-0.tar.bz2", "d-1-0.tar.bz2", "d-1-0.conda"]
    index = made_index(tmp_path, body(*older, v3=newer))
    assert bits(index, decode.TWIN) == ["b-1-0.tar.bz2", "c-1-0.tar.bz2", "d-1-0.tar.bz2"]


FNS = st.sampled_from([f"{name}-1-0.{suffix}" for name in "abc" for suffix in ("conda", "tar.bz2")])


@settings(max_examples=35, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(FNS),
    st.sets(FNS),
    st.sampled_from([1, 30, 300, 1 << 20]),
    st.permutations(["packages", "packages.conda", "v3"]),
)
def test_flags_and_rows_follow_the_rules(
    tmp_path_factory: pytest.TempPathFactory, older: set[str], newer: set[str], chunk: int, order: list[str]
) -> None:
    made = body(*sorted(older), v3=sorted(newer))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache.unpacked, "__defaults__", (chunk,))
        index = made_index(tmp_path_factory.mktemp("state"), {key: made[key] for key in order})
        found = [(row, fn) for block in walk(index, loose) for row, fn in zip(block.rows, block.fns, strict=True)]
    assert found == list(enumerate(index.fns()))
    assert sorted(index.fns(index.usable)) == sorted(older | newer)
    for row, fn in enumerate(index.fns()):
        flags = int(index.flags[row])
        assert bool(flags & decode.DUPLICATE) == (bool(flags & decode.V3) and fn in older)
        if not flags & decode.DUPLICATE:
            seen = older | newer if flags & decode.V3 else older
            twin = fn.endswith(".tar.bz2") and fn.replace(".tar.bz2", ".conda") in seen
            assert bool(flags & decode.TWIN) == twin, (fn, flags)


# --------------------------------------------------------------------------------------- companions


@pytest.mark.parametrize(
    ("change", "same"),
    [({}, True), ({"extra_depends": {"x": ["y"]}}, True), ({"size": ...}, True), ({"sha256": "0" * 64}, False), ({"size": 1}, False), ({"sha256": ..., "md5": ...}, False)],
)  # fmt: skip
def test_a_second_record_goes_with_the_one_that_counts_if_it_means_the_same_file(
    tmp_path: Path, change: dict[str, Any], same: bool
) -> None:
    made = body("a-1-0.conda", "b-1-0.conda", v3=["c-1-0.conda"])
    made["v3"]["conda"]["a-1-0"] = record("a-1-0.conda", **change)
    index = made_index(tmp_path, made)
    fns = index.fns()
    both = with_companions(index, keep(index, "a-1-0.conda") & index.usable)
    assert [fn for fn, kept in zip(fns, both.tolist(), strict=True) if kept] == ["a-1-0.conda"] * (1 + same)
    assert index.fns(with_companions(index, keep(index, "b-1-0.conda"))) == ["b-1-0.conda"]


def test_without_v3_nothing_goes_along(tmp_path: Path) -> None:
    index = made_index(tmp_path, table("a-1-0.conda", "b-1-0.conda"))
    mask = keep(index, "a-1-0.conda")
    assert with_companions(index, mask) is mask


# -------------------------------------------------------------------------- dependencies in brackets


def test_dependencies_on_python_in_brackets_are_read(tmp_path: Path) -> None:
    """CEP 48 wants everything but a name within brackets, where a version is quoted."""
    asks = {
        "a": ['python[version=">=3.11,<3.12"]'],
        "b": ["python[version='3.12.*']"],
        "c": ['python_abi[version="3.11.*",build="*_cp311"]'],
        "d": ['python[version="3.11.*",when="__win"]'],
        "e": ['pythonic[version="3.11.*"]', "python"],
    }
    made = table() | {
        "v3": {"conda": {f"{name}-1-0": record(f"{name}-1-0.conda", depends=asks[name]) for name in asks}}
    }
    index = made_index(tmp_path, json.dumps(made).encode())
    assert index.fns(allowed(index, ("3.11",))) == [f"{name}-1-0.conda" for name in "acde"]
    assert index.fns(allowed(index, ("3.12",))) == [f"{name}-1-0.conda" for name in "bde"]
    assert depends(index).of(0) == asks["a"]
    assert accepted("python[version='>=3.11']", "3.12")
