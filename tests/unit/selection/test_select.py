"""The rules against a plain second reading of them, record by record."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrortui import config as toml
from mirrortui.catalog import cache
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.index import SubdirIndex
from mirrortui.config import Channel, Mirror, MirrorConfig
from mirrortui.errors import ConfigError
from mirrortui.selection.reasons import WORDS, Reason
from mirrortui.selection.select import select
from tests.unit.catalog.made import index as made_index
from tests.unit.catalog.made import missing, record, table
from tests.unit.selection.plain import Records, expected

NOW = 1_700_000_000.0


def configured(channels: tuple[Channel, ...] | None = None, **rules: Any) -> MirrorConfig:
    channels = channels or (Channel(name="c", upstreams=("https://up/c",), subdirs=("linux-64",)),)
    return MirrorConfig(
        mirror=Mirror(name="lab", root="/r", url="http://m", state="/s"),
        channels=channels,
        selection=toml.Selection(**({"formats": "all"} | rules)),
    )


def reasons(index: SubdirIndex, now: float = NOW, **rules: Any) -> dict[str, Reason]:
    chosen = select(Catalog({("c", "linux-64"): index}), configured(**rules), now=now).subdirs["c", "linux-64"]
    return {fn: Reason(int(code)) for fn, code in zip(index.fns(), chosen.reasons, strict=True)}


def kept(index: SubdirIndex, **rules: Any) -> list[str]:
    return [fn for fn, reason in reasons(index, **rules).items() if reason < 100]


# --------------------------------------------------------------------------- what the rules are tried on


def made_records() -> Records:
    def one(fn: str, **fields: Any) -> tuple[str, dict[str, Any]]:
        return fn, record(fn, **fields)

    day = 86_400_000
    base = int(NOW * 1000)
    out = [one(f"numpy-{v}-py{m.replace('.', '')}h1234567_{b}.{s}", depends=[f"python >={m},<{m[:2]}{int(m[2:]) + 1}.0a0", f"python_abi {m}.* *_cp{m.replace('.', '')}"], timestamp=base - age * day, license="BSD-3-Clause", size=1000 * b + 500)
           for v, age in (("1.26.4", 300), ("2.0.1", 100), ("2.1", 3)) for m in ("3.11", "3.12") for b in (0, 1) for s in (("conda", "tar.bz2") if v != "2.1" else ("conda",))]  # fmt: skip
    out += [
        one(f"python-{v}-h7654321_{b}_cpython.conda", license="Python-2.0", timestamp=base - 50 * day)
        for v in ("3.11.9", "3.12.0", "3.12.4", "3.13.0rc1")
        for b in (0, 1)
    ]
    out += [
        one(f"pure-{v}-pyh0000000_0.conda", depends=[d], license="MIT", noarch="python", timestamp=t)
        for v, d, t in (
            ("1.0", "python >=3.8", base - 9 * day),
            ("2.0", "python >=3.12", None),
            ("3.0", "python", base + day),
        )
    ]
    out += [
        one("readline-8.2-h1111111_1.conda", license="GPL-3.0-only", license_family="GPL"),
        one("readline-8.1-h1111111_0.tar.bz2", license="GPL-3.0-or-later", license_family="GPL"),
    ]
    out += [
        one(f"mystery-1-{b}.conda", license=text, license_family=family)
        for b, (text, family) in enumerate(
            [
                ("", ""),
                (None, "Other"),
                ("Proprietary stuff", ""),
                ("MIT OR GPL-3.0-only", ""),
                ("GPL-2.0-only WITH GCC-exception-3.1", "GPL"),
                (..., ...),
            ]
        )
    ]
    out += [
        one(f"tool-{v}-{variant}h2222222_{b}.conda", size=s)
        for v in ("1.0", "1.00", "0.9")
        for variant in ("", "cuda_")
        for b, s in ((0, 10**6), (3, None), (2, 5 * 10**9))
    ]
    out += [one(f"odd-{v}-0.conda", version=v.replace("x", " not a version")) for v in ("x", "xx", "1", "2")]
    out += [
        one("twin-1-0.conda"),
        one("twin-1-0.tar.bz2"),
        one("only-1-0.tar.bz2"),
        one("dup-1-0.conda", size=1),
        one("dup-1-0.conda", size=2),
        one("dup-1-0.tar.bz2"),
    ]
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SubdirIndex, Records]:
    records = made_records()
    lines = ",\n".join(f"{json.dumps(fn)}: {json.dumps(raw)}" for fn, raw in records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache.unpacked, "__defaults__", (300,))  # so that equal names fall into blocks of their own
        return made_index(tmp_path_factory.mktemp("made"), f'{{"packages.conda": {{{lines}}}}}'.encode()), records


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[SubdirIndex, Records]:
    packed = (shared / "repodata" / "conda-forge-python-subset-2024" / "noarch" / "repodata.json.zst").read_bytes()
    whole = json.loads(zstandard.ZstdDecompressor().stream_reader(packed).read())
    body = {key: whole[key] for key in ("packages", "packages.conda")}
    return made_index(tmp_path_factory.mktemp("real"), body), [
        item for section in body.values() for item in section.items()
    ]


SPECS = ["numpy", "n*", "*", "tool", "python", "python >=3.12", "numpy >=2,<3", "*[build=*cuda*]", "*[license=MIT]", "*[build_number=1]", "c::numpy", "other::numpy", "numpy[subdir=noarch]",
         "readline", "numpy-2.1-py312h1234567_0.conda", "*[fn=*.tar.bz2]", "pip", "setuptools >=60", "mystery 1 3", "odd"]  # fmt: skip
specs = st.lists(st.sampled_from(SPECS), max_size=2, unique=True).map(tuple)
rulesets = st.fixed_dictionaries(
    {},
    optional={
        "include": specs, "exclude": specs, "always": specs, "formats": st.sampled_from(["all", "prefer-conda", "conda", "tar.bz2"]),
        "exclude_licenses": st.sampled_from([("GPL",), ("GPL3",), ("MIT", "BSD"), ("GPL-3.0-only",), ("PROPRIETARY",), ()]),
        "unknown_license": st.sampled_from(["keep", "drop"]), "runtime_exceptions": st.booleans(),
        "python": st.sampled_from([(), ("3.12",), ("3.11", "3.12"), ("3.8",), ("2.7",)]),
        "newest_versions": st.integers(0, 3), "newest_builds": st.integers(0, 2),
        "before": st.sampled_from(["", "2023-08-01", "2023-11-14T22:13:20"]), "min_age": st.sampled_from(["", "7 days", "200 days"]),
        "max_size": st.sampled_from(["", "1 kB", "1 GB", "999"]),
    },
)  # fmt: skip


@settings(max_examples=150)
@given(rulesets)
def test_every_combination_of_rules_reads_as_it_is_documented(
    made: tuple[SubdirIndex, Records], rules: dict[str, Any]
) -> None:
    check(*made, rules)


@settings(max_examples=25)
@given(rulesets)
def test_the_same_on_a_real_channel(real: tuple[SubdirIndex, Records], rules: dict[str, Any]) -> None:
    check(*real, rules)


def check(index: SubdirIndex, records: Records, rules: dict[str, Any]) -> None:
    config = configured(**rules)
    chosen = select(Catalog({("c", "linux-64"): index}), config, now=NOW).subdirs["c", "linux-64"]
    want = expected(records, config.selection, NOW)
    got = [Reason(int(code)) for code in chosen.reasons]
    assert [fn for fn, _ in records] == index.fns()
    assert [(fn, a.name, b.name) for (fn, _), a, b in zip(records, got, want, strict=True) if a != b] == []
    assert chosen.mask.tolist() == [reason < 100 for reason in want]
    assert chosen.whole == all(reason < 100 for reason in want)


# ------------------------------------------------------------------------------- the order, rule by rule


@pytest.fixture
def index(tmp_path: Path) -> SubdirIndex:
    gpl = {"license": "GPL-3.0-only", "depends": ["python 3.9.*"], "size": 5000, "timestamp": int(NOW * 1000)}
    return made_index(
        tmp_path,
        table(("bad-1-0.conda", gpl), ("bad-1-0.tar.bz2", gpl), ("good-1-0.conda", {"timestamp": 1_600_000_000_000})),
    )


LADDER: list[tuple[dict[str, Any], Reason]] = [
    ({"formats": "tar.bz2"}, Reason.FORMAT),
    ({"include": ("good",)}, Reason.NOT_INCLUDED),
    ({"exclude": ("bad",)}, Reason.EXCLUDED),
    ({"exclude_licenses": ("GPL",)}, Reason.LICENSE),
    ({"python": ("3.12",)}, Reason.PYTHON),
    ({"max_size": "1 kB"}, Reason.MAX_SIZE),
    ({"min_age": "1 day"}, Reason.TOO_NEW),
]


@pytest.mark.parametrize(("rule", "reason"), LADDER, ids=[reason.name for _, reason in LADDER])
def test_each_rule_alone_gives_its_reason_and_spares_the_rest(
    index: SubdirIndex, rule: dict[str, Any], reason: Reason
) -> None:
    assert reasons(index, **rule)["bad-1-0.conda"] == reason
    if reason != Reason.FORMAT:
        assert reasons(index, **rule)["good-1-0.conda"] == Reason.WANTED


def test_the_earlier_rule_gives_the_reason_but_not_included_gives_way(index: SubdirIndex) -> None:
    for place, (rule, reason) in enumerate(LADDER):
        later = {key: value for more, _ in LADDER[place + 1 :] for key, value in more.items()}
        wanted = Reason.EXCLUDED if reason == Reason.NOT_INCLUDED else reason
        assert reasons(index, **rule, **later)["bad-1-0.conda"] == wanted


@pytest.mark.parametrize(("rule", "reason"), LADDER, ids=[reason.name for _, reason in LADDER])
def test_always_beats_every_rule_but_the_format(index: SubdirIndex, rule: dict[str, Any], reason: Reason) -> None:
    found = reasons(index, always=("bad",), **rule)
    assert found["bad-1-0.conda"] == (Reason.FORMAT if reason == Reason.FORMAT else Reason.ALWAYS)


def test_always_does_not_bring_back_the_second_format(index: SubdirIndex) -> None:
    found = reasons(index, always=("bad",), formats="prefer-conda")
    assert (found["bad-1-0.conda"], found["bad-1-0.tar.bz2"]) == (Reason.ALWAYS, Reason.FORMAT)


def test_always_does_not_bring_back_what_the_index_replaced(made: tuple[SubdirIndex, Records]) -> None:
    index, _ = made
    chosen = select(Catalog({("c", "linux-64"): index}), configured(always=("*",)), now=NOW).subdirs["c", "linux-64"]
    assert [int(code) for fn, code in zip(index.fns(), chosen.reasons, strict=True) if fn == "dup-1-0.conda"] == [
        Reason.REPLACED,
        Reason.ALWAYS,
    ]


def test_no_rules_keep_everything_and_an_empty_index_is_fine(index: SubdirIndex, tmp_path: Path) -> None:
    assert set(reasons(index).values()) == {Reason.WANTED}
    for empty in (made_index(tmp_path, b"{}"), missing(tmp_path)):
        full = {key: value for rule, _ in LADDER for key, value in rule.items()}
        assert reasons(empty, **full, newest_versions=1, newest_builds=1, always=("x",), unknown_license="drop") == {}


def test_what_has_no_size_or_time_is_not_dropped_by_them(tmp_path: Path) -> None:
    index = made_index(
        tmp_path,
        table(("a-1-0.conda", {"size": ..., "timestamp": ...}), ("b-1-0.conda", {"size": None, "timestamp": None})),
    )
    assert kept(index, max_size="1 B", before="1990-01-01", min_age="900 years") == ["a-1-0.conda", "b-1-0.conda"]


@pytest.mark.parametrize(("size", "stays"), [(999, True), (1000, True), (1001, False)])
def test_max_size_is_inclusive(tmp_path: Path, size: int, stays: bool) -> None:
    assert bool(kept(made_index(tmp_path, table(("a-1-0.conda", {"size": size}))), max_size="1 kB")) == stays


@pytest.mark.parametrize(("stamp", "stays"), [(1_738_367_999_999, True), (1_738_368_000_000, False)])
def test_before_includes_its_whole_day(tmp_path: Path, stamp: int, stays: bool) -> None:
    assert bool(kept(made_index(tmp_path, table(("a-1-0.conda", {"timestamp": stamp}))), before="2025-01-31")) == stays


def test_the_stricter_of_before_and_min_age_counts(tmp_path: Path) -> None:
    index = made_index(tmp_path, table(("a-1-0.conda", {"timestamp": int(NOW * 1000) - 10 * 86_400_000})))
    assert kept(index, min_age="9 days", before="2030-01-01") == ["a-1-0.conda"]
    assert kept(index, min_age="11 days", before="2030-01-01") == []
    assert kept(index, min_age="9 days", before="2020-01-01") == []


# ------------------------------------------------------------------------------------------- several


def test_each_channel_has_its_own_rules(tmp_path: Path) -> None:
    one, two = (made_index(tmp_path, table("a-1-0.conda", "b-1-0.conda"), channel=name) for name in ("one", "two"))
    channels = tuple(
        Channel(name=name, upstreams=("https://u",), subdirs=("linux-64", "noarch"), selection=own)
        for name, own in (("one", {"exclude": ["a"]}), ("two", {}))
    )
    config = msgspec.structs.replace(configured(channels), selection=toml.Selection(exclude=("b",)))
    chosen = select(Catalog({("one", "linux-64"): one, ("two", "linux-64"): two}), config)
    assert {pair: s.index.fns(s.mask) for pair, s in chosen.subdirs.items()} == {
        ("one", "linux-64"): ["b-1-0.conda"],
        ("two", "linux-64"): ["a-1-0.conda"],
    }
    assert chosen.records == 2


def test_a_subdir_that_the_config_does_not_name_is_not_selected(tmp_path: Path) -> None:
    index = made_index(tmp_path, table("a-1-0.conda"), subdir="win-64")
    assert select(Catalog({("c", "win-64"): index}), configured()).subdirs == {}


@pytest.mark.parametrize("key", ["include", "exclude", "always"])
@pytest.mark.parametrize("spec", ["", "[[", "a >=", "a[zz=1]", "*[build=^[$]"])
def test_a_spec_that_cannot_be_read_is_the_operators_error(index: SubdirIndex, key: str, spec: str) -> None:
    with pytest.raises(ConfigError) as caught:
        reasons(index, **{key: (spec,)})
    assert caught.value.exit_code == 2
    assert str(caught.value).isprintable()


def test_asking_again_gives_the_same_answer_and_leaves_the_columns(made: tuple[SubdirIndex, Records]) -> None:
    index, _ = made
    rules = {
        "include": ("numpy", "tool"),
        "exclude": ("*[build=*cuda*]",),
        "python": ("3.12",),
        "newest_versions": 1,
        "newest_builds": 1,
    }
    flags, name = index.flags.tobytes(), index.name.tobytes()
    first = reasons(index, **rules)
    reasons(index, exclude=("numpy",), always=("tool",))
    assert reasons(index, **rules) == first
    assert (index.flags.tobytes(), index.name.tobytes()) == (flags, name)


def test_every_reason_has_its_words() -> None:
    assert set(WORDS) == set(Reason)
