import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrortui.mirror.store import Store
from tests.unit.mirror.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path)
    yield made
    made.inventory.close()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash of the program is no power cut: waiting for the disk would only take time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(Store, "flush", lambda _: None)
