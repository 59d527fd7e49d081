"""Which Python a record is for, by its dependencies and never by its build string."""

from pathlib import Path

import pytest

from mirrortui.selection.pythons import accepted, allowed
from tests.unit.catalog.made import index as made_index
from tests.unit.catalog.made import missing, table


@pytest.mark.parametrize(
    ("depends", "minor", "fits"),
    [
        ("", "3.12", True),
        ("python", "3.12", True),
        ("python >=3.8", "3.8", True),
        ("python >=3.8", "3.7", False),
        ("python >=3.8", "2.7", False),
        ("python >=3.12,<3.13.0a0", "3.12", True),
        ("python >=3.12,<3.13.0a0", "3.13", False),
        ("python >=3.12,<3.13.0a0", "3.11", False),
        ("python 3.12.*", "3.12", True),
        ("python 3.12.*", "3.1", False),
        ("python =3.12", "3.12", True),
        ("python 3.9", "3.9", True),  # that is 3.9.0
        ("python ==3.9", "3.9", True),
        ("python <=3.9", "3.9", True),  # 3.9.0 is not above it
        ("python <=3.9", "3.10", False),
        ("python >3.9", "3.9", True),  # 3.9.1 is above it
        ("python >=3.6,<=3.9", "3.9", True),
        ("python <3.9", "3.9", False),
        ("python >=3.9.1", "3.9", True),
        ("python 3.9.7", "3.9", True),
        ("python 3.9.7 0_cpython", "3.9", True),
        ("python >=3.9.7,<3.9.8", "3.9", True),
        ("python >=3.9.50,<3.9.60", "3.9", True),
        ("python !=3.9.7", "3.9", True),
        ("python !=3.9.*", "3.9", False),
        ("python >=3.5,!=3.6.0,<3.7", "3.6", True),
        ("python <4.0", "3.14", True),
        ("python >=3", "2.7", False),
        ("python 2.7.*|>=3.5", "2.7", True),
        ("python 2.7.*|>=3.5", "3.4", False),
        ("python_abi 3.12.* *_cp312", "3.12", True),
        ("python_abi 3.12.* *_cp312", "3.11", False),
        ("python_abi * *_cp312", "3.12", True),
        ("python_abi * *_cp312", "3.11", False),
        ("python >=3.11\npython_abi 3.12.* *_cp312", "3.12", True),
        ("python >=3.11\npython_abi 3.12.* *_cp312", "3.11", False),
        ("python >=3.8\npython <3.10", "3.9", True),
        ("python >=3.8\npython <3.10", "3.10", False),
        ("python =", "3.12", True),  # what cannot be read forbids nothing
        ("python >=nonsense[", "3.12", True),
    ],
)
def test_a_minor_version_fits_if_some_patch_release_of_it_does(depends: str, minor: str, fits: bool) -> None:
    assert accepted(depends, minor) == fits


def test_the_rows_of_an_index(tmp_path: Path) -> None:
    index = made_index(
        tmp_path,
        table(
            ("none-1-py39h1234567_0.conda", {"depends": ["libc"]}),  # the build string lies
            ("any-1-0.conda", {"depends": ["python"]}),
            ("old-1-0.conda", {"depends": ["python >=3.9,<3.10.0a0"]}),
            ("new-1-0.conda", {"depends": ["numpy", "python >=3.12"]}),
            ("abi-1-0.conda", {"depends": ["python_abi 3.12.* *_cp312"]}),
            ("like-1-0.conda", {"depends": ["python-dateutil >=2", "pythonnet <1", "python.app"]}),
            ("python-3.9.1-0.conda", {"depends": []}),
            ("python-3.12.0-0.conda", {"depends": []}),
            ("python-3.1-0.conda", {"depends": []}),
            ("python_abi-3.12-8_cp312.conda", {"depends": ["python 3.12.*"]}),
            ("both-1-0.conda", {"depends": ["python >=3.12", "python_abi 3.12.* *_cp312"]}),
        ),
    )
    assert index.fns(allowed(index, ("3.12",))) == [
        "none-1-py39h1234567_0.conda", "any-1-0.conda", "new-1-0.conda", "abi-1-0.conda", "like-1-0.conda", "python-3.12.0-0.conda",
        "python_abi-3.12-8_cp312.conda", "both-1-0.conda",
    ]  # fmt: skip
    both = index.fns(allowed(index, ("3.9", "3.12")))
    assert {"old-1-0.conda", "python-3.9.1-0.conda", "new-1-0.conda"} <= set(both)
    assert "python-3.1-0.conda" not in both
    assert index.fns(allowed(index, ("3.1",))) == [
        "none-1-py39h1234567_0.conda",
        "any-1-0.conda",
        "like-1-0.conda",
        "python-3.1-0.conda",
    ]


def test_an_empty_index_has_no_rows(tmp_path: Path) -> None:
    assert len(allowed(made_index(tmp_path, b"{}"), ("3.12",))) == 0
    assert len(allowed(missing(tmp_path), ("3.12",))) == 0
