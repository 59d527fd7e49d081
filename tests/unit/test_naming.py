import unicodedata
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrortui import naming
from mirrortui.errors import NameRefused
from tests.unit.lines import assert_clean

HOSTILE = [
    "..", ".", "", " ", "/", "../../etc", "a/../b", "a/./b", "a//b", "a\\b", "a\x00b", "a\nb", "a\x1b[2Jb", "a b", "a\tb",
    "a%2fb", "a?b", "a#b", "a*b", "a:b", "~", "-rf", "~root", "$HOME", "`id`", "a;b", "a|b", "a'b", 'a"b', "\u202eabc", "а-кириллица",
    "ｆｕｌｌ", "a\u200bb", "a\ufeffb", "é", "a\u0301", "\ud800", "\U000e0041", "a\x85b", "a\u2028b",
]  # fmt: skip

any_text = st.text(max_size=80) | st.text(alphabet="abt/.-_~!+ \x00\n%2e\\linuxorch64", max_size=40)


# ------------------------------------------------------------------------------------------- channels


@pytest.mark.parametrize(
    "name", ["conda-forge", "pkgs/main", "conda-forge/label/rc", "a", "_x", "A.b_c+d-e", "x" * 128]
)
def test_channel_names_of_the_field_pass(name: str) -> None:
    assert naming.channel(name) == name


def test_slashes_and_blanks_around_a_channel_are_taken_off() -> None:
    assert naming.channel(" /pkgs/main/ ") == "pkgs/main"


@pytest.mark.parametrize("name", [n for n in HOSTILE if n != "/"])
def test_hostile_channels_are_refused_in_one_clean_line(name: str) -> None:
    for text in (name, f"ok/{name}/ok", f"ok/{name}x/ok" if name in ("..", ".") else f"{name}x"):
        if text in ("..x", " x", "x", "ok/ /ok"):
            continue
        with pytest.raises(NameRefused) as caught:
            naming.channel(text)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", ["a.", "x" * 129, "/".join("abcdefghi"), "/".join(["x" * 100] * 3), "snapshots/x", "shards", "static/css"]
)
def test_too_long_too_deep_and_reserved_channels_are_refused(name: str) -> None:
    with pytest.raises(NameRefused):
        naming.channel(name)


@pytest.mark.parametrize(
    "name",
    [
        "noarch",
        "noarch-x",
        "noarchive",
        "linux-64",
        "my/linux-64",
        "linux-64-copy/x",
        "t",
        "a/t/b",
        "osx-arm64x",
        "win-32",
    ],
)
def test_components_that_conda_reads_as_a_platform_or_a_token_are_refused(name: str) -> None:
    with pytest.raises(NameRefused, match="conda takes") as caught:
        naming.channel(name)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["tt", "t1", "xnoarch", "linux", "linux-6", "zos-zed", "my-linux-64"])
def test_components_that_only_resemble_the_traps_pass(name: str) -> None:
    assert naming.channel(name) == name


@pytest.mark.parametrize("path", ["/srv/noarch-mirror", "srv/t/conda", "/mnt/linux-64", "/a%2Db/t", "/%74/x", "noarch"])
def test_a_mirror_path_that_confuses_conda_is_refused(path: str) -> None:
    with pytest.raises(NameRefused) as caught:
        naming.client_path(path, "mirror.url")
    assert caught.value.where == "mirror.url"


def test_an_innocent_mirror_path_passes() -> None:
    naming.client_path("/srv/conda/mirror//x/", "mirror.url")


@given(any_text)
def test_a_channel_that_passes_stays_below_the_root(text: str) -> None:
    try:
        name = naming.channel(text)
    except NameRefused as error:
        assert_clean(error)
        return
    path = PurePosixPath("/root") / name
    assert path.is_relative_to("/root")
    assert ".." not in path.parts
    assert name.isascii()
    assert name == naming.channel(name)
    assert naming.join_url("https://h", name) == f"https://h/{name.replace('+', '%2B')}"


# --------------------------------------------------------------------------------- subdirs, file names


