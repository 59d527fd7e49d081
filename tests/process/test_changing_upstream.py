"""The upstream's index changes, breaks, shrinks or goes: what is published stays true and is never emptied by it."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process import faults, published
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree, write_index
from tests.process.waiting import until
from tests.process.watching import Watch

FILES = 40


@pytest.fixture
def mirrored(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> Mirror:
    """A mirror that is complete, over HTTP, with a grace of nothing: whatever may be deleted will be."""
    for number in range(FILES):
        lab.put(f"p{number:02}", subdir="linux-64" if number % 2 else "noarch", size=2000)
    lab.index()
    mirror.write({"lab": f"{faulty.url}/lab"}, prune={"grace": "0 s"}, transfer={"retries": 1})
    mirror.sync()
    assert shown(mirror) == FILES
    return mirror


def shown(mirror: Mirror) -> int:
    return sum(len(published.published(mirror.root, "lab", subdir)) for subdir in ("linux-64", "noarch"))


@pytest.fixture
def watch(mirrored: Mirror) -> Iterator[Watch]:
    with Watch(mirrored.root) as watching:
        yield watching
    assert watching.looks > 0
    assert watching.wrong == []


# ------------------------------------------------------------------------------------- replaced packages


def test_a_package_replaced_under_its_name_is_replaced_here(mirrored: Mirror, lab: ChannelTree, watch: Watch) -> None:
    """Over and over, in both subdirs, with adds and drops beside, under the eyes of a watcher."""
    for turn in range(3):
        old = dict(lab.records["linux-64"])
        for number in (1, 2, 3, 4):
            lab.put(f"p{number:02}", subdir="linux-64" if number % 2 else "noarch", size=2000 + turn)
        lab.put(f"extra{turn}")
        lab.index()
        run = mirrored.sync()["run"]
        assert (run["replaced"], run["added"]) == (4, 1)
        now = published.published(mirrored.root, "lab", "linux-64")
        assert now == lab.records["linux-64"]
        assert now["p01-1.0-0.conda"] != old["p01-1.0-0.conda"]
        assert published.wrong(mirrored.root) == []
    until(lambda: lab.records["linux-64"]["p01-1.0-0.conda"]["sha256"] in watch.seen)
    assert published.hidden(mirrored.root) == []


def test_a_package_replaced_while_the_run_is_at_work(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    """The index was read, then the file and the index changed: this run leaves it out, the next one brings it."""
    first = lab.put("a-first", size=90_000)
    fn = lab.put("victim", size=1000)
    lab.index()
    gate = threading.Event()
    faulty.always(f"/lab/linux-64/{first}", faults.hold(10, gate))
    mirror.write({"lab": f"{faulty.url}/lab"}, transfer={"connections": 1})
    process = mirror.start()
    until(lambda: faulty.requests(first))
    lab.put("victim", size=1000)
    lab.index()
    gate.set()
    assert process.wait(20) == 3
    assert set(published.published(mirror.root, "lab", "linux-64")) == {first}
    assert published.wrong(mirror.root) == []
    assert mirror.sync()["run"]["added"] == 1
    assert published.published(mirror.root, "lab", "linux-64") == lab.records["linux-64"]
    assert (mirror.root / "lab" / "linux-64" / fn).read_bytes() == lab.data(fn)


def test_a_replacement_that_cannot_be_had_leaves_the_record_out(
    mirrored: Mirror, lab: ChannelTree, faulty: FaultyUpstream, watch: Watch
) -> None:
    fn = lab.put("p01", size=2000)
    lab.index()
    faulty.always(f"/lab/linux-64/{fn}", faults.wrong_bytes)
    partial = mirrored.sync(code=3)
    assert [failure["fn"] for failure in partial["run"]["failed"]] == [fn]
    assert fn not in published.published(mirrored.root, "lab", "linux-64")
    assert published.wrong(mirrored.root) == []
    faulty.always(f"/lab/linux-64/{fn}", None)
    assert mirrored.sync()["run"]["replaced"] == 1
    assert published.published(mirrored.root, "lab", "linux-64") == lab.records["linux-64"]
    assert watch.looks


def test_a_replacement_that_is_taken_back(mirrored: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    """Killed between fetching the new file and switching to it; meanwhile the upstream has the old one again."""
    old_record, old_data = lab.records["linux-64"]["p01-1.0-0.conda"], lab.data("p01-1.0-0.conda")
    fn = lab.put("p01", size=3000)
    held = lab.put("held", size=100)
    lab.index()
    gate = threading.Event()
    faulty.always(f"/lab/linux-64/{held}", faults.hold(10, gate))
    process = mirrored.start()
    waiting = mirrored.root / "lab" / "linux-64" / f".{fn}.next"
    until(waiting.exists)
    process.kill()
    process.wait()
    gate.set()
    assert published.wrong(mirrored.root) == []
    (lab.folder / "linux-64" / fn).write_bytes(old_data)
    lab.records["linux-64"][fn] = old_record
    lab.index()
    mirrored.sync()
    assert published.published(mirrored.root, "lab", "linux-64") == lab.records["linux-64"]
    assert published.wrong(mirrored.root) == []
    assert published.hidden(mirrored.root) == []


# ----------------------------------------------------------------------------------------- broken indexes


def broken(folder: Path, name: str, data: bytes) -> None:
    (folder / f"repodata.json.{name}").unlink(missing_ok=True)
    (folder / "repodata.json").write_bytes(data)


def empty(tree: ChannelTree) -> None:
    write_index(tree.folder / "linux-64", "linux-64", {})


def shrunken(tree: ChannelTree) -> None:
    records = tree.records["linux-64"]
    write_index(tree.folder / "linux-64", "linux-64", dict(list(records.items())[: len(records) // 10]))


def without_records(tree: ChannelTree) -> None:
    broken(tree.folder / "linux-64", "zst", b"{}")


def test_an_index_that_loses_its_records_changes_nothing_until_confirmed(mirrored: Mirror, lab: ChannelTree) -> None:
    before = published.stamps(mirrored.root)
    for change in (empty, shrunken, without_records, without_records):  # and it does not get used to it
        change(lab)
        refused = mirrored.sync(code=5)
        assert refused["state"] == "partial"
        assert "has shrunk from 20 to" in refused["run"]["message"]
        assert "--confirm-prune" in refused["run"]["message"]
        assert published.stamps(mirrored.root) == before
    lab.index()
    assert mirrored.sync()["state"] == "done"
    assert shown(mirrored) == FILES
    shrunken(lab)
    confirmed = mirrored.sync("--confirm-prune")
    assert confirmed["run"]["pruned"] == 18
    assert shown(mirrored) == FILES - 18
    assert published.wrong(mirrored.root) == []


@pytest.mark.parametrize(
    ("data", "word"),
    [(b"", "empty"), (b'{"packages.conda": {"a-1', "ends in the middle"), (b"<html>sign in</html>", "HTML page")],
)
def test_an_index_that_cannot_be_read_changes_nothing(
    mirrored: Mirror, lab: ChannelTree, data: bytes, word: str
) -> None:
    before = published.stamps(mirrored.root)
    broken(lab.folder / "linux-64", "zst", data)
    partial = mirrored.sync("--confirm-prune", code=3)
    assert word in partial["run"]["message"]
    assert published.stamps(mirrored.root) == before


def cut_off(faulty: FaultyUpstream, lab: ChannelTree) -> None:
    del lab
    faulty.always("/lab/linux-64/repodata.json.zst", faults.cut(100))


def damaged(faulty: FaultyUpstream, lab: ChannelTree) -> None:
    del faulty
    path = lab.folder / "linux-64" / "repodata.json.zst"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)


def another_subdir(faulty: FaultyUpstream, lab: ChannelTree) -> None:
    del faulty
    write_index(lab.folder / "linux-64", "osx-64", lab.records["linux-64"])


@pytest.mark.parametrize("change", [cut_off, damaged, another_subdir])
def test_a_packed_index_that_is_not_right_changes_nothing(
    mirrored: Mirror, lab: ChannelTree, faulty: FaultyUpstream, change: Callable[[FaultyUpstream, ChannelTree], None]
) -> None:
    before = published.stamps(mirrored.root)
    lab.put("more")
    lab.index()
    change(faulty, lab)
    assert mirrored.sync(code=3)["state"] == "partial"
    assert published.stamps(mirrored.root) == before
    faulty.always("/lab/linux-64/repodata.json.zst", None)
    lab.index()
    assert mirrored.sync()["run"]["added"] == 1


def test_a_subdir_that_vanishes_stays_published(mirrored: Mirror, lab: ChannelTree) -> None:
    before = published.stamps(mirrored.root)
    for name in ("repodata.json", "repodata.json.zst"):
        (lab.folder / "linux-64" / name).unlink()
    partial = mirrored.sync("--confirm-prune", code=3)
    assert "lab/linux-64: gone upstream, published as before" in partial["run"]["message"]
    assert published.stamps(mirrored.root) == before
    lab.put("more")
    lab.index()
    assert mirrored.sync()["run"]["added"] == 1
    assert shown(mirrored) == FILES + 1


def test_a_subdir_that_is_gone_stays_published_even_where_the_state_was_lost(
    mirrored: Mirror, lab: ChannelTree
) -> None:
    before = published.tree(mirrored.root)
    for name in ("repodata.json", "repodata.json.zst"):
        (lab.folder / "linux-64" / name).unlink()
    shutil.rmtree(mirrored.state)
    assert "lab/linux-64: gone upstream" in mirrored.sync("--confirm-prune", code=3)["run"]["message"]
    assert published.tree(mirrored.root) == before


def test_a_refusal_is_told_as_one_also_after_the_index_was_gone(mirrored: Mirror, faulty: FaultyUpstream) -> None:
    before = published.stamps(mirrored.root)
    for code in (404, 403):
        for name in ("repodata.json", "repodata.json.zst"):
            faulty.always(f"/lab/linux-64/{name}", faults.status(code))
        partial = mirrored.sync(code=3)
        assert ("answered 403" if code == 403 else "gone upstream") in partial["run"]["message"]
        plan = mirrored.run("plan", "--json").json()
        assert any("lab/linux-64 is not upstream any more" in warning for warning in plan["warnings"])
    assert published.stamps(mirrored.root) == before


def test_a_channel_that_vanishes_stays_published(mirrored: Mirror, faulty: FaultyUpstream) -> None:
    before = published.stamps(mirrored.root)
    faulty.rule = lambda asked: faults.status(404)
    failed = mirrored.sync("--confirm-prune", code=1)
    assert "there is no channel lab" in failed["run"]["message"]
    assert published.stamps(mirrored.root) == before
    faulty.rule = None
    assert mirrored.sync()["run"]["bytes"] == 0
    assert published.stamps(mirrored.root) == before
