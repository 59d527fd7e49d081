"""Published repodata against the upstream body it was cut from."""

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrortui.catalog import cache
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.errors import BadRepodata
from mirrortui.mirror import cut
from tests.unit.catalog.made import index as made_index
from tests.unit.catalog.made import missing, record, table
from tests.unit.mirror.tree import all_of, keep


def written(index: SubdirIndex, mask: Mask) -> bytes:
    pieces: list[bytes] = []
    count = cut.write(index, mask, pieces.append)
    assert count == int(mask.sum())
    return b"".join(pieces)


def read(index: SubdirIndex, mask: Mask) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(written(index, mask))
    return body


def test_exactly_the_kept_records_are_named_in_their_order(tmp_path: Path) -> None:
    body = table("a-1-0.conda", "b-1-0.conda", "c-1-0.conda", "a-1-0.tar.bz2", "d-1-0.tar.bz2")
    index = made_index(tmp_path, body)
    out = read(index, keep(index, "a-1-0.conda", "c-1-0.conda", "d-1-0.tar.bz2"))
    assert list(out["packages.conda"]) == ["a-1-0.conda", "c-1-0.conda"]
    assert list(out["packages"]) == ["d-1-0.tar.bz2"]
    for section in ("packages", "packages.conda"):
        assert out[section] == {fn: body[section][fn] for fn in out[section]}


def test_a_kept_record_is_the_very_bytes_that_upstream_sent(tmp_path: Path) -> None:
    spelt = b'{ "name" :"a","version": "1" ,"build":"0",\t"x": 1.0e+2, "big": 123456789012345678901234567890, "u": "\\u00e9\\/", "n":{"b.conda": {}} }'
    index = made_index(
        tmp_path,
        b'{"packages.conda": {"a-1-0.conda": ' + spelt + b', "b-1-0.conda": {"name":"b","version":"1","build":"0"}}}',
    )
    assert b'"a-1-0.conda":' + spelt in written(index, keep(index, "a-1-0.conda"))
    assert b"b-1-0" not in written(index, keep(index, "a-1-0.conda"))


def test_a_file_named_twice_is_published_once(tmp_path: Path) -> None:
    """Clients differ in which of the two they read; only one of them was verified."""
    first, last = (json.dumps(record("a-1-0.conda", size=size)) for size in (1, 2))
    index = made_index(
        tmp_path,
        f'{{"packages.conda": {{"a-1-0.conda": {first}, "a-1-0.conda": {last}, "b-1-0.conda": {last}}}}}'.encode(),
    )
    assert not cut.verbatim(index, all_of(index))
    assert written(index, all_of(index)).count(b'"a-1-0.conda"') == 1
    assert read(index, all_of(index))["packages.conda"]["a-1-0.conda"]["size"] == 2


def test_what_upstream_says_beside_the_records_is_kept(tmp_path: Path) -> None:
    body = table("a-1-0.conda") | {
        "removed": ["old-1-0.conda"],
        "news": {"deep": [1, {"x": None}]},
        "big": 2**70,
        "é": "漢",
        "float": 1e300,
    }
    body["info"]["arch"] = "x86_64"
    index = made_index(tmp_path, body)
    for mask in (all_of(index), keep(index)):
        out = read(index, mask)
        assert {k: v for k, v in out.items() if k not in ("packages", "packages.conda")} == {
            k: v for k, v in body.items() if k not in ("packages", "packages.conda")
        }


def test_a_body_without_sections_or_info_gets_them(tmp_path: Path) -> None:
    index = made_index(tmp_path, b"{}")
    out = read(index, all_of(index))
    assert out == {"info": {"subdir": "linux-64"}, "packages": {}, "packages.conda": {}}
    for info in (b"[]", b'"x"', b"null", b"5"):
        index = made_index(tmp_path, b'{"info": %s}' % info)
        assert read(index, all_of(index))["info"] == {"subdir": "linux-64"}


