"""Columns of hostile and odd records against a plain reading of the rules, whatever the blocks they come in."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrortui import naming
from mirrortui.catalog import cache, decode
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.index import SubdirIndex
from mirrortui.errors import BadRepodata
from tests.unit.catalog.made import index as made_index
from tests.unit.catalog.made import missing, record, table

NO = object()


def blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let the body come in pieces of that size, so that records fall into many blocks."""
    monkeypatch.setattr(cache.unpacked, "__defaults__", (size,))


def one(tmp_path: Path, fn: str = "a-1-0.conda", **fields: Any) -> SubdirIndex:
    return made_index(tmp_path, {"packages.conda": {fn: record("a-1-0.conda", **fields)}})


# ------------------------------------------------------------------------------ a plain second reading


def number(value: Any, missing: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return missing
    return int(value) if abs(value) <= 1 << 62 else missing


def plain(fn: str, raw: Any) -> dict[str, Any] | None:
    """What the columns should say of a record; None where it is to be left out."""
    if not naming.is_file_name(fn) or not isinstance(raw, dict):
        return None
    name, version, build = raw.get("name"), raw.get("version"), raw.get("build", "")
    if not isinstance(name, str) or not name or isinstance(version, bool) or not isinstance(version, str | int | float):
        return None
    size, stamp, built = (
        number(raw.get("size"), -1),
        number(raw.get("timestamp"), -1),
        number(raw.get("build_number"), 0),
    )
    stamp = -1 if stamp <= 0 else stamp * 1000 if stamp <= 253402300799 else stamp
    digests = {}
    for key, length in (("sha256", 64), ("md5", 32)):
        value = raw.get(key)
        good = isinstance(value, str) and re.fullmatch(f"[0-9a-fA-F]{{{length}}}", value)
        digests[key] = value.lower() if good else None
    return {
        "fn": fn,
        "name": name,
        "version": str(version),
        "build": build if isinstance(build, str) else str(build),
        "build_number": built if 0 <= built < 1 << 31 else 0,
        "size": size if 0 <= size < decode.MAX_SIZE else -1,
        "stamp": stamp if stamp <= 253402300799000 else -1,
        "license": tuple(raw[key] if isinstance(raw.get(key), str) else "" for key in ("license", "license_family")),
        "links": any(raw.get(key) is not None for key in ("url", "channel", "base_url")),
        **digests,
    }


def seen(index: SubdirIndex, row: int) -> dict[str, Any]:
    flags = int(index.flags[row])
    return {
        "fn": index.fn(row),
        "name": index.names[index.name[row]],
        "version": index.versions[index.version[row]],
        "build": index.build(row),
        "build_number": int(index.build_number[row]),
        "size": int(index.size[row]),
        "stamp": int(index.stamp[row]),
        "license": index.licenses[index.license[row]],
        "links": bool(flags & decode.LINKS),
        "sha256": index.sha256[row].tobytes().hex() if flags & decode.HAS_SHA256 else None,
        "md5": index.md5[row].tobytes().hex() if flags & decode.HAS_MD5 else None,
    }


scalars = (
    st.none() | st.booleans() | st.sampled_from([0, -1, 1, 2**31, 2**42, 2**50, 2**62, 2**63, 2**64, 10**30, -(10**30), 1.5, -0.0, 1e300, 253402300799, 253402300800, 10**15])
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
)  # fmt: skip
junk = scalars | st.just([]) | st.just({}) | st.just(["x", 1, None]) | st.just({"url": 1})
hexes = st.sampled_from(
    ["a" * 64, "A" * 64, "a" * 32, "F" * 32, "g" * 64, "a" * 63, "", "a" * 62 + "  ", " " * 64, "é" * 32, "a" * 65]
)
fields = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"]) | junk, "version": st.sampled_from(["1", "1!2.0+x"]) | junk, "build": st.sampled_from(["0", "h_1"]) | junk},
    optional={
        "build_number": junk, "size": st.integers(0, 2**51) | junk, "timestamp": st.integers(0, 2**50) | junk, "sha256": hexes | junk, "md5": hexes | junk,
        "license": st.just("MIT") | junk, "license_family": st.just("MIT") | junk, "depends": junk, "url": junk, "channel": junk, "base_url": junk, "x.conda": junk,
    },
)  # fmt: skip
records = fields | junk | fields.map(lambda r: {k: v for k, v in r.items() if k not in ("name", "build")})
fns = (
    st.sampled_from([f"{n}-{v}-{b}.{s}" for n in "ab" for v in ("1", "2") for b in ("0", "h_1") for s in ("conda", "tar.bz2")])
    | st.sampled_from(["a.conda", "../x.conda", "x\n.conda", ".conda", "é-1-0.conda", "a-1-0.zip", "-a-1-0.conda", "a b-1-0.conda", "", "a-1-0.conda/", "\u202ea-1-0.conda", "a" * 300 + ".conda"])
)  # fmt: skip


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(fns, records, max_size=8),
    st.dictionaries(fns, records, max_size=8),
    st.sampled_from([1, 40, 200, 1 << 20]),
)
def test_columns_say_what_a_plain_reading_says(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, Any], second: dict[str, Any], size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        blocks(patch, size)
        index = made_index(tmp_path_factory.mktemp("state"), {"packages.conda": first, "info": {}, "packages": second})
    items = [*first.items(), *second.items()]
    wanted = [out for fn, raw in items if (out := plain(fn, raw)) is not None]
    assert [seen(index, row) for row in range(index.rows)] == wanted
    assert index.meta["refused"] == len(items) - len(wanted)
    assert_flags(index)


