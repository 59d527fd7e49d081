"""Invariants 1 and 2: what is published is there, all encodings and subdirs go together, in the promised order.

The tree is read after every change that a run makes in it, in all encodings: each sight is what a client may meet and
what a crash would leave.
"""

import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest

from tests.process import encodings, faults
from tests.process.encodings import ORDER
from tests.process.faulty import Asked, Fault, FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.onlooker import Onlooker, Sight, copy
from tests.process.packages import ChannelTree

pytestmark = pytest.mark.slow

ALL = {"zst": True, "bz2": True, "shards": True, "current": True}
NONE = {"zst": False, "bz2": False, "shards": False, "current": False}
AT_ONCE = {"grace": "0 s", "max_share": 1.0}
SUBDIRS = ("linux-64", "noarch")

Generation = Mapping[str, Mapping[str, str]]
"""subdir -> file name -> sha256."""


@pytest.fixture
def pair(mirror: Mirror, lab: ChannelTree, onlooker: Onlooker) -> Mirror:
    """A mirror of one channel, all encodings on, whatever is dropped deleted at once."""
    for subdir in SUBDIRS:
        for name in ("kept", "replaced", "dropped"):
            lab.put(name, subdir=subdir, size=500)
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()}, publish=ALL, prune=AT_ONCE)
    assert onlooker.run(mirror.file).code == 0
    return mirror


def hashes(lab: ChannelTree) -> dict[str, dict[str, str]]:
    return {subdir: {fn: record["sha256"] for fn, record in found.items()} for subdir, found in lab.records.items()}


def change(lab: ChannelTree) -> None:
    """In both subdirs: one file replaced under its name, one dropped, one added."""
    for subdir in SUBDIRS:
        lab.put("replaced", subdir=subdir, size=600)
        lab.put("added", subdir=subdir, size=500)
        lab.remove("dropped-1.0-0.conda", subdir=subdir)
    lab.index()


def between(old: Generation, new: Generation) -> dict[str, dict[str, str]]:
    """What may be shown while replaced files change: the new generation without them."""
    return {
        subdir: {fn: digest for fn, digest in found.items() if old.get(subdir, {}).get(fn, digest) == digest}
        for subdir, found in new.items()
    }


def check_order(sights: list[Sight], channel: str, generations: list[Generation]) -> None:
    """Every sight is between two generations: the first so many encodings, in the promised order, show the later one."""
    places = [(name, subdir) for name in ORDER for subdir in SUBDIRS]
    now, end = 0, len(places) * (len(generations) - 1)

    def fits(sight: Sight, switched: int) -> bool:
        whole, part = divmod(switched, len(places))
        return all(
            sight.shown.get(f"{channel}/{subdir}", {}).get(name, {})
            == generations[whole + (place < part)].get(subdir, {})
            for place, (name, subdir) in enumerate(places)
        )

    for sight in sights:
        assert sight.wrong == [], sight.step
        found = next((switched for switched in range(now, end + 1) if fits(sight, switched)), None)
        assert found is not None, f"{channel} is not in order after {sight.step}: {sight.shown}"
        now = found
    assert fits(sights[-1], end)


# --------------------------------------------------------------------------- 1: only what is there, all together


def test_1_and_2_each_sight_of_a_run_is_a_set_that_clients_can_use(
    pair: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    old = hashes(lab)
    change(lab)
    new = hashes(lab)
    ended = onlooker.run(pair.file, look=True)
    assert (ended.code, ended.run["added"], ended.run["replaced"], ended.run["pruned"]) == (0, 2, 2, 2)
    check_order(ended.sights, "lab", [old, between(old, new), new])
    assert len(ended.sights) > 2 * len(ORDER) * len(SUBDIRS)  # it did look at each switch
    for subdir in SUBDIRS:
        assert encodings.same(pair.root / "lab" / subdir) == lab.records[subdir]


def test_1_a_first_run_shows_nothing_before_all_packages_of_all_subdirs_are_there(
    mirror: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    for subdir in SUBDIRS:
        for number in range(4):
            lab.put(f"p{number}", subdir=subdir, size=300)
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()}, publish=ALL)
    ended = onlooker.run(mirror.file, look=True)
    check_order(ended.sights, "lab", [{}, hashes(lab)])
    first = next(sight for sight in ended.sights if sight.shown)
    assert len(first.files) == 8
    assert first.step.endswith(f"/linux-64/{ORDER[0]}")


