"""Publishing: what becomes visible, in which order, and what a crash at any step leaves behind."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mirrortui.config import Publish
from mirrortui.errors import TargetError
from mirrortui.mirror import publish, staging
from mirrortui.mirror.staging import Item
from tests.unit.catalog.made import missing, record, table
from tests.unit.mirror.tree import ALL, PLAIN, Tree, all_of, keep, read_all, stored_files

JSON, ZST, BZ2, SHARDS = "repodata.json", "repodata.json.zst", "repodata.json.bz2", "repodata_shards.msgpack.zst"
OLD = ("a-1-0.conda", "b-1-0.conda", "b-1-0.tar.bz2")
NEW = ("a-1-0.conda", "a-2-0.conda", "c-1-0.conda")


def items(tree: Tree, *fns: str) -> list[Item]:
    """The same records for two subdirs of one channel."""
    out = []
    for subdir in ("linux-64", "noarch"):
        body = table(*fns)
        body["info"]["subdir"] = subdir
        index = tree.index(body, subdir=subdir)
        tree.put(*fns, subdir=subdir)
        out.append(Item(subdir, index, all_of(index)))
    return out


def visible(tree: Tree, subdir: str = "linux-64") -> set[str]:
    return {name for name in tree.names(subdir=subdir) if not name.endswith((".conda", ".tar.bz2"))}


# -------------------------------------------------------------------------------------- what is there


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (PLAIN, {JSON, ZST}),
        (Publish(zst=False, bz2=False, shards=False, current=False), {JSON}),
        (Publish(zst=False, bz2=True, shards=False, current=False), {JSON, BZ2}),
        (
            Publish(zst=True, bz2=False, shards=False, current=True),
            {JSON, ZST, "current_repodata.json", "current_repodata.json.zst"},
        ),
        (Publish(zst=False, bz2=False, shards=True, current=False), {JSON, SHARDS, "shards"}),
        (ALL, {JSON, ZST, BZ2, SHARDS, "shards", "current_repodata.json", "current_repodata.json.zst"}),
    ],
)
def test_the_encodings_that_are_asked_for_are_made_and_agree(tree: Tree, options: Publish, files: set[str]) -> None:
    done = tree.publish(*items(tree, *OLD), options=options)
    assert visible(tree) == visible(tree, "noarch") == files
    assert done.records == 6
    said = read_all(tree.folder())
    assert len(said) == len(files - {"shards"})
    assert {fn for fn, _ in said[JSON].items()} == set(OLD)
    for name, records in said.items():
        if not name.startswith("current"):
            assert set(records) == set(OLD), name
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in tree.folder().glob("*repodata*"))


@pytest.mark.parametrize("before", [ALL, PLAIN])
@pytest.mark.parametrize("after", [PLAIN, Publish(zst=False, bz2=False, shards=False, current=False), ALL])
def test_an_encoding_that_is_switched_off_is_removed(tree: Tree, before: Publish, after: Publish) -> None:
    made = items(tree, *OLD)
    tree.publish(*made, options=before)
    tree.publish(*made, options=after)
    there = visible(tree)
    assert there == {*staging.wanted(after), "shards" if after.shards else JSON}


@pytest.mark.parametrize("name", staging.NEVER)
def test_stale_metadata_of_other_programs_is_removed(tree: Tree, name: str) -> None:
    made = items(tree, *OLD)
    (tree.folder() / name).write_text("{}")
    done = tree.publish(*made)
    assert done.removed == [tree.folder() / name]
    assert visible(tree) == {JSON, ZST}


def test_packages_and_foreign_files_are_never_touched(tree: Tree) -> None:
    made = items(tree, *OLD)
    for name in ("index.html", "README", ".hidden", "stray-1-0.conda"):
        (tree.folder() / name).write_text("mine")
    tree.publish(*made, options=ALL)
    assert {"index.html", "README", ".hidden", "stray-1-0.conda", *OLD} <= set(tree.names())


def test_a_whole_body_is_published_as_upstream_sent_it(tree: Tree) -> None:
    body = json.dumps(table(*OLD), indent=1).encode() + b"\n"
    index = tree.index(body)
    tree.publish(Item("linux-64", index, all_of(index)), options=ALL)
    assert index.body is not None
    assert (tree.folder() / JSON).read_bytes() == body
    assert (tree.folder() / ZST).read_bytes() == index.body.read_bytes()


def test_only_what_is_wanted_and_verified_is_named(tree: Tree) -> None:
    index = tree.index(table(*OLD))
    tree.publish(Item("linux-64", index, keep(index, "b-1-0.conda")), options=ALL)
    assert all(set(records) == {"b-1-0.conda"} for records in read_all(tree.folder()).values())


def test_a_subdir_without_records_and_one_without_index_are_empty_channels(tree: Tree) -> None:
    index = tree.index(table(*OLD))
    tree.publish(
        Item("linux-64", index, keep(index)),
        Item("noarch", None, np.zeros(0, bool)),
        Item("win-64", missing(tree.state, subdir="win-64"), np.zeros(0, bool)),
        options=ALL,
    )
    for subdir in ("linux-64", "noarch", "win-64"):
        assert all(records == {} for records in read_all(tree.folder(subdir=subdir)).values())
        assert json.loads((tree.folder(subdir=subdir) / JSON).read_bytes())["info"]["subdir"] == subdir


def test_no_encoding_leads_a_client_elsewhere(tree: Tree) -> None:
    evil = "https://elsewhere.example"
    body = table(
        ("a-1-0.conda", {"url": evil, "channel": evil, "x": 1}), ("b-1-0.conda", {"base_url": evil}), "c-1-0.tar.bz2"
    )
    body |= {"base_url": evil, "metadata": {"base_url": evil}}
    body["info"] |= {"base_url": evil, "shards_base_url": evil, "channel_relations": {"base": evil}}
    text = json.dumps(body).replace('"channel": ', '"ch\\u0061nnel": ')
    index = tree.index(text.encode())
    tree.publish(Item("linux-64", index, all_of(index)), options=ALL)
    for name, records in read_all(tree.folder()).items():
        for record_ in records.values():
            assert not {"url", "channel", "base_url"} & set(record_), name
    for path in tree.folder().glob("*.json"):
        assert b"elsewhere" not in path.read_bytes()


@pytest.mark.parametrize("number", ["1e400", "1" * 4000, "1" * 100, "-1e999"])
@pytest.mark.parametrize("linked", [False, True])
def test_a_number_beyond_any_measure_stops_no_channel(tree: Tree, number: str, linked: bool) -> None:
    fields = {"zz": "@"} | ({"url": "https://elsewhere.example"} if linked else {})
    index = tree.index(json.dumps(table(("a-1-0.conda", fields), "b-1-0.conda")).replace('"@"', number).encode())
    tree.publish(Item("linux-64", index, all_of(index)), options=ALL)
    assert {"a-1-0.conda", "b-1-0.conda"} <= set(read_all(tree.folder())["shards"])


# ----------------------------------------------------------------------------------- nothing to do


@pytest.mark.parametrize("options", [PLAIN, ALL], ids=["plain", "all"])
def test_a_second_publish_touches_nothing(tree: Tree, options: Publish) -> None:
    made = items(tree, *OLD)
    tree.publish(*made, options=options)
    before = stored_files(tree.root)
    done = tree.publish(*made, options=options)
    assert (done.written, done.removed, done.records) == ([], [], 6)
    assert stored_files(tree.root) == before


@pytest.mark.parametrize("options", [PLAIN, ALL], ids=["plain", "all"])
def test_files_of_the_same_bytes_keep_their_mtime_though_the_upstream_file_changed(
    tree: Tree, options: Publish
) -> None:
    made = items(tree, *OLD)
    tree.publish(*made, options=options)
    before = stored_files(tree.root)
    for item in made:
        tree.inventory.set_published("c", item.subdir, None)  # as if the inventory had been lost
    tree.publish(*made, options=options)
    assert stored_files(tree.root) == before


def test_one_subdir_that_changed_leaves_the_other_alone(tree: Tree) -> None:
    tree.publish(*items(tree, *OLD), options=ALL)
    before = stored_files(tree.folder(subdir="noarch"))
    _, noarch = items(tree, *OLD)
    index = tree.index(table(*NEW))
    tree.put(*NEW)
    tree.publish(Item("linux-64", index, all_of(index)), noarch, options=ALL)
    now = stored_files(tree.folder(subdir="noarch"))
    metadata = {name for name in before if not name.endswith((".conda", ".tar.bz2"))}
    assert {name: before[name] for name in metadata} == {name: now[name] for name in metadata}
    assert set(read_all(tree.folder())[JSON]) == set(NEW)


@pytest.mark.parametrize("name", [JSON, ZST, SHARDS, "current_repodata.json"])
@pytest.mark.parametrize("how", ["gone", "changed", "linked"])
def test_a_published_file_that_somebody_changed_is_mended(tree: Tree, tmp_path: Path, name: str, how: str) -> None:
    made = items(tree, *OLD)
    tree.publish(*made, options=ALL)
    path = tree.folder() / name
    good = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(b"{}")
    if how == "linked":
        (tmp_path / "victim").write_bytes(b"precious")
        path.symlink_to(tmp_path / "victim")
    tree.publish(*made, options=ALL)
    assert path.read_bytes() == good
    assert not path.is_symlink()
    if how == "linked":
        assert (tmp_path / "victim").read_bytes() == b"precious"


def test_a_link_in_place_of_a_staged_file_is_not_written_through(tree: Tree, tmp_path: Path) -> None:
    made = items(tree, *OLD)
    (tmp_path / "victim").write_bytes(b"precious")
    (tree.folder() / f".{JSON}.new").symlink_to(tmp_path / "victim")
    tree.publish(*made)
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert set(read_all(tree.folder())[JSON]) == set(OLD)


# -------------------------------------------------------------------------------- withdraw, and links


def test_withdrawing_takes_the_metadata_and_leaves_the_packages(tree: Tree) -> None:
    made = items(tree, *OLD)
    tree.publish(*made, options=ALL)
    removed = publish.withdraw(tree.store, tree.inventory, "c", "linux-64")
    assert {path.name for path in removed} >= {JSON, ZST, BZ2, SHARDS}
    assert set(tree.names()) == set(OLD)
    assert tree.inventory.published("c", "linux-64") is None
    assert set(read_all(tree.folder(subdir="noarch"))[JSON]) == set(OLD)
    assert publish.withdraw(tree.store, tree.inventory, "c", "linux-64") == []
    assert publish.withdraw(tree.store, tree.inventory, "never", "was-64") == []


def test_publishing_and_withdrawing_never_follow_a_link(tree: Tree, tmp_path: Path) -> None:
    made = items(tree, *OLD)
    tree.publish(*made)
    elsewhere = tmp_path / "elsewhere"
    (tree.root / "c").rename(elsewhere)
    (tree.root / "c").symlink_to(elsewhere)
    before = stored_files(elsewhere)
    with pytest.raises(TargetError):
        publish.withdraw(tree.store, tree.inventory, "c", "linux-64")
    tree.inventory.set_published("c", "linux-64", None)
    with pytest.raises(TargetError):
        tree.publish(*made)
    assert stored_files(elsewhere) == before


def test_a_folder_that_may_not_be_written_says_so(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    made = items(tree, *OLD)
    monkeypatch.setattr(os, "access", lambda *_args: False)
    with pytest.raises(TargetError, match="owner and mode"):
        tree.publish(*made)


def test_what_was_published_is_noted_for_the_next_run(tree: Tree) -> None:
    index = tree.index(table(*OLD, ("x-1-0.conda", {})))
    tree.publish(Item("linux-64", index, keep(index, "a-1-0.conda")))
    noted = tree.inventory.published("c", "linux-64")
    assert noted is not None
    assert (noted.records, noted.upstream) == (1, 4)


def test_a_refused_record_is_in_no_encoding(tree: Tree) -> None:
    body = table("a-1-0.conda")
    body["packages"]["../../evil-1-0.tar.bz2"] = record("evil-1-0.tar.bz2")
    body["packages.conda"]["odd name-1-0.conda"] = record("b-1-0.conda")
    index = tree.index(body)
    tree.publish(Item("linux-64", index, all_of(index)), options=ALL)
    assert all(set(records) == {"a-1-0.conda"} for records in read_all(tree.folder()).values())
    assert sorted(path.name for path in tree.root.parent.iterdir()) == ["root", "state"]