def assert_flags(index: SubdirIndex) -> None:
    names = index.fns()
    last = {fn: row for row, fn in enumerate(names)}
    stems = {fn.removesuffix(".conda") for fn in names if fn.endswith(".conda")}
    for row, fn in enumerate(names):
        flags = int(index.flags[row])
        assert bool(flags & decode.CONDA) == fn.endswith(".conda"), fn
        assert bool(flags & decode.DUPLICATE) == (last[fn] != row), (fn, row)
        if last[fn] == row:
            assert bool(flags & decode.TWIN) == (fn.endswith(".tar.bz2") and fn.removesuffix(".tar.bz2") in stems), fn
    assert index.usable.tolist() == [last[fn] == row for row, fn in enumerate(names)]


# ------------------------------------------------------------------------------------- one at a time


@pytest.mark.parametrize("bad", [None, "x", -1, True, 1.5, [], {}, 10**30])
@pytest.mark.parametrize(
    "key", ["build_number", "size", "timestamp", "license", "license_family", "sha256", "md5", "depends"]
)
def test_a_field_of_a_wrong_type_is_unknown_and_spoils_no_other(tmp_path: Path, key: str, bad: Any) -> None:
    body = table("a-1-0.conda", ("b-1-0.conda", {key: bad}), "c-1-0.conda")
    index = made_index(tmp_path, body)
    assert index.fns() == ["a-1-0.conda", "b-1-0.conda", "c-1-0.conda"]
    for row, fn in enumerate(index.fns()):
        assert seen(index, row) == plain(fn, body["packages.conda"][fn])


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000, "1" + "0" * 400])
@pytest.mark.parametrize("key", ["size", "timestamp", "build_number", "zz", "version"])
def test_a_number_beyond_any_measure_spoils_no_other_record(tmp_path: Path, key: str, number: str) -> None:
    text = json.dumps(table("a-1-0.conda", ("b-1-0.conda", {key: "@"}), "c-1-0.conda"))
    index = made_index(tmp_path, text.replace('"@"', number).encode())
    assert {"a-1-0.conda", "c-1-0.conda"} <= set(index.fns())
    assert len(index.fns()) + index.meta["refused"] == 3


@pytest.mark.parametrize("name", ["", None, 5, [], "..."])
@pytest.mark.parametrize("spoiled", [False, True])
def test_a_record_without_a_usable_name_is_left_out_and_counted(tmp_path: Path, name: Any, spoiled: bool) -> None:
    """Whether or not another record of the same block sends it the patient way."""
    fields = ({"size": "x"} if spoiled else {}) if name != "..." else {"build": ...}
    index = made_index(
        tmp_path, table(("a-1-0.conda", {"name": name} if name != "..." else {"name": ...}), ("b-1-0.conda", fields))
    )
    assert index.fns() == ["b-1-0.conda"]
    assert index.meta["refused"] == 1


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [(0, -1), (-5, -1), (1, 1000), (1_600_000_000, 1_600_000_000_000), (1_600_000_000_000, 1_600_000_000_000), (253402300799, 253402300799000),
     (253402300800, 253402300800), (253402300799000, 253402300799000), (253402300799001, -1), (10**18, -1)],
)  # fmt: skip
def test_seconds_and_milliseconds_are_told_apart(tmp_path: Path, stamp: int, expected: int) -> None:
    assert one(tmp_path, timestamp=stamp).stamp.tolist() == [expected]


