"""The sync screen on a slow line: bytes a second and CPU, measured on the real program over a real journal."""

from pathlib import Path

import pytest

from tests.tui.journaling import Writer, make_config
from tests.tui.ptys import Terminal

pytestmark = pytest.mark.slow

SECONDS = 6
BUDGET = {(80, 24): 8 * 1024, (160, 48): 14 * 1024}


@pytest.mark.parametrize("size", list(BUDGET), ids=str)
def test_bytes_a_second_of_a_watched_sync(tmp_path: Path, size: tuple[int, int]) -> None:
    config = make_config(tmp_path)
    writer = Writer(tmp_path / "state")
    try:
        with Terminal(config, "sync", *size) as terminal:
            terminal.sees("syncing")
            terminal.sees("In flight 8")
            terminal.read(1.0)
            before, painted = terminal.cpu_seconds(), 0
            for _ in range(SECONDS * 4):
                writer.step()
                painted += terminal.read(0.25)
            cpu = terminal.cpu_seconds() - before
            terminal.sees("files are in")
            terminal.keys("q")
            assert terminal.wait() == 0
    finally:
        writer.close()
    rate = painted / SECONDS
    print(f"\n{size[0]}x{size[1]}: {rate / 1024:.1f} KiB/s, {cpu / SECONDS:.1%} of a core")
    assert rate <= BUDGET[size]


def test_nothing_is_painted_while_nothing_changes(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    with Terminal(config, "sync") as terminal:
        terminal.sees("No run yet")
        terminal.read(1.5)
        assert terminal.read(3.0) <= 64
        terminal.keys("q")
        assert terminal.wait() == 0
