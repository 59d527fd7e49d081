"""The terminal: whether it will do, when it is lost, and what is said when something unforeseen happens."""

import asyncio
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mirrortui.naming import display

WATCH = 5.0
"""Seconds between two looks whether the terminal is still there."""


TURN = 0.0005
"""Seconds after which work in a thread lets the screen have its turn; Python's own 5 ms add up within one key."""


def refusal(stdin_tty: bool, stderr_tty: bool, environ: Mapping[str, str]) -> str:
    """Why the interface cannot run here, in one line; empty if it can. It draws on stderr."""
    hint = "every screen is also a command, see “mirrortui --help”"
    if not stdin_tty:
        return f"The interface needs a keyboard, and standard input is no terminal; {hint}"
    if not stderr_tty:
        return f"The interface draws on standard error, which is no terminal here; {hint}"
    if environ.get("TERM", "") in ("", "dumb"):
        return f"This terminal (TERM={display(environ.get('TERM', ''))}) cannot move the cursor; {hint}"
    return ""


def terminal_there() -> bool:
    """Whether both ends of the terminal still answer; a lost one would otherwise be read in a loop for ever."""
    return all(os.isatty(fd) for fd in (0, 2))


def give_up(code: int) -> None:
    """End at once: the terminal is gone, and giving it back would wait for it for ever."""
    os._exit(code)


def on_signals(leave: Callable[[int], None]) -> None:
    """Call `leave(128 + number)` on SIGTERM and SIGHUP, so that the terminal is given back as it was."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        with suppress(ValueError, NotImplementedError, RuntimeError):  # not the main thread: under test
            loop.add_signal_handler(number, leave, 128 + number)


def record_crash(error: BaseException, state: Path, what: str = "mirrortui: the interface") -> str:
    """Write the traceback, without values of variables, below the state folder; return the line to print."""
    place = ""
    with suppress(OSError):
        if state.is_dir():
            file = state / "tui-crash.log"
            lines = "".join(traceback.format_exception(error)).splitlines()
            stamp = time.strftime("%Y-%m-%d %H:%M:%S")
            with file.open("a", encoding="utf-8") as stream:
                stream.write("\n".join([stamp, *(display(text, 2000) for text in lines), "", ""]))
            file.chmod(0o600)
            place = f" Details: {file}."
    last = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(last[-1].filename).name}:{last[-1].lineno}" if last else ""
    return (
        f"{what} stopped, which is a fault of this program ({type(error).__name__}{where}: "
        f"{display(error)}).{place} A running sync goes on; “mirrortui status” shows it."
    )


def say(text: str) -> None:
    """One line on stderr, whatever its encoding."""
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stderr.flush()