def test_1_a_file_that_changes_between_index_and_download_is_in_no_encoding(
    pair: Mirror, lab: ChannelTree, faulty: FaultyUpstream, onlooker: Onlooker
) -> None:
    """The upstream swaps files just as they are asked for: an added one, and one that is to replace another."""
    old = hashes(lab)
    change(lab)
    new, rightful = hashes(lab), {subdir: dict(lab.records[subdir]) for subdir in SUBDIRS}
    swapped = ("added-1.0-0.conda", "replaced-1.0-0.conda")

    def swap(asked: Asked) -> Fault | None:
        return faults.wrong_bytes if asked.path.endswith(swapped) and "/linux-64/" in asked.path else None

    faulty.rule = swap
    pair.write({"lab": f"{faulty.url}/lab"}, publish=ALL, prune=AT_ONCE, transfer={"retries": 1})
    ended = onlooker.run(pair.file, look=True)
    assert (ended.code, ended.status["state"]) == (3, "partial")
    assert sorted((f["subdir"], f["fn"], f["reason"]) for f in ended.run["failed"]) == [
        ("linux-64", fn, "hash") for fn in swapped
    ]
    left = {
        subdir: {fn: digest for fn, digest in found.items() if subdir == "noarch" or fn not in swapped}
        for subdir, found in new.items()
    }
    check_order(ended.sights, "lab", [old, between(old, left), left])
    faulty.rule = None
    again = onlooker.run(pair.file, look=True)
    assert (again.code, again.run["added"], again.run["replaced"]) == (0, 1, 1)
    assert [sight.wrong for sight in again.sights if sight.wrong] == []
    for subdir in SUBDIRS:
        assert encodings.same(pair.root / "lab" / subdir) == rightful[subdir]


def test_1_after_a_crash_at_any_step_no_prune_takes_what_is_shown(
    pair: Mirror, lab: ChannelTree, onlooker: Onlooker, tmp_path: Path
) -> None:
    """Two files whose grace is over are wanted again; the run dies at every step, somebody prunes, another run comes."""
    off = AT_ONCE | {"enabled": False}
    pair.write({"lab": lab.folder.as_uri()}, publish=ALL, prune=off, selection={"exclude": ["kept"]})
    assert onlooker.run(pair.file).code == 0
    pair.write({"lab": lab.folder.as_uri()}, publish=ALL, prune=AT_ONCE)
    for place in (pair.root, pair.state):
        copy(place, tmp_path / "pristine" / place.name)
    for step in count():
        for place in (pair.root, pair.state):
            copy(tmp_path / "pristine" / place.name, place)
        if onlooker.run(pair.file, kill=step).code != -1:
            break
        assert encodings.wrong(pair.root) == [], step
        assert onlooker.run(pair.file, prune=True, confirm=True).code == 0
        assert encodings.wrong(pair.root) == [], step
        assert onlooker.run(pair.file).code == 0
        assert encodings.wrong(pair.root) == [], step
        assert encodings.same(pair.root / "lab" / "noarch") == lab.records["noarch"], step
    assert step > len(ORDER) * len(SUBDIRS)


def test_1_a_lost_state_is_no_reason_to_show_a_file_that_is_another(
    pair: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    """Without an inventory nobody knows what lies there; what the old metadata names must stay until that has gone."""
    old = hashes(lab)
    change(lab)
    new = hashes(lab)
    shutil.rmtree(pair.state)
    ended = onlooker.run(pair.file, look=True)
    assert (ended.code, ended.run["added"], ended.run["replaced"]) == (0, 2, 2)
    check_order(ended.sights, "lab", [old, between(old, new), new])


# ------------------------------------------------------------------------------------------- 2: deletions last


def test_2_nothing_is_deleted_before_every_channel_is_switched(
    pair: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    other = ChannelTree(lab.folder.parent, "other", seed=2)
    for name in ("stays", "goes"):
        other.put(name, size=400)
    other.index()
    channels = {"lab": lab.folder.as_uri(), "other": other.folder.as_uri()}
    pair.write(channels, publish=ALL, prune=AT_ONCE)
    assert onlooker.run(pair.file).code == 0
    old = {"lab": hashes(lab), "other": hashes(other)}
    change(lab)
    other.remove("goes-1.0-0.conda")
    other.index()
    new = {"lab": hashes(lab), "other": hashes(other)}
    ended = onlooker.run(pair.file, look=True)
    assert ended.run["pruned"] == 3
    check_order(ended.sights, "lab", [old["lab"], between(old["lab"], new["lab"]), new["lab"]])
    check_order(ended.sights, "other", [old["other"], new["other"]])
    final = ended.sights[-1].shown
    for sight in ended.sights:
        if sight.shown != final:
            assert len([fn for fn in sight.files if "dropped" in fn or "goes" in fn]) == 3, sight.step


def test_2_a_channel_that_is_held_back_keeps_its_files_while_others_are_pruned(
    pair: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    other = ChannelTree(lab.folder.parent, "other", seed=2)
    for number in range(5):
        other.put(f"p{number}", size=400)
    other.index()
    channels = {"lab": lab.folder.as_uri(), "other": other.folder.as_uri()}
    pair.write(channels, publish=ALL, prune={"grace": "0 s", "max_share": 0.5})
    assert onlooker.run(pair.file).code == 0
    before = encodings.shown(pair.root / "other/linux-64")
    for number in range(3):
        other.remove(f"p{number}-1.0-0.conda")
    other.index()
    change(lab)
    ended = onlooker.run(pair.file, look=True)
    assert ended.code == 5
    assert [sight.wrong for sight in ended.sights if sight.wrong] == []
    assert encodings.shown(pair.root / "other/linux-64") == before
    assert len([fn for fn in ended.sights[-1].files if fn.startswith("other/")]) == 5
    assert encodings.same(pair.root / "lab/noarch") == lab.records["noarch"]
