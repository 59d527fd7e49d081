"""Plans: what is wanted against what lies in the tree."""

import hashlib
import json
from typing import Any

import msgspec
import pytest

from mirrortui.catalog import cache
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.index import SubdirIndex
from mirrortui.config import Channel, MirrorConfig, Prune, Transfer
from mirrortui.errors import ConfigError
from mirrortui.mirror import planning
from mirrortui.mirror.inventory import Published
from mirrortui.mirror.plan import Plan, Totals
from mirrortui.mirror.planning import SubdirWork
from mirrortui.mirror.presence import presence
from mirrortui.mirror.store import Disk
from mirrortui.selection.select import select
from tests.unit.catalog.made import content, missing, record, table
from tests.unit.mirror.tree import Tree

NOW = 1_700_000_000.0
DAY = 86400.0
PAIR = ("c", "linux-64")


def size(*fns: str) -> Totals:
    return Totals(len(fns), sum(len(content(fn)) for fn in fns))


def work(tree: Tree, config: MirrorConfig, *indexes: SubdirIndex, now: float = NOW) -> planning.Work:
    catalog = Catalog({(i.channel, i.subdir): i for i in indexes})
    here = {(i.channel, i.subdir): presence(i, tree.store, tree.inventory) for i in indexes}
    return planning.work(config, select(catalog, config), here, now)


def plan(
    tree: Tree,
    config: MirrorConfig,
    *indexes: SubdirIndex,
    now: float = NOW,
    free: int = 10**12,
    confirmed: bool = False,
) -> Plan:
    todo = work(tree, config, *indexes, now=now)
    return planning.plan(config, todo, tree.inventory, Disk(free, free), now=now, confirmed=confirmed)


def names(index: SubdirIndex, mask: Any) -> list[str]:
    return index.fns(mask)


def test_an_empty_tree_is_all_to_add(tree: Tree) -> None:
    index = tree.index(table("a-1-0.conda", "b-1-0.conda", "b-1-0.tar.bz2"))
    made = plan(tree, tree.config(), index)
    assert made.total("add") == size("a-1-0.conda", "b-1-0.conda", "b-1-0.tar.bz2")
    assert made.needed == made.total("add").bytes
    assert not made.empty
    assert {kind: made.total(kind).files for kind in ("replace", "keep", "drop", "prune_due")} == {
        "replace": 0,
        "keep": 0,
        "drop": 0,
        "prune_due": 0,
    }


def test_each_file_is_in_exactly_one_of_the_sums(tree: Tree) -> None:
    index = tree.index(
        table("kept-1-0.conda", "new-1-0.conda", "changed-1-0.conda", "unknown-1-0.conda", "unwanted-1-0.conda")
    )
    tree.put("kept-1-0.conda", "unwanted-1-0.conda", "gone-1-0.conda")
    tree.put("changed-1-0.conda")
    entry = tree.inventory.entries(*PAIR)["changed-1-0.conda"]
    tree.inventory.put(*PAIR, [entry._replace(digest=b"x" * 32)])
    tree.put("unknown-1-0.conda", known=False)
    tree.put("old-1-0.conda", dropped=NOW - 8 * DAY)
    tree.put("young-1-0.conda", dropped=NOW - 6 * DAY)
    config = tree.config(exclude=("unwanted",))
    item = work(tree, config, index)[PAIR]
    assert names(index, item.keep) == ["kept-1-0.conda"]
    assert names(index, item.add) == ["new-1-0.conda"]
    assert names(index, item.replace) == ["changed-1-0.conda"]
    assert names(index, item.check) == ["unknown-1-0.conda"]
    assert sorted(e.fn for e in item.leaving) == ["gone-1-0.conda", "unwanted-1-0.conda"]
    assert [e.fn for e in item.due] == ["old-1-0.conda"]
    made = plan(tree, config, index)
    assert made.total("keep") == size("kept-1-0.conda", "unknown-1-0.conda")
    assert made.total("drop") == size("gone-1-0.conda", "unwanted-1-0.conda")
    assert made.total("prune_due") == size("old-1-0.conda")
    assert any("1 file on disk was never verified here; the run hashes it first" in w for w in made.warnings)
    assert {f.fn for f in made.drops} == {"gone-1-0.conda", "unwanted-1-0.conda"}


