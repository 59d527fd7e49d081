"""Published metadata is looked at as packages are: every byte of it, live and in snapshots."""

import bz2
import json

import msgspec
import pytest
import zstandard

from mirrortui.config import Publish
from mirrortui.mirror import channeldata, digests, metadata, publish, shards, snapshots
from mirrortui.mirror import mark as marks
from mirrortui.mirror.digests import Halted, Reader
from mirrortui.mirror.faults import Bad
from mirrortui.mirror.rollback import roll_back
from mirrortui.mirror.verify import verify
from tests.unit.mirror.damage import flip, wrong
from tests.unit.mirror.releases import PAIRS, publish_new, publish_old
from tests.unit.mirror.tree import PLAIN, Tree, stored_files

pytestmark = pytest.mark.usefixtures("no_waiting")

PAIR = ("c", "linux-64")
KINDS = (
    "repodata.json",
    "repodata.json.zst",
    "repodata.json.bz2",
    "current_repodata.json",
    "current_repodata.json.zst",
)
KINDS += ("run_exports.json", "run_exports.json.zst", shards.INDEX)


@pytest.fixture
def old(tree: Tree) -> Tree:
    """A tree with the first generation published, in all encodings."""
    publish_old(tree)
    return tree


def test_what_was_just_published_is_right(old: Tree) -> None:
    before = stored_files(old.root)
    found = verify(old.store, old.inventory)
    assert (found.bad, found.orphans) == ([], [])
    assert found.metadata == 2 * len(KINDS) + len({p.name for p in old.root.rglob("shards/*")}) * 2 + 1
    assert stored_files(old.root) == before


def test_a_flipped_byte_is_found_in_every_file(old: Tree) -> None:
    for kind in KINDS:
        flip(old.folder() / kind)
        assert wrong(old) == [(f"c/linux-64/{kind}", "hash")]
        flip(old.folder() / kind)
    assert wrong(old) == []


def test_a_file_that_was_published_and_is_gone_is_missed(old: Tree) -> None:
    for kind in KINDS:
        path = (old.folder() / kind).rename(old.root / "away")
        assert wrong(old) == [(f"c/linux-64/{kind}", "missing")]
        assert metadata.missing(old.store, old.inventory) == [f"c/linux-64/{kind}"]
        path.rename(old.folder() / kind)
    assert metadata.missing(old.store, old.inventory) == []


@pytest.mark.parametrize("how", ["hash", "missing", "link"])
def test_shards_are_known_by_their_names(old: Tree, how: str) -> None:
    shard = min((old.folder() / "shards").iterdir())
    if how == "hash":
        flip(shard)
    else:
        moved = shard.rename(old.root / "elsewhere")
        if how == "link":
            shard.symlink_to(moved)
    assert wrong(old) == [(f"c/linux-64/shards/{shard.name}", "unreadable" if how == "link" else how)]


def test_channeldata_is_looked_at(old: Tree) -> None:
    path = old.root / "c" / channeldata.NAME
    flip(path)
    assert wrong(old) == [("c/channeldata.json", "hash")]
    path.unlink()
    assert wrong(old) == [("c/channeldata.json", "missing")]


@pytest.mark.parametrize("name", ["repodata.json.bz2", "repodata.jlap", "repodata_from_packages.json"])
def test_metadata_that_nobody_published_is_stray(tree: Tree, name: str) -> None:
    publish_old(tree, PLAIN)
    (tree.folder() / name).write_text("{}")
    assert wrong(tree) == [(f"c/linux-64/{name}", "stray")]


def test_a_subdir_that_was_withdrawn_is_not_missed(old: Tree) -> None:
    for pair in PAIRS:
        publish.withdraw(old.store, old.inventory, *pair)
    assert wrong(old) == []
    assert metadata.missing(old.store, old.inventory) == []


