"""Hashing the tree again: what is found, what is gone on with, and what becomes of bad files."""

import builtins
import errno
import hashlib
import os
import random
import shutil
import threading
from typing import Any

import pytest

from mirrortui.mirror import snapshots
from mirrortui.mirror import verify as room
from mirrortui.mirror.inventory import Entry
from mirrortui.mirror.verify import NOTE, Bad, Verified, verify
from tests.unit.catalog.made import content
from tests.unit.mirror.releases import CHANGED, OLD_BYTES, SAME, publish_new, publish_old
from tests.unit.mirror.tree import PLAIN, Tree, stored_files

pytestmark = pytest.mark.usefixtures("no_waiting")

PAIR = ("c", "linux-64")
FNS = [f"p{number:03}-1-0.conda" for number in range(100)]


@pytest.fixture
def full(tree: Tree) -> Tree:
    """A tree with a hundred files in two subdirs, all right."""
    tree.put(*FNS[:70])
    tree.put(*FNS[70:], subdir="noarch")
    return tree


def look(tree: Tree, **options: Any) -> Verified:
    return verify(tree.store, tree.inventory, **options)


def sha(fn: str) -> str:
    return f"sha256:{hashlib.sha256(content(fn)).hexdigest()}"


# --------------------------------------------------------------------------------------- what is found


@pytest.mark.parametrize("threads", [0, 1, 2, 7])
def test_a_tree_without_fault(full: Tree, threads: int) -> None:
    before = stored_files(full.root)
    found = look(full, threads=threads)
    total = sum(len(content(fn)) for fn in FNS)
    assert (found.files, found.files_total, found.bytes, found.bytes_total) == (100, 100, total, total)
    assert (found.skipped, found.bad, found.orphans, found.finished) == (0, [], [], True)
    assert found.seconds > 0
    assert stored_files(full.root) == before


def test_an_empty_mirror(tree: Tree) -> None:
    assert look(tree).finished
    assert look(tree, sample=0.5).files == 0


def test_every_kind_of_damage_is_named_with_path_and_expected_hash(full: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    flipped, cut, longer, missing, locked = FNS[0], FNS[1], FNS[2], FNS[80], FNS[81]
    folder, noarch = full.folder(), full.folder(subdir="noarch")
    wrong = bytearray(content(flipped))
    wrong[7] ^= 1
    (folder / flipped).write_bytes(wrong)
    (folder / cut).write_bytes(content(cut)[:-1])
    (folder / longer).write_bytes(content(longer) + b"x")
    (noarch / missing).unlink()
    really = builtins.open

    def refusing(path: Any, *rest: Any, **more: Any) -> Any:
        if str(path).endswith(locked):
            raise PermissionError(errno.EACCES, "Permission denied")
        return really(path, *rest, **more)

    monkeypatch.setattr(builtins, "open", refusing)
    found = look(full)
    size = len(content(cut))
    assert sorted(found.bad) == [
        Bad(*PAIR, flipped, "hash", sha(flipped), f"sha256:{hashlib.sha256(wrong).hexdigest()}"),
        Bad(*PAIR, cut, "size", sha(cut), f"{size - 1} bytes instead of {size}"),
        Bad(*PAIR, longer, "size", sha(longer), f"{size + 1} bytes instead of {size}"),
        Bad("c", "noarch", missing, "missing", sha(missing)),
        Bad("c", "noarch", locked, "unreadable", sha(locked), "Permission denied"),
    ]
    assert (found.files, found.finished) == (100, True)
    assert {bad.path for bad in found.bad} >= {f"c/linux-64/{flipped}", f"c/noarch/{missing}"}


def test_a_disk_that_fails_while_it_is_read(full: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_fd: int) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(room.os, "fstat", failing)
    found = look(full)
    assert {bad.reason for bad in found.bad} == {"unreadable"}
    assert {bad.found for bad in found.bad} == {"Input/output error"}


@pytest.mark.parametrize("right", [True, False])
def test_old_records_have_only_md5(tree: Tree, right: bool) -> None:
    tree.put("old-1-0.tar.bz2")
    data = content("old-1-0.tar.bz2") if right else b"?"
    digest = hashlib.md5(data).digest()
    tree.inventory.put(*PAIR, [Entry("old-1-0.tar.bz2", len(content("old-1-0.tar.bz2")), 0, digest)])
    bad = look(tree).bad
    assert [item.expected for item in bad] == ([] if right else [f"md5:{digest.hex()}"])


@pytest.mark.parametrize("size", [0, 1, room._BLOCK - 1, room._BLOCK, room._BLOCK + 1, 3 * room._BLOCK + 5])
def test_files_of_any_size(tree: Tree, size: int) -> None:
    data = random.Random(size).randbytes(size)
    path = tree.store.prepare(*PAIR) / "a-1-0.conda"
    path.write_bytes(data)
    tree.inventory.put(*PAIR, [Entry("a-1-0.conda", size, 0, hashlib.sha256(data).digest())])
    assert look(tree).bad == []
    if size:
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 0x80]))
        assert [bad.reason for bad in look(tree).bad] == ["hash"]


