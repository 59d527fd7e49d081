"""Every combination of rules: the selection, the estimate, the plan and what is published agree with a plain reading, to the byte."""

import itertools
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mirrortui.config import MirrorConfig, Selection
from mirrortui.mirror.staging import Item
from mirrortui.mirror.survey import Survey, survey
from mirrortui.selection.decide import decide
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Pair, pkg
from tests.unit.mirror.tree import ALL, Tree, read_all
from tests.unit.plain import Reading, World

NEW, OLD = 1_750_000_000_000, 1_600_000_000_000
PY = {minor: f"python >=3.{minor},<3.{minor + 1}.0a0" for minor in (10, 11, 12)}

ENTRIES: dict[Pair, list[Any]] = {
    ("bioconda", "linux-64"): [
        pkg("app-1-0.conda", "lib >=2", "pure", "gpl >=1", "__glibc >=2.17", timestamp=OLD), pkg("app-2-0.conda", "ext", "noise", "huge"), pkg("app-2-1.tar.bz2", "ext", "noise", "huge"),
        pkg("app-3-0.conda", "lib", "nowhere", timestamp=NEW), pkg("tool-1-h1234567_0.conda", "lib <2"), pkg("tool-1-h7654321_1.conda", "lib <2", "tz"), pkg("tool-1-h1234567_0.tar.bz2", "lib <2"),
        ("gpl-0-0.conda", {"license": "GPL-2.0-only"}),
    ],
    ("bioconda", "noarch"): [pkg("script-1-0.conda", "app", "python >=3.8"), pkg("script-2-0.conda", "old", "python >=3.11", license="GPL-3.0-or-later"), pkg("script-2-0.tar.bz2", "old", "python")],
    ("conda-forge", "linux-64"): [
        *((f"python-{v}-h0000000_0_cpython.conda", {"size": 1000 + n, "license": "PSF-2.0"}) for n, v in enumerate(["3.10.1", "3.11.4", "3.11.9", "3.12.1", "3.12.3"])),
        ("python-3.11.9-h0000000_0_cpython.tar.bz2", {"size": 2000, "license": "PSF-2.0"}), "python_abi-3.11-1_cp311.conda", "python_abi-3.11-2_cp311.conda", "python_abi-3.12-1_cp312.conda",
        "lib-0.5-0.tar.bz2", "lib-1-0.conda", "lib-1-0.tar.bz2", pkg("lib-2-0.conda", "gplrt"), pkg("lib-2-1.conda", "gplrt"), ("lib-3-0.conda", {"timestamp": NEW}), ("lib-2.5-0.conda", {"license": None}),
        pkg("ext-0.9-py310_0.conda", PY[10], size=7), pkg("ext-1-py311_0.conda", PY[11], "python_abi 3.11.* *_cp311"), pkg("ext-1-py312_0.conda", PY[12], "python_abi 3.12.* *_cp312"),
        pkg("ext-2-py312_0.conda", PY[12], "odd"), pkg("ext-2-py312_1.conda", PY[12], "lib >=2,<3", timestamp=NEW),
        ("gpl-1-0.conda", {"license": "GPL-3.0-only"}), ("gpl-1-0.tar.bz2", {"license": "GPL-3.0-only"}), ("gplrt-1-0.conda", {"license": "GPL-3.0-only WITH GCC-exception-3.1"}),
        ("odd-1-0.conda", {"license": "who knows", "timestamp": ...}), ("huge-1-0.conda", {"size": 9_000_000}), ("huge-2-0.conda", {"size": ..., "timestamp": None}),
        "noise-1-0.conda", pkg("noise-2-0.conda", "noise-helper"), "noise-helper-1-0.conda", pkg("old-1-0.conda", "lib <1", "pure 1"), pkg("old-2-0.conda", "lib 1", license="LGPL-2.1-only"),
    ],
    ("conda-forge", "osx-64"): ["lib-2-0.conda", "lib-1-0.tar.bz2", ("python-3.12.1-h0000000_0_cpython.conda", {}), pkg("deep-1-0.conda", "gpl-of-osx"), ("gpl-of-osx-1-0.conda", {"license": "GPL-2.0-only"})],
    ("conda-forge", "noarch"): [pkg("pure-1-0.conda", "python >=3.6", "lib"), pkg("pure-2-0.conda", "python >=3.9", "deep"), pkg("pure-2-0.tar.bz2", "python >=3.9"), pkg("pure-3-0.conda", "python >=3.13"), "tz-1-0.conda", "tz-2-0.conda"],
}  # fmt: skip

RULES: dict[str, list[dict[str, Any]]] = {
    "formats": [{"formats": value} for value in ("all", "prefer-conda", "conda", "tar.bz2")],
    "include": [{}, {"include": ["app", "script >=2", "deep"]}],
    "exclude": [{}, {"exclude": ["noise*", "lib 2.5"]}],
    "licenses": [{}, {"exclude_licenses": ["GPL"], "unknown_license": "drop"}],
    "always": [{}, {"always": ["gpl", "ext 0.9"]}],
    "python": [{}, {"python": ["3.11", "3.12"]}],
    "newest": [{}, {"newest_versions": 1}, {"newest_versions": 2, "newest_builds": 1}],
    "limits": [{}, {"before": "2024-01-01", "max_size": "1 MB"}],
    "closing": [{"with_dependencies": True}, {"with_dependencies": False}],
}
TABLE = [{key: value for part in parts for key, value in part.items()} for parts in itertools.product(*RULES.values())]
PARTS = 8
SHUFFLED = random.Random(1).sample(TABLE, len(TABLE))


