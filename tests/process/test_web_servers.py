"""The generated texts, taken by the servers they are for: what conda clients need of each, asked over HTTP."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirrortui.serve.server import FileServer
from tests.process import web
from tests.process.client import solve
from tests.process.mirror import Mirror

SHARD = f"{'ab' * 32}.msgpack.zst"
FOREVER, MINUTE = "public, immutable, max-age=31536000", "public, max-age=60"
ZSTD = "application/zstd"
SPECS = ("bzip2", "libzlib", "libexpat", "ca-certificates", "tzdata", "reproc")

TREE = {
    "pkgs/main/linux-64/repodata.json": "live json",
    "pkgs/main/linux-64/repodata.json.zst": "live zst",
    "pkgs/main/linux-64/repodata_shards.msgpack.zst": "live shards",
    f"pkgs/main/linux-64/shards/{SHARD}": "shard",
    "pkgs/main/linux-64/same-1!2.0+a-0.conda": "same",
    "pkgs/main/linux-64/same-1-0.tar.bz2": "same bz2",
    "pkgs/main/linux-64/changed-1-0.conda": "new",
    "pkgs/main/linux-64/.hidden-1-0.conda": "hidden",
    "pkgs/main/linux-64/.busy-1-0.conda.part": "part",
    "snapshots/day/pkgs/main/linux-64/repodata.json": "old json",
    "snapshots/day/pkgs/main/linux-64/repodata.json.zst": "old zst",
    "snapshots/day/pkgs/main/linux-64/.names.zst": "names",
    f"snapshots/day/pkgs/main/linux-64/shards/{SHARD}": "shard",
    "snapshots/day/pkgs/main/linux-64/changed-1-0.conda": "old",
    "snapshots/day/.snapshot.json": "mark",
    "snapshots/.gone.new/pkgs/main/linux-64/repodata.json": "unfinished",
}

LIVE, DAY = "/pkgs/main/linux-64", "/snapshots/day/pkgs/main/linux-64"
FOUND = {
    f"{LIVE}/repodata.json": ("live json", MINUTE, "application/json"),
    f"{LIVE}/repodata.json.zst": ("live zst", MINUTE, ZSTD),
    f"{LIVE}/repodata_shards.msgpack.zst": ("live shards", MINUTE, ZSTD),
    f"{LIVE}/shards/{SHARD}": ("shard", FOREVER, ZSTD),
    f"{LIVE}/same-1%212.0%2Ba-0.conda": ("same", FOREVER, None),
    f"{LIVE}/same-1-0.tar.bz2": ("same bz2", FOREVER, None),
    f"{LIVE}/changed-1-0.conda": ("new", FOREVER, None),
    f"{DAY}/repodata.json": ("old json", MINUTE, "application/json"),
    f"{DAY}/repodata.json.zst": ("old zst", MINUTE, ZSTD),
    f"{DAY}/shards/{SHARD}": ("shard", FOREVER, ZSTD),
    f"{DAY}/changed-1-0.conda": ("old", FOREVER, None),
    f"{DAY}/same-1!2.0+a-0.conda": ("same", FOREVER, None),
    f"{DAY}/same-1%212.0%2Ba-0.conda": ("same", FOREVER, None),
    f"{DAY}/same-1-0.tar.bz2": ("same bz2", FOREVER, None),
}
ABSENT = (
    f"{DAY}/nothing-1-0.conda",
    f"{DAY}/repodata_shards.msgpack.zst",  # the live one is another generation
    f"{DAY}/repodata.json.bz2",
    f"{DAY}/.hidden-1-0.conda",
    f"{DAY}/.busy-1-0.conda.part",
    f"{DAY}/.names.zst",
    DAY,
    "/snapshots/day/.snapshot.json",
    "/snapshots/.gone.new/pkgs/main/linux-64/repodata.json",
    "/snapshots/.gone.new/pkgs/main/linux-64/same-1-0.tar.bz2",
    "/snapshots/day/same-1-0.tar.bz2",
    "/snapshots/same-1-0.tar.bz2",
    f"{LIVE}/.hidden-1-0.conda",
    f"{LIVE}/shards",
    "/pkgs",
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may enter: a server that root starts reads its files as another."""
    folder = Path(tempfile.mkdtemp(prefix="mirrortui-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def tree(open_folder: Path) -> Path:
    root = open_folder / "root of lab"
    for name, text in TREE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def start(kind: str, folder: Path, root: Path, path: str = "") -> web.WebServer:
    program = web.find(kind)
    if program is None:
        pytest.skip(f"{kind} is not installed")
    place = folder / "server"
    place.mkdir()
    return web.WebServer(kind, program, place, root, path)


def check(url: str, kind: str) -> None:
    with httpx.Client(trust_env=False) as client:
        for path, (text, keep, media) in FOUND.items():
            answer = client.get(url + path, headers={"Accept-Encoding": "gzip, br, zstd"})
            assert (answer.status_code, answer.content) == (200, text.encode()), path
            assert answer.headers["cache-control"] == keep, path
            assert "content-encoding" not in answer.headers, path
            assert media in (None, answer.headers.get("content-type")), path
            tag = answer.headers["etag"]
            again = client.get(url + path, headers={"If-None-Match": tag})
            assert (again.status_code, again.content) == (304, b""), path
            part = client.get(url + path, headers={"Range": "bytes=1-2"})
            assert (part.status_code, part.content) == (206, text.encode()[1:3]), path
            assert int(client.head(url + path).headers["content-length"]) == len(text), path
        for path in ABSENT:
            assert client.get(url + path).status_code == 404, path


@pytest.mark.parametrize("path", ["", "/the.lab/conda"])
@pytest.mark.parametrize("kind", ["nginx", "caddy", "apache"])
def test_each_server_serves_the_tree_and_its_snapshots(open_folder: Path, tree: Path, kind: str, path: str) -> None:
    with start(kind, open_folder, tree, path) as server:
        check(server.url, kind)


def test_the_embedded_server_does_the_same(tree: Path, serve: Callable[..., FileServer]) -> None:
    check(serve(tree).url, "embedded")


# ------------------------------------------------------------------------------------- a real client

PUBLISHED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "shards": ({"shards": True, "zst": True}, {"repodata_shards.msgpack.zst"}),
    "zst": ({"shards": False, "zst": True}, {"repodata.json.zst"}),
    "json": ({"shards": False, "zst": False}, {"repodata.json"}),
}


@pytest.mark.parametrize("way", PUBLISHED)
def test_a_client_installs_through_nginx(mirror: Mirror, shared: Path, tmp_path: Path, way: str) -> None:
    options, asked = PUBLISHED[way]
    mirror.write({"conda-forge": (shared / "channels" / "conda-forge").as_uri()}, publish=options)
    mirror.sync()
    with start("nginx", tmp_path, mirror.root) as server:
        answer = solve([f"{server.url}/conda-forge"], SPECS, tmp_path / "client", install=tmp_path / "environment")
        log = server.log()
    assert answer["error"] == ""
    assert len(answer["records"]) == 11
    assert os.access(tmp_path / "environment" / "bin" / "bzip2", os.X_OK)
    for record in answer["records"]:
        path = mirror.root / record["url"].removeprefix(f"{server.url}/")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]

    served = {line.path for line in log if line.status == 200 and line.method == "GET"}
    metadata = {path for path in served if "repodata" in path}
    assert metadata == {f"/conda-forge/{subdir}/{name}" for subdir in ("linux-64", "noarch") for name in asked}
    shards = {path for path in served if "/shards/" in path}
    assert bool(shards) == (way == "shards")
    if way == "shards":  # one for each name that the solver came across
        assert len(shards) >= len(answer["records"])
    packages = {path for path in served if path.endswith((".conda", ".tar.bz2"))}
    assert packages == {record["url"].removeprefix(server.url) for record in answer["records"]}
    assert {line.status for line in log} <= {200, 206, 304, 404}
