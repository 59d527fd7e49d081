"""Shards: what they hold, that they only change when they must, that a real client solves from them, and when they go."""

import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from mirrortui.errors import TargetError
from mirrortui.mirror import shards
from tests.unit.catalog import made
from tests.unit.indexes import pkg
from tests.unit.mirror.shard_folder import Folder
from tests.unit.mirror.tree import stored_files, unpacked

DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def raw_hashes(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: bytes.fromhex(value) if key in ("md5", "sha256", "legacy_bz2_md5") and isinstance(value, str) else value
        for key, value in record.items()
    }


# ------------------------------------------------------------------------------------- what they hold


def test_a_shard_holds_the_records_of_one_name_with_raw_hashes(folder: Folder, tmp_path: Path) -> None:
    body = made.table(
        pkg("a-1-0.conda", "b >=1"),
        "a-1-0.tar.bz2",
        ("b-1-0.conda", {"legacy_bz2_md5": "ab" * 16, "license": None}),
        "a-2-0.conda",
    )
    folder.write(made.index(tmp_path, body))
    assert folder.index["version"] == 1
    assert folder.index["info"] == {"subdir": "linux-64", "base_url": "", "shards_base_url": "./shards/"}
    assert list(folder.index["shards"]) == ["a", "b"]
    conda, bz2 = body["packages.conda"], body["packages"]
    assert folder.shard("a") == {
        "packages": {"a-1-0.tar.bz2": raw_hashes(bz2["a-1-0.tar.bz2"])},
        "packages.conda": {fn: raw_hashes(conda[fn]) for fn in ("a-1-0.conda", "a-2-0.conda")},
        "removed": [],
    }
    assert folder.shard("b")["packages.conda"] == {"b-1-0.conda": raw_hashes(conda["b-1-0.conda"])}
    assert folder.files == {folder.file("a").name, folder.file("b").name}


def test_only_kept_records_and_names_are_there(folder: Folder, tmp_path: Path) -> None:
    index = made.index(tmp_path, made.table("a-1-0.conda", "a-2-0.conda", "b-1-0.conda"))
    folder.write(index, "a-2-0.conda")
    assert (list(folder.index["shards"]), list(folder.shard("a")["packages.conda"]), len(folder.files)) == (
        ["a"],
        ["a-2-0.conda"],
        1,
    )
    folder.write(index, "none of them")
    assert folder.index["shards"] == {}


VALUES = [
    "x",
    "",
    5,
    -7,
    1.5,
    True,
    None,
    [],
    {},
    [1, [2, {"a": None}]],
    {"a": {"b": ["é 漢 \u202e"]}},
    2**63,
    2**64 - 1,
    -(2**63),
    "\x00",
    0.1,
]


@pytest.mark.parametrize(
    "key", ["zz", "extra_depends", "track_features", "constrains", "timestamp", "noarch", "run_exports"]
)
def test_every_key_and_value_comes_through(folder: Folder, tmp_path: Path, key: str) -> None:
    body = made.table(
        *((f"a{n}-1-0.conda", {key: value}) for n, value in enumerate(VALUES)),
        *((f"a{n}-2-0.conda", {}) for n in range(len(VALUES))),
    )
    folder.write(made.index(tmp_path, body))
    for n in range(len(VALUES)):
        assert folder.shard(f"a{n}")["packages.conda"] == {
            fn: raw_hashes(body["packages.conda"][fn]) for fn in (f"a{n}-1-0.conda", f"a{n}-2-0.conda")
        }


@pytest.mark.parametrize("text", ["9" * 400, "-" + "9" * 40, "1e400", "-1e400", str(2**64), str(-(2**63) - 1)])
@pytest.mark.parametrize("key", ["zz", "constrains", "purls"])
def test_a_number_that_msgpack_cannot_hold_costs_no_record(folder: Folder, tmp_path: Path, key: str, text: str) -> None:
    body = json.dumps(made.table(("a-1-0.conda", {key: ["@"]}), "a-2-0.conda", "b-1-0.conda")).replace('"@"', text)
    folder.write(made.index(tmp_path, body.encode()))
    assert list(folder.shard("a")["packages.conda"]) == ["a-1-0.conda", "a-2-0.conda"]
    assert folder.shard("a")["packages.conda"]["a-1-0.conda"]["sha256"] == bytes.fromhex(
        made.record("a-1-0.conda")["sha256"]
    )
    assert list(folder.index["shards"]) == ["a", "b"]


