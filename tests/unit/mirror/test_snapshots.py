"""Snapshots: what is frozen, under which names, and what is left of one that could not be finished."""

import errno
import json
import os
import time
from functools import partial
from pathlib import Path

import pytest

from mirrortui.config import Publish
from mirrortui.errors import BadRepodata, MirrorError, NameRefused, NoSpace, RefusedError, TargetError, UsageError
from mirrortui.mirror import mark, shards, snapshots
from mirrortui.mirror.snapshots import Difference
from tests.unit.mirror.releases import (
    CHANGED,
    GONE,
    NEW,
    NEW_BYTES,
    OLD_BYTES,
    PAIRS,
    SAME,
    SUBDIRS,
    old_size,
    publish_new,
    publish_old,
)
from tests.unit.mirror.tree import ALL, PLAIN, Tree, read_all, stored_files

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def old(tree: Tree) -> Tree:
    """A tree with the first generation published, in all encodings."""
    publish_old(tree)
    return tree


def metadata(folder: Path) -> dict[str, bytes]:
    """Every visible file below a folder that is no package."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith((".conda", ".tar.bz2"))
    }


def names(tree: Tree) -> list[str]:
    return [snapshot.name for snapshot in snapshots.listed(tree.store)]


# ------------------------------------------------------------------------------------------- create


@pytest.mark.parametrize("options", [PLAIN, ALL, Publish(zst=False, bz2=False, shards=False, current=False)])
def test_a_snapshot_is_what_is_published_and_costs_no_bytes(tree: Tree, options: Publish) -> None:
    publish_old(tree, options)
    before, moment = stored_files(tree.root), time.time()
    made = snapshots.create(tree.store, tree.inventory, "day")
    assert (made.name, made.subdirs, made.records, made.bytes) == ("day", tuple(PAIRS), 6, 2 * old_size())
    assert moment <= made.created <= time.time()
    place = tree.root / "snapshots" / "day"
    assert metadata(place / "c") == metadata(tree.folder().parent)
    for name in metadata(place / "c"):
        assert (place / "c" / name).samefile(tree.folder().parent / name)
    assert {name: value for name, value in stored_files(tree.root).items() if "snapshots" not in name} == before
    assert snapshots.listed(tree.store) == [made]
    assert snapshots.get(tree.store, "day") == made


def test_it_stays_as_it_was_when_the_live_channel_goes_on(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    place = old.root / "snapshots" / "day"
    before = metadata(place)
    publish_new(old)
    publish_new(old, PLAIN, build=b"a third build")
    assert metadata(place) == before
    for subdir in SUBDIRS:
        for encoding, records in read_all(place / "c" / subdir).items():
            assert set(records) == {SAME, CHANGED, GONE} or encoding.startswith("current")
        assert (place / "c" / subdir / CHANGED).read_bytes() == OLD_BYTES
        assert not (old.folder(subdir=subdir) / "shards").exists()


def test_shards_swept_from_the_live_channel_stay(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    publish_new(old)
    assert shards.sweep(old.folder(), time.time() + 8 * 86400) == 2
    assert set(read_all(old.root / "snapshots" / "day" / "c" / "linux-64")["shards"]) == {SAME, CHANGED, GONE}


def test_what_is_no_name(old: Tree) -> None:
    before = stored_files(old.root)
    for name in (
        "",
        ".",
        "..",
        "../x",
        "a/b",
        ".hidden",
        "-x",
        "a b",
        "a\nb",
        "ä",
        "a" * 65,
        "x.part",
        "\x1b[2J",
        "a\0b",
    ):
        for act in (partial(snapshots.create, old.store, old.inventory), partial(snapshots.get, old.store)):
            with pytest.raises(UsageError, match="no name for a snapshot") as found:
                act(name)
            assert str(found.value).isprintable()
    for name in ("t", "noarch", "linux-64", "osx-64-old"):  # conda takes them for a token or a subdir
        with pytest.raises(NameRefused):
            snapshots.create(old.store, old.inventory, name)
    assert stored_files(old.root) == before


def test_names(old: Tree) -> None:
    for name in ("2025-01-31", "a.new", "x.gone", "Q3_final", "1", "a" * 64, "day.conda"):
        snapshots.create(old.store, old.inventory, name)
        assert names(old) == [name]
        snapshots.delete(old.store, old.inventory, name)
        assert names(old) == []
        assert list((old.root / "snapshots").iterdir()) == []


def test_a_name_is_taken_once(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    (old.root / "snapshots" / "link").symlink_to("nowhere")
    before = stored_files(old.root)
    for name in ("day", "link"):
        with pytest.raises(UsageError, match="already"):
            snapshots.create(old.store, old.inventory, name)
    assert stored_files(old.root) == before


def test_nothing_published_is_nothing_to_freeze(tree: Tree) -> None:
    tree.put(SAME)
    with pytest.raises(UsageError, match="nothing is published yet"):
        snapshots.create(tree.store, tree.inventory, "day")
    assert not (tree.root / "snapshots").exists()


@pytest.mark.parametrize("how", ["changed", "gone", "never"])
def test_a_channel_that_no_run_left_so_is_not_frozen(old: Tree, how: str) -> None:
    """A run that was killed while it switched the files leaves encodings of two generations."""
    if how == "changed":
        (old.folder() / "repodata.json.zst").write_bytes(b"half")
    elif how == "gone":
        (old.folder() / "repodata.json.zst").unlink()
    else:
        old.inventory.set_published("c", "linux-64", None)
    with pytest.raises(RefusedError, match="c/linux-64: is not as the last run left it"):
        snapshots.create(old.store, old.inventory, "day")
    assert names(old) == []


def test_nothing_is_written_through_a_link(old: Tree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (old.root / "snapshots").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetError, match="a link that leads elsewhere"):
        snapshots.create(old.store, old.inventory, "day")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_where_there_are_no_hard_links_metadata_is_copied(
    old: Tree, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    snapshots.create(old.store, old.inventory, "day")
    place = old.root / "snapshots" / "day" / "c"
    assert metadata(place) == metadata(old.folder().parent)
    assert not (place / "noarch" / "repodata.json").samefile(old.folder(subdir="noarch") / "repodata.json")
    assert not [path for path in place.rglob("*") if path.name.endswith(".copy")]
    publish_new(old)
    assert (place / "linux-64" / CHANGED).read_bytes() == OLD_BYTES


@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, TargetError), (errno.ENOSPC, NoSpace)])
def test_any_other_failure_says_what_to_do(
    old: Tree, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[MirrorError]
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(kind):
        snapshots.create(old.store, old.inventory, "day")
    assert list((old.root / "snapshots").iterdir()) == []


# --------------------------------------------------------------------------------------- list and diff


def test_only_what_was_finished_is_listed_oldest_first(old: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(snapshots.time, "time", lambda: next(clock))
    for name in ("c", "b", "a"):
        snapshots.create(old.store, old.inventory, name)
    home = old.root / "snapshots"
    (home / "foreign").mkdir()
    (home / "file").write_text("")
    (home / "latest").symlink_to("c")
    for name, text in (
        ("broken", "{"),
        ("empty", "{}"),
        ("list", "[]"),
        (".d.new", (home / "a/.snapshot.json").read_text()),
    ):
        (home / name).mkdir()
        (home / name / mark.MARK).write_text(text)
    whole = [snapshot.name for snapshot in snapshots.listed(old.store) if not snapshot.damaged]
    assert whole == ["b", "a", "c"]
    assert names(old)[3:] == ["broken", "empty", "list"]
    with pytest.raises(UsageError, match="Snapshots: b, a, c, broken, empty, list"):
        snapshots.get(old.store, "latest")
    form = snapshots.get(old.store, "b").to_json()
    assert json.loads(json.dumps(form)) == {
        "name": "b",
        "created": 1.0,
        "subdirs": [{"channel": "c", "subdir": "linux-64"}, {"channel": "c", "subdir": "noarch"}],
        "records": 6,
        "bytes": 2 * old_size(),
        "damaged": "",
    }


def test_no_snapshots_at_all(tree: Tree) -> None:
    assert snapshots.listed(tree.store) == []
    with pytest.raises(UsageError, match="Snapshots: none"):
        snapshots.get(tree.store, "day")


def test_a_folder_that_cannot_be_read_is_told(tree: Tree) -> None:
    (tree.root / "snapshots").write_text("")
    with pytest.raises(TargetError, match="cannot be read"):
        snapshots.listed(tree.store)


def test_differences(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    assert snapshots.diff(old.store, "day", live=PAIRS) == []
    publish_new(old)
    want = [Difference(*pair, (NEW,), (GONE,), (CHANGED,)) for pair in PAIRS]
    assert snapshots.diff(old.store, "day") == want
    snapshots.create(old.store, old.inventory, "night")
    assert snapshots.diff(old.store, "day", "night") == want
    assert snapshots.diff(old.store, "night", "day") == [
        Difference(*pair, (GONE,), (NEW,), (CHANGED,)) for pair in PAIRS
    ]
    assert snapshots.diff(old.store, "night", "night") == []
    assert (old.folder() / CHANGED).read_bytes() == NEW_BYTES


def test_a_subdir_that_only_one_side_has_is_all_new_or_all_gone(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    live = old.folder(subdir="win-64")
    live.mkdir()
    (live / "repodata.json").write_bytes(b'{"packages.conda":{"w-1-0.conda":{}},"packages":{}}')
    (old.folder() / "repodata.json").unlink()
    assert snapshots.diff(old.store, "day", live=[*PAIRS, ("c", "win-64")]) == [
        Difference("c", "linux-64", (), (CHANGED, GONE, SAME), ()),
        Difference("c", "win-64", ("w-1-0.conda",), (), ()),
    ]


def test_metadata_that_cannot_be_read_is_told_with_its_path(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    path = old.root / "snapshots" / "day" / "c" / "noarch" / "repodata.json"
    path.unlink()
    path.write_bytes(b'{"packages":{')
    said = r"snapshot day is damaged: .*day/c/noarch/repodata.json: ends in the middle"
    with pytest.raises(RefusedError, match=said) as refused:
        snapshots.diff(old.store, "day")
    assert "verify --repair" in refused.value.hint
    snapshots.create(old.store, old.inventory, "night")
    with pytest.raises(RefusedError, match=said):
        snapshots.diff(old.store, "night", "day")
    live = old.folder(subdir="noarch") / "repodata.json"
    live.unlink()
    live.write_bytes(b'{"packages":{')
    with pytest.raises(BadRepodata, match=r"root/c/noarch/repodata.json: ends in the middle"):
        snapshots.diff(old.store, "night", live=[("c", "noarch")])