def test_sections_keep_the_order_in_which_upstream_has_them(tmp_path: Path) -> None:
    body = {
        "packages.conda": {"a-1-0.conda": record("a-1-0.conda")},
        "packages": {"a-1-0.tar.bz2": record("a-1-0.tar.bz2")},
    }
    index = made_index(tmp_path, body)
    assert [key for key in read(index, all_of(index)) if key.startswith("packages")] == ["packages.conda", "packages"]


def test_a_subdir_that_upstream_does_not_have_is_empty(tmp_path: Path) -> None:
    index = missing(tmp_path, subdir="noarch")
    assert read(index, all_of(index)) == json.loads(cut.empty("noarch"))
    assert json.loads(cut.empty("noarch"))["info"] == {"subdir": "noarch"}


# --------------------------------------------------------------------------------------------- links


@pytest.mark.parametrize("key", ["url", "channel", "base_url"])
@pytest.mark.parametrize("value", ["https://elsewhere.example/x", {"a": 1}, 5, ""])
def test_no_record_leads_a_client_elsewhere(tmp_path: Path, key: str, value: Any) -> None:
    body = table(("a-1-0.conda", {key: value, "zz": 1}), "b-1-0.conda", ("a-1-0.tar.bz2", {key: value}))
    index = made_index(tmp_path, body)
    assert not cut.verbatim(index, all_of(index))
    out = read(index, all_of(index))
    for section in ("packages", "packages.conda"):
        assert out[section] == {fn: {k: v for k, v in r.items() if k != key} for fn, r in body[section].items()}


@pytest.mark.parametrize(
    "key",
    ["u\\u0072l", "\\u0075\\u0072\\u006c", "\\u0063hannel", "base\\u005furl", "base_\\u0075RL".replace("RL", "rl")],
)
def test_a_link_is_found_however_its_key_is_spelt(tmp_path: Path, key: str) -> None:
    text = json.dumps(table(("a-1-0.conda", {"@": "https://elsewhere.example"}))).replace("@", key)
    index = made_index(tmp_path, text.encode())
    assert not cut.verbatim(index, all_of(index))
    assert b"elsewhere" not in written(index, all_of(index))


@pytest.mark.parametrize("number", ["1e400", "1" * 5000, "1" * 100, "-1e999"])
def test_a_number_beyond_any_measure_in_a_record_with_a_link_stops_nothing(tmp_path: Path, number: str) -> None:
    text = json.dumps(table(("a-1-0.conda", {"url": "https://elsewhere.example", "zz": "@"}))).replace('"@"', number)
    index = made_index(tmp_path, text.encode())
    out = written(index, all_of(index))
    assert b"elsewhere" not in out
    assert f'"zz":{number}'.encode() in out.replace(b": ", b":")


def test_words_that_only_resemble_links_are_left_alone(tmp_path: Path) -> None:
    body = table(
        (
            "a-1-0.conda",
            {
                "nested": {"url": "x", "channel": "y"},
                "text": '"url": "z"',
                "urls": 1,
                "dev_url": "w",
                "escaped": "\u0001",
            },
        )
    )
    index = made_index(tmp_path, body)
    assert read(index, all_of(index))["packages.conda"] == body["packages.conda"]


def test_links_beside_the_records_go_too(tmp_path: Path) -> None:
    body = table("a-1-0.conda") | {
        "info": {
            "subdir": "linux-64",
            "base_url": "https://e.example",
            "shards_base_url": "https://e.example/s",
            "keep": 1,
        },
        "metadata": {"deep": [{"base_url": "https://e.example"}], "x": {"shards_base_url": "//e.example"}},
        "base_url": "https://e.example",
        "signatures": {"a-1-0.conda": {"key": "e.example"}},
        "repodata_version": 2,
    }
    index = made_index(tmp_path, body)
    assert not cut.verbatim(index, all_of(index))
    out = read(index, all_of(index))
    assert "e.example" not in json.dumps(out)
    assert out["info"] == {"subdir": "linux-64", "keep": 1}
    assert out["repodata_version"] == 1
    assert "signatures" not in out