class Mirror:
    """The handmade channels, their plain form, and a tree in which every third file lies already."""

    def __init__(self, base: Path) -> None:
        self.tree = Tree(base)
        self.catalog = indexes.catalog(self.tree.state, ENTRIES)
        self.world: World = {}
        for pair, entries in ENTRIES.items():
            body = made.table(*entries)
            self.world[pair] = {**body["packages"], **body["packages.conda"]}
            for number, (fn, record) in enumerate(self.world[pair].items()):
                record["subdir"] = pair[1]
                if number % 3 == 0:
                    self.tree.put(fn, channel=pair[0], subdir=pair[1])
        self.look: Survey = survey(self.config())

    def config(self, **rules: Any) -> MirrorConfig:
        plain = indexes.config(self.tree.root.parent, ENTRIES)
        return msgspec.structs.replace(plain, selection=msgspec.convert(rules, Selection))


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made_here = Mirror(tmp_path_factory.mktemp("lab"))
    yield made_here
    made_here.tree.inventory.close()


def weigh(records: dict[str, Any]) -> int:
    return sum(record.get("size") or 0 for record in records.values())


def assert_figures(mirror: Mirror, config: MirrorConfig, reading: Reading) -> None:
    """Estimate and plan say what the plain reading says."""
    estimate, plan = mirror.look.estimate(config), mirror.look.plan(config)
    planned = {(s.channel, s.subdir): s for s in plan.subdirs}
    for item in estimate.subdirs:
        pair = (item.channel, item.subdir)
        kept = reading.kept(pair)
        here = {fn: record for number, (fn, record) in enumerate(mirror.world[pair].items()) if number % 3 == 0}
        wanted_here = {fn: record for fn, record in kept.items() if fn in here}
        assert (item.records, item.bytes) == (len(kept), weigh(kept)), (pair, config.selection)
        assert (item.bytes_present, item.bytes_to_fetch) == (weigh(wanted_here), weigh(kept) - weigh(wanted_here))
        assert item.unknown_sizes == sum(1 for record in kept.values() if record.get("size") is None)
        parts = planned[pair]
        assert (parts.keep.files, parts.keep.bytes) == (len(wanted_here), weigh(wanted_here))
        assert (parts.add.files, parts.add.bytes) == (len(kept) - len(wanted_here), item.bytes_to_fetch)
        assert (parts.replace.files, parts.drop.files) == (0, len(here) - len(wanted_here))
    assert plan.needed == estimate.bytes_to_fetch
    assert {(b.channel, b.subdir, b.spec) for b in plan.broken} == reading.broken


@pytest.mark.parametrize("part", range(PARTS))
def test_the_selection_and_its_figures(mirror: Mirror, part: int) -> None:
    for number, rules in enumerate(SHUFFLED[part::PARTS]):
        config = mirror.config(**rules)
        reading, decision = Reading(mirror.world, config), decide(mirror.catalog, config)
        ours = {
            (pair, fn): code.name.lower()
            for pair, item in decision.selection.subdirs.items()
            for fn, code in zip(item.index.fns(), map(indexes.Reason, item.reasons.tolist()), strict=True)
        }
        assert ours == reading.why, rules
        assert {(b.channel, b.subdir, b.spec) for b in decision.broken} == reading.broken, rules
        if number % 8 == 0:
            assert_figures(mirror, config, reading)


def test_what_is_published_is_exactly_that_in_every_encoding(mirror: Mirror) -> None:
    for rules in [{"formats": "all"}, *SHUFFLED[:15]]:
        config = mirror.config(**rules)
        reading, decision = Reading(mirror.world, config), decide(mirror.catalog, config)
        for channel in config.channels:
            items = [
                Item(
                    subdir,
                    mirror.catalog.indexes[channel.name, subdir],
                    decision.selection.subdirs[channel.name, subdir].mask,
                )
                for subdir in channel.subdirs
            ]
            switched = mirror.tree.publish(*items, options=ALL, channel=channel.name)
            assert switched.records == sum(len(reading.kept((channel.name, subdir))) for subdir in channel.subdirs)
            for subdir in channel.subdirs:
                kept = reading.kept((channel.name, subdir))
                shown = read_all(mirror.tree.folder(channel.name, subdir))
                for encoding in ("repodata.json", "repodata.json.zst", "repodata.json.bz2"):
                    assert shown[encoding] == kept, (rules, channel.name, subdir, encoding)
                assert {
                    fn: {k: v.hex() if isinstance(v, bytes) else v for k, v in r.items()}
                    for fn, r in shown["shards"].items()
                } == kept
                current = shown["current_repodata.json"]
                assert current == shown["current_repodata.json.zst"]
                assert current.items() <= kept.items() or all(kept[fn] == record for fn, record in current.items())
                assert {r["name"] for r in current.values()} == {r["name"] for r in kept.values()}


def test_the_table_is_worth_its_name(mirror: Mirror) -> None:
    """Every reason turns up, and something breaks in many combinations and in many does not."""
    readings = [Reading(mirror.world, mirror.config(**rules)) for rules in SHUFFLED[:120]]
    assert len(TABLE) == 1536
    assert {why for reading in readings for why in reading.why.values()} == {
        "wanted", "always", "dependency", "format", "not_included", "excluded", "license", "unknown_license", "python", "max_size", "too_new", "older_version", "older_build",
    }  # fmt: skip
    assert 20 < sum(1 for reading in readings if reading.broken) < 100
