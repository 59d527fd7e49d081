import sqlite3
from pathlib import Path

import pytest

from mirrortui.errors import StateError
from mirrortui.mirror.inventory import Entry, Inventory, Published
from tests.unit.accounts import as_nobody, only_root, open_folder

__all__ = ["open_folder"]  # a fixture

A, B = Entry("a-1-0.conda", 10, 111, b"a" * 32), Entry("b-1-0.conda", 20, 222, b"b" * 16, 5.0)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "state", write=True)


def test_what_is_put_is_there_until_it_is_forgotten(inventory: Inventory) -> None:
    inventory.put("c", "linux-64", [A, B])
    assert inventory.entries("c", "linux-64") == {A.fn: A, B.fn: B}
    assert inventory.entries("c", "noarch") == {}
    assert inventory.entries("other", "linux-64") == {}
    inventory.put("c", "linux-64", [A._replace(size=11, digest=b"n" * 32)])
    assert inventory.entries("c", "linux-64")[A.fn].size == 11
    inventory.forget("c", "linux-64", [A.fn, "never-was.conda"])
    assert list(inventory.entries("c", "linux-64")) == [B.fn]


def test_files_of_one_name_in_two_folders_are_two(inventory: Inventory) -> None:
    inventory.put("c", "linux-64", [A])
    inventory.put("c", "noarch", [A._replace(size=99)])
    inventory.put("pkgs/main", "noarch", [A._replace(size=77)])
    assert [inventory.entries(*pair)[A.fn].size for pair in inventory.folders()] == [10, 99, 77]
    assert inventory.folders() == [("c", "linux-64"), ("c", "noarch"), ("pkgs/main", "noarch")]


def test_drops_are_marked_and_taken_back(inventory: Inventory) -> None:
    inventory.put("c", "linux-64", [A, B])
    inventory.mark_dropped("c", "linux-64", [A.fn], 7.5)
    assert inventory.entries("c", "linux-64")[A.fn].dropped == 7.5
    inventory.mark_dropped("c", "linux-64", [A.fn, B.fn], None)
    assert [e.dropped for e in inventory.entries("c", "linux-64").values()] == [None, None]


def test_a_file_that_is_verified_again_is_no_longer_dropped(inventory: Inventory) -> None:
    inventory.put("c", "linux-64", [B])
    inventory.put("c", "linux-64", [B._replace(dropped=None)])
    assert inventory.entries("c", "linux-64")[B.fn].dropped is None


def test_published_is_noted_and_withdrawn(inventory: Inventory) -> None:
    assert inventory.published("c", "linux-64") is None
    inventory.set_published("c", "linux-64", Published("key", "[]", 3, 9))
    inventory.set_published("c", "linux-64", Published("key2", "[]", 4, 9))
    assert inventory.published("c", "linux-64") == Published("key2", "[]", 4, 9)
    inventory.set_published("c", "linux-64", None)
    assert inventory.published("c", "linux-64") is None


def test_a_hundred_thousand_files_are_quick(inventory: Inventory) -> None:
    inventory.put("c", "linux-64", (Entry(f"p{i}-1-0.conda", i, i, b"x" * 32) for i in range(100_000)))
    assert len(inventory.entries("c", "linux-64")) == 100_000


def test_names_are_only_values(inventory: Inventory) -> None:
    nasty = "'; drop table file; --\x00\u202e"
    inventory.put(nasty, nasty, [Entry(nasty, 1, 1, b"")])
    assert inventory.entries(nasty, nasty)[nasty].size == 1


def test_an_absent_inventory_reads_as_empty_and_is_not_made(tmp_path: Path) -> None:
    reader = Inventory(tmp_path)
    assert reader.folders() == []
    assert reader.entries("c", "linux-64") == {}
    assert reader.published("c", "linux-64") is None
    reader.close()
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_what_the_writer_commits_and_cannot_write(tmp_path: Path) -> None:
    writer = Inventory(tmp_path, write=True)
    reader = Inventory(tmp_path)
    writer.put("c", "linux-64", [A])
    assert reader.entries("c", "linux-64") == {A.fn: A}
    with pytest.raises(StateError, match="readonly"):
        reader.put("c", "linux-64", [B])
    with pytest.raises(StateError, match="readonly"):
        reader.put("new", "linux-64", [B])
    assert writer.folders() == [("c", "linux-64")]
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    "garbage", [b"not a database at all, but long enough to be looked at", b"SQLite format 3\x00" + b"\xff" * 200]
)
@pytest.mark.parametrize("write", [False, True])
def test_a_broken_file_is_an_error_with_a_way_out_and_is_left_alone(
    tmp_path: Path, garbage: bytes, write: bool
) -> None:
    path = tmp_path / "inventory.db"
    path.write_bytes(garbage)
    with pytest.raises(StateError, match="rebuilt from the tree") as caught:
        Inventory(tmp_path, write=write).entries("c", "linux-64")
    assert caught.value.where == str(path)
    assert path.read_bytes() == garbage


