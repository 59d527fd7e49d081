import json
import subprocess
import sys

import pytest
import rattler
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrortui.errors import ConfigError
from mirrortui.selection.matchspec import BadSpec, parse

RECORD = {
    "name": "numpy",
    "version": "1.26.4",
    "build": "py311h64a7726_0",
    "build_number": 0,
    "license": "BSD-3-Clause",
    "license_family": "BSD",
    "channel": "conda-forge",
    "subdir": "linux-64",
    "fn": "numpy-1.26.4-py311h64a7726_0.conda",
    "md5": "d41d8cd98f00b204e9800998ecf8427e",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("numpy", True),
        ("NumPy", True),
        ("num*", True),
        ("*py", True),
        ("n*m*y", True),
        ("num", False),
        ("^num(py|ba)$", True),
        ("^py[0-9]+$ >=1", False),
        ("numpy=1.26", True),  # means 1.26.*
        ("numpy 1.26", False),  # exact
        ("numpy==1.26", False),
        ("numpy==1.26.4", True),
        ("numpy=1.26=py311*", False),  # exact, because a build follows
        ("numpy 1.26.* py311*", True),
        ("numpy 1.26.*=PY311*", True),
        ("numpy>=1.26,<2", True),
        ("numpy >1.2|<1", True),
        ("numpy !=1.26.4", False),
        ("numpy ~=1.26", True),
        ("numpy 1.*.4", True),  # rattler refuses a star within
        ("numpy 1.*.5", False),
        ("numpy ^1\\.26.*$", True),
        ("numpy (>=1,<2)", True),
        ("*[build=*h64*]", True),
        ("*[build=*debug*]", False),
        ("*[build=^py3.*_0$]", True),
        ('*[build_number=">=1"]', False),
        ("*[build_number=0]", True),
        ("*[license=BSD*]", True),
        ("*[license=bsd-3-clause]", True),
        ("*[license=GPL*]", False),
        ("*[license_family=bsd]", True),
        ('numpy[version=">=1,<2", build="py311*", license=\'BSD*\']', True),
        ("*[version=1.26]", False),
        ("conda-forge::numpy>=1", True),
        ("conda-forge/linux-64::numpy", True),
        ("conda-forge/osx-64::numpy", False),
        ("conda-forge/linux-fake::numpy", False),
        ("pkgs/main::numpy", False),
        ("defaults::numpy", False),
        ("conda-*::numpy", True),
        ("https://conda.anaconda.org/conda-forge::numpy", True),
        ("https://host/t/secret/conda-forge/linux-64::numpy", True),
        ("https://host/other::numpy", False),
        ("numpy[channel=conda-forge,subdir=linux*]", True),
        ("numpy[subdir=noarch]", False),
        ("*[fn=*.conda]", True),
        ("*[fn=*.tar.bz2]", False),
        ("numpy-1.26.4-py311h64a7726_0.conda", True),
        ("numpy-1.26.4-py311h64a7726_1.conda", False),
        ("https://h/conda-forge/linux-64/numpy-1.26.4-py311h64a7726_0.conda#d41d8cd98f00b204e9800998ecf8427e", True),
        ("https://h/conda-forge/linux-64/numpy-1.26.4-py311h64a7726_0.conda#" + "0" * 32, False),
        ("https://h/conda-forge/osx-64/numpy-1.26.4-py311h64a7726_0.conda", False),
        ("*[md5=D41D8CD98F00B204E9800998ECF8427E]", True),
        ("*[sha256=" + "0" * 64 + "]", False),
        ("[name=numpy]", True),
        ("  numpy  ", True),
    ],
)
def test_truth_table(text, expected):
    assert parse(text).matches(RECORD) is expected


