"""Rolling back: the very metadata and packages of a snapshot, and nothing lost on the way there or back."""

import errno
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from mirrortui.config import Prune, Publish
from mirrortui.errors import MirrorError, RefusedError, UsageError
from mirrortui.mirror import prune, shards, snapshots, staging
from mirrortui.mirror.rollback import roll_back
from mirrortui.mirror.verify import verify
from tests.unit.mirror.crashes import Crash
from tests.unit.mirror.releases import (
    CHANGED,
    GONE,
    NEW,
    NEW_BYTES,
    OLD_BYTES,
    PAIRS,
    SAME,
    SUBDIRS,
    publish_new,
    publish_old,
)
from tests.unit.mirror.tree import ALL, PLAIN, Tree, read_all, stored_files

pytestmark = pytest.mark.usefixtures("no_waiting")

BARE = Publish(zst=False, bz2=False, shards=False, current=False, run_exports=False, channeldata=False)
THIRD = b"a third build"


@pytest.fixture
def moved(tree: Tree) -> Tree:
    """A tree with a snapshot `day` of the first generation, and the second one published."""
    publish_old(tree)
    snapshots.create(tree.store, tree.inventory, "day")
    publish_new(tree)
    return tree


def frozen(tree: Tree, name: str = "day") -> Path:
    return tree.root / "snapshots" / name / "c"


def check(tree: Tree, name: str = "day", changed: bytes = OLD_BYTES) -> None:
    """What is live is what the snapshot has, byte by byte, with all packages, and the inventory knows it."""
    for subdir in SUBDIRS:
        for kind in staging.ORDER:
            ours, theirs = tree.folder(subdir=subdir) / kind, frozen(tree, name) / subdir / kind
            assert ours.exists() == theirs.exists(), kind
            assert not ours.exists() or ours.read_bytes() == theirs.read_bytes(), kind
        read_all(tree.folder(subdir=subdir))  # all shards are there
        assert (tree.folder(subdir=subdir) / CHANGED).read_bytes() == changed
        assert not [name for name in tree.names(subdir=subdir) if name.startswith(".")]
    ours, theirs = tree.root / "c" / "channeldata.json", frozen(tree, name) / "channeldata.json"
    assert ours.exists() == theirs.exists()
    assert not ours.exists() or ours.read_bytes() == theirs.read_bytes()
    assert [bad.path for bad in verify(tree.store, tree.inventory).bad] == []


@pytest.mark.parametrize("then", [ALL, PLAIN, BARE])
@pytest.mark.parametrize("now", [ALL, PLAIN, BARE])
def test_metadata_and_packages_come_back_byte_by_byte(tree: Tree, then: Publish, now: Publish) -> None:
    publish_old(tree, then)
    snapshots.create(tree.store, tree.inventory, "day")
    publish_new(tree, now)
    assert roll_back(tree.store, tree.inventory, "day") == PAIRS
    check(tree)
    before = stored_files(tree.root)
    assert roll_back(tree.store, tree.inventory, "day") == PAIRS
    assert stored_files(tree.root) == before
    publish_new(tree, now)
    assert set(read_all(tree.folder())["repodata.json"]) == {SAME, CHANGED, NEW}
    assert (tree.folder() / CHANGED).read_bytes() == NEW_BYTES
    assert (frozen(tree) / "noarch" / CHANGED).read_bytes() == OLD_BYTES


def test_kinds_are_switched_in_order_and_what_is_too_many_goes_last(tree: Tree) -> None:
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    publish_new(tree, ALL)
    with Crash() as watch:
        roll_back(tree.store, tree.inventory, "day")
    done = [
        (step.split()[0], Path(step.split()[-1]).relative_to(tree.root / "c").as_posix())
        for step in watch.seen
        if step.startswith(("replace", "unlink")) and "/." not in step.split()[-1]
    ]
    want = [("replace", f"{subdir}/{CHANGED}") for subdir in SUBDIRS]
    want += [("replace", f"{subdir}/{kind}") for kind in ("repodata.json.zst", "repodata.json") for subdir in SUBDIRS]
    too_many = [kind for kind in staging.ORDER if kind not in ("repodata.json", "repodata.json.zst")]
    want += [("unlink", f"{subdir}/{kind}") for kind in too_many for subdir in SUBDIRS]
    want += [("unlink", "channeldata.json")]
    assert done == want


def test_files_on_their_way_out_are_in_again_and_survive_the_snapshot(moved: Tree) -> None:
    roll_back(moved.store, moved.inventory, "day")
    assert all(entry.dropped is None for pair in PAIRS for entry in moved.inventory.entries(*pair).values())
    snapshots.delete(moved.store, moved.inventory, "day")
    config = moved.config(prune=Prune(grace="", max_share=1.0))
    assert prune.due(config, moved.inventory, PAIRS, time.time() + 1e9) == {}