@pytest.mark.parametrize(
    ("relations", "stays"),
    [
        ({"base": "../conda-forge"}, True), ("../conda-forge", True), (["../a", "../b"], True), ({}, True), ({"base": "https://e.example/c"}, False),
        ({"a": "../x", "b": "//e.example/c"}, False), ("/c", False), (["../a", "https://e.example"], False), ({"overrides": ["https://e.example"]}, False),
        ({"base": {"url": "https://e.example"}}, False),
    ],
)  # fmt: skip
def test_relations_to_other_channels_stay_if_they_stay_on_the_mirror(
    tmp_path: Path, relations: Any, stays: bool
) -> None:
    body = table("a-1-0.conda")
    body["info"]["channel_relations"] = relations
    index = made_index(tmp_path, body)
    out = read(index, all_of(index))
    assert out["info"].get("channel_relations") == (relations if stays else None)
    assert "e.example" not in json.dumps(out)
    assert cut.verbatim(index, all_of(index)) == stays


def test_tables_of_newer_kinds_are_emptied(tmp_path: Path) -> None:
    body = table("a-1-0.conda") | {"v3": {"conda": {"x-1-0.conda": {}}, "whl": {"y.whl": {"url": "https://e.example"}}}}
    index = made_index(tmp_path, body)
    assert read(index, all_of(index))["v3"] == {"conda": {}, "whl": {}}


# ------------------------------------------------------------------------------------------ verbatim


def test_a_whole_clean_body_is_published_as_it_is(tmp_path: Path) -> None:
    index = made_index(tmp_path, table("a-1-0.conda", "a-1-0.tar.bz2"))
    assert cut.verbatim(index, all_of(index))
    assert not cut.verbatim(index, keep(index, "a-1-0.conda"))


@pytest.mark.parametrize(
    "change",
    [{"signatures": {}}, {"base_url": ""}, {"info": {"subdir": "linux-64", "base_url": ""}}, {"repodata_version": 2}, {"v3": {"whl": {"x": {}}}},
     {"packages": {"../evil-1-0.tar.bz2": record("a-1-0.tar.bz2")}}, {"packages": {"a-1-0.tar.bz2": {"name": 5}}}, {"packages": {"a-1-0.tar.bz2": 5}}],
)  # fmt: skip
def test_a_body_with_anything_to_strip_is_not(tmp_path: Path, change: dict[str, Any]) -> None:
    index = made_index(tmp_path, table("a-1-0.conda") | change)
    assert not cut.verbatim(index, all_of(index))


@pytest.mark.parametrize("section", ["packages", "packages.conda"])
@pytest.mark.parametrize("value", ["null", "[]", "5", '"x"', '["a-1-0.conda"]'])
def test_a_table_that_is_none_is_replaced_by_an_empty_one(tmp_path: Path, section: str, value: str) -> None:
    index = made_index(tmp_path, b'{"%s": %s, "x": 1}' % (section.encode(), value.encode()))
    assert not cut.verbatim(index, all_of(index))
    out = read(index, all_of(index))
    assert out["packages"] == out["packages.conda"] == {}
    assert out["x"] == 1


