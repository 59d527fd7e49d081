"""Invariant 10: a rule that changes re-plans the whole tree; held against a model that is written down from the words."""

import random
import sqlite3
from typing import Any

import pytest

from tests.process import encodings, faults, published
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.onlooker import Onlooker
from tests.process.packages import ChannelTree
from tests.process.test_filters import DAY, move_dropped_back
from tests.process.test_invariants import ALL, AT_ONCE, SUBDIRS
from tests.process.test_invariants_reruns import fill

pytestmark = pytest.mark.slow

Key = tuple[str, str]
"""subdir and file name."""


class File:
    """One file on disk: which one it is, and for how many days the metadata has not named it (None: it does)."""

    def __init__(self, sha256: str) -> None:
        self.sha256 = sha256
        self.age: float | None = None


class Model:
    """What a mirror must be by the words of the invariant: kept by the rules, or on its way out for less than the grace."""

    def __init__(self, lab: ChannelTree) -> None:
        self.lab = lab
        self.disk: dict[Key, File] = {}
        self.fetched: set[Key] = set()
        self.dropped: set[Key] = set()
        self.gone: set[Key] = set()

    def upstream(self) -> dict[Key, dict[str, Any]]:
        return {(subdir, fn): record for subdir, found in self.lab.records.items() for fn, record in found.items()}

    def run(self, rules: dict[str, Any], grace: float, missing: set[Key]) -> dict[Key, dict[str, Any]]:
        """One run, of which some files cannot be had; returns what is named after it."""
        kept = {key: record for key, record in self.upstream().items() if matches(record, rules)}
        self.fetched = {key for key, r in kept.items() if key not in self.disk or self.disk[key].sha256 != r["sha256"]}
        self.disk |= {key: File(kept[key]["sha256"]) for key in self.fetched - missing}
        self.dropped = {key for key, file in self.disk.items() if key not in kept and file.age is None}
        for key, file in self.disk.items():
            file.age = None if key in kept else file.age or 0.0
        self.gone = {key for key, file in self.disk.items() if file.age is not None and file.age >= grace}
        self.disk = {key: file for key, file in self.disk.items() if key not in self.gone}
        return {key: record for key, record in kept.items() if key not in self.fetched & missing}


def matches(record: dict[str, Any], rules: dict[str, Any]) -> bool:
    """The rules that are drawn here, written down once more."""
    name, licenses = record["name"], rules.get("exclude_licenses", [])
    return (
        name not in rules.get("exclude", [])
        and name in rules.get("include", [name])
        and record["license"] not in licenses
    )


