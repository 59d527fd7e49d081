"""The solver's word on filtered selections of real channels: what resolves, what no longer does, on any platform."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mirrortui import config as toml
from mirrortui.catalog.catalog import Catalog
from mirrortui.config import Check
from mirrortui.errors import ConfigError, MirrorError, UsageError
from mirrortui.mirror import solving
from mirrortui.mirror.solving import Solved, check, split, virtual_packages
from mirrortui.selection.decide import decide
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Lab, Pair, pkg

FORGE = [("conda-forge", subdir) for subdir in ("linux-64", "osx-arm64", "win-64", "noarch")]


@pytest.fixture(scope="module")
def forge(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Catalog]:
    base = tmp_path_factory.mktemp("a lab, where “spaces” are #1")
    return base, Catalog(
        {
            pair: made.index(
                base / "state", (shared / "channels" / pair[0] / pair[1] / "repodata.json").read_bytes(), *pair
            )
            for pair in FORGE
        }
    )


def ask(
    forge: tuple[Path, Catalog], environments: Iterable[str], pairs: list[Pair], **rules: Any
) -> dict[tuple[str, str], Solved]:
    base, catalog = forge
    part = Catalog({pair: catalog.indexes[pair] for pair in pairs})
    config = indexes.config(base, pairs, **rules)
    found = check(config, decide(part, config), environments)
    assert [path for path in (base / "state").iterdir() if path.name != "catalog"] == []
    return {(solved.subdir, " ".join(solved.specs)): solved for solved in found}


LINUX = "bzip2 libzlib libexpat ca-certificates tzdata reproc"
OSX = "zstd lz4-c libzlib bzip2 reproc-cpp"
CURL = "libcurl libsqlite lz4-c"
ANY = "tzdata ca-certificates"


def test_real_environments_resolve_on_their_platforms_and_on_no_other(forge: tuple[Path, Catalog]) -> None:
    found = ask(forge, [LINUX, OSX, CURL, ANY, "requests"], FORGE)
    counts = {key: solved.packages for key, solved in found.items() if solved.ok}
    assert counts[("linux-64", LINUX)] == 11
    assert counts[("osx-arm64", OSX)] == 7
    assert counts[("osx-arm64", CURL)] == 15
    assert {subdir for subdir, specs in counts if specs == ANY} == {"linux-64", "osx-arm64", "win-64"}
    assert ("win-64", LINUX) not in counts
    assert not any(specs == "requests" for _, specs in counts)
    assert len(found) == 15
    assert "python" in found["linux-64", "requests"].error


def test_what_the_rules_leave_decides(forge: tuple[Path, Catalog]) -> None:
    pairs = [("conda-forge", "linux-64"), ("conda-forge", "noarch")]
    assert ask(forge, [LINUX], pairs, include=LINUX.split(), newest_versions=1)["linux-64", LINUX].packages == 11
    gone = ask(forge, [LINUX, "tzdata"], pairs, exclude_licenses=["GPL"], runtime_exceptions=False)
    assert not gone["linux-64", LINUX].ok
    assert "libgcc" in gone["linux-64", LINUX].error
    assert gone["linux-64", "tzdata"].packages == 1
    bare = ask(forge, [LINUX], pairs, include=LINUX.split(), with_dependencies=False)
    assert not bare["linux-64", LINUX].ok


def test_a_channel_may_lack_a_platform_and_noarch(tmp_path: Path) -> None:
    world = {
        ("c", "linux-64"): [pkg("a-1-0.conda", "b")],
        ("d", "noarch"): [pkg("b-1-0.conda", subdir="noarch", noarch="generic")],
        ("e", "osx-64"): ["x-1-0.conda"],
    }
    lab = Lab(tmp_path, world)
    found = check(lab.config(), lab.decide(), ["a", "b"])
    assert [(s.subdir, s.specs, s.packages) for s in found if s.ok] == [
        ("linux-64", ("a",), 2),
        ("linux-64", ("b",), 1),
        ("osx-64", ("b",), 1),
    ]
    noarch = Lab(tmp_path / "noarch", {("d", "noarch"): [pkg("b-1-0.conda", subdir="noarch", noarch="generic")]})
    assert [(s.subdir, s.packages) for s in check(noarch.config(), noarch.decide(), ["b"])] == [("noarch", 1)]


@pytest.mark.parametrize(("rules", "ok"), [({}, True), ({"exclude": ["b >=2"]}, True), ({"exclude": ["b"]}, False)])
def test_virtual_packages_of_foreign_machines_are_there(tmp_path: Path, rules: dict[str, Any], ok: bool) -> None:
    needs = {
        "osx-arm64": ["__osx >=11", "__unix", "__archspec * arm64"],
        "win-64": ["__win"],
        "linux-ppc64le": ["__glibc >=2.17", "__linux", "__archspec * ppc64le"],
    }
    world = {
        ("c", subdir): [pkg("a-1-0.conda", "b", *texts), "b-1-0.conda", "b-2-0.conda"]
        for subdir, texts in needs.items()
    }
    lab = Lab(tmp_path, world)
    assert [(s.subdir, s.ok) for s in check(lab.config(**rules), lab.decide(**rules), ["a"])] == [
        (subdir, ok) for subdir in needs
    ]


@pytest.mark.parametrize(
    ("subdir", "names"),
    [("linux-64", "__unix __linux __glibc __archspec"), ("osx-64", "__unix __osx __archspec"), ("win-64", "__win __archspec"), ("win-arm64", "__win __archspec"), ("noarch", "__unix"),
     ("freebsd-64", "__unix __archspec"), ("emscripten-wasm32", "__unix"), ("linux-fake", "__unix __linux __glibc")],
)  # fmt: skip
def test_the_machine_a_subdir_is_judged_for(subdir: str, names: str) -> None:
    assert [name for name, *_ in virtual_packages(subdir)] == names.split()


def test_a_text_is_split_into_its_specs() -> None:
    assert split(" python=3.12  numpy>=1.26,<2 ") == ("python=3.12", "numpy>=1.26,<2")
    for nothing in ("", "  "):
        with pytest.raises(UsageError):
            split(nothing)
    for wrong in ("numpy >=", "a[", "x y=z=w=v"):
        with pytest.raises(ConfigError):
            split(wrong)


def test_a_solver_that_breaks_off_or_takes_too_long_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(tmp_path, {("c", "linux-64"): ["a-1-0.conda"]})
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MirrorError, match="after 0 of 2 answers"):
        check(lab.config(), lab.decide(), ["a", "a"])
    monkeypatch.setattr(sys, "executable", "/bin/nothing-of-that-name")
    with pytest.raises(MirrorError, match="cannot be run"):
        check(lab.config(), lab.decide(), ["a"])

    def cut_off(*_: Any, **__: Any) -> Any:
        return subprocess.CompletedProcess([], 0, '{"subdir": "linux-64", "spe', "killed \x1b[31m")

    monkeypatch.setattr(subprocess, "run", cut_off)
    with pytest.raises(MirrorError, match="after 0 of 1 answers: killed") as caught:
        check(lab.config(), lab.decide(), ["a"])
    assert "\x1b" not in str(caught.value)

    def slow(*_: Any, **__: Any) -> Any:
        raise subprocess.TimeoutExpired("solver", solving.SECONDS)

    monkeypatch.setattr(subprocess, "run", slow)
    with pytest.raises(MirrorError, match="did not end within"):
        check(lab.config(), lab.decide(), ["a"])
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["catalog"]


def test_a_state_that_may_not_be_written_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(tmp_path, {("c", "linux-64"): ["a-1-0.conda"]})
    monkeypatch.setattr(solving.os, "access", lambda *_: False)
    assert check(lab.config(), lab.decide(), ["a"])[0].packages == 1


def test_hostile_records_break_only_what_asks_for_them(tmp_path: Path) -> None:
    entries = [
        ("a-1-0.conda", {}),
        ("b-1-0.conda", {"timestamp": "x"}),
        ("c-1-0.conda", {"depends": "d"}),
        ("d-1-0.conda", {"sha256": ""}),
        ("e-1-0.conda", {"size": -5}),
    ]
    lab = Lab(tmp_path, {("c", "linux-64"): entries})
    found = {s.specs[0]: s for s in check(lab.config(), lab.decide(), ["a", "b", "c", "d", "e", "nowhere"])}
    assert found["a"].packages == 1
    assert all(s.error and "\x1b" not in s.error for name, s in found.items() if name != "a")


# --------------------------------------------------------------------------------------------- the verb


def test_plan_prints_checks_as_json_and_fails_when_one_does(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        {
            ("c", "linux-64"): [
                pkg("a-1-0.conda", "b"),
                "b-1-0.conda",
                pkg("z-1-0.conda", "gone >=1"),
                ("gone-1-0.conda", {"license": "GPL-3.0-only"}),
            ],
            ("c", "noarch"): [],
        },
    )
    (tmp_path / "root").mkdir()
    config = lab.config(exclude_licenses=["GPL"])
    path = tmp_path / "mirror.toml"
    toml.save(config, path)
    command = [sys.executable, "-m", "mirrortui", "plan", "--no-refresh", "-c", str(path)]
    done = subprocess.run(
        [*command, "--json", "--check", "a", "--check", "a z"], capture_output=True, text=True, check=False
    )
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    good, bad = answer["checks"]
    assert good == {"subdir": "linux-64", "specs": ["a"], "packages": 2, "error": "", "ok": True}
    assert (bad["specs"], bad["packages"], bad["ok"]) == (["a", "z"], 0, False)
    assert "gone" in bad["error"]
    assert answer["broken"] == [
        {
            "channel": "c",
            "subdir": "linux-64",
            "depends": "gone >=1",
            "name": "gone",
            "packages": 1,
            "example": "z",
            "reason": "license",
            "mend": {"always": "gone"},
        }
    ]
    assert any('always = ["gone"] would keep it' in text for text in answer["warnings"])
    text = subprocess.run([*command, "--check", "a z"], capture_output=True, text=True, check=False)
    assert text.returncode == 1
    assert "does not resolve" in text.stderr
    toml.save(toml.from_dict(toml.to_dict(config) | {"check": {"solve": ["a b"]}, "selection": {}}), path)
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, [c["packages"] for c in json.loads(done.stdout)["checks"]]) == (0, [2])
    assert Check(solve=("a b",)) == toml.load(path).check