def test_digest_prefers_sha256_and_falls_back_on_md5(tmp_path: Path) -> None:
    body = table(
        "a-1-0.conda",
        ("b-1-0.conda", {"sha256": ...}),
        ("c-1-0.conda", {"sha256": "z" * 64, "md5": None}),
        ("d-1-0.conda", {"sha256": "0" * 64}),
    )
    index = made_index(tmp_path, body)
    raw = body["packages.conda"]
    assert index.digest(0) == ("sha256", bytes.fromhex(raw["a-1-0.conda"]["sha256"]))
    assert index.digest(1) == ("md5", bytes.fromhex(raw["b-1-0.conda"]["md5"]))
    assert index.digest(2) is None
    assert index.digest(3) == ("sha256", bytes(32))


def test_a_name_that_is_not_name_version_build_is_odd_and_keeps_its_build(tmp_path: Path) -> None:
    body = table("a-1-0.conda")
    body["packages.conda"]["other-name-9-z.conda"] = record("b-2-h_7.conda")
    body["packages.conda"]["x.conda"] = record("x-1-0.conda")
    index = made_index(tmp_path, body)
    assert [bool(f & decode.ODD) for f in index.flags] == [False, True, True]
    assert index.builds([2, 0, 1]) == ["0", "0", "h_7"]


@pytest.mark.parametrize("size", [16, 150, 600, 1 << 20])
@pytest.mark.parametrize(
    "order",
    ["aa", "aA", "Aa", "aAa", "AaA", "aaA", "aAA", "AAaa", "aAbBa", "abab", "AbaBAb", "aAaAaA"],
)
def test_the_later_of_two_equal_names_counts_and_twins_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, size: int
) -> None:
    """A lower-case letter is a .conda, an upper-case one the .tar.bz2 of the same build; a name may come again."""
    blocks(monkeypatch, size)
    lines = []
    for i, letter in enumerate(order):
        fn = f"{letter.lower()}-1-0.{'conda' if letter.islower() else 'tar.bz2'}"
        lines.append(f'"{fn}": {json.dumps(record(fn, size=i))}')
    index = made_index(tmp_path, ('{"packages": {' + ", ".join(lines) + "}}").encode())
    assert_flags(index)
    last = {letter: i for i, letter in enumerate(order)}
    assert sorted(index.size[index.usable].tolist()) == sorted(last.values())


@pytest.mark.parametrize("key", ["a-1-0.conda", "\\u0061-1-0.conda"], ids=["plain", "escaped"])
@pytest.mark.parametrize("fields", [{}, {"size": "many"}, {"extra_depends": {"x": ["y"]}}], ids=["", "odd", "deep"])
def test_a_file_named_twice_in_one_block_is_counted(tmp_path: Path, key: str, fields: dict[str, Any]) -> None:
    entries = [(key, record("a-1-0.conda", size=1)), ("a-1-0.conda", record("a-1-0.conda", **({"size": 2} | fields)))]
    entries.append(("b-1-0.conda", record("b-1-0.conda")))  # a block ends before the last key
    body = ", ".join(f'"{name}": {json.dumps(value)}' for name, value in entries)
    index = made_index(tmp_path, f'{{"packages.conda": {{{body}}}}}'.encode())
    assert index.meta["refused"] == 1
    assert sorted(index.fn(row) for row in range(index.rows)) == ["a-1-0.conda", "b-1-0.conda"]
    assert index.size[[index.fn(row) for row in range(index.rows)].index("a-1-0.conda")] == (
        2 if fields != {"size": "many"} else -1
    )


def test_objects_inside_records_are_no_repetition(tmp_path: Path) -> None:
    index = one(tmp_path, extra_depends={"x": ["y"]}, text="{{{", number=10**4000)
    assert index.meta["refused"] == 0
    body = json.dumps(table("a-1-0.conda", ("b-1-0.conda", {"number": "@"}), "c-1-0.conda"))
    assert made_index(tmp_path, body.replace('"@"', "1" * 5000).encode()).meta["refused"] == 0