def test_files_on_their_way_out_are_hashed_too(tree: Tree) -> None:
    tree.put("a-1-0.conda", dropped=1.0)
    (tree.folder() / "a-1-0.conda").write_bytes(b"")
    assert len(look(tree).bad) == 1


def test_orphans(full: Tree) -> None:
    full.put("stray-1-0.conda", "other-1-0.tar.bz2", known=False)
    full.put("stray-1-0.conda", known=False, subdir="noarch")
    for name in ("repodata.json", ".part-1-0.conda.part", ".hidden-1-0.conda", "README"):
        (full.folder() / name).write_text("")
    want = ["c/linux-64/other-1-0.tar.bz2", "c/linux-64/stray-1-0.conda", "c/noarch/stray-1-0.conda"]
    assert look(full).orphans == want
    assert look(full, sample=0.1).orphans == want


def test_links_and_folders_with_a_packages_name_are_not_of_this_mirror(full: Tree) -> None:
    folder = full.folder()
    (folder / "link-1-0.conda").symlink_to("/etc/passwd")
    (folder / "loose-1-0.conda").symlink_to("/nowhere")
    (folder / "folder-1-0.conda").mkdir()
    os.mkfifo(folder / "pipe-1-0.tar.bz2")
    (folder / ".hidden-1-0.conda").symlink_to("/etc/passwd")
    want = [
        f"c/linux-64/{name}" for name in ("folder-1-0.conda", "link-1-0.conda", "loose-1-0.conda", "pipe-1-0.tar.bz2")
    ]
    assert look(full).orphans == want


def test_a_link_in_the_place_of_a_file_is_no_file(full: Tree) -> None:
    path = full.folder() / FNS[0]
    path.rename(full.root / "elsewhere")
    path.symlink_to(full.root / "elsewhere")
    (full.folder() / FNS[1]).unlink()
    os.mkfifo(full.folder() / FNS[1])
    found = look(full)
    assert [(bad.fn, bad.reason) for bad in sorted(found.bad)] == [(FNS[0], "missing"), (FNS[1], "size")]
    assert found.orphans == []


# --------------------------------------------------------------- what published metadata names, whoever knows it


@pytest.fixture
def published(tree: Tree) -> Tree:
    publish_old(tree, PLAIN)
    return tree


def test_a_published_file_that_the_inventory_has_lost_is_hashed(published: Tree) -> None:
    published.inventory.forget(*PAIR, [SAME, CHANGED])
    found = look(published)
    assert (found.bad, found.orphans, found.files) == ([], [], 6)
    (published.folder() / SAME).write_bytes(b"?")
    (published.folder() / CHANGED).unlink()
    for sample in (1.0, 0.01):
        found = look(published, sample=sample)
        assert found.orphans == []
        assert sorted((bad.fn, bad.reason, bad.expected) for bad in found.bad) == [
            (CHANGED, "missing", sha(CHANGED)),
            (SAME, "size", sha(SAME)),
        ]


