"""Damaged metadata is mended: from the cache where that makes what was published, else by the next run, never by guessing."""

import shutil

import msgspec
import pytest

from mirrortui.catalog.catalog import Catalog
from mirrortui.config import Channel, MirrorConfig, Publish
from mirrortui.mirror import channeldata, repair, snapshots
from mirrortui.mirror.presence import presence
from mirrortui.mirror.staging import ORDER, Item
from mirrortui.mirror.verify import verify
from mirrortui.selection.decide import decide
from tests.unit.catalog.made import table
from tests.unit.mirror.damage import flip, wrong
from tests.unit.mirror.releases import CHANGED, SAME, publish_new, publish_old
from tests.unit.mirror.tree import Tree, stored_files

pytestmark = pytest.mark.usefixtures("no_waiting")

PAIR = ("c", "linux-64")


@pytest.fixture
def old(tree: Tree) -> Tree:
    """A tree with the first generation published, in all encodings."""
    publish_old(tree)
    return tree


def mirrored(tree: Tree, **rules: object) -> MirrorConfig:
    """A mirror as a run leaves it, with what it was made of in the cache; returns its config."""
    channel = Channel(name="c", upstreams=("https://up/c",), subdirs=("linux-64", "noarch"))
    options = Publish(zst=True, bz2=True, shards=True, current=True, run_exports=False, channeldata=False)
    config = msgspec.structs.replace(tree.config([channel], **rules), publish=options)
    indexes = {}
    for subdir in channel.subdirs:
        tree.put(SAME, CHANGED, subdir=subdir)
        body = table(SAME, CHANGED)
        body["info"]["subdir"] = subdir
        indexes["c", subdir] = tree.index(body, subdir=subdir)
    selection = decide(Catalog(indexes), config).selection
    items = []
    for pair, index in indexes.items():
        here = presence(index, tree.store, tree.inventory)
        items.append(Item(pair[1], index, selection.subdirs[pair].mask & here.verified))
    tree.publish(*items, options=options)
    assert wrong(tree) == []
    return config


def mended(tree: Tree, config: MirrorConfig) -> tuple[list[str], list[str]]:
    bad = verify(tree.store, tree.inventory).bad
    wanted, lost = repair.mend(config, tree.store, tree.inventory, bad)
    return [item.path for item in wanted], [item.path for item in lost]


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("how", ["flipped", "gone", "all gone", "shard", "stray"])
def test_metadata_is_mended_from_the_cache(tree: Tree, how: str, filtered: bool) -> None:
    config = mirrored(tree, exclude=("changed",) if filtered else ())
    before = {k: v[2] for k, v in stored_files(tree.root).items()}
    untouched = {k: v for k, v in stored_files(tree.root).items() if "noarch" in k}
    folder = tree.folder()
    if how == "flipped":
        flip(folder / "repodata.json")
        flip(folder / "current_repodata.json.zst")
    elif how == "gone":
        (folder / "repodata.json").unlink()
    elif how == "all gone":
        for name in (*ORDER, "shards"):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    elif how == "shard":
        flip(next((folder / "shards").iterdir()))
    else:
        (folder / "repodata.jlap").write_text("")
    assert wrong(tree)
    assert mended(tree, config) == ([], [])
    assert wrong(tree) == []
    assert {k: v[2] for k, v in stored_files(tree.root).items()} == before
    assert {k: v for k, v in stored_files(tree.root).items() if "noarch" in k} == untouched


def test_it_is_mended_beside_packages_that_are_bad(tree: Tree) -> None:
    config = mirrored(tree)
    flip(tree.folder() / "repodata.json")
    flip(tree.folder() / SAME)
    (tree.folder(subdir="noarch") / CHANGED).unlink()
    flip(tree.folder(subdir="noarch") / "repodata.json")
    wanted, lost = mended(tree, config)
    assert (set(wanted), lost) == ({f"c/linux-64/{SAME}", f"c/noarch/{CHANGED}"}, [])
    assert {path for path, _ in wrong(tree)} == set(wanted)


def test_what_other_rules_would_make_is_left_to_a_run(tree: Tree) -> None:
    mirrored(tree)
    flip(tree.folder() / "repodata.json")
    before = stored_files(tree.root)
    assert mended(tree, tree.config(exclude=("changed",))) == (["c/linux-64/repodata.json"], [])
    assert stored_files(tree.root) == before
    for _ in range(2):  # and it stays known as bad until that run
        assert wrong(tree) == [("c/linux-64/repodata.json", "hash")]
    last = tree.inventory.published(*PAIR)
    assert last is not None
    assert (last.upstream, last.records) == (2, 2)  # the guard against shrinking still knows


def test_without_the_cache_it_is_left_to_a_run(tree: Tree) -> None:
    config = mirrored(tree)
    flip(tree.folder() / "repodata.json")
    shutil.rmtree(tree.state / "catalog")
    assert mended(tree, config) == (["c/linux-64/repodata.json"], [])
    assert wrong(tree) == [("c/linux-64/repodata.json", "hash")]


def test_a_snapshot_gets_its_file_back_from_the_live_channel(tree: Tree) -> None:
    config = mirrored(tree)
    snapshots.create(tree.store, tree.inventory, "day")
    flip(tree.folder() / "repodata.json")  # it is the snapshot's, too
    place = tree.root / "snapshots" / "day" / "c" / "noarch"
    (place / "repodata.json.zst").unlink()
    shutil.rmtree(place / "shards")
    assert mended(tree, config) == ([], [])
    assert wrong(tree) == []


def test_one_that_the_live_channel_does_not_have_is_lost(old: Tree) -> None:
    snapshots.create(old.store, old.inventory, "day")
    publish_new(old)
    flip(old.root / "snapshots" / "day" / "c" / "noarch" / "repodata.json")
    assert mended(old, old.config()) == ([], ["snapshots/day/c/noarch/repodata.json"])


def test_channeldata_is_made_anew_by_the_next_run(old: Tree) -> None:
    path = old.root / "c" / channeldata.NAME
    before = path.read_bytes()
    flip(path)
    bad = verify(old.store, old.inventory).bad
    wanted, _ = repair.distrust(old.store, old.inventory, bad)
    assert repair.unmended(old.store, old.inventory, wanted) == wanted
    publish_old(old)
    assert path.read_bytes() == before
    assert repair.unmended(old.store, old.inventory, wanted) == []
