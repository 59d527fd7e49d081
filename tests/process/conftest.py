"""Fixtures of the tests with real processes: a mirror of its own for each test, and upstreams to mirror."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirrortui.serve.server import FileServer
from tests.process.faulty import FaultyUpstream
from tests.process.mirror import Mirror
from tests.process.oddfile import Case
from tests.process.onlooker import Onlooker
from tests.process.packages import ChannelTree


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "mirror")


@pytest.fixture(scope="session")
def onlooker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Onlooker]:
    """A process that runs workers quickly, and looks at what they do."""
    with Onlooker(Mirror(tmp_path_factory.mktemp("onlooker") / "mirror").environment) as started:
        yield started


@pytest.fixture
def lab(tmp_path: Path) -> ChannelTree:
    """A channel `lab` that a test fills."""
    return ChannelTree(tmp_path / "upstream")


@pytest.fixture
def serve() -> Iterator[Callable[..., FileServer]]:
    """Serve a folder with the options of `FileServer`."""
    with contextlib.ExitStack() as stack:
        yield lambda root, **options: stack.enter_context(FileServer(root, **options))


@pytest.fixture
def faulty(lab: ChannelTree) -> Iterator[FaultyUpstream]:
    """An upstream that serves `lab` and misbehaves as told."""
    with FaultyUpstream(lab.folder.parent) as upstream:
        yield upstream
        assert not upstream.broken


@pytest.fixture
def case(mirror: Mirror, lab: ChannelTree, faulty: FaultyUpstream) -> Case:
    """A mirror of `faulty` with five good files and one to do things to."""
    return Case(mirror, lab, faulty)