# ------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("chunk", [1, 50, 300, 1 << 20])
def test_refused_records_are_never_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(cache.unpacked, "__defaults__", (chunk,))
    good = {f"g{i}-1-0.conda": record(f"g{i}-1-0.conda") for i in range(4)}
    bad = {
        "../evil-1-0.conda": record("e-1-0.conda"),
        "x y-1-0.conda": record("e-1-0.conda"),
        "b-1-0.conda": {"name": None},
        "c-1-0.conda": 5,
    }
    items = [
        ("../evil-1-0.conda", bad),
        ("g0-1-0.conda", good),
        ("x y-1-0.conda", bad),
        ("g1-1-0.conda", good),
        ("b-1-0.conda", bad),
        ("g2-1-0.conda", good),
        ("c-1-0.conda", bad),
        ("g3-1-0.conda", good),
    ]
    index = made_index(tmp_path, {"packages.conda": {fn: source[fn] for fn, source in items}})
    assert index.fns() == list(good)
    assert read(index, all_of(index))["packages.conda"] == good
    assert list(read(index, keep(index, "g1-1-0.conda", "g3-1-0.conda"))["packages.conda"]) == [
        "g1-1-0.conda",
        "g3-1-0.conda",
    ]


def test_a_body_that_is_not_the_one_of_its_columns_is_noticed(tmp_path: Path) -> None:
    index = made_index(tmp_path, table("a-1-0.conda", "b-1-0.conda"))
    assert index.body is not None
    index.body.write_bytes(zstandard.ZstdCompressor().compress(json.dumps(table("a-1-0.conda")).encode()))
    with pytest.raises(BadRepodata, match="does not fit its cached columns"):
        written(index, all_of(index))


# --------------------------------------------------------------------------------------- by property

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
)
extra = st.dictionaries(
    st.sampled_from(["url", "channel", "base_url", "x", "noarch", "a-1-0.conda", ',"x.conda": {']),
    values | st.lists(values, max_size=2),
    max_size=3,
)
names = st.sampled_from([f"{n}-{v}-0.{s}" for n in "abc" for v in "12" for s in ("conda", "tar.bz2")])
bad_names = st.sampled_from(["../a-1-0.conda", "a b-1-0.conda", "x.zip", ""])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(names | bad_names, extra, max_size=6), st.dictionaries(names | bad_names, extra, max_size=6),
    st.dictionaries(st.sampled_from(["info", "removed", "base_url", "news", "signatures"]), values | st.dictionaries(st.sampled_from(["base_url", "x"]), values), max_size=3),
    st.sampled_from([17, 64, 400, 1 << 20]), st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}]), st.data(),
)  # fmt: skip
def test_whatever_upstream_sends_what_is_published_is_json_and_says_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, Any],
    second: dict[str, Any],
    tops: dict[str, Any],
    chunk: int,
    style: dict[str, Any],
    data: st.DataObject,
) -> None:
    def table_of(made: dict[str, Any]) -> dict[str, Any]:
        return {
            fn: record(fn if fn.count("-") == 2 and " " not in fn else "q-1-0.conda", **more)
            for fn, more in made.items()
        }

    body = {**tops, "packages.conda": table_of(first), "packages": table_of(second)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache.unpacked, "__defaults__", (chunk,))
        index = made_index(tmp_path_factory.mktemp("state"), json.dumps(body, **style).encode())
        fns = index.fns()
        usable = index.usable
        chosen = {fn for fn in fns if data.draw(st.booleans())}
        mask = keep(index, *chosen) & usable
        out = read(index, mask)
    # a name that stands in both tables is a duplicate: only the later one is ever wanted
    for section, source in (("packages.conda", body["packages.conda"]), ("packages", body["packages"])):
        later = set(body["packages"]) if section == "packages.conda" else set()
        said = {
            fn: {k: v for k, v in r.items() if v is not None or k not in ("url", "channel", "base_url")}
            for fn, r in out[section].items()
        }
        assert said == {
            fn: {k: v for k, v in r.items() if k not in ("url", "channel", "base_url")}
            for fn, r in source.items()
            if fn in chosen and fn not in later
        }
    assert out.get("news") == (clean(tops["news"]) if "news" in tops else None)
    assert "base_url" not in out
    assert "signatures" not in out


def clean(value: Any) -> Any:
    return {k: v for k, v in value.items() if k != "base_url"} if isinstance(value, dict) else value
