import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from conda_package_streaming.package_streaming import stream_conda_component, stream_conda_info

from mirrortui import naming
from mirrortui.demo.upstream import DemoUpstream, build
from mirrortui.errors import TargetError

Records = dict[tuple[str, str, str], dict[str, Any]]  # by channel, subdir, file name


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> DemoUpstream:
    return build(tmp_path_factory.mktemp("demo") / "upstream")


@pytest.fixture(scope="session")
def records(upstream: DemoUpstream) -> Records:
    found: Records = {}
    for channel, subdirs in upstream.channels.items():
        for subdir in subdirs:
            repodata = json.loads((upstream.folder / channel / subdir / "repodata.json").read_bytes())
            assert repodata["info"] == {"subdir": subdir}
            assert repodata["repodata_version"] == 1
            for section, suffix in (("packages", ".tar.bz2"), ("packages.conda", ".conda")):
                for fn, record in repodata[section].items():
                    assert fn.endswith(suffix)
                    found[channel, subdir, fn] = record
    return found


def test_what_was_made_is_what_is_told(upstream: DemoUpstream, records: Records) -> None:
    assert upstream.channels == {
        "conda-forge": ("linux-64", "osx-arm64", "win-64", "noarch"),
        "bioconda": ("linux-64", "noarch"),
        "pkgs/main": ("linux-64", "noarch"),
    }
    assert upstream.packages == len(records)
    assert 100 <= upstream.packages <= 140
    assert upstream.bytes == sum(r["size"] for r in records.values())
    assert 8e6 <= upstream.bytes <= 12e6
    sizes = sorted(r["size"] for r in records.values())
    assert 5_000 < sizes[0] < sizes[len(sizes) // 2] * 0.5
    assert sizes[len(sizes) // 2] * 4 < sizes[-1] < 710_000


def test_every_record_agrees_with_its_file(upstream: DemoUpstream, records: Records) -> None:
    for (channel, subdir, fn), record in records.items():
        assert naming.file_name(fn) == fn
        assert fn.startswith(f"{record['name']}-{record['version']}-{record['build']}.")
        assert record["subdir"] == subdir
        data = (upstream.folder / channel / subdir / fn).read_bytes()
        assert record["size"] == len(data)
        assert record["sha256"] == hashlib.sha256(data).hexdigest()
        assert record["md5"] == hashlib.md5(data).hexdigest()
    names = {path.name for path in upstream.folder.rglob("*") if path.is_file()}
    assert names == {fn for _, _, fn in records} | {"repodata.json", "repodata.json.zst"}


def test_zst_holds_the_same_bytes(upstream: DemoUpstream) -> None:
    for plain in upstream.folder.rglob("repodata.json"):
        packed = plain.with_name("repodata.json.zst").read_bytes()
        assert zstandard.ZstdDecompressor().decompress(packed) == plain.read_bytes()


@pytest.mark.parametrize("suffix", [".conda", ".tar.bz2"])
def test_the_inside_of_a_package(upstream: DemoUpstream, records: Records, suffix: str) -> None:
    chosen = [key for key in records if key[2].endswith(suffix)][::7]
    for channel, subdir, fn in chosen:
        record = records[channel, subdir, fn]
        path = upstream.folder / channel / subdir / fn
        infos = {m.name: t.extractfile(m).read() for t, m in stream_conda_info(str(path)) if m.name.startswith("info/")}
        index = json.loads(infos["info/index.json"])
        assert index.items() <= record.items()
        assert "no real software" in json.loads(infos["info/about.json"])["description"]
        with path.open("rb") as stream:
            files = {
                m.name: t.extractfile(m).read()
                for t, m in stream_conda_component(fn, stream, "pkg")
                if not m.name.startswith("info/")
            }
        assert infos["info/files"].decode().split() == sorted(files)
        paths = json.loads(infos["info/paths.json"])["paths"]
        assert [p["_path"] for p in paths] == sorted(files)
        for entry in paths:
            assert entry["sha256"] == hashlib.sha256(files[entry["_path"]]).hexdigest()
            assert entry["size_in_bytes"] == len(files[entry["_path"]])


def test_every_dependency_has_a_provider(records: Records) -> None:
    from rattler import BuildString, MatchSpec, PackageRecord

    made: dict[tuple[str, str], list[PackageRecord]] = {}
    for (channel, subdir, _), r in records.items():
        package = PackageRecord(r["name"], r["version"], BuildString(r["build"]), r["build_number"], subdir)
        made.setdefault((channel, subdir), []).append(package)
    bases = {"conda-forge": ["conda-forge"], "bioconda": ["bioconda", "conda-forge"], "pkgs/main": ["pkgs/main"]}
    for (channel, subdir, fn), record in records.items():
        native = "linux-64" if subdir == "noarch" else subdir
        places = [(base, place) for base in bases[channel] for place in (native, "noarch")]
        for text in record["depends"]:
            if not text.startswith("__"):
                spec = MatchSpec(text)
                found = any(spec.matches(package) for place in places for package in made[place])
                assert found, (channel, fn, text)


def test_the_channels_have_what_the_rules_are_about(records: Records) -> None:
    by_name: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for (channel, subdir, _), record in records.items():
        by_name.setdefault((channel, subdir, record["name"]), []).append(record)
    assert len({r["version"] for r in by_name["conda-forge", "linux-64", "libaurora"]}) == 3
    assert {r["build_number"] for r in by_name["conda-forge", "linux-64", "aurora"]} == {0, 1}
    licenses = {r.get("license") for r in records.values()}
    assert {
        "MIT",
        "BSD-3-Clause",
        "Apache-2.0",
        "GPL-3.0-or-later",
        "LGPL-2.1-or-later",
        "GPL-3.0-only WITH GCC-exception-3.1",
        None,
    } <= licenses
    main = {fn for channel, _, fn in records if channel == "pkgs/main"}
    twins = {fn for fn in main if fn.endswith(".tar.bz2") and fn.replace(".tar.bz2", ".conda") in main}
    assert len(twins) >= 10
    assert len(main) - 2 * len(twins) == 1
    for channel, subdir, fn in records:
        if fn in twins:
            twin = records[channel, subdir, fn.replace(".tar.bz2", ".conda")]
            assert twin["legacy_bz2_md5"] == records[channel, subdir, fn]["md5"]
    moments = [r["timestamp"] for r in records.values()]
    assert 1.69e12 < min(moments) < 1.72e12
    assert 1.75e12 < max(moments) < 1.79e12
    aurora = {r["version"]: r["timestamp"] for r in by_name["conda-forge", "linux-64", "libaurora"]}
    assert sorted(aurora, key=aurora.__getitem__) == ["2.2.0", "2.3.1", "2.4.1"]
    fern = by_name["bioconda", "linux-64", "fern-align"][0]
    assert any(text.startswith("aurora ") for text in fern["depends"])


def test_it_is_the_same_each_time(upstream: DemoUpstream, tmp_path: Path) -> None:
    again = build(tmp_path / "again")
    assert (again.packages, again.bytes, again.channels) == (upstream.packages, upstream.bytes, upstream.channels)

    def read(made: DemoUpstream) -> dict[str, Any]:
        path = made.folder / "bioconda" / "linux-64" / "repodata.json"
        packages: dict[str, Any] = json.loads(path.read_bytes())["packages.conda"]
        return {fn: {**r, "md5": "", "sha256": ""} for fn, r in packages.items()}  # a zip knows its hour

    assert read(again) == read(upstream)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(TargetError, match="not empty"):
        build(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetError, match="cannot be written"):
        build(tmp_path / "file" / "demo")


# Runs in a process of its own and leaves it with os._exit: the extension may crash while the interpreter ends.
INSTALL = """
import asyncio, json, os, sys
import rattler

async def main(folder, channels, subdir, specs, prefix, cache):
    virtual = {
        "linux-64": [("__glibc", "2.31"), ("__unix", "0"), ("__linux", "5")],
        "osx-arm64": [("__osx", "14.0"), ("__unix", "0")],
        "win-64": [("__win", "10")],
    }[subdir]
    records = await rattler.solve(
        sources=[rattler.Channel(f"file://{folder}/{channel}") for channel in channels],
        specs=specs,
        platforms=[subdir, "noarch"],
        gateway=rattler.Gateway(cache_dir=cache),
        virtual_packages=[
            rattler.GenericVirtualPackage(rattler.PackageName(n), rattler.Version(v), rattler.BuildString("0"))
            for n, v in virtual
        ],
    )
    if prefix:
        await rattler.install(records, prefix, cache_dir=cache, show_progress=False)
    return sorted(record.name.normalized for record in records)

print(json.dumps(asyncio.run(main(*json.loads(sys.argv[1])))))
sys.stdout.flush()
os._exit(0)
"""


def client(*arguments: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", INSTALL, json.dumps(arguments)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout, done.stderr
    names: list[str] = json.loads(done.stdout)
    return names


def test_rattler_installs_it(upstream: DemoUpstream, tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    names = client(
        str(upstream.folder), ["conda-forge"], "linux-64", upstream.install_specs, str(prefix), str(tmp_path / "cache")
    )
    assert tuple(names) == upstream.expected_names
    program = prefix / "bin" / "aurora"
    assert os.access(program, os.X_OK)
    said = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    assert said == "aurora 2.4.1 from the demo channel conda-forge\n"


@pytest.mark.parametrize("subdir", ["osx-arm64", "win-64"])
def test_rattler_solves_it_elsewhere(upstream: DemoUpstream, tmp_path: Path, subdir: str) -> None:
    names = client(str(upstream.folder), ["conda-forge"], subdir, ["aurora", "cobalt-cli"], "", str(tmp_path))
    assert set(upstream.expected_names) < set(names)


def test_rattler_solves_across_channels(upstream: DemoUpstream, tmp_path: Path) -> None:
    names = client(
        str(upstream.folder), ["bioconda", "conda-forge"], "linux-64", ["tarn-flow"], "", str(tmp_path / "a")
    )
    assert {"tarn-flow", "sedge-call", "fern-align", "aurora", "granite-tables", "slate-base"} < set(names)
    names = client(str(upstream.folder), ["pkgs/main"], "linux-64", ["umber-plot", "pebble"], "", str(tmp_path / "b"))
    assert {"umber-plot", "marble-math", "flint-core", "chalk-certs", "ochre-readline"} < set(names)
