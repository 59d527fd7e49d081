"""The whole decision: exact for a plan, quick for a screen, and how the two stand to each other."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import zstandard

from mirrortui.catalog.catalog import Catalog
from mirrortui.errors import ConfigError
from mirrortui.selection import closure
from mirrortui.selection.decide import decide, decide_quickly
from mirrortui.selection.reasons import Reason
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Lab, pkg

LINUX, NOARCH = ("c", "linux-64"), ("c", "noarch")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    world = {
        ("bioconda", "linux-64"): [pkg("tool-1-0.conda", "lib >=2"), pkg("tool-2-0.conda", "lib >=1", "n"), "solo-1-0.conda"],
        ("bioconda", "noarch"): [pkg("n-1-0.conda", "python >=3.8", "m")],
        ("conda-forge", "linux-64"): [
            pkg("lib-1-0.conda"), pkg("lib-2-0.conda", "deep"), pkg("lib-2-0.tar.bz2", "deep"), pkg("deep-1-0.conda", "gpl"), ("gpl-1-0.conda", {"license": "GPL-3.0-only"}),
            *(f"python-{v}-0_cpython.conda" for v in ("3.8.1", "3.11.1", "3.12.1", "3.12.2")), "rest-1-0.conda",
        ],
        ("conda-forge", "noarch"): [pkg("m-1-0.conda", "lib"), pkg("m-2-0.conda")],
    }  # fmt: skip
    return Lab(tmp_path_factory.mktemp("lab"), world)


RULES: dict[str, list[Any]] = {
    "include": [[], ["tool"], ["solo", "m 2"]], "exclude": [[], ["deep"]], "exclude_licenses": [[], ["GPL"]], "python": [[], ["3.12"]], "formats": ["all", "prefer-conda"],
    "with_dependencies": [True, False], "newest_versions": [0, 1],
}  # fmt: skip
COMBINATIONS = [dict(zip(RULES, values, strict=True)) for values in itertools.product(*RULES.values())]


def test_the_quick_answer_is_an_upper_bound_where_no_count_brings_older_ones_back(lab: Lab) -> None:
    for rules in COMBINATIONS:
        config = lab.config(**rules)
        exact, quick = decide(lab.catalog, config), decide_quickly(lab.catalog, config)
        assert not exact.approximate
        assert quick.approximate == closure.needed(config)
        if not quick.approximate:
            assert indexes.reasons(exact) == indexes.reasons(quick), rules
        elif not rules["newest_versions"]:
            assert set(indexes.kept(exact)) <= set(indexes.kept(quick)), rules


def test_asking_twice_gives_the_same(lab: Lab) -> None:
    for rules in COMBINATIONS[::7]:
        first, second = lab.decide(**rules), lab.decide(**rules)
        assert indexes.reasons(first) == indexes.reasons(second)
        assert first.broken == second.broken


def test_the_exact_answer_obeys_every_rule(lab: Lab) -> None:
    """What closing brings in was thrown out by nothing but not being named, or by being older."""
    for rules in COMBINATIONS:
        closed, alone = (
            indexes.reasons(lab.decide(**rules)),
            indexes.reasons(lab.decide(**(rules | {"with_dependencies": False}))),
        )
        for where, reason in closed.items():
            if reason == Reason.DEPENDENCY:
                assert alone[where] in (Reason.NOT_INCLUDED, Reason.OLDER_VERSION, Reason.OLDER_BUILD)
            else:
                assert reason == alone[where]


def test_without_rules_nothing_is_closed_and_no_dependency_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b", "nowhere"), "b-1-0.conda"]})
    monkeypatch.setattr(closure, "close", None)
    assert (lab.decide().broken, len(lab.kept())) == ((), 2)
    assert not decide_quickly(lab.catalog, lab.config(exclude=["b"])).approximate


def test_an_empty_catalog_and_missing_subdirs(tmp_path: Path) -> None:
    config = indexes.config(tmp_path, [LINUX, NOARCH], include=["a"])
    for catalog in (
        Catalog({}),
        Catalog({LINUX: made.missing(tmp_path / "state")}),
        Catalog({NOARCH: made.index(tmp_path / "state", made.table(), subdir="noarch")}),
    ):
        for answer in (decide(catalog, config), decide_quickly(catalog, config)):
            assert (indexes.kept(answer), answer.broken) == ([], ())


def test_one_subdir_that_is_not_at_hand_does_not_stop_the_others(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), "b-1-0.conda"]})
    config = indexes.config(tmp_path, [LINUX, NOARCH, ("c", "osx-64"), ("conda-forge", "linux-64")], include=["a"])
    assert indexes.kept(decide(lab.catalog, config)) == ["linux-64/a-1-0.conda", "linux-64/b-1-0.conda"]
    assert indexes.kept(decide_quickly(lab.catalog, config)) == ["linux-64/a-1-0.conda", "linux-64/b-1-0.conda"]


@pytest.mark.parametrize("ask", [decide, decide_quickly])
def test_a_rule_that_cannot_be_read_is_the_operators_error(lab: Lab, ask: Any) -> None:
    with pytest.raises(ConfigError):
        ask(lab.catalog, lab.config(include=["a >=="]))


def test_a_subset_of_a_real_channel_is_closed_in_both_ways(shared: Path, tmp_path: Path) -> None:
    found = {}
    for subdir in ("osx-64", "noarch"):
        data = (
            zstandard.ZstdDecompressor()
            .stream_reader(
                (shared / "repodata/conda-forge-python-subset-2024" / subdir / "repodata.json.zst").read_bytes()
            )
            .read()
        )
        found["conda-forge", subdir] = made.index(tmp_path / "state", data, "conda-forge", subdir)
    catalog = Catalog(found)
    config = indexes.config(
        tmp_path, catalog.indexes, include=["pip >=23"], python=["3.9"], formats="prefer-conda", newest_versions=1
    )
    exact = decide(catalog, config)
    counts = {pair: int(item.mask.sum()) for pair, item in exact.selection.subdirs.items()}
    assert 20 < sum(counts.values()) < 400
    assert exact.broken == ()
    names = {
        item.index.names[n] for item in exact.selection.subdirs.values() for n in item.index.name[item.mask].tolist()
    }
    assert {"pip", "python", "openssl", "setuptools", "wheel", "tzdata", "ca-certificates"} <= names
    pythons = [
        fn for item in exact.selection.subdirs.values() for fn in item.index.fns(item.mask) if fn.startswith("python-")
    ]
    assert pythons
    assert all(fn.startswith("python-3.9.") for fn in pythons)
    assert sum(int(item.mask.sum()) for item in decide_quickly(catalog, config).selection.subdirs.values()) >= sum(
        counts.values()
    )