def test_the_next_run_knows_that_it_has_to_publish_and_how_large_upstream_was(moved: Tree) -> None:
    before = {pair: moved.inventory.published(*pair) for pair in PAIRS}
    for pair, last in before.items():
        assert last is not None
        moved.inventory.set_published(*pair, last._replace(upstream=100))
    roll_back(moved.store, moved.inventory, "day")
    for pair, last in before.items():
        after = moved.inventory.published(*pair)
        assert after is not None
        assert last is not None
        assert (after.records, after.upstream) == (3, 100)
        assert after.key != last.key
    snapshots.create(moved.store, moved.inventory, "again")
    assert snapshots.diff(moved.store, "day", "again") == []


def test_what_other_snapshots_need_is_kept(moved: Tree) -> None:
    """Three generations of one file name, a snapshot of each of the first two; forth and back between them."""
    snapshots.create(moved.store, moved.inventory, "night")
    roll_back(moved.store, moved.inventory, "day")
    check(moved)
    assert (frozen(moved, "night") / "linux-64" / CHANGED).read_bytes() == NEW_BYTES
    publish_new(moved, build=THIRD)
    roll_back(moved.store, moved.inventory, "night")
    check(moved, "night", NEW_BYTES)
    roll_back(moved.store, moved.inventory, "day")
    check(moved)
    for name, data in (("day", OLD_BYTES), ("night", NEW_BYTES)):
        assert {(frozen(moved, name) / subdir / CHANGED).read_bytes() for subdir in SUBDIRS} == {data}


def test_shards_of_the_index_that_goes_stay_for_a_week(moved: Tree) -> None:
    index = moved.folder() / shards.INDEX
    theirs = shards.named_by(index) - shards.named_by(frozen(moved) / "linux-64" / shards.INDEX)
    assert theirs
    for path in (moved.folder() / "shards").iterdir():
        os.utime(path, (1, 1))
    roll_back(moved.store, moved.inventory, "day")
    now = time.time()
    shards.sweep(moved.folder(), now)
    assert theirs <= {path.name for path in (moved.folder() / "shards").iterdir()}
    shards.sweep(moved.folder(), now + shards.KEEP_SECONDS + 60)
    assert not theirs & {path.name for path in (moved.folder() / "shards").iterdir()}
    check(moved)


def test_subdirs_that_the_snapshot_does_not_have_stay(moved: Tree) -> None:
    moved.put(SAME, channel="other")
    (moved.folder("other") / "repodata.json").write_text("{}")
    before = stored_files(moved.folder("other"))
    assert roll_back(moved.store, moved.inventory, "day") == PAIRS
    assert stored_files(moved.folder("other")) == before


def test_a_subdir_that_was_withdrawn_comes_back(moved: Tree) -> None:
    from mirrortui.mirror import publish

    publish.withdraw(moved.store, moved.inventory, "c", "linux-64")
    roll_back(moved.store, moved.inventory, "day")
    check(moved)
    assert moved.inventory.published("c", "linux-64") is not None  # so that a run can withdraw it again


@pytest.mark.parametrize("how", ["missing", "another", "unknown and wrong"])
def test_it_is_refused_where_a_package_is_gone(moved: Tree, how: str) -> None:
    path = moved.folder(subdir="noarch") / GONE
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"other bytes")
        moved.inventory.forget("c", "noarch", [GONE])
        if how == "another":
            entry = moved.inventory.entries("c", "noarch")[SAME]
            moved.inventory.put("c", "noarch", [entry._replace(fn=GONE, digest=bytes(32))])
    before = stored_files(moved.root)
    with pytest.raises(RefusedError, match=f"1 package of snapshot day is gone, for example {GONE}") as refused:
        roll_back(moved.store, moved.inventory, "day")
    assert refused.value.exit_code == 5
    assert stored_files(moved.root) == before


def test_after_the_state_was_lost_files_are_hashed(moved: Tree) -> None:
    snapshots.create(moved.store, moved.inventory, "night")
    for pair in PAIRS:
        moved.inventory.forget(*pair, [SAME, CHANGED, GONE, NEW])
        moved.inventory.set_published(*pair, None)
    roll_back(moved.store, moved.inventory, "day")
    check(moved)
    assert set(moved.inventory.entries("c", "noarch")) == {SAME, CHANGED, GONE}
    roll_back(moved.store, moved.inventory, "night")
    check(moved, "night", NEW_BYTES)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM])