def test_defaults_means_the_channels_of_defaults():
    for channel in ("pkgs/main", "pkgs/r", "pkgs/msys2", "https://repo.anaconda.com/pkgs/main"):
        assert parse("defaults::numpy").where_ok(channel, "linux-64")
    assert parse("https://repo.anaconda.com/pkgs/main::x").where_ok("pkgs/main", "noarch")
    assert not parse("https://repo.anaconda.com/pkgs/main::x").where_ok("main2", "noarch")


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("", 1, "package name"),
        ("   ", 1, "package name"),
        ("numpy>1.2<2", 10, "with a comma"),
        ("numpy >1.2 <2", 12, "with a comma"),
        ("numpy[lisence=MIT]", 7, "license?"),
        ("numpy[build=x, bild_number=1]", 16, "build_number?"),
        ("numpy[noarch=python]", 7, "subdir=noarch"),
        ("numpy[timestamp=1]", 7, "before"),
        ("numpy[track_features=x]", 7, "cannot tell"),
        ("numpy[", 6, "for example"),
        ("numpy[build=x", 6, "Quote"),
        ("numpy[build=]", 13, ""),
        ("numpy[optional]", 7, "for example"),
        ("numpy[build=x] 1", 15, "before the bracket"),
        ("numpy[build=x,build=y]", 21, "one of them"),
        ("numpy 1[version=2]", 17, "one of them"),
        ("numpy 1 py[build=2]", 18, "one of them"),
        ("bar[name=foo]", 10, "one of them"),
        ("numpy ==", 7, "for example"),
        ("numpy=", 6, "for example"),
        ("numpy[version='>=']", 16, "for example"),
        ("numpy 1 py* more", 9, "nothing more"),
        ("numpy|scipy", 6, "one package per entry"),
        ("numpy, scipy", 6, "one package per entry"),
        ("numpy#x", 6, "Remove"),
        ("a:b:numpy", 2, "channel::name"),
        ("::numpy", 1, ""),
        ("numpy >=1::x", 6, "channel::name"),
        ("caf\u00e9", 4, "letters"),
        ("num\x1bpy", 4, ""),
        ("^py($", 4, ""),
        ("^[[a]$", 2, ""),
        ("*[build=^(x$]", 10, ""),
        ("*[md5=abc]", 7, "32 hex"),
        ("*[build_number=x]", 16, ">=2"),
        ("x" * 2000, 1000, "one package per entry"),
    ],
)
def test_an_error_names_the_column_and_a_way_out(text, column, hint):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.column == column
    assert caught.value.where == f"column {column}"
    assert hint in caught.value.hint
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("numpy=1.26=py311*", "numpy 1.26.* py311*"),
        ("python 3.11", "python 3.11.*"),
        ("numpy py311*", "numpy * py311*"),
        ("numpy *cuda*", "numpy * *cuda*"),
    ],
)
def test_traps_carry_a_warning(text, advice):
    assert advice in parse(text).warning


@pytest.mark.parametrize(
    "text", ["numpy", "numpy=1.26", "numpy==1.26", "numpy 1.26.4", "numpy 1.26.* py*", "numpy >=1"]
)
def test_plain_specs_carry_none(text):
    assert parse(text).warning == ""


def test_needs_names_only_the_columns_a_row_must_be_asked_for():
    assert parse("conda-forge/linux-64::py*").needs == frozenset()
    assert parse("numpy *").needs == frozenset()
    assert parse("numpy >=1 py*").needs == {"version", "build"}
    assert parse("*[license=GPL*,fn=*.conda]").needs == {"license", "fn"}
    assert parse("*").any_name
    assert not parse("p*").any_name


def test_names_answers_for_a_whole_list():
    names = ["python", "py", "pypy", "numpy", ""]
    assert parse("py*").names(names).tolist() == [True, True, True, False, False]
    assert parse("*p*y*").names(names).tolist() == [True, True, True, True, False]
    assert parse("*").names(names).all()
    assert parse("Python").exact_name == "python"
    assert parse("Python").names(names).tolist() == [True, False, False, False, False]
    assert parse("^p.*n$").names(names).tolist() == [True, False, False, False, False]
    assert parse("p*").exact_name is None


def test_a_version_that_is_none_only_matches_where_any_version_does():
    for version in ("", "not a version", "\ud800", "1" * 10_000, None, 1, ["1"]):
        assert parse("x").version_ok(version)
        assert not parse("x >=0").version_ok(version)
        assert not parse("x 1.*.2").version_ok(version)


