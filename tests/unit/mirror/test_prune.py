"""Deleting: only what is ours, only after the grace, never too much at once."""

import pytest

from mirrortui.config import Prune
from mirrortui.errors import ConfigError, PruneRefused, TargetError
from mirrortui.mirror import prune
from mirrortui.mirror.inventory import Entry
from mirrortui.mirror.prune import Pruned
from tests.unit.catalog.made import content
from tests.unit.mirror.tree import Tree

NOW = 1_700_000_000.0
DAY = 86400.0
PAIR = ("c", "linux-64")


def due(tree: Tree, **options: object) -> dict[tuple[str, str], list[str]]:
    found = prune.due(tree.config(prune=Prune(**options)), tree.inventory, tree.inventory.folders(), NOW)  # type: ignore[arg-type]
    return {pair: sorted(entry.fn for entry in entries) for pair, entries in found.items()}


def test_only_what_was_dropped_long_enough_ago_is_due(tree: Tree) -> None:
    tree.put("in-1-0.conda")
    tree.put("old-1-0.conda", dropped=NOW - 7 * DAY)
    tree.put("young-1-0.conda", dropped=NOW - 7 * DAY + 1)
    tree.put("stray-1-0.conda", known=False)
    assert due(tree) == {PAIR: ["old-1-0.conda"]}
    assert due(tree, grace="") == {PAIR: ["old-1-0.conda", "young-1-0.conda"]}
    assert due(tree, grace="1 year") == {}


@pytest.mark.parametrize(
    ("never", "spared"),
    [
        (("glibc",), {"glibc-2.17-0.conda", "glibc-2.28-h_1.tar.bz2"}),
        (("glib*",), {"glibc-2.17-0.conda", "glibc-2.28-h_1.tar.bz2", "glib-1-0.conda"}),
        (("glibc 2.17",), {"glibc-2.17-0.conda"}),
        (("glibc >=2.20",), {"glibc-2.28-h_1.tar.bz2"}),
        (("*[build=h_1]",), {"glibc-2.28-h_1.tar.bz2"}),
        (("c::glibc",), {"glibc-2.17-0.conda", "glibc-2.28-h_1.tar.bz2"}),
        (("other::glibc",), set()),
        (("*[subdir=noarch]",), set()),
        (("glibc-2.17-0.conda",), {"glibc-2.17-0.conda"}),
        (("*",), {"glibc-2.17-0.conda", "glibc-2.28-h_1.tar.bz2", "glib-1-0.conda", "x.conda"}),
        (("glib", "x"), {"glib-1-0.conda", "x.conda"}),
    ],
)
def test_what_the_never_list_names_stays(tree: Tree, never: tuple[str, ...], spared: set[str]) -> None:
    everything = {"glibc-2.17-0.conda", "glibc-2.28-h_1.tar.bz2", "glib-1-0.conda", "x.conda"}
    tree.put(*everything, dropped=0.0)
    assert set(due(tree, never=never).get(PAIR, [])) == everything - spared


def test_a_never_list_that_cannot_be_read_stops_everything(tree: Tree) -> None:
    tree.put("a-1-0.conda", dropped=0.0)
    with pytest.raises(ConfigError):
        due(tree, never=("a >=[",))


@pytest.mark.parametrize("entry", ["a[license=MIT]", "a[build_number=0]"])
def test_a_never_list_that_cannot_be_judged_stops_everything(tree: Tree, entry: str) -> None:
    tree.put("a-1-0.conda", dropped=0.0)
    with pytest.raises(ConfigError, match="cannot be told from a file name"):
        due(tree, never=(entry,))


def test_deleting_removes_file_and_entry_and_nothing_else(tree: Tree) -> None:
    tree.put("in-1-0.conda")
    tree.put("old-1-0.conda", dropped=0.0)
    tree.put("stray-1-0.conda", known=False)
    (tree.folder() / "repodata.json").write_text("{}")
    todo = prune.due(tree.config(), tree.inventory, [PAIR], NOW)
    assert prune.prune(tree.store, tree.inventory, todo) == Pruned(1, len(content("old-1-0.conda")))
    assert tree.names() == ["in-1-0.conda", "repodata.json", "stray-1-0.conda"]
    assert list(tree.inventory.entries(*PAIR)) == ["in-1-0.conda"]
    assert prune.prune(tree.store, tree.inventory, {}) == Pruned()