def test_a_file_of_another_kind_of_hash_is_known_by_the_one_it_has(tree: Tree) -> None:
    tree.put("a-1-0.conda", "b-1-0.conda", "c-1-0.conda", "d-1-0.conda")
    entries = tree.inventory.entries(*PAIR)
    md5 = {fn: e._replace(digest=hashlib.md5(content(fn)).digest()) for fn, e in entries.items()}
    tree.inventory.put(*PAIR, [md5["a-1-0.conda"]])
    body = table(
        "a-1-0.conda",
        ("b-1-0.conda", {"sha256": ...}),
        ("c-1-0.conda", {"sha256": ..., "md5": ...}),
        ("d-1-0.conda", {"sha256": ..., "md5": ..., "size": 5}),
    )
    index = tree.index(body)
    item = work(tree, tree.config(), index)[PAIR]
    # a: verified by md5, which the record has too. b: verified by sha256, which the record no longer says. c: size is all there is.
    assert names(index, item.keep) == ["a-1-0.conda", "c-1-0.conda"]
    assert names(index, item.replace) == ["b-1-0.conda", "d-1-0.conda"]


def test_an_entry_without_its_file_counts_for_nothing(tree: Tree) -> None:
    tree.put("a-1-0.conda", "gone-1-0.conda")
    for fn in ("a-1-0.conda", "gone-1-0.conda"):
        (tree.folder() / fn).unlink()
    index = tree.index(table("a-1-0.conda"))
    item = work(tree, tree.config(), index)[PAIR]
    assert names(index, item.add) == ["a-1-0.conda"]
    assert item.leaving == ()


def test_a_file_nobody_verified_and_no_index_names_is_left_out_of_everything(tree: Tree) -> None:
    tree.put("mine-1-0.conda", known=False)
    made = plan(tree, tree.config(), tree.index(table("a-1-0.conda")))
    assert made.total("drop") == made.total("prune_due") == Totals()


def test_a_subdir_that_vanished_upstream_deletes_nothing(tree: Tree) -> None:
    tree.put("a-1-0.conda")
    tree.put("old-1-0.conda", dropped=NOW - 90 * DAY)
    item = work(tree, tree.config(), missing(tree.state))[PAIR]
    assert (item.leaving, item.due) == ((), ())
    assert plan(tree, tree.config(), missing(tree.state)).empty


def test_a_channel_that_the_config_no_longer_names_leaves(tree: Tree) -> None:
    tree.put("a-1-0.conda", channel="gone", subdir="noarch")
    tree.put("b-1-0.conda", channel="gone", subdir="noarch", dropped=NOW - 90 * DAY)
    tree.put("c-1-0.conda", channel="c", subdir="osx-64")
    made = plan(tree, tree.config(), tree.index(table()))
    assert planning.gone(tree.config(), tree.inventory) == [("c", "osx-64"), ("gone", "noarch")]
    assert made.total("drop") == size("a-1-0.conda", "c-1-0.conda")
    assert made.total("prune_due") == size("b-1-0.conda")


def test_what_is_never_deleted_is_not_announced_as_due(tree: Tree) -> None:
    tree.put("glibc-1-0.conda", "other-1-0.conda", dropped=NOW - 90 * DAY)
    tree.put("glibc-2-0.conda", channel="gone", dropped=NOW - 90 * DAY)
    made = plan(tree, tree.config(prune=Prune(never=("glibc",))), tree.index(table()))
    assert made.total("prune_due") == size("other-1-0.conda")


def test_without_pruning_nothing_is_due(tree: Tree) -> None:
    tree.put("old-1-0.conda", dropped=NOW - 90 * DAY)
    made = plan(tree, tree.config(prune=Prune(enabled=False)), tree.index(table("a-1-0.conda")))
    assert made.total("prune_due") == Totals()


@pytest.mark.parametrize(
    ("grace", "age", "due"),
    [
        ("7 days", 7 * DAY, True),
        ("7 days", 7 * DAY - 1, False),
        ("", 0.0, True),
        ("", -5.0, False),
        ("1 hour", 3600.0, True),
    ],
)
def test_the_grace_period_is_to_the_second(tree: Tree, grace: str, age: float, due: bool) -> None:
    tree.put("old-1-0.conda", dropped=NOW - age)
    made = plan(tree, tree.config(prune=Prune(grace=grace)), tree.index(table()))
    assert made.total("prune_due").files == int(due)


