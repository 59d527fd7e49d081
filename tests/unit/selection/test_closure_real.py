"""Closing real channels as a brute force over dicts does, and within what rattler finds by names."""

import json
from pathlib import Path
from typing import Any

import pytest
import rattler
import zstandard

from mirrortui.catalog.catalog import Catalog
from mirrortui.selection.decide import decide
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Pair


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
            more = set().union(
                *(
                    self._close(names, {place for place in found if place[0][1] == "noarch"}, target)
                    for target in targets
                )
            )
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
def test_real_names_are_closed_as_a_brute_force_closes_them(
    real: tuple[Path, dict[Pair, dict[str, Any]], Catalog], names: tuple[str, ...]
) -> None:
    base, bodies, catalog = real
    decision = decide(catalog, indexes.config(base, catalog.indexes, include=list(names)))
    ours = {(pair, fn) for pair, item in decision.selection.subdirs.items() for fn in item.index.fns(item.mask)}
    assert ours == Plain(bodies).close(names, ("osx-arm64", "win-arm64"))
    assert decision.broken == ()


def test_at_the_level_of_names_rattler_finds_no_less_than_we_do(
    real: tuple[Path, dict[Pair, dict[str, Any]], Catalog],
) -> None:
    base, _, catalog = real
    sparse = [
        rattler.SparseRepoData(rattler.Channel("conda-forge"), subdir, str(base / subdir / "repodata.json"))
        for subdir in ("osx-arm64", "noarch")
    ]
    for name in ("pip", "sqlite", "wheel"):
        lists = rattler.SparseRepoData.load_records_recursive(
            sparse, [rattler.PackageName(name)], rattler.PackageFormatSelection.BOTH
        )
        theirs = {(str(r.subdir), r.file_name) for part in lists for r in part}
        pairs = [("conda-forge", "osx-arm64"), ("conda-forge", "noarch")]
        part = Catalog({pair: catalog.indexes[pair] for pair in pairs})
        decision = decide(part, indexes.config(base, pairs, include=[name]))
        ours = {(pair[1], fn) for pair, item in decision.selection.subdirs.items() for fn in item.index.fns(item.mask)}
        assert ours
        assert {fn for _, fn in ours} <= {fn for _, fn in theirs}
        assert {fn for _, fn in ours} >= {fn for _, fn in theirs if fn.startswith(f"{name}-")}