def test_bytes_that_are_no_text_cost_no_record(folder: Folder, tmp_path: Path) -> None:
    folder.write(
        made.index(
            tmp_path,
            json.dumps(made.table(("a-1-0.conda", {"zz": "@"}), "b-1-0.conda")).encode().replace(b"@", b"\xff\xfe"),
        )
    )
    assert list(folder.shard("a")["packages.conda"]) == ["a-1-0.conda"]
    assert list(folder.index["shards"]) == ["a", "b"]


NO_HASHES = [None, "", "ab", "z" * 64, 5, [], {}, " " * 64, "ab " * 32, "é" * 32, True]


@pytest.mark.parametrize("key", ["sha256", "md5", "legacy_bz2_md5"])
@pytest.mark.parametrize("more", [{}, {"zz": 1}])
def test_a_hash_that_is_none_is_left_as_it_is(folder: Folder, tmp_path: Path, key: str, more: dict[str, Any]) -> None:
    folder.write(
        made.index(
            tmp_path, made.table(*((f"a{n}-1-0.conda", {key: value} | more) for n, value in enumerate(NO_HASHES)))
        )
    )
    assert [folder.shard(f"a{n}")["packages.conda"][f"a{n}-1-0.conda"][key] for n in range(len(NO_HASHES))] == NO_HASHES


def test_a_record_without_hashes(folder: Folder, tmp_path: Path) -> None:
    folder.write(made.index(tmp_path, made.table(("a-1-0.conda", {"sha256": ..., "md5": ...}))))
    assert {"sha256", "md5"}.isdisjoint(folder.shard("a")["packages.conda"]["a-1-0.conda"])


def test_no_record_leads_off_the_mirror(folder: Folder, tmp_path: Path) -> None:
    folder.write(
        made.index(
            tmp_path,
            made.table(("a-1-0.conda", {"url": "https://up/x", "channel": "https://up", "zz": 1}), "b-1-0.conda"),
        )
    )
    assert folder.shard("a")["packages.conda"]["a-1-0.conda"] == raw_hashes(made.record("a-1-0.conda", zz=1))


def test_many_names_that_lie_scattered_over_the_body(folder: Folder, tmp_path: Path) -> None:
    fns = [f"name{(n * 37) % 700}-{n}-0.conda" for n in range(2100)]
    body = made.table(*fns)
    index = made.index(tmp_path, body)
    mask = np.arange(index.rows) % 11 != 0
    (folder.path / shards.INDEX).write_bytes(shards.write(index, mask, folder.path, folder.scratch))
    wanted = set(index.fns(mask))
    found = [
        fn
        for digest in folder.index["shards"].values()
        for fn in unpacked(folder.path / "shards" / f"{digest.hex()}.msgpack.zst")["packages.conda"]
    ]
    assert len(found) == len(wanted)
    assert set(found) == wanted
    for name in ("name0", "name699", "name350"):
        assert folder.shard(name)["packages.conda"] == {
            fn: raw_hashes(body["packages.conda"][fn]) for fn in wanted if fn.startswith(f"{name}-")
        }


def test_real_indexes_hold_every_record(shared: Path, tmp_path: Path) -> None:
    for number, source in enumerate(
        ("conda-forge-python-subset-2024/osx-arm64/repodata", "pkgs-r-2025/win-64/current_repodata")
    ):
        data = zstandard.ZstdDecompressor().stream_reader((shared / f"repodata/{source}.json.zst").read_bytes()).read()
        body, folder = json.loads(data), Folder(tmp_path / str(number))
        folder.write(made.index(tmp_path / str(number), data))
        found_shards = [
            unpacked(folder.path / "shards" / f"{digest.hex()}.msgpack.zst")
            for digest in folder.index["shards"].values()
        ]
        for section in ("packages", "packages.conda"):
            found = {fn: record for shard in found_shards for fn, record in shard[section].items()}
            assert found == {
                fn: raw_hashes({k: v for k, v in r.items() if k not in ("url", "channel")})
                for fn, r in body[section].items()
            }