def test_without_a_grace_what_leaves_now_is_due_now(tree: Tree) -> None:
    tree.put("a-1-0.conda", "b-1-0.conda", "never-1-0.conda")
    tree.put("old-1-0.conda", dropped=NOW - 1)
    tree.put("c-1-0.conda", channel="gone")
    index = tree.index(table("a-1-0.conda", "b-1-0.conda"))
    options = {"never": ("never",), "max_share": 1.0}
    made = plan(tree, tree.config(prune=Prune(grace="0 days", **options), exclude=("b",)), index)  # type: ignore[arg-type]
    assert made.total("drop") == size("b-1-0.conda", "never-1-0.conda", "c-1-0.conda")
    assert made.total("prune_due") == size("b-1-0.conda", "old-1-0.conda", "c-1-0.conda")
    made = plan(tree, tree.config(prune=Prune(grace="1 s", **options), exclude=("b",)), index)  # type: ignore[arg-type]
    assert made.total("prune_due") == size("old-1-0.conda")
    off = Prune(grace="", enabled=False)
    assert plan(tree, tree.config(prune=off, exclude=("b",)), index).total("prune_due") == Totals()


def test_that_the_guard_will_refuse_is_said_unless_it_is_confirmed(tree: Tree) -> None:
    tree.put("a-1-0.conda", "b-1-0.conda")
    index = tree.index(table("a-1-0.conda", "b-1-0.conda"))
    config = tree.config(prune=Prune(grace="", max_share=0.4), exclude=("b",))
    said = (
        "nothing will be deleted: 1 files would be deleted, 50% of the mirror; [prune] max_share allows 40%; "
        "if that is meant, run it with --confirm-prune"
    )
    assert said in plan(tree, config, index).warnings
    assert said not in plan(tree, config, index, confirmed=True).warnings
    for harmless in (Prune(grace="", max_share=0.5), Prune(grace="1 day", max_share=0.4), Prune(enabled=False)):
        made = plan(tree, tree.config(prune=harmless, exclude=("b",)), index)
        assert not any("deleted" in warning for warning in made.warnings)
    # What comes in this run counts as mirrored by then.
    index = tree.index(table("a-1-0.conda", "b-1-0.conda", "c-1-0.conda"))
    assert said not in plan(tree, config, index).warnings


def test_that_a_shrunken_channel_will_be_held_is_said(tree: Tree) -> None:
    tree.put("a-1-0.conda")
    tree.inventory.set_published(*PAIR, Published("key", "", 10, 10))
    index = tree.index(table("a-1-0.conda"))
    said = (
        "c will be left as it is, and nothing will be deleted: the upstream index of c/linux-64 has shrunk from 10 to 1 "
        "records; if that is meant, run it with --confirm-prune"
    )
    assert said in plan(tree, tree.config(), index).warnings
    assert said not in plan(tree, tree.config(), index, confirmed=True).warnings
    assert said not in plan(tree, tree.config(prune=Prune(max_share=0.9)), index).warnings


def test_that_a_damaged_snapshot_keeps_everything_is_said(tree: Tree) -> None:
    lost = tree.root / "snapshots" / "day" / "c" / "linux-64"
    lost.mkdir(parents=True)
    (lost.parents[1] / ".snapshot.json").write_text("{")
    tree.put("old-1-0.conda", dropped=NOW - 90 * DAY)
    made = plan(tree, tree.config(), tree.index(table()))
    assert made.total("prune_due") == Totals()
    assert any("nothing of c is deleted, since snapshot day is damaged" in warning for warning in made.warnings)


def test_a_file_that_was_found_wrong_is_checked_again_or_leaves(tree: Tree) -> None:
    tree.put("a-1-0.conda", "b-1-0.conda", "gone-1-0.conda")
    tree.inventory.doubt(*PAIR, ["a-1-0.conda", "b-1-0.conda", "gone-1-0.conda"])
    index = tree.index(table("a-1-0.conda", "b-1-0.conda"))
    item = work(tree, tree.config(exclude=("b",)), index)[PAIR]
    assert names(index, item.check) == ["a-1-0.conda"]
    assert names(index, item.keep | item.add | item.replace) == []
    assert sorted(entry.fn for entry in item.leaving) == ["b-1-0.conda", "gone-1-0.conda"]
    tree.inventory.mark_verified(*PAIR, ["a-1-0.conda"], NOW)
    assert names(index, work(tree, tree.config(), index)[PAIR].keep) == ["a-1-0.conda"]