def test_a_published_file_of_another_hash_than_the_inventorys_is_bad(published: Tree) -> None:
    """The file is what the inventory says; the metadata says otherwise."""
    path = published.folder() / SAME
    data = path.read_bytes()[::-1]
    path.write_bytes(data)
    published.inventory.put(*PAIR, [Entry(SAME, len(data), 0, hashlib.sha256(data).digest())])
    assert [(bad.fn, bad.reason, bad.expected) for bad in look(published).bad] == [(SAME, "hash", sha(SAME))]


def test_damaged_metadata_accuses_no_file(published: Tree) -> None:
    published.inventory.forget(*PAIR, [SAME])
    (published.folder() / "repodata.json").write_bytes(b'{"packages": {')
    found = look(published)
    assert [bad.fn for bad in found.bad] == ["repodata.json"]
    assert found.orphans == []


def test_a_doubted_file_is_hashed_again_until_it_is_right(full: Tree) -> None:
    (full.folder() / FNS[0]).write_bytes(b"?")
    full.inventory.doubt(*PAIR, [FNS[0], FNS[1]])
    for _ in range(2):
        assert [bad.fn for bad in look(full).bad] == [FNS[0]]
        assert full.inventory.doubted(*PAIR) == {FNS[0]}
    (full.folder() / FNS[0]).write_bytes(content(FNS[0]))
    assert look(full).bad == []
    assert full.inventory.doubted(*PAIR) == set()


def test_what_a_snapshot_holds_itself_is_hashed(tree: Tree) -> None:
    publish_old(tree, PLAIN)
    snapshots.create(tree.store, tree.inventory, "day")
    publish_new(tree, PLAIN)
    assert (look(tree).files, look(tree).bad) == (10, [])
    held = tree.root / "snapshots" / "day" / "c" / "noarch" / CHANGED
    held.write_bytes(OLD_BYTES[:-1] + b"?")
    for sample in (1.0, 0.1):
        bad = look(tree, sample=sample).bad
        assert [(item.path, item.reason) for item in bad] == [(f"snapshots/day/c/noarch/{CHANGED}", "hash")]
        assert bad[0].expected == sha(CHANGED)


def test_a_folder_that_is_gone_is_told_file_by_file(full: Tree) -> None:
    shutil.rmtree(full.folder(subdir="noarch"))
    assert [bad.reason for bad in look(full).bad] == ["missing"] * 30


# --------------------------------------------------------------------------------- samples and resuming


@pytest.mark.parametrize(("share", "files"), [(0.001, 2), (0.05, 6), (0.5, 50), (0.999, 100)])
def test_a_sample_is_a_share_of_every_subdir(full: Tree, share: float, files: int) -> None:
    found = look(full, sample=share, rng=random.Random(1))
    assert found.files == found.files_total == files
    assert found.bytes == found.bytes_total
    assert found.finished
    assert full.inventory.note(NOTE) == ""


def test_samples_differ_and_miss_nothing_in_the_long_run(full: Tree) -> None:
    (full.folder() / FNS[3]).unlink()
    rng = random.Random(7)
    found = [bool(look(full, sample=0.3, rng=rng).bad) for _ in range(40)]
    assert 3 < sum(found) < 25


class Stop:
    """Asks to stop once so many files are hashed."""

    def __init__(self, after: int) -> None:
        self.after, self.files = after, 0

    def report(self, now: Verified) -> None:
        self.files = now.files

    def __call__(self) -> bool:
        return self.files >= self.after


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "GROUP_FILES", 1)


