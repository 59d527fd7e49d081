"""The way from a wanted record down to one that dependencies brought in."""

from pathlib import Path
from typing import Any

import zstandard

from mirrortui.catalog.catalog import Catalog
from mirrortui.selection.chains import Chains
from mirrortui.selection.closure import parsed, provide
from mirrortui.selection.decide import decide
from mirrortui.selection.explain import Answer, explain
from mirrortui.selection.reasons import Reason
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Lab, pkg

LINUX, NOARCH = ("c", "linux-64"), ("c", "noarch")


def ask(lab: Lab, question: str, own: dict[str, Any] | None = None, **rules: Any) -> list[Answer]:
    return explain(lab.config(own, **rules), lab.decide(own, **rules), question)


def one(lab: Lab, question: str, **rules: Any) -> Answer:
    (answer,) = ask(lab, question, **rules)
    return answer


def chain(lab: Lab, question: str, **rules: Any) -> list[str]:
    return [f"{fn.removesuffix('.conda')}: {text}" for fn, text in one(lab, question, **rules).chain]


def test_the_chain_leads_from_a_wanted_record_down(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        {
            LINUX: [pkg("a-1-0.conda", "b >=1"), pkg("c-1-0.conda", "d"), "d-1-0.conda"],
            NOARCH: [pkg("b-1-0.conda", "c <2")],
        },
    )
    assert chain(lab, "d-1-0.conda", include=["a"]) == ["a-1-0: b >=1", "b-1-0: c <2", "c-1-0: d"]
    assert chain(lab, "d-1-0.conda", include=["a", "c"]) == ["c-1-0: d"]
    assert chain(lab, "d-1-0.conda", include=["a", "d"]) == []
    assert one(lab, "d-1-0.conda", include=["a"]).to_json()["chain"][0] == {"fn": "a-1-0.conda", "depends": "b >=1"}


def test_a_long_chain_is_told_whole(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg(f"a{n}-1-0.conda", f"a{n + 1}") for n in range(40)] + ["a40-1-0.conda"]})
    assert chain(lab, "a40-1-0.conda", include=["a0"]) == [f"a{n}-1-0: a{n + 1}" for n in range(40)]


def test_a_chain_does_not_go_round_in_circles(tmp_path: Path) -> None:
    """The records that asked first lie behind others that need the same, and need it because they were brought in by it."""
    world = {
        LINUX: [
            pkg("a0-1-0.conda", "x"),
            pkg("a1-1-0.conda", "t"),
            pkg("t-1-0.conda", "u"),
            pkg("u-1-0.conda", "a1"),
            pkg("x-1-0.conda", "y"),
            pkg("y-1-0.conda", "t"),
        ]
    }
    assert chain(Lab(tmp_path, world), "u-1-0.conda", include=["a0"]) == [
        "a0-1-0: x",
        "x-1-0: y",
        "y-1-0: t",
        "t-1-0: u",
    ]


def test_what_a_lock_pins_starts_no_chain(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), pkg("z-1-0.conda", "b"), "b-1-0.conda"]})
    (tmp_path / "lock.txt").write_text("@EXPLICIT\nhttps://h/c/linux-64/a-1-0.conda\n")
    assert chain(lab, "b-1-0.conda", include=["z"], environments=[str(tmp_path / "lock.txt")]) == ["z-1-0: b"]


def test_the_chain_across_channels_and_platforms(tmp_path: Path) -> None:
    world = {
        ("bioconda", "linux-64"): [pkg("tool-1-0.conda", "lib")], ("conda-forge", "osx-64"): [pkg("lib-1-0.conda", "pure"), "deep-1-0.conda"],
        ("conda-forge", "linux-64"): [pkg("lib-1-0.conda", "pure"), "deep-1-0.conda"], ("conda-forge", "noarch"): [pkg("pure-1-0.conda", "deep")],
    }  # fmt: skip
    lab = Lab(tmp_path, world)
    answers = ask(lab, "deep", {"bioconda": {"include": ["tool"]}}, include=["nothing"])
    assert [(a.subdir, a.kept) for a in answers] == [("osx-64", True), ("linux-64", True)]
    assert answers[1].chain == (("tool-1-0.conda", "lib"), ("lib-1-0.conda", "pure"), ("pure-1-0.conda", "deep"))
    assert answers[0].chain == answers[1].chain  # noarch is seen from osx-64, too


def test_an_older_release_says_who_needs_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b <2"), "b-1-0.conda", "b-2-0.conda", "b-0-0.conda"]})
    assert chain(lab, "b-1-0.conda", newest_versions=1) == ["a-1-0: b <2"]
    assert one(lab, "b-0-0.conda", newest_versions=1).reason == Reason.OLDER_VERSION


def test_every_dependency_of_a_real_selection_has_a_chain_that_holds(shared: Path, tmp_path: Path) -> None:

    found = {}
    for subdir in ("osx-arm64", "noarch"):
        packed = (shared / "repodata/conda-forge-python-subset-2024" / subdir / "repodata.json.zst").read_bytes()
        found["conda-forge", subdir] = made.index(
            tmp_path / "state", zstandard.ZstdDecompressor().stream_reader(packed).read(), "conda-forge", subdir
        )
    catalog = Catalog(found)
    config = indexes.config(tmp_path, catalog.indexes, include=["wheel >=0.40"], newest_versions=2)
    decision = decide(catalog, config)
    chains, count = Chains(decision), 0
    where = {
        fn: (pair, row) for pair, item in decision.selection.subdirs.items() for row, fn in enumerate(item.index.fns())
    }
    for pair, item in decision.selection.subdirs.items():
        for row in (item.reasons == Reason.DEPENDENCY).nonzero()[0].tolist():
            steps, count = chains.to((pair, row)), count + 1
            first_pair, first_row = where[steps[0][0]]
            assert decision.selection.subdirs[first_pair].reasons[first_row] == Reason.WANTED
            for (_, text), (fn, _) in zip(steps, [*steps[1:], (item.index.fn(row), "")], strict=True):
                spec, (child_pair, child_row) = parsed(text), where[fn]
                assert spec is not None
                assert child_row in provide(spec, catalog.indexes[child_pair])
    assert count > 20
