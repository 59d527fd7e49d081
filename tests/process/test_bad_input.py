"""Whatever an operator can get wrong: one clear line on stderr, the right exit code, nothing on stdout, nothing done."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process import published
from tests.process.faulty import FaultyUpstream, hold, page, status
from tests.process.mirror import Done, Mirror
from tests.process.packages import ChannelTree
from tests.process.waiting import until

GOOD = """
version = 1
[mirror]
name = "lab"
root = "{root}"
url = "http://mirror.lab"
state = "{state}"
[[channels]]
name = "lab"
upstreams = ["http://127.0.0.1:9/lab"]
subdirs = ["linux-64", "noarch"]
"""
INDEXES = [
    f"/lab/{subdir}/{name}" for subdir in ("linux-64", "noarch") for name in ("repodata.json.zst", "repodata.json")
]


def refused(done: Done, code: int, *words: str) -> None:
    """One line on stderr that holds all words, nothing on stdout."""
    lines = done.err.splitlines()
    assert done.code == code, done.err
    assert done.out == ""
    assert len(lines) == 1, done.err
    assert lines[0].startswith("mirrortui: ")
    assert "Traceback" not in done.err
    for word in words:
        assert word in lines[0]


def failed(done: Done, code: int, *words: str) -> None:
    """A run that began and failed: told on stderr, without a traceback; the last line says why."""
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    last = done.err.splitlines()[-1]
    for word in words:
        assert word in last


def text(mirror: Mirror, change: Callable[[str], str]) -> None:
    """Write mirror.toml by hand."""
    mirror.file.write_text(change(GOOD.format(root=mirror.root, state=mirror.state)), encoding="utf-8")


BAD_FILES: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
    "unknown key": (lambda t: t.replace("subdirs", "subdir"), ("channels[0].subdir", "Did you mean subdirs?")),
    "unknown section": (lambda t: t + "[prun]\ngrace='1 d'\n", ("prun", "Did you mean prune?")),
    "text for a number": (lambda t: t + "[transfer]\nconnections = '8'\n", ("transfer.connections", "number")),
    "number for a text": (lambda t: t.replace('name = "lab"\nroot', "name = 3\nroot"), ("mirror.name", "text")),
    "text for a list": (lambda t: t.replace('["linux-64", "noarch"]', '"linux-64"'), ("subdirs", "list")),
    "a key that is missing": (lambda t: t.replace('name = "lab"\nroot', "root"), ("mirror", "name")),
    "two channels of one name": (
        lambda t: t + t[t.index("[[channels]]") :],
        ("channels[1]", "a second channel named lab", "Merge"),
    ),
    "no TOML": (lambda t: t.replace("[mirror]", "[mirror"), ("not valid TOML", "line 3")),
    "another version": (lambda t: t.replace("version = 1", "version = 2"), ("version 2",)),
    "a rate of nonsense": (lambda t: t + "[transfer]\nlimit = 'fast'\n", ("transfer.limit", "fast")),
    "a share beyond all": (lambda t: t + "[prune]\nmax_share = 2.0\n", ("prune.max_share",)),
    "a climbing channel": (lambda t: t.replace('name = "lab"\nup', 'name = "../lab"\nup'), ("..",)),
    "an escape sequence": (lambda t: t.replace('name = "lab"\nup', 'name = "\\u001b[31mlab"\nup'), ("x1b",)),
    "a foreign scheme": (
        lambda t: t.replace("http://127.0.0.1:9/lab", "ftp://host/lab"),
        ("ftp://host/lab", "https://"),
    ),
    "the tree in the state": (lambda t: t.replace('state"', 'root/state"'), ("mirror.state", "outside")),
    "a proxy of nonsense": (lambda t: t + "[transfer]\nproxy = 'nonsense'\n", ("proxy", "nonsense")),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_mirror_toml(mirror: Mirror, name: str) -> None:
    change, words = BAD_FILES[name]
    text(mirror, change)
    done = mirror.run("status")
    refused(done, 2, str(mirror.file), *words)
    assert "\x1b" not in done.err
    assert not mirror.root.exists()


@pytest.mark.parametrize("verb", ["estimate", "plan", "sync", "status", "pause", "prune", "condarc", "serve"])
def test_every_verb_refuses_a_bad_file_alike(mirror: Mirror, verb: str) -> None:
    text(mirror, BAD_FILES["no TOML"][0])
    refused(mirror.run(verb), 2, "not valid TOML")


def test_a_file_that_is_no_text(mirror: Mirror) -> None:
    mirror.file.write_bytes(b"\xff\xfe\x00version")
    refused(mirror.run("status"), 2, "not UTF-8")


@pytest.mark.parametrize("rule", [{"exclude": ["=="]}, {"exclude_licenses": ["GLP"]}])
def test_a_rule_that_means_nothing(mirror: Mirror, lab: ChannelTree, rule: dict[str, list[str]]) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    raw = mirror.file.read_text(encoding="utf-8")
    (key, values), *_ = rule.items()
    mirror.file.write_text(f"{raw}\n[selection]\n{key} = {values!r}\n", encoding="utf-8")
    for verb in ("estimate", "plan", "sync"):
        done = mirror.run(verb)
        (failed if verb == "sync" and not done.err.startswith("mirrortui: ") else refused)(done, 2, values[0])
    assert published.indexes(mirror.root) == []


# ------------------------------------------------------------------------------------------------ places


def test_no_mirror_toml_anywhere(mirror: Mirror) -> None:
    if Path("/etc/mirrortui/mirror.toml").exists():
        pytest.skip("this machine has a mirror of its own")
    done = subprocess.run(
        [*mirror.command("status")[:3], "status"],
        env=mirror.environment,
        cwd=mirror.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    refused(Done(done.returncode, done.stdout, done.stderr), 2, "no mirror.toml found", "mirrortui init")


def test_a_mirror_toml_that_is_not_there(mirror: Mirror) -> None:
    refused(mirror.run("status"), 2, "no such file", "mirrortui init")


def in_the_way(path: Path) -> None:
    path.write_text("a file in the way", encoding="utf-8")


@pytest.mark.parametrize("how", ["--foreground", "--detach"])
@pytest.mark.parametrize("place", ["root", "state"])
def test_a_place_that_is_a_file(mirror: Mirror, place: str, how: str) -> None:
    text(mirror, str)
    in_the_way(getattr(mirror, place))
    refused(mirror.run("sync", how), 1, str(getattr(mirror, place)))


@pytest.mark.parametrize("place", ["root", "state"])
def test_a_place_on_a_file_system_that_takes_nothing(mirror: Mirror, place: str) -> None:
    text(mirror, lambda t: t.replace(str(getattr(mirror, place)), "/proc/mirror"))
    refused(mirror.run("sync"), 1, "/proc/mirror")


@pytest.mark.parametrize("verb", ["sync", "estimate"])
@pytest.mark.parametrize("place", ["root", "state"])
def test_a_place_without_write_permission(mirror: Mirror, lab: ChannelTree, place: str, verb: str) -> None:
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    folder = getattr(mirror, place)
    folder.mkdir()
    folder.chmod(0o555)
    command = mirror.command(verb)
    if os.geteuid() == 0:  # root may write anywhere, unless it gives that up
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to give up root's rights")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]
    ended = subprocess.run(
        command, env=mirror.environment, cwd=mirror.folder, capture_output=True, text=True, check=False
    )
    folder.chmod(0o755)
    done = Done(ended.returncode, ended.stdout, ended.stderr)
    if place == "root" and verb == "estimate":
        assert done.code == 0  # it only looks
    else:
        refused(done, 1, str(folder), "Permission denied")


@pytest.mark.parametrize("name", ["journal.db", "inventory.db"])
@pytest.mark.parametrize("content", [b"this is no database, but it is long enough to look at" * 100, None])
def test_a_database_that_is_none(mirror: Mirror, lab: ChannelTree, name: str, content: bytes | None) -> None:
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.state.mkdir()
    path = mirror.state / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    done = mirror.run("sync")
    (refused if name == "journal.db" else failed)(done, 1, str(path))
    if name == "journal.db":
        refused(mirror.run("status"), 1, str(path))


def test_a_root_that_is_a_link_elsewhere(mirror: Mirror, lab: ChannelTree, tmp_path: Path) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    outside = tmp_path / "outside"
    (outside / "linux-64").mkdir(parents=True)
    mirror.root.mkdir()
    (mirror.root / "lab").symlink_to(outside)
    failed(mirror.run("sync"), 1, "link")
    assert list(outside.rglob("*")) == [outside / "linux-64"]


def test_a_plan_that_does_not_fit_the_disk(mirror: Mirror, lab: ChannelTree) -> None:
    fn = lab.put("vast")
    lab.records["linux-64"][fn]["size"] = 1 << 49
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    failed(mirror.run("sync"), 5, "free")
    assert published.indexes(mirror.root) == []


# --------------------------------------------------------------------------------------------- upstreams


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def no_channel(mirror: Mirror, *words: str) -> None:
    """An upstream of no use: each verb says so in its own way, and nothing is made."""
    refused(mirror.run("estimate"), 1, *words)
    refused(mirror.run("plan", "--json"), 1, *words)
    failed(mirror.run("sync"), 1, *words)
    refused_or_told = mirror.run("sync", "--json")
    assert refused_or_told.code == 1
    assert refused_or_told.json()["state"] == "failed"
    assert all(word in refused_or_told.json()["run"]["message"] for word in words)
    assert published.indexes(mirror.root) == []


def test_nobody_listens(mirror: Mirror) -> None:
    mirror.write({"lab": f"http://127.0.0.1:{free_port()}/lab"})
    no_channel(mirror, "cannot be reached", "refused")


def test_a_host_that_nobody_knows(mirror: Mirror) -> None:
    mirror.write({"lab": "http://upstream.invalid/lab"})
    no_channel(mirror, "upstream.invalid", "cannot be resolved")


def test_a_token_is_never_told(mirror: Mirror) -> None:
    mirror.write({"lab": f"http://user:pass-word@127.0.0.1:{free_port()}/t/to-ken/lab"})
    for verb in ("estimate", "sync"):
        done = mirror.run(verb)
        assert done.code == 1
        assert "pass-word" not in done.err + done.out
        assert "to-ken" not in done.err + done.out
    for path in mirror.state.rglob("*"):
        if path.is_file():
            assert b"to-ken" not in path.read_bytes(), path


def test_a_channel_that_is_not_there(mirror: Mirror, faulty: FaultyUpstream) -> None:
    mirror.write({"nowhere": f"{faulty.url}/nowhere"})
    no_channel(mirror, "there is no channel nowhere")


def test_an_html_page_instead_of_an_index(mirror: Mirror, faulty: FaultyUpstream) -> None:
    for path in INDEXES:
        faulty.always(path, page("<!DOCTYPE html><title>Sign in</title>") if path.endswith("json") else status(404))
    mirror.write({"lab": f"{faulty.url}/lab"})
    no_channel(mirror, "HTML page", "repodata.json", "login page")


def test_a_login_page_instead_of_a_packed_index(mirror: Mirror, faulty: FaultyUpstream) -> None:
    for path in INDEXES:
        faulty.always(path, page("<html><form>password</form></html>"))
    mirror.write({"lab": f"{faulty.url}/lab"})
    no_channel(mirror, "HTML page", "repodata.json.zst", "login page")


@pytest.mark.parametrize("body", ["{}", "[]", '{"packages": {"a-1-0.conda": ', '{"packages": 3}', ""])
def test_json_that_is_no_index(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream, body: str) -> None:
    lab.index()
    for path in INDEXES:
        faulty.always(path, page(body, "application/json") if path.endswith("json") else status(404))
    mirror.write({"lab": f"{faulty.url}/lab"})
    done = mirror.run("estimate", "--json")
    if body == "{}":  # an index without records is poor, not wrong
        assert done.code == 0
    else:
        refused(done, 1, f"{faulty.url}/lab")


def test_an_upstream_in_trouble(mirror: Mirror, faulty: FaultyUpstream) -> None:
    for path in INDEXES:
        faulty.always(path, status(500))
    mirror.write({"lab": f"{faulty.url}/lab"})
    no_channel(mirror, "answered 500")


def test_one_bad_channel_does_not_hold_up_the_others(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": f"{faulty.url}/lab", "nowhere": f"{faulty.url}/nowhere"})
    partial = mirror.sync(code=3)
    assert partial["state"] == "partial"
    assert "nowhere" in partial["run"]["message"]
    assert len(published.published(mirror.root, "lab", "linux-64")) == 1
    assert not (mirror.root / "nowhere").exists()


# ------------------------------------------------------------------------------------------------- verbs


def test_a_port_in_use(mirror: Mirror) -> None:
    text(mirror, str)
    mirror.root.mkdir()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        refused(mirror.run("serve", "--port", str(port)), 1, f"127.0.0.1:{port}", "in use")


def test_nothing_to_serve(mirror: Mirror) -> None:
    text(mirror, str)
    refused(mirror.run("serve", "--port", "0"), 1, str(mirror.root))


@pytest.mark.parametrize("verb", ["pause", "resume", "stop", "limit"])
def test_a_command_without_a_run(mirror: Mirror, verb: str) -> None:
    text(mirror, str)
    refused(mirror.run(verb, *(["5 MB/s"] if verb == "limit" else [])), 2, "no run is at work")


def test_a_limit_of_nonsense(mirror: Mirror) -> None:
    text(mirror, str)
    refused(mirror.run("limit", "fast"), 2, "fast", "is no rate")


def test_a_busy_lock(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> None:
    fn = lab.put("held")
    lab.index()
    gate = threading.Event()
    faulty.always(f"/lab/linux-64/{fn}", hold(10, gate))
    mirror.write({"lab": f"{faulty.url}/lab"})
    mirror.ok("sync", "--detach")
    for words in (("sync",), ("sync", "--foreground"), ("sync", "--detach"), ("prune",)):
        refused(mirror.run(*words), 4, "another run is at work", "mirrortui status")
    gate.set()
    until(lambda: mirror.status()["state"] == "done")


def test_init_does_not_overwrite(mirror: Mirror) -> None:
    text(mirror, str)
    before = mirror.file.read_bytes()
    refused(mirror.run("init", "--root", str(mirror.root), "--channel", "conda-forge"), 2, str(mirror.file), "--force")
    assert mirror.file.read_bytes() == before


def test_init_finds_no_subdir(mirror: Mirror, faulty: FaultyUpstream) -> None:
    words = ("--root", str(mirror.root), "--channel", "nowhere", "--subdir", "all", "--upstream", faulty.url)
    refused(mirror.run("init", *words), 2, "nowhere")
    assert not mirror.file.exists()