# ------------------------------------------------------------------------------------ what stays


def test_the_same_records_give_the_same_bytes_anywhere(tmp_path: Path) -> None:
    body = made.table(*(f"n{n}-1-0.conda" for n in range(200)))
    one, two = Folder(tmp_path / "one"), Folder(tmp_path / "two")
    assert one.write(made.index(tmp_path / "one", body)) == two.write(made.index(tmp_path / "two", body))
    assert {path.name: path.read_bytes() for path in (one.path / "shards").iterdir()} == {
        path.name: path.read_bytes() for path in (two.path / "shards").iterdir()
    }


def test_a_shard_that_is_there_is_not_written_again(folder: Folder, tmp_path: Path) -> None:
    index = made.index(tmp_path, made.table("a-1-0.conda", "b-1-0.conda"))
    folder.write(index)
    before = stored_files(folder.path / "shards")
    folder.write(index)
    assert stored_files(folder.path / "shards") == before
    folder.write(made.index(tmp_path, made.table("a-1-0.conda", "b-1-0.conda", "b-2-0.conda", "c-1-0.conda")))
    after = stored_files(folder.path / "shards")
    assert before.items() <= after.items()
    assert len(after) == 4
    assert set(folder.index["shards"]) == {"a", "b", "c"}


def test_a_shard_that_was_cut_off_is_written_anew(folder: Folder, tmp_path: Path) -> None:
    """A power failure may leave a file of the right name with nothing in it."""
    index = made.index(tmp_path, made.table("a-1-0.conda", "b-1-0.conda"))
    folder.write(index)
    good = folder.file("a").read_bytes()
    for left in (0, len(good) - 1):
        os.truncate(folder.file("a"), left)
        folder.write(index)
        assert folder.file("a").read_bytes() == good
    folder.file("a").unlink()
    folder.file("a").symlink_to(tmp_path / "elsewhere")
    folder.write(index)
    assert folder.file("a").read_bytes() == good
    assert not folder.file("a").is_symlink()


def test_a_write_that_takes_only_a_part_goes_on(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    folder.write(made.index(tmp_path, made.table("a-1-0.conda")))
    assert list(folder.shard("a")["packages.conda"]) == ["a-1-0.conda"]


def test_a_full_disk_leaves_no_half_shard(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = made.index(tmp_path, made.table("a-1-0.conda", "b-1-0.conda"))
    write, calls = os.write, []

    def full(fd: int, data: Any) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[:7])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        folder.write(index)
    assert folder.files == set()


def test_a_folder_that_is_a_link_is_refused(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder.path / "shards").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetError, match="leads elsewhere"):
        folder.write(made.index(tmp_path, made.table("a-1-0.conda")))
    old = tmp_path / "elsewhere" / "x.msgpack.zst"
    old.write_bytes(b"")
    os.utime(old, (1, 1))
    (folder.path / shards.INDEX).write_bytes(shards.empty("linux-64"))
    assert shards.sweep(folder.path, time.time()) == 0
    assert old.exists()


def test_an_empty_subdir_has_an_index_without_shards(folder: Folder, tmp_path: Path) -> None:
    (folder.path / shards.INDEX).write_bytes(shards.empty("noarch"))
    assert folder.index == {
        "version": 1,
        "info": {"subdir": "noarch", "base_url": "", "shards_base_url": "./shards/"},
        "shards": {},
    }
    folder.write(made.index(tmp_path, made.table(), subdir="noarch"))
    assert (folder.path / shards.INDEX).read_bytes() == shards.empty("noarch")
