"""Walking through a body again: every record beside its own row, whatever the pieces it comes in."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrortui.catalog import cache
from mirrortui.catalog.index import SubdirIndex
from mirrortui.catalog.walk import walk
from mirrortui.errors import BadRepodata
from tests.unit.catalog import made

loose = msgspec.json.Decoder(dict[str, Any]).decode


def walked(index: SubdirIndex) -> list[tuple[int, str, str, Any]]:
    """(row, section, file name, record) of everything that comes by."""
    out = []
    for block in walk(index, loose):
        assert len(block.rows) == len(block.fns) == len(block.values)
        out += [
            (row, block.section, fn, value) for row, fn, value in zip(block.rows, block.fns, block.values, strict=True)
        ]
    return out


def assert_in_step(index: SubdirIndex) -> None:
    found = walked(index)
    assert [row for row, *_ in found] == list(range(index.rows))
    assert [fn for _, _, fn, _ in found] == index.fns()
    for row, _, _, record in found:
        assert (record["name"], str(record["version"])) == (
            index.names[index.name[row]],
            index.versions[index.version[row]],
        )
        assert record.get("size", -1) == index.size[row]


GOOD = [f"{n}-{v}-0.{s}" for n in "ab" for v in "12" for s in ("conda", "tar.bz2")]
fns = st.sampled_from([*GOOD, "../x.conda", "x y-1-0.conda", "x.zip", "é-1-0.conda"])
bad = st.sampled_from(
    [None, 1, "x", [], {}, {"name": ""}, {"name": "a"}, {"name": "a", "version": None}, {"name": 5, "version": "1"}]
)
good = st.builds(
    lambda n, v, s: {"name": n, "version": v, "size": s},
    st.sampled_from("abc"),
    st.sampled_from(["1", "2", 3]),
    st.integers(0, 9),
)
strict = st.builds(
    lambda n, s: {"name": n, "version": "1", "build": "0", "size": s}, st.sampled_from("abc"), st.integers(0, 9)
)
sections = st.lists(st.tuples(fns, bad | good | strict), max_size=9)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sections, sections, st.sampled_from([1, 13, 50, 120, 1 << 20]))
def test_every_record_stands_beside_its_own_row(
    tmp_path_factory: pytest.TempPathFactory, first: list[Any], second: list[Any], size: int
) -> None:
    """Keys may come again, in one section or both; some records are refused."""
    parts = [
        "{" + ",".join(f"{json.dumps(fn)}:{json.dumps(record)}" for fn, record in section) + "}"
        for section in (first, second)
    ]
    body = f'{{"packages":{parts[0]},"info":{{}},"packages.conda":{parts[1]}}}'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache.unpacked, "__defaults__", (size,))
        assert_in_step(made.index(tmp_path_factory.mktemp("state"), body.encode()))


def test_a_refused_record_does_not_take_the_place_of_a_later_one_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache.unpacked, "__defaults__", (20,))
    body = b'{"packages.conda":{"a-1-0.conda":{"name":"","size":1},"a-1-0.conda":{"name":"a","version":"1","build":"0","size":2}}}'
    index = made.index(tmp_path, body)
    assert [(fn, record["size"]) for _, _, fn, record in walked(index)] == [("a-1-0.conda", 2)]


def test_sections_are_told_apart_and_may_come_in_any_order(tmp_path: Path) -> None:
    body = {
        "packages.conda": {"a-1-0.conda": made.record("a-1-0.conda")},
        "packages": {"a-1-0.tar.bz2": made.record("a-1-0.tar.bz2")},
    }
    assert [(section, fn) for _, section, fn, _ in walked(made.index(tmp_path, body))] == [
        ("packages.conda", "a-1-0.conda"),
        ("packages", "a-1-0.tar.bz2"),
    ]


@pytest.mark.parametrize("name", ["packages", "packages.conda"])
@pytest.mark.parametrize("value", [None, [], "x", 5])
def test_a_section_that_is_no_table_is_none(tmp_path: Path, name: str, value: Any) -> None:
    assert walked(made.index(tmp_path, {name: value})) == []


def test_a_subdir_without_body_has_no_blocks(tmp_path: Path) -> None:
    assert list(walk(made.missing(tmp_path), loose)) == []


@pytest.mark.parametrize("more", [-1, 1])
def test_a_body_with_more_or_fewer_records_than_its_columns_is_an_error(tmp_path: Path, more: int) -> None:
    index = made.index(tmp_path / "one", made.table("a-1-0.conda", "b-1-0.conda"))
    other = made.index(tmp_path / "two", made.table(*["a-1-0.conda", "b-1-0.conda", "c-1-0.conda"][: 2 + more]))
    assert index.body is not None
    assert other.body is not None
    index.body.write_bytes(other.body.read_bytes())
    if more > 0:  # what is new is passed over
        assert [fn for _, _, fn, _ in walked(index)] == ["a-1-0.conda", "b-1-0.conda"]
    else:
        with pytest.raises(BadRepodata, match="does not fit its cached columns"):
            walked(index)


def test_a_reader_that_cannot_read_a_record_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    def picky(data: bytes) -> Mapping[str, object]:
        return msgspec.json.decode(data, type=dict[str, int])

    with pytest.raises(BadRepodata):
        list(walk(made.index(tmp_path, made.table("a-1-0.conda")), picky))


def test_a_body_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    index = made.index(tmp_path, made.table("a-1-0.conda"))
    assert index.body is not None
    index.body.write_bytes(index.body.read_bytes()[:-9])
    with pytest.raises(BadRepodata):
        walked(index)
