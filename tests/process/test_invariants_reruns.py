"""Invariants 5 and 9: a bad upstream takes nothing away and is told of; a second run moves nothing and says so."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from mirrortui.serve.server import FileServer
from tests.process import encodings, faults, published
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.onlooker import Onlooker
from tests.process.packages import ChannelTree
from tests.process.test_invariants import ALL, SUBDIRS
from tests.process.test_transfer_faults import CANNOT_BE_HAD

pytestmark = pytest.mark.slow

FILES = 20


def fill(lab: ChannelTree) -> None:
    for number in range(FILES):
        for subdir in SUBDIRS:
            lab.put(f"{subdir[0]}{number:02}", subdir=subdir, size=200, license="MIT" if number % 3 else "GPL-3.0-only")
    lab.index()


# ------------------------------------------------------------------------------------------ 5: a bad upstream

Bad = Callable[[Path, bytes], None]


def plainly(change: Callable[[bytes], bytes]) -> Bad:
    """Only a repodata.json, made from the good one."""

    def make(folder: Path, good: bytes) -> None:
        (folder / "repodata.json.zst").unlink(missing_ok=True)
        (folder / "repodata.json").write_bytes(change(good))

    return make


def packed(change: Callable[[bytes], bytes]) -> Bad:
    """A repodata.json.zst beside a repodata.json that is still good."""

    def make(folder: Path, good: bytes) -> None:
        (folder / "repodata.json.zst").write_bytes(change(good))
        (folder / "repodata.json").write_bytes(good)

    return make


def without(share: float) -> Callable[[bytes], bytes]:
    """An index without this share of its records."""

    def change(good: bytes) -> bytes:
        body = json.loads(good)
        found = body["packages.conda"]
        left = round(len(found) * (1 - share))
        return json.dumps(body | {"packages.conda": dict(list(found.items())[:left])}).encode()

    return change


def edited(**tops: Any) -> Callable[[bytes], bytes]:
    return lambda good: json.dumps(json.loads(good) | tops).encode()


def unsafe(good: bytes) -> bytes:
    body = json.loads(good)
    return json.dumps(body | {"packages.conda": {f"../{fn}": r for fn, r in body["packages.conda"].items()}}).encode()


BAD: dict[str, tuple[Bad, int]] = {
    "empty table": (plainly(without(1.0)), 5),
    "shrunk by 30 %": (plainly(without(0.3)), 5),
    "shrunk by a quarter, packed": (packed(lambda good: zstandard.compress(without(0.25)(good))), 5),
    "no table": (plainly(lambda _: b"{}"), 5),
    "a table that is a list": (plainly(edited(**{"packages.conda": []})), 5),
    "unsafe names": (plainly(unsafe), 5),
    "no bytes": (plainly(lambda _: b""), 3),
    "no bytes, packed": (packed(lambda _: b""), 3),
    "a list": (plainly(lambda _: b"[]"), 3),
    "null": (plainly(lambda _: b"null"), 3),
    "a login page": (plainly(lambda _: b"<!DOCTYPE html><title>Sign in</title>"), 3),
    "a login page, packed": (packed(lambda _: b"<html>sign in</html>"), 3),
    "cut off": (plainly(lambda good: good[: len(good) // 2]), 3),
    "cut off, packed": (packed(lambda good: zstandard.compress(good)[:-20]), 3),
    "cut off before it was packed": (packed(lambda good: zstandard.compress(good[: len(good) // 2])), 3),
    "a frame and then noise": (packed(lambda good: zstandard.compress(good) + b"noise" * 9), 3),
    "two bodies": (plainly(lambda good: good + good), 3),
    "a table twice": (plainly(lambda good: good.replace(b'"packages": {}', b'"packages.conda": {}')), 3),
    "another subdir": (plainly(edited(info={"subdir": "osx-64"})), 3),
    "of the future": (plainly(edited(repodata_version=3)), 3),
    "a table within itself": (plainly(edited(x=json.loads("[" * 200 + "]" * 200))), 3),
}


def test_5_no_bad_index_changes_or_deletes_anything_and_each_is_told(
    mirror: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    """One after the other, then two in a row; the channel beside goes on, and an operator prunes after each."""
    fill(lab)
    other = ChannelTree(lab.folder.parent, "other", seed=2)
    other.index()
    mirror.write(
        {name: (lab.folder.parent / name).as_uri() for name in ("lab", "other")}, publish=ALL, prune={"grace": "0 s"}
    )
    assert onlooker.run(mirror.file).code == 0
    place, folder = mirror.root / "lab", lab.folder / "linux-64"
    before, good = published.stamps(place), (folder / "repodata.json").read_bytes()
    for number, (name, (make, code)) in enumerate([*BAD.items(), ("again", BAD["empty table"])]):
        make(folder, good)
        other.put(f"p{number}", size=100)
        other.index()
        ended = onlooker.run(mirror.file)
        assert (name, ended.code, ended.status["state"]) == (name, code, "partial")
        assert "lab" in ended.run["message"], name
        assert onlooker.run(mirror.file, prune=True, confirm=True).code == 0
        assert published.stamps(place) == before, name
        assert len(encodings.same(mirror.root / "other/linux-64")) == number + 1, name
    lab.index()
    assert onlooker.run(mirror.file).code == 0
    assert published.stamps(place) == before


def test_5_files_that_cannot_be_had_are_in_no_encoding_and_all_else_is(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream, onlooker: Onlooker
) -> None:
    fill(lab)
    odd = {}
    for number, (name, (fault, reason)) in enumerate(CANNOT_BE_HAD.items()):
        subdir = SUBDIRS[number % 2]
        fn = lab.put(name, subdir=subdir)
        odd[subdir, fn] = "refused" if name == "circle" else reason
        faulty.always(f"/lab/{subdir}/{fn}", fault)
    lab.index()
    mirror.write({"lab": f"{faulty.url}/lab"}, publish=ALL, transfer={"retries": 0})
    ended = onlooker.run(mirror.file, look=True)
    assert (ended.code, ended.status["state"], ended.run["added"]) == (3, "partial", 2 * FILES)
    assert {(f["subdir"], f["fn"]): f["reason"] for f in ended.run["failed"]} == odd
    assert [sight.wrong for sight in ended.sights if sight.wrong] == []
    for subdir in SUBDIRS:
        said = encodings.same(mirror.root / "lab" / subdir)
        assert said == {fn: r for fn, r in lab.records[subdir].items() if (subdir, fn) not in odd}


# ------------------------------------------------------------------------------------------- 9: a second run


def tags(root: Path, serve: Callable[..., FileServer]) -> dict[str, str]:
    """The ETag of every file of the tree as clients get it."""
    import httpx

    server = serve(root)
    with httpx.Client(trust_env=False) as client:
        names = [name for name in published.stamps(root) if "/." not in f"/{name}"]
        return {name: client.head(f"{server.url}/{name}").headers["etag"] for name in names}


def folders(root: Path) -> dict[str, int]:
    """The mtime of every folder: it tells of files that came and went."""
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_dir()}


@pytest.mark.parametrize("kind", ["whole", "filtered", "partial"])
def test_9_a_second_run_asks_for_no_package_moves_nothing_and_says_so(
    mirror: Mirror,
    lab: ChannelTree,
    faulty: FaultyUpstream,
    onlooker: Onlooker,
    serve: Callable[..., FileServer],
    kind: str,
) -> None:
    fill(lab)
    code, path = 0, "/lab/linux-64/l07-1.0-0.conda"
    if kind == "partial":
        code = 3
        faulty.always(path, faults.status(404))
    rules = {"exclude_licenses": ["GPL"]} if kind == "filtered" else {}
    mirror.write({"lab": f"{faulty.url}/lab"}, publish=ALL, selection=rules, transfer={"retries": 0})
    assert onlooker.run(mirror.file).code == code
    before, etags, times = published.stamps(mirror.root), tags(mirror.root, serve), folders(mirror.root)

    def nothing_moved() -> None:
        asked = {asked.path for asked in faulty.requests(".conda")}
        assert asked == ({path} if kind == "partial" else set())
        assert published.stamps(mirror.root) == before
        assert folders(mirror.root) == times or kind == "partial"  # what was asked for again was a file for a moment

    faulty.forget()
    ended = mirror.sync(code=code)
    run = ended["run"]
    assert [run[key] for key in ("added", "replaced", "dropped", "pruned", "bytes")] == [0] * 5
    assert {asked.status for asked in faulty.requests("repodata.json.zst")} == {304}
    nothing_moved()
    assert tags(mirror.root, serve) == etags
    said = mirror.run("sync", "--foreground")
    assert ("nothing to do" in said.err) == (kind != "partial")
    assert (said.code, said.out) == (code, "")
    for subdir in SUBDIRS:  # the same bytes with new validators: fetched, and nothing follows from it
        for file in (lab.folder / subdir).glob("repodata*"):
            os.utime(file)
    faulty.rule = lambda asked: without_etag if "repodata" in asked.path else None
    assert onlooker.run(mirror.file).code == code
    nothing_moved()


def without_etag(ex: faults.Exchange) -> None:
    assert ex.data is not None
    ex.head(200, content_length=len(ex.data))
    ex.body(ex.data)


def test_9_an_upstream_that_packs_the_same_index_anew_moves_no_filtered_file(
    mirror: Mirror, lab: ChannelTree, onlooker: Onlooker
) -> None:
    """Another level of compression, or none: what is cut from it is the same to the byte, and stays."""
    fill(lab)
    mirror.write({"lab": lab.folder.as_uri()}, publish=ALL, selection={"exclude_licenses": ["GPL"]})
    assert onlooker.run(mirror.file).code == 0
    before = published.stamps(mirror.root)
    for level in (1, 19, None):
        for subdir in SUBDIRS:
            folder = lab.folder / subdir
            (folder / "repodata.json.zst").unlink()
            if level is not None:
                text = (folder / "repodata.json").read_bytes()
                (folder / "repodata.json.zst").write_bytes(zstandard.compress(text, level))
        ended = onlooker.run(mirror.file)
        assert (ended.code, ended.run["bytes"]) == (0, 0)
        assert published.stamps(mirror.root) == before, level