def test_a_glob_stays_linear():
    assert not parse("*a*a*a*a*a*a*a*a*a*b[license=*a*a*a*a*a*a*a*a*a*b]").license_ok("a" * 10_000)


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text()))
SPECS = [
    "*",
    "x >=1",
    "^.*$ 1.2|3",
    "c::x",
    "*/noarch::x",
    "*[license=*,license_family=a*]",
    "*[build_number=0,build=*]",
]
SPECS += ["*[fn=*.conda]", "*[md5=" + "0" * 32 + "]", "x 1.*.3"]


@settings(max_examples=60)
@given(st.one_of(ANYTHING, st.dictionaries(st.sampled_from(sorted(RECORD)), ANYTHING)))
def test_no_record_raises(record):
    for text in SPECS:
        assert parse(text).matches(record) in (True, False)


@settings(max_examples=200)
@given(st.one_of(st.text(), st.text(alphabet="ab1.*=<>!~|,[]\"'^$()+- :/#\\")))
def test_any_text_parses_or_says_where_it_does_not(text):
    column = None
    try:
        parse(text).matches(RECORD)
    except BadSpec as error:
        column = error.column
    assert column is None or 1 <= column <= len(text) + 1


AGREE = ["numpy", "numpy=1.26", "numpy >=1.19", "python=3.9", "python 3.9", "python >=3.8,<3.11", "PYTHON=3.9"]
AGREE += ["python 3.9.* *_cpython", "py*", "*", "^py.*$", "*[build=py39*]", "* >=2", "zlib", "setuptools !=60.0.0"]
AGREE += ["setuptools ~=60.0", "pip >=20|<10", '*[build_number=">=2"]', "*[build_number=0]", '*[version="1.*"]']
AGREE += ['*[build="^py3[0-9]+_0$"]', "* 1.0", "* >1,<2", "* >=1.0a0", "*lib*", "*=1.0=*_0", "* 1.2.* 0", "* * py*"]
AGREE += ["openssl >=1.1.1a,<1.1.1l", "* 2019.*", "*[build=*CUDA*]", "* 1.2.3|>=5,!=6.0", "*=3", "*[build=PY39_0]"]
FILES = ["channels/conda-forge", "repodata/pkgs-main-2025", "repodata/pytorch-2022", "repodata/pkgs-msys2-2025"]


@pytest.fixture(scope="module")
def records(shared):
    found = []
    for folder in FILES:
        for path in sorted((shared / folder).rglob("*repodata.json.zst")):
            with path.open("rb") as stream:
                data = json.loads(zstandard.ZstdDecompressor().stream_reader(stream).read())
            for kind in ("packages", "packages.conda"):
                found += list((data.get(kind) or {}).values())
    return [(record, rattler_record(record)) for record in found]


def rattler_record(record):
    return rattler.PackageRecord(
        name=record["name"],
        version=record["version"],
        build=rattler.BuildString(record["build"]),
        build_number=record["build_number"],
        subdir=record.get("subdir") or "noarch",
    )


@pytest.mark.parametrize("text", AGREE)
def test_agrees_with_rattler_on_real_records(records, text):
    assert len(records) > 4000
    spec, theirs = parse(text), rattler.MatchSpec(text, exact_names_only=False)
    assert [r for r, package in records if spec.matches(r) != theirs.matches(package)] == []


def test_columns_and_records_agree(records):
    for text in ("py* >=1", "*[license=*GPL*]", "lib*[build_number=0]"):
        spec = parse(text)
        named = dict(zip(names := sorted({r["name"] for r, _ in records}), spec.names(names).tolist(), strict=True))
        for r, _ in records:
            by_column = (
                named[r["name"]]
                and spec.version_ok(r["version"])
                and spec.build_ok(r["build"])
                and spec.build_number_ok(r["build_number"])
                and spec.license_ok(r.get("license"), r.get("license_family"))
            )
            assert by_column == spec.matches(r)


def test_a_name_only_spec_does_not_import_rattler():
    code = "import sys; from mirrortui.selection.matchspec import parse; parse('c/noarch::py*'); sys.exit('rattler' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
