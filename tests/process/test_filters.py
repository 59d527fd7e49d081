"""Rules leave exactly the expected records published; dropped files leave the disk after their grace, and under guard."""

import sqlite3
import time
from pathlib import Path

import pytest

from tests.process import published
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree

SUBDIRS = ("linux-64", "noarch")
DAY = 86_400.0


def upstream_records(shared: Path, subdir: str) -> published.Records:
    return published.records(shared / "channels/conda-forge" / subdir / "repodata.json")


def shown(mirror: Mirror, channel: str = "conda-forge") -> dict[str, set[str]]:
    return {subdir: set(published.published(mirror.root, channel, subdir)) for subdir in SUBDIRS}


def on_disk(mirror: Mirror, channel: str = "conda-forge") -> dict[str, set[str]]:
    return {
        subdir: {p.name for p in (mirror.root / channel / subdir).iterdir() if p.name.endswith((".conda", ".bz2"))}
        for subdir in SUBDIRS
    }


def without(shared: Path, *names: str) -> dict[str, set[str]]:
    """File names of all upstream records but those of the named packages (there are no twins in these subdirs)."""
    return {
        subdir: {fn for fn, record in upstream_records(shared, subdir).items() if record["name"] not in names}
        for subdir in SUBDIRS
    }


@pytest.fixture
def forge(mirror: Mirror, shared: Path) -> Mirror:
    mirror.write({"conda-forge": (shared / "channels/conda-forge").as_uri()})
    return mirror


GNU_RUNTIME = ("libgcc", "libgcc-ng", "libgomp")
"""The three packages under GPL-3.0-only WITH GCC-exception-3.1; libnsl is under LGPL-2.1-only, none under the plain GPL."""


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        ({"exclude": ["certifi"]}, ("certifi",)),
        ({"exclude": ["lib*[subdir=linux-64]"]}, "lib*"),
        ({"exclude_licenses": ["GPL"]}, ()),
        ({"exclude_licenses": ["GPL"], "runtime_exceptions": False}, GNU_RUNTIME),
        ({"exclude_licenses": ["GPL", "LGPL"]}, ("libnsl",)),
        ({"exclude_licenses": ["GPL", "LGPL"], "runtime_exceptions": False}, (*GNU_RUNTIME, "libnsl")),
        (
            {"exclude_licenses": ["GPL"], "runtime_exceptions": False, "always": ["libgcc"]},
            tuple(name for name in GNU_RUNTIME if name != "libgcc"),
        ),
        ({"exclude": ["libgcc*"], "exclude_licenses": ["LGPL"]}, ("libgcc", "libgcc-ng", "libnsl")),
    ],
)
def test_exactly_the_expected_records_are_published(
    forge: Mirror, shared: Path, rules: dict[str, object], gone: tuple[str, ...] | str
) -> None:
    if isinstance(gone, str):
        prefix = gone.removesuffix("*")
        gone = tuple({r["name"] for r in upstream_records(shared, "linux-64").values() if r["name"].startswith(prefix)})
        assert len(gone) > 5
    forge.edit(selection=rules)
    forge.sync()
    want = without(shared, *gone)
    assert shown(forge) == want
    assert on_disk(forge) == want
    for subdir in SUBDIRS:
        theirs = upstream_records(shared, subdir)
        ours = published.published(forge.root, "conda-forge", subdir)
        assert ours == {fn: theirs[fn] for fn in want[subdir]}
    assert published.wrong(forge.root) == []


def move_dropped_back(mirror: Mirror, seconds: float) -> None:
    """Let the dropped files have been dropped earlier."""
    db = sqlite3.connect(mirror.state / "inventory.db")
    try:
        db.execute("update file set dropped = dropped - ? where dropped is not null", (seconds,))
        db.commit()
    finally:
        db.close()


