import string
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrortui import config
from mirrortui.config import Channel, Mirror, MirrorConfig, Prune, Publish, Selection, Transfer
from mirrortui.errors import ConfigError
from tests.unit.lines import assert_clean

HEAD = """version = 1
[mirror]
name = "lab"
root = "/srv/conda"
url = "http://mirror.lab"
state = "/var/lib/mirrortui/lab"
"""
CHANNEL = """[[channels]]
name = "conda-forge"
upstreams = ["https://conda.anaconda.org/conda-forge"]
subdirs = ["linux-64", "noarch"]
"""


def made(**changes: Any) -> MirrorConfig:
    base = MirrorConfig(
        mirror=Mirror(name="lab", root="/srv/conda", url="http://mirror.lab", state="/var/lib/mirrortui/lab"),
        channels=(Channel(name="c", upstreams=("https://h/c",), subdirs=("noarch",)),),
    )
    return msgspec.structs.replace(base, **changes)


def refused(text: str | bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.loads(text, where="/etc/mirror.toml")
    line = str(caught.value)
    assert line.isprintable(), line
    assert line.startswith("/etc/mirror.toml: ")
    assert caught.value.exit_code == 2
    return caught.value


def test_the_smallest_file_has_the_defaults_of_the_program() -> None:
    read = config.loads(HEAD)
    assert read.channels == ()
    assert read.selection == Selection()
    assert read.transfer == Transfer()
    assert read.publish == Publish()
    assert read.prune == Prune()
    assert (read.root, read.state) == (Path("/srv/conda"), Path("/var/lib/mirrortui/lab"))


# ------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        (HEAD + "[transfr]\nretries = 1\n", "transfr", "transfer"),
        (HEAD.replace("root", "rot"), "mirror.rot", "root"),
        (HEAD + "[selection]\nnewest_version = 1\n", "selection.newest_version", "newest_versions"),
        (HEAD + "[transfer]\nconnection = 1\n", "transfer.connection", "connections"),
        (HEAD + "[publish]\nzstd = true\n", "publish.zstd", "zst"),
        (HEAD + "[prune]\nmaxshare = 1\n", "prune.maxshare", "max_share"),
        (HEAD + CHANNEL + "[[channels]]\nsubdir = []\n", "channels[1].subdir", "subdirs"),
        (HEAD + CHANNEL + "[channels.selection]\nexcludes = []\n", "channels[0].selection.excludes", "exclude"),
        (HEAD + '[transfer]\n"\\u001b[31mx" = 1\n', r"transfer.\x1b[31mx", "Known: "),
        (HEAD + "[prune]\nzzz = 1\n", "prune.zzz", "Known: enabled, grace, max_share, never"),
    ],
)
def test_an_unknown_key_is_named_with_its_nearest(text: str, key: str, near: str) -> None:
    error = refused(text)
    assert error.what == f"unknown key {key}"
    assert near in error.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (HEAD.replace('"lab"', "5"), "mirror.name: expected text, got number"),
        (HEAD.replace("version = 1", 'version = "1"'), "version: expected number, got text"),
        (HEAD + "[selection]\ninclude = 'x'\n", "selection.include: expected list, got text"),
        (HEAD + "[selection]\ninclude = [1]\n", "selection.include[0]: expected text, got number"),
        (HEAD + "[selection]\nnewest_versions = true\n", "selection.newest_versions: expected number, got true or false"),
        (HEAD + "[selection]\nwith_dependencies = 1\n", "selection.with_dependencies: expected true or false, got number"),
        (HEAD + "[publish]\nzst = 'yes'\n", "publish.zst: expected true or false, got text"),
        (HEAD + "[prune]\nmax_share = '0.2'\n", "prune.max_share: expected number, got text"),
        (HEAD + "[channels]\nname = 'x'\n", "channels: expected list, got table"),
        ("selection = 3\n" + HEAD, "selection: expected table, got number"),
        ("mirror = []\n", "mirror: expected table, got list"),
        (HEAD + CHANNEL + "selection = 3\n", "channels[0].selection: expected table, got number"),
        (HEAD + CHANNEL + "[channels.selection]\nnewest_builds = 'x'\n", "channels[0].selection.newest_builds: expected number, got text"),
        ("", "the file: the required key is missing: mirror"),
        ("[mirror]\nname = 'x'\n", "mirror: the required key is missing: root"),
        (HEAD + "[[channels]]\nname = 'x'\n", "channels[0]: the required key is missing: upstreams"),
    ],
)  # fmt: skip
def test_a_wrong_type_or_a_missing_key_is_said_in_the_words_of_the_file(text: str, what: str) -> None:
    assert refused(text).what.replace("`", "") == what


