"""Where conda would look: the outcomes seen with conda itself, as a table."""

from pathlib import Path
from typing import Any

import pytest

from mirrortui.clients import resolve

TUNA = {
    "channel_alias": "https://h.example/anaconda/cloud",
    "default_channels": ["https://h.example/anaconda/pkgs/main", "https://h.example/anaconda/pkgs/r"],
    "custom_channels": {"pkgs/main": "https://h.example/anaconda", "pkgs/r": "https://h.example/anaconda"},
    "migrated_channel_aliases": ["https://conda.anaconda.org"],
    "migrated_custom_channels": {"pkgs/main": "https://repo.anaconda.com"},
}
ALIAS = {"channel_alias": "http://m.lan"}
MAIN, R = "https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"

TABLE: list[tuple[dict[str, Any], str, list[str], str]] = [
    # nothing configured
    ({}, "conda-forge", ["https://conda.anaconda.org/conda-forge"], "channel_alias"),
    ({}, "defaults", [MAIN, R], "default_channels"),
    ({}, "pkgs/main", [MAIN], "default_channels"),
    ({}, "pkgs/pro", ["https://repo.anaconda.com/pkgs/pro"], "custom_channels"),
    ({}, "pkgs/msys2", ["https://conda.anaconda.org/pkgs/msys2"], "channel_alias"),
    ({}, "https://x.example/a/b", ["https://x.example/a/b"], "url"),
    # the alias alone: defaults and pkgs/* stay on the internet
    (ALIAS, "conda-forge", ["http://m.lan/conda-forge"], "channel_alias"),
    (ALIAS, "conda-forge/label/rc", ["http://m.lan/conda-forge/label/rc"], "channel_alias"),
    (ALIAS, "conda-forge/linux-64", ["http://m.lan/conda-forge"], "channel_alias"),
    (ALIAS, "defaults", [MAIN, R], "default_channels"),
    (ALIAS, "pkgs/main", [MAIN], "default_channels"),
    (ALIAS, "main", ["http://m.lan/main"], "channel_alias"),
    (ALIAS, "https://conda.anaconda.org/conda-forge", ["https://conda.anaconda.org/conda-forge"], "url"),
    ({"channel_alias": None}, "x", ["https://conda.anaconda.org/x"], "channel_alias"),
    # names in default_channels follow the alias
    (ALIAS | {"default_channels": ["pkgs/main", "pkgs/r"]}, "defaults", ["http://m.lan/pkgs/main", "http://m.lan/pkgs/r"], "default_channels"),
    (ALIAS | {"default_channels": ["pkgs/main", "pkgs/r"]}, "pkgs/main", ["http://m.lan/pkgs/main"], "default_channels"),
    # default_channels by URL outside of the alias: -c pkgs/main leaks
    ({"default_channels": ["http://m.lan/x/pkgs/main"]}, "pkgs/main", ["https://conda.anaconda.org/pkgs/main"], "channel_alias"),
    # custom_channels: the name is appended, the longest prefix wins, an empty map removes pkgs/pro
    ({"custom_channels": {"conda-forge": "http://m.lan/conda-forge"}}, "conda-forge", ["http://m.lan/conda-forge/conda-forge"], "custom_channels"),
    ({"custom_channels": {"a": "http://one", "a/b": "http://two"}}, "a/b/c", ["http://two/a/b/c"], "custom_channels"),
    ({"custom_channels": {"conda-forge": "http://m.lan"}}, "conda-forge/label/rc", ["http://m.lan/conda-forge/label/rc"], "custom_channels"),
    ({"custom_channels": {}}, "pkgs/pro", ["https://conda.anaconda.org/pkgs/pro"], "channel_alias"),
    ({"custom_channels": {"lab": "sub"}}, "lab", ["https://conda.anaconda.org/lab"], "custom_channels"),
    # custom_multichannels win for their name
    (ALIAS | {"custom_multichannels": {"conda-forge": ["https://evil.example/cf"]}}, "conda-forge", ["https://evil.example/cf"], "custom_multichannels"),
    ({"custom_multichannels": {"defaults": ["http://m.lan/d"]}, "default_channels": ["x"]}, "defaults", ["http://m.lan/d"], "custom_multichannels"),
    # full URLs
    (ALIAS | {"migrated_channel_aliases": ["https://conda.anaconda.org"]}, "http://conda.anaconda.org/t/tok/x/linux-64", ["http://m.lan/x"], "migrated_channel_aliases"),
    (ALIAS, "https://m.lan/x/noarch", ["https://m.lan/x"], "channel_alias"),
    (TUNA, "https://repo.anaconda.com/pkgs/main", ["https://h.example/anaconda/pkgs/main"], "migrated_custom_channels"),
    (TUNA, "https://conda.anaconda.org/bioconda", ["https://h.example/anaconda/cloud/bioconda"], "migrated_channel_aliases"),
    (TUNA, "pkgs/main", ["https://h.example/anaconda/pkgs/main"], "custom_channels"),
    # the alias's plain text is compared, so a longer host is rewritten as well
    (ALIAS | {"migrated_channel_aliases": ["https://conda.anaconda.org"]}, "https://conda.anaconda.org.x.lan/a", ["http://m.lan/.x.lan/a"], "migrated_channel_aliases"),
    # secrets play no part and are not shown
    ({"channel_alias": "http://u:p@M.lan/t/tok"}, "x", ["http://m.lan/x"], "channel_alias"),
    # file
    ({"channel_alias": "file:///srv/m"}, "x", ["file:///srv/m/x"], "channel_alias"),
    ({"channel_alias": "file:///srv/m"}, "/srv/m/x", ["file:///srv/m/x"], "channel_alias"),
    ({}, "file:///srv/my%20m/x-1-0.conda", ["file:///srv/my m"], "url"),
    ({}, "local", [], ""),
]  # fmt: skip


@pytest.mark.parametrize(("rc", "asked", "urls", "key"), TABLE)
def test_table(rc: dict[str, Any], asked: str, urls: list[str], key: str) -> None:
    found = resolve([asked], rc)
    assert [one.url for one in found] == urls
    assert {one.key for one in found} <= {key}
    assert all(one.asked == asked for one in found)


def test_on_mirror_follows_the_given_mirror_else_the_alias() -> None:
    assert resolve(["conda-forge"], ALIAS)[0].on_mirror
    assert not resolve(["defaults"], ALIAS)[0].on_mirror
    assert not resolve(["conda-forge"], {})[0].on_mirror
    assert resolve(["pkgs/main"], TUNA, mirror="https://h.example/anaconda")[0].on_mirror
    assert not resolve(["x"], {"channel_alias": "http://m.lan.evil"}, mirror="http://m.lan")[0].on_mirror
    assert resolve(["x"], {"channel_alias": "http://u:p@m.lan/"}, mirror="http://m.lan")[0].on_mirror


@pytest.mark.parametrize(
    "wrong", [3, "text", ["a"], {"a": None}, {"a": 3}, {"a": ["http://[", 1, None]}, [None, {"b": 1}]]
)
def test_values_of_a_wrong_form_count_as_absent(wrong: Any) -> None:
    for key in (
        "custom_channels",
        "custom_multichannels",
        "default_channels",
        "migrated_channel_aliases",
        "migrated_custom_channels",
    ):
        found = resolve(["conda-forge", "a", "http://["], {"channel_alias": "http://m.lan", key: wrong})
        assert found[0].url == "http://m.lan/conda-forge"


def test_a_path_beside_the_user_becomes_a_file_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve(["./chan"], {})[0].url == f"file://{tmp_path}/chan"