def test_without_hard_links_it_copies(moved: Tree, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    roll_back(moved.store, moved.inventory, "day")
    check(moved)
    assert not (moved.folder() / CHANGED).samefile(frozen(moved) / "linux-64" / CHANGED)


def test_a_live_folder_that_leads_elsewhere_is_not_written_to(moved: Tree, tmp_path: Path) -> None:
    moved.folder().rename(tmp_path / "elsewhere")
    moved.folder().symlink_to(tmp_path / "elsewhere")
    before = stored_files(tmp_path / "elsewhere")
    with pytest.raises(MirrorError, match="a link that leads elsewhere"):
        roll_back(moved.store, moved.inventory, "day")
    assert stored_files(tmp_path / "elsewhere") == before


def test_there_must_be_such_a_snapshot(moved: Tree) -> None:
    with pytest.raises(UsageError, match="Snapshots: day"):
        roll_back(moved.store, moved.inventory, "night")


# ------------------------------------------------------------------------------------- a damaged snapshot


@pytest.mark.parametrize("digests", [True, False])
@pytest.mark.parametrize("how", ["json", "zst", "flipped", "folder", "shard", "cut off", "fewer", "mark"])
def test_a_damaged_snapshot_is_refused_with_nothing_changed(moved: Tree, how: str, digests: bool) -> None:
    folder, mark = frozen(moved) / "linux-64", frozen(moved).parent / ".snapshot.json"
    raw = json.loads(mark.read_text())
    if not digests:  # as an older version of this program made it
        del raw["digests"]
    if how == "fewer":
        raw["records"] += 1
    mark.write_text(json.dumps(raw) if how != "mark" else "{")
    body = (folder / "repodata.json").read_bytes()
    if how == "json":
        for path in folder.glob("repodata.json*"):
            path.unlink()
    elif how == "zst" and digests:  # without, nobody knows that it was there
        (folder / "repodata.json.zst").unlink()
    elif how in ("flipped", "zst"):
        (folder / "repodata.json").write_bytes(body.replace(b"size", b"sizf", 1))
    elif how == "folder":
        shutil.rmtree(folder)
    elif how == "shard":
        next((folder / "shards").iterdir()).write_bytes(b"?")
    elif how == "cut off":
        (folder / "repodata.json").write_bytes(body[:-20])
    before = stored_files(moved.root)
    noted = [moved.inventory.published(*pair) for pair in PAIRS]
    with pytest.raises(RefusedError, match="snapshot day is damaged") as caught:
        roll_back(moved.store, moved.inventory, "day")
    assert caught.value.exit_code == 5
    assert caught.value.hint.startswith("Nothing was changed")
    if how in ("flipped", "shard") or (how == "zst" and digests):
        assert "verify --repair" in caught.value.hint
    assert stored_files(moved.root) == before
    assert [moved.inventory.published(*pair) for pair in PAIRS] == noted
    snapshots.delete(moved.store, moved.inventory, "day")
    assert snapshots.places(moved.store) == []


def test_one_of_an_older_version_that_is_whole_is_published(moved: Tree) -> None:
    mark = frozen(moved).parent / ".snapshot.json"
    raw = json.loads(mark.read_text())
    del raw["digests"]
    mark.write_text(json.dumps(raw))
    roll_back(moved.store, moved.inventory, "day")
    check(moved)


@pytest.mark.parametrize("how", ["json and names", "mark"])
def test_when_a_damaged_one_is_deleted_all_grace_begins_anew(moved: Tree, how: str) -> None:
    """It may have named any of the files that are on their way out."""
    moved.inventory.mark_dropped(*PAIRS[0], [GONE], 1.0)
    lost = ("repodata.json", ".names.zst") if how == "json and names" else ("../../.snapshot.json",)
    for name in lost:
        (frozen(moved) / "linux-64" / name).unlink()
    assert [bool(snapshot.damaged) for snapshot in snapshots.listed(moved.store)] == [True]
    begun = time.time()
    snapshots.delete(moved.store, moved.inventory, "day")
    dropped = moved.inventory.entries(*PAIRS[0])[GONE].dropped
    assert dropped is not None
    assert dropped >= begun
    snapshots.create(moved.store, moved.inventory, "day")


def test_a_package_known_to_be_bad_is_hashed_before_a_rollback(moved: Tree) -> None:
    path = moved.folder() / SAME
    moved.inventory.doubt(*PAIRS[0], [SAME])
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(RefusedError, match="1 package of snapshot day is gone"):
        roll_back(moved.store, moved.inventory, "day")
    assert moved.inventory.doubted(*PAIRS[0]) == {SAME}
    path.write_bytes(path.read_bytes()[::-1])
    roll_back(moved.store, moved.inventory, "day")
    assert moved.inventory.doubted(*PAIRS[0]) == set()
    check(moved)