def test_dropped_files_leave_the_metadata_at_once_and_the_disk_after_their_grace(forge: Mirror, shared: Path) -> None:
    forge.sync()
    everything, want = without(shared), without(shared, *GNU_RUNTIME)
    forge.edit(selection={"exclude_licenses": ["GPL"], "runtime_exceptions": False})
    plan = forge.ok("plan")
    assert (plan["drop"]["files"], plan["prune_due"]["files"]) == (3, 0)

    first = forge.sync()
    assert (first["run"]["dropped"], first["run"]["pruned"]) == (3, 0)
    assert shown(forge) == want
    assert on_disk(forge) == everything

    move_dropped_back(forge, 6 * DAY)
    assert forge.sync()["run"]["pruned"] == 0
    assert on_disk(forge) == everything

    move_dropped_back(forge, 1.1 * DAY)
    plan = forge.ok("plan")
    assert (plan["drop"]["files"], plan["prune_due"]["files"]) == (0, 3)
    assert forge.sync()["run"]["pruned"] == 3
    assert on_disk(forge) == want
    assert forge.sync()["run"]["pruned"] == 0


def test_a_file_that_is_wanted_again_within_its_grace_stays_and_its_grace_begins_anew(
    forge: Mirror, shared: Path
) -> None:
    forge.sync()
    rule = {"exclude": ["certifi"]}
    forge.edit(selection=rule)
    forge.sync()
    move_dropped_back(forge, 6.9 * DAY)
    forge.edit(selection={"exclude": []})
    back = forge.sync()
    assert (back["run"]["added"], back["run"]["bytes"]) == (0, 0)
    assert shown(forge) == without(shared)
    forge.edit(selection=rule)
    forge.sync()
    move_dropped_back(forge, 1 * DAY)
    forge.sync()
    assert on_disk(forge) == without(shared)


def test_without_a_grace_the_disk_follows_at_once(forge: Mirror, shared: Path) -> None:
    forge.edit(prune={"grace": "0 s"})
    forge.sync()
    forge.edit(selection={"exclude": ["certifi"]})
    plan = forge.ok("plan")
    done = forge.sync()["run"]
    assert plan["prune_due"]["files"] == done["pruned"] == done["dropped"] > 0
    assert shown(forge) == on_disk(forge) == without(shared, "certifi")


def test_prune_switched_off_deletes_nothing(forge: Mirror, shared: Path) -> None:
    forge.edit(prune={"grace": "0 s", "enabled": False})
    forge.sync()
    forge.edit(selection={"exclude": ["certifi"]})
    assert forge.sync()["run"]["pruned"] == 0
    assert on_disk(forge) == without(shared)
    assert shown(forge) == without(shared, "certifi")


def test_the_share_guard_refuses_until_it_is_confirmed(forge: Mirror, shared: Path) -> None:
    forge.edit(prune={"grace": "0 s"})
    forge.sync()
    everything = without(shared)
    forge.edit(selection={"include": ["certifi"], "with_dependencies": False})
    plan = forge.ok("plan")
    assert any("nothing will be deleted" in text and "--confirm-prune" in text for text in plan["warnings"])
    refused = forge.sync(code=5)
    assert refused["state"] == "partial"
    assert "--confirm-prune" in refused["run"]["message"]
    assert refused["run"]["pruned"] == 0
    assert on_disk(forge) == everything
    want = {
        subdir: {fn for fn, r in upstream_records(shared, subdir).items() if r["name"] == "certifi"}
        for subdir in SUBDIRS
    }
    assert shown(forge) == want

    alone = forge.run("prune")
    assert (alone.code, alone.out) == (5, "")
    assert on_disk(forge) == everything
    dry = forge.run("prune", "--dry-run", "--json")
    listed = dry.json()
    assert dry.code == 5
    assert "nothing would be deleted" in listed["warnings"][0]
    assert "[prune] max_share allows" in listed["warnings"][0]
    said = forge.run("prune", "--dry-run")
    assert said.code == 5
    assert "--confirm-prune" in said.err
    assert forge.ok("prune", "--dry-run", "--confirm-prune")["warnings"] == []
    doomed = {subdir: everything[subdir] - want[subdir] for subdir in SUBDIRS}
    assert {(f["subdir"], f["fn"]) for f in listed["list"]} == {(s, fn) for s, fns in doomed.items() for fn in fns}

    done = forge.sync("--confirm-prune")
    assert done["run"]["pruned"] == sum(map(len, doomed.values()))
    assert on_disk(forge) == want


