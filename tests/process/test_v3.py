"""An upstream that lists packages in `v3` alone (CEP 48): mirrored, verified, installed from, dropped and pruned like others."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from mirrortui.demo import upstream
from mirrortui.serve.server import FileServer
from tests.process import published
from tests.process.client import solve
from tests.process.mirror import Mirror

SUBDIRS = ("linux-64", "noarch")
WHEEL = {"w-1-py3_none_any": {"fn": "w-1-py3-none-any.whl", "name": "w", "version": "1", "build": "py3_none_any", "url": "https://files.example/w.whl"}}  # fmt: skip


def move(folder: Path, names: Iterable[str]) -> list[str]:
    """Move the records of some names from the older tables of a subdir to v3, in the spelling of v3; returns the files."""
    body = json.loads((folder / "repodata.json").read_bytes())
    v3: dict[str, Any] = {"conda": {}, "tar.bz2": {}, "whl": dict(WHEEL)}
    moved = []
    for section, suffix in (("packages", ".tar.bz2"), ("packages.conda", ".conda")):
        for fn, record in list(body[section].items()):
            if record["name"] in names:
                del body[section][fn]
                depends = [bracketed(text) for text in record["depends"]]
                more = {"extra_depends": {"docs": ["nowhere"]}, "indexed_timestamp": 1_773_851_561_010}
                v3[suffix[1:]][fn.removesuffix(suffix)] = record | {"depends": depends} | more
                moved.append(fn)
    body["v3"] = v3
    body["info"]["repodata_revisions"] = {"v3": {"n_packages": len(moved) + len(WHEEL), "message": "new"}}
    text = json.dumps(body).encode()
    (folder / "repodata.json").write_bytes(text)
    (folder / "repodata.json.zst").write_bytes(zstandard.compress(text))
    return moved


def bracketed(text: str) -> str:
    name, _, version = text.partition(" ")
    return f'{name}[version="{version}",when="__unix"]' if version else text


@pytest.fixture
def made(tmp_path: Path) -> upstream.DemoUpstream:
    return upstream.build(tmp_path / "upstream")


def shard(folder: Path, name: str) -> Any:
    index = unpacked(folder / "repodata_shards.msgpack.zst")
    return unpacked(folder / "shards" / f"{index['shards'][name].hex()}.msgpack.zst")


def unpacked(path: Path) -> Any:
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()))


def test_packages_of_v3_are_mirrored_installed_verified_and_pruned(
    mirror: Mirror, made: upstream.DemoUpstream, serve: Callable[..., FileServer], tmp_path: Path
) -> None:
    theirs = made.folder / "conda-forge"
    moved = {subdir: move(theirs / subdir, made.expected_names) for subdir in SUBDIRS}
    assert all(moved.values())
    mirror.write({"conda-forge": theirs.as_uri()}, selection={"formats": "all"}, prune={"grace": "0 s", "max_share": 1})
    mirror.sync()
    warnings = mirror.ok("plan")["warnings"]
    assert "2 records of kinds that this program does not fetch are left out (v3/whl)" in warnings

    for subdir in SUBDIRS:
        ours = published.decoded(mirror.root / "conda-forge" / subdir / "repodata.json")
        want = published.decoded(theirs / subdir / "repodata.json")
        assert ours["v3"] == want["v3"] | {"whl": {}}
        assert (ours["packages"], ours["packages.conda"]) == (want["packages"], want["packages.conda"])
        assert ours["info"]["repodata_revisions"]["v3"] == {"n_packages": len(moved[subdir]), "message": "new"}
        assert set(moved[subdir]) <= set(published.published(mirror.root, "conda-forge", subdir))
    assert published.wrong(mirror.root) == []
    assert "files.example" not in (mirror.root / "conda-forge/noarch/repodata.json").read_text()

    # a client finds them, by shards over HTTP and in repodata.json of a file URL
    web = serve(mirror.root)
    for number, base in enumerate((web.url, mirror.root.as_uri())):
        home, prefix = tmp_path / f"client{number}", tmp_path / f"prefix{number}"
        answer = solve([f"{base}/conda-forge"], made.install_specs, home, install=prefix)
        assert answer["error"] == ""
        assert {record["name"] for record in answer["records"]} == set(made.expected_names)
        assert all(record["url"].startswith(base) for record in answer["records"])
        assert len(list((prefix / "conda-meta").glob("*.json"))) == len(made.expected_names)

    before = published.stamps(mirror.root)
    assert mirror.sync()["run"]["added"] == 0
    assert published.stamps(mirror.root) == before

    # verify sees them
    victim = mirror.root / "conda-forge/linux-64" / moved["linux-64"][0]
    good = victim.read_bytes()
    victim.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    found = mirror.run("verify", "--json").json()
    assert [(bad["fn"], bad["reason"]) for bad in found["bad"]] == [(victim.name, "hash")]
    assert found["orphans"] == []
    mirror.run("verify", "--repair")
    mirror.sync()
    assert victim.read_bytes() == good

    # a rule takes them out of the metadata, and prune off the disk
    name = made.expected_names[0]
    subdir = next(s for s in SUBDIRS if any(fn.startswith(f"{name}-") for fn in moved[s]))
    gone = [fn for fn in moved[subdir] if fn.startswith(f"{name}-")]
    mirror.edit(selection={"exclude": [name]})
    mirror.sync("--confirm-prune")
    folder = mirror.root / "conda-forge" / subdir
    assert not set(gone) & set(published.published(mirror.root, "conda-forge", subdir))
    assert [fn for fn in gone if (folder / fn).exists()] == []
    assert name not in unpacked(folder / "repodata_shards.msgpack.zst")["shards"]
    assert published.wrong(mirror.root) == []
    assert mirror.ok("verify")["bad"] == []


def test_v3_packages_come_in_as_dependencies_under_a_condition(mirror: Mirror, made: upstream.DemoUpstream) -> None:
    theirs = made.folder / "conda-forge"
    for subdir in SUBDIRS:
        move(theirs / subdir, made.expected_names)
    mirror.write({"conda-forge": theirs.as_uri()}, selection={"include": list(made.install_specs)})
    mirror.sync()
    names = {
        record["name"]
        for subdir in SUBDIRS
        for record in published.published(mirror.root, "conda-forge", subdir).values()
    }
    assert names >= set(made.expected_names)
    name = made.install_specs[0].split()[0]
    body = next(
        unpackable
        for subdir in SUBDIRS
        if name in unpacked(mirror.root / "conda-forge" / subdir / "repodata_shards.msgpack.zst")["shards"]
        for unpackable in [shard(mirror.root / "conda-forge" / subdir, name)]
    )
    assert (body["packages"], body["packages.conda"]) == ({}, {})
    assert body["v3"]["conda"]
