"""The whole job on real channels, from `init` to a client that installs from the mirror."""

import contextlib
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mirrortui.serve.server import AccessLine, FileServer
from tests.process import published
from tests.process.client import solve
from tests.process.mirror import Mirror

CHANNELS = {
    "conda-forge": ("noarch", "linux-64", "osx-arm64", "win-64"),
    "pkgs/main": ("noarch", "linux-64", "osx-64", "win-64"),
}
SPECS = ("bzip2", "libzlib", "libexpat", "ca-certificates", "tzdata", "reproc")
PACKAGES = (".conda", ".tar.bz2")
BESIDE = ("run_exports.json.zst", "run_exports.json", "channeldata.json")


class Upstream:
    """The shared channels over HTTP, with a list of what was asked."""

    def __init__(self, root: Path, serve: Callable[..., FileServer]) -> None:
        self._lines: list[AccessLine] = []
        self._lock = threading.Lock()
        self.server = serve(root, log=self._note)
        self.url = self.server.url

    def _note(self, line: AccessLine) -> None:
        with self._lock:
            self._lines.append(line)

    def take(self) -> list[AccessLine]:
        """What was asked since the last call."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines


@pytest.fixture
def upstream(shared: Path, serve: Callable[..., FileServer]) -> Upstream:
    return Upstream(shared / "channels", serve)


@pytest.fixture(scope="module")
def alone(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """A complete mirror whose upstream is switched off; tests only look at it."""
    mirror = Mirror(tmp_path_factory.mktemp("alone") / "mirror")
    with contextlib.ExitStack() as stack:
        upstream = Upstream(
            shared / "channels", lambda root, **options: stack.enter_context(FileServer(root, **options))
        )
        init(mirror, upstream)
        mirror.sync()
    upstream.take()
    yield mirror
    assert upstream.take() == []


def init(mirror: Mirror, upstream: Upstream) -> dict[str, Any]:
    channels = [word for name in CHANNELS for word in ("--channel", name)]
    return mirror.ok(
        "init",
        *channels,
        *("--subdir", "all", "--upstream", upstream.url, "--root", str(mirror.root), "--state", str(mirror.state)),
    )


def wanted(shared: Path, formats: str) -> dict[tuple[str, str], published.Records]:
    """What a mirror of the shared channels must hold, by a rule written down here once more."""
    out = {}
    for channel, subdirs in CHANNELS.items():
        for subdir in subdirs:
            records = published.records(shared / "channels" / channel / subdir / "repodata.json")
            if formats == "prefer-conda":
                twins = {fn.removesuffix(".conda") + ".tar.bz2" for fn in records if fn.endswith(".conda")}
                records = {fn: record for fn, record in records.items() if fn not in twins}
            out[channel, subdir] = records
    return out


def size(records: published.Records) -> int:
    return sum(record["size"] for record in records.values())


def check_estimate(answer: dict[str, Any], want: dict[tuple[str, str], published.Records], present: bool) -> None:
    lines = {(c["channel"], s["subdir"]): s for c in answer["channels"] for s in c["subdirs"]}
    assert set(lines) == set(want)
    for pair, records in want.items():
        line, total = lines[pair], size(records)
        assert (line["records"], line["bytes"], line["unknown_sizes"]) == (len(records), total, 0), pair
        assert (line["bytes_present"], line["bytes_to_fetch"]) == ((total, 0) if present else (0, total)), pair
    for key in ("records", "bytes", "bytes_present", "bytes_to_fetch", "unknown_sizes"):
        assert answer["total"][key] == sum(line[key] for line in lines.values())
    assert answer["disk"]["free"] <= answer["disk"]["total"]


def check_tree(mirror: Mirror, want: dict[tuple[str, str], published.Records]) -> None:
    for (channel, subdir), records in want.items():
        assert published.published(mirror.root, channel, subdir) == records
        on_disk = {p.name for p in (mirror.root / channel / subdir).iterdir() if p.name.endswith(PACKAGES)}
        assert on_disk == set(records)
    assert published.wrong(mirror.root) == []
    assert published.hidden(mirror.root) == []


def check_published_as_sent(mirror: Mirror, shared: Path) -> None:
    """Without a rule that leaves records out, the index is upstream's, to the byte where it came packed."""
    for channel, subdirs in CHANNELS.items():
        for subdir in subdirs:
            ours, theirs = mirror.root / channel / subdir, shared / "channels" / channel / subdir
            assert published.decoded(ours / "repodata.json") == published.decoded(theirs / "repodata.json")
            assert (ours / "repodata.json.zst").read_bytes() == (theirs / "repodata.json.zst").read_bytes()


