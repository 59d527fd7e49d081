"""Merging into files as people have them: what is not ours keeps its bytes."""

import pytest

from mirrortui.clients import Condarc, PublishedChannel, build
from mirrortui.clients.merge import merge
from mirrortui.clients.rctext import parse
from mirrortui.errors import ConfigError

PUBLISHED = [PublishedChannel(name, ("linux-64", "noarch")) for name in ("conda-forge", "pkgs/main", "pkgs/r")]
USER = build(PUBLISHED, "http://m.lan", profile="user")
LOCK = build(PUBLISHED, "http://m.lan", profile="system", lock=True)


def merged(text: str, condarc: Condarc = USER) -> str:
    return merge(text, condarc, "rc").text


def notes(text: str, condarc: Condarc = USER) -> str:
    return "\n".join(merge(text, condarc, "rc").warnings)


def values(text: str) -> dict[str, object]:
    return parse(text, "rc", strict=True).values


@pytest.mark.parametrize("text", ["", "\n\n", "  \n"])
def test_a_file_without_content_becomes_a_fresh_one(text: str) -> None:
    assert merged(text) == USER.text()


@pytest.mark.parametrize("text", ["# only\n# comments", "---\n# x\n", "# a\n---\n...\n", "%YAML 1.2\n---\n"])
def test_a_file_without_keys_keeps_its_comments(text: str) -> None:
    new = merged(text)
    assert values(new) == USER.mapping()
    assert [line for line in text.splitlines() if line not in new.splitlines()] == []


def test_comments_survive_on_keys_items_and_lines() -> None:
    text = (
        "# head\n"
        "channels:   # the list\n"
        "  # our own first\n"
        "  - bioconda  # goes, and its comment with it\n"
        "  # then\n"
        "  - defaults  # stays\n"
        "  # - commented out\n"
        "\n"
        "# about the alias\n"
        "channel_alias: 'https://conda.anaconda.org'  # old\n"
        "envs_dirs: [/a,   # one\n"
        "  /b]   # two\n"
        "default_channels: [\n"
        "  # inside\n"
        "  https://repo.anaconda.com/pkgs/main,\n"
        "]   # beside\n"
        "# tail"
    )
    new = merged(text)
    for comment in ("# head", "# the list", "# our own first", "# then", "# stays", "# - commented out", "# about the alias", "# old", "# one", "# two", "# inside", "# beside", "# tail"):  # fmt: skip
        assert comment in new
    assert "- defaults  # stays\n" in new
    assert "channel_alias: http://m.lan  # old\n" in new
    assert "envs_dirs: [/a,   # one\n  /b]   # two\n" in new
    assert "channels: bioconda is taken out." in notes(text)
    assert values(new) == {**USER.mapping(), "envs_dirs": ["/a", "/b"]}


def test_own_names_in_custom_channels_are_kept_unless_they_shadow_the_mirror() -> None:
    text = (
        "custom_channels:\n    lab: file:///srv/lab   # ours\n    pkgs/main: http://old  # was\n"
        "    conda-forge: https://conda.anaconda.org\n    pkgs: http://elsewhere\n"
        "custom_multichannels:\n  team:\n    - lab\n    - conda-forge\n"
    )
    new = merged(text)
    assert values(new)["custom_channels"] == {
        "lab": "file:///srv/lab",
        **dict.fromkeys(("pkgs/main", "pkgs/r", "pkgs/msys2", "pkgs/pro"), "http://m.lan"),
    }
    assert "    lab: file:///srv/lab   # ours\n    pkgs/main: http://m.lan  # was\n    pkgs/r: http://m.lan\n" in new
    assert "custom_multichannels:\n  team:\n    - lab\n    - conda-forge\n" in new
    assert "custom_channels: conda-forge is taken out." in notes(text)
    assert values(merged(text, LOCK))["custom_channels"] == LOCK.mapping()["custom_channels"]


def test_a_multichannel_of_ones_own_survives_beside_a_borrowed_defaults() -> None:
    alone = build(PUBLISHED[:1], "http://m.lan", profile="user")
    new = merged("custom_multichannels:\n  team:\n    - lab\n    - conda-forge\n", alone)
    assert values(new)["custom_multichannels"] == {
        "team": ["lab", "conda-forge"],
        "conda-forge": ["http://m.lan/conda-forge"],
    }


def test_a_flag_of_the_file_stays_and_is_told() -> None:
    text = "ssl_verify: true #!final\nchannels:   #!final\n  - a #!top\n  - defaults #!bottom\nshow_channel_urls: false  #!final\nx: {} #!final\n"
    new = merged(text)
    flags = parse(new, "rc").flags
    assert (
        flags["ssl_verify", ""]
        == flags["channels", ""]
        == flags["show_channel_urls", ""]
        == flags["x", ""]
        == "#!final"
    )
    assert flags["channels", "defaults"] == "#!bottom"
    assert "channels is #!final in this file and stays so." in notes(text)


