"""The real program in a real pseudo-terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from mirrortui.tui.app import run
sys.exit(run(Path(sys.argv[1]), screen=sys.argv[2]))
"""


class Terminal:
    """One run of the program; `read` gathers what it paints and a pyte screen understands it."""

    def __init__(
        self, config: Path, mode: str, columns: int = 80, rows: int = 24, *, program: str = PROGRAM, env: Mapping[str, str] = {}
    ) -> None:  # fmt: skip
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(PROJECT)
            keep = {k: v for k, v in os.environ.items() if k not in ("COLORTERM", "NO_COLOR", "TMUX")}
            keep |= {"TERM": "xterm-256color", "PYTHONPATH": str(PROJECT), "LC_ALL": "C.UTF-8", **env}
            os.execve(sys.executable, [sys.executable, "-c", program, str(config), mode], keep)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.code: int | None = None
        self.cpu = 0.0

    def read(self, seconds: float) -> int:
        """Take in what comes for so long; returns the number of bytes."""
        count, end = 0, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            count += len(data)
            self.raw += data
            self.stream.feed(data)
        return count

    def until(self, condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}:\n" + "\n".join(self.screen.display)
            self.read(0.05)

    def sees(self, words: str) -> None:
        self.until(lambda: words in "\n".join(self.screen.display), f"“{words}”")

    def keys(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """The terminal goes away."""
        os.close(self.fd)
        self.fd = -1

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait(self, seconds: float = 10.0) -> int:
        """The exit code, within so long."""
        end = time.monotonic() + seconds
        while self.code is None:
            assert time.monotonic() < end, "it does not end"
            if self.fd >= 0:
                self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.fd >= 0:
            os.close(self.fd)