@pytest.mark.parametrize("formats", ["prefer-conda", "all"])
def test_every_figure_agrees_with_the_upstream_records(
    mirror: Mirror, upstream: Upstream, shared: Path, formats: str
) -> None:
    made = init(mirror, upstream)
    assert {c["channel"]: tuple(c["subdirs"]) for c in made["channels"]} == CHANNELS
    mirror.edit(selection={"formats": formats})
    want = wanted(shared, formats)
    files, total = sum(map(len, want.values())), sum(map(size, want.values()))

    check_estimate(mirror.ok("estimate"), want, present=False)
    plan = mirror.ok("plan")
    nothing = {"files": 0, "bytes": 0}
    assert plan["add"] == {"files": files, "bytes": total}
    assert plan["disk"]["needed"] == total
    assert [plan[kind] for kind in ("replace", "keep", "drop", "prune_due")] == [nothing] * 4
    upstream.take()

    ended = mirror.sync()
    status = mirror.status()
    assert status["run"] == ended["run"]
    run = ended["run"]
    assert (ended["state"], run["added"], run["replaced"], run["failed"]) == ("done", files, 0, [])
    assert run["bytes"] == run["bytes_done"] == run["bytes_total"] == total
    assert run["files"] == {"done": files, "total": files}
    assert run["plan"] == plan["id"]
    lines = {(s["channel"], s["subdir"]): s for s in run["subdirs"]}
    assert {pair: (s["files"]["done"], s["bytes"]["done"]) for pair, s in lines.items()} == {
        pair: (len(records), size(records)) for pair, records in want.items()
    }
    fetched = [line for line in upstream.take() if line.target.endswith(PACKAGES)]
    assert (len(fetched), sum(line.bytes for line in fetched)) == (files, total)
    check_tree(mirror, want)
    if formats == "all":
        check_published_as_sent(mirror, shared)
    check_estimate(mirror.ok("estimate"), want, present=True)
    assert mirror.ok("plan")["keep"] == {"files": files, "bytes": total}


def test_a_second_run_downloads_nothing_and_moves_nothing(
    mirror: Mirror, upstream: Upstream, serve: Callable[..., FileServer]
) -> None:
    init(mirror, upstream)
    mirror.sync()
    before, tags = published.stamps(mirror.root), etags(mirror, serve)
    upstream.take()

    again = mirror.sync()
    asked = [line for line in upstream.take() if not line.target.endswith(BESIDE)]  # which this upstream has not
    assert [line.target for line in asked if line.target.endswith(PACKAGES)] == []
    assert {line.status for line in asked} == {304}
    assert len(asked) == sum(map(len, CHANNELS.values()))
    assert published.stamps(mirror.root) == before
    assert etags(mirror, serve) == tags
    run = again["run"]
    assert (again["state"], run["added"], run["replaced"], run["dropped"], run["bytes"]) == ("done", 0, 0, 0, 0)
    said = mirror.run("sync", "--foreground")
    assert "nothing to do" in said.err
    assert said.out == ""


def etags(mirror: Mirror, serve: Callable[..., FileServer]) -> dict[str, str]:
    """The ETag of every repodata file as clients get it."""
    import httpx

    server = serve(mirror.root)
    urls = [f"{server.url}/{path.relative_to(mirror.root)}" for path in published.indexes(mirror.root)]
    with httpx.Client(trust_env=False) as client:
        return {url.removeprefix(server.url): client.head(url).headers["etag"] for url in urls}


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_client_installs_from_the_mirror_with_the_upstream_switched_off(
    alone: Mirror, serve: Callable[..., FileServer], tmp_path: Path, scheme: str
) -> None:
    base = serve(alone.root).url if scheme == "http" else alone.root.as_uri()
    prefix = tmp_path / "environment"
    answer = solve([f"{base}/conda-forge"], SPECS, tmp_path / "client", install=prefix)
    assert answer["error"] == ""
    assert set(SPECS) <= {record["name"] for record in answer["records"]}
    assert len(answer["records"]) == 11
    for record in answer["records"]:
        assert record["url"].startswith(f"{base}/conda-forge/")
        path = alone.root / record["url"].removeprefix(f"{base}/")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]
    helped = subprocess.run([prefix / "bin" / "bzip2", "--help"], capture_output=True, text=True, check=False)
    assert helped.returncode == 0
    assert "bzip2" in helped.stderr


def test_both_channels_serve_one_client(alone: Mirror, serve: Callable[..., FileServer], tmp_path: Path) -> None:
    base = serve(alone.root).url
    answer = solve([f"{base}/pkgs/main", f"{base}/conda-forge"], ["zlib"], tmp_path / "client")
    assert answer["error"] == ""
    assert {record["url"].removeprefix(base).rsplit("/", 2)[0] for record in answer["records"]} == {
        "/pkgs/main",
        "/conda-forge",
    }


def test_a_lost_state_costs_hashing_but_no_download(mirror: Mirror, upstream: Upstream) -> None:
    init(mirror, upstream)
    mirror.sync()
    before = published.tree(mirror.root)
    shutil.rmtree(mirror.state)
    upstream.take()
    again = mirror.sync()
    assert [line.target for line in upstream.take() if line.target.endswith(PACKAGES)] == []
    assert (again["state"], again["run"]["added"]) == ("done", 0)
    assert published.tree(mirror.root) == before
