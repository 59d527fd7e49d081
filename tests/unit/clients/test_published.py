"""What counts as a published channel."""

import os
from pathlib import Path

import pytest

from mirrortui.clients import PublishedChannel, scan
from mirrortui.errors import TargetError


def publish(root: Path, channel: str, *subdirs: str) -> None:
    for subdir in subdirs:
        folder = root / channel / subdir
        folder.mkdir(parents=True)
        (folder / "repodata.json").write_text("{}")


def test_nested_names_labels_and_the_order_of_subdirs(tmp_path: Path) -> None:
    publish(tmp_path, "conda-forge", "noarch", "win-64", "linux-64")
    publish(tmp_path, "conda-forge/label/rc", "noarch")
    publish(tmp_path, "pkgs/main", "noarch", "linux-64", "linux-loongarch64")
    assert scan(tmp_path) == (
        PublishedChannel("conda-forge", ("linux-64", "win-64", "noarch")),
        PublishedChannel("conda-forge/label/rc", ("noarch",)),
        PublishedChannel("pkgs/main", ("linux-64", "linux-loongarch64", "noarch")),
    )


def test_a_folder_without_noarch_repodata_is_no_channel(tmp_path: Path) -> None:
    publish(tmp_path, "half", "linux-64")
    (tmp_path / "empty" / "noarch").mkdir(parents=True)
    (tmp_path / "odd" / "noarch" / "repodata.json").mkdir(parents=True)
    assert scan(tmp_path) == ()


def test_what_is_passed_over(tmp_path: Path) -> None:
    publish(tmp_path, ".hidden", "noarch")
    publish(tmp_path, "snapshots/2025-01-31/conda-forge", "noarch")
    publish(tmp_path, "lab/snapshots/x", "noarch")
    publish(tmp_path, "lab/.trash", "noarch")
    publish(tmp_path, "t", "noarch")
    publish(tmp_path, "bad name", "noarch")
    publish(tmp_path, "lab/-dash", "noarch")
    publish(tmp_path, "noarch-tools", "noarch")
    (tmp_path / "noarch").mkdir()
    (tmp_path / "noarch" / "repodata.json").write_text("{}")
    assert scan(tmp_path) == ()


def test_links_inside_are_followed_links_outside_and_rings_are_not(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    publish(root, "pkgs/main", "noarch")
    publish(outside, "secret", "noarch")
    (root / "main").symlink_to("pkgs/main")
    (root / "secret").symlink_to(outside / "secret")
    (root / "pkgs" / "loop").symlink_to(root / "pkgs")
    (root / "gone").symlink_to("nowhere")
    borrowed = root / "borrowed" / "noarch"
    borrowed.mkdir(parents=True)
    (borrowed / "repodata.json").symlink_to(outside / "secret" / "noarch" / "repodata.json")
    assert [channel.name for channel in scan(root)] == ["main", "pkgs/main"]


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    publish(tmp_path / "real", "conda-forge", "noarch")
    (tmp_path / "link").symlink_to("real")
    assert [channel.name for channel in scan(tmp_path / "link")] == ["conda-forge"]


def test_a_missing_root_has_no_channels_a_file_is_an_error(tmp_path: Path) -> None:
    assert scan(tmp_path / "nothing") == ()
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="cannot be read"):
        scan(tmp_path / "file")


def test_package_folders_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, "conda-forge", "noarch", "linux-64")
    (tmp_path / "conda-forge" / "linux-ppc64le").mkdir()  # being fetched, not published yet
    listed: list[str] = []
    real = os.scandir

    def counting(path: str) -> object:
        listed.append(os.path.basename(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", counting)
    assert scan(tmp_path)[0].subdirs == ("linux-64", "noarch")
    assert listed == [tmp_path.name, "conda-forge"]


def test_real_channels(shared: Path) -> None:
    found = {channel.name: channel.subdirs for channel in scan(shared / "channels")}
    assert found["conda-forge"] == ("linux-64", "osx-arm64", "win-64", "noarch")
    assert "pkgs/main" in found
    assert all(subdirs[-1] == "noarch" for subdirs in found.values())
