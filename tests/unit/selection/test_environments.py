"""Environment files: what each kind asks for, what pins exact builds, and that a bad one is the operator's error."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from mirrortui.errors import ConfigError
from mirrortui.selection import environments
from mirrortui.selection.environments import LockedFile, Seeds, seeds
from tests.unit.selection.environment_files import (
    CONDA_LOCK,
    ENV_EXPORT,
    ENVIRONMENT,
    EXPLICIT,
    LIST_EXPORT,
    MD5,
    OLD_PIXI_LOCK,
    PIXI_LOCK,
    SHA,
    URL,
    write,
)

FULL = LockedFile("conda-forge", "linux-64", "numpy-1.26.4-py312h_0.conda", SHA, MD5)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("environment.yml", ENVIRONMENT, Seeds(specs=("python=3.12", "conda-forge::numpy >=1.26,<2", "pip"))),
        (
            "environment.yaml",
            ENV_EXPORT,
            Seeds(builds=("numpy==1.26.4=py312h_0", "conda-forge::tzdata==2024a=h0c530f3_0")),
        ),
        ("conda-lock.yml", CONDA_LOCK, Seeds(files=(FULL,))),
        ("pixi.lock", PIXI_LOCK, Seeds(files=(FULL,))),
        ("pixi.lock", OLD_PIXI_LOCK, Seeds(files=(FULL,))),
        (
            "explicit.txt",
            EXPLICIT,
            Seeds(
                files=(
                    LockedFile("conda-forge", "linux-64", "numpy-1.26.4-py312h_0.conda", "", MD5),
                    LockedFile("pkgs/main", "noarch", "tzdata-2024a-h_0.tar.bz2"),
                )
            ),
        ),
        (
            "export.txt",
            LIST_EXPORT,
            Seeds(builds=("numpy==1.26.4=py312h_0", "tzdata==2024a=h0c530f3_0", "wheelish==1.0=pypi_0")),
        ),
        ("specs.txt", "python=3.12\n\n# comment\n numpy >=1.26 \n", Seeds(specs=("python=3.12", "numpy >=1.26"))),
        ("mixed.txt", "numpy=1.26.4=py312h_0\nscipy\n", Seeds(specs=("numpy=1.26.4=py312h_0", "scipy"))),
        ("glob.txt", "numpy=1.26.4=py312*\n", Seeds(specs=("numpy=1.26.4=py312*",))),
        ("versions.txt", "numpy=1.26.*=py312h_0\n", Seeds(specs=("numpy=1.26.*=py312h_0",))),
        ("empty.yml", "dependencies: []", Seeds()),
    ],
)
def test_each_kind_of_file_is_understood(tmp_path: Path, name: str, text: str, expected: Seeds) -> None:
    assert seeds((write(tmp_path, name, text),)) == expected


@pytest.mark.parametrize("name", ["conda-linux-64.lock", "list.yml", "list.txt", "no-suffix"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_an_explicit_list_is_known_by_its_mark_not_by_its_name(
    tmp_path: Path, name: str, start: bytes, newline: bytes
) -> None:
    text = start + EXPLICIT.encode().replace(b"\n", newline)
    assert [file.fn for file in seeds((write(tmp_path, name, text),)).files] == [
        "numpy-1.26.4-py312h_0.conda",
        "tzdata-2024a-h_0.tar.bz2",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{URL}#{MD5}", ("conda-forge", "", MD5)), (f"{URL}#sha256:{SHA}", ("conda-forge", SHA, "")), (f"{URL}#{SHA}", ("conda-forge", SHA, "")), (URL, ("conda-forge", "", "")),
        (URL.replace("https://", "https://user:secret@"), ("conda-forge", "", "")), (URL.replace("/conda-forge", "/t/tk-123/conda-forge/label/rc"), ("t/tk-123/conda-forge/label/rc", "", "")),
        ("file:///srv/conda/conda-forge/linux-64/numpy-1.26.4-py312h_0.conda", ("srv/conda/conda-forge", "", "")), (URL.replace("numpy", "%6eumpy"), ("conda-forge", "", "")),
        ("/srv/conda-forge/linux-64/numpy-1.26.4-py312h_0.conda", ("srv/conda-forge", "", "")),
    ],
)  # fmt: skip
def test_a_line_of_an_explicit_list(tmp_path: Path, line: str, expected: tuple[str, str, str]) -> None:
    (file,) = seeds((write(tmp_path, "list.txt", f"@EXPLICIT\n{line}\n"),)).files
    assert (file.channel, file.sha256, file.md5, file.subdir, file.fn) == (
        *expected,
        "linux-64",
        "numpy-1.26.4-py312h_0.conda",
    )


@pytest.mark.parametrize(
    ("said", "channel", "same"),
    [("conda-forge", "conda-forge", True), ("anaconda/cloud/conda-forge", "conda-forge", True), ("pkgs/main", "pkgs/main", True), ("anaconda/pkgs/main", "pkgs/main", True),
     ("t/tk/conda-forge", "conda-forge", True), ("conda-forge/label/rc", "conda-forge", False), ("my-conda-forge", "conda-forge", False), ("conda-forge", "forge", False)],
)  # fmt: skip
def test_a_url_is_of_a_channel_on_whatever_host(said: str, channel: str, same: bool) -> None:
    assert LockedFile(said, "linux-64", "a-1-0.conda").is_of(channel) is same


BAD = [
    "dependencies: " + "[" * 1000, "{a: " * 1000, "a: b: c", "", "null", "5", "- a", "dependencies:", "dependencies: {a: b}", "packages: 5", "name: x", "a: 2001-99-99", 'a: !!int "zz"',
    "a: !!bool x", 'dependencies: !!python/object/apply:os.system ["id"]', "dependencies: [*x]", "---\na: 1\n---\nb: 2", "dependencies: [a]\ndependencies: [b]", "dependencies: ['a >==']",
    "dependencies: ['']", "packages: [{conda: 'x/../y/a-1-0.conda'}]", "packages: [{conda: 'https://h/c/linux-64/../../etc-1-0.conda'}]", "packages: [{conda: 'http://[::1/c/linux-64/a-1-0.conda'}]",
    "packages: [{conda: 'https://h/c/linux 64/a-1-0.conda'}]", "packages: [{conda: 'https://h/c/linux-64/a%2f..-1-0.conda'}]", "@EXPLICIT\nnumpy", "@EXPLICIT\nhttps://h/c/linux-64/readme.txt",
    b"\xff\xfed\x00e\x00", b"dependencies: [a\x00b]", "dependencies: ['\x1b[31mred >==']",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | bytes) -> None:
    path = write(tmp_path, "environment.yml", text)
    with pytest.raises(ConfigError) as caught:
        seeds((path,))
    assert path in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_the_line_of_an_error_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 3"):
        seeds((write(tmp_path, "environment.yml", "name: x\nchannels: []\ndependencies: [a]]\n"),))
    with pytest.raises(ConfigError, match="“numpy >==”"):
        seeds((write(tmp_path, "specs.txt", "python\nnumpy >==\n"),))


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir()])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "gone.yml"
    make(path)
    with pytest.raises(ConfigError, match=r"gone\.yml"):
        seeds((str(path),))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.lock"
    with path.open("wb") as stream:
        stream.truncate(environments.MAX_BYTES + 1)
    with pytest.raises(ConfigError, match="64 MB"):
        seeds((str(path),))


def test_many_references_to_one_list_do_not_grow(tmp_path: Path) -> None:
    lines = [
        "a: &a [x, x]",
        *(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}, *{chr(97 + i)}]" for i in range(20)),
        "dependencies: [numpy, *u]",
    ]
    began = time.monotonic()
    assert seeds((write(tmp_path, "environment.yml", "\n".join(lines)),)).specs == ("numpy",)
    assert time.monotonic() - began < 5


def test_several_files_are_one_wish_and_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    one, two = write(tmp_path, "one.txt", "numpy\nscipy\n"), write(tmp_path, "two.yml", "dependencies: [scipy, pandas]")
    assert seeds((one, two)).specs == ("numpy", "scipy", "pandas")
    write(tmp_path, "one.txt", "scipy\n")
    os.utime(one, ns=(1, 1))
    assert seeds((one, two)).specs == ("scipy", "pandas")
    assert seeds(()) == Seeds()
