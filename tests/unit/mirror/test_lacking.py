"""Packages that snapshots name: which are gone, which nobody vouches for, and that none is called a stranger."""

import time
from pathlib import Path

import pytest

from mirrortui.mirror import lacking, named, repair, snapshots
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.mark import MARK
from mirrortui.mirror.verify import verify
from tests.unit.mirror.releases import CHANGED, GONE, PAIRS, SAME, publish_new, publish_old
from tests.unit.mirror.tree import PLAIN, Tree

pytestmark = pytest.mark.usefixtures("no_waiting")

PAIR = PAIRS[0]


@pytest.fixture
def moved(tree: Tree) -> Tree:
    """A tree with a snapshot `day`, after which GONE left the metadata and CHANGED was replaced."""
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    publish_new(tree, PLAIN, now=time.time())
    return tree


def told(tree: Tree) -> list[tuple[str, str]]:
    return [(item.path, item.reason) for item in verify(tree.store, tree.inventory).bad]


def damage(tree: Tree) -> str:
    return lacking.looked_over(tree.store, tree.inventory, snapshots.listed(tree.store)[0]).damaged


def forget_all(tree: Tree, base: Path) -> None:
    """Lose the state; what is live is known again, as after a run, but what only the snapshot names is not."""
    tree.inventory.close()
    entries = {pair: Inventory(tree.state).entries(*pair) for pair in PAIRS}
    tree.inventory = Inventory(base / "fresh", write=True)
    for pair, known in entries.items():
        tree.inventory.put(*pair, [entry for entry in known.values() if entry.dropped is None])


def test_a_whole_snapshot_lacks_nothing(moved: Tree) -> None:
    assert told(moved) == []
    assert damage(moved) == ""


def test_what_is_gone_is_told_with_the_snapshot(moved: Tree) -> None:
    (moved.folder() / GONE).unlink()
    (moved.root / "snapshots" / "day" / "c" / "noarch" / CHANGED).unlink()
    moved.inventory.forget(*PAIR, [GONE])
    assert told(moved) == [
        (f"snapshots/day/c/linux-64/{GONE}", "missing"),
        (f"snapshots/day/c/noarch/{CHANGED}", "missing"),
    ]
    assert damage(moved) == "1 package missing"  # by names alone the other one is there


def test_what_is_live_and_missing_is_told_once(moved: Tree) -> None:
    (moved.folder() / SAME).unlink()
    assert told(moved) == [(f"c/linux-64/{SAME}", "missing")]
    moved.inventory.forget(*PAIR, [SAME])
    assert told(moved) == [(f"c/linux-64/{SAME}", "missing")]
    assert damage(moved) == "1 package missing"


def test_bad_ones_count_for_the_list(moved: Tree) -> None:
    moved.inventory.doubt(*PAIR, [GONE, SAME])
    (moved.folder(subdir="noarch") / GONE).unlink()
    assert damage(moved) == "1 package missing, 2 packages known to be bad"


def test_a_damaged_snapshot_is_left_as_it_is(moved: Tree) -> None:
    (moved.folder() / GONE).unlink()
    (moved.root / "snapshots" / "day" / MARK).unlink()
    assert damage(moved) == f"{MARK} is missing or cannot be read"


def test_without_its_state_a_mirror_calls_nothing_a_stranger_that_a_snapshot_names(moved: Tree, tmp_path: Path) -> None:
    forget_all(moved, tmp_path)
    moved.put("stray-1-0.conda", known=False)
    found = verify(moved.store, moved.inventory)
    assert (found.bad, found.orphans) == ([], ["c/linux-64/stray-1-0.conda"])
    (moved.folder() / GONE).write_bytes(b"?")
    assert told(moved) == [(f"c/linux-64/{GONE}", "size")]
    bad = verify(moved.store, moved.inventory).bad
    assert repair.distrust(moved.store, moved.inventory, bad) == ([], bad)
    assert (moved.folder() / GONE).exists()
    (moved.folder() / GONE).unlink()
    (moved.folder() / GONE).symlink_to("/etc/passwd")
    assert told(moved) == [(f"snapshots/day/c/linux-64/{GONE}", "missing")]
    assert f"c/linux-64/{GONE}" in verify(moved.store, moved.inventory).orphans


def test_a_snapshot_that_cannot_be_read_may_name_any_file(moved: Tree) -> None:
    moved.put("stray-1-0.conda", known=False)
    (moved.root / "snapshots" / "day" / MARK).unlink()
    assert named.orphans(moved.store, moved.inventory, PAIR) == []


def test_files_of_which_nothing_is_known(moved: Tree, tmp_path: Path) -> None:
    assert named.strange(moved.store, moved.inventory, PAIRS) == 0
    fresh = Inventory(tmp_path / "fresh")
    assert named.strange(moved.store, fresh, [*PAIRS, PAIR, ("c", "win-64")]) == 8
    fresh.close()


def test_every_door_looks_snapshots_over_in_the_same_way(moved: Tree, tmp_path: Path) -> None:
    """Also for an account that may not read the state, or before there is one."""
    (moved.folder() / GONE).unlink()
    for state in (moved.state, tmp_path / "none"):
        (found,) = lacking.overview(moved.store, state)
        assert found.damaged == "1 package missing"
