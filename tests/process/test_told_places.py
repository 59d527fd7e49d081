"""Places and settings that cannot be, told with the reason and the next step by every verb that meets them."""

import os
import re
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from mirrortui.mirror.inventory import Entry, Inventory
from tests.process.faults import hold
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Done, Mirror
from tests.process.packages import ChannelTree
from tests.process.refusals import refused, text
from tests.process.waiting import until


def mounts() -> bool:
    """Whether this account may mount something where nobody else sees it."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    look = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    return subprocess.run(look, capture_output=True, check=False).returncode == 0


can_mount = pytest.mark.skipif(
    not mounts(), reason="only root with mounts of its own can fill a disk or make it read-only"
)


def mounted(mirror: Mirror, script: str) -> "subprocess.Popen[str]":
    """Start a shell script with mounts that only it sees; `$sync` and `$status` are the verbs."""
    verbs = {verb: shlex.join(mirror.command(verb)) for verb in ("sync", "status")}
    return subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script],
        env=mirror.environment | verbs | {"state": str(mirror.state), "root": str(mirror.root)},
        cwd=mirror.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# ------------------------------------------------------------------------------------------------- the root


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        ("sync",),
        ("estimate",),
        ("plan", "--no-refresh"),
        ("prune",),
        ("prune", "--dry-run"),
        ("verify",),
    ],
)
def test_a_root_that_is_a_file(mirror: Mirror, lab: ChannelTree, words: tuple[str, ...], below: bool) -> None:
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    if below:
        text(mirror, lambda t: t.replace(f'"{mirror.root}"', f'"{mirror.root}/tree"'))
    mirror.root.write_text("a file in the way")
    refused(mirror.run(*words), 1, f"{mirror.root}: is a file, not a folder", "Move it away, or set mirror.root")


@can_mount
def test_a_root_that_was_mounted_read_only_again(mirror: Mirror, lab: ChannelTree) -> None:
    lab.put("some")
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.sync()
    script = 'mount --bind "$root" "$root" && mount -o remount,ro,bind "$root" && $sync'
    out, err = mounted(mirror, script).communicate(timeout=60)
    assert out == ""
    assert f"{mirror.root}: cannot be written: the file system is read-only" in err
    assert "owner and mode" not in err


# ------------------------------------------------------------------------------------------------ the state


@can_mount
def test_a_state_whose_disk_is_full_fails_the_run_and_says_so(
    mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream
) -> None:
    """The disk is filled while the last file is on its way: neither inventory nor journal can be written then."""
    lab.put("some")
    fn = lab.put("held")
    lab.index()
    gate = threading.Event()
    faulty.always(f"/lab/linux-64/{fn}", hold(10, gate))
    mirror.write({"lab": f"{faulty.url}/lab"})
    mirror.state.mkdir()
    script = """
        mount -t tmpfs -o size=8m none "$state" || exit 9
        $sync & sync=$!
        while [ ! -e go ]; do sleep 0.02; done
        cat /dev/zero > "$state/fill" 2>/dev/null
        touch filled
        wait $sync; echo $?
        $status
        """
    process = mounted(mirror, script)
    until(lambda: any(asked.path.endswith(fn) for asked in faulty.asked))
    (mirror.folder / "go").touch()
    until((mirror.folder / "filled").exists)
    gate.set()
    out, err = process.communicate(timeout=60)
    code, status = out.splitlines()[0], out.splitlines()[1]
    assert code == "1", err
    assert status.startswith("run 1 failed after"), out
    assert "disk is full" in status
    assert err.splitlines()[-1] == status
    assert "worker.log" not in err


@pytest.mark.parametrize("words", [("sync",), ("sync", "--detach"), ("estimate",), ("plan",)])
def test_a_secret_that_is_not_set_is_a_wrong_setting(mirror: Mirror, words: tuple[str, ...]) -> None:
    text(mirror, lambda t: t.replace("127.0.0.1:9/lab", "127.0.0.1:9/t/${NOT_SET_AT_ALL}/lab"))
    refused(mirror.run(*words), 2, "the environment variable NOT_SET_AT_ALL is not set", "upstream of lab")
    assert not mirror.root.exists()


# ----------------------------------------------------------------------------------------------- mirror.toml


def init(mirror: Mirror, upstream: str) -> Done:
    words = ("--root", str(mirror.root), "--state", str(mirror.state), "--channel", "lab", "--subdir", "noarch")
    return mirror.run("init", *words, "--upstream", upstream)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://h/t/${TOK}", "http://h/t/${TOK}/lab"),
        ("http://h/t/${TOK}/{channel}/x", "http://h/t/${TOK}/lab/x"),
        ("https://${ME}:${PW}@h/", "https://${ME}:${PW}@h/lab"),
    ],
)
def test_init_takes_the_name_of_a_secret(mirror: Mirror, given: str, url: str) -> None:
    done = init(mirror, given)
    assert done.code == 0, done.err
    assert mirror.config.channels[0].upstreams == (url,)


@pytest.mark.parametrize("given", ["http://127.0.0.1:9473/t/{TOK}", "http://127.0.0.1:9473/t/${TOK", "http://h/t/a b"])
def test_what_is_no_url_is_told_whole_but_for_the_secret(mirror: Mirror, given: str) -> None:
    done = init(mirror, given)
    host = given.partition("/t/")[0]
    refused(done, 2, f"--upstream: {host}/t/***", " is no URL. Write it percent-encoded")
    assert "“" not in done.err
    mirror.file.unlink(missing_ok=True)
    text(mirror, lambda t: t.replace("http://127.0.0.1:9/lab", given))
    refused(mirror.run("status"), 2, f"channels[0].upstreams[0]: {host}/t/***", " is no URL. Write it percent-encoded")


def test_a_never_list_that_cannot_be_read_is_named_by_prune(mirror: Mirror) -> None:
    text(mirror, lambda t: f"{t}\n[prune]\nnever = ['numpy[version=']\n")
    for words in (("prune", "--dry-run"), ("prune",)):
        refused(mirror.run(*words), 2, str(mirror.file), "prune.never[0]")


# ------------------------------------------------------------------------------------------------- the words


def test_a_name_that_is_too_long_for_a_snapshot(mirror: Mirror) -> None:
    text(mirror, str)
    command = [*mirror.command("snapshot")[:4], "create", "--config", str(mirror.file), "x" * 70]
    done = subprocess.run(command, env=mirror.environment, capture_output=True, text=True, check=False)
    refused(Done(done.returncode, done.stdout, done.stderr), 2, "at most 64 letters")


@pytest.fixture
def spoilt(mirror: Mirror, lab: ChannelTree) -> Mirror:
    """A mirror of three packages of which one is gone, with a package file that is not of it."""
    fns = [lab.put(f"p{number}") for number in range(3)]
    lab.index()
    mirror.write({"lab": lab.folder.as_uri()})
    mirror.sync()
    folder = mirror.root / "lab" / "linux-64"
    (folder / fns[0]).unlink()
    (folder / "stray-1-0.conda").write_bytes(b"stray")
    return mirror


def test_verify_names_the_next_step(spoilt: Mirror) -> None:
    done = spoilt.run("verify")
    assert done.code == 1
    assert re.search("hashed 3 files, .*: 1 wrong, 1 not of this mirror", done.err)
    assert "next: “mirrortui verify --repair” fetches anew what is wrong" in done.err
    assert "mirrortui never deletes it" in done.err
    assert f"delete the rest by hand below {spoilt.root}" in done.err


def test_verify_says_what_it_has_mended(spoilt: Mirror) -> None:
    done = spoilt.run("verify", "--repair")
    assert done.code == 0
    lines = done.err.splitlines()
    mended, found = lines.index("mended 1 of 1 file"), next(n for n, line in enumerate(lines) if "1 wrong" in line)
    assert found < mended
    assert "next:" not in done.err
    assert "0 wrong" in spoilt.run("verify").err


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "the next “mirrortui verify” goes on from here"), (("--sample", "50%"), "a sample is not gone on with")],
)
def test_a_pass_that_is_stopped_says_what_becomes_of_it(mirror: Mirror, words: tuple[str, ...], said: str) -> None:
    large = mirror.root / "lab" / "noarch" / "z-1.0-0.conda"
    large.parent.mkdir(parents=True)
    with large.open("wb") as stream:
        stream.truncate(64 << 30)
    mirror.write({"lab": mirror.folder.as_uri()})
    inventory = Inventory(mirror.state, write=True)
    inventory.put("lab", "noarch", [Entry(large.name, 64 << 30, 0, bytes(32))])
    inventory.close()
    process = subprocess.Popen(
        mirror.command("verify", *words), env=mirror.environment, stderr=subprocess.PIPE, text=True
    )
    until(lambda: opened(process.pid, large))
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said in err.splitlines()[-1]


def opened(pid: int, path: Path) -> bool:
    """Tell whether a process has a file open."""
    folder = f"/proc/{pid}/fd"
    try:
        return any(os.readlink(f"{folder}/{name}") == str(path) for name in os.listdir(folder))
    except OSError:
        return False


def test_doctor_objects_to_an_open_secret(mirror: Mirror) -> None:
    text(mirror, lambda t: t.replace("127.0.0.1:9/lab", "127.0.0.1:9/t/hunter2/lab"))
    mirror.file.chmod(0o644)
    done = mirror.run("doctor", "--no-network")
    assert done.code == 1
    assert "every account may read it" in done.out
    assert "hunter2" not in done.out
    mirror.file.chmod(0o600)
    assert "every account" not in mirror.run("doctor", "--no-network").out
