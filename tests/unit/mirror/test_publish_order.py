"""The order in which files become visible, and what a crash at any step leaves behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrortui.config import Publish
from mirrortui.errors import BadRepodata, MirrorError, NoSpace
from tests.unit.mirror.test_publish import BZ2, JSON, NEW, OLD, SHARDS, ZST, items, visible
from tests.unit.mirror.tree import ALL, PLAIN, Tree, read_all, stored_files


class Renames:
    """Watches (and interrupts) every rename and removal below a folder that changes what is visible."""

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, stop: int = -1, error: BaseException | None = None
    ) -> None:
        self.root, self.stop, self.error, self.seen = root, stop, error, list[tuple[str, str]]()
        self.replace, self.unlink = Path.replace, Path.unlink
        monkeypatch.setattr(
            Path,
            "replace",
            lambda path, target: self._step("replace", Path(target), lambda: self.replace(path, target)),
        )
        monkeypatch.setattr(
            Path,
            "unlink",
            lambda path, missing_ok=False: self._step("unlink", path, lambda: self.unlink(path, missing_ok)),
        )

    def _step(self, kind: str, path: Path, act: Callable[[], Any]) -> Any:
        if self.root in path.parents and not path.name.startswith("."):
            if len(self.seen) == self.stop:
                raise self.error or KeyboardInterrupt
            self.seen.append((kind, f"{path.parent.name}/{path.name}"))
        return act()


def test_files_become_visible_in_the_order_that_is_promised(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    made = items(tree, *OLD)
    for subdir in ("linux-64", "noarch"):
        (tree.folder(subdir=subdir) / "repodata.jlap").write_text("")
    renames = Renames(tree.root, monkeypatch)
    tree.publish(*made, options=ALL)
    files = [
        path
        for kind, path in renames.seen
        if kind == "replace" and "/shards/" not in path and not path.startswith("shards/")
    ]
    order = [SHARDS, ZST, JSON, BZ2, "current_repodata.json.zst", "current_repodata.json"]
    assert files == [f"{subdir}/{name}" for name in order for subdir in ("linux-64", "noarch")]
    assert [path for kind, path in renames.seen[-2:]] == ["linux-64/repodata.jlap", "noarch/repodata.jlap"]


def steps(base: Path, options: Publish) -> int:
    """How many visible steps the change from the old to the new records takes."""
    tree = Tree(base)
    tree.publish(*items(tree, *OLD), options=options)
    fresh = items(tree, *NEW)
    with pytest.MonkeyPatch.context() as patch:
        renames = Renames(tree.root, patch)
        tree.publish(*fresh, options=options)
    tree.inventory.close()
    return len(renames.seen)


@pytest.mark.parametrize(
    ("options", "error"),
    [(ALL, KeyboardInterrupt()), (PLAIN, OSError(28, "No space left on device"))],
    ids=["killed", "full"],
)
def test_a_crash_at_any_step_leaves_a_channel_that_works(
    tmp_path: Path, options: Publish, error: BaseException
) -> None:
    (tmp_path / "count").mkdir()
    total = steps(tmp_path / "count", options)
    assert total >= 4
    for stop in range(total):
        base = tmp_path / str(stop)
        base.mkdir()
        tree = Tree(base)
        tree.publish(*items(tree, *OLD), options=options)
        fresh = items(tree, *NEW)
        with pytest.MonkeyPatch.context() as patch:
            Renames(tree.root, patch, stop, error)
            with pytest.raises((KeyboardInterrupt, NoSpace, MirrorError)):
                tree.publish(*fresh, options=options)
        for subdir in ("linux-64", "noarch"):
            folder = tree.folder(subdir=subdir)
            for name, records in read_all(folder).items():  # every visible file is complete
                if not name.startswith("current"):
                    assert set(records) in (set(OLD), set(NEW)), (stop, name)
                assert all((folder / fn).exists() for fn in records), (stop, name)
            assert not [path for path in folder.iterdir() if path.name.endswith(".new")], stop
        tree.publish(*fresh, options=options)
        for subdir in ("linux-64", "noarch"):
            for name, records in read_all(tree.folder(subdir=subdir)).items():
                assert set(records) <= set(NEW), (stop, name)
                assert name.startswith("current") or set(records) == set(NEW), (stop, name)
        tree.inventory.close()


def test_nothing_is_visible_before_all_subdirs_are_staged(tree: Tree) -> None:
    tree.publish(*items(tree, *OLD), options=ALL)
    before = stored_files(tree.root)
    first, second = items(tree, *NEW)
    assert second.index is not None
    assert second.index.body is not None
    second.index.body.write_bytes(b"\x28\xb5\x2f\xfd broken")
    with pytest.raises(BadRepodata):
        tree.publish(first, second, options=ALL)
    after = {name: value for name, value in stored_files(tree.root).items() if "/shards/" not in name}
    assert {name: value for name, value in before.items() if "/shards/" not in name} == {
        name: value for name, value in after.items() if not name.endswith((".conda", ".tar.bz2"))
    } | {name: value for name, value in before.items() if name.endswith((".conda", ".tar.bz2"))}
    assert not [name for name in after if ".new" in name]


def test_a_full_disk_while_staging_leaves_no_trace(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    made = items(tree, *OLD)

    def full(_path: Path, *_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "chmod", full)
    with pytest.raises(NoSpace):
        tree.publish(*made)
    assert visible(tree) == set()
