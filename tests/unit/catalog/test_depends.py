"""Dependencies as columns: the same as a plain reading of the body, whatever it holds and whatever became of the cache."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zstandard

from mirrortui.catalog import cache, depends
from mirrortui.catalog.index import SubdirIndex
from mirrortui.errors import BadRepodata
from tests.unit.accounts import as_nobody, only_root
from tests.unit.catalog import made


def again(index: SubdirIndex) -> SubdirIndex:
    """The same index as another process would open it."""
    found = cache.open_index(index.folder.parents[3], index.channel, index.subdir) if index.folder else None
    assert found is not None
    return found


def texts(index: SubdirIndex) -> list[list[str]]:
    links = depends.depends(index)
    return [links.of(row) for row in range(index.rows)]


def raw(*records: str) -> bytes:
    """A body of records a-1-0, b-1-0, ... with further fields as JSON text."""
    base = '"name":"%s","version":"1","build":"0"'
    entries = [
        f'"{name}-1-0.conda":{{{base % name}{"," + more if more else ""}}}'
        for name, more in zip("abcdefgh", records, strict=False)
    ]
    return ('{"packages.conda":{' + ",".join(entries) + "}}").encode()


HUGE, BEYOND = "9" * 400, "1e400"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", []),
        ('"depends":[]', []),
        ('"depends":["x >=1","y"]', ["x >=1", "y"]),
        ('"depends":["x","x"]', ["x", "x"]),
        ('"depends":null', []),
        ('"depends":true', []),
        ('"depends":3', []),
        ('"depends":-0.5', []),
        ('"depends":"x >=1"', []),
        ('"depends":{"x":">=1"}', []),
        ('"depends":[["x"],{"y":1},null,3,true,"z"]', ["z"]),
        (f'"depends":["x",{HUGE}]', ["x"]),
        (f'"depends":["x",{BEYOND}]', []),
        (f'"depends":{BEYOND}', []),
        (f'"depends":["x"],"zz":{BEYOND}', ["x"]),
        (f'"depends":["x",null],"zz":{HUGE}', ["x"]),
        (f'"depends":{HUGE},"zz":{BEYOND}', []),
        (r'"depends":["x \u003e=1","\u0079"]', ["x >=1", "y"]),
        ('"depends":["x"],"depends":["y"]', ["y"]),
        ('"depends":["", " ", "\\u0000", "é 漢 \\u202e"]', ["", " ", "\0", "é 漢 \u202e"]),
    ],
)
def test_any_json_under_depends_is_read_and_spoils_no_other_record(
    tmp_path: Path, field: str, expected: list[str]
) -> None:
    index = made.index(tmp_path, raw('"depends":["q"]', field, '"depends":["r","q"]'))
    assert texts(index) == [["q"], expected, ["r", "q"]]
    assert texts(again(index)) == [["q"], expected, ["r", "q"]]


def test_bytes_that_are_no_text_spoil_only_their_record(tmp_path: Path) -> None:
    index = made.index(
        tmp_path, raw('"depends":["q"]', '"depends":["@"]', '"zz":"@"', '"depends":["r"]').replace(b"@", b"\xff\xfe")
    )
    assert texts(index) == [["q"], [], [], ["r"]]


@pytest.mark.parametrize("size", [1, 7, 60, 200, 1 << 20])
def test_rows_keep_their_dependencies_beside_refused_and_repeated_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A refused record may have the name of a later good one; of two good ones the later counts."""
    monkeypatch.setattr(cache.unpacked, "__defaults__", (size,))
    good = '"%s":{"name":"%s","version":"1","build":"0","depends":["%s"]}'
    parts = [
        good % ("a-1-0.conda", "a", "for a"),
        '"b-1-0.conda":null',
        good % ("../x-1-0.conda", "x", "for x"),
        '"b-1-0.conda":{"name":"","depends":["refused"]}',
        good % ("b-1-0.conda", "b", "for b"),
        '"c-1-0.conda":[]',
        good % ("a-1-0.conda", "a", "for a, later"),
    ]
    index = made.index(
        tmp_path,
        (
            '{"packages.conda":{'
            + ",".join(parts)
            + '},"packages":{"c-1-0.tar.bz2":{"name":"c","version":1,"depends":["for c"]}}}'
        ).encode(),
    )
    wanted = {"a-1-0.conda": "for a, later", "b-1-0.conda": "for b", "c-1-0.tar.bz2": "for c"}
    found = {index.fn(row): text for row, text in enumerate(texts(index)) if index.usable[row]}
    assert found == {fn: [text] for fn, text in wanted.items()}


