"""Newest versions and builds against a brute force that compares versions as rattler does, one record with another."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.selection.newest import newest_builds, newest_rows, newest_versions, variants
from tests.unit import plain
from tests.unit.catalog import made
from tests.unit.indexes import pkg


def records_of(body: dict[str, Any], index: SubdirIndex) -> list[dict[str, Any]]:
    both = body["packages"] | body["packages.conda"]
    return [both[fn] for fn in index.fns()]


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[SubdirIndex, list[dict[str, Any]]]:
    data = (
        zstandard.ZstdDecompressor()
        .stream_reader((shared / "repodata/conda-forge-python-subset-2024/win-64/repodata.json.zst").read_bytes())
        .read()
    )
    index = made.index(tmp_path_factory.mktemp("real"), data, subdir="win-64")
    return index, records_of(json.loads(data), index)


def everything(index: SubdirIndex) -> Mask:
    return np.ones(index.rows, bool)


@pytest.mark.parametrize(("count", "minors"), [(1, ()), (3, ("3.8", "3.12")), (2, ("3.11",))])
def test_a_real_channel_keeps_what_a_brute_force_keeps(
    real: tuple[SubdirIndex, list[dict[str, Any]]], count: int, minors: tuple[str, ...]
) -> None:
    index, records = real
    assert newest_versions(index, everything(index), count, minors).tolist() == plain.newest_versions(
        records, count, minors
    )
    assert newest_builds(index, everything(index), count, minors).tolist() == plain.newest_builds(
        records, count, minors
    )


@pytest.mark.parametrize("seed", range(4))
def test_random_parts_of_a_real_channel(real: tuple[SubdirIndex, list[dict[str, Any]]], seed: int) -> None:
    """Only the wanted records count, not all of the index."""
    index, records = real
    rnd = random.Random(seed)
    names = set(rnd.sample(sorted(index.names), 15))
    mask = np.array([record["name"] in names and rnd.random() < 0.3 for record in records], bool)
    part = [record for record, wanted in zip(records, mask.tolist(), strict=True) if wanted]
    count, minors = rnd.choice([1, 2, 4]), rnd.choice([(), ("3.9", "3.10")])
    for ours, theirs in ((newest_versions, plain.newest_versions), (newest_builds, plain.newest_builds)):
        found = ours(index, mask, count, minors)
        assert not (found & ~mask).any()
        assert found[mask].tolist() == theirs(part, count, minors)


def test_a_few_rows_are_judged_as_the_whole_index_is(real: tuple[SubdirIndex, list[dict[str, Any]]]) -> None:
    """What closing brings in one dependency at a time obeys the same counts."""
    index, _ = real
    rnd = random.Random(7)
    for name in ("python", "setuptools", "openssl", "pip", "python_abi", *rnd.sample(sorted(index.names), 10)):
        rows = np.array([row for row in index.rows_of(name).tolist() if rnd.random() < 0.6], np.int64)
        mask = np.zeros(index.rows, bool)
        mask[rows] = True
        for versions, builds, minors in ((1, 0, ()), (0, 1, ()), (2, 1, ("3.11", "3.12")), (0, 0, ())):
            wanted = newest_versions(index, mask, versions, minors) if versions else mask
            wanted = newest_builds(index, wanted, builds, minors) if builds else wanted
            assert newest_rows(index, rows, versions, builds, minors).tolist() == np.flatnonzero(wanted).tolist()


# ----------------------------------------------------------------------------------------- one by one


def kept(index: SubdirIndex, mask: Mask) -> list[str]:
    return [fn.removesuffix(".conda") for fn in index.fns(mask)]


def versions(tmp_path: Path, *entries: Any, count: int = 1, minors: tuple[str, ...] = ()) -> list[str]:
    index = made.index(tmp_path, made.table(*entries))
    return kept(index, newest_versions(index, everything(index), count, minors))


def builds(tmp_path: Path, *entries: Any, count: int = 1, minors: tuple[str, ...] = ()) -> list[str]:
    index = made.index(tmp_path, made.table(*entries))
    return kept(index, newest_builds(index, everything(index), count, minors))


ORDERED = ("1.0rc1", "1.0", "1.0.post1", "1.9", "1.10", "2024a", "1!0.1")


@pytest.mark.parametrize("count", range(1, 8))
def test_versions_are_in_condas_order(tmp_path: Path, count: int) -> None:
    fns = [f"a-{version}-0.conda" for version in ORDERED]
    shuffled = random.Random(count).sample(fns, len(fns))
    assert sorted(versions(tmp_path, *shuffled, count=count)) == sorted(
        fn.removesuffix(".conda") for fn in fns[-count:]
    )


def test_spellings_of_one_version_are_one(tmp_path: Path) -> None:
    assert versions(tmp_path, "a-1.0-0.conda", "a-1.0.0-0.conda", "a-1-0.conda", "a-0.9-0.conda") == [
        "a-1.0-0",
        "a-1.0.0-0",
        "a-1-0",
    ]


def test_what_is_no_version_is_older_than_what_is_one(tmp_path: Path) -> None:
    entries = [
        ("a-1-0.conda", {"version": "!!"}),
        "a-0.1-0.conda",
        ("a-2-0.conda", {"version": ""}),
        ("b-1-0.conda", {"version": "..x.."}),
    ]
    assert versions(tmp_path, *entries) == ["a-0.1-0", "b-1-0"]


def test_each_python_keeps_its_newest(tmp_path: Path) -> None:
    entries = [
        pkg("a-1-py38_0.conda", "python >=3.8,<3.9.0a0"),
        pkg("a-2-py38_0.conda", "python >=3.8,<3.9.0a0"),
        pkg("a-2-py311_0.conda", "python >=3.11,<3.12.0a0"),
        pkg("a-3-py311_0.conda", "python >=3.11,<3.12.0a0", "python_abi 3.11.* *_cp311"),
        pkg("b-1-py_0.conda", "python >=3.6"),
        pkg("b-2-py_0.conda", "python >=3.9"),
        pkg("c-1-0.conda"),
        pkg("c-2-0.conda"),
    ]
    assert versions(tmp_path, *entries) == ["a-2-py38_0", "a-3-py311_0", "b-1-py_0", "b-2-py_0", "c-2-0"]
    assert versions(tmp_path, *entries, minors=("3.11",)) == ["a-2-py38_0", "a-3-py311_0", "b-2-py_0", "c-2-0"]
    assert versions(tmp_path, *entries, minors=("3.8",)) == [
        "a-2-py38_0",
        "a-3-py311_0",
        "b-1-py_0",
        "b-2-py_0",
        "c-2-0",
    ]


def test_python_itself_keeps_the_newest_of_each_minor_version(tmp_path: Path) -> None:
    fns = [
        f"python-{v}-h0000000_0_cpython.conda"
        for v in ("3.9.0", "3.9.1", "3.10.4", "3.10.10", "3.1.9", "3.99.0", "3.99.1")
    ]
    abis = ["python_abi-3.9-1_cp39.conda", "python_abi-3.9-2_cp39.conda", "python_abi-3.10-2_cp310.conda"]
    want = ["python-3.9.1-h0000000_0_cpython", "python-3.10.10-h0000000_0_cpython"]
    assert versions(tmp_path, *fns, *abis) == [
        *want,
        "python-3.99.1-h0000000_0_cpython",
        *(abi.removesuffix(".conda") for abi in abis),
    ]
    assert versions(tmp_path, *fns, minors=("3.9", "3.10")) == [*want, "python-3.99.1-h0000000_0_cpython"]


@pytest.mark.parametrize(
    "form",
    [
        r"python \u003e=3.8,\u003c3.9",
        "conda-forge::python >=3.8,<3.9",
        "python[version='>=3.8,<3.9']",
        "python>=3.8,<3.9",
        "python  3.8.*",
    ],
)
def test_a_python_dependency_is_seen_in_any_spelling(tmp_path: Path, form: str) -> None:
    body = json.dumps(
        made.table(
            pkg("a-1-0.conda", "@"),
            pkg("a-2-0.conda", "python >=3.11"),
            pkg("a-1.5-0.conda", "python-x 3.8", "pythonic"),
        )
    )
    index = made.index(tmp_path, body.replace('"@"', f'"{form}"').encode())
    assert kept(index, newest_versions(index, everything(index), 1, ())) == ["a-1-0", "a-2-0", "a-1.5-0"]


def test_builds_are_counted_for_each_version_and_kind(tmp_path: Path) -> None:
    entries = [
        ("a-1-h1234567_0.conda", {}), ("a-1-h7654321_1.conda", {}), ("a-2-h1234567_0.conda", {}),
        ("b-1-mpi_openmpi_hdeadbee_0.conda", {}), ("b-1-mpi_openmpi_hdeadbee_1.conda", {}), ("b-1-nompi_hdeadbee_0.conda", {}),
        ("c-1-0.conda", {}), ("c-1-1.conda", {"build_number": 1}), ("c-1-12.conda", {"build_number": 12}),
        ("d-1-16_linux64_openblas.conda", {"build_number": 16}), ("d-1-17_linux64_openblas.conda", {"build_number": 17}), ("d-1-15_linux64_mkl.conda", {"build_number": 15}),
        ("e-1-cuda.conda", {"build_number": 0}), ("e-1-cpu.conda", {"build_number": 1}),
        pkg("f-1-py38_1.conda", "python 3.8.*"), pkg("f-1-py39_0.conda", "python 3.9.*"), pkg("f-1-py38_0.conda", "python 3.8.*"),
    ]  # fmt: skip
    assert builds(tmp_path, *entries) == [
        "a-1-h7654321_1", "a-2-h1234567_0", "b-1-mpi_openmpi_hdeadbee_1", "b-1-nompi_hdeadbee_0", "c-1-12", "d-1-17_linux64_openblas", "d-1-15_linux64_mkl",
        "e-1-cuda", "e-1-cpu", "f-1-py38_1", "f-1-py39_0",
    ]  # fmt: skip


def test_both_formats_of_a_build_count_as_one(tmp_path: Path) -> None:
    entries = ["a-1-0.tar.bz2", "a-1-0.conda", "a-2-0.tar.bz2", "a-2-0.conda", "a-3-0.tar.bz2"]
    assert versions(tmp_path, *entries, count=2) == ["a-2-0.tar.bz2", "a-3-0.tar.bz2", "a-2-0"]


def test_the_kind_of_a_build_whose_file_name_does_not_tell_it(tmp_path: Path) -> None:
    body = made.table()
    for number, build in enumerate(["mkl_h1234567_0", "openblas_0", "mkl_1"]):
        body["packages.conda"][f"strange{number}.conda"] = made.record("a-1-x.conda", build=build, build_number=number)
    index = made.index(tmp_path, body)
    assert variants(index).tolist() == [0, 1, 2]
    body["packages.conda"]["strange0.conda"]["build"] = "mkl_0"
    index = made.index(tmp_path, body)
    assert kept(index, newest_builds(index, everything(index), 1, ())) == ["strange1", "strange2"]


@pytest.mark.parametrize("number", [None, "x", -5, 10**30, 1e400, [], True])
def test_an_absurd_build_number_counts_as_none(tmp_path: Path, number: Any) -> None:
    text = json.dumps(
        made.table(("a-1-h1234567_0.conda", {"build_number": number}), "a-1-h1234567_2.conda", "a-1-h1234567_0.tar.bz2")
    ).replace("Infinity", "1e400")
    index = made.index(tmp_path, text.encode())
    assert kept(index, newest_builds(index, everything(index), 1, ())) == ["a-1-h1234567_2"]


def test_an_empty_index_and_an_empty_mask(tmp_path: Path) -> None:
    for index in (
        made.index(tmp_path, made.table()),
        made.missing(tmp_path),
        made.index(tmp_path, made.table("a-1-0.conda")),
    ):
        none = np.zeros(index.rows, bool)
        assert newest_versions(index, none, 1, ()).tolist() == none.tolist()
        assert newest_builds(index, none, 1, ("3.12",)).tolist() == none.tolist()
        assert newest_rows(index, np.zeros(0, np.int64), 1, 1, ()).tolist() == []


def test_a_count_beyond_all_keeps_all(real: tuple[SubdirIndex, list[dict[str, Any]]]) -> None:
    index, _ = real
    assert newest_versions(index, everything(index), 10**9, ()).all()
    assert newest_builds(index, everything(index), 10**9, ()).all()
