"""The generated `.condarc`: everything leads to the mirror, whatever is mirrored and however it is served."""

import itertools

import pytest

from mirrortui.clients import Condarc, PublishedChannel, build, resolve
from mirrortui.clients.condarc import KEYS, Profile
from mirrortui.clients.entry import scalar
from mirrortui.clients.rctext import parse
from mirrortui.errors import ConfigError, NameRefused, UsageError


def published(*names: str) -> list[PublishedChannel]:
    return [PublishedChannel(name, ("linux-64", "noarch")) for name in names]


MIXED = ("bioconda", "conda-forge", "conda-forge/label/rc", "pkgs/main", "pkgs/r")
ASKED = (
    "defaults", "conda-forge", "pkgs/main", "pkgs/r", "pkgs/pro", "pkgs/msys2", "bioconda", "unknown",
    "https://conda.anaconda.org/conda-forge", "http://conda.anaconda.org/t/tok/bioconda/linux-64",
    "https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/main/linux-64",
)  # fmt: skip
URLS = ("http://m.lan", "https://m.lan:8443/conda", "file:///srv/mirror", "/srv/my mirror", "http://u:p@m.lan/x")


@pytest.mark.parametrize(
    ("url", "names", "lock"),
    itertools.product(URLS, (MIXED, ("conda-forge",), ("pkgs/main",), ("pkgs/r", "bioconda")), (False, True)),
)
def test_every_way_to_a_channel_ends_at_the_mirror(url: str, names: tuple[str, ...], lock: bool) -> None:
    rc = build(published(*names), url, profile="system", lock=lock)
    found = resolve((*ASKED, *names), rc.mapping(), mirror=rc.url)
    assert [one for one in found if not one.on_mirror] == []
    assert {one.asked for one in found} == {*ASKED, *names}
    on_disk = {one.url.rpartition(name)[0] for one in found for name in names if one.asked == name}
    assert len(on_disk) == 1, "a mirrored channel is asked at url/name"


@pytest.mark.parametrize("names", [MIXED, ("conda-forge",)])
@pytest.mark.parametrize(("profile", "lock"), [("user", False), ("system", False), ("system", True)])
def test_the_text_reads_back_as_the_mapping_with_its_flags(
    names: tuple[str, ...], profile: Profile, lock: bool
) -> None:
    rc = build(published(*names), "http://m.lan", profile=profile, lock=lock)
    read = parse(rc.text(), "fresh", strict=True)
    assert read.values == rc.mapping()
    assert list(read.values) == [entry.key for entry in rc.entries]
    assert read.flags == {(entry.key, ""): "#!final" for entry in rc.entries if entry.final}
    assert read.lost_flags == ()
    assert rc.text().isascii()
    assert all(entry.why in rc.text() for entry in rc.entries)
    assert set(rc.mapping()) <= KEYS


def test_the_complete_lock() -> None:
    rc = build(published("conda-forge", "pkgs/main"), "http://u:p@m.lan", profile="system", lock=True)
    assert {entry.key for entry in rc.entries if entry.final} == {
        "channels", "channel_alias", "default_channels", "custom_channels", "custom_multichannels",
        "migrated_custom_channels", "migrated_channel_aliases", "allowlist_channels", "override_channels_enabled",
    }  # fmt: skip
    values = rc.mapping()
    assert values["allowlist_channels"] == ["http://m.lan/conda-forge", "http://m.lan/pkgs/main"]
    assert values["custom_multichannels"] == values["migrated_custom_channels"] == {}
    assert values["override_channels_enabled"] is False
    assert any("mamba" in warning for warning in rc.warnings)


def test_no_lock_in_a_users_own_file() -> None:
    with pytest.raises(UsageError):
        build(published("conda-forge"), "http://m.lan", profile="user", lock=True)
    assert not build(published("conda-forge"), "http://m.lan", profile="system").locked


@pytest.mark.parametrize(
    ("names", "order", "listed"),
    [
        (MIXED, (), ["conda-forge", "bioconda", "defaults"]),
        (MIXED, ("pkgs/main", "pkgs/r", "conda-forge"), ["defaults", "conda-forge", "bioconda"]),
        (MIXED, ("nvidia", "conda-forge", "bioconda"), ["conda-forge", "bioconda", "defaults"]),
        (("pkgs/main", "pkgs/r"), (), ["defaults"]),
        (("pkgs/free", "conda-forge"), (), ["conda-forge"]),
        (("pkgs/free",), (), ["pkgs/free"]),
        (("conda-forge/label/rc",), (), ["conda-forge/label/rc"]),
    ],
)
def test_channels_in_the_order_of_the_config_with_pkgs_as_defaults(
    names: tuple[str, ...], order: tuple[str, ...], listed: list[str]
) -> None:
    assert build(published(*names), "http://m.lan", profile="user", order=order).mapping()["channels"] == listed


def test_defaults_names_what_is_mirrored_only() -> None:
    rc = build(published("pkgs/r", "pkgs/main"), "http://m.lan", profile="user").mapping()
    assert rc["default_channels"] == ["http://m.lan/pkgs/main", "http://m.lan/pkgs/r"]
    assert "custom_multichannels" not in rc


