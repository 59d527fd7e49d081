"""Publishing what lies beside repodata: made from what is published, switched after it, removed with it, never in its way."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from mirrortui.config import Publish
from mirrortui.errors import MirrorError, NoSpace
from mirrortui.mirror import publish, snapshots
from mirrortui.mirror.staging import Item
from tests.unit.catalog import made
from tests.unit.mirror.test_publish_order import Renames
from tests.unit.mirror.tree import ALL, Tree, all_of, keep, read_all, stored_files

OLD, NEW = ("a-1-0.conda", "b-1-0.tar.bz2"), ("a-1-0.conda", "c-1-0.conda")
SUBDIRS = ("linux-64", "noarch")
NAMES = ("a", "b", "c")


def items(tree: Tree, *fns: str, exports: Iterable[str] | None = (*OLD, *NEW)) -> list[Item]:
    """The same records for two subdirs, with what upstream says of `exports` (None: it has no run_exports)."""
    out = []
    for subdir in SUBDIRS:
        body = made.table(*fns)
        body["info"]["subdir"] = subdir
        index = tree.index(body, subdir=subdir)
        tree.put(*(fn for fn in fns if not (tree.folder(subdir=subdir) / fn).exists()), subdir=subdir)
        extra = None
        if exports is not None:
            extra = made.extra(tree.state, made.run_exports(*exports, subdir=subdir), subdir=subdir)
        out.append(Item(subdir, index, all_of(index), extra))
    return out


def show(tree: Tree, *fns: str, options: Publish = ALL, **others: Any) -> publish.Switched:
    """Publish with run_exports and channeldata, as a run does."""
    about = made.extra(tree.state, made.channeldata(*NAMES)) if options.channeldata else None
    return tree.publish(*items(tree, *fns), options=options, about=about, **others)


def exported(folder: Path) -> set[str]:
    """The files of a run_exports.json, whose .zst must say the same."""
    plain = (folder / "run_exports.json").read_bytes()
    packed = (folder / "run_exports.json.zst").read_bytes()
    assert zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read() == plain
    body = json.loads(plain)
    return {*body["packages"], *body["packages.conda"]}


def about(tree: Tree) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((tree.root / "c" / "channeldata.json").read_bytes())
    return value


def test_they_say_what_is_published(tree: Tree) -> None:
    show(tree, *OLD)
    for subdir in SUBDIRS:
        assert exported(tree.folder(subdir=subdir)) == set(OLD)
    assert about(tree)["subdirs"] == ["linux-64", "noarch"]
    assert {name: entry["subdirs"] for name, entry in about(tree)["packages"].items()} == {
        "a": ["linux-64", "noarch"],
        "b": ["linux-64", "noarch"],
    }
    files = (tree.root / "c" / "channeldata.json", *tree.folder().glob("run_exports*"))
    assert [path.stat().st_mode & 0o777 for path in files] == [0o644] * 3


def test_a_run_exports_that_is_wanted_whole_is_upstreams_own(tree: Tree) -> None:
    (first, second), text = items(tree, *OLD), json.dumps(made.run_exports(*OLD), indent=1).encode() + b"\n"
    extra = made.extra(tree.state, text, subdir="linux-64")
    tree.publish(dataclasses.replace(first, run_exports=extra), second, options=ALL)
    assert (tree.folder() / "run_exports.json").read_bytes() == text
    assert (tree.folder() / "run_exports.json.zst").read_bytes() == extra.body.read_bytes()


def test_what_is_not_kept_is_in_neither(tree: Tree) -> None:
    some = [dataclasses.replace(i, keep=keep(i.index, "a-1-0.conda")) for i in items(tree, *OLD) if i.index]
    tree.publish(*some, options=ALL, about=made.extra(tree.state, made.channeldata(*NAMES)))
    assert exported(tree.folder()) == {"a-1-0.conda"}
    assert set(about(tree)["packages"]) == {"a"}


def test_a_second_publish_touches_nothing(tree: Tree) -> None:
    show(tree, *OLD)
    before = stored_files(tree.root)
    done = show(tree, *OLD)
    assert (done.written, done.removed) == ([], [])
    assert stored_files(tree.root) == before
    for subdir in SUBDIRS:
        tree.inventory.set_published("c", subdir, None)
    tree.inventory.set_note("channeldata c", "")  # as if the inventory had been lost
    show(tree, *OLD)
    assert {name: value[:2] for name, value in stored_files(tree.root).items()} == {
        name: value[:2] for name, value in before.items()
    }


def test_a_change_of_theirs_alone_leaves_repodata_alone(tree: Tree) -> None:
    show(tree, *OLD)
    before = stored_files(tree.folder())
    made_anew = items(tree, *OLD, exports=OLD[:1])
    tree.publish(*made_anew, options=ALL, about=made.extra(tree.state, made.channeldata("a")))
    now = stored_files(tree.folder())
    assert {name for name in now if now[name] != before[name]} == {"run_exports.json", "run_exports.json.zst"}
    assert exported(tree.folder()) == {OLD[0]}
    assert set(about(tree)["packages"]) == {"a"}


@pytest.mark.parametrize("name", ["linux-64/run_exports.json", "linux-64/run_exports.json.zst", "channeldata.json"])
@pytest.mark.parametrize("how", ["gone", "changed", "linked"])
def test_one_that_somebody_changed_is_mended(tree: Tree, tmp_path: Path, name: str, how: str) -> None:
    show(tree, *OLD)
    path = tree.root / "c" / name
    good = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(b"{}")
    if how == "linked":
        (tmp_path / "victim").write_bytes(b"precious")
        path.symlink_to(tmp_path / "victim")
    show(tree, *OLD)
    assert path.read_bytes() == good
    assert not path.is_symlink()


@pytest.mark.parametrize("how", ["off", "gone upstream"])
def test_what_is_switched_off_or_not_to_be_had_is_removed(tree: Tree, how: str) -> None:
    show(tree, *OLD)
    off = msgspec.structs.replace(ALL, run_exports=False, channeldata=False)
    done = tree.publish(*items(tree, *OLD, exports=None), options=off if how == "off" else ALL)
    names = {path.relative_to(tree.root / "c").as_posix() for path in done.removed}
    files = ("run_exports.json", "run_exports.json.zst")
    assert names == {"channeldata.json", *(f"{subdir}/{name}" for subdir in SUBDIRS for name in files)}
    assert not list(tree.root.rglob("run_exports*"))
    assert not list(tree.root.rglob("channeldata*"))
    assert tree.inventory.note("channeldata c") == ""
    assert tree.publish(*items(tree, *OLD, exports=None), options=off if how == "off" else ALL).removed == []


def test_without_zst_there_is_only_the_plain_one(tree: Tree) -> None:
    show(tree, *OLD)
    show(tree, *OLD, options=msgspec.structs.replace(ALL, zst=False))
    assert [path.name for path in tree.folder().glob("run_exports*")] == ["run_exports.json"]


def test_stale_ones_of_other_programs_are_removed(tree: Tree) -> None:
    made_here = items(tree, *OLD, exports=None)
    (tree.folder() / "run_exports.json").write_text("{}")
    (tree.root / "c" / "channeldata.json").write_text("{}")
    tree.publish(*made_here)
    assert not (tree.folder() / "run_exports.json").exists()
    assert not (tree.root / "c" / "channeldata.json").exists()


def test_channeldata_goes_with_the_last_subdir(tree: Tree) -> None:
    show(tree, *OLD)
    path = tree.root / "c" / "channeldata.json"
    removed = publish.withdraw(tree.store, tree.inventory, "c", "linux-64")
    assert path.exists()
    assert {"run_exports.json", "run_exports.json.zst"} < {p.name for p in removed}
    assert path in publish.withdraw(tree.store, tree.inventory, "c", "noarch")
    assert not path.exists()
    assert {p.name for p in (tree.root / "c").rglob("*") if p.is_file()} == set(OLD)


def test_subdirs_that_stay_as_they_were_are_told_of(tree: Tree) -> None:
    show(tree, *OLD)
    _, noarch = items(tree, *NEW)
    extra = made.extra(tree.state, made.channeldata(*NAMES))
    tree.publish(noarch, options=ALL, about=extra, staying=["linux-64"])
    assert {name: entry["subdirs"] for name, entry in about(tree)["packages"].items()} == {
        "a": ["linux-64", "noarch"],
        "b": ["linux-64"],
        "c": ["noarch"],
    }
    assert about(tree)["subdirs"] == ["linux-64", "noarch"]
    before = stored_files(tree.root)
    tree.publish(noarch, options=ALL, about=extra, staying=["linux-64"])
    assert stored_files(tree.root) == before


def test_a_channel_of_which_nothing_is_published_gets_none(tree: Tree) -> None:
    tree.publish(options=ALL, about=made.extra(tree.state, made.channeldata("a")))
    assert list(tree.root.rglob("*")) == []


@pytest.mark.parametrize("which", ["linux-64", ""])
def test_a_cached_one_that_is_damaged_stands_in_nobodys_way(tree: Tree, which: str) -> None:
    made_here, extra = items(tree, *OLD), made.extra(tree.state, made.channeldata(*NAMES))
    broken = extra if not which else made_here[0].run_exports
    assert broken is not None
    broken.body.write_bytes(zstandard.compress(b'{"packages": {"a-1'))
    done = tree.publish(*made_here, options=ALL, about=extra)
    assert len(done.warnings) == 1
    assert set(read_all(tree.folder())["repodata.json"]) == set(OLD)
    assert (tree.folder() / "run_exports.json").exists() == (not which)
    assert (tree.root / "c" / "channeldata.json").exists() == bool(which)
    assert not list(tree.root.rglob("*.new"))


@pytest.mark.parametrize("name", ["linux-64/run_exports.json", "linux-64/run_exports.json.zst", "channeldata.json"])
def test_a_folder_in_their_place_is_a_warning_and_repodata_goes_on(tree: Tree, name: str) -> None:
    (tree.root / "c" / name).mkdir(parents=True)
    done = show(tree, *OLD)
    assert [name in text for text in done.warnings] == [True]
    assert set(read_all(tree.folder())["repodata.json"]) == set(OLD)
    assert tree.inventory.published("c", "linux-64") is not None
    assert not list(tree.root.rglob("*.new"))
    show(tree, *NEW)
    assert set(read_all(tree.folder())["repodata.json"]) == set(NEW)


def test_a_link_in_place_of_the_channel_is_not_followed(tree: Tree, tmp_path: Path) -> None:
    made_here, extra = items(tree, *OLD), made.extra(tree.state, made.channeldata(*NAMES))
    tree.publish(*made_here, options=ALL, about=extra)
    (tree.root / "c").rename(tmp_path / "elsewhere")
    (tree.root / "c").symlink_to(tmp_path / "elsewhere")
    before = stored_files(tmp_path / "elsewhere")
    done = tree.publish(*made_here, options=ALL)
    assert [("link" in text) for text in done.warnings] == [True]
    assert stored_files(tmp_path / "elsewhere") == before


# ------------------------------------------------------------------------------------ order and crashes


def test_they_become_visible_after_repodata(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    made_here, extra = items(tree, *OLD), made.extra(tree.state, made.channeldata(*NAMES))
    renames = Renames(tree.root, monkeypatch)
    tree.publish(*made_here, options=ALL, about=extra)
    seen = [path for kind, path in renames.seen if kind == "replace" and not path.startswith("shards/")]
    assert seen[-5:] == [
        *(f"{subdir}/{name}" for name in ("run_exports.json.zst", "run_exports.json") for subdir in SUBDIRS),
        "c/channeldata.json",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=["killed", "full"])
def test_a_crash_at_any_step_leaves_whole_files_and_is_mended(tmp_path: Path, error: BaseException) -> None:
    stop, more = 0, True
    while more:
        base = tmp_path / str(stop)
        base.mkdir()
        tree = Tree(base)
        show(tree, *OLD)
        fresh, extra = items(tree, *NEW), made.extra(tree.state, made.channeldata(*NAMES))
        with pytest.MonkeyPatch.context() as patch:
            Renames(tree.root, patch, stop, error)
            try:
                tree.publish(*fresh, options=ALL, about=extra)
                more = False
            except (KeyboardInterrupt, NoSpace, MirrorError):
                pass
        for subdir in SUBDIRS:
            said = json.loads((tree.folder(subdir=subdir) / "run_exports.json").read_bytes())
            assert {*said["packages"], *said["packages.conda"]} in (set(OLD), set(NEW))
            names = set(read_all(tree.folder(subdir=subdir))["repodata.json"])
            assert names in (set(OLD), set(NEW))
        assert set(about(tree)["packages"]) in ({"a", "b"}, {"a", "c"})
        assert not list(tree.root.rglob("*.new"))
        tree.publish(*fresh, options=ALL, about=extra)
        assert all(exported(tree.folder(subdir=subdir)) == set(NEW) for subdir in SUBDIRS)
        assert set(about(tree)["packages"]) == {"a", "c"}
        tree.inventory.close()
        stop += 1
    assert stop > 15


def test_a_snapshot_has_them(tree: Tree) -> None:
    show(tree, *OLD)
    snapshots.create(tree.store, tree.inventory, "day")
    show(tree, *NEW)
    place = tree.root / "snapshots" / "day" / "c"
    assert set(json.loads((place / "channeldata.json").read_bytes())["packages"]) == {"a", "b"}
    assert exported(place / "linux-64") == set(OLD)
