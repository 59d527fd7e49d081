"""Closing undoes no rule: what stays out is reported with the rule at fault and its mend; hostile records stop nothing."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from mirrortui.catalog.catalog import Catalog
from mirrortui.selection import closure
from mirrortui.selection.decide import decide
from mirrortui.selection.reasons import Broken, Reason
from mirrortui.selection.select import select
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Lab, Pair, pkg

LINUX, OSX, NOARCH = ("c", "linux-64"), ("c", "osx-64"), ("c", "noarch")
BIO, FORGE = ("bioconda", "linux-64"), ("conda-forge", "linux-64")


def shown(items: tuple[Broken, ...]) -> list[tuple[str, str, str, str, int, str]]:
    return [(b.channel, b.subdir, b.spec, b.reason.name, b.packages, b.example) for b in items]


# -------------------------------------------------------------------------------- what stays out


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"exclude": ["b"]}, Reason.EXCLUDED), ({"exclude_licenses": ["GPL"]}, Reason.LICENSE), ({"exclude_licenses": ["AGPL"], "unknown_license": "drop"}, Reason.UNKNOWN_LICENSE),
        ({"python": ["3.12"]}, Reason.PYTHON), ({"max_size": "1 kB"}, Reason.MAX_SIZE), ({"before": "2023-01-01"}, Reason.TOO_NEW), ({"formats": "conda"}, Reason.FORMAT),
    ],
)  # fmt: skip
def test_no_rule_is_undone_by_a_dependency_and_each_mend_mends(
    tmp_path: Path, rules: dict[str, Any], reason: Reason
) -> None:
    provider = {
        Reason.LICENSE: {"license": "GPL-3.0-only"}, Reason.UNKNOWN_LICENSE: {"license": "who knows"}, Reason.PYTHON: {"depends": ["python 3.9.*"]},
        Reason.MAX_SIZE: {"size": 2000}, Reason.TOO_NEW: {"timestamp": 1_700_000_000_000},
    }.get(reason, {})  # fmt: skip
    old = {"timestamp": 1_600_000_000_000, "size": 5, "license": "MIT"}
    suffix = "tar.bz2" if reason == Reason.FORMAT else "conda"
    entries = [
        pkg("a-1-0.conda", "b >=1", **old),
        pkg("a2-1-0.conda", "b >=1", **old),
        (f"b-1-0.{suffix}", old | provider),
        ("python-3.9.1-0.conda", old),
    ]
    lab = Lab(tmp_path, {LINUX: entries, NOARCH: []})
    for include in ([], ["a*"]):
        decision = lab.decide(include=include, **rules)
        assert f"linux-64/b-1-0.{suffix}" not in indexes.kept(decision)
        assert shown(decision.broken) == [("c", "linux-64", "b >=1", reason.name, 2, "a")]
        (item,) = decision.broken
        mended = lab.decide(
            include=include, **(rules | {item.mend_rule: item.mend if item.mend_rule == "formats" else [item.mend]})
        )
        assert f"linux-64/b-1-0.{suffix}" in indexes.kept(mended)
        assert [b.spec for b in mended.broken if b.name == "b"] == []


@pytest.mark.parametrize(("formats", "there"), [("conda", "tar.bz2"), ("tar.bz2", "conda")])
def test_a_format_is_mended_by_another_value_of_formats(tmp_path: Path, formats: str, there: str) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), pkg("a-1-0.tar.bz2", "b"), f"b-1-0.{there}"]})
    (item,) = lab.decide(formats=formats).broken
    assert (item.reason, item.mend_rule) == (Reason.FORMAT, "formats")
    assert lab.decide(formats=item.mend).broken == ()


def test_the_second_format_of_a_build_is_not_blamed(tmp_path: Path) -> None:
    twins = [
        ("b-1-0.tar.bz2", {"license": "GPL-2.0-only"}),
        ("b-1-0.conda", {"license": "GPL-2.0-only"}),
        "b-0-0.conda",
    ]
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b >=1"), *twins]})
    (item,) = lab.decide(formats="prefer-conda", exclude_licenses=["GPL"]).broken
    assert (item.reason, item.mend_rule, item.mend) == (Reason.LICENSE, "always", "b")


def test_what_upstream_does_not_have_is_not_broken_by_us(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "nowhere", "b >=9", "__cuda"), "b-1-0.conda", "x-1-0.conda"]})
    assert lab.decide(exclude=["x", "b"]).broken == ()


def test_a_dependency_that_something_kept_still_meets_is_not_broken(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        {
            LINUX: [pkg("a-1-0.conda", "b >=1", "d"), "b-1-0.conda", ("b-2-0.conda", {"license": "GPL-3.0-only"})],
            NOARCH: ["d-1-0.conda"],
        },
    )
    assert lab.decide(exclude_licenses=["GPL"]).broken == ()


def test_each_platform_and_each_channel_that_needs_it_is_reported(tmp_path: Path) -> None:
    world = {
        LINUX: [pkg("a-1-0.conda", "b"), pkg("e-1-0.conda", "b")],
        OSX: [pkg("a-1-0.conda", "b")],
        NOARCH: [pkg("n-1-0.conda", "b"), "b-1-0.conda"],
    }
    assert shown(Lab(tmp_path, world).decide(exclude=["b"]).broken) == [
        ("c", "linux-64", "b", "EXCLUDED", 3, "a"),
        ("c", "osx-64", "b", "EXCLUDED", 2, "a"),
    ]


@pytest.mark.parametrize("order", [(BIO, FORGE), (FORGE, BIO)])
@pytest.mark.parametrize("base_closes", [True, False])
def test_what_breaks_in_the_base_channel_is_reported_there(
    tmp_path: Path, order: tuple[Pair, ...], base_closes: bool
) -> None:
    world = {
        BIO: [pkg("tool-1-0.conda", "lib")],
        FORGE: [pkg("lib-1-0.conda", "readline >=8"), ("readline-8-0.conda", {"license": "GPL-3.0-only"})],
    }
    lab = Lab(tmp_path, {pair: world[pair] for pair in order})
    decision = lab.decide(
        {"conda-forge": {"include": ["nothing"], "with_dependencies": base_closes}}, exclude_licenses=["GPL"]
    )
    assert shown(decision.broken) == [("conda-forge", "linux-64", "readline >=8", "LICENSE", 1, "lib")]
    assert decision.broken[0].mend == "readline"


def test_dependencies_of_what_is_dropped_are_nobodys_business(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), pkg("b-1-0.conda", "z"), "z-1-0.conda", "k-1-0.conda"]})
    assert lab.decide(exclude=["a", "b", "z"]).broken == ()


# ----------------------------------------------------------------------------------------- hostile


def test_a_regular_expression_from_outside_is_not_run(tmp_path: Path) -> None:
    """It would match for longer than the mirror lives."""
    long = "a" * 60
    bombs = ["^(a|aa)+$", "foo 1 ^(a|aa)+$", "foo ^(1|11)+x$", "*[build='^(a|aa)+$']"]
    lab = Lab(tmp_path, {LINUX: [pkg("x-1-0.conda", *bombs), (f"{long}b-1-0.conda", {}), (f"foo-1-{long}b.conda", {})]})
    began = time.monotonic()
    assert lab.kept(include=["x"]) == ["linux-64/x-1-0.conda"]
    assert time.monotonic() - began < 5


def test_hostile_dependencies_of_any_type_are_passed_over(tmp_path: Path) -> None:
    body = made.table(*(f"a{n}-1-0.conda" for n in range(12)), "b-1-0.conda")
    for n, value in enumerate(
        [None, 5, "b", {"b": 1}, [["b"]], [None, 1, "b"], True, [""], ["\x00"], ["(((("], ["b " + ">=" * 400], ["::"]]
    ):
        body["packages.conda"][f"a{n}-1-0.conda"]["depends"] = value
    catalog = Catalog({LINUX: made.index(tmp_path / "state", body)})
    decision = decide(catalog, indexes.config(tmp_path, [LINUX], include=["a*"]))
    assert indexes.kept(decision) == sorted([f"linux-64/a{n}-1-0.conda" for n in range(12)] + ["linux-64/b-1-0.conda"])


def test_a_replaced_record_is_not_brought_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mirrortui.catalog import cache

    monkeypatch.setattr(cache.unpacked, "__defaults__", (30,))
    records = [("a", "1", ["b 1"]), ("b", "1", []), ("b", "2", [])]
    entries = [
        f'"{n}-1-0.conda":{json.dumps({"name": n, "version": v, "build": "0", "depends": d})}' for n, v, d in records
    ]
    catalog = Catalog(
        {LINUX: made.index(tmp_path / "state", ('{"packages.conda":{' + ",".join(entries) + "}}").encode())}
    )
    decision = decide(catalog, indexes.config(tmp_path, [LINUX], include=["a"]))
    item = decision.selection.subdirs[LINUX]
    assert [Reason(int(code)) for code in item.reasons] == [Reason.WANTED, Reason.REPLACED, Reason.NOT_INCLUDED]
    assert [(b.reason, b.mend) for b in decision.broken] == [(Reason.REPLACED, "")]


def test_an_answer_that_nobody_wants_any_more_ends_soon(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), "b-1-0.conda"]})
    with pytest.raises(closure.Cancelled):
        decide(lab.catalog, lab.config(include=["a"]), lambda: True)


def test_the_selection_that_is_closed_is_left_as_it_was(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), "b-1-0.conda"]})
    config = lab.config(include=["a"])
    chosen = select(lab.catalog, config)
    closure.close(lab.catalog, config, chosen)
    assert chosen.subdirs[LINUX].reasons.tolist() == [Reason.WANTED, Reason.NOT_INCLUDED]
