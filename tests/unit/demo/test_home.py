"""The demo's screens are given a home in the demo's own folder, and the last words say where it was."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirrortui.cli import demo
from mirrortui.demo import stage as stages
from mirrortui.tui import app


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("writes", [True, False])
def test_the_screens_write_into_the_demo_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, writes: bool
) -> None:
    homes: list[Path] = []

    @contextlib.contextmanager
    def stage(**_options: Any) -> Iterator[stages.Stage]:
        nothing: Any = None
        yield stages.Stage(tmp_path, nothing, nothing, nothing, nothing, tmp_path / "mirror.toml", 0.0)

    def run(_path: Path, *, home: Path, **_options: Any) -> int:
        homes.append(home)
        if writes:
            home.mkdir()
        return 0

    said = Terminal()
    monkeypatch.setattr(stages, "stage", stage)
    monkeypatch.setattr(app, "run", run)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", said)
    assert demo.demo.callback is not None
    assert demo.demo.callback(headless=False, rate="", keep=False, ascii_only=False) == 0
    assert homes == [tmp_path / "home"]
    assert (str(homes[0]) in said.getvalue()) == writes
    assert "its folder removed" in said.getvalue()
