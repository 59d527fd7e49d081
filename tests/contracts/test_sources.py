"""What holds for every file of the project."""

import ast
import functools
import inspect
import unicodedata
from pathlib import Path

import pytest

from mirrortui import errors
from mirrortui.errors import MirrorError

PROJECT = Path(__file__).resolve().parents[2]
TEXTS = {".py", ".toml", ".md", ".tcss", ".txt", ".yml", ".yaml", ".cfg", ".ini", ".sh", ".tsv", ".json", ""}
SOURCES = sorted((PROJECT / "mirrortui").rglob("*.py"))


def texts() -> list[Path]:
    """The files that people write and read."""
    places = [PROJECT / "mirrortui", PROJECT / "tests"]
    found = [path for place in places for path in place.rglob("*") if path.is_file()] + [
        path for path in PROJECT.iterdir() if path.is_file()
    ]
    return sorted(
        path
        for path in found
        if path.suffix in TEXTS and not path.name.startswith(".") and "__pycache__" not in path.parts
    )


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def test_no_file_holds_a_character_that_cannot_be_seen() -> None:
    """Control characters, marks that change the direction of text, joiners: in a source they are written as escapes."""
    assert len(texts()) > 100
    bad = []
    for path in texts():
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            bad += [
                f"{name(path)}:{number}: U+{ord(char):04X}"
                for char in line
                if char != "\t" and unicodedata.category(char) in ("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp")
            ]
    assert bad == []


def test_nothing_below_the_doors_prints() -> None:
    bad = []
    for path in SOURCES:
        if "cli" in path.relative_to(PROJECT).parts:
            continue
        for node in ast.walk(tree(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("print", "input", "breakpoint")
            ):
                bad.append(f"{name(path)}:{node.lineno}")
    assert bad == []


def test_nothing_runs_a_shell_or_evaluates_text() -> None:
    bad = []
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                shell = any(word.arg == "shell" for word in node.keywords)
                if shell or called in (
                    "eval",
                    "exec",
                    "os.system",
                    "os.popen",
                    "pickle.load",
                    "pickle.loads",
                    "subprocess.getoutput",
                ):
                    bad.append(f"{name(path)}:{node.lineno}: {called}")
    assert bad == []


def test_no_module_imports_relatively_or_everything() -> None:
    bad = []
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and (node.level or any(alias.name == "*" for alias in node.names)):
                bad.append(f"{name(path)}:{node.lineno}")
    assert bad == []


def test_every_module_says_what_it_is() -> None:
    assert [name(path) for path in SOURCES if not ast.get_docstring(tree(path))] == []


# -------------------------------------------------------------------------------------------- errors

KINDS = sorted(
    (kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MirrorError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_carries_what_where_and_hint_and_stands_in_the_tree(kind: type[MirrorError]) -> None:
    more = {"UpstreamStatus": {"status": 500}, "TransferError": {"reason": "hash"}}.get(kind.__name__, {})
    error = kind("went wrong", where="here", hint="Do this", **more)
    assert str(error) == "here: went wrong. Do this"
    assert error.exit_code in (1, 2, 4, 5)
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__doc__
