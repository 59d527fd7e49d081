"""The real program in a real pseudo-terminal: how it starts, how it ends, what it leaves behind."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.tui.journaling import Writer, make_config
from tests.tui.ptys import PROGRAM, PROJECT, Terminal

RESTORED = b"\x1b[?1049l"
FIRST_FRAME = 1.5
"""Seconds: the budget is 0.4 on an idle machine; a shared one must only not be absurd."""

FAULTY = f"""
import mirrortui.tui.app as app
def fault(self, mode):
    token = "s3cr3t-" + "local"
    raise RuntimeError("https://user:hunter2@host/x [/bad]")
app.MirrorApp.action_go = fault
{PROGRAM}
"""
DEAF = f"""
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
import mirrortui.tui.app as app
app.terminal.WATCH = 0.2
app.terminal.on_signals = lambda leave: None
{PROGRAM}
"""


def test_first_frame(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    begun = time.monotonic()
    with Terminal(config, "setup") as terminal:
        terminal.sees("conda-forge")
        took = time.monotonic() - begun
        print(f"\nfirst frame after {took * 1000:.0f} ms")
        terminal.keys("q")
        assert terminal.wait() == 0
        assert RESTORED in terminal.raw
    assert took < FIRST_FRAME


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_give_the_terminal_back(tmp_path: Path, number: int, code: int) -> None:
    with Terminal(make_config(tmp_path), "plan") as terminal:
        terminal.sees("2 Plan")
        terminal.kill(number)
        assert terminal.wait(5) == code
        assert RESTORED in terminal.raw
        assert b"Traceback" not in terminal.raw


def test_a_lost_terminal_ends_it_even_where_nobody_says_so(tmp_path: Path) -> None:
    with Terminal(make_config(tmp_path), "setup", program=DEAF) as terminal:
        terminal.sees("conda-forge")
        terminal.hang_up()
        assert terminal.wait(10) == 129


def test_a_hang_up_ends_it_at_once(tmp_path: Path) -> None:
    with Terminal(make_config(tmp_path), "setup") as terminal:
        terminal.sees("conda-forge")
        terminal.hang_up()
        assert terminal.wait(3) == 129


def test_detaching_from_a_run_says_so_and_attaching_shows_it_again(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    writer = Writer(tmp_path / "state")
    try:
        for _ in range(2):
            with Terminal(config, "sync") as terminal:
                terminal.sees("In flight 8")
                terminal.keys("q")
                assert terminal.wait() == 0
                assert f"The sync goes on (run 1, process {os.getpid()})".encode() in terminal.raw
        with Terminal(config, "") as terminal:
            terminal.sees("In flight 8")  # a run at work is what one wants to see
            writer.set(state="paused")
            terminal.sees("p resumes")
    finally:
        writer.close()
    with Terminal(config, "sync") as terminal:
        terminal.sees("The worker is gone")


def test_a_fault_is_one_line_without_values(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    (tmp_path / "state").mkdir()
    with Terminal(config, "setup", 120, 30, program=FAULTY) as terminal:
        terminal.sees("conda-forge")
        terminal.keys("2")
        assert terminal.wait() == 1
        said = terminal.raw.rpartition(RESTORED)[2].decode()
    written = (tmp_path / "state" / "tui-crash.log").read_text()
    assert "a fault of this program (RuntimeError" in said
    assert "Traceback" not in said
    assert "Traceback" in written
    for text in (said, written):
        assert "s3cr3t-local" not in text
        assert "hunter2" not in text


def test_no_colour_means_none(tmp_path: Path) -> None:
    with Terminal(make_config(tmp_path), "setup", env={"NO_COLOR": "1"}) as terminal:
        terminal.sees("conda-forge")
        terminal.keys("q")
        terminal.wait()
        assert b"\x1b[38;" not in terminal.raw
        assert b"\x1b[48;" not in terminal.raw


def test_posix_locale_gets_ascii(tmp_path: Path) -> None:
    env = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    with Terminal(make_config(tmp_path), "setup", env=env) as terminal:
        terminal.sees("conda-forge")
        terminal.keys("q")
        terminal.wait()
        assert terminal.raw.isascii()
        assert b"\\u" not in terminal.raw


def test_too_small_says_so_and_recovers(tmp_path: Path) -> None:
    with Terminal(make_config(tmp_path), "setup", 50, 12) as terminal:
        terminal.sees("at least 60")


def test_dumb_terminals_are_refused(tmp_path: Path) -> None:
    with Terminal(make_config(tmp_path), "setup", env={"TERM": "dumb"}) as terminal:
        assert terminal.wait() == 2
        assert b"TERM=dumb" in terminal.raw


def test_no_private_textual_name_is_used() -> None:
    """Names that Textual's own source keeps to itself: neither read nor shadowed."""
    import ast
    import re

    import textual

    source = Path(textual.__file__).parent
    kept: set[str] = set()
    for file in (*source.glob("*.py"), *source.glob("css/*.py"), *source.glob("widgets/_*.py")):
        text = file.read_text()
        kept |= set(re.findall(r"self\.(_[a-z]\w*)", text)) | set(re.findall(r"def (_[a-z]\w*)", text))
    found = []
    for file in (PROJECT / "mirrortui" / "tui").rglob("*.py"):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual."):
                assert "._" not in (node.module or ""), file
                assert not any(name.name.startswith("_") for name in node.names), file
            if isinstance(node, ast.ClassDef) and node.bases:
                mine = {n.name for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
                mine |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
                found += [(file.name, node.name, name) for name in mine & kept]
    assert not found
