"""What a selection costs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirrortui import config as toml
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.index import SubdirIndex
from mirrortui.config import Channel, Mirror, MirrorConfig
from mirrortui.selection.estimate import Estimate, estimate
from mirrortui.selection.select import select
from tests.unit.catalog.made import index as made_index
from tests.unit.catalog.made import missing, table


def configured(*subdirs: str, **rules: Any) -> MirrorConfig:
    channel = Channel(name="c", upstreams=("https://u",), subdirs=subdirs or ("linux-64",))
    return MirrorConfig(
        mirror=Mirror(name="lab", root="/r", url="http://m", state="/s"),
        channels=(channel,),
        selection=toml.Selection(formats="all", **rules),
    )


def estimated(
    config: MirrorConfig, *indexes: SubdirIndex, present: dict[str, list[bool]] | None = None, free: int = 10**9
) -> Estimate:
    catalog = Catalog({(i.channel, i.subdir): i for i in indexes})
    masks = {("c", subdir): np.array(mask, bool) for subdir, mask in (present or {}).items()}
    return estimate(config, select(catalog, config), masks, free=free, total=10**10)


@pytest.fixture
def index(tmp_path: Path) -> SubdirIndex:
    return made_index(
        tmp_path,
        table(("a-1-0.conda", {"size": 100}), ("b-1-0.conda", {"size": 1000}), ("c-1-0.conda", {"size": None})),
    )


def test_sizes_are_summed_and_unknown_ones_counted(index: SubdirIndex) -> None:
    made = estimated(configured(), index)
    assert (made.records, made.bytes, made.bytes_to_fetch, made.unknown_sizes) == (3, 1100, 1100, 1)
    line = made.subdirs[0]
    assert (line.upstream_records, line.upstream_bytes, line.known, line.note) == (3, 1100, True, "")


def test_what_is_on_disk_is_not_fetched_and_what_is_dropped_is_not_counted(index: SubdirIndex) -> None:
    made = estimated(configured(exclude=("a",)), index, present={"linux-64": [True, True, False]})
    line = made.subdirs[0]
    assert (line.records, line.bytes, line.bytes_present, line.bytes_to_fetch, line.unknown_sizes) == (
        2,
        1000,
        1000,
        0,
        1,
    )
    assert line.upstream_records == 3


def test_a_subdir_nobody_has_read_and_one_that_is_not_upstream_say_so(index: SubdirIndex, tmp_path: Path) -> None:
    made = estimated(configured("linux-64", "osx-64", "win-64"), index, missing(tmp_path, subdir="win-64"))
    assert [(s.subdir, s.known, s.note) for s in made.subdirs] == [
        ("linux-64", True, ""),
        ("osx-64", False, "not read yet"),
        ("win-64", True, "not upstream"),
    ]
    assert made.records == 3


def test_whether_it_fits_is_judged_by_what_is_missing(index: SubdirIndex) -> None:
    assert estimated(configured(), index, free=1100).fits
    assert not estimated(configured(), index, free=1099).fits
    assert estimated(configured(), index, present={"linux-64": [False, True, False]}, free=100).fits


def test_the_sums_of_a_real_channel_are_those_of_its_readme(shared: Path, tmp_path: Path) -> None:
    import zstandard

    packed = (shared / "repodata" / "pytorch-2022" / "linux-64" / "repodata.json.zst").read_bytes()
    made = estimated(configured(), made_index(tmp_path, zstandard.ZstdDecompressor().stream_reader(packed).read()))
    assert made.records == 2181
    assert f"{made.bytes / 1e9:.0f}" == "234"


def test_the_json_form_is_stable(index: SubdirIndex) -> None:
    out = estimated(configured("linux-64", "osx-64"), index).to_json()
    keys = {"records", "bytes", "bytes_present", "bytes_to_fetch", "unknown_sizes"}
    assert keys <= set(out["total"])
    assert out["disk"] == {"free": 10**9, "total": 10**10}
    assert [row["subdir"] for row in out["channels"][0]["subdirs"]] == ["linux-64", "osx-64"]
    assert all(keys <= set(row) for row in out["channels"][0]["subdirs"])
    assert out["total"]["bytes"] == 1100


def test_an_empty_mirror_costs_nothing() -> None:
    config = MirrorConfig(mirror=Mirror(name="lab", root="/r", url="http://m", state="/s"))
    made = estimate(config, select(Catalog({}), config), {}, free=0, total=0)
    assert (made.records, made.bytes, made.fits) == (0, 0, True)
