"""Records of `v3` (CEP 48) in what is published: nested as upstream has them, only kept ones, in every encoding."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrortui.catalog import cache
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.index import SubdirIndex
from mirrortui.mirror import cut, planning
from mirrortui.mirror.presence import presence
from mirrortui.mirror.records import blocks, named_in, note_names, records
from mirrortui.mirror.staging import Item
from mirrortui.selection.decide import decide
from tests.unit.catalog.made import index as made_index
from tests.unit.catalog.made import record, table
from tests.unit.mirror.shard_folder import Folder
from tests.unit.mirror.tree import ALL, Tree, all_of, keep, read_all

NEW = {"extra_depends": {"x": ["y"]}, "flags": ["cuda"], "indexed_timestamp": 1_773_851_561_010}


def body(**more: Any) -> dict[str, Any]:
    v3 = {
        "conda": {"b-1-0": record("b-1-0.conda", **NEW), "b-2-0": record("b-2-0.conda", **NEW)},
        "tar.bz2": {"c-1-0": record("c-1-0.tar.bz2")},
    }
    return table("a-1-0.conda", "b-0-0.conda") | {"v3": v3 | more}


def written(index: SubdirIndex, *fns: str) -> dict[str, Any]:
    out: list[bytes] = []
    cut.write(index, keep(index, *fns) & index.usable if fns else all_of(index), out.append)
    value: dict[str, Any] = json.loads(b"".join(out))
    return value


def test_a_whole_clean_body_with_v3_is_published_as_it_is(tmp_path: Path) -> None:
    index = made_index(tmp_path, body())
    assert cut.verbatim(index, all_of(index))
    assert not cut.verbatim(index, keep(index, "a-1-0.conda", "b-0-0.conda"))


@pytest.mark.parametrize(
    "more",
    [
        {"whl": {"w": {}}},
        {"conda": {"../x": {}}},
        {"x": {"base_url": "https://e"}},
        {"base_url": ""},
        {"y": [{"base_url": ""}]},
        {"channel_relations": "/c"},
    ],
)
def test_one_with_anything_to_strip_is_not(tmp_path: Path, more: dict[str, Any]) -> None:
    index = made_index(tmp_path, body(**more))
    assert not cut.verbatim(index, all_of(index))


@pytest.mark.parametrize("chunk", [30, 500, 1 << 20])
@pytest.mark.parametrize("order", [("info", "packages", "packages.conda", "v3"), ("v3", "packages.conda", "info", "packages"), ("packages", "v3", "packages.conda")])  # fmt: skip
def test_kept_records_are_nested_as_upstream_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, ...], chunk: int
) -> None:
    monkeypatch.setattr(cache.unpacked, "__defaults__", (chunk,))
    made = body(empty={}, note=None, whl={"w-1": {"fn": "w-1.whl", "url": "https://e.example"}})
    index = made_index(tmp_path, {key: made[key] for key in order} | {"news": {"conda": 1}})
    out = written(index, "a-1-0.conda", "b-2-0.conda", "c-1-0.tar.bz2")
    assert out["v3"] == {
        "conda": {"b-2-0": made["v3"]["conda"]["b-2-0"]},
        "tar.bz2": made["v3"]["tar.bz2"],
        "empty": {},
        "whl": {},
        "note": None,
    }
    assert (list(out["packages.conda"]), out["packages"], out["news"]) == (["a-1-0.conda"], {}, {"conda": 1})
    assert written(index)["v3"] == made["v3"] | {"whl": {}}
    assert written(index, "none")["v3"] == {"conda": {}, "tar.bz2": {}, "empty": {}, "whl": {}, "note": None}


@pytest.mark.parametrize("v3", [None, [], 5, ["a-1-0.conda"]])
def test_a_v3_that_is_no_table_is_published_as_an_empty_one(tmp_path: Path, v3: Any) -> None:
    index = made_index(tmp_path, table("a-1-0.conda") | {"v3": v3})
    assert not cut.verbatim(index, all_of(index))
    assert written(index)["v3"] == {}


def test_revisions_that_nobody_knows_are_emptied(tmp_path: Path) -> None:
    index = made_index(
        tmp_path, table("a-1-0.conda") | {"v4": {"conda": {"x-1-0": {}}, "rule": 1}, "v10": [1], "v2": {"a": {"b": 1}}}
    )
    assert not cut.verbatim(index, all_of(index))
    out = written(index)
    assert (out["v4"], out["v10"], out["v2"]) == ({"conda": {}, "rule": 1}, [1], {"a": {"b": 1}})


def test_links_in_v3_go(tmp_path: Path) -> None:
    made = body(
        x=[{"base_url": "https://e.example"}],
        base_url="https://e.example",
        channel_relations="https://e.example",
        signatures={},
    ) | {"channel_relations": {"base": "https://e.example"}}
    made["v3"]["conda"]["b-1-0"] |= {"url": "https://e.example/b", "channel": "e.example"}
    index = made_index(tmp_path, made)
    assert not cut.verbatim(index, all_of(index))
    out = written(index)
    assert "e.example" not in json.dumps(out)
    assert set(out["v3"]) == {"conda", "tar.bz2", "x"}
    assert out["v3"]["conda"]["b-1-0"] == record("b-1-0.conda", **NEW)


def test_what_info_says_of_a_revision_fits_the_file(tmp_path: Path) -> None:
    said = {"n_packages": 3, "oldest": 1, "newest": 9, "message": "hello", "x": 1}
    made = body()
    made["info"]["repodata_revisions"] = {"v3": said, "v4": {"n_packages": 7}, "v5": {"message": None}, "v6": None}
    index = made_index(tmp_path, made)
    assert written(index)["info"]["repodata_revisions"] == made["info"]["repodata_revisions"]
    assert written(index, "b-1-0.conda", "a-1-0.conda")["info"]["repodata_revisions"] == {
        "v3": {"n_packages": 1, "message": "hello", "x": 1},
        "v4": {"n_packages": 0},
        "v5": {"message": None},
        "v6": None,
    }


def test_a_file_with_a_record_in_both_generations_keeps_both(tmp_path: Path) -> None:
    made = body()
    made["v3"]["conda"]["a-1-0"] = record("a-1-0.conda", **NEW)
    index = made_index(tmp_path, made)
    assert cut.verbatim(index, all_of(index) & index.usable)
    out = written(index, "a-1-0.conda")
    assert (list(out["packages.conda"]), list(out["v3"]["conda"])) == (["a-1-0.conda"], ["a-1-0"])
    folder = Folder(tmp_path / "f")
    folder.write(index, "a-1-0.conda")
    assert list(folder.shard("a")["v3"]["conda"]) == ["a-1-0"]
    made["v3"]["conda"]["a-1-0"]["sha256"] = "0" * 64
    other = made_index(tmp_path / "other", made)
    assert written(other, "a-1-0.conda")["v3"]["conda"] == {}


def test_shards_hold_v3_only_for_the_names_that_have_some(tmp_path: Path) -> None:
    index, folder = made_index(tmp_path, body()), Folder(tmp_path / "f")
    folder.write(index)
    assert list(folder.index["shards"]) == ["a", "b", "c"]
    assert list(folder.shard("a")) == ["packages", "packages.conda", "removed"]
    b = folder.shard("b")
    assert list(b["packages.conda"]) == ["b-0-0.conda"]
    hashes = {key: bytes.fromhex(record("b-1-0.conda")[key]) for key in ("sha256", "md5")}
    assert b["v3"]["conda"]["b-1-0"] == record("b-1-0.conda", **NEW) | hashes
    assert (list(b["v3"]["conda"]), b["v3"]["tar.bz2"]) == (["b-1-0", "b-2-0"], {})
    assert list(folder.shard("c")["v3"]["tar.bz2"]) == ["c-1-0"]
    before = folder.file("a").name
    folder.write(made_index(tmp_path / "plain", table("a-1-0.conda")))
    assert folder.file("a").name == before


def test_every_encoding_names_the_same_files_and_names_are_read_back(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    made = body()
    made["v3"]["conda"]["a-1-0"] = record("a-1-0.conda", **NEW)
    index = tree.index(made)
    chosen = ["a-1-0.conda", "b-1-0.conda", "c-1-0.tar.bz2"]
    tree.put(*chosen)
    tree.publish(Item("linux-64", index, keep(index, *chosen) & index.usable), options=ALL)
    found = read_all(tree.folder())
    current = {name: sorted(found.pop(name)) for name in list(found) if name.startswith("current")}
    assert {name: sorted(table) for name, table in found.items()} == dict.fromkeys(found, chosen)
    assert set(map(tuple, current.values())) == {("a-1-0.conda",)}
    assert sorted(records(tree.folder())) == chosen
    assert list(records(tree.folder(), {"b-1-0.conda"})) == ["b-1-0.conda"]
    assert records(tree.folder())["b-1-0.conda"].digests["sha256"].hex() == record("b-1-0.conda")["sha256"]
    assert note_names(tree.folder()) == (3, sum(record(fn)["size"] for fn in chosen))
    assert named_in(tree.folder(), {*chosen, "b-1-0"}) == set(chosen)


def test_tables_of_other_kinds_name_no_files(tmp_path: Path) -> None:
    (tmp_path / "repodata.json").write_text(
        '{"v3":{"whl":{"x":5,"y":{"fn":"y.whl"}},"conda":{"a-1-0":{"size":7}},"note":{}},"packages":{"b.tar.bz2":{"size":1}}}'
    )
    assert [list(block) for block in blocks(tmp_path) if block] == [["a-1-0.conda"], ["b.tar.bz2"]]
    assert note_names(tmp_path) == (2, 8)


def test_the_plan_fetches_v3_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    index = tree.index(body(whl={"w": {}, "x": {}}) | {"v4": {"conda": {"z-1-0": {}}}})
    config = tree.config(exclude=["c"])
    catalog = Catalog({("c", "linux-64"): index})
    here = {pair: presence(one, tree.store, tree.inventory) for pair, one in catalog.indexes.items()}
    todo = planning.work(config, decide(catalog, config).selection, here, 0.0)
    assert index.fns(todo["c", "linux-64"].add) == ["a-1-0.conda", "b-0-0.conda", "b-1-0.conda", "b-2-0.conda"]
    plan = planning.plan(config, todo, tree.inventory, tree.store.disk())
    assert "3 records of kinds that this program does not fetch are left out (v3/whl, v4)" in plan.warnings


# --------------------------------------------------------------------------------------- by property

STEMS = st.sampled_from([f"{name}-{version}-0" for name in "abc" for version in "12"])
ODD = st.sampled_from(["../a-1-0", "a b-1-0", "", 'x"y-1-0'])
FIELDS = st.dictionaries(st.sampled_from(["x-1-0", "extra_depends", "flags"]), st.sampled_from([{}, {"x-1-0": {}}, [], "},{", None]), max_size=2)  # fmt: skip
KINDS = st.sampled_from(["conda", "tar.bz2", "whl", "é", "base_url"])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(KINDS, st.dictionaries(STEMS | ODD, FIELDS, max_size=5) | st.sampled_from([None, 5, [{}]])),
    st.permutations(["info", "packages", "packages.conda", "v3", "news"]),
    st.sampled_from([7, 60, 300, 1 << 20]),
    st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}]),
    st.data(),
)
def test_whatever_v3_holds_what_is_published_is_what_is_kept_of_it(
    tmp_path_factory: pytest.TempPathFactory,
    v3: dict[str, Any],
    order: list[str],
    chunk: int,
    style: dict[str, Any],
    data: st.DataObject,
) -> None:
    for kind, inner in v3.items():
        if isinstance(inner, dict):
            v3[kind] = {stem: record("a-1-0.conda", **fields) for stem, fields in inner.items()}
    made = table("z-1-0.conda", "z-1-0.tar.bz2") | {"v3": v3, "news": [1]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache.unpacked, "__defaults__", (chunk,))
        index = made_index(
            tmp_path_factory.mktemp("state"), json.dumps({key: made[key] for key in order}, **style).encode()
        )
        chosen = {fn for fn in index.fns() if data.draw(st.booleans())}
        out = written(index, *chosen, "none")
    assert out["v3"] == {
        kind: {stem: raw for stem, raw in inner.items() if f"{stem}.{kind}" in chosen}
        if isinstance(inner, dict)
        else inner
        for kind, inner in v3.items()
        if kind != "base_url"
    }
    assert set(out["packages"]) | set(out["packages.conda"]) == {fn for fn in chosen if fn.startswith("z")}