def test_a_flag_that_conda_does_not_see_is_told() -> None:
    assert "ssl_verify: its flag is not seen" in notes("ssl_verify: true #!final  # why\n")
    assert "ssl_verify: its flag is not seen" in notes("ssl_verify: true #!final\n# below\nx: 1\n")
    assert "not seen" not in notes("ssl_verify: true #!final\nx: 1\n")
    assert parse(merged("channels: a #!final\n# below\n"), "rc").flags == {}, (
        "a flag that did nothing does not come alive"
    )


@pytest.mark.parametrize(
    "text",
    [
        "channel_alias: http://x\n# a comment below\nssl_verify: true\n",
        "channels:  # why\n  # first\n  - a\n  # last\noverride_channels_enabled: true # no\n# end\n",
        "a: 1 #!final\nchannel_alias: http://x\n",
        "channel_alias: http://x # c\n# d\na: 1 #!final\n# e\n",
    ],
)
def test_the_lock_holds_whatever_stands_around_it(text: str) -> None:
    new = parse(merged(text, LOCK), "rc", strict=True)
    assert {key for (key, _), flag in new.flags.items() if flag == "#!final"} >= {
        e.key for e in LOCK.entries if e.final
    }
    assert [line for line in text.splitlines() if line.startswith("#") and line not in new.text] == []


def test_a_comment_that_would_switch_off_a_foreign_flag_is_refused() -> None:
    text = "a: 1 #!final\nchannels: [x]\n# below\n"
    assert parse(merged(text), "rc").flags["a", ""] == "#!final", "in place nothing comes between"
    with pytest.raises(ConfigError, match="a would not read back"):
        merged("a: 1 #!final\nwhitelist_channels: [x]\n# below\n", LOCK)


def test_a_file_of_our_own_is_written_anew() -> None:
    assert merged(LOCK.text()) == USER.text(), "the lock can be taken off"
    assert merged(USER.text(), LOCK) == LOCK.text()
    other = build(PUBLISHED[:1], "file:///srv/m", profile="system", filtered=True)
    assert merged(other.text()) == USER.text()
    assert merged(USER.text(), other) == other.text()


@pytest.mark.parametrize("extra", ["envs_dirs: [/a]\n", "# mine\n", "always_yes: true # x\n"])
def test_a_file_of_our_own_with_additions_is_merged(extra: str) -> None:
    assert merged(USER.text() + extra) == USER.text() + extra
    assert extra in merged(build(PUBLISHED[:1], "http://m.lan", profile="user").text() + extra)


def test_names_added_by_hand_to_our_file_are_kept() -> None:
    text = USER.text().replace("  pkgs/pro:", "  lab: http://lab\n  pkgs/pro:")
    assert merged(text) == text


def test_our_head_over_values_of_a_wrong_form() -> None:
    text = USER.text().splitlines()[0] + "\ncustom_channels: 3\nchannels: [{a: b}]\ncustom_multichannels: text\n"
    assert merged(text) == USER.text()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_endings_are_kept(newline: str) -> None:
    text = newline.join(["# a", "channels:", "- x", "- defaults", "envs_dirs: [/a]"])
    new = merged(text)
    assert new.count("\n") == new.count(newline)
    assert f"- conda-forge{newline}- defaults{newline}" in new


@pytest.mark.parametrize(
    "text",
    [
        "  channels: [a]\n  envs_dirs:\n    - /a\n",
        "---\nenvs_dirs: [/a]\n...\n# after the end\n",
        "%YAML 1.1\n---\nenvs_dirs: [/a]\n",
        '"channels": [a]\n? envs_dirs\n: - /a\n',
        "? channels\n: - a\n# c\nenvs_dirs: [/a]\n",
        "channels:\nenvs_dirs: [/a]\n",
        "channels: ~\nenvs_dirs: [/a]",
        "channels:   # todo\n\nenvs_dirs: [/a]",
        "channels: &c [a]\nchannel_alias: >-\n  http://x\n\n\nenvs_dirs: [/a]",
        "channels:\n  - a\n  -\nenvs_dirs: [/a]\n",
        "channels:\n  - 1\n  - 'defaults'\n  - defaults\nenvs_dirs: [/a]\n",
        "channels: [a,\n\n  b]\nenvs_dirs: [/a]\nshow_channel_urls:\n  false",
        'channel_alias: "http://x\n  # no comment"\nenvs_dirs: [/a]\n',
        "custom_channels: {a: b}\nenvs_dirs: [/a]\n",
        "custom_channels: []\nchannels: text\nenvs_dirs: [/a]\n",
        "{channels: [a], envs_dirs: [/a]}\n",
        "{channels: [a],  # x\n envs_dirs: [/a]}\n# y\n",
    ],
)  # fmt: skip
def test_forms_of_yaml(text: str) -> None:
    new = merged(text)
    assert values(new)["envs_dirs"] == ["/a"]
    assert (
        USER.mapping().items()
        >= {k: v for k, v in values(new).items() if k not in ("envs_dirs", "custom_channels")}.items()
    )
    assert merged(new) == new
    assert not values(new).keys() - USER.mapping().keys() - {"envs_dirs"}
    assert [c for c in ("# after the end", "# x", "# y", "# todo") if c in text and c not in new] == []