def test_a_borrowed_defaults_does_not_take_the_channels_name() -> None:
    rc = build(published("conda-forge"), "http://m.lan", profile="user").mapping()
    assert rc["default_channels"] == ["http://m.lan/conda-forge"]
    assert rc["custom_multichannels"] == {"conda-forge": ["http://m.lan/conda-forge"]}


def test_priority_and_what_a_host_wants() -> None:
    user = build(published("conda-forge"), "http://m.lan", profile="user").mapping()
    assert user["channel_priority"] == "strict"
    assert "auto_update_conda" not in user
    system = build(published("conda-forge"), "http://m.lan", profile="system", filtered=True)
    assert system.mapping()["channel_priority"] == "flexible"
    assert "in part" in system.text()
    assert [
        system.mapping()[key] for key in ("auto_update_conda", "notify_outdated_conda", "number_channel_notices")
    ] == [False, False, 0]


def test_bioconda_before_conda_forge_is_noticed() -> None:
    rc = build(published(*MIXED), "http://m.lan", profile="user", order=("bioconda", "conda-forge"))
    assert any("bioconda" in warning for warning in rc.warnings)


def test_full_urls_of_other_upstreams_lead_to_the_mirror() -> None:
    upstreams = {
        "conda-forge": ["https://u:p@h.example/anaconda/cloud/conda-forge", "https://renamed.example/cf"],
        "pkgs/main": ["https://h.example/anaconda/pkgs/main", "file:///old/pkgs/main"],
    }
    rc = build(published("conda-forge", "pkgs/main"), "http://m.lan", profile="user", upstreams=upstreams)
    assert rc.mapping()["migrated_channel_aliases"] == [
        "https://h.example/anaconda/cloud",
        "https://conda.anaconda.org",
        "https://h.example/anaconda",
        "https://repo.anaconda.com",
    ]
    found = resolve([url for urls in upstreams.values() for url in urls if "h.example" in url], rc.mapping())
    assert [one.url for one in found] == ["http://m.lan/conda-forge", "http://m.lan/pkgs/main"]


def test_an_old_base_that_begins_the_mirrors_own_url_is_left_out() -> None:
    rc = build(published("conda-forge"), "http://conda.anaconda.org.proxy.lan", profile="user")
    assert rc.mapping()["migrated_channel_aliases"] == ["https://repo.anaconda.com"]
    assert any("https://conda.anaconda.org" in warning for warning in rc.warnings)
    assert resolve(["http://conda.anaconda.org.proxy.lan/conda-forge"], rc.mapping())[0].on_mirror


def test_nothing_mirrored_is_said() -> None:
    with pytest.raises(ConfigError, match="nothing is mirrored"):
        build([], "http://m.lan", profile="user")


@pytest.mark.parametrize(
    "url",
    [
        "http://m.lan/noarch-mirror", "/srv/linux-64/x", "/mnt/t/conda", "http://t/x", "http://noarch.lan", "http://m.lan/t/tok/more",
        "http://m.lan/NOARCH/x", "http://win-64:80/", "http://[fd00::1]/x", "http://m.lan/$HOME", "http://u:$x@m.lan", "http://m.läb/x",
        "file:///", "ftp://m.lan", "http://m.lan/a b", "m.lan", "", "http://m.lan?x=1", "http://m.lan/%74/x", "file:///srv/../etc",
    ],
)  # fmt: skip
def test_urls_that_conda_would_read_differently_are_refused(url: str) -> None:
    with pytest.raises(NameRefused):
        build(published("conda-forge"), url, profile="user")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("http://m.lan/", "http://m.lan"),
        ("http://m.lan:", "http://m.lan"),
        ("file://localhost/srv/m/", "file:///srv/m"),
        ("/srv/my mirror", "file:///srv/my%20mirror"),
    ],
)
def test_urls_are_written_in_one_form(given: str, written: str) -> None:
    assert build(published("conda-forge"), given, profile="user").url == written


@pytest.mark.parametrize("url", ["https://user:pw@m.lan", "https://m.lan/conda/t/abc-123"])
def test_a_secret_makes_the_file_private_and_is_told(url: str) -> None:
    rc = build(published("conda-forge"), url, profile="user")
    assert (rc.mode, rc.secret) == (0o600, True)
    assert "pkgs/urls.txt" in rc.warnings[0]
    assert "netrc" in rc.warnings[0]
    assert "***" in rc.text().splitlines()[0], "the comment does not repeat the secret"
    assert "abc-123" not in "".join(rc.warnings)
    system: Condarc = build(published("conda-forge"), url.replace("https", "http"), profile="system")
    assert len(system.warnings) == 3
    assert build(published("conda-forge"), "http://m.lan", profile="user").mode == 0o644


@pytest.mark.parametrize(
    "text", ["123", "1.0", "on", "No", "null", "1e3", "0x1f", "_x", "a:", "a,b", "conda-forge", "n", "http://m.lan/x"]
)
def test_every_name_stays_text(text: str) -> None:
    assert parse(f"channels:\n  - {scalar(text)}\n", "x").values == {"channels": [text]}
    quoted = scalar(text).startswith('"')
    assert quoted is (text not in ("conda-forge", "http://m.lan/x"))
