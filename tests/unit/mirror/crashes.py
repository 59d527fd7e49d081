"""A process that dies, or a disk that fails, at a chosen change of the file system."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from tests.unit.mirror.tree import Tree

STEPS = ("link", "mkdir", "rename", "replace", "rmdir", "unlink", "remove", "utime")
WRITES = ("write_bytes", "write_text")


class Killed(BaseException):
    """Nothing catches it, and no change comes after it: what a killed process would have cleaned up stays."""


class Crash:
    """While it is entered: raise `error` before the `stop`-th change of the file system, and `Killed` at all later ones.

    With an `OSError` only that one change fails, so that the program cleans up. `count` changes were seen.
    """

    def __init__(self, stop: int = -1, error: BaseException | None = None) -> None:
        self.stop, self.error, self.count, self.seen = stop, error or Killed(), 0, list[str]()
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        for name in STEPS:
            self._patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        for name in WRITES:
            self._patch.setattr(Path, name, self._wrapped(name, getattr(Path, name)))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            here, self.count = self.count, self.count + 1
            if self.stop >= 0 and (here == self.stop or (here > self.stop and isinstance(self.error, Killed))):
                raise self.error
            self.seen.append(f"{name} {' '.join(map(str, arguments[:2]))}")
            return real(*arguments, **options)

        return step


class Copies:
    """Trees that are all copies of one, as it was closed: hard links in it stay links."""

    def __init__(self, tree: Tree) -> None:
        tree.inventory.close()
        self.pristine, self.made = tree.root.parent, list[Tree]()

    def take(self) -> Tree:
        """The next copy."""
        self.close()
        base = self.pristine.with_name(f"copy-{len(self.made)}")
        subprocess.run(["cp", "-a", self.pristine, base], check=True)
        self.made.append(Tree(base))
        return self.made[-1]

    def close(self) -> None:
        """Close the last copy."""
        if self.made:
            self.made[-1].inventory.close()
            shutil.rmtree(self.made[-1].root.parent)


def full_disk() -> OSError:
    return OSError(28, "No space left on device")