@pytest.mark.parametrize("name", [*naming.KNOWN_SUBDIRS, "linux-loong64", "haiku-x86"])
def test_known_and_new_subdirs_pass(name: str) -> None:
    assert naming.subdir(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "Linux-64",
        "linux",
        "linux-64 ",
        "linux-64\n",
        "linux-64-x",
        "noarch2",
        "linux_64",
        "x" * 40 + "-" + "y" * 40,
    ],
)
def test_what_is_no_subdir_is_refused(name: str) -> None:
    with pytest.raises(NameRefused) as caught:
        naming.subdir(name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name",
    ["a-1-0.conda", "_libgcc_mutex-0.1-main.conda", "ca-certificates-2024.7.4-h.tar.bz2", "x-1!2.0+cu118-0.conda", "7zip-19-0.conda",
     "x-1~rc1-0.tar.bz2", "a" * (naming.MAX_FILE - 6) + ".conda"],
)  # fmt: skip
def test_package_names_pass(name: str) -> None:
    assert naming.file_name(name) == name
    assert naming.is_file_name(name)


@pytest.mark.parametrize(
    "name",
    [*HOSTILE, *(f"{bad}-1-0.conda" for bad in HOSTILE if bad not in ("", " ", "..", ".", "~", "/")), "x.conda\n", "x.conda.part",
     ".conda", ".x.conda", "../x.conda", "a/x.conda", "x.zip", "x.tar.bz", "xconda", "-x.conda", "!x.conda", "x.CONDA", "x.tar.bz2 ",
     "a" * naming.MAX_FILE + ".conda"],
)  # fmt: skip
def test_what_is_no_package_name_is_refused(name: str) -> None:
    assert not naming.is_file_name(name)
    with pytest.raises(NameRefused) as caught:
        naming.file_name(name)
    assert str(caught.value).isprintable()


@given(any_text, st.sampled_from([".conda", ".tar.bz2"]))
def test_a_file_name_that_passes_is_one_visible_component(text: str, suffix: str) -> None:
    name = text + suffix
    if naming.is_file_name(name):
        assert "/" not in name
        assert not name.startswith((".", "-"))
        assert name.isascii()
        assert name.isprintable()
        assert " " not in name
        assert len(f".{name}.part") < 255


# ------------------------------------------------------------------------------------------------ URLs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://conda.anaconda.org/conda-forge/", "https://conda.anaconda.org/conda-forge"),
        (" http://h:8080/x ", "http://h:8080/x"),
        ("HTTPS://Host/x", "https://Host/x"),
        ("https://user:pw@h/t/tk-1/x", "https://user:pw@h/t/tk-1/x"),
        ("file:///srv/x/", "file:///srv/x"),
        ("/srv/a b", "file:///srv/a%20b"),
        ("/srv/ü", "file:///srv/%C3%BC"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
    ],
)
def test_upstream_urls_pass_without_their_last_slash(text: str, expected: str) -> None:
    assert naming.upstream_url(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "conda-forge", "ftp://h/x", "javascript:alert(1)", "http://", "http:///x", "https:x", "http://h/x?q=1", "http://h/x#f",
     "http://h/../x", "http://h/%2e%2e/x", "http://h/a/./b", "http://h:99999/", "http://h:port/", "http://[::1", "http://[bad]/x",
     "http://exa\u2100mple.com", "http://h/a b", "http://h/<x>", "http://h/\x1b", "http://h/%1b[2J", "http://h/%0d%0aX", "file://host/x",
     "file:relative", "file:///%00", "/", "file:///", "/srv/x\x00y", "/srv/../etc", "//host/share", "file:////host/share", "http://h/\u202e"],
)  # fmt: skip
def test_what_is_no_upstream_is_refused_in_one_clean_line(text: str) -> None:
    with pytest.raises(NameRefused) as caught:
        naming.upstream_url(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "https://me:hunter2@h/x?q",
        "https://me:hunter2@[h",
        "ftp://me:hunter2@h",
        "https://me:hun#hunter2@h/",
        "https://h/t/hunter2/x y",
    ],
)
def test_a_refused_url_does_not_tell_its_secret(text: str) -> None:
    with pytest.raises(NameRefused) as caught:
        naming.upstream_url(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=60) | st.from_regex(r"https?://[a-z@:\[\].]{0,12}[/a-z%.?#]{0,20}", fullmatch=True))