@pytest.mark.parametrize("value", ["2025-01-31", "2025-01-31T10:00:00Z", "20250131"])
def test_a_date_without_quotes_is_told_to_put_them(value: str) -> None:
    error = refused(HEAD + f"[selection]\nbefore = {value}\n")
    assert error.what.startswith("selection.before: expected text")
    assert error.hint == "Put it in quotes"


@pytest.mark.parametrize("where", ["[selection]", CHANNEL + "[channels.selection]"])
@pytest.mark.parametrize(
    ("key", "choices"), [("formats", "all, prefer-conda, conda, tar.bz2"), ("unknown_license", "keep, drop")]
)
def test_a_word_that_is_no_choice_is_told_the_choices(where: str, key: str, choices: str) -> None:
    error = refused(HEAD + f'{where}\n{key} = "zip - at `$.x`"\n')
    assert key in error.what
    assert error.hint == f"Write one of {choices}"


@pytest.mark.parametrize(
    ("replace", "by", "what"),
    [
        ("version = 1", "version = 2", "version 2 is not known"),
        ('"lab"', '""', "mirror.name"),
        ('"lab"', '"a b"', "mirror.name"),
        ('"lab"', '"../x"', "mirror.name"),
        ('"/srv/conda"', '"srv/conda"', "mirror.root"),
        ('"/srv/conda"', '"~/conda"', "mirror.root"),
        ('"/srv/conda"', '"/"', "mirror.root"),
        ('"/srv/conda"', '"/srv/.."', "mirror.root"),
        ('"/srv/conda"', '"/srv/\\u0000x"', "mirror.root"),
        ('"/srv/conda"', '"/srv/a\\nb"', "mirror.root"),
        ('"/var/lib/mirrortui/lab"', '"state"', "mirror.state"),
        ('"/var/lib/mirrortui/lab"', '"/srv/conda"', "mirror.state"),
        ('"/var/lib/mirrortui/lab"', '"/srv/conda/.state"', "mirror.state"),
        ('"/var/lib/mirrortui/lab"', '"/srv/x/../conda/s"', "mirror.state"),
        ('"/var/lib/mirrortui/lab"', '"/srv"', "mirror.state"),
        ('"http://mirror.lab"', '"mirror.lab"', "mirror.url"),
        ('"http://mirror.lab"', '"ftp://mirror.lab"', "mirror.url"),
        ('"http://mirror.lab"', '"http://mirror.lab/noarch-mirror"', "mirror.url"),
        ('"http://mirror.lab"', '"http://mirror.lab/t/x"', "mirror.url"),
        ('"http://mirror.lab"', '"file:///srv/linux-64"', "mirror.url"),
        ('"http://mirror.lab"', '"/srv/noarch"', "mirror.url"),
        ('"http://mirror.lab"', '"http://[::1"', "mirror.url"),
    ],
)  # fmt: skip
def test_impossible_places_are_refused(replace: str, by: str, what: str) -> None:
    assert HEAD.count(replace) == 1
    assert refused(HEAD.replace(replace, by)).what.startswith(what)


@pytest.mark.parametrize(
    ("replace", "by", "what"),
    [
        ('"conda-forge"', '"../x"', "channels[0]: "),
        ('"conda-forge"', '"noarch"', "channels[0]: conda takes “noarch” for the subdir"),
        ('"conda-forge"', '"conda-forge/"', "channels[0].name: write conda-forge"),
        ('"conda-forge"', '"shards"', "channels[0]: "),
        ('"linux-64", ', '"Linux", ', "channels[0]: “Linux” is no subdir name"),
        ('"linux-64", ', '"noarch", ', "channels[0].subdirs: a subdir is named twice"),
        ('["https://conda.anaconda.org/conda-forge"]', "[]", "channels[0].upstreams: at least one"),
        (
            "https://conda.anaconda.org/conda-forge",
            "conda-forge",
            "channels[0].upstreams[0]: conda-forge has no scheme",
        ),
        (
            "https://conda.anaconda.org/conda-forge",
            "https://h/x?token=y",
            "channels[0].upstreams[0]: https://h/x?token=y has a query",
        ),
        (
            "https://conda.anaconda.org/conda-forge",
            "https://h/\\u001b[2J",
            "channels[0].upstreams[0]: https://h/\\x1b[2J is no URL",
        ),
    ],
)
def test_impossible_channels_are_refused(replace: str, by: str, what: str) -> None:
    assert CHANNEL.count(replace) == 1
    assert refused(HEAD + CHANNEL.replace(replace, by)).what.startswith(what)


