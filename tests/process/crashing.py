"""Runs the worker again and again, killing it at each step at which it changes the disk, and looks at what it left.

Called as a process of its own: `crashing.py MIRROR_TOML BACK_TOML PRISTINE SPARE`, where PRISTINE holds `root` and
`state` as they are before the run, BACK_TOML names an upstream that is as it was then, SPARE is a free folder. Prints
one JSON list: for each crash point the step it came at; what was wrong in the published metadata right after the
crash; in how far the tree differs after a second run from that of a run without a crash; and, where a replaced file
was at stake, in how far it differs from the pristine one when the upstream has taken all back before the second run.
Everything heavy is imported once; every run is a fork.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mirrortui import config as settings
from mirrortui.mirror.store import Store
from mirrortui.worker import launch, run  # noqa: F401 - imported here, so that the forks need not
from tests.process import published

STEPS = ("replace", "rename", "unlink", "remove", "truncate")
MOST = 400


def forked(work: Callable[[], object]) -> int:
    """Run `work` in a fork; returns its wait status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def crash_at(point: int, root: Path, note: Path) -> None:
    """Let this process die at a point: one comes before each change below the root, and one after each package's."""
    count = 0

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            path = os.fspath(arguments[0])
            if not path.startswith(str(root)):
                return real(*arguments, **options)
            pass_by(f"before {name} {path}")
            try:
                return real(*arguments, **options)
            finally:
                if path.endswith((".part", ".next")):
                    pass_by(f"after {name} {path}")

        return step

    def pass_by(text: str) -> None:
        nonlocal count
        here, count = count, count + 1
        if here == point:
            note.write_text(text)
            os.kill(os.getpid(), signal.SIGKILL)

    for name in STEPS:
        setattr(os, name, wrap(name, getattr(os, name)))


def difference(have: dict[str, bytes], want: dict[str, bytes]) -> list[str]:
    """Names of the files that are not the same in both trees."""
    return sorted(name for name in want.keys() | have.keys() if want.get(name) != have.get(name))


def main(file: Path, back: Path, pristine: Path, spare: Path) -> list[dict[str, Any]]:
    # A kill is no power cut: what was written is there, and waiting for the disk only takes time.
    os.fsync = lambda fd: None
    Store.flush = lambda self: None  # type: ignore[method-assign]
    config = settings.load(file)
    note = spare / "note"

    def keep(folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(config.root, folder / "root")
        shutil.copytree(config.state, folder / "state")

    def restore(folder: Path) -> None:
        for name, place in (("root", config.root), ("state", config.state)):
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(folder / name, place)

    def tree_after(toml: Path) -> dict[str, bytes]:
        forked(lambda: launch.foreground(toml, confirm_prune=True))
        return published.tree(config.root)

    before = published.tree(pristine / "root")
    restore(pristine)
    want = tree_after(file)
    out = []
    for point in range(MOST):
        restore(pristine)
        note.unlink(missing_ok=True)

        def crashing(point: int = point) -> None:
            crash_at(point, config.root, note)
            launch.foreground(file, confirm_prune=True)

        if not os.WIFSIGNALED(forked(crashing)):
            break
        found = {"step": note.read_text(), "wrong": published.wrong(config.root), "back": []}
        if "replaced" in found["step"]:
            keep(spare / "crashed")
        found["differs"] = difference(tree_after(file), want)
        if "replaced" in found["step"]:
            restore(spare / "crashed")
            found["back"] = difference(tree_after(back), before) + published.wrong(config.root)
        out.append(found)
    return out


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*(Path(word) for word in sys.argv[1:]))) + "\n")
    sys.stdout.flush()
    os._exit(0)