@pytest.mark.usefixtures("one_by_one")
def test_a_pass_that_was_stopped_is_gone_on_with(full: Tree) -> None:
    (full.folder() / FNS[0]).unlink()
    hashed = 0
    for _ in range(3):
        stop = Stop(20)
        found = look(full, threads=1, report=stop.report, stopped=stop)
        assert not found.finished
        assert found.orphans == []
        assert [bad.fn for bad in found.bad] == [FNS[0]]  # what is wrong is told each time
        assert found.skipped == hashed
        assert found.files_total == 100 - hashed
        hashed += found.files - 1
        assert 20 <= found.files <= 24
    last = look(full)
    assert (last.skipped, last.files, last.finished) == (hashed, 100 - hashed, True)
    again = look(full)
    assert (again.skipped, again.files) == (0, 100)


@pytest.mark.usefixtures("one_by_one")
def test_files_fetched_since_a_pass_began_need_no_hashing(full: Tree) -> None:
    stop = Stop(10)
    first = look(full, threads=1, report=stop.report, stopped=stop)
    full.put("z-1-0.conda", subdir="noarch")
    assert look(full).files == 100 - first.files


@pytest.mark.usefixtures("one_by_one")
def test_a_sample_neither_begins_nor_ends_a_pass(full: Tree) -> None:
    stop = Stop(10)
    first = look(full, threads=1, report=stop.report, stopped=stop)
    look(full, sample=0.2, rng=random.Random(1))
    rest = look(full)
    assert rest.skipped >= first.files
    assert rest.files == 100 - rest.skipped


@pytest.mark.parametrize("noted", ["1.0", "9e99"])
def test_a_pass_that_began_long_ago_or_in_the_future_is_not_gone_on_with(full: Tree, noted: str) -> None:
    full.inventory.set_note(NOTE, noted)
    found = look(full)
    assert (found.files, found.skipped) == (100, 0)


def test_a_large_file_does_not_delay_a_stop(tree: Tree) -> None:
    path = tree.store.prepare(*PAIR) / "a-1-0.conda"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    tree.inventory.put(*PAIR, [Entry(path.name, 1 << 40, 0, bytes(32))])
    begun = threading.Event()
    timer = threading.Timer(0.1, begun.set)
    timer.start()
    found = look(tree, stopped=begun.is_set)
    assert (found.files, found.bad, found.finished) == (0, [], False)
    assert found.seconds < 5
    timer.join()


def test_an_error_in_the_caller_ends_the_threads(full: Tree) -> None:
    def report(_now: Verified) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        look(full, report=report)
    assert threading.active_count() == before
    assert look(full).bad == []


# ------------------------------------------------------------------------------ progress and threads


def test_progress_goes_up_to_the_total(full: Tree, one_by_one: None) -> None:
    seen: list[tuple[int, int]] = []
    found = look(full, report=lambda now: seen.append((now.files, now.bytes)))
    assert seen == sorted(seen)
    assert seen[-1] == (100, found.bytes_total)
    assert len(set(seen)) > 10


def test_as_many_files_are_hashed_at_once_as_asked(
    full: Tree, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three threads must meet in three files before any of them goes on."""
    meeting, hashing = threading.Barrier(3), room._check

    def check(group: Any, entry: Entry, *rest: Any) -> Bad | None:
        if entry.fn in FNS[:3]:
            meeting.wait(20)
        return hashing(group, entry, *rest)

    monkeypatch.setattr(room, "_check", check)
    assert look(full, threads=3).files == 100


def test_files_are_handed_over_by_the_group_and_never_all_at_once(full: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PAGE", 7)
    monkeypatch.setattr(room, "GROUP_FILES", 4)
    most, gather = 0, room._Pass.gather

    def watching(self: room._Pass, limit: int) -> None:
        nonlocal most
        most = max(most, len(self.pending))
        gather(self, limit)

    monkeypatch.setattr(room._Pass, "gather", watching)
    assert look(full, threads=2).files == 100
    assert most == 5