@pytest.mark.parametrize("write", [False, True])
def test_a_file_of_another_version_is_refused(tmp_path: Path, write: bool) -> None:
    Inventory(tmp_path, write=True).close()
    db = sqlite3.connect(tmp_path / "inventory.db")
    db.execute("pragma user_version=99")
    db.close()
    with pytest.raises(StateError, match="another version"):
        Inventory(tmp_path, write=write)


def test_a_file_damaged_while_it_is_open_is_an_error(inventory: Inventory) -> None:
    inventory.put("c", "linux-64", [A])
    sqlite3.connect(inventory.path).execute("drop table file").connection.commit()
    with pytest.raises(StateError, match="no such table"):
        inventory.entries("c", "linux-64")
    with pytest.raises(StateError):
        inventory.put("c", "linux-64", [A])


def test_a_batch_that_fails_leaves_nothing_half_written(inventory: Inventory) -> None:
    def entries():  # type: ignore[no-untyped-def]
        yield A
        raise ZeroDivisionError

    inventory.put("c", "linux-64", [B])
    with pytest.raises(ZeroDivisionError):
        inventory.put("c", "linux-64", entries())
    assert list(inventory.entries("c", "linux-64")) == [B.fn]
    inventory.put("c", "linux-64", [A])  # and the connection is still of use


def test_a_state_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateError):
        Inventory(tmp_path / "state", write=True)
    assert Inventory(tmp_path / "state").folders() == []


@only_root
def test_another_account_reads_it_when_the_worker_is_gone(open_folder: Path) -> None:
    state = open_folder / "state"
    writer = Inventory(state, write=True)
    writer.put("c", "linux-64", [A])
    assert as_nobody(lambda: list(Inventory(state).entries("c", "linux-64"))) == [A.fn]
    writer.close()
    assert as_nobody(lambda: list(Inventory(state).entries("c", "linux-64"))) == [A.fn]
    assert [path.name for path in state.iterdir()] == ["inventory.db"]


# ------------------------------------------------------------------------------------------- doubt, versions


def test_a_doubted_file_is_trusted_again_once_it_is_put_or_found_right(inventory: Inventory) -> None:
    inventory.put("c", "linux-64", [A, B])
    inventory.doubt("c", "linux-64", [A.fn, B.fn, "never-was.conda"])
    assert inventory.doubted("c", "linux-64") == {A.fn, B.fn}
    assert {row[0]: bool(row[4]) for row in inventory.known("c", "linux-64")} == {A.fn: True, B.fn: True}
    assert [e.fn for e in inventory.unverified_since("c", "linux-64", 1.0)] == [A.fn, B.fn]
    inventory.put("c", "linux-64", [A])
    inventory.mark_verified("c", "linux-64", [B.fn], 5.0)
    assert inventory.doubted("c", "linux-64") == set()
    assert inventory.entries("c", "linux-64") == {A.fn: A, B.fn: B}


FIRST = """
create table folder(id integer primary key, channel text not null, subdir text not null, unique(channel, subdir));
create table file(
  folder integer not null, fn text not null, size integer not null, mtime_ns integer not null, digest blob not null,
  verified real not null, dropped real, primary key(folder, fn)) without rowid;
create table published(
  folder integer primary key, key text not null, files text not null, records integer not null, upstream integer not null, time real not null);
insert into folder values(1, 'c', 'linux-64');
insert into file values(1, 'a-1-0.conda', 10, 111, cast('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' as blob), 1.0, null);
insert into published values(1, 'key', '[]', 3, 9, 1.0);
pragma user_version=1;
"""
NOTES = "create table note(key text primary key, value text not null) without rowid; insert into note values('k', 'v');"


@pytest.mark.parametrize("notes", [False, True])
def test_a_file_of_the_first_version_is_read_as_it_is_and_upgraded_by_the_worker(tmp_path: Path, notes: bool) -> None:
    path = tmp_path / "inventory.db"
    db = sqlite3.connect(path)
    db.executescript(FIRST + (NOTES if notes else ""))
    db.close()
    before = path.read_bytes()
    reader = Inventory(tmp_path)
    want = Published("key", "[]", 3, 9, "{}")
    for one in (reader, Inventory(tmp_path)):
        assert one.entries("c", "linux-64") == {A.fn: A}
        assert one.published("c", "linux-64") == want
        assert one.note("k") == ("v" if notes else "")
    assert path.read_bytes() == before

    writer = Inventory(tmp_path, write=True)
    assert (writer.published("c", "linux-64"), writer.note("k")) == (want, "v" if notes else "")
    writer.set_note("n", "w")
    new = want._replace(digests='{"repodata.json":"00"}')
    writer.set_published("c", "linux-64", new)
    writer.put("c", "linux-64", [B])
    assert reader.published("c", "linux-64") == want  # it was opened before
    assert reader.entries("c", "linux-64") == {A.fn: A, B.fn: B}
    writer.close()
    again = Inventory(tmp_path)
    assert (again.published("c", "linux-64"), again.note("n")) == (new, "w")
