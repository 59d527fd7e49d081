"""The end of a run: what is verified becomes visible, what is due goes, and doubt deletes nothing."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.index import SubdirIndex
from mirrortui.config import Channel, MirrorConfig, Prune, Publish
from mirrortui.errors import NoSpace
from mirrortui.mirror import planning, publish
from mirrortui.mirror.inventory import Entry
from mirrortui.mirror.presence import presence
from mirrortui.selection.select import select
from mirrortui.transfer.engine import next_path
from mirrortui.transfer.job import Job, Outcome
from mirrortui.worker.ending import Ending
from mirrortui.worker.journal import Journal
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.receipts import Receipts
from mirrortui.worker.switching import Switching
from tests.unit.catalog.made import channeldata, content, extra, missing, record, run_exports, table
from tests.unit.mirror.tree import PLAIN, Tree, stored_files

PAIR = ("c", "linux-64")
LONG_AGO = time.time() - 90 * 86400


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path)
    yield made
    made.inventory.close()


def configured(
    tree: Tree, *subdirs: str, prune: Prune | None = None, options: Publish = PLAIN, **rules: Any
) -> MirrorConfig:
    channel = Channel(name="c", upstreams=("https://up/c",), subdirs=subdirs or ("linux-64",))
    return msgspec.structs.replace(
        tree.config([channel], prune=prune or Prune(max_share=1.0), **rules), publish=options
    )


class Switch:
    """One run's end over given indexes; `arrive` brings files as the transfers would have."""

    def __init__(self, tree: Tree, config: MirrorConfig, *indexes: SubdirIndex) -> None:
        self.tree, self.config = tree, config
        self.journal = Journal(tree.state)
        self.journal.begin()
        catalog = Catalog({(i.channel, i.subdir): i for i in indexes})
        here = {(i.channel, i.subdir): presence(i, tree.store, tree.inventory) for i in indexes}
        self.todo = planning.work(config, select(catalog, config), here, time.time())
        self.receipts = Receipts(tree.store, tree.inventory)
        for pair, item in self.todo.items():
            self.receipts.start(pair, item)
        self.switching = Switching(config, tree.store, tree.inventory, self.journal)

    def arrive(self, *fns: str, subdir: str = "linux-64", data: bytes | None = None) -> None:
        pair = ("c", subdir)
        index = self.todo[pair].chosen.index
        folder = self.tree.store.prepare(*pair)
        for fn in fns:
            row = index.fns().index(fn)
            replace = bool(self.todo[pair].replace[row])
            part = self.tree.store.part(*pair, fn)
            final = next_path(part) if replace else folder / fn
            body = content(fn) if data is None else data
            final.write_bytes(body)
            job = Job(*pair, row, fn, (), len(body), None, part, final, replace=replace)
            self.receipts.add(Outcome(job, "fetched", len(body), 1, hashlib.sha256(body).digest()))
        self.receipts.flush()

    def run(self, *, confirmed: bool = False) -> Ending:
        self.switching.publish(self.todo, self.receipts, confirmed)
        ending = self.switching.prune(confirmed)
        self.journal.finish(ending.state, ending.message)
        return ending


def named(tree: Tree, subdir: str = "linux-64") -> list[str]:
    body = json.loads((tree.folder(subdir=subdir) / "repodata.json").read_bytes())
    return sorted([*body["packages"], *body["packages.conda"]])


def events(tree: Tree) -> str:
    return "\n".join(event.text for event in JournalReader(tree.state).snapshot().events)


def published(tree: Tree, *fns: str, subdir: str = "linux-64") -> None:
    """An earlier run in which all of these were mirrored."""
    tree.put(*fns, subdir=subdir)
    body = table(*fns)
    body["info"]["subdir"] = subdir
    assert Switch(tree, configured(tree, subdir), tree.index(body, subdir=subdir)).run() == Ending("done")
    assert named(tree, subdir) == sorted(fns)


def test_what_arrived_is_published_and_what_failed_is_left_out(tree: Tree) -> None:
    switch = Switch(tree, configured(tree), tree.index(table("a-1-0.conda", "b-1-0.conda")))
    switch.arrive("a-1-0.conda")
    assert switch.run().code == 0
    assert named(tree) == ["a-1-0.conda"]
    assert named(tree, "noarch") == []  # a channel must have it