def test_two_channels_of_one_name_are_refused() -> None:
    error = refused(HEAD + CHANNEL + CHANNEL)
    assert error.what == "channels[1]: a second channel named conda-forge"
    assert error.hint == "Merge the two entries"


@pytest.mark.parametrize("where", ["selection", "channels[0].selection"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("before", '"31.1.2025"'), ("min_age", '"soon"'), ("min_age", '"7"'), ("max_size", '"big"'), ("max_size", '"\\u001b[31m"'),
        ("python", '["3"]'), ("python", '["3.12.1"]'), ("python", '["\\u202e"]'), ("newest_versions", "-1"), ("newest_builds", "-1"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_read_are_named_by_their_key(where: str, key: str, value: str) -> None:
    table = "[selection]" if where == "selection" else CHANNEL + "[channels.selection]"
    assert refused(f"{HEAD}{table}\n{key} = {value}\n").what.startswith(f"{where}.{key}: ")


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("transfer", "connections = 0"), ("transfer", "connections = 257"), ("transfer", "retries = -1"), ("transfer", "retries = 101"),
        ("transfer", 'limit = "fast"'), ("transfer", 'proxy = "proxy:3128"'), ("transfer", 'proxy = "ftp://p:1"'),
        ("transfer", 'proxy = "http://p:99999"'), ("transfer", 'ca_bundle = "ca.pem"'), ("prune", "max_share = 0"), ("prune", "max_share = 1.1"),
        ("prune", "max_share = nan"), ("prune", "max_share = -inf"), ("prune", 'grace = "long"'),
    ],
)  # fmt: skip
def test_numbers_out_of_their_range_are_named_by_their_key(section: str, line: str) -> None:
    assert refused(f"{HEAD}[{section}]\n{line}\n").what.startswith(f"{section}.{line.split(' ', maxsplit=1)[0]}: ")


@pytest.mark.parametrize(
    "text", ["[mirror", "a = ", "a = 1\na = 2", "\x1b", "[a]\n[a]", HEAD + "[mirror]\n", "x = '\n'", '"\\ud800" = 1']
)
def test_broken_toml_is_said_with_its_line(text: str) -> None:
    assert refused(text).what.startswith("is not valid TOML: ")


def test_text_that_is_not_utf8_is_refused() -> None:
    assert refused(b"\xff\xfe" + HEAD.encode("utf-16-le")).what == "is not UTF-8 text"
    assert refused(HEAD.replace("lab", "läb").encode("latin-1")).what == "is not UTF-8 text"


@pytest.mark.parametrize(
    "url",
    ["https://me:hunter2@h/x?q=1", "https://me:hunter2@h:port/x", "https://h/t/hunter2/x y", "ftp://me:hunter2@h"],
)
def test_errors_never_tell_a_secret(url: str) -> None:
    for text in (
        HEAD + CHANNEL.replace("https://conda.anaconda.org/conda-forge", url),
        HEAD.replace("http://mirror.lab", url),
        f'{HEAD}[transfer]\nproxy = "{url} "',
    ):
        assert "hunter2" not in str(refused(text))


toml_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "selection", "x", "root", "python"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["mirror", "channels", "selection", "transfer", "publish", "prune", "version", "odd"]),
    st.sampled_from(
        [None, *(f.name for s in (Mirror, Selection, Transfer, Publish, Prune) for f in msgspec.structs.fields(s))]
    ),
    toml_values,
)
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_clean_line(
    section: str, key: str | None, value: Any
) -> None:
    raw = config.to_dict(made())
    if key is None or not isinstance(raw.setdefault(section, {}), dict):
        raw[section] = value
    else:
        raw[section][key] = value
    try:
        config.from_dict(raw)
    except ConfigError as error:
        assert_clean(error)


# ---------------------------------------------------------------------------------- rules per channel


