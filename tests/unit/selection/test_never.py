"""The never-list: what a file name tells is matched, anything else is refused instead of being ignored."""

import pytest

from mirrortui.selection import never
from mirrortui.selection.matchspec import BadSpec

SHA, MD5 = "0" * 64, "0" * 32
FN = "boltons-24.0.0-pyhd8ed1ab_0.conda"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("license", "boltons[license=BSD-3-Clause]"),
        ("license_family", "*[license_family=GPL]"),
        ("build_number", "boltons[build_number=0]"),
        ("build_number", 'boltons[version=">=1", build_number=">=2"]'),
        ("md5", f"boltons[md5={MD5}]"),
        ("sha256", f"boltons[sha256={SHA}]"),
        ("md5", f"https://h.example/c/noarch/{FN}#{MD5}"),
        ("url", f"boltons[url=https://h.example/c/noarch/{FN}]"),
    ],
)
def test_a_field_that_no_file_name_tells_is_refused(field: str, text: str) -> None:
    with pytest.raises(BadSpec, match=f"“{field}” cannot be told from a file name") as caught:
        never.parse(text)
    assert caught.value.hint == "Fields that can be used here: name, version, build, channel, subdir, fn"
    assert caught.value.column > 1


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("boltons", True),
        ("bolt*", True),
        ("boltons >=24", True),
        ("boltons >=25", False),
        ("boltons[build=py*]", True),
        ("boltons[build=h*]", False),
        ("c::boltons", True),
        ("other::boltons", False),
        ("c/noarch::boltons", True),
        ("*[subdir=linux-64]", False),
        (f"*[fn={FN}]", True),
        (FN, True),
        (f"https://h.example/c/noarch/{FN}", True),
        (f"https://h.example/other/noarch/{FN}", False),
        (f"https://h.example/c/linux-64/{FN}", False),
    ],
)
def test_what_a_file_name_and_its_place_tell_is_matched(text: str, kept: bool) -> None:
    assert never.keeps(never.parse(text), "c", "noarch", FN) is kept
