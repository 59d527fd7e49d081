"""What an estimate is made of: growth, largest names and license families, against sums over plain records."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from mirrortui import config as toml
from mirrortui.catalog.catalog import Catalog
from mirrortui.selection import licenses
from mirrortui.selection.decide import decide
from mirrortui.selection.estimate import Details, details, estimate
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Lab, pkg

NOW = 1_700_000_000.0
DAY_MS = 86_400_000
LINUX, NOARCH = ("c", "linux-64"), ("c", "noarch")


def plain(records: Iterable[dict[str, Any]], now: float) -> Details:
    """The same by loops over records in which every field has its type, or is not there."""
    names: dict[str, list[int]] = {}
    families: dict[str, list[int]] = {}
    stamps, year = [], 0
    for record in records:
        size, stamp = record.get("size") or 0, record.get("timestamp") or 0
        stamp = stamp * 1000 if 0 < stamp <= 253402300799 else stamp
        for counts, key in (
            (names, record["name"]),
            (families, licenses.family_of(record.get("license"), record.get("license_family"))),
        ):
            entry = counts.setdefault(key, [0, 0])
            entry[0] += 1
            entry[1] += size
        stamps.append(stamp)
        year += size if now * 1000 - 365 * DAY_MS < stamp <= now * 1000 else 0

    def ranked(counts: dict[str, list[int]]) -> list[tuple[str, int, int]]:
        return sorted(((key, n, b) for key, (n, b) in counts.items()), key=lambda row: (-row[2], row[0]))

    return Details(year / 12 if any(stamps) else None, tuple(ranked(names)[:20]), tuple(ranked(families)))


@pytest.mark.parametrize(
    "source",
    [
        "conda-forge-python-subset-2024/noarch/repodata",
        "pytorch-2022/linux-64/repodata",
        "pkgs-r-2025/win-64/current_repodata",
        "pkgs-main-2021/noarch/repodata",
    ],
)
def test_real_indexes(shared: Path, tmp_path: Path, source: str) -> None:
    data = zstandard.ZstdDecompressor().stream_reader((shared / f"repodata/{source}.json.zst").read_bytes()).read()
    body = json.loads(data)
    catalog = Catalog({LINUX: made.index(tmp_path / "state", data)})
    decision = decide(catalog, indexes.config(tmp_path, [LINUX]))
    records = [*body["packages"].values(), *body["packages.conda"].values()]
    newest = max((r.get("timestamp") or 0) for r in records) / 1000
    for now in (newest + 1, newest - 100 * 86400, NOW):
        assert details(decision.selection, now=now) == plain(records, now)


def test_only_what_is_wanted_counts_over_all_subdirs_and_channels(tmp_path: Path) -> None:
    world = {
        LINUX: [("a-1-0.conda", {"size": 10}), ("a-2-0.conda", {"size": 20}), ("b-1-0.conda", {"size": 1000, "license": "GPL-2.0-only"})], NOARCH: [("a-1-0.conda", {"size": 5, "license": "BSD"})],
        ("d", "noarch"): [("z-1-0.conda", {"size": 7})],
    }  # fmt: skip
    lab = Lab(tmp_path, world)
    found = details(lab.decide(exclude=["b"]).selection, now=NOW + 1)
    assert found.largest == (("a", 3, 35), ("z", 1, 7))
    assert found.licenses == (("MIT", 3, 37), ("BSD", 1, 5))
    assert found.growth == 42 / 12
    assert details(lab.decide(exclude=["*"]).selection, now=NOW) == Details(None, (), ())


def test_growth_is_of_the_last_year_and_not_of_a_time_to_come(tmp_path: Path) -> None:
    """A stamp in the year 9000 is a mistake or a joke; it says nothing of a month."""
    moment = int(NOW * 1000)
    stamps = [
        moment,
        moment - 364 * DAY_MS,
        moment - 366 * DAY_MS,
        moment + 2 * DAY_MS,
        253402300799000,
        5,
        None,
        -7,
        "x",
        10**30,
    ]
    lab = Lab(
        tmp_path,
        {LINUX: [(f"a{n}-1-0.conda", {"timestamp": stamp, "size": 12 * 10**n}) for n, stamp in enumerate(stamps)]},
    )
    assert details(lab.decide().selection, now=NOW).growth == 11
    nothing = Lab(tmp_path / "other", {LINUX: [("a-1-0.conda", {"timestamp": stamp}) for stamp in (None,)]})
    assert details(nothing.decide().selection, now=NOW).growth is None


HOSTILE = [
    None,
    5,
    -1,
    "x",
    "",
    [],
    {},
    ["MIT"],
    True,
    1.5,
    1e300,
    2**62,
    2**64,
    10**400,
    "\x1b[31m" * 50,
    "GPL" * 5000,
    "(" * 400,
    "é\u202e",
]


@pytest.mark.parametrize("key", ["size", "timestamp", "license", "license_family"])
def test_hostile_values_of_every_type_are_unknown_and_never_a_crash(tmp_path: Path, key: str) -> None:
    lab = Lab(
        tmp_path,
        {LINUX: [(f"a{n}-1-0.conda", {"size": 3, key: value}) for n, value in enumerate(HOSTILE)] + ["good-1-0.conda"]},
    )
    decision = lab.decide()
    found = details(decision.selection, now=NOW)
    rows = decision.selection.subdirs[LINUX].index.rows
    assert sum(records for _, records, _ in found.licenses) == rows >= len(HOSTILE)
    assert (
        sum(size for *_, size in found.licenses)
        == sum(size for *_, size in details(decision.selection, now=NOW).licenses)
        >= 0
    )
    assert all(size >= 0 for *_, size in (*found.largest, *found.licenses))
    json.dumps(found.to_json(), allow_nan=False)


def test_absurd_sizes_do_not_run_over(tmp_path: Path) -> None:
    """20,000 records that each claim almost the largest size that is taken for one."""
    from mirrortui.catalog import decode

    size = decode.MAX_SIZE - 1
    lab = Lab(
        tmp_path,
        {LINUX: [(f"a{n}-1-0.conda", {"size": size}) for n in range(20_000)] + [("b-1-0.conda", {"size": size + 1})]},
    )
    decision = lab.decide()
    total = estimate(lab.config(), decision.selection, {}, free=1, total=1)
    assert (total.bytes, total.bytes_to_fetch, total.unknown_sizes) == (20_000 * size, 20_000 * size, 1)
    assert not total.fits


def test_the_json_of_the_verb_has_a_stable_shape(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        {
            LINUX: [
                pkg("a-1-0.conda", "b", size=30),
                ("b-1-0.conda", {"size": 12, "license": "GPL-2.0-only"}),
                "c-1-0.conda",
            ],
            NOARCH: [],
        },
    )
    (tmp_path / "root").mkdir()
    toml.save(lab.config(include=["a"]), tmp_path / "mirror.toml")
    command = [
        sys.executable,
        "-m",
        "mirrortui",
        "estimate",
        "--no-refresh",
        "--details",
        "-c",
        str(tmp_path / "mirror.toml"),
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    counts = {"records": 2, "bytes": 42, "bytes_present": 0, "bytes_to_fetch": 42, "unknown_sizes": 0}
    assert set(answer) == {"channels", "total", "disk", "details"}
    assert answer["total"] == counts
    assert answer["channels"] == [
        {
            "channel": "c",
            "subdirs": [
                {"subdir": "linux-64", **counts, "known": True, "note": ""},
                {"subdir": "noarch", **dict.fromkeys(counts, 0), "known": True, "note": ""},
            ],
        }
    ]
    assert answer["details"]["largest"] == [
        {"name": "a", "records": 1, "bytes": 30},
        {"name": "b", "records": 1, "bytes": 12},
    ]
    assert answer["details"]["licenses"] == [
        {"family": "MIT", "records": 1, "bytes": 30},
        {"family": "GPL", "records": 1, "bytes": 12},
    ]
    assert set(answer["details"]) == {"growth_per_month", "largest", "licenses"}
    assert answer["details"]["growth_per_month"] == 0
    text = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "largest names" in text.stdout
    assert "growth:" in text.stderr
