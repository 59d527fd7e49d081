"""Package files that snapshots need: not pruned while one names them, kept when upstream replaces them."""

import errno
import hashlib
import os
import shutil
import time

import pytest

from mirrortui.config import Prune
from mirrortui.errors import MirrorError
from mirrortui.mirror import mark, prune, retention, snapshots
from mirrortui.mirror.inventory import Entry
from mirrortui.mirror.records import NAMES, Record
from tests.unit.mirror.releases import CHANGED, GONE, NEW, NEW_BYTES, OLD_BYTES, PAIRS, SAME, publish_new, publish_old
from tests.unit.mirror.tree import PLAIN, Tree

pytestmark = pytest.mark.usefixtures("no_waiting")

PAIR = ("c", "linux-64")
DAY = 86400.0


@pytest.fixture
def moved(tree: Tree) -> Tree:
    """A tree with a snapshot `day`; since then GONE has gone, long ago."""
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    publish_new(tree, PLAIN, now=1.0)
    return tree


def due(tree: Tree, now: float, grace: str = "7 days") -> set[str]:
    found = prune.due(tree.config(prune=Prune(grace=grace, max_share=1.0)), tree.inventory, PAIRS, now)
    return {entry.fn for entries in found.values() for entry in entries}


def test_nothing_that_a_snapshot_names_is_pruned_until_the_grace_after_it(moved: Tree) -> None:
    now = time.time()
    assert due(moved, now) == due(moved, now + 1e9, "") == set()
    snapshots.create(moved.store, moved.inventory, "night")
    snapshots.delete(moved.store, moved.inventory, "night")
    assert due(moved, now + 1e9) == set()
    snapshots.delete(moved.store, moved.inventory, "day")
    assert due(moved, now) == set()
    assert due(moved, now + 6.9 * DAY) == set()
    assert due(moved, now + 7.1 * DAY) == {GONE}
    todo = prune.due(moved.config(), moved.inventory, PAIRS, now + 8 * DAY)
    assert prune.prune(moved.store, moved.inventory, todo).files == 2
    assert moved.store.names(*PAIR) == {SAME, CHANGED, NEW}


def test_files_that_no_snapshot_names_are_pruned_beside_those_that_one_does(moved: Tree) -> None:
    moved.put("stale-1-0.conda", dropped=1.0)
    assert due(moved, time.time()) == {"stale-1-0.conda"}


@pytest.mark.parametrize("how", ["gone", "empty", "broken", "cut off"])
def test_without_its_list_of_names_a_snapshot_is_read_in_full(moved: Tree, how: str) -> None:
    path = moved.root / "snapshots" / "day" / "c" / "linux-64" / NAMES
    data = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes({"empty": b"", "broken": data[:-4] + b"oops", "cut off": data[:-5]}[how])
    moved.put("stale-1-0.conda", dropped=1.0)
    assert due(moved, time.time()) == {"stale-1-0.conda"}


@pytest.mark.parametrize("how", ["cut off", "gone", "folder gone"])
def test_a_snapshot_that_cannot_be_read_keeps_everything_and_is_told_of(moved: Tree, how: str) -> None:
    folder = moved.root / "snapshots" / "day" / "c" / "linux-64"
    (folder / NAMES).unlink()
    (folder / "repodata.json").unlink()
    if how == "cut off":
        (folder / "repodata.json").write_text('{"packages": {')
    if how == "folder gone":
        shutil.rmtree(folder)
    moved.put("stale-1-0.conda", dropped=1.0)
    told: list[str] = []
    config = moved.config(prune=Prune(grace="", max_share=1.0))
    assert prune.due(config, moved.inventory, PAIRS, time.time(), told.append) == {}
    assert all("snapshot day is damaged" in text for text in told)
    assert told
    assert bool(retention.doubts(moved.store, ["c"])) == (how != "cut off")
    assert retention.doubts(moved.store, ["other"]) == []


def test_one_without_its_mark_still_protects(moved: Tree) -> None:
    (moved.root / "snapshots" / "day" / mark.MARK).unlink()
    assert [bool(snapshot.damaged) for snapshot in snapshots.listed(moved.store)] == [True]
    moved.put("stale-1-0.conda", dropped=1.0)
    assert due(moved, time.time()) == set()
    assert "what it holds is not known" in retention.doubts(moved.store, ["c"])[0]


