"""Names with what of them is in: over subdirs, with the deciding rule, and found by a live filter."""

from pathlib import Path

import numpy as np
import pytest

from mirrortui.catalog.catalog import Catalog
from mirrortui.config import Channel, Mirror, MirrorConfig, Selection
from mirrortui.mirror.survey import survey
from mirrortui.selection.nametable import NameTable, name_table
from mirrortui.selection.reasons import Reason
from mirrortui.selection.select import select
from tests.unit.catalog import made

LINUX = (
    "numpy-1.26.4-py312h0_0.conda",
    "numpy-1.26.4-py312h0_0.tar.bz2",
    "numpy-2.1.0-py312h0_0.conda",
    "readline-8.2-h0_1.conda",
    ("gpl-tool-1.0-h0_0.conda", {"license": "GPL-3.0-only"}),
    "Odd_Name-1.0-h0_0.conda",
)
NOARCH = ("tzdata-2025b-0.conda", "numpy-0.1-pyh0_0.conda")


def config(state: Path, **rules: object) -> MirrorConfig:
    return MirrorConfig(
        mirror=Mirror(name="lab", root=str(state.parent / "root"), url="http://m", state=str(state)),
        channels=(Channel(name="c", upstreams=("https://up/c",), subdirs=("linux-64", "noarch")),),
        selection=Selection(**rules),  # type: ignore[arg-type]
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    made.index(state, made.table(*LINUX))
    body = made.table(*NOARCH)
    body["info"]["subdir"] = "noarch"
    made.index(state, body, subdir="noarch")
    return state


def table(state: Path, **rules: object) -> NameTable:
    return survey(config(state, **rules)).names(config(state, **rules))


def row(found: NameTable, name: str) -> tuple[str, int, int, Reason]:
    place = found.place(name)
    assert place is not None
    return found.state(place), int(found.kept[place]), int(found.total[place]), found.why(place)


def test_everything_is_in_and_a_second_format_is_no_record(state: Path) -> None:
    found = table(state)
    assert found.names == sorted(found.names)
    assert len(found) == 5
    assert row(found, "numpy") == ("in", 3, 3, Reason.WANTED), "over linux-64 and noarch"
    place = found.place("numpy")
    conda = [fn for fn in (*LINUX[:3], NOARCH[1]) if fn.endswith(".conda")]
    assert found.kept_bytes[place] == found.total_bytes[place] == sum(len(made.content(fn)) for fn in conda)


def test_all_formats_count_where_all_are_wanted(state: Path) -> None:
    assert row(table(state, formats="all"), "numpy")[:3] == ("in", 4, 4)


def test_out_and_partly_with_the_rule(state: Path) -> None:
    found = table(state, exclude=("numpy <2", "tzdata"), exclude_licenses=("GPL",), always=("readline",))
    assert row(found, "numpy") == ("partly", 1, 3, Reason.EXCLUDED)
    assert row(found, "tzdata") == ("out", 0, 1, Reason.EXCLUDED)
    assert row(found, "gpl-tool") == ("out", 0, 1, Reason.LICENSE)
    assert row(found, "readline") == ("in", 1, 1, Reason.ALWAYS)
    place = found.place("tzdata")
    assert found.kept_bytes[place] == 0
    assert found.total_bytes[place] == len(made.content(NOARCH[0]))
    assert row(table(state, include=("tzdata",)), "numpy")[3] == Reason.NOT_INCLUDED


def test_formats_that_are_dropped_for_good_count_as_out(state: Path) -> None:
    assert row(table(state, formats="tar.bz2"), "readline") == ("out", 0, 1, Reason.FORMAT)


def test_a_rough_table_says_so(state: Path) -> None:
    settings = config(state, include=("numpy",))
    asked = survey(settings)
    assert asked.names(settings, quick=True).approximate
    assert not asked.names(settings).approximate
    assert not asked.names(settings, quick=True).approximate, "the exact one is known by now"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["Odd_Name", "gpl-tool", "numpy", "readline", "tzdata"]),
        ("  ", ["Odd_Name", "gpl-tool", "numpy", "readline", "tzdata"]),
        ("!", ["Odd_Name", "gpl-tool", "numpy", "readline", "tzdata"]),
        ("^", ["Odd_Name", "gpl-tool", "numpy", "readline", "tzdata"]),
        ("D", ["Odd_Name", "readline", "tzdata"]),
        ("^odd", ["Odd_Name"]),
        ("data$", ["tzdata"]),
        ("^numpy$", ["numpy"]),
        ("*l*e*", ["readline"]),
        ("g*l", ["gpl-tool"]),
        ("^r*", ["readline"]),
        ("*a$", ["tzdata"]),
        ("!d", ["gpl-tool", "numpy"]),
        ("!*p*", ["Odd_Name", "readline", "tzdata"]),
        ("(a+)+", []),
        ("[/bad]", []),
    ],
)
def test_filter(state: Path, text: str, names: list[str]) -> None:
    found = table(state)
    assert [found.names[place] for place in found.find(text).tolist()] == names


def test_orders(state: Path) -> None:
    found = table(state, exclude=("tzdata",))
    by_records = [found.names[p] for p in found.find("", "records").tolist()]
    assert by_records[0] == "numpy"
    assert by_records[-1] == "tzdata"
    sizes = found.kept_bytes[found.find("", "size")]
    assert (np.diff(sizes) <= 0).all()
    assert found.find("num", "size").tolist() == [found.place("numpy")]


def test_an_empty_catalog(state: Path) -> None:
    empty = name_table(select(Catalog({}), config(state)))
    assert len(empty) == 0
    assert empty.find("x").tolist() == []
    assert empty.find("", "size").tolist() == []
    made.missing(state, subdir="osx-64")
    assert len(table(state)) == 5


def test_a_later_survey_keeps_what_is_the_same(state: Path) -> None:
    settings = config(state, include=("numpy",))
    first = survey(settings)
    first.names(settings)
    second = survey(settings, before=first)
    assert second.catalog.indexes["c", "linux-64"] is first.catalog.indexes["c", "linux-64"]
    assert not second.names(settings, quick=True).approximate, "its decision, too"
    aging = config(state, include=("numpy",), min_age="1 day")
    dated = survey(aging, before=first)
    dated.names(aging)
    assert dated.decided
    assert survey(aging, before=dated).decided == [], "the days go by"
    made.index(state, made.table(*LINUX[:1]))
    third = survey(settings, before=second)
    assert third.catalog.indexes["c", "linux-64"].rows == 1
    assert third.decided == []