def test_a_link_with_null_behind_it_is_one(tmp_path: Path) -> None:
    text = json.dumps(table(("a-1-0.conda", {"@": "https://evil", "#": None}))).replace('"@"', '"url"')
    index = made_index(tmp_path, text.replace('"#"', '"url"').encode())
    assert [bool(f & decode.LINKS) for f in index.flags] == [True]


def test_links_are_found_however_their_key_is_spelt(tmp_path: Path) -> None:
    text = json.dumps(table(("a-1-0.conda", {"@": "https://evil"}), "b-1-0.conda"))
    for key in ("url", "channel", "base_url", "u\\u0072l", "\\u0063hannel", "base\\u005furl"):
        index = made_index(tmp_path, text.replace("@", key).encode())
        assert [bool(f & decode.LINKS) for f in index.flags] == [True, False], key


def test_versions_that_are_none_rank_lowest(tmp_path: Path) -> None:
    index = made_index(
        tmp_path,
        {
            "packages.conda": {
                f"a-{i}-0.conda": record("a-1-0.conda", version=v)
                for i, v in enumerate(["1.0", "1", "not a version!", "2", "", "1.0.0"])
            }
        },
    )
    ranks = dict(zip(index.versions, index.version_ranks.tolist(), strict=True))
    assert ranks["not a version!"] == ranks[""] == -1
    assert ranks["1"] == ranks["1.0"] == ranks["1.0.0"] < ranks["2"]


@pytest.mark.parametrize("version", ["3", "99"])
def test_an_index_of_a_version_nobody_knows_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(BadRepodata, match="does not know"):
        made_index(tmp_path, b'{"packages":{},"repodata_version":%s}' % version.encode())


@pytest.mark.parametrize("version", ["1", "2", "null", '"2"', "[]", "2.5", "true"])
def test_a_version_that_says_nothing_is_no_reason_to_refuse(tmp_path: Path, version: str) -> None:
    assert made_index(tmp_path, b'{"packages":{},"repodata_version":%s}' % version.encode()).rows == 0


# ------------------------------------------------------------------------------------ opened again


def test_the_columns_are_the_same_when_opened_again_and_nothing_is_copied(tmp_path: Path) -> None:
    first = made_index(tmp_path, table("a-1-0.conda", "a-1-0.tar.bz2", "b-2-h_1.conda"))
    again = cache.open_index(tmp_path, "c", "linux-64")
    assert again is not None
    assert [seen(again, row) for row in range(again.rows)] == [seen(first, row) for row in range(first.rows)]
    for column in (again.name, again.size, again.flags, again.sha256):
        assert not column.flags.owndata
        assert not column.flags.writeable


def test_an_empty_index_has_empty_columns(tmp_path: Path) -> None:
    for index in (made_index(tmp_path, b"{}"), missing(tmp_path, subdir="win-64")):
        assert index.rows == 0
        assert index.fns() == []
        assert index.names == index.versions == index.pythons == []
        for column in (index.name, index.size, index.flags, index.version_ranks, index.usable):
            assert len(column) == 0
        assert index.sha256.shape == (0, 32)
        assert index.offsets.tolist() == [0]
        assert index.top("info") is None


def test_a_column_lost_while_it_is_open_is_said_to_be_damaged(tmp_path: Path) -> None:
    index = made_index(tmp_path, table("a-1-0.conda"))
    assert index.folder is not None
    (index.folder / "size.col").write_bytes(b"")
    with pytest.raises(BadRepodata, match="damaged"):
        _ = index.size


def test_a_catalog_opens_what_is_there(tmp_path: Path) -> None:
    made_index(tmp_path, table("a-1-0.conda", "b-1-0.conda"))
    missing(tmp_path, subdir="win-64")
    catalog = cache.open_catalog(tmp_path, [("c", "linux-64"), ("c", "win-64"), ("c", "osx-64")])
    assert list(catalog.indexes) == [("c", "linux-64"), ("c", "win-64")]
    assert catalog.records == 2
    assert isinstance(catalog, Catalog)


def test_a_channel_with_slashes_is_one_folder_of_the_cache(tmp_path: Path) -> None:
    made_index(tmp_path, table("a-1-0.conda"), channel="pkgs/main")
    assert [path.name for path in (tmp_path / "catalog").iterdir()] == ["pkgs%2Fmain"]
    assert cache.open_index(tmp_path, "pkgs", "main") is None