def drawn(rng: random.Random, names: list[str]) -> dict[str, Any]:
    """Some rules."""
    some = rng.sample(names, rng.choice([1, len(names) // 3, len(names) // 2]))
    included = {"include": some, "with_dependencies": False}
    return rng.choice([{"exclude": some}, included, {"exclude_licenses": ["GPL-3.0-only"]}, {}])


def moved(lab: ChannelTree, rng: random.Random, turn: int) -> None:
    """Upstream replaces files under their names, adds one and takes one back."""
    for subdir in SUBDIRS:
        for fn in rng.sample(sorted(lab.records[subdir]), 2):
            lab.put(lab.records[subdir][fn]["name"], subdir=subdir, size=200 + turn)
        lab.put(f"new{turn}", subdir=subdir, size=200)
        lab.remove(rng.choice(sorted(lab.records[subdir])), subdir=subdir)
    lab.index()


@pytest.mark.parametrize(("seed", "killed"), [(1, False), (2, False), (3, True)])
def test_10_after_any_change_of_rules_the_metadata_is_at_once_what_they_say_and_the_disk_after_the_grace(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream, onlooker: Onlooker, seed: int, killed: bool
) -> None:
    """Rules, grace, time and upstream move at random; a model written down from the invariants says what must come of it.

    With `killed`, a run dies at some step before each whole one, and often somebody prunes in between: to no effect.
    """
    fill(lab)
    rng, model = random.Random(seed), Model(lab)
    for turn in range(10):
        names = sorted({record["name"] for record in model.upstream().values()})
        rules, days, passed = drawn(rng, names), rng.choice([0, 7, 7]), rng.choice([0.0, 1.0, 3.3, 8.0])
        if turn:
            move_dropped_back(mirror, passed * DAY)
            for file in model.disk.values():
                file.age = None if file.age is None else file.age + passed
        if turn % 2:
            moved(lab, rng, turn)
        missing = {key for key in model.upstream() if rng.random() < 0.1} if turn % 3 == 2 else set()
        faulty.rule = (
            lambda asked, gone=missing: (  # type: ignore[misc]  # the set of this turn
                faults.status(404) if tuple(asked.path.split("/")[2:]) in gone else None
            )
        )
        faulty.forget()
        mirror.write(
            {"lab": f"{faulty.url}/lab"},
            publish=ALL,
            selection=rules,
            prune=AT_ONCE | {"grace": f"{days} days"},
            transfer={"retries": 0},
        )
        plan = mirror.ok("plan") if turn % 4 == 3 else None
        had = set(model.disk)
        named = model.run(rules, days, missing)
        if plan is not None:
            files = {kind: plan[kind]["files"] for kind in ("add", "replace", "drop")}
            added = len(model.fetched - had)
            assert files == {"add": added, "replace": len(model.fetched) - added, "drop": len(model.dropped)}
        if killed:
            onlooker.run(mirror.file, kill=rng.randrange(60))
            assert encodings.wrong(mirror.root) == [], turn
            if rng.random() < 0.5:
                onlooker.run(mirror.file, prune=True, confirm=True)
                assert encodings.wrong(mirror.root) == [], turn
        ended = onlooker.run(mirror.file, look=turn % 3 == 0)
        assert [sight.wrong for sight in ended.sights if sight.wrong] == []
        assert ended.code == (3 if model.fetched & missing else 0)
        if not killed:
            assert ended.run["added"] + ended.run["replaced"] == len(model.fetched - missing)
            assert ended.run["pruned"] == len(model.gone), (turn, rules)
            asked = sorted(asked.path for asked in faulty.requests(".conda"))
            assert asked == sorted(f"/lab/{subdir}/{fn}" for subdir, fn in model.fetched)
        for subdir in SUBDIRS:
            folder = mirror.root / "lab" / subdir
            assert encodings.same(folder) == {fn: record for (s, fn), record in named.items() if s == subdir}
            assert {path.name: encodings.sha256(path) for path in folder.glob("[!.]*.conda")} == {
                fn: file.sha256 for (s, fn), file in model.disk.items() if s == subdir
            }
        assert dropped_here(mirror) == {key for key, file in model.disk.items() if file.age is not None}


def dropped_here(mirror: Mirror) -> set[Key]:
    """What the inventory says is on its way out."""
    db = sqlite3.connect(f"{(mirror.state / 'inventory.db').as_uri()}?mode=ro", uri=True)
    try:
        rows = db.execute("select subdir, fn from file join folder on id = folder where dropped is not null")
        return {(str(subdir), str(fn)) for subdir, fn in rows}
    finally:
        db.close()


def test_10_the_grace_holds_for_verbs_of_their_own_and_for_rules_that_come_back(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream, onlooker: Onlooker
) -> None:
    """Neither `prune`, nor a run without a change, nor an index that names the files no longer shortens the grace."""
    fill(lab)
    mirror.write({"lab": f"{faulty.url}/lab"}, publish=ALL, prune={"max_share": 1.0})
    assert onlooker.run(mirror.file).code == 0
    everything = published.stamps(mirror.root)
    mirror.edit(selection={"exclude": ["l01", "n01"]})
    assert onlooker.run(mirror.file).code == 0
    move_dropped_back(mirror, 6.9 * DAY)
    lab.remove("l01-1.0-0.conda")
    lab.index()
    for _ in range(2):
        assert onlooker.run(mirror.file).run["pruned"] == 0
        assert onlooker.run(mirror.file, prune=True, confirm=True).code == 0
    kept = {name: stamp for name, stamp in everything.items() if name.endswith(".conda")}
    assert {name: stamp for name, stamp in published.stamps(mirror.root).items() if name.endswith(".conda")} == kept
    faulty.forget()
    mirror.edit(selection={"exclude": []})
    assert onlooker.run(mirror.file).run["added"] == 0
    assert faulty.requests(".conda") == []
    assert set(encodings.same(mirror.root / "lab/noarch")) == set(lab.records["noarch"])
    move_dropped_back(mirror, 0.2 * DAY)
    assert onlooker.run(mirror.file, prune=True).code == 0
    assert "lab/linux-64/l01-1.0-0.conda" not in published.stamps(mirror.root)
    assert encodings.wrong(mirror.root) == []
