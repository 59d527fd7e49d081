"""Closing over dependencies: what is brought in, from where, and how much of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirrortui.selection.reasons import Reason
from tests.unit import indexes
from tests.unit.indexes import Lab, Pair, pkg

LINUX, OSX, NOARCH = ("c", "linux-64"), ("c", "osx-64"), ("c", "noarch")


# ------------------------------------------------------------------------------------- what comes in


def test_dependencies_come_in_across_subdir_and_noarch(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        {
            LINUX: [pkg("a-1-0.conda", "b >=1"), pkg("d-1-0.conda"), "e-1-0.conda"],
            NOARCH: [pkg("b-1-0.conda", "d"), "f-1-0.conda"],
        },
    )
    assert lab.kept(include=["a"]) == ["linux-64/a-1-0.conda", "linux-64/d-1-0.conda", "noarch/b-1-0.conda"]
    assert lab.kept(include=["a"], with_dependencies=False) == ["linux-64/a-1-0.conda"]
    assert indexes.reasons(lab.decide(include=["a"]))["noarch/b-1-0.conda"] == Reason.DEPENDENCY


@pytest.mark.parametrize(
    "order", [(LINUX, OSX, NOARCH), (OSX, LINUX, NOARCH), (NOARCH, OSX, LINUX), (NOARCH, LINUX, OSX)]
)
def test_what_is_in_noarch_is_closed_on_every_platform_in_whatever_order_they_are_named(
    tmp_path: Path, order: tuple[Pair, ...]
) -> None:
    """`b` is wanted on osx-64 only, but lies in noarch, where linux-64 sees it too."""
    world = {
        LINUX: [pkg("c-1-linux_0.conda"), "x-1-0.conda"],
        OSX: [pkg("a-1-0.conda", "b"), pkg("c-1-osx_0.conda", "d"), "d-1-osx_0.conda"],
        NOARCH: [pkg("b-1-0.conda", "c")],
    }
    lab = Lab(tmp_path, {pair: world[pair] for pair in order})
    assert lab.kept(include=["a"]) == [
        "linux-64/c-1-linux_0.conda",
        "noarch/b-1-0.conda",
        "osx-64/a-1-0.conda",
        "osx-64/c-1-osx_0.conda",
        "osx-64/d-1-osx_0.conda",
    ]


def test_a_channel_of_noarch_alone_is_closed(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {NOARCH: [pkg("a-1-0.conda", "b"), "b-1-0.conda", "c-1-0.conda"]})
    assert lab.kept(include=["a"]) == ["noarch/a-1-0.conda", "noarch/b-1-0.conda"]


BIO, FORGE, FORGE_NOARCH = ("bioconda", "linux-64"), ("conda-forge", "linux-64"), ("conda-forge", "noarch")


@pytest.mark.parametrize("order", [(BIO, FORGE, FORGE_NOARCH), (FORGE, FORGE_NOARCH, BIO)])
def test_dependencies_come_from_the_base_channel_whichever_is_named_first(
    tmp_path: Path, order: tuple[Pair, ...]
) -> None:
    world = {
        BIO: [pkg("tool-1-0.conda", "lib >=2", "pure"), "other-1-0.conda"],
        FORGE: [pkg("lib-1-0.conda"), pkg("lib-2-0.conda", "deep"), "deep-1-0.conda", "rest-1-0.conda"],
        FORGE_NOARCH: [pkg("pure-1-0.conda", "rest <2")],
    }
    lab = Lab(tmp_path, {pair: world[pair] for pair in order})
    own = {"bioconda": {"include": ["tool"]}, "conda-forge": {"include": ["nothing-of-it"]}}
    found = [
        "bioconda/linux-64/tool-1-0.conda",
        "conda-forge/linux-64/deep-1-0.conda",
        "conda-forge/linux-64/lib-2-0.conda",
        "conda-forge/linux-64/rest-1-0.conda",
    ]
    assert lab.kept(own) == [*found, "conda-forge/noarch/pure-1-0.conda"]
    # The base's own rules hold for its records, and it does not draw on bioconda.
    assert lab.kept(own | {"conda-forge": {"include": ["nothing-of-it"], "exclude": ["rest"]}}) == [
        *found[:-1],
        "conda-forge/noarch/pure-1-0.conda",
    ]
    assert lab.kept({"bioconda": {"include": ["nothing"]}, "conda-forge": {"include": ["lib"]}}) == [
        "conda-forge/linux-64/deep-1-0.conda", "conda-forge/linux-64/lib-1-0.conda", "conda-forge/linux-64/lib-2-0.conda",
    ]  # fmt: skip


def test_another_channel_that_is_no_base_gives_nothing(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path, {FORGE: [pkg("a-1-0.conda", "b")], ("pkgs/main", "linux-64"): ["b-1-0.conda"], BIO: ["b-2-0.conda"]}
    )
    assert lab.kept({"conda-forge": {"include": ["a"]}}, include=["nothing"]) == ["conda-forge/linux-64/a-1-0.conda"]
    lab = Lab(
        tmp_path / "own",
        {
            ("lab/own", "linux-64"): [pkg("a-1-0.conda", "b")],
            ("pkgs/main", "linux-64"): ["b-1-0.conda"],
            BIO: ["b-2-0.conda"],
        },
    )
    assert lab.kept({"lab/own": {"include": ["a"]}}, include=["nothing"]) == [
        "lab/own/linux-64/a-1-0.conda",
        "pkgs/main/linux-64/b-1-0.conda",
    ]


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
    lab = Lab(
        tmp_path,
        {
            LINUX: [
                pkg("a-1-0.conda", "__glibc >=2", **fields),
                *(f"{n}-1-0.conda" for n in "bcde"),
                "__glibc-3-0.conda",
            ]
        },
    )
    assert lab.kept(include=["a"]) == ["linux-64/a-1-0.conda"]


def test_a_circle_ends(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), pkg("b-1-0.conda", "c"), pkg("c-1-0.conda", "a", "c")], NOARCH: []}
    )
    assert len(lab.kept(include=["b"])) == 3


# --------------------------------------------------------------------------------- counts and dates

OLD = [pkg("a-1-0.conda", "b <2"), "b-1.0-0.conda", "b-1.5-h1234567_0.conda", "b-1.5-h7654321_1.conda", "b-2-0.conda"]


def test_an_older_version_comes_back_only_where_no_newer_one_will_do(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: OLD})
    assert lab.kept(newest_versions=1) == [
        f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.5-h1234567_0", "b-1.5-h7654321_1", "b-2-0")
    ]
    assert lab.kept(newest_versions=1, newest_builds=1) == [
        f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.5-h7654321_1", "b-2-0")
    ]
    assert lab.kept(newest_versions=1, with_dependencies=False) == [f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-2-0")]
    assert lab.decide(newest_versions=1).broken == ()


def test_dependencies_obey_the_counts_too(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), *OLD[1:]]})
    assert lab.kept(include=["a"]) == [
        f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.0-0", "b-1.5-h1234567_0", "b-1.5-h7654321_1", "b-2-0")
    ]
    assert lab.kept(include=["a"], newest_versions=1) == ["linux-64/a-1-0.conda", "linux-64/b-2-0.conda"]
    assert lab.kept(include=["a"], newest_versions=2, newest_builds=1) == [
        f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.5-h7654321_1", "b-2-0")
    ]
    assert lab.kept(include=["a"], newest_builds=1) == [
        f"linux-64/{fn}.conda" for fn in ("a-1-0", "b-1.0-0", "b-1.5-h7654321_1", "b-2-0")
    ]


def test_what_others_have_brought_in_counts(tmp_path: Path) -> None:
    """Many ways to ask for the same release do not bring in one release each."""
    asks = [
        pkg(f"a{n}-1-0.conda", text) for n, text in enumerate(["b", "b >=0.5", "b >=0.7", "b >=1.0", "b >1,<9", "b!=7"])
    ]
    lab = Lab(tmp_path, {LINUX: [*asks, *OLD[1:]]})
    assert lab.kept(include=["a*"], newest_versions=1)[6:] == ["linux-64/b-2-0.conda"]
    assert lab.kept(include=["a*", "b 1.5"], newest_versions=1)[6:] == [
        f"linux-64/{fn}.conda" for fn in ("b-1.5-h1234567_0", "b-1.5-h7654321_1", "b-2-0")
    ]
    assert lab.kept(include=["a*", "b 2"], newest_versions=1)[6:] == ["linux-64/b-2-0.conda"]


def test_every_python_that_is_asked_for_comes_with_a_noarch_package(tmp_path: Path) -> None:
    pythons = [f"python-{v}-0_cpython.conda" for v in ("3.10.1", "3.11.1", "3.11.9", "3.12.0", "3.12.3")]
    lab = Lab(
        tmp_path, {LINUX: pythons, NOARCH: [pkg("a-1-0.conda", "python >=3.8"), pkg("a-2-0.conda", "python >=3.9")]}
    )
    assert lab.kept(include=["a"], python=["3.11", "3.12"], newest_versions=1) == [
        "linux-64/python-3.11.9-0_cpython.conda",
        "linux-64/python-3.12.3-0_cpython.conda",
        "noarch/a-2-0.conda",
    ]


def test_of_noarch_dependencies_the_newest_for_the_named_pythons_come(tmp_path: Path) -> None:
    """Not the newest of every way in which its releases have spelt their Python."""
    lab = Lab(
        tmp_path,
        {NOARCH: [pkg("a-1-0.conda", "d"), *(pkg(f"d-{v}-0.conda", f"python >=3.{v}") for v in (6, 7, 8, 13))]},
    )
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
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        cwd=root,
    )
    assert [word for word in done.stdout.split() if word.startswith("linux-64/b")] == [
        "linux-64/b-1.2-0.conda",
        "linux-64/b-1.4-0.conda",
        "linux-64/b-1.6-0.conda",
        "linux-64/b-1.8-0.conda",
        "linux-64/b-2-0.conda",
    ]
