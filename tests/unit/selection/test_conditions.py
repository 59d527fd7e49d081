"""Dependencies of `v3` without what only a solver can judge, and that selections are closed over the rest."""

from pathlib import Path

import pytest

from mirrortui.selection.closure import parsed
from mirrortui.selection.conditions import unconditional
from tests.unit.indexes import Lab, pkg

LINUX = ("c", "linux-64")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a", "a"), ("a >=1", "a >=1"), ('a[version="1.*"]', 'a[version="1.*"]'), ('a[version="1.*",when="__unix"]', 'a[version="1.*"]'),
        ('a[when="__unix",version="1.*"]', 'a[version="1.*"]'), ("a[when=__unix]", "a"), ("a[extras=[x,y], version=1]", "a[ version=1]"),
        ("a[flags=['x','y:z']]", "a"), ('a[version=2,flags="x",build_number=0]', "a[version=2,build_number=0]"),
        ('a[ when = "b[version=\'>1\',flags=[x]] and c" , extras=[d] ]', "a"), ("a[when='b[version=\">1\"]',build=x]", "a[build=x]"),
        ("a[whenever=1]", "a[whenever=1]"), ('a >=2[when="python>=3.10"]', "a >=2"), ("a[", "a["), ("a[when=", "a[when="), ("[]", "[]"),
    ],
)  # fmt: skip
def test_conditions_extras_and_flags_go_and_the_rest_stays(text: str, plain: str) -> None:
    assert unconditional(text) == plain


def test_what_is_left_is_read(tmp_path: Path) -> None:
    spec = parsed('b[version=">=1,<3",build_number=">=2",when="python[version=\'3.12.*\']"]')
    assert spec is not None
    assert (spec.exact_name, spec.version, spec.build_number) == ("b", ">=1,<3", ">=2")


def test_what_is_needed_under_a_condition_comes_in(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        {
            LINUX: [
                pkg("a-1-0.conda", 'b[version="<2",when="__win"]', "c[extras=[x]]"),
                *("b-1-0.conda", "b-2-0.conda", "c-1-0.conda", "d-1-0.conda"),
            ]
        },
    )
    assert lab.kept(include=["a"]) == ["linux-64/a-1-0.conda", "linux-64/b-1-0.conda", "linux-64/c-1-0.conda"]
    broken = lab.decide(include=["a"], exclude=["b <2"]).broken
    assert [(item.name, item.packages) for item in broken] == [("b", 1)]


def test_a_text_made_to_be_slow_is_not() -> None:
    unconditional("a[" + "when=[" * 100_000)
    unconditional("a[" + "when=" * 100_000)
    unconditional("a[" + ",when" + " " * 20_000 + "x" + "," * 20_000)