def test_a_file_that_somebody_deleted_already_is_forgotten(tree: Tree) -> None:
    tree.put("old-1-0.conda", dropped=0.0)
    (tree.folder() / "old-1-0.conda").unlink()
    prune.prune(tree.store, tree.inventory, prune.due(tree.config(), tree.inventory, [PAIR], NOW))
    assert tree.inventory.entries(*PAIR) == {}


def test_nothing_is_deleted_through_a_link(tree: Tree) -> None:
    tree.put("old-1-0.conda", dropped=0.0)
    elsewhere = tree.root.parent / "elsewhere"
    tree.folder().rename(elsewhere)
    tree.folder().symlink_to(elsewhere)
    with pytest.raises(TargetError):
        prune.prune(tree.store, tree.inventory, prune.due(tree.config(), tree.inventory, [PAIR], NOW))
    assert (elsewhere / "old-1-0.conda").exists()
    assert "old-1-0.conda" in tree.inventory.entries(*PAIR)


# --------------------------------------------------------------------------------------------- guard


def fill(tree: Tree, *sizes: int, dropped: int = 0) -> dict[tuple[str, str], list[Entry]]:
    """Note files of given sizes; the first `dropped` of them are due."""
    entries = [Entry(f"p{i}-1-0.conda", size, 1, b"", 0.0 if i < dropped else None) for i, size in enumerate(sizes)]
    tree.inventory.put(*PAIR, entries)
    return prune.due(tree.config(), tree.inventory, [PAIR], NOW)


def refuses(tree: Tree, todo: dict[tuple[str, str], list[Entry]], share: float) -> bool:
    try:
        prune.check_share(tree.config(prune=Prune(max_share=share)), tree.inventory, todo)
    except PruneRefused:
        return True
    return False


def test_the_guard_says_what_to_do(tree: Tree) -> None:
    todo = fill(tree, 1, 1, dropped=1)
    with pytest.raises(PruneRefused, match="1 files would be deleted, 50% of the mirror") as caught:
        prune.check_share(tree.config(prune=Prune(max_share=0.2)), tree.inventory, todo)
    assert caught.value.exit_code == 5
    assert "--confirm-prune" in caught.value.hint


def test_the_guard_counts_files(tree: Tree) -> None:
    todo = fill(tree, 1, 1, *[1000] * 8, dropped=2)
    assert not refuses(tree, todo, 0.2)
    assert refuses(tree, todo, 0.19)


def test_the_guard_counts_bytes_too(tree: Tree) -> None:
    todo = fill(tree, 500, *[50] * 10, dropped=1)
    assert refuses(tree, todo, 0.49)
    assert not refuses(tree, todo, 0.5)


def test_the_guard_looks_at_the_whole_mirror(tree: Tree) -> None:
    todo = fill(tree, 10, 10, dropped=2)
    assert refuses(tree, todo, 0.5)
    tree.inventory.put("other", "noarch", [Entry(f"q{i}-1-0.conda", 10, 1, b"") for i in range(8)])
    assert not refuses(tree, todo, 0.2)


def test_nothing_to_delete_is_never_too_much(tree: Tree) -> None:
    assert not refuses(tree, {}, 0.01)
    assert not refuses(tree, fill(tree, 0, 0), 0.01)


def test_files_of_unknown_or_no_size_still_count_as_files(tree: Tree) -> None:
    assert refuses(tree, fill(tree, 0, 0, 0, dropped=2), 0.5)


def test_everything_may_go_if_the_config_says_so(tree: Tree) -> None:
    assert not refuses(tree, fill(tree, 5, 5, dropped=2), 1.0)
