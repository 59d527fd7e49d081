"""A crash at any change of the file system: while a snapshot is made, deleted, or rolled back to."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirrortui.config import Publish
from mirrortui.errors import MirrorError
from mirrortui.mirror import snapshots, staging
from mirrortui.mirror.rollback import roll_back
from mirrortui.mirror.verify import verify
from tests.unit.mirror.crashes import Copies, Crash, Killed, full_disk
from tests.unit.mirror.releases import CHANGED, GONE, NEW, OLD_BYTES, SAME, SUBDIRS, publish_new, publish_old
from tests.unit.mirror.tree import ALL, PLAIN, Tree, read_all, stored_files

pytestmark = pytest.mark.usefixtures("no_waiting")

OLD = {SAME, CHANGED, GONE}


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: a tree is copied a hundred times."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK):
        with tempfile.TemporaryDirectory(dir=memory, prefix="mirrortui-") as folder:
            yield Path(folder)
    else:
        yield tmp_path


def names(tree: Tree) -> list[str]:
    return [snapshot.name for snapshot in snapshots.listed(tree.store)]


def pristine(base: Path, frozen: bool, options: Publish) -> Copies:
    """A tree; if `frozen`, it has a snapshot `day`, after which the channel went on."""
    (base / "pristine").mkdir()
    tree = Tree(base / "pristine")
    publish_old(tree, options)
    if frozen:
        snapshots.create(tree.store, tree.inventory, "day")
        publish_new(tree, options)
    return Copies(tree)


def crashes(copies: Copies, act: Callable[..., object], error: Callable[[], BaseException]) -> Iterator[Tree]:
    """A tree after a crash at each change of the file system that an act makes."""
    with Crash() as crash:
        act((tree := copies.take()).store, tree.inventory, "day")
    assert crash.count > 10
    for stop in range(crash.count):
        tree = copies.take()
        with Crash(stop, error()), contextlib.suppress(Killed, MirrorError):
            act(tree.store, tree.inventory, "day")
        assert [path.name for path in (tree.root / "snapshots").glob("[!.]*")] == names(tree)
        yield tree
    copies.close()


def whole(tree: Tree) -> None:
    assert names(tree) == ["day"]
    for subdir in SUBDIRS:
        folder = tree.root / "snapshots" / "day" / "c" / subdir
        assert all(
            set(records) == OLD or encoding.startswith("current") for encoding, records in read_all(folder).items()
        )


def left(tree: Tree) -> list[str]:
    """What lies in the folder of snapshots, hidden or not."""
    return sorted(path.name for path in (tree.root / "snapshots").glob("*"))


def live(tree: Tree) -> dict[str, tuple[int, int, bytes]]:
    return stored_files(tree.root / "c")


@pytest.mark.parametrize("error", [Killed, full_disk])
def test_a_crash_while_one_is_made_leaves_none_or_a_whole_one(
    scratch: Path, error: Callable[[], BaseException]
) -> None:
    copies = pristine(scratch, False, PLAIN)
    before = None
    for tree in crashes(copies, snapshots.create, error):
        before = before or {name: value[1:] for name, value in live(tree).items()}
        assert {name: value[1:] for name, value in live(tree).items()} == before
        if error is full_disk:
            assert left(tree) == names(tree)
        if not names(tree):
            snapshots.create(tree.store, tree.inventory, "day")
        whole(tree)
        assert left(tree) == ["day"]


@pytest.mark.parametrize("error", [Killed, full_disk])
def test_a_crash_while_one_is_deleted_leaves_none_or_a_whole_one(
    scratch: Path, error: Callable[[], BaseException]
) -> None:
    for tree in crashes(pristine(scratch, True, PLAIN), snapshots.delete, error):
        if names(tree):
            whole(tree)
            snapshots.delete(tree.store, tree.inventory, "day")
            assert left(tree) == []
        snapshots.create(tree.store, tree.inventory, "day")
        assert left(tree) == ["day"]


@pytest.mark.parametrize("error", [Killed, full_disk])
def test_a_crash_while_rolling_back_leaves_channels_that_work(
    scratch: Path, error: Callable[[], BaseException]
) -> None:
    """What is visible is whole and of one generation each; the snapshot is as it was; doing it again finishes it."""
    for tree in crashes(pristine(scratch, True, ALL), roll_back, error):
        place = tree.root / "snapshots" / "day" / "c"
        whole(tree)
        for subdir in SUBDIRS:
            assert (place / subdir / CHANGED).read_bytes() == OLD_BYTES
            folder = tree.folder(subdir=subdir)
            for encoding, records in read_all(folder).items():
                assert encoding.startswith("current") or set(records) in (OLD, {SAME, CHANGED, NEW})
                assert all((folder / fn).is_file() for fn in records)
        roll_back(tree.store, tree.inventory, "day")
        for subdir in SUBDIRS:
            folder = tree.folder(subdir=subdir)
            for kind in staging.ORDER:
                assert (folder / kind).read_bytes() == (place / subdir / kind).read_bytes()
            assert (folder / CHANGED).read_bytes() == OLD_BYTES
            assert verify(tree.store, tree.inventory).bad == []
            assert not [path.name for path in folder.iterdir() if path.name.endswith((".new", ".next", ".part"))]