def test_flags_in_a_flow_file_survive() -> None:
    assert parse(merged("{a: [1] #!final\n, channels: [b]}\n"), "rc").flags["a", ""] == "#!final"


def test_anchors_of_foreign_keys_survive() -> None:
    text = "base: &b\n  http: x\nproxy_servers: *b\n<<: {always_yes: true}\nchannels:\n  - &d defaults\n  - *d\n"
    new = merged(text)
    assert "base: &b\n  http: x\nproxy_servers: *b\n<<: {always_yes: true}\n" in new
    assert values(new)["proxy_servers"] == {"http": "x"}


def test_an_anchor_that_would_be_lost_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"channels \(line 1\) defines &c, which pinned \(line 2\) uses"):
        merged("channels: &c [a]\npinned: *c\n")


def test_other_names_of_a_key_give_way() -> None:
    new = merged("channel:\n  - a  # c\n# d\nself_update: true\n", LOCK)
    assert "channel" not in values(new)
    assert "self_update" not in values(new)
    assert "# d" in new
    assert "channel (line 1) is another name of channels" in notes("channel: [a]\n")
    assert values(merged("whitelist_channels: [a]\n"))["whitelist_channels"] == ["a"], "not written, not touched"


def test_a_key_of_ours_that_stands_twice_is_mended() -> None:
    text = "channels: [a]\nx: 1\nchannels: [b]\n"
    assert values(merged(text))["channels"] == ["conda-forge", "defaults"]
    assert "channels stood 2 times" in notes(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\t- b\n", r"line 2, column 1"),
        ("channels: [a\nb: c\n", r"line \d, column \d"),
        ("a: 'b\n", "line"),
        ("a: b: c\n", "line 1, column 5"),
        ("a: *nobody\n", "line 1"),
        ("a: 1\t# tab before a comment\n", "line 1, column 5"),
        ("{a: 1, b: 2} #!final\nc", "line 2"),
        ("- a\n- b\n", r"no mapping of keys to values \(line 1\)"),
        ("just text\n", "no mapping"),
        ("~\n", "no mapping"),
        ("a: 1\n---\nb: 2\n", r"second document \(line 2\)"),
        ("x: 1\ny: 2\nx: 3\n", r"x stands twice \(lines 1 and 3\)"),
        ("p:\n  x: 1\n  x: 2\n", "line 3"),
        ("a: \x01\n", "not valid YAML"),
        ("a: " + "[" * 400, "not valid YAML"),
    ],
)
def test_broken_files_are_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        merged(text)
    assert caught.value.where == "rc"
    assert caught.value.hint


def test_a_long_real_looking_file() -> None:
    head = "# Conda configuration of the lab, see the wiki\n\n"
    dirs = "".join(f"  - /scratch/users/u{n:03d}/envs  # quota {n} GB\n" for n in range(150))
    rest = (
        "\nchannels:\n  - conda-forge\n  - defaults\n\nssl_verify: /etc/ssl/certs/ca-bundle.crt\n"
        "proxy_servers:\n  http: http://proxy:3128   # ask IT\n  https: http://proxy:3128\n  'http://m.lan': ''\n\n"
        "create_default_packages:\n- pip\n- ipykernel\n\n"
        "# a very long line follows\n"
        "aggressive_update_packages: [" + ", ".join(f"package-number-{n}" for n in range(40)) + "]\n"
        "env_prompt: '({name}) '\nchangeps1: yes\npip_interop_enabled: no\n"
    )  # fmt: skip
    text = f"{head}envs_dirs:\n{dirs}{rest}"
    assert text.count("\n") > 170
    new = merged(text)
    assert new.startswith(text), "the list of channels is right already, all else is appended"
    assert merged(new) == new
