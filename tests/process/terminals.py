"""Terminals that can be lost: a pty with a session of its own, a tmux server; and the check that a worker outlives them."""

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mirrortui.worker.reader import JournalReader
from tests.process.mirror import Mirror
from tests.process.waiting import until

# A session leader that opens a terminal which is nobody's yet gets it as its controlling terminal.
_ADOPT = 'exec 0<>"$0" 1>&0 2>&0; exec "$@"'


class Terminal:
    """A program on a pty, leader of its own session, as a login shell is. `output` grows in the background."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
        rows: int = 24,
        columns: int = 80,
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        try:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", _ADOPT, os.ttyname(slave), *command],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._output = bytearray()
            self._over = threading.Event()
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            # The child has the terminal once it says something; until then our end keeps it from hanging up.
            until(lambda: self._output or self.process.poll() is not None)
        finally:
            os.close(slave)

    def _read(self) -> None:
        while not self._over.is_set():
            if not select.select((self._master,), (), (), 0.02)[0]:
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the last program has closed the other side
                return
            self._output += data

    @property
    def output(self) -> bytes:
        """All that was written to the screen so far."""
        return bytes(self._output)

    def press(self, keys: str) -> None:
        """Send keys as if typed."""
        os.write(self._master, keys.encode())

    def hang_up(self) -> None:
        """Lose the line: the session gets SIGHUP, whatever is written from now on fails."""
        self._close()
        self.process.wait(20)

    def kill(self) -> None:
        """Kill the session's leader outright, and then its process group."""
        self.process.kill()
        self.process.wait(20)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _close(self) -> None:
        if not self._over.is_set():
            self._over.set()
            self._reader.join()
            os.close(self._master)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        if self.process.poll() is None:
            self.kill()


class Tmux:
    """A tmux server of its own, not the operator's."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = tempfile.mkdtemp(prefix="tmux-")  # a socket's path may have 107 characters
        self._command = ["tmux", "-S", str(Path(self._folder) / "s"), "-f", "/dev/null"]
        self._environment = dict(environment)

    def _do(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, *words], env=self._environment, capture_output=True, text=True, check=False, timeout=20
        )

    def new_session(self, command: str) -> None:
        """Open a detached session with one pane that runs a shell command."""
        done = self._do("new-session", "-d", "-x", "80", "-y", "24", command)
        assert done.returncode == 0, done.stderr

    def screen(self) -> str:
        """What the pane shows."""
        return self._do("capture-pane", "-p").stdout

    def press(self, *keys: str) -> None:
        """Type into the pane; names such as Enter and Left are keys."""
        done = self._do("send-keys", *keys)
        assert done.returncode == 0, done.stderr

    def kill_server(self) -> None:
        """End the server and with it every pane."""
        self._do("kill-server")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_server()
        shutil.rmtree(self._folder, ignore_errors=True)


def assert_worker_outlives(mirror: Mirror, lose_terminal: Callable[[], None], let_go: Callable[[], None]) -> None:
    """A run is at work that cannot end before `let_go`; the terminal it was started from is lost; the run ends well.

    For any door: the command line, the screens.
    """
    before = until(lambda: (s := mirror.status())["state"] == "running" and s)
    run = JournalReader(mirror.state).snapshot().run
    assert run is not None
    assert os.getsid(run.pid) == run.pid
    assert os.getsid(run.pid) != os.getsid(0)
    assert Path(f"/proc/{run.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[4] == "0"  # no tty
    streams = {os.readlink(f"/proc/{run.pid}/fd/{number}") for number in (0, 1, 2)}
    assert streams == {os.devnull}

    lose_terminal()

    after = mirror.status()
    assert (after["state"], after["run"]["id"]) == ("running", before["run"]["id"])
    let_go()
    last = until(lambda: (s := mirror.status())["state"] != "running" and s)
    assert (last["state"], last["run"]["id"]) == ("done", before["run"]["id"])
