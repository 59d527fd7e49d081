"""Runs the worker and looks at the whole tree after each change that it makes there; or kills it at one of them.

Called as a process of its own that has everything imported; every run is a fork of it. It reads a request a line,
`{"file": MIRROR_TOML, "look": true, "kill": STEP, "prune": false, "confirm": false}`, and answers with a line of JSON.
What is seen after a change is what a client may meet in that moment, and what a crash in that moment leaves.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.process import encodings
from tests.process.crashing import crash_at

STEPS = ("replace", "rename", "link", "unlink", "remove", "rmdir", "truncate")
SECONDS = 60

Shown = dict[str, dict[str, dict[str, str]]]
"""`channel/subdir` -> encoding -> file name -> sha256."""


class Sight(NamedTuple):
    """The tree after one change: what is shown, which package files are there, what a client would stumble over."""

    step: str
    shown: Shown
    files: list[str]
    wrong: list[str]


class Ended(NamedTuple):
    """How a run ended: `status --json` after it, its exit code (-1: killed), and what was seen on the way."""

    code: int
    status: dict[str, Any]
    sights: list[Sight]

    @property
    def run(self) -> dict[str, Any]:
        """The figures of the run."""
        value: dict[str, Any] = self.status["run"]
        return value


class Onlooker:
    """The process, from the side of a test."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment | {"OPENBLAS_NUM_THREADS": "1"},  # a fork takes no threads along
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, file: Path, **options: Any) -> Ended:
        """One run, or (with `prune=True`) one `prune`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"file": str(file), **options}) + "\n")
        self._process.stdin.flush()
        assert select.select((self._process.stdout,), (), (), SECONDS)[0], "no answer"
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["code"], answer["status"], [Sight(*seen) for seen in answer["sights"]])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(SECONDS)


# ---------------------------------------------------------------------------------------- the other side


def look(root: Path) -> Sight:
    """Read all that is there."""
    wrong = encodings.wrong(root)
    shown: Shown = {}
    if not wrong:
        for folder in encodings.subdirs(root):
            found = encodings.shown(folder)
            shown[str(folder.relative_to(root))] = {
                name: {fn: record["sha256"] for fn, record in said.items()} for name, said in found.items()
            }
    files = sorted(str(path.relative_to(root)) for path in root.rglob("[!.]*.conda"))
    return Sight("", shown, files, wrong)


def look_on(root: Path, seen: list[Sight]) -> None:
    """From now on look after each change below the root, before anything else can change."""
    lock = threading.RLock()

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            places = [os.fspath(place) for place in arguments[:2] if not isinstance(place, int)]
            if "dir_fd" not in options and not places[-1].startswith(str(root)):
                return real(*arguments, **options)
            with lock:
                value = real(*arguments, **options)
                sight = look(root)._replace(step=f"{name} {places[-1].removeprefix(str(root))}")
                if not seen or sight[1:] != seen[-1][1:]:
                    seen.append(sight)
            return value

        return step

    for name in STEPS:
        setattr(os, name, wrap(name, getattr(os, name)))


def work(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked, in this process."""
    from mirrortui import config as settings
    from mirrortui.errors import MirrorError
    from mirrortui.mirror.store import Store
    from mirrortui.worker import launch
    from mirrortui.worker.pruning import prune_now
    from mirrortui.worker.reader import JournalReader

    # A kill is no power cut: what was written is there, and waiting for the disk only takes time.
    os.fsync = lambda fd: None
    Store.flush = lambda self: None  # type: ignore[method-assign]
    file, confirm = Path(request["file"]), bool(request.get("confirm"))
    config, seen = settings.load(file), list[Sight]()
    if request.get("look"):
        look_on(config.root, seen)
    if "kill" in request:
        crash_at(request["kill"], config.root, config.state / "killed-at")
    try:
        if request.get("prune"):
            prune_now(config, confirmed=confirm)
            code = 0
        else:
            code = launch.foreground(file, confirm_prune=confirm).code
    except MirrorError as error:
        code = error.exit_code
    reader = JournalReader(config.state)
    return {"code": code, "status": reader.snapshot().to_json(), "sights": seen}


def forked(request: dict[str, Any]) -> dict[str, Any]:
    """The same in a fork; one that was killed has nothing to say."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(write, "w") as stream:
                stream.write(json.dumps(work(request)))
        except Exception:  # noqa: BLE001 - the other side fails for want of an answer; here is why
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    value: dict[str, Any] = json.loads(text) if text else {"code": -1, "status": {}, "sights": []}
    return value


def main() -> None:
    """Answer requests until there are no more."""
    from mirrortui.worker import run  # noqa: F401 - imported here, so that the forks need not

    for line in sys.stdin:
        sys.stdout.write(json.dumps(forked(json.loads(line))) + "\n")
        sys.stdout.flush()


def copy(folder: Path, target: Path) -> None:
    """Replace a folder by a copy of another."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)


if __name__ == "__main__":
    main()
    os._exit(0)  # threads of native libraries can abort an interpreter that winds down
