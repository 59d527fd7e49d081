import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrortui.serve.files import Files, components, kind_of


def read(files: Files, target: str) -> bytes | None:
    parts = components(target)
    file = files.open(parts) if parts else None
    if file is None:
        return None
    try:
        return os.pread(file.fd, file.size, 0)
    finally:
        os.close(file.fd)


PACKAGE = "/conda-forge/noarch/aurora-1.0-h0_0.tar.bz2"


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/", ()),
        ("/?x=y", ()),
        ("//", ()),
        ("/a/b", ("a", "b")),
        ("//a///b", ("a", "b")),
        ("/a%2Bb%21.conda", ("a+b!.conda",)),
        ("/a+b!.conda", ("a+b!.conda",)),
        ("/a?b/../c", ("a",)),
        ("http://mirror:80/a/b?c", ("a", "b")),
        ("HTTPS://mirror", ()),
        ("/a/", None),
        ("/%C3%A9", ("é",)),
        ("/..", None),
        ("/a/../b", None),
        ("/a/./b", None),
        ("/%2e%2e/b", None),
        ("/a/%2E./b", None),
        ("/a%2fb", None),
        ("/..%2Fb", None),
        ("/a%00b", None),
        ("/a%0ab", None),
        ("/a%7f", None),
        ("/.hidden", None),
        ("/a/.x.part", None),
        ("/a/x.part", None),
        ("/a/x%2Epart", None),
        ("a/b", None),
        ("*", None),
        ("http://[::1/a", None),
        ("file:///etc/passwd", None),
        ("/\\..\\a", ("\\..\\a",)),
    ],
)
def test_components(target: str, parts: tuple[str, ...] | None) -> None:
    assert components(target) == parts


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60).map(lambda t: "/" + t))
def test_no_target_climbs_or_hides(target: str) -> None:
    for part in components(target) or ():
        assert part
        assert "/" not in part
        assert "\0" not in part
        assert not part.startswith(".")
        assert not part.endswith(".part")


def test_files_and_their_kinds(tree: Path) -> None:
    files = Files(tree)
    assert read(files, PACKAGE) == b"bzip"
    assert read(files, "/conda-forge/noarch/epoch-1%212.0%2Bb-0.conda") == b"epoch"
    assert read(files, "/conda-forge/noarch/nothing.conda") is None
    assert read(files, "/conda-forge/noarch") is None
    assert read(files, "/conda-forge/noarch/repodata.json/x") is None
    assert read(files, "/" + "a" * 5000) is None


@pytest.mark.parametrize(
    ("name", "media_type", "forever"),
    [
        ("a-1-0.conda", "application/octet-stream", True),
        ("a-1-0.tar.bz2", "application/x-bzip2", True),
        ("0123456789abcdef" * 4 + ".msgpack.zst", "application/zstd", True),
        ("repodata_shards.msgpack.zst", "application/zstd", False),
        ("repodata.json.zst", "application/zstd", False),
        ("run_exports.json.zst", "application/zstd", False),
        ("channeldata.json", "application/json", False),
        ("repodata.json.bz2", "application/x-bzip2", False),
        ("repodata.json", "application/json", False),
        ("notices.json", "application/json", False),
        ("LICENSE", "application/octet-stream", False),
    ],
)
def test_kind_of(name: str, media_type: str, forever: bool) -> None:
    kind = kind_of(name)
    assert kind.media_type == media_type
    assert ("immutable" in kind.cache_control) is forever
    assert kind.cache_control.endswith("max-age=31536000" if forever else "max-age=60")


def test_links(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    noarch = tree / "conda-forge" / "noarch"
    (tree / ".state").mkdir()
    (tree / ".state" / "journal").write_bytes(b"secret")
    (tree / "x.part").write_bytes(b"secret")
    (tree / "file").symlink_to(outside / "secret")
    (tree / "folder").symlink_to(outside)
    (tree / "climb").symlink_to("../outside/secret")
    (tree / "hidden").symlink_to(".state/journal")
    (tree / "hidden-folder").symlink_to(".state")
    (tree / "unfinished").symlink_to("x.part")
    (tree / "loop").symlink_to("loop")
    (tree / "dangling").symlink_to("nowhere")
    (tree / "device").symlink_to("/dev/zero")
    (tree / "good").symlink_to(noarch / "repodata.json.zst")
    (tree / "good-folder").symlink_to("conda-forge")
    files = Files(tree)
    for target in ("/file", "/folder/secret", "/climb", "/hidden", "/hidden-folder/journal", "/unfinished"):
        assert read(files, target) is None, target
    for target in ("/loop", "/dangling", "/device"):
        assert read(files, target) is None, target
    assert read(files, "/good") == b"zstd"
    assert read(files, "/good-folder/noarch/repodata.json.zst") == b"zstd"


def test_only_regular_files(tree: Path) -> None:
    os.mkfifo(tree / "fifo.conda")
    before = len(os.listdir("/proc/self/fd"))
    assert read(Files(tree), "/fifo.conda") is None  # and opening it did not wait for a writer
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_root_that_is_itself_a_link_below_a_hidden_folder(tree: Path, tmp_path: Path) -> None:
    hidden = tmp_path / ".home"
    tree.rename(hidden)
    tree.symlink_to(hidden)
    assert read(Files(tree), PACKAGE) == b"bzip"


def test_a_sibling_with_the_same_beginning_is_outside(tree: Path) -> None:
    twin = tree.with_name(tree.name + "-2")
    twin.mkdir()
    (twin / "x").write_bytes(b"x")
    (tree / "x").symlink_to(twin / "x")
    assert read(Files(tree), "/x") is None


def test_mounts(tree: Path, tmp_path: Path) -> None:
    dated = tmp_path / "elsewhere" / "2025-01-31"
    dated.mkdir(parents=True)
    (dated / "repodata.json").write_bytes(b"old")
    (dated / "aurora.conda").symlink_to(tree / "conda-forge" / "noarch" / "aurora-1.0-h0_0.tar.bz2")
    (tree / "snapshots").mkdir()
    (tree / "snapshots" / "below").write_bytes(b"covered")
    files = Files(tree, {"snapshots": tmp_path / "elsewhere", "/snapshots/latest/": dated})
    assert read(files, "/snapshots/2025-01-31/repodata.json") == b"old"
    assert read(files, "/snapshots/latest/repodata.json") == b"old"
    assert read(files, "/snapshots/latest/aurora.conda") == b"bzip"  # from one served folder into another
    assert read(files, "/snapshots/below") is None
    assert read(files, "/snapshots") is None
    assert read(files, PACKAGE) == b"bzip"


def test_what_is_not_the_files_fault_is_raised(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("mirrortui.serve.files.os.open", full)
    with pytest.raises(OSError, match="Too many"):
        read(Files(tree), PACKAGE)
