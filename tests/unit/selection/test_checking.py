"""Rules that cannot be read are named by their key, before anything is done."""

from pathlib import Path
from typing import Any

import pytest

from mirrortui.config import Channel, Check, Mirror, MirrorConfig, Prune, Selection
from mirrortui.errors import ConfigError
from mirrortui.selection import checking


def config(own: dict[str, Any] | None = None, **rules: Any) -> MirrorConfig:
    channel = Channel(name="lab", upstreams=("https://h.example/lab",), subdirs=("noarch",), selection=own or {})
    place = Mirror(name="lab", root="/srv/conda", url="http://mirror.lab", state="/var/lib/mirrortui/lab")
    sections = {key: rules.pop(key) for key in ("prune", "check") if key in rules}
    return MirrorConfig(mirror=place, channels=(channel,), selection=Selection(**rules), **sections)


def test_nothing_is_wrong_with_rules_that_can_be_read() -> None:
    rules = config(include=("numpy 1.26.*",), exclude=("*[build=*debug*]",), exclude_licenses=("GPL", "SSPL-1.0"))
    assert checking.problems(rules) == {}
    checking.require(rules, "mirror.toml")


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (config(exclude=("a", "numpy>1.2<2")), "selection.exclude[1]"),
        (config(include=("[",)), "selection.include[0]"),
        (config(always=("a b c d",)), "selection.always[0]"),
        (config(exclude_licenses=("GLP",)), "selection.exclude_licenses[0]"),
        (config({"exclude": ("x[nam=y]",)}), "channels[0].selection.exclude[0]"),
        (config(environments=("/no/such/environment.yml",)), "selection.environments[0]"),
        (config(prune=Prune(never=("==",))), "prune.never[0]"),
        (config(prune=Prune(never=("boltons", "boltons[license=BSD-3-Clause]"))), "prune.never[1]"),
        (config(prune=Prune(never=("boltons[build_number=0]",))), "prune.never[0]"),
        (config(check=Check(solve=("python=3.12 numpy>1<2",))), "check.solve[0]"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named(wrong: MirrorConfig, key: str) -> None:
    assert list(checking.problems(wrong)) == [key]
    with pytest.raises(ConfigError) as caught:
        checking.require(wrong, "mirror.toml")
    assert str(caught.value).startswith(f"mirror.toml: {key}")


def test_the_column_of_the_error_is_told() -> None:
    with pytest.raises(ConfigError, match=r"selection\.exclude\[0\], column \d+: .*comma"):
        checking.require(config(exclude=("numpy>1.2<2",)), "mirror.toml")


def test_a_broken_environment_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies: [", encoding="utf-8")
    assert (
        "not valid YAML"
        in checking.problems(config(environments=(str(tmp_path / "environment.yml"),)))["selection.environments[0]"]
    )


def test_a_trap_is_a_warning_not_an_error() -> None:
    rules = config(exclude=("numpy=1.26=py311*",))
    assert checking.problems(rules) == {}
    assert "exactly version 1.26" in checking.warnings(rules)["selection.exclude[0]"]