def test_any_text_is_a_clean_url_or_refused(text: str) -> None:
    try:
        url = naming.upstream_url(text)
    except NameRefused as error:
        assert_clean(error)
        return
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https", "file")
    assert bool(parts.hostname) == (parts.scheme != "file") or parts.hostname == "localhost"
    assert not url.endswith("/") or parts.path in ("", "/")
    assert ".." not in unquote(parts.path).split("/")
    assert unquote(url).isprintable()
    assert naming.upstream_url(url) == url


def test_joined_urls_are_percent_encoded() -> None:
    url = naming.join_url("https://h/c/", "linux-64", "x-1!2.0+cu118-0.conda")
    assert url == "https://h/c/linux-64/x-1%212.0%2Bcu118-0.conda"
    assert naming.join_url("https://h", "pkgs/main") == "https://h/pkgs/main"
    assert naming.join_url("https://h", "a?b#c d") == "https://h/a%3Fb%23c%20d"


def test_a_file_url_leads_back_to_its_path() -> None:
    for path in ("/srv/conda", "/srv/a b/ü+!%", "/srv/x#y"):
        assert naming.file_url_path(naming.upstream_url(path)) == Path(path)


# --------------------------------------------------------------------------------- masking and display


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://h/t/tk-123/main", "https://h/t/***/main"),
        ("https://h/t/tk-123", "https://h/t/***"),
        ("https://me:pw@h/x", "https://***@h/x"),
        ("https://me@h/x", "https://***@h/x"),
        ("https://me:p@ss@h/x", "https://***@h/x"),
        ("https://me:p#s?s@h/x", "https://***@h/x"),
        ("GET https://a:b@h/x then http://c:d@i/t/tok/y.", "GET https://***@h/x then http://***@i/t/***/y."),
        ("socks5://me:pw@proxy:1080", "socks5://***@proxy:1080"),
        ("https://h/x", "https://h/x"),
        ("https://h/@scope/x", "https://h/@scope/x"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_tokens_and_passwords_are_masked_wherever_they_stand(text: str, expected: str) -> None:
    assert naming.mask(text) == expected
    assert naming.has_secret(text) == (text != expected)


@given(
    st.text(
        alphabet=st.characters(
            exclude_characters="/ \n\t\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0", exclude_categories=("Z", "C")
        ),
        min_size=6,
        max_size=20,
    )
)
def test_no_password_gets_through(secret: str) -> None:
    if secret not in "***@host/t/":
        assert secret not in naming.mask(f"see https://me:{secret}@host/channel for more")


def test_masking_of_a_long_hostile_text_is_linear() -> None:
    naming.mask("//" * 200_000)
    naming.mask("/t/" * 200_000)
    naming.mask("//" + "a" * 500_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc\rd", "a b c d"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\x9b31m", "\\x9b31m"),
        ("bad \udc80 bytes", "bad \\udc80 bytes"),
        ("naïve 漢字", "naïve 漢字"),
        (12, "12"),
        (None, "None"),
    ],
)
def test_display_shows_what_is_there_and_nothing_acts(text: object, expected: str) -> None:
    assert naming.display(text) == expected


@given(st.text(max_size=400), st.integers(1, 50))
def test_displayed_text_is_one_short_printable_line(text: str, limit: int) -> None:
    line = naming.display(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in line)
    line.encode("utf-8")


def test_a_secret_is_masked_before_a_text_is_cut() -> None:
    assert "hunter2" not in naming.display("x" * 280 + " https://me:hunter2@host/x" + "y" * 100)


@pytest.mark.parametrize(
    ("template", "secret"),
    [
        ("https://conda.test/lab", False),
        ("https://conda.test/t/${TOK}/lab", False),
        ("https://${USER}:${PW}@conda.test/lab", False),
        ("https://conda.test/t/tk-123/lab", True),
        ("https://bob:pw@conda.test/lab", True),
        ("https://bob:pw@conda.test/t/${TOK}/lab", True),
        ("https://${USER}:pw@conda.test/lab", True),
    ],
)
def test_what_a_variable_stands_for_is_no_secret_of_the_file(template: str, secret: bool) -> None:
    assert naming.holds_secret(template) is secret
