"""What is loaded for what: a light verb must not wait for what a heavy one needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mirrortui import config
from mirrortui.config import Mirror, MirrorConfig
from mirrortui.worker.journal import Journal

PROJECT = Path(__file__).resolve().parents[2]
HEAVY = {
    "textual",
    "rich",
    "numpy",
    "httpx",
    "pyreqwest",
    "rattler",
    "zstandard",
    "ruamel",
    "license_expression",
    "asyncio",
}


def loaded(code: str) -> set[str]:
    """The top-level modules that are loaded once some code has run in a fresh interpreter."""
    tail = "\nimport json, sys; sys.stderr.write('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def verb(*words: str) -> str:
    return f"from mirrortui.cli.main import run; run({list(words)!r})"


@pytest.fixture
def toml(tmp_path: Path) -> str:
    """A mirror that has run once."""
    made = MirrorConfig(
        mirror=Mirror(name="lab", root=str(tmp_path / "root"), url="http://m", state=str(tmp_path / "state"))
    )
    config.save(made, tmp_path / "mirror.toml")
    log = Journal(tmp_path / "state")
    log.begin()
    log.finish("done")
    return str(tmp_path / "mirror.toml")


@pytest.mark.parametrize("code", ["import mirrortui", "import mirrortui.cli.main", verb("--version")])
def test_the_door_itself_loads_next_to_nothing(code: str) -> None:
    found = loaded(code)
    assert not found & HEAVY
    assert not found & {"msgspec", "sqlite3", "tomli_w"}


@pytest.mark.parametrize("words", [("--help",), ("status", "--help")])
def test_help_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    assert not loaded(verb(*words)) & (HEAVY - {"asyncio"})


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("pause",), ("stop",), ("limit", "5 MB/s")])
def test_watching_and_steering_loads_nothing_heavy(toml: str, words: tuple[str, ...]) -> None:
    assert not loaded(verb(*words, "--config", toml)) & HEAVY


def modules() -> list[str]:
    """Every module of the project but the screens and what opens them."""
    names = [
        ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        for path in (PROJECT / "mirrortui").rglob("*.py")
    ]
    return sorted(name for name in names if not name.startswith("mirrortui.tui") and not name.endswith("__main__"))


def test_nothing_but_the_screens_loads_textual() -> None:
    assert len(modules()) > 60
    found = loaded("\n".join(f"import {name}" for name in modules()))
    assert "textual" not in found
    assert "rattler" not in found  # a quarter of a second


def test_what_light_verbs_are_made_of_loads_nothing_heavy() -> None:
    rooms = (
        "errors",
        "naming",
        "quantities",
        "config",
        "channels",
        "worker.reader",
        "worker.snapshot",
        "worker.lock",
        "worker.commands",
        "mirror.plan",
        "mirror.store",
        "mirror.inventory",
    )
    assert not loaded("\n".join(f"import mirrortui.{room}" for room in rooms)) & HEAVY