def test_what_is_replaced_is_kept_for_a_snapshot_that_cannot_be_read(tree: Tree) -> None:
    """Nobody knows whether it means that very file; keeping it costs a name."""
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    folder = tree.root / "snapshots" / "day" / "c" / "linux-64"
    (folder / "repodata.json").unlink()
    publish_new(tree, PLAIN)
    assert list(retention.kept(folder.parents[1], PAIR)) == [CHANGED]
    assert (folder / CHANGED).read_bytes() == OLD_BYTES


def test_a_file_that_is_known_to_be_bad_is_not_kept(tree: Tree) -> None:
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    tree.inventory.doubt(*PAIR, [CHANGED])
    publish_new(tree, PLAIN)
    assert retention.kept(tree.root / "snapshots" / "day", PAIR) == {}


def test_each_snapshot_keeps_the_file_it_means(moved: Tree) -> None:
    """Three generations under one name: the second is frozen, too; a later snapshot has nothing to keep."""
    snapshots.create(moved.store, moved.inventory, "night")
    publish_new(moved, PLAIN, build=b"a third build")
    snapshots.create(moved.store, moved.inventory, "morning")
    home = moved.root / "snapshots"
    assert (home / "day" / "c" / "linux-64" / CHANGED).read_bytes() == OLD_BYTES
    assert (home / "night" / "c" / "linux-64" / CHANGED).read_bytes() == NEW_BYTES
    assert list(retention.kept(home / "morning", PAIR)) == []
    assert list(retention.kept(home / "day", PAIR)) == [CHANGED]
    assert not [path for path in home.rglob("*.conda") if path.name != CHANGED]


def test_a_file_that_is_not_the_one_a_snapshot_means_is_of_no_use_to_it(tree: Tree) -> None:
    """It was lost, and upstream had another one under its name by then."""
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    path = tree.folder() / CHANGED
    path.write_bytes(b"other")
    tree.inventory.put(*PAIR, [Entry(CHANGED, 5, 0, hashlib.sha256(b"other").digest())])
    retention.keep_replaced(tree.store, tree.inventory, PAIR, {CHANGED})
    path.unlink()
    retention.keep_replaced(tree.store, tree.inventory, PAIR, {CHANGED})
    tree.inventory.forget(*PAIR, [CHANGED])
    retention.keep_replaced(tree.store, tree.inventory, PAIR, {CHANGED})
    assert retention.kept(tree.root / "snapshots" / "day", PAIR) == {}


def test_only_what_a_snapshot_names_is_kept_for_it(moved: Tree) -> None:
    retention.keep_replaced(moved.store, moved.inventory, PAIR, {NEW, SAME, "never-1-0.conda"})
    assert set(retention.kept(moved.root / "snapshots" / "day", PAIR)) == {CHANGED, SAME}
    retention.keep_replaced(moved.store, moved.inventory, ("c", "osx-64"), {SAME})
    assert retention.kept(moved.root / "snapshots" / "day", ("c", "osx-64")) == {}


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EIO])
def test_where_the_old_file_cannot_be_linked_it_is_copied_or_the_run_stops(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")

    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    if number == errno.EIO:
        with pytest.raises(MirrorError):
            retention.keep_replaced(tree.store, tree.inventory, PAIR, {CHANGED})
        return
    retention.keep_replaced(tree.store, tree.inventory, PAIR, {CHANGED})
    kept = retention.kept(tree.root / "snapshots" / "day", PAIR)[CHANGED]
    assert kept.read_bytes() == OLD_BYTES
    assert not kept.samefile(tree.folder() / CHANGED)


SHA, MD5 = "ab" * 32, "cd" * 16


@pytest.mark.parametrize(
    ("record", "digest", "size", "fits"),
    [
        (Record(10, SHA, MD5), bytes.fromhex(SHA), 10, True),
        (Record(10, SHA, MD5), bytes.fromhex(MD5), 10, True),
        (Record(10, SHA.upper(), ""), bytes.fromhex(SHA), 10, True),
        (Record(10, SHA, MD5), bytes(32), 10, False),
        (Record(10, "", MD5), bytes.fromhex(MD5), 10, True),
        (Record(10, "", MD5), bytes.fromhex(SHA), 10, False),
        (Record(10), bytes(32), 10, True),
        (Record(10), bytes(32), 11, False),
        (Record(), bytes(32), 11, True),
        (Record("10", None, ["x"]), bytes(32), 11, False),
        (Record(10, "zz" * 32, 7), bytes(32), 10, True),
    ],
)
def test_which_file_a_record_means(record: Record, digest: bytes, size: int, fits: bool) -> None:
    assert record.fits(digest, size) is fits
