"""Whatever an operator can write wrong, in mirror.toml or behind a verb, is refused in one clear line; nothing is done."""

import socket
import threading
from collections.abc import Callable

import pytest

from tests.process import published
from tests.process.faults import hold
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.packages import ChannelTree
from tests.process.refusals import refused, text
from tests.process.waiting import until

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


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("exclude = ['==']", ("selection.exclude[0]", "package name is missing")),
        ("exclude_licenses = ['GLP']", ("selection.exclude_licenses[0]", "GLP", "Did you mean GPL?")),
    ],
)
def test_a_rule_that_means_nothing(mirror: Mirror, lab: ChannelTree, rule: str, words: tuple[str, ...]) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.file.write_text(f"{mirror.file.read_text(encoding='utf-8')}\n[selection]\n{rule}\n", encoding="utf-8")
    for verb in ("estimate", "plan", "sync"):
        refused(mirror.run(verb), 2, str(mirror.file), *words)
    assert published.indexes(mirror.root) == []


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