def test_the_same_inputs_have_the_same_id_and_others_another(tree: Tree) -> None:
    body = table("a-1-0.conda", "b-1-0.conda")
    index = tree.index(body)
    first = plan(tree, tree.config(), index)
    assert plan(tree, tree.config(), index, now=NOW + 5).id == first.id
    index = tree.index(body)
    assert plan(tree, tree.config(), index).id == first.id  # fetched anew, the same bytes
    seen = {
        first.id,
        plan(tree, tree.config(exclude=("b",)), index).id,
        plan(tree, tree.config(prune=Prune(grace="1 day")), index).id,
    }
    index = tree.index(table("a-1-0.conda", "b-1-0.conda", "c-1-0.conda"))
    seen.add(plan(tree, tree.config(), index).id)
    tree.put("a-1-0.conda")
    seen.add(plan(tree, tree.config(), index).id)
    tree.put("z-1-0.conda")
    seen.add(plan(tree, tree.config(), index).id)
    assert len(seen) == 6


def test_the_id_changes_when_a_channel_leaves(tree: Tree) -> None:
    index = tree.index(table("a-1-0.conda"))
    before = plan(tree, tree.config(), index)
    tree.put("z-1-0.conda", channel="gone")
    after = plan(tree, tree.config(), index)
    assert after.total("drop").files == 1
    assert after.id != before.id


def test_what_does_not_fit_is_said_and_time_is_reckoned(tree: Tree) -> None:
    index = tree.index(table(("a-1-0.conda", {"size": 3_000_000}), ("b-1-0.conda", {"size": None}), "c-1-0.conda"))
    config = tree.config()
    config = msgspec.structs.replace(config, transfer=Transfer(limit="1 MB/s"))
    made = plan(tree, config, index, free=1000)
    assert any("do not fit" in w for w in made.warnings)
    assert any("1 files to fetch have no size" in w for w in made.warnings)
    assert made.eta == pytest.approx(made.needed / 1e6)
    assert made.largest[0].fn == "a-1-0.conda"
    assert made.largest[-1].bytes == 0
    assert plan(tree, tree.config(), index).eta is None


def test_records_that_were_refused_are_told(tree: Tree) -> None:
    body = table("a-1-0.conda")
    body["packages"]["../x.tar.bz2"] = body["packages.conda"]["a-1-0.conda"]
    made = plan(tree, tree.config(), tree.index(body))
    assert any("1 records were left out" in w for w in made.warnings)


def test_the_largest_are_the_largest_over_all_subdirs(tree: Tree) -> None:
    config = tree.config([Channel(name="c", upstreams=("https://up/c",), subdirs=("linux-64", "noarch"))])
    one = tree.index(table(*((f"a{i}-1-0.conda", {"size": 1000 + i}) for i in range(30))))
    two = tree.index(table(*((f"b{i}-1-0.conda", {"size": 1015 + i}) for i in range(30))), subdir="noarch")
    made = plan(tree, config, one, two)
    assert len(made.largest) == planning.SAMPLE
    assert [f.bytes for f in made.largest] == sorted([1000 + i for i in range(30)] + [1015 + i for i in range(30)])[
        ::-1
    ][:20]


def test_a_rule_that_cannot_be_read_is_the_operators_error(tree: Tree) -> None:
    with pytest.raises(ConfigError):
        plan(tree, tree.config(prune=Prune(never=("[[",))), tree.index(table()))


def test_a_replaced_entry_is_never_fetched(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.unpacked, "__defaults__", (16,))
    old, new = (json.dumps(record("a-1-0.conda", size=n, sha256=s * 64)) for n, s in ((1, "a"), (2, "b")))
    index = tree.index(f'{{"packages.conda":{{"a-1-0.conda":{old},"a-1-0.conda":{new}}}}}'.encode())
    assert index.rows == 2
    made = plan(tree, tree.config(), index)
    assert made.total("add") == Totals(1, 2)


def test_the_json_form_is_stable(tree: Tree) -> None:
    out = plan(tree, tree.config(), tree.index(table("a-1-0.conda"))).to_json()
    assert {
        "id",
        "created",
        "add",
        "replace",
        "keep",
        "drop",
        "prune_due",
        "subdirs",
        "largest",
        "disk",
        "eta",
        "warnings",
    } <= set(out)
    assert json.loads(json.dumps(out)) == out
    assert out["add"] == {"files": 1, "bytes": len(content("a-1-0.conda"))}
    assert out["subdirs"][0]["subdir"] == "linux-64"


def test_a_work_is_immutable(tree: Tree) -> None:
    item = work(tree, tree.config(), tree.index(table("a-1-0.conda")))[PAIR]
    assert isinstance(item, SubdirWork)
    with pytest.raises(AttributeError):
        item.add = item.keep  # type: ignore[misc]