def test_a_real_index_reads_as_its_json(shared: Path, tmp_path: Path) -> None:
    data = (
        zstandard.ZstdDecompressor()
        .stream_reader((shared / "repodata/conda-forge-python-subset-2024/osx-arm64/repodata.json.zst").read_bytes())
        .read()
    )
    index, body = made.index(tmp_path, data), json.loads(data)
    records = body["packages"] | body["packages.conda"]
    assert texts(index) == [records[fn]["depends"] for fn in index.fns()]
    links = depends.depends(index)
    some = np.flatnonzero(np.arange(index.rows) % 7 == 0)
    assert {links.specs[n] for n in links.distinct(some).tolist()} == {
        text for row in some for text in records[index.fn(row)]["depends"]
    }
    assert [links.places[text] for text in links.specs] == list(range(len(links.specs)))
    for number in (0, 5, len(links.specs) - 1):
        rows = set(links.row_of[np.flatnonzero(links.numbers == number)].tolist())
        assert rows == {row for row in range(index.rows) if links.specs[number] in records[index.fn(row)]["depends"]}


def test_distinct_of_no_rows_and_of_rows_without_dependencies(tmp_path: Path) -> None:
    index = made.index(tmp_path, raw("", '"depends":["x"]', ""))
    links = depends.depends(index)
    assert links.distinct(np.zeros(0, np.int64)).tolist() == []
    assert links.distinct(np.array([0, 2])).tolist() == []
    assert links.distinct(np.array([2, 1, 0])).tolist() == [0]


def test_an_index_without_records_or_without_body_has_none(tmp_path: Path) -> None:
    for index in (made.index(tmp_path, b'{"packages":{}}'), made.missing(tmp_path)):
        links = depends.depends(index)
        assert (links.specs, links.distinct(np.zeros(0, np.int64)).tolist()) == ([], [])


@pytest.mark.parametrize("name", ["depends.json", "depends.col", "depends_ends.col"])
@pytest.mark.parametrize("left", [None, 0, 3])
def test_a_lost_or_cut_off_file_is_made_anew(tmp_path: Path, name: str, left: int | None) -> None:
    index = made.index(tmp_path, raw('"depends":["q","r"]', "", '"depends":["r"]'))
    expected = texts(index)
    assert index.folder is not None
    if left is None:
        (index.folder / name).unlink()
    else:
        os.truncate(index.folder / name, left)
    assert texts(again(index)) == expected
    assert texts(again(index)) == expected


def test_what_was_built_once_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = made.index(tmp_path, raw('"depends":["q"]'))
    texts(index)
    monkeypatch.setattr(depends, "build", None)
    assert texts(again(index)) == [["q"]]


@only_root
def test_an_account_that_may_not_write_the_state_reads_them_all_the_same(tmp_path: Path) -> None:
    index = made.index(tmp_path, raw('"depends":["q"]', '"depends":["r"]'))
    assert index.folder is not None
    before = sorted(index.folder.iterdir())
    for folder in (*index.folder.parents[:4], index.folder):
        folder.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent.name.startswith("pytest"):
            parent.chmod(0o755)
    assert as_nobody(lambda: texts(again(index))) == [["q"], ["r"]]
    assert sorted(index.folder.iterdir()) == before


def test_a_body_that_is_gone_is_an_error_that_says_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    index = made.index(tmp_path, raw('"depends":["q"]'))
    assert index.folder is not None
    (index.folder / "body.json.zst").unlink()
    before = sorted(index.folder.iterdir())
    with pytest.raises(BadRepodata):
        texts(index)
    assert sorted(index.folder.iterdir()) == before


def test_a_body_that_is_another_ones_is_an_error(tmp_path: Path) -> None:
    index = made.index(tmp_path / "one", raw('"depends":["q"]'))
    other = made.index(tmp_path / "two", raw('"depends":["q"]', "", ""))
    assert index.folder is not None
    assert other.folder is not None
    shutil.copyfile(index.folder / "body.json.zst", other.folder / "body.json.zst")
    with pytest.raises(BadRepodata, match="does not fit"):
        texts(other)


@pytest.mark.parametrize(
    ("text", "name"),
    [("python >=3.8", "python"), ("python", "python"), (" Python==3", "python"), ("conda-forge::numpy 1.*", "numpy"), ("conda-forge/linux-64::numpy", "numpy"),
     ("a[version='>=1']", "a"), ("libstdcxx-ng>=7", "libstdcxx-ng"), ("_openmp_mutex", "_openmp_mutex"), ("c.d_e-f 1", "c.d_e-f"), ("gtk+ 2.0", "gtk+"),
     ("__glibc >=2.17", "__glibc"), ("", ""), (">=3", ""), ("^py.*$", ""), ("*", ""), ("\u202ex", "")],
)  # fmt: skip
def test_the_name_that_a_dependency_asks_for(text: str, name: str) -> None:
    assert depends.dependency(text) == name
