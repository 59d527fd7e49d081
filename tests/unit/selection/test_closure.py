"""Closing over dependencies: what is brought in, from where, what stays out, and what is reported with which mend."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import rattler
import zstandard

from mirrortui.catalog.index import Catalog
from mirrortui.selection import closure
from mirrortui.selection.decide import decide
from mirrortui.selection.reasons import Broken, Reason
from mirrortui.selection.select import select
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Lab, Pair, pkg

LINUX, OSX, NOARCH = ("c", "linux-64"), ("c", "osx-64"), ("c", "noarch")


def shown(items: tuple[Broken, ...]) -> list[tuple[str, str, str, str, int, str]]:
    return [(b.channel, b.subdir, b.spec, b.reason.name, b.packages, b.example) for b in items]


# ------------------------------------------------------------------------------------- what comes in


def test_dependencies_come_in_across_subdir_and_noarch(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b >=1"), pkg("d-1-0.conda"), "e-1-0.conda"], NOARCH: [pkg("b-1-0.conda", "d"), "f-1-0.conda"]})
    assert lab.kept(include=["a"]) == ["linux-64/a-1-0.conda", "linux-64/d-1-0.conda", "noarch/b-1-0.conda"]
    assert lab.kept(include=["a"], with_dependencies=False) == ["linux-64/a-1-0.conda"]
    assert indexes.reasons(lab.decide(include=["a"]))["noarch/b-1-0.conda"] == Reason.DEPENDENCY


@pytest.mark.parametrize("order", [(LINUX, OSX, NOARCH), (OSX, LINUX, NOARCH), (NOARCH, OSX, LINUX), (NOARCH, LINUX, OSX)])
def test_what_is_in_noarch_is_closed_on_every_platform_in_whatever_order_they_are_named(tmp_path: Path, order: tuple[Pair, ...]) -> None:
    """`b` is wanted on osx-64 only, but lies in noarch, where linux-64 sees it too."""
    world = {
        LINUX: [pkg("c-1-linux_0.conda"), "x-1-0.conda"],
        OSX: [pkg("a-1-0.conda", "b"), pkg("c-1-osx_0.conda", "d"), "d-1-osx_0.conda"],
        NOARCH: [pkg("b-1-0.conda", "c")],
    }
    lab = Lab(tmp_path, {pair: world[pair] for pair in order})
    assert lab.kept(include=["a"]) == ["linux-64/c-1-linux_0.conda", "noarch/b-1-0.conda", "osx-64/a-1-0.conda", "osx-64/c-1-osx_0.conda", "osx-64/d-1-osx_0.conda"]


def test_a_channel_of_noarch_alone_is_closed(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {NOARCH: [pkg("a-1-0.conda", "b"), "b-1-0.conda", "c-1-0.conda"]})
    assert lab.kept(include=["a"]) == ["noarch/a-1-0.conda", "noarch/b-1-0.conda"]


BIO, FORGE, FORGE_NOARCH = ("bioconda", "linux-64"), ("conda-forge", "linux-64"), ("conda-forge", "noarch")


@pytest.mark.parametrize("order", [(BIO, FORGE, FORGE_NOARCH), (FORGE, FORGE_NOARCH, BIO)])
def test_dependencies_come_from_the_base_channel_whichever_is_named_first(tmp_path: Path, order: tuple[Pair, ...]) -> None:
    world = {
        BIO: [pkg("tool-1-0.conda", "lib >=2", "pure"), "other-1-0.conda"],
        FORGE: [pkg("lib-1-0.conda"), pkg("lib-2-0.conda", "deep"), "deep-1-0.conda", "rest-1-0.conda"],
        FORGE_NOARCH: [pkg("pure-1-0.conda", "rest <2")],
    }
    lab = Lab(tmp_path, {pair: world[pair] for pair in order})
    own = {"bioconda": {"include": ["tool"]}, "conda-forge": {"include": ["nothing-of-it"]}}
    found = ["bioconda/linux-64/tool-1-0.conda", "conda-forge/linux-64/deep-1-0.conda", "conda-forge/linux-64/lib-2-0.conda", "conda-forge/linux-64/rest-1-0.conda"]
    assert lab.kept(own) == [*found, "conda-forge/noarch/pure-1-0.conda"]
    # The base's own rules hold for its records, and it does not draw on bioconda.
    assert lab.kept(own | {"conda-forge": {"include": ["nothing-of-it"], "exclude": ["rest"]}}) == [*found[:-1], "conda-forge/noarch/pure-1-0.conda"]
    assert lab.kept({"bioconda": {"include": ["nothing"]}, "conda-forge": {"include": ["lib"]}}) == [
        "conda-forge/linux-64/deep-1-0.conda", "conda-forge/linux-64/lib-1-0.conda", "conda-forge/linux-64/lib-2-0.conda",
    ]  # fmt: skip


def test_another_channel_that_is_no_base_gives_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {FORGE: [pkg("a-1-0.conda", "b")], ("pkgs/main", "linux-64"): ["b-1-0.conda"], BIO: ["b-2-0.conda"]})
    assert lab.kept({"conda-forge": {"include": ["a"]}}, include=["nothing"]) == ["conda-forge/linux-64/a-1-0.conda"]
    lab = Lab(tmp_path / "own", {("lab/own", "linux-64"): [pkg("a-1-0.conda", "b")], ("pkgs/main", "linux-64"): ["b-1-0.conda"], BIO: ["b-2-0.conda"]})
    assert lab.kept({"lab/own": {"include": ["a"]}}, include=["nothing"]) == ["lab/own/linux-64/a-1-0.conda", "pkgs/main/linux-64/b-1-0.conda"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("b", ["1-0", "2-0", "2-py_1"]), ("b >=2", ["2-0", "2-py_1"]), ("b 1", ["1-0"]), ("b=1", ["1-0"]), ("b 2 py_1", ["2-py_1"]), ("b 2.* *_1", ["2-py_1"]), ("b * 0", ["1-0", "2-0"]),
        ("B", ["1-0", "2-0", "2-py_1"]), ("b[version='>1',build=py*]", ["2-py_1"]), ("b[build_number=1]", ["2-py_1"]), ("c::b 1", ["1-0"]), ("other::b", []), ("c/linux-64::b 1", ["1-0"]),
        ("c/noarch::b", []), ("b >=3", []), ("b <1", []), ("b >=1,!=2", ["1-0"]), ("b <1.5|2", ["1-0", "2-0", "2-py_1"]), ("bb", []), ("b*", ["1-0", "2-0", "2-py_1"]), ("b 1.*", ["1-0"]),
        ("b ~=1.0", ["1-0"]), ("", []), ("__b", []), ("b >=x=y=z", []), ("b >=1 0 x", []), ("é", []), ("\x1b[31m", []), ("b" * 5000, []), ("b[md5=zz]", []), ("b 2 ^py.*$", []), ("^b$", []),
    ],
)  # fmt: skip
def test_a_dependency_means_what_conda_means(tmp_path: Path, text: str, found: list[str]) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", text), "b-1-0.conda", "b-2-0.conda", "b-2-py_1.conda"]})
    assert lab.kept(include=["a"]) == ["linux-64/a-1-0.conda", *(f"linux-64/b-{one}.conda" for one in found)]


def test_only_depends_pulls(tmp_path: Path) -> None:
    fields = {"constrains": ["b"], "track_features": "c", "features": "d", "extra_depends": {"x": ["e"]}}
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "__glibc >=2", **fields), *(f"{n}-1-0.conda" for n in "bcde"), "__glibc-3-0.conda"]})
    assert lab.kept(include=["a"]) == ["linux-64/a-1-0.conda"]


def test_a_circle_ends(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), pkg("b-1-0.conda", "c"), pkg("c-1-0.conda", "a", "c")], NOARCH: []})
    assert len(lab.kept(include=["b"])) == 3


# -------------------------------------------------------------------------------- what stays out


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"exclude": ["b"]}, Reason.EXCLUDED), ({"exclude_licenses": ["GPL"]}, Reason.LICENSE), ({"exclude_licenses": ["AGPL"], "unknown_license": "drop"}, Reason.UNKNOWN_LICENSE),
        ({"python": ["3.12"]}, Reason.PYTHON), ({"max_size": "1 kB"}, Reason.MAX_SIZE), ({"before": "2023-01-01"}, Reason.TOO_NEW), ({"formats": "conda"}, Reason.FORMAT),
    ],
)  # fmt: skip
def test_no_rule_is_undone_by_a_dependency_and_each_mend_mends(tmp_path: Path, rules: dict[str, Any], reason: Reason) -> None:
    provider = {
        Reason.LICENSE: {"license": "GPL-3.0-only"}, Reason.UNKNOWN_LICENSE: {"license": "who knows"}, Reason.PYTHON: {"depends": ["python 3.9.*"]},
        Reason.MAX_SIZE: {"size": 2000}, Reason.TOO_NEW: {"timestamp": 1_700_000_000_000},
    }.get(reason, {})  # fmt: skip
    old = {"timestamp": 1_600_000_000_000, "size": 5, "license": "MIT"}
    suffix = "tar.bz2" if reason == Reason.FORMAT else "conda"
    entries = [pkg("a-1-0.conda", "b >=1", **old), pkg("a2-1-0.conda", "b >=1", **old), (f"b-1-0.{suffix}", old | provider), ("python-3.9.1-0.conda", old)]
    lab = Lab(tmp_path, {LINUX: entries, NOARCH: []})
    for include in ([], ["a*"]):
        decision = lab.decide(include=include, **rules)
        assert f"linux-64/b-1-0.{suffix}" not in indexes.kept(decision)
        assert shown(decision.broken) == [("c", "linux-64", "b >=1", reason.name, 2, "a")]
        (item,) = decision.broken
        mended = lab.decide(include=include, **(rules | {item.mend_rule: item.mend if item.mend_rule == "formats" else [item.mend]}))
        assert f"linux-64/b-1-0.{suffix}" in indexes.kept(mended)
        assert [b.spec for b in mended.broken if b.name == "b"] == []


@pytest.mark.parametrize(("formats", "there"), [("conda", "tar.bz2"), ("tar.bz2", "conda")])
def test_a_format_is_mended_by_another_value_of_formats(tmp_path: Path, formats: str, there: str) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), pkg("a-1-0.tar.bz2", "b"), f"b-1-0.{there}"]})
    (item,) = lab.decide(formats=formats).broken
    assert (item.reason, item.mend_rule) == (Reason.FORMAT, "formats")
    assert lab.decide(formats=item.mend).broken == ()


def test_the_second_format_of_a_build_is_not_blamed(tmp_path: Path) -> None:
    twins = [("b-1-0.tar.bz2", {"license": "GPL-2.0-only"}), ("b-1-0.conda", {"license": "GPL-2.0-only"}), "b-0-0.conda"]
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b >=1"), *twins]})
    (item,) = lab.decide(formats="prefer-conda", exclude_licenses=["GPL"]).broken
    assert (item.reason, item.mend_rule, item.mend) == (Reason.LICENSE, "always", "b")


def test_what_upstream_does_not_have_is_not_broken_by_us(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "nowhere", "b >=9", "__cuda"), "b-1-0.conda", "x-1-0.conda"]})
    assert lab.decide(exclude=["x", "b"]).broken == ()


def test_a_dependency_that_something_kept_still_meets_is_not_broken(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b >=1", "d"), "b-1-0.conda", ("b-2-0.conda", {"license": "GPL-3.0-only"})], NOARCH: ["d-1-0.conda"]})
    assert lab.decide(exclude_licenses=["GPL"]).broken == ()


def test_each_platform_and_each_channel_that_needs_it_is_reported(tmp_path: Path) -> None:
    world = {LINUX: [pkg("a-1-0.conda", "b"), pkg("e-1-0.conda", "b")], OSX: [pkg("a-1-0.conda", "b")], NOARCH: [pkg("n-1-0.conda", "b"), "b-1-0.conda"]}
    assert shown(Lab(tmp_path, world).decide(exclude=["b"]).broken) == [("c", "linux-64", "b", "EXCLUDED", 3, "a"), ("c", "osx-64", "b", "EXCLUDED", 2, "a")]


@pytest.mark.parametrize("order", [(BIO, FORGE), (FORGE, BIO)])
@pytest.mark.parametrize("base_closes", [True, False])
def test_what_breaks_in_the_base_channel_is_reported_there(tmp_path: Path, order: tuple[Pair, ...], base_closes: bool) -> None:
    world = {BIO: [pkg("tool-1-0.conda", "lib")], FORGE: [pkg("lib-1-0.conda", "readline >=8"), ("readline-8-0.conda", {"license": "GPL-3.0-only"})]}
    lab = Lab(tmp_path, {pair: world[pair] for pair in order})
    decision = lab.decide({"conda-forge": {"include": ["nothing"], "with_dependencies": base_closes}}, exclude_licenses=["GPL"])
    assert shown(decision.broken) == [("conda-forge", "linux-64", "readline >=8", "LICENSE", 1, "lib")]
    assert decision.broken[0].mend == "readline"


def test_dependencies_of_what_is_dropped_are_nobodys_business(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), pkg("b-1-0.conda", "z"), "z-1-0.conda", "k-1-0.conda"]})
    assert lab.decide(exclude=["a", "b", "z"]).broken == ()


# --------------------------------------------------------------------------------- counts and dates

OLD = [pkg("a-1-0.conda", "b <2"), "b-1.0-0.conda", "b-1.5-h1234567_0.conda", "b-1.5-h7654321_1.conda", "b-2-0.conda"]


def test_an_older_version_comes_back_only_where_no_newer_one_will_do(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: OLD})
    assert lab.kept(newest_versions=1) == [f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.5-h1234567_0", "b-1.5-h7654321_1", "b-2-0")]
    assert lab.kept(newest_versions=1, newest_builds=1) == [f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.5-h7654321_1", "b-2-0")]
    assert lab.kept(newest_versions=1, with_dependencies=False) == [f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-2-0")]
    assert lab.decide(newest_versions=1).broken == ()


def test_dependencies_obey_the_counts_too(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), *OLD[1:]]})
    assert lab.kept(include=["a"]) == [f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.0-0", "b-1.5-h1234567_0", "b-1.5-h7654321_1", "b-2-0")]
    assert lab.kept(include=["a"], newest_versions=1) == ["linux-64/a-1-0.conda", "linux-64/b-2-0.conda"]
    assert lab.kept(include=["a"], newest_versions=2, newest_builds=1) == [f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.5-h7654321_1", "b-2-0")]
    assert lab.kept(include=["a"], newest_builds=1) == [f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.0-0", "b-1.5-h7654321_1", "b-2-0")]


def test_what_others_have_brought_in_counts(tmp_path: Path) -> None:
    """Many ways to ask for the same release do not bring in one release each."""
    asks = [pkg(f"a{n}-1-0.conda", text) for n, text in enumerate(["b", "b >=0.5", "b >=0.7", "b >=1.0", "b >1,<9", "b!=7"])]
    lab = Lab(tmp_path, {LINUX: [*asks, *OLD[1:]]})
    assert lab.kept(include=["a*"], newest_versions=1)[6:] == ["linux-64/b-2-0.conda"]
    assert lab.kept(include=["a*", "b 1.5"], newest_versions=1)[6:] == [f"linux-64/{fn}.conda" for fn in ("b-1.5-h1234567_0", "b-1.5-h7654321_1", "b-2-0")]
    assert lab.kept(include=["a*", "b 2"], newest_versions=1)[6:] == ["linux-64/b-2-0.conda"]


def test_every_python_that_is_asked_for_comes_with_a_noarch_package(tmp_path: Path) -> None:
    pythons = [f"python-{v}-0_cpython.conda" for v in ("3.10.1", "3.11.1", "3.11.9", "3.12.0", "3.12.3")]
    lab = Lab(tmp_path, {LINUX: pythons, NOARCH: [pkg("a-1-0.conda", "python >=3.8"), pkg("a-2-0.conda", "python >=3.9")]})
    assert lab.kept(include=["a"], python=["3.11", "3.12"], newest_versions=1) == ["linux-64/python-3.11.9-0_cpython.conda", "linux-64/python-3.12.3-0_cpython.conda", "noarch/a-2-0.conda"]


def test_of_noarch_dependencies_the_newest_for_the_named_pythons_come(tmp_path: Path) -> None:
    """Not the newest of every way in which its releases have spelt their Python."""
    lab = Lab(tmp_path, {NOARCH: [pkg("a-1-0.conda", "d"), *(pkg(f"d-{v}-0.conda", f"python >=3.{v}") for v in (6, 7, 8, 13))]})
    assert lab.kept(include=["a"], python=["3.12"], newest_versions=1) == ["noarch/a-1-0.conda", "noarch/d-8-0.conda"]


@pytest.mark.parametrize("seed", ["0", "1", "12345"])
def test_the_answer_does_not_depend_on_the_order_of_a_set(tmp_path: Path, seed: str) -> None:
    """Each dependency gets the newest release that it allows, though an older one that another brings back would do, too."""
    script = tmp_path / "ask.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom tests.unit.indexes import Lab, pkg\n"
        "bs = [f'b-{v}-0.conda' for v in (1.0, 1.2, 1.4, 1.6, 1.8, 2)]\n"
        "asks = ['b <1.9', 'b <1.7', 'b <1.5', 'b <1.3', 'b <=1.2', 'b >=1,<1.9']\n"
        "lab = Lab(Path(sys.argv[1]), {('c', 'linux-64'): [*(pkg(f'a{n}-1-0.conda', t) for n, t in enumerate(asks)), *bs]})\n"
        "print(*lab.kept(newest_versions=1))\n"
    )
    root = Path(__file__).resolve().parents[3]
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, env=environment, check=True, cwd=root)
    assert [word for word in done.stdout.split() if word.startswith("linux-64/b")] == ["linux-64/b-1.2-0.conda", "linux-64/b-1.4-0.conda", "linux-64/b-1.6-0.conda", "linux-64/b-1.8-0.conda", "linux-64/b-2-0.conda"]


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
    for n, value in enumerate([None, 5, "b", {"b": 1}, [["b"]], [None, 1, "b"], True, [""], ["\x00"], ["(((("], ["b " + ">=" * 400], ["::"]]):
        body["packages.conda"][f"a{n}-1-0.conda"]["depends"] = value
    catalog = Catalog({LINUX: made.index(tmp_path / "state", body)})
    decision = decide(catalog, indexes.config(tmp_path, [LINUX], include=["a*"]))
    assert indexes.kept(decision) == sorted([f"linux-64/a{n}-1-0.conda" for n in range(12)] + ["linux-64/b-1-0.conda"])


def test_a_replaced_record_is_not_brought_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mirrortui.catalog import cache

    monkeypatch.setattr(cache.unpacked, "__defaults__", (30,))
    records = [("a", "1", ["b 1"]), ("b", "1", []), ("b", "2", [])]
    entries = [f'"{n}-1-0.conda":{json.dumps({"name": n, "version": v, "build": "0", "depends": d})}' for n, v, d in records]
    catalog = Catalog({LINUX: made.index(tmp_path / "state", ('{"packages.conda":{' + ",".join(entries) + "}}").encode())})
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


# ------------------------------------------------------------------------------------ real channels


class Plain:
    """A brute force over dicts: rattler judges every record against every dependency."""

    def __init__(self, bodies: dict[Pair, dict[str, Any]]) -> None:
        self.records: dict[Pair, dict[str, tuple[dict[str, Any], Any]]] = {}
        for pair, body in bodies.items():
            both = body["packages"] | body["packages.conda"]
            self.records[pair] = {
                fn: (r, rattler.PackageRecord(name=r["name"], version=r["version"], build=rattler.BuildString(r["build"]), build_number=r["build_number"], subdir=pair[1], arch=None, platform=None))
                for fn, r in both.items()
            }  # fmt: skip
        self.by_name: dict[Pair, dict[str, list[str]]] = {}
        for pair, records in self.records.items():
            for fn, (r, _) in records.items():
                self.by_name.setdefault(pair, {}).setdefault(r["name"], []).append(fn)

    def close(self, names: tuple[str, ...], targets: tuple[str, ...]) -> set[tuple[Pair, str]]:
        """Everything that the records of some names need; what comes to lie in noarch is closed on every platform."""
        found: set[tuple[Pair, str]] = set()
        while True:
            more = set().union(*(self._close(names, {place for place in found if place[0][1] == "noarch"}, target) for target in targets))
            if more == found:
                return found
            found = more

    def _close(self, names: tuple[str, ...], seeds: set[tuple[Pair, str]], target: str) -> set[tuple[Pair, str]]:
        pairs = [pair for pair in self.records if pair[1] in (target, "noarch")]
        todo = [*seeds, *((pair, fn) for pair in pairs for name in names for fn in self.by_name[pair].get(name, ()))]
        done, asked = set(todo), set()
        while todo:
            pair, fn = todo.pop()
            for text in self.records[pair][fn][0]["depends"]:
                if text in asked or text.startswith("__"):
                    continue
                asked.add(text)
                spec = rattler.MatchSpec(text)
                for other in pairs:
                    for candidate in self.by_name[other].get(spec.name.normalized, ()):
                        if (other, candidate) not in done and spec.matches(self.records[other][candidate][1]):
                            done.add((other, candidate))
                            todo.append((other, candidate))
        return done


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Pair, dict[str, Any]], Catalog]:
    base = tmp_path_factory.mktemp("real")
    bodies, found = {}, {}
    for subdir in ("osx-arm64", "win-arm64", "noarch"):
        packed = (shared / "repodata/conda-forge-python-subset-2024" / subdir / "repodata.json.zst").read_bytes()
        data = zstandard.ZstdDecompressor().stream_reader(packed).read()
        bodies["conda-forge", subdir] = json.loads(data)
        found["conda-forge", subdir] = made.index(base / "state", data, "conda-forge", subdir)
        (base / subdir).mkdir()
        (base / subdir / "repodata.json").write_bytes(data)
    return base, bodies, Catalog(found)


@pytest.mark.parametrize("names", [("pip",), ("openssl",), ("python",), ("sqlite", "tk"), ("wheel", "readline")])
def test_real_names_are_closed_as_a_brute_force_closes_them(real: tuple[Path, dict[Pair, dict[str, Any]], Catalog], names: tuple[str, ...]) -> None:
    base, bodies, catalog = real
    decision = decide(catalog, indexes.config(base, catalog.indexes, include=list(names)))
    ours = {(pair, fn) for pair, item in decision.selection.subdirs.items() for fn in item.index.fns(item.mask)}
    assert ours == Plain(bodies).close(names, ("osx-arm64", "win-arm64"))
    assert decision.broken == ()


def test_at_the_level_of_names_rattler_finds_no_less_than_we_do(real: tuple[Path, dict[Pair, dict[str, Any]], Catalog]) -> None:
    base, _, catalog = real
    sparse = [rattler.SparseRepoData(rattler.Channel("conda-forge"), subdir, str(base / subdir / "repodata.json")) for subdir in ("osx-arm64", "noarch")]
    for name in ("pip", "sqlite", "wheel"):
        lists = rattler.SparseRepoData.load_records_recursive(sparse, [rattler.PackageName(name)], rattler.PackageFormatSelection.BOTH)
        theirs = {(str(r.subdir), r.file_name) for part in lists for r in part}
        pairs = [("conda-forge", "osx-arm64"), ("conda-forge", "noarch")]
        part = Catalog({pair: catalog.indexes[pair] for pair in pairs})
        decision = decide(part, indexes.config(base, pairs, include=[name]))
        ours = {(pair[1], fn) for pair, item in decision.selection.subdirs.items() for fn in item.index.fns(item.mask)}
        assert ours
        assert {fn for _, fn in ours} <= {fn for _, fn in theirs}
        assert {fn for _, fn in ours} >= {fn for _, fn in theirs if fn.startswith(f"{name}-")}