def test_what_is_no_longer_wanted_leaves_the_metadata_now_and_the_disk_later(tree: Tree) -> None:
    published(tree, "a-1-0.conda", "b-1-0.conda")
    config = configured(tree, exclude=("b",))
    index = tree.index(table("a-1-0.conda", "b-1-0.conda"))
    assert Switch(tree, config, index).run() == Ending("done")
    assert named(tree) == ["a-1-0.conda"]
    assert (tree.folder() / "b-1-0.conda").exists()
    tree.inventory.mark_dropped(*PAIR, ["b-1-0.conda"], LONG_AGO)
    assert Switch(tree, config, index).run() == Ending("done", pruned=1)
    assert not (tree.folder() / "b-1-0.conda").exists()
    assert named(tree) == ["a-1-0.conda"]


def test_dropped_is_what_the_metadata_has_really_ceased_to_name(tree: Tree) -> None:
    fns = [f"p{i}-1-0.conda" for i in range(10)]
    published(tree, *fns)
    tree.put("w-1-0.conda", channel="gone")
    config = configured(tree, prune=Prune(max_share=0.2))
    index = tree.index(table(*fns[:5]))
    switch = Switch(tree, config, index)
    switch.run()
    assert counted(tree) == 1  # the channel that mirror.toml no longer names; the shrunken one is held
    assert Switch(tree, config, index).run(confirmed=True).code == 0
    assert counted(tree) == 5
    assert Switch(tree, config, index).run().code == 0
    assert counted(tree) == 0


def counted(tree: Tree) -> int:
    run = JournalReader(tree.state).snapshot().run
    assert run is not None
    return run.dropped


def test_nothing_is_pruned_and_something_is_said_while_a_snapshot_is_damaged(tree: Tree) -> None:
    published(tree, "a-1-0.conda", "b-1-0.conda")
    folder = tree.root / "snapshots" / "day" / "c" / "linux-64"
    folder.mkdir(parents=True)
    (folder.parents[1] / ".snapshot.json").write_text("{")
    config = configured(tree, prune=Prune(max_share=1.0, grace=""), exclude=("b",))
    index = tree.index(table("a-1-0.conda", "b-1-0.conda"))
    assert Switch(tree, config, index).run() == Ending("done")
    assert (tree.folder() / "b-1-0.conda").exists()
    assert "nothing of c is deleted, since snapshot day is damaged" in events(tree)


def test_a_file_that_is_wanted_again_is_not_deleted(tree: Tree) -> None:
    published(tree, "a-1-0.conda")
    tree.put("b-1-0.conda", dropped=LONG_AGO)
    assert Switch(tree, configured(tree), tree.index(table("a-1-0.conda", "b-1-0.conda"))).run() == Ending("done")
    assert named(tree) == ["a-1-0.conda", "b-1-0.conda"]
    assert tree.inventory.entries(*PAIR)["b-1-0.conda"].dropped is None