def test_a_second_release_and_a_rollback_are_noted_too(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    publish_new(old)
    assert wrong(old) == []
    roll_back(old.store, old.inventory, "day")
    assert wrong(old) == []
    flip(old.folder() / "repodata.json")  # a hard link of the snapshot's
    assert [path for path, _ in wrong(old)] == ["c/linux-64/repodata.json", "snapshots/day/c/linux-64/repodata.json"]


# ------------------------------------------------------------- published by an older version, without digests


def forget_digests(tree: Tree) -> None:
    for pair in PAIRS:
        last = tree.inventory.published(*pair)
        assert last is not None
        tree.inventory.set_published(*pair, last._replace(digests="{}"))


def test_without_digests_the_files_must_fit_each_other(old: Tree) -> None:
    forget_digests(old)
    assert wrong(old) == []
    body = (old.folder() / "repodata.json").read_bytes().replace(b'"size"', b'"sizf"', 1)
    (old.folder() / "repodata.json").write_bytes(body)
    assert wrong(old) == [("c/linux-64/repodata.json.bz2", "hash"), ("c/linux-64/repodata.json.zst", "hash")]
    (old.folder() / "repodata.json.zst").write_bytes(zstandard.compress(body))
    (old.folder() / "repodata.json.bz2").write_bytes(bz2.compress(body))
    assert wrong(old) == []
    (old.folder() / "repodata.json.zst").write_bytes(zstandard.compress(body)[:-9])
    assert wrong(old) == [("c/linux-64/repodata.json.zst", "hash")]
    (old.folder() / "repodata.json").unlink()
    assert wrong(old) == [("c/linux-64/repodata.json", "missing")]


def test_without_digests_a_broken_index_is_still_told(tree: Tree) -> None:
    publish_old(tree, Publish(zst=False, shards=False, current=False, run_exports=False, channeldata=False))
    forget_digests(tree)
    (tree.folder() / "repodata.json").write_bytes(b'{"packages": {')
    assert wrong(tree) == [("c/linux-64/repodata.json", "hash")]


def test_the_next_publish_notes_them_and_leaves_the_files_alone(old: Tree) -> None:
    forget_digests(old)
    before = stored_files(old.root)
    publish_old(old)
    assert {k: v for k, v in stored_files(old.root).items() if "repodata" in k} == {
        k: v for k, v in before.items() if "repodata" in k
    }
    last = old.inventory.published(*PAIR)
    assert last is not None
    assert set(msgspec.json.decode(last.digests)) == set(KINDS)


# -------------------------------------------------------------------------------------------- snapshots


def test_a_snapshots_files_are_looked_at(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    publish_new(old)
    for kind in KINDS:
        path = old.root / "snapshots" / "day" / "c" / "noarch" / kind
        flip(path)
        assert wrong(old) == [(f"snapshots/day/c/noarch/{kind}", "hash")]
        moved = path.rename(old.root / "away")
        assert wrong(old) == [(f"snapshots/day/c/noarch/{kind}", "missing")]
        flip(moved)
        moved.rename(path)
    assert wrong(old) == []


def test_a_lost_mark_is_told_and_a_foreign_folder_is_not(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    (old.root / "snapshots" / "foreign").mkdir()
    mark = old.root / "snapshots" / "day" / marks.MARK
    mark.write_text("{")
    assert wrong(old) == [("snapshots/day/.snapshot.json", "unreadable")]
    mark.unlink()
    assert wrong(old) == [("snapshots/day/.snapshot.json", "missing")]


def test_one_of_an_older_version_is_checked_by_what_is_there(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    place = old.root / "snapshots" / "day"
    raw = json.loads((place / marks.MARK).read_text())
    del raw["digests"]
    (place / marks.MARK).write_text(json.dumps(raw))
    assert wrong(old) == []
    publish_new(old)
    flip(place / "c" / "noarch" / "repodata.json")
    assert {path for path, _ in wrong(old)} >= {"snapshots/day/c/noarch/repodata.json.zst"}
    (place / "c" / "noarch" / "repodata.json").unlink()
    assert wrong(old) == [("snapshots/day/c/noarch/repodata.json", "missing")]


def test_files_of_one_inode_are_read_once(old: Tree) -> None:
    for name in ("a", "b", "c"):
        snapshots.create(old.store, old.inventory, name)
    reader = Reader()
    for pair in PAIRS:
        last = old.inventory.published(*pair)
        assert last is not None
        for base in (old.root, *(old.root / "snapshots" / name for name in ("a", "b", "c"))):
            assert digests.check(base.joinpath(*pair), pair, digests.noted(last), reader) == []
    assert verify(old.store, old.inventory).metadata == reader.files + 1  # channeldata


def test_the_words_of_a_bad_file() -> None:
    assert Bad("c", "", "channeldata.json", "missing", "").path == "c/channeldata.json"
    assert Bad("snapshots/day/c", "noarch", "x", "missing", "").snapshot == "day"
    assert Bad("snap/day/c", "noarch", "x", "missing", "").snapshot == ""


def test_a_pass_that_is_stopped_reads_no_more(old: Tree) -> None:
    flip(old.folder() / "repodata.json")
    assert metadata.verify(old.store, old.inventory, stopped=lambda: True).files == 0
    reader = Reader()
    reader.halt.set()
    with pytest.raises(Halted):
        reader.sums(old.folder() / "repodata.json.zst")