def test_what_is_not_ours_is_never_deleted(mirror: Mirror, lab: ChannelTree) -> None:
    fn = lab.put("known")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()}, prune={"grace": "0 s", "max_share": 1.0})
    mirror.sync()
    foreign = mirror.root / "lab" / "linux-64" / "foreign-1.0-0.conda"
    foreign.write_bytes(b"somebody else's")
    lab.remove(fn)
    lab.put("other")
    lab.index()
    assert mirror.sync("--confirm-prune")["run"]["pruned"] == 1
    assert foreign.read_bytes() == b"somebody else's"


def test_a_never_listed_package_is_dropped_but_not_deleted(mirror: Mirror, lab: ChannelTree) -> None:
    kept, gone = lab.put("precious"), lab.put("cheap")
    for number in range(20):
        lab.put(f"rest{number}")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()}, prune={"grace": "0 s", "never": ["precious"]})
    mirror.sync()
    mirror.edit(selection={"exclude": ["precious", "cheap"]})
    assert mirror.sync()["run"]["pruned"] == 1
    assert {kept, gone}.isdisjoint(shown(mirror, "lab")["linux-64"])
    assert kept in on_disk(mirror, "lab")["linux-64"]
    assert gone not in on_disk(mirror, "lab")["linux-64"]


def test_a_channel_that_leaves_the_config_is_withdrawn_and_pruned_after_its_grace(
    mirror: Mirror, lab: ChannelTree
) -> None:
    other = ChannelTree(lab.folder.parent, "other", seed=2)
    for tree in (lab, other):
        for number in range(10):
            tree.put(f"{tree.name}{number}")
        tree.index()
    both = {"lab": lab.folder.as_uri(), "other": other.folder.as_uri()}
    mirror.write(both, prune={"max_share": 0.6})
    mirror.sync()
    mirror.write({"lab": lab.folder.as_uri()}, prune={"max_share": 0.6})
    began = time.time()
    mirror.sync()
    assert published.indexes(mirror.root / "other") == []
    assert len(list((mirror.root / "other").rglob("*.conda"))) == 10
    move_dropped_back(mirror, 7 * DAY + (time.time() - began) + 1)
    assert mirror.sync()["run"]["pruned"] == 10
    assert len(shown(mirror, "lab")["linux-64"]) == 10


def test_a_never_list_that_cannot_be_judged_by_file_names_is_refused(forge: Mirror, shared: Path) -> None:
    forge.edit(prune={"grace": "0 days"})
    forge.sync()
    forge.edit(prune={"never": ["certifi[license=ISC]"]}, selection={"exclude": ["certifi"]})
    for verb, words in (("sync", ("--confirm-prune",)), ("plan", ()), ("prune", ("--dry-run",)), ("prune", ())):
        done = forge.run(verb, *words)
        assert done.code == 2, verb
        assert "mirror.toml: prune.never[0], column 17: “license” cannot be told from a file name" in done.err
        assert "name, version, build, channel, subdir, fn" in done.err
    assert on_disk(forge) == without(shared)


def test_a_channel_that_shrinks_is_announced_and_counts_nothing_as_dropped(mirror: Mirror, lab: ChannelTree) -> None:
    fns = [lab.put(f"p{number}") for number in range(10)]
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()}, prune={"grace": "0 days"})
    mirror.sync()
    for fn in fns[:6]:
        lab.remove(fn)
    lab.index()
    refused = mirror.sync(code=5)
    assert (refused["run"]["dropped"], refused["run"]["pruned"]) == (0, 0)
    warnings = mirror.ok("plan")["warnings"]
    assert any("lab will be left as it is" in text and "shrunk from 10 to 4" in text for text in warnings)
    done = mirror.sync("--confirm-prune")
    assert (done["run"]["dropped"], done["run"]["pruned"]) == (6, 6)