def test_a_file_is_off_the_list_of_the_leaving_before_it_is_named_again(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies in between leaves metadata that names it, and a prune that knows only the inventory."""
    published(tree, "a-1-0.conda")
    tree.put("b-1-0.conda", dropped=LONG_AGO)
    seen = []
    real = publish.publish

    def watched(*arguments: Any) -> publish.Switched:
        seen.append(tree.inventory.entries(*PAIR)["b-1-0.conda"].dropped)
        return real(*arguments)

    monkeypatch.setattr(publish, "publish", watched)
    Switch(tree, configured(tree), tree.index(table("a-1-0.conda", "b-1-0.conda"))).run()
    assert seen == [None]


def test_a_second_run_changes_nothing(tree: Tree) -> None:
    published(tree, "a-1-0.conda")
    before = stored_files(tree.root)
    switch = Switch(tree, configured(tree), tree.index(table("a-1-0.conda")))
    switch.run()
    assert not switch.switching.changed
    assert stored_files(tree.root) == before


# ---------------------------------------------------------------------------------------------- doubt


@pytest.mark.parametrize("left", [0, 1, 7])
def test_an_index_that_has_shrunk_is_held_back_unless_that_is_confirmed(tree: Tree, left: int) -> None:
    fns = [f"p{i}-1-0.conda" for i in range(10)]
    published(tree, *fns)
    before = stored_files(tree.root)
    config = configured(tree, prune=Prune(max_share=0.2, grace=""))
    index = tree.index(table(*fns[:left]))
    ending = Switch(tree, config, index).run()
    assert (ending.state, ending.code) == ("partial", 5)
    assert f"has shrunk from 10 to {left} records" in ending.message
    assert "--confirm-prune" in ending.message
    assert stored_files(tree.root) == before
    assert [e.dropped for e in tree.inventory.entries(*PAIR).values()] == [None] * 10
    assert Switch(tree, config, index).run(confirmed=True).code == 0
    assert named(tree) == sorted(fns[:left])


def test_an_index_that_shrinks_a_little_is_believed(tree: Tree) -> None:
    fns = [f"p{i}-1-0.conda" for i in range(10)]
    published(tree, *fns)
    config = configured(tree, prune=Prune(max_share=0.2))
    assert Switch(tree, config, tree.index(table(*fns[:8]))).run().code == 0
    assert named(tree) == fns[:8]


def test_a_channel_of_which_one_index_has_shrunk_is_held_back_as_a_whole(tree: Tree) -> None:
    fns = [f"p{i}-1-0.conda" for i in range(10)]
    config = configured(tree, "linux-64", "noarch", prune=Prune(max_share=0.2))
    noarch = table("n-1-0.conda")
    noarch["info"]["subdir"] = "noarch"
    tree.put(*fns)
    tree.put("n-1-0.conda", subdir="noarch")
    assert Switch(tree, config, tree.index(table(*fns)), tree.index(noarch, subdir="noarch")).run().code == 0
    noarch["packages.conda"]["n-2-0.conda"] = record("n-2-0.conda")
    switch = Switch(tree, config, tree.index(table(fns[0])), tree.index(noarch, subdir="noarch"))
    switch.arrive("n-2-0.conda", subdir="noarch")
    assert switch.run().code == 5
    assert named(tree, "noarch") == ["n-1-0.conda"]


def test_a_subdir_that_vanished_upstream_stays_as_it_was(tree: Tree) -> None:
    published(tree, "a-1-0.conda")
    before = {k: v for k, v in stored_files(tree.root).items() if "linux-64" in k}
    for _ in range(2):
        ending = Switch(tree, configured(tree, prune=Prune(max_share=1.0, grace="")), missing(tree.state)).run()
        assert (ending.state, ending.code) == ("partial", 3)
        assert {k: v for k, v in stored_files(tree.root).items() if "linux-64" in k} == before
    assert "gone upstream" in events(tree)


def test_a_channel_of_which_an_index_could_not_be_read_is_left_alone(tree: Tree) -> None:
    published(tree, "a-1-0.conda")
    tree.put("old-1-0.conda", dropped=LONG_AGO)
    before = stored_files(tree.root)
    assert Switch(tree, configured(tree, "linux-64", "noarch")).run() == Ending("done")  # neither index is at hand
    assert stored_files(tree.root) == before


def test_too_much_at_once_is_refused_and_nothing_is_deleted(tree: Tree) -> None:
    published(tree, "a-1-0.conda")
    tree.put("x-1-0.conda", "y-1-0.conda", dropped=LONG_AGO)
    config = configured(tree, prune=Prune(max_share=0.5))
    index = tree.index(table("a-1-0.conda"))
    ending = Switch(tree, config, index).run()
    assert (ending.state, ending.code) == ("partial", 5)
    assert (tree.folder() / "x-1-0.conda").exists()
    assert Switch(tree, config, index).run(confirmed=True) == Ending("done", pruned=2)


def test_with_pruning_switched_off_nothing_is_deleted(tree: Tree) -> None:
    published(tree, "a-1-0.conda")
    tree.put("x-1-0.conda", dropped=LONG_AGO)
    config = configured(tree, prune=Prune(enabled=False))
    assert Switch(tree, config, tree.index(table("a-1-0.conda"))).run() == Ending("done")
    assert (tree.folder() / "x-1-0.conda").exists()


# ---------------------------------------------------------------------------- withdrawn and replaced


def test_a_subdir_that_the_config_no_longer_names_is_withdrawn_and_later_deleted(tree: Tree) -> None:
    published(tree, "a-1-0.conda")
    published(tree, "b-1-0.conda", subdir="win-64")
    config, index = configured(tree), tree.index(table("a-1-0.conda"))
    Switch(tree, config, index).run()
    assert tree.names(subdir="win-64") == ["b-1-0.conda"]
    tree.inventory.mark_dropped("c", "win-64", ["b-1-0.conda"], LONG_AGO)
    assert Switch(tree, config, index).run() == Ending("done", pruned=1)
    assert tree.names(subdir="win-64") == []
    assert named(tree) == ["a-1-0.conda"]


def test_noarch_that_is_no_longer_mirrored_becomes_empty_and_stays(tree: Tree) -> None:
    published(tree, "n-1-0.conda", subdir="noarch")
    Switch(tree, configured(tree, "linux-64"), tree.index(table())).run()
    assert named(tree, "noarch") == []


def test_a_replaced_file_is_in_no_metadata_while_it_changes(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    published(tree, "a-1-0.conda", "b-1-0.conda")
    new = b"built anew under the same name"
    body = table("a-1-0.conda")
    body["packages.conda"]["b-1-0.conda"] = record(
        "b-1-0.conda", sha256=hashlib.sha256(new).hexdigest(), md5=..., size=len(new)
    )
    switch = Switch(tree, configured(tree), tree.index(body))
    assert switch.todo[PAIR].replace.sum() == 1
    switch.arrive("b-1-0.conda", data=new)
    assert (tree.folder() / "b-1-0.conda").read_bytes() == content("b-1-0.conda")
    seen: list[list[str]] = []
    rename = Path.replace

    def watched(path: Path, target: Path) -> Path:
        if Path(target).name == "b-1-0.conda":
            seen.append(named(tree))
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", watched)
    switch.run()
    assert seen == [["a-1-0.conda"]]
    assert named(tree) == ["a-1-0.conda", "b-1-0.conda"]
    assert (tree.folder() / "b-1-0.conda").read_bytes() == new
    assert tree.inventory.entries(*PAIR)["b-1-0.conda"].digest == hashlib.sha256(new).digest()


def test_a_replacement_that_did_not_come_takes_the_record_out(tree: Tree) -> None:
    published(tree, "a-1-0.conda", "b-1-0.conda")
    body = table("a-1-0.conda", ("b-1-0.conda", {"sha256": "f" * 64, "md5": ...}))
    Switch(tree, configured(tree), tree.index(body)).run()
    assert named(tree) == ["a-1-0.conda"]
    assert (tree.folder() / "b-1-0.conda").exists()


# ------------------------------------------------------------------------------ one channel among others


def two_channels(tree: Tree) -> MirrorConfig:
    names = [Channel(name=name, upstreams=("https://up",), subdirs=("linux-64",)) for name in ("bad", "c")]
    return msgspec.structs.replace(tree.config(names, prune=Prune(max_share=1.0, grace="")), publish=PLAIN)


def test_a_channel_that_cannot_be_published_stops_no_other(tree: Tree, tmp_path: Path) -> None:
    bodies = [tree.index(table("a-1-0.conda"), channel=name) for name in ("bad", "c")]
    for name in ("bad", "c"):
        tree.put("a-1-0.conda", channel=name)
        tree.put("x-1-0.conda", channel=name, dropped=LONG_AGO)
    (tree.root / "bad").rename(tmp_path / "elsewhere")
    (tree.root / "bad").symlink_to(tmp_path / "elsewhere")
    before = stored_files(tmp_path / "elsewhere")
    ending = Switch(tree, two_channels(tree), *bodies).run()
    assert (ending.state, ending.code, ending.pruned) == ("partial", 3, 1)
    assert "bad: not published" in ending.message
    assert "is a link that leads elsewhere" in ending.message
    assert named(tree) == ["a-1-0.conda"]
    assert stored_files(tmp_path / "elsewhere") == before  # and nothing of it was pruned
    assert "bad is not published" in events(tree)


def test_where_no_channel_can_be_published_the_run_has_failed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mirrortui.mirror.publish.publish", refuse)
    bodies = [tree.index(table("a-1-0.conda"), channel=name) for name in ("bad", "c")]
    ending = Switch(tree, two_channels(tree), *bodies).run()
    assert (ending.state, ending.code) == ("failed", 1)
    assert "bad, c: not published" in ending.message
    assert "Check owner and mode" in ending.message


def test_a_full_disk_stops_them_all(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mirrortui.mirror.publish.publish", full)
    with pytest.raises(NoSpace):
        Switch(tree, two_channels(tree), tree.index(table("a-1-0.conda"))).run()


def test_what_lies_beside_repodata_is_published_and_stays_with_a_subdir_that_vanished(tree: Tree) -> None:
    tree.put("a-1-0.conda")
    extras = {
        PAIR: extra(tree.state, run_exports("a-1-0.conda", "b-1-0.conda"), subdir="linux-64"),
        ("c", ""): extra(tree.state, channeldata("a", "b")),
    }
    config = configured(tree, options=Publish(shards=False, current=False))
    switch = Switch(tree, config, tree.index(table("a-1-0.conda")))
    switch.switching.extras = extras
    assert switch.run() == Ending("done")
    said = json.loads((tree.folder() / "run_exports.json").read_bytes())
    assert list(said["packages.conda"]) == ["a-1-0.conda"]
    about = tree.root / "c" / "channeldata.json"
    assert list(json.loads(about.read_bytes())["packages"]) == ["a"]
    gone = Switch(tree, config, missing(tree.state))
    gone.switching.extras = extras
    assert gone.run().state == "partial"
    assert (tree.folder() / "run_exports.json").exists()
    assert json.loads(about.read_bytes())["packages"]["a"]["subdirs"] == ["linux-64"]


# -------------------------------------------------------------------------------------- left-over parts


def test_parts_that_nothing_will_resume_go_and_all_else_stays(tree: Tree) -> None:
    folder = tree.store.prepare(*PAIR)
    going = {".done-1-0.conda.part", ".unnamed-1-0.conda.part", ".unnamed-1-0.conda.next", ".excluded-1-0.conda.part"}
    staying = {".missing-1-0.conda.part", ".rsync.part", ".other", ".x y.conda.part"}
    for name in (*going, *staying):
        (folder / name).write_bytes(b"half")
    (folder / ".dir-1-0.conda.part").mkdir()
    tree.put("done-1-0.conda")
    index = tree.index(table("done-1-0.conda", "missing-1-0.conda", "excluded-1-0.conda"))
    Switch(tree, configured(tree, exclude=("excluded",)), index).run()
    left = set(tree.names())
    assert left & going == set()
    assert left >= staying | {".dir-1-0.conda.part"}


def test_parts_of_a_channel_that_is_held_back_stay(tree: Tree) -> None:
    fns = [f"p{i}-1-0.conda" for i in range(10)]
    published(tree, *fns)
    (tree.folder() / ".p1-1-0.conda.part").write_bytes(b"half")
    Switch(tree, configured(tree, prune=Prune(max_share=0.1)), tree.index(table(fns[0]))).run()
    assert (tree.folder() / ".p1-1-0.conda.part").exists()


def test_receipts_are_written_in_batches_after_their_bytes(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = Switch(tree, configured(tree), tree.index(table("a-1-0.conda")))
    order: list[str] = []
    monkeypatch.setattr(tree.store, "flush", lambda: order.append("bytes"))
    put = tree.inventory.put
    monkeypatch.setattr(tree.inventory, "put", lambda *args: (order.append("entries"), put(*args)))
    assert not switch.receipts.due
    switch.arrive("a-1-0.conda")
    assert order == ["bytes", "entries"]
    switch.receipts.flush()
    assert order == ["bytes", "entries"]  # nothing to write, nothing to wait for
    assert isinstance(tree.inventory.entries(*PAIR)["a-1-0.conda"], Entry)