def test_a_channel_overrides_the_selection_key_by_key() -> None:
    text = HEAD + CHANNEL + '[channels.selection]\nnewest_versions = 2\npython = ["3.12"]\n'
    text += (
        CHANNEL.replace("conda-forge", "bioconda")
        + '[selection]\nexclude = ["x"]\nnewest_versions = 5\npython = ["3.11"]\n'
    )
    read = config.loads(text)
    forge, bio = (read.rules(channel) for channel in read.channels)
    assert (forge.newest_versions, forge.python, forge.exclude) == (2, ("3.12",), ("x",))
    assert (bio.newest_versions, bio.python, bio.exclude) == (5, ("3.11",), ("x",))
    assert read.selection == bio


def test_an_override_may_empty_a_list_and_equal_a_default() -> None:
    text = (
        HEAD
        + CHANNEL
        + "[channels.selection]\nexclude = []\nnewest_versions = 0\n"
        + '[selection]\nexclude = ["x"]\nnewest_versions = 5\n'
    )
    read = config.loads(text)
    assert read.rules(read.channels[0]).exclude == ()
    assert read.rules(read.channels[0]).newest_versions == 0
    assert config.loads(config.dumps(read)) == read


def test_a_channel_is_found_by_name_or_named_by_its_nearest() -> None:
    read = config.loads(HEAD + CHANNEL)
    assert read.channel("conda-forge") is read.channels[0]
    with pytest.raises(ConfigError, match="Did you mean conda-forge"):
        read.channel("conda-froge")


# ------------------------------------------------------------------------------------- write and read

words = st.text(alphabet=string.ascii_letters + string.digits + " .*=<>!\"'\\[]{}#\n\té漢", max_size=12)
texts = st.lists(words, max_size=3).map(tuple)
selections = st.fixed_dictionaries(
    {},
    optional={
        "include": texts, "exclude": texts, "always": texts, "exclude_licenses": texts, "environments": texts,
        "unknown_license": st.sampled_from(["keep", "drop"]), "formats": st.sampled_from(["all", "prefer-conda", "conda", "tar.bz2"]),
        "runtime_exceptions": st.booleans(), "with_dependencies": st.booleans(), "newest_versions": st.integers(0, 9),
        "newest_builds": st.integers(0, 9), "python": st.lists(st.sampled_from(["3.9", "3.12", "2.7"]), max_size=2).map(tuple),
        "before": st.sampled_from(["", "2025-01-31"]), "min_age": st.sampled_from(["", "7 days"]), "max_size": st.sampled_from(["", "2 GB"]),
    },
)  # fmt: skip
names = st.sampled_from(["conda-forge", "pkgs/main", "a/b/c", "x.y"])
configs = st.builds(
    lambda channels, own, chosen, transfer, publish, prune: MirrorConfig(
        mirror=Mirror(name="lab", root="/srv/ü x", url="file:///srv/x", state="/var/lib/'q\""),
        channels=tuple(
            Channel(name=name, upstreams=("https://u:p@h/x", "file:///y"), subdirs=("noarch", "linux-64"), selection={k: list(v) if isinstance(v, tuple) else v for k, v in own.items()})
            for name in channels
        ),
        selection=Selection(**chosen), transfer=Transfer(**transfer), publish=Publish(**publish), prune=Prune(**prune),
    ),
    st.lists(names, unique=True, max_size=3), selections, selections,
    st.fixed_dictionaries({}, optional={"connections": st.integers(1, 256), "limit": st.just("5 MB/s"), "retries": st.integers(0, 100)}),
    st.fixed_dictionaries({}, optional={key: st.booleans() for key in ("zst", "bz2", "shards", "current")}),
    st.fixed_dictionaries({}, optional={"enabled": st.booleans(), "max_share": st.floats(0.001, 1), "never": texts, "grace": st.just("1 day")}),
)  # fmt: skip


@given(configs)
def test_what_is_written_is_read_back(written: MirrorConfig) -> None:
    assert config.loads(config.dumps(written)) == written
    assert config.from_dict(config.to_dict(written)) == written


def test_only_what_differs_from_the_default_is_written() -> None:
    raw = config.to_dict(made(selection=Selection(newest_versions=3)))
    assert raw["selection"] == {"newest_versions": 3}
    assert set(raw) == {"version", "mirror", "channels", "selection"}
    assert "selection" not in raw["channels"][0]
