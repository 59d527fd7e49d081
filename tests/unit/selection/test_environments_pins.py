"""Environment files in a selection: what is pinned, what is asked for, and how that goes with other rules."""

from pathlib import Path

import pytest

from mirrortui.selection.reasons import Reason
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Lab, pkg
from tests.unit.selection.environment_files import (
    CONDA_LOCK,
    ENV_EXPORT,
    EXPLICIT,
    LIST_EXPORT,
    MD5,
    PIXI_LOCK,
    SHA,
    URL,
    write,
)

FORGE, MAIN, NOARCH = ("conda-forge", "linux-64"), ("pkgs/main", "linux-64"), ("conda-forge", "noarch")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    world = {
        FORGE: [
            pkg("numpy-1.26.4-py312h_0.conda", "blas >=1", license="GPL-3.0-only"), pkg("numpy-1.26.4-py312h_0.tar.bz2", "blas >=1"), pkg("numpy-1.26.4-py312h_1.conda", "blas >=1"),
            pkg("numpy-2.0.0-py312h_0.conda", "blas >=1"), "blas-1-0.conda", "blas-2-0.conda", "rest-1-0.conda",
        ],
        MAIN: ["numpy-1.26.4-py312h_0.conda"],
        NOARCH: ["tzdata-2024a-h0c530f3_0.conda"],
    }  # fmt: skip
    return Lab(tmp_path, world)


NUMPY, TWIN = "conda-forge/linux-64/numpy-1.26.4-py312h_0.conda", "conda-forge/linux-64/numpy-1.26.4-py312h_0.tar.bz2"


@pytest.mark.parametrize("name", ["conda-lock.yml", "pixi.lock", "explicit.txt"])
def test_a_lock_pins_its_very_files_and_nothing_else(lab: Lab, name: str) -> None:
    """Whatever the rules say of them, and without other builds of what they need."""
    text = {"conda-lock.yml": CONDA_LOCK, "pixi.lock": PIXI_LOCK, "explicit.txt": EXPLICIT}[name]
    text = text.replace(SHA, made.record("numpy-1.26.4-py312h_0.conda")["sha256"]).replace(
        MD5, made.record("numpy-1.26.4-py312h_0.conda")["md5"]
    )
    path = write(lab.base, name, text)
    for rules in (
        {},
        {"exclude": ["numpy"]},
        {"exclude_licenses": ["GPL"]},
        {"newest_versions": 1, "max_size": "1 B", "before": "2001-01-01"},
        {"formats": "prefer-conda"},
    ):
        decision = lab.decide(environments=[path], **rules)
        assert indexes.kept(decision) == [NUMPY]
        assert indexes.reasons(decision)[NUMPY] == Reason.PINNED
        assert decision.broken == ()


@pytest.mark.parametrize(("key", "value"), [("sha256", "0" * 64), ("md5", "0" * 32)])
def test_a_file_whose_bytes_are_others_today_is_not_the_locked_one(lab: Lab, key: str, value: str) -> None:
    """A hash of either kind tells, where the lock and the record have it."""
    hashes = {key: value} if key == "sha256" else {"md5": value}
    path = write(
        lab.base,
        "pixi.lock",
        f"version: 6\npackages:\n- conda: {URL}\n" + "".join(f"  {k}: '{v}'\n" for k, v in hashes.items()),
    )
    assert lab.kept(environments=[path]) == []
    assert lab.kept(environments=[write(lab.base, "bare.lock", f"version: 6\npackages:\n- conda: {URL}\n")]) == [NUMPY]


def test_a_lock_with_one_hash_of_two_is_judged_by_that(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {FORGE: [("numpy-1.26.4-py312h_0.conda", {"sha256": ..., "md5": MD5})]})
    for hashes, kept in (
        (f"  sha256: {SHA}\n", True),
        (f"  sha256: {SHA}\n  md5: {MD5}\n", True),
        (f"  md5: '{'0' * 32}'\n", False),
    ):
        path = write(tmp_path, f"{len(hashes)}{kept}.lock", f"packages:\n- conda: {URL}\n{hashes}")
        assert bool(lab.kept(environments=[path])) is kept


def test_an_export_pins_its_builds_in_one_format(lab: Lab) -> None:
    path = write(lab.base, "export.txt", LIST_EXPORT)
    both = ["conda-forge/noarch/tzdata-2024a-h0c530f3_0.conda", "pkgs/main/linux-64/numpy-1.26.4-py312h_0.conda"]
    assert lab.kept(environments=[path], formats="prefer-conda", exclude_licenses=["GPL"]) == [NUMPY, *both]
    assert lab.kept(environments=[path], formats="all") == [NUMPY, TWIN, *both]
    assert lab.kept(environments=[write(lab.base, "environment.yml", ENV_EXPORT)], formats="conda") == [NUMPY, *both]


def test_what_an_environment_asks_for_is_closed_and_obeys_the_rules(lab: Lab) -> None:
    path = write(lab.base, "environment.yml", "dependencies: [numpy 1.*]")
    assert lab.kept(environments=[path], formats="conda") == [
        f"conda-forge/linux-64/{fn}.conda"
        for fn in ("blas-1-0", "blas-2-0", "numpy-1.26.4-py312h_0", "numpy-1.26.4-py312h_1")
    ] + ["pkgs/main/linux-64/numpy-1.26.4-py312h_0.conda"]
    assert lab.kept(environments=[path], formats="conda", exclude_licenses=["GPL"], newest_versions=1) == [
        "conda-forge/linux-64/blas-2-0.conda", "conda-forge/linux-64/numpy-1.26.4-py312h_1.conda", "pkgs/main/linux-64/numpy-1.26.4-py312h_0.conda",
    ]  # fmt: skip


def test_wishes_of_file_and_include_add_up(lab: Lab) -> None:
    lock = write(lab.base, "bare.lock", f"packages:\n- conda: {URL}\n")
    assert lab.kept(environments=[lock], include=["rest"]) == [NUMPY, "conda-forge/linux-64/rest-1-0.conda"]
