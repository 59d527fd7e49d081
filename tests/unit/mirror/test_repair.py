"""What becomes of bad files: nothing is deleted that the metadata names, and nothing is called mended that is not."""

import time

import pytest

from mirrortui.mirror import repair, snapshots
from mirrortui.mirror.verify import Bad, verify
from tests.unit.mirror.releases import CHANGED, GONE, NEW, SAME, publish_new, publish_old
from tests.unit.mirror.tree import PLAIN, Tree

pytestmark = pytest.mark.usefixtures("no_waiting")

PAIR = ("c", "linux-64")
FNS = [f"p{number}-1-0.conda" for number in range(3)]


@pytest.fixture
def full(tree: Tree) -> Tree:
    tree.put(*FNS)
    return tree


def damage(tree: Tree, fn: str) -> list[Bad]:
    """Spoil a file; returns what verify finds."""
    (tree.folder() / fn).write_bytes(b"?")
    return verify(tree.store, tree.inventory).bad


def test_a_bad_file_that_is_published_stays_until_another_comes(full: Tree) -> None:
    bad = [*damage(full, FNS[0]), Bad(*PAIR, FNS[1], "missing", "")]
    wanted, lost = repair.distrust(full.store, full.inventory, bad)
    assert ({item.fn for item in wanted}, lost) == ({FNS[0], FNS[1]}, [])
    assert (full.folder() / FNS[0]).read_bytes() == b"?"
    assert full.inventory.doubted(*PAIR) == {FNS[0]}
    assert FNS[1] not in full.inventory.entries(*PAIR)
    assert repair.unmended(full.store, full.inventory, wanted) == wanted
    full.put(FNS[0])
    assert full.inventory.doubted(*PAIR) == set()
    assert [item.fn for item in repair.unmended(full.store, full.inventory, wanted)] == [FNS[1]]


def test_a_bad_file_on_its_way_out_goes_at_once(full: Tree) -> None:
    full.inventory.mark_dropped(*PAIR, [FNS[0]], 1.0)
    bad = damage(full, FNS[0])
    assert repair.distrust(full.store, full.inventory, bad) == ([], [])
    assert not (full.folder() / FNS[0]).exists()
    assert verify(full.store, full.inventory).bad == []


def test_one_that_a_snapshot_needs_is_lost(tree: Tree) -> None:
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    publish_new(tree, PLAIN, now=time.time())
    held = tree.root / "snapshots" / "day" / "c" / "linux-64" / CHANGED
    held.write_bytes(b"?")
    bad = damage(tree, GONE)
    folders = tree.inventory.folders()
    wanted, lost = repair.distrust(tree.store, tree.inventory, bad)
    assert wanted == []
    assert {item.path for item in lost} == {f"c/linux-64/{GONE}", f"snapshots/day/c/linux-64/{CHANGED}"}
    assert held.exists()
    assert tree.inventory.folders() == folders
    assert tree.store.names(*PAIR) == {SAME, CHANGED, NEW, GONE}
    assert tree.inventory.doubted(*PAIR) == {GONE}
    again = verify(tree.store, tree.inventory).bad
    assert {item.path for item in again} == {item.path for item in lost}


def test_a_missing_one_that_a_snapshot_needs_goes_on_being_told(tree: Tree) -> None:
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    publish_new(tree, PLAIN, now=time.time())
    (tree.folder() / GONE).unlink()
    _, lost = repair.distrust(tree.store, tree.inventory, verify(tree.store, tree.inventory).bad)
    assert [item.path for item in lost] == [f"c/linux-64/{GONE}"]
    for _ in range(2):
        bad = verify(tree.store, tree.inventory).bad
        assert [(item.path, item.reason) for item in bad] == [(f"snapshots/day/c/linux-64/{GONE}", "missing")]
        assert repair.distrust(tree.store, tree.inventory, bad) == ([], bad)


def test_a_doubt_alone_changes_nothing_else(full: Tree) -> None:
    (full.folder() / FNS[1]).unlink()
    bad = [*damage(full, FNS[0]), Bad(*PAIR, FNS[2], "unreadable", ""), Bad(*PAIR, "repodata.json", "hash", "")]
    bad.append(Bad("snapshots/day/c", "linux-64", FNS[2], "hash", ""))
    known = full.inventory.entries(*PAIR)
    repair.doubt(full.inventory, bad)
    assert full.inventory.doubted(*PAIR) == {FNS[0]}
    assert (full.inventory.entries(*PAIR), full.inventory.folders()) == (known, [PAIR])
    assert (full.folder() / FNS[0]).exists()
    assert full.inventory.doubts() == (1, 0)
    full.inventory.mark_dropped(*PAIR, [FNS[0]], 1.0)
    assert full.inventory.doubts() == (0, 1)


def test_one_that_cannot_be_read_is_left_to_the_operator(full: Tree) -> None:
    bad = [Bad(*PAIR, FNS[0], "unreadable", "", "Input/output error")]
    full.inventory.mark_dropped(*PAIR, [FNS[0]], 1.0)
    assert repair.distrust(full.store, full.inventory, bad) == ([], bad)
    assert FNS[0] in full.inventory.entries(*PAIR)
    assert (full.folder() / FNS[0]).exists()
