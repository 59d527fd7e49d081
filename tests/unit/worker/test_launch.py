"""Starting a worker: its own session, one report, and errors that come back as what they are."""

import json
import os
import stat
import time
from pathlib import Path

import pytest

from mirrortui import config as settings
from mirrortui.config import Mirror, MirrorConfig
from mirrortui.errors import BusyError, ConfigError, MirrorError, NoSpace, StateError, TargetError, UpstreamError
from mirrortui.worker import conducting, launch, schema
from mirrortui.worker.ending import Ending
from mirrortui.worker.lock import RunLock, held
from mirrortui.worker.reader import JournalReader


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A mirror without channels: a run that has nothing to do."""
    made = MirrorConfig(
        mirror=Mirror(name="lab", root=str(tmp_path / "root"), url="http://m", state=str(tmp_path / "state"))
    )
    settings.save(made, tmp_path / "mirror.toml")
    return tmp_path / "mirror.toml"


def test_a_detached_worker_has_its_own_session_and_no_streams_of_ours(toml: Path) -> None:
    state = settings.load(toml).state
    pid = launch.start(toml)
    reader = JournalReader(state)
    seen = reader.snapshot()
    assert seen.run is not None
    assert seen.run.pid == pid
    deadline = time.monotonic() + 20
    while held(state) and time.monotonic() < deadline:
        try:
            assert os.getsid(pid) == pid
        except ProcessLookupError:
            break
        select_wait()
    seen = reader.snapshot()
    assert seen.state == "done"
    assert not launch.log_path(state).exists()
    while time.monotonic() < deadline and not os.waitpid(pid, os.WNOHANG)[0]:
        select_wait()


def select_wait() -> None:
    """Give the other process the processor for a moment."""
    import select

    select.select([], [], [], 0.01)


def test_a_config_that_cannot_be_read_starts_nothing(tmp_path: Path) -> None:
    for call in (launch.start, launch.foreground):
        with pytest.raises(ConfigError):
            call(tmp_path / "absent.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_second_worker_is_told_of_the_first(toml: Path) -> None:
    with RunLock(settings.load(toml).state):
        with pytest.raises(BusyError, match=f"process {os.getpid()}") as caught:
            launch.start(toml)
        assert caught.value.exit_code == 4
        assert caught.value.hint
        with pytest.raises(BusyError):
            launch.foreground(toml)


@pytest.mark.parametrize("detached", [False, True])
def test_a_root_that_cannot_be_written_is_told_before_anything_begins(toml: Path, detached: bool) -> None:
    settings.load(toml).root.write_text("a file")
    with pytest.raises(TargetError) as caught:
        (launch.start if detached else launch.foreground)(toml)
    assert "root" in caught.value.where
    assert JournalReader(settings.load(toml).state).snapshot().state == "idle"


def test_a_state_on_a_network_disk_is_refused_before_a_process_is_made(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "file_system", lambda _folder: "nfs4")
    with pytest.raises(StateError, match="nfs4"):
        launch.start(toml)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"error": "BusyError", "what": "busy", "where": "w", "hint": "h"}, BusyError, "w: busy. h"),
        ({"error": "NoSpace", "what": "full"}, NoSpace, "full"),
        ({"error": "UpstreamStatus", "what": "answered 500", "where": "w"}, MirrorError, "w: answered 500"),
        ({"error": "TransferError", "what": "hash"}, MirrorError, "hash"),
        ({"error": "os", "what": "x"}, MirrorError, "x"),
        ({"error": "ClassVar", "what": "x"}, MirrorError, "x"),
        ({"error": "Nonsense"}, MirrorError, "did not start"),
        ({}, MirrorError, "did not start"),
    ],
)
def test_what_the_worker_reports_comes_back_as_what_it_is(
    toml: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, str], kind: type[MirrorError], words: str
) -> None:
    monkeypatch.setattr(launch, "_read", lambda _fd: answer)
    monkeypatch.setattr(
        launch.subprocess,
        "Popen",
        lambda *_args, **_options: type("Process", (), {"pid": 1, "wait": lambda _self, _seconds: 0})(),
    )
    with pytest.raises(MirrorError) as caught:
        launch.start(toml)
    assert type(caught.value) is kind
    assert words in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'"x"'])
def test_a_report_that_cannot_be_read_counts_as_none(data: bytes) -> None:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    assert launch._read(read) == {}
    os.close(read)


def test_a_report_may_come_in_pieces() -> None:
    read, write = os.pipe()
    text = json.dumps({"run": 1, "x": "y" * 3000}).encode()
    os.write(write, text[:10])
    os.write(write, text[10:])
    os.close(write)
    assert launch._read(read)["run"] == 1
    os.close(read)


# ----------------------------------------------------------------------------------------- foreground


def conducted(toml: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Ending:
    async def conduct(_run: object) -> Ending:
        raise error

    monkeypatch.setattr(conducting, "conduct", conduct)
    return launch.foreground(toml)


def test_a_run_with_nothing_to_do_is_done(toml: Path) -> None:
    assert launch.foreground(toml) == Ending("done")
    assert JournalReader(settings.load(toml).state).snapshot().state == "done"
    assert not held(settings.load(toml).state)


@pytest.mark.parametrize(
    ("error", "code"),
    [(UpstreamError("down", where="https://me:hunter2@h"), 1), (NoSpace("full"), 5), (ConfigError("bad rule"), 2)],
)
def test_an_error_that_ends_a_run_stands_in_its_journal(
    toml: Path, monkeypatch: pytest.MonkeyPatch, error: MirrorError, code: int
) -> None:
    assert conducted(toml, monkeypatch, error).code == code
    seen = JournalReader(settings.load(toml).state).snapshot()
    assert seen.state == "failed"
    assert seen.run is not None
    assert "hunter2" not in seen.run.message + "".join(e.text for e in seen.events)
    assert not launch.log_path(settings.load(toml).state).exists()


def test_what_nobody_foresaw_is_logged_without_secrets_for_its_owner_alone(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = conducted(toml, monkeypatch, ZeroDivisionError("at https://me:hunter2@h/t/tok\x1b[31m"))
    assert ending.code == 1
    state = settings.load(toml).state
    seen = JournalReader(state).snapshot()
    assert seen.state == "failed"
    assert seen.run is not None
    assert "worker.log" in seen.run.message
    log = launch.log_path(state)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    text = log.read_text()
    assert "ZeroDivisionError" in text
    assert "hunter2" not in text
    assert "\x1b" not in text
    assert not held(state)


# ------------------------------------------------------------------------------------------- logout


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        ({}, False),
        ({"logind.conf": "[Login]\n#KillUserProcesses=yes\n"}, False),
        ({"logind.conf": "[Login]\nKillUserProcesses=yes\n"}, True),
        ({"logind.conf": "KillUserProcesses = On\n"}, True),
        ({"logind.conf": "KillUserProcesses=yes\n", "logind.conf.d/50.conf": "KillUserProcesses=no\n"}, False),
        ({"logind.conf.d/10.conf": "KillUserProcesses=no\n", "logind.conf.d/90.conf": "KillUserProcesses=1\n"}, True),
    ],
)
def test_whether_a_worker_outlives_the_logout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], kills: bool
) -> None:
    (tmp_path / "logind.conf.d").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(launch, "Path", lambda text: tmp_path / text.removeprefix("/etc/systemd/"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert ("ends all processes at logout" in launch.survival()) == kills
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "ends all processes" not in launch.survival()


def test_the_journal_knows_that_a_guard_said_no(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_run: object) -> Ending:
        return Ending("partial", "nothing was deleted", 5)

    monkeypatch.setattr(conducting, "conduct", refused)
    umask = os.umask(0o022)
    os.umask(umask)
    assert launch.foreground(toml).code == 5
    os.umask(umask)
    run = JournalReader(settings.load(toml).state).snapshot().run
    assert run is not None
    assert (run.exit_code, run.guarded, run.message) == (5, True, "nothing was deleted")
