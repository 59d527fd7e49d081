"""run_exports and channeldata through real runs: cut to what is mirrored, left alone where nothing is new, never in the way."""

import json
from pathlib import Path
from typing import Any

import pytest

from mirrortui.worker.reader import JournalReader
from tests.process import faults, published
from tests.process.beside import RUN, RUN_ZST, tell
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.test_snapshots import ok


@pytest.fixture
def mirrored(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> Mirror:
    lab.put("kept")
    lab.put("second")
    lab.put("everywhere", subdir="noarch")
    lab.index()
    tell(lab)
    mirror.write(
        {"lab": f"{faulty.url}/lab"}, selection={"exclude": ["second"]}, prune={"grace": "0 s", "max_share": 1.0}
    )
    mirror.sync()
    return mirror


def exports(mirror: Mirror, subdir: str = "linux-64") -> dict[str, Any]:
    """The published entries; both encodings must say the same, and lead nowhere."""
    folder = mirror.root / "lab" / subdir
    plain, packed = published.decoded(folder / RUN), published.decoded(folder / RUN_ZST)
    assert plain == packed
    assert "away.example" not in json.dumps(plain)
    return {**plain["packages"], **plain["packages.conda"]}


def about(mirror: Mirror) -> dict[str, Any]:
    return published.decoded(mirror.root / "lab" / "channeldata.json")


def warnings(mirror: Mirror) -> list[str]:
    events = JournalReader(mirror.state).snapshot().events
    return [event.text for event in events if event.level == "warning"]


def test_they_say_what_is_mirrored_and_cost_nothing_where_nothing_is_new(
    mirrored: Mirror, lab: ChannelTree, faulty: FaultyUpstream
) -> None:
    assert exports(mirrored) == {"kept-1.0-0.conda": {"run_exports": {"weak": ["kept >=1"]}}}
    assert set(exports(mirrored, "noarch")) == {"everywhere-1.0-0.conda"}
    assert about(mirrored)["subdirs"] == ["linux-64", "noarch"]
    assert {name: entry["subdirs"] for name, entry in about(mirrored)["packages"].items()} == {
        "kept": ["linux-64"],
        "everywhere": ["noarch"],
    }
    before, asked = published.stamps(mirrored.root), len(faulty.asked)
    assert mirrored.sync()["state"] == "done"
    assert published.stamps(mirrored.root) == before
    assert {(ask.path.rpartition("/")[2], ask.status) for ask in faulty.asked[asked:]} == {
        ("repodata.json.zst", 304),
        (RUN_ZST, 304),
        ("channeldata.json", 304),
    }
    assert len(faulty.asked) - asked == 5

    lab.put("more")
    lab.index()
    tell(lab, word="strong")
    mirrored.sync()
    assert exports(mirrored)["kept-1.0-0.conda"] == {"run_exports": {"strong": ["kept >=1"]}}
    assert set(exports(mirrored)) == {"kept-1.0-0.conda", "more-1.0-0.conda"}
    assert published.wrong(mirrored.root) == []


def test_a_rule_that_changes_changes_them_too(mirrored: Mirror) -> None:
    mirrored.edit(selection={"exclude": ["kept"]})
    mirrored.sync()
    assert set(exports(mirrored)) == {"second-1.0-0.conda"}
    assert set(about(mirrored)["packages"]) == {"second", "everywhere"}


def test_switched_off_they_go_and_are_not_asked_for(mirrored: Mirror, faulty: FaultyUpstream) -> None:
    mirrored.edit(publish={"run_exports": False, "channeldata": False})
    repodata = {p: s for p, s in published.stamps(mirrored.root).items() if "repodata" in p}
    asked = len(faulty.asked)
    mirrored.sync()
    names = {path.name for path in mirrored.root.rglob("*")}
    assert names.isdisjoint({RUN, RUN_ZST, "channeldata.json"})
    assert {p: s for p, s in published.stamps(mirrored.root).items() if "repodata" in p} == repodata
    assert {ask.path.rpartition("/")[2] for ask in faulty.asked[asked:]} == {"repodata.json.zst"}


def test_what_upstream_has_no_longer_goes(mirrored: Mirror, lab: ChannelTree) -> None:
    (lab.folder / "linux-64" / RUN_ZST).unlink()
    (lab.folder / "channeldata.json").unlink()
    assert mirrored.sync()["state"] == "done"
    assert not list((mirrored.root / "lab" / "linux-64").glob("run_exports*"))
    assert not (mirrored.root / "lab" / "channeldata.json").exists()
    assert set(exports(mirrored, "noarch")) == {"everywhere-1.0-0.conda"}


@pytest.mark.parametrize(
    "fault", [faults.page("<html>sign in</html>"), faults.status(500), faults.cut(20), faults.wrong_bytes]
)
def test_what_cannot_be_had_is_a_warning_and_the_earlier_one_stays(
    mirrored: Mirror, lab: ChannelTree, faulty: FaultyUpstream, fault: Any
) -> None:
    for path in (f"/lab/linux-64/{RUN_ZST}", "/lab/channeldata.json"):
        faulty.always(path, fault)
    before = published.stamps(mirrored.root)
    tell(lab, word="strong")
    done = mirrored.sync()
    assert (done["state"], done["run"]["message"]) == ("done", "")
    told = warnings(mirrored)
    assert len([text for text in told if "the earlier one stays" in text]) == 2
    after = published.stamps(mirrored.root)
    assert {name for name in before if before[name] != after[name]} == {f"lab/noarch/{RUN}", f"lab/noarch/{RUN_ZST}"}

    lab.remove("kept-1.0-0.conda")  # the earlier ones are cut anew
    lab.index()
    mirrored.sync()
    assert exports(mirrored) == {}
    assert set(about(mirrored)["packages"]) == {"everywhere"}


def test_a_first_run_goes_without(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    lab.put("kept")
    lab.index()
    tell(lab)
    for path in (f"/lab/linux-64/{RUN_ZST}", "/lab/channeldata.json"):
        faulty.always(path, faults.page("garbage, which is long enough to be looked at and is no JSON at all"))
    mirror.write({"lab": f"{faulty.url}/lab"})
    assert mirror.sync()["state"] == "done"
    assert set(published.published(mirror.root, "lab", "linux-64")) == {"kept-1.0-0.conda"}
    assert not list((mirror.root / "lab" / "linux-64").glob("run_exports*"))
    assert len([text for text in warnings(mirror) if "it is left out" in text]) == 2


def test_estimate_and_plan_do_not_ask_for_them(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    lab.put("kept")
    lab.index()
    tell(lab)
    mirror.write({"lab": f"{faulty.url}/lab"})
    mirror.ok("estimate")
    mirror.ok("plan")
    assert {ask.path.rpartition("/")[2] for ask in faulty.asked} == {"repodata.json.zst"}


def test_a_snapshot_brings_them_back(mirrored: Mirror, lab: ChannelTree) -> None:
    def live() -> dict[str, bytes]:
        tree = published.tree(mirrored.root / "lab")
        return {name: data for name, data in tree.items() if name.endswith((".json", ".zst")) and "shards/" not in name}

    before = live()
    assert len([name for name in before if "run_exports" in name or "channeldata" in name]) == 5
    ok(mirrored, "create", "day")
    lab.put("more")
    lab.index()
    tell(lab, word="strong")
    mirrored.sync()
    assert live() != before
    ok(mirrored, "publish", "day")
    assert live() == before
    mirrored.sync()
    assert set(exports(mirrored)) == {"kept-1.0-0.conda", "more-1.0-0.conda"}


def test_a_channel_that_is_no_longer_named_loses_them(mirrored: Mirror, lab: ChannelTree, tmp_path: Path) -> None:
    other = ChannelTree(tmp_path / "other", "other")
    other.index()
    prune = {"grace": "0 s", "max_share": 1.0}
    mirrored.write({"other": other.folder.as_uri()}, prune=prune)
    mirrored.sync("--confirm-prune")
    assert [path for path in (mirrored.root / "lab").rglob("*") if path.is_file()] == []


def test_a_channel_whose_folder_is_of_no_use_stops_no_other(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream, tmp_path: Path
) -> None:
    lab.put("kept")
    lab.index()
    mirror.write({"bad": f"{faulty.url}/lab", "lab": f"{faulty.url}/lab"})
    mirror.root.mkdir()
    (tmp_path / "outside").mkdir()
    (mirror.root / "bad").symlink_to(tmp_path / "outside")
    partial = mirror.sync(code=3)
    assert partial["state"] == "partial"
    assert "bad: not published" in partial["run"]["message"]
    assert set(published.published(mirror.root, "lab", "linux-64")) == {"kept-1.0-0.conda"}
    assert list((tmp_path / "outside").iterdir()) == []
    (mirror.root / "bad").unlink()
    assert mirror.sync()["state"] == "done"
    assert set(published.published(mirror.root, "bad", "linux-64")) == {"kept-1.0-0.conda"}
