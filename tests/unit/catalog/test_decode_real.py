"""The columns of real indexes against what json reads of them, and against the figures of their README."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from mirrortui.catalog import decode
from mirrortui.catalog.index import SubdirIndex
from tests.unit.catalog.made import index as made_index

ROW = re.compile(r"\| `([^`]+)` \| [^|]+ \| [^|]+ \| (\d+) \| (\d+) \| ([^|]+) \|")


@pytest.fixture(scope="session")
def figures(shared: Path) -> dict[str, tuple[int, int, str]]:
    text = (shared / "repodata" / "README.md").read_text()
    return {m[1]: (int(m[2]), int(m[3]), m[4].strip()) for m in ROW.finditer(text)}


FILES = [
    "conda-forge-python-subset-2024/linux-64/repodata.json.zst",
    "conda-forge-python-subset-2024/noarch/repodata.json.zst",
    "conda-forge-python-subset-2024/win-arm64/repodata.json.zst",
    "pkgs-main-2025/noarch/current_repodata.json.zst",
    "pkgs-r-2025/win-64/current_repodata.json.zst",
    "pkgs-msys2-2025/win-64/current_repodata.json.zst",
    "pytorch-2022/linux-64/repodata.json.zst",
    "pkgs-main-daily/linux-aarch64/t2-2022-01-25.json.zst",
    "pkgs-main-2021/noarch/repodata.json.zst",
]


@pytest.mark.parametrize("name", FILES)
def test_columns_hold_what_json_holds(
    shared: Path, tmp_path: Path, figures: dict[str, tuple[int, int, str]], name: str
) -> None:
    packed = (shared / "repodata" / name).read_bytes()
    data = zstandard.ZstdDecompressor().stream_reader(packed).read()
    whole: dict[str, Any] = json.loads(data)
    index = made_index(tmp_path, data, subdir="x-64")
    bz2, conda, size = figures[name]
    assert int((index.flags & decode.CONDA != 0).sum()) == conda
    assert index.rows == bz2 + conda
    assert f"{int(index.size.sum()) / 1e9:.3g}" in size or f"{int(index.size.sum()) / 1e6:.3g}" in size
    assert index.meta["refused"] == 0
    assert bool(index.usable.all())
    compare(index, [item for key in whole if key in ("packages", "packages.conda") for item in whole[key].items()])
    assert {key: index.top(key) for key in index.top_keys()} == {
        k: v for k, v in whole.items() if k not in ("packages", "packages.conda")
    }


def compare(index: SubdirIndex, records: list[tuple[str, dict[str, Any]]]) -> None:
    assert index.fns() == [fn for fn, _ in records]
    plain = [record for _, record in records]
    assert [index.names[i] for i in index.name] == [r["name"] for r in plain]
    assert [index.versions[i] for i in index.version] == [r["version"] for r in plain]
    assert [index.licenses[i] for i in index.license] == [
        (r.get("license") or "", r.get("license_family") or "") for r in plain
    ]
    assert index.build_number.tolist() == [r["build_number"] for r in plain]
    assert index.size.tolist() == [r.get("size", -1) for r in plain]
    assert [
        None if index.flags[i] & decode.HAS_SHA256 == 0 else index.sha256[i].tobytes().hex() for i in range(index.rows)
    ] == [r.get("sha256") for r in plain]
    assert [
        None if index.flags[i] & decode.HAS_MD5 == 0 else index.md5[i].tobytes().hex() for i in range(index.rows)
    ] == [r.get("md5") for r in plain]
    assert index.builds(range(index.rows)) == [r["build"] for r in plain]
    stamps = [r.get("timestamp") or 0 for r in plain]
    assert index.stamp.tolist() == [-1 if not s else int(s) if s > 10**11 else int(s) * 1000 for s in stamps]
    stems = {fn.removesuffix(".conda") for fn, _ in records if fn.endswith(".conda")}
    twins = [fn.endswith(".tar.bz2") and fn.removesuffix(".tar.bz2") in stems for fn, _ in records]
    assert (index.flags & decode.TWIN != 0).tolist() == twins
    assert (index.flags & decode.LINKS != 0).tolist() == ["url" in r or "channel" in r for r in plain]
    wanted = [
        "\n".join(sorted(d for d in r["depends"] if re.fullmatch(r"python(_abi)?([\s=<>!~\[].*)?", d))) for r in plain
    ]
    assert [index.pythons[i] for i in index.python] == wanted


def test_versions_are_ranked_as_conda_orders_them(shared: Path, tmp_path: Path) -> None:
    from rattler import Version

    packed = (shared / "repodata" / FILES[0]).read_bytes()
    index = made_index(tmp_path, zstandard.ZstdDecompressor().stream_reader(packed).read())
    ranks = index.version_ranks
    assert len(ranks) == len(index.versions)
    assert int(ranks.min()) >= 0
    order = np.argsort(ranks, kind="stable").tolist()
    for a, b in pairwise(order):
        left, right = Version(index.versions[a]), Version(index.versions[b])
        assert (left == right) == (ranks[a] == ranks[b])
        assert left <= right
