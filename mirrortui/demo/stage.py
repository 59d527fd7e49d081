"""The demo's stage: a temporary folder with an upstream that is served at a visible pace, and an empty mirror of it."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mirrortui import config
from mirrortui.config import Channel, Mirror, MirrorConfig, Transfer
from mirrortui.demo.upstream import DemoUpstream, build
from mirrortui.errors import MirrorError
from mirrortui.serve.server import FileServer
from mirrortui.worker import commands, lock


@dataclass(frozen=True)
class Stage:
    """Everything the demo made: the upstream, its server, the mirror's server and config."""

    folder: Path
    upstream: DemoUpstream
    source: FileServer
    mirror: FileServer
    config: MirrorConfig
    config_path: Path
    built_in: float

    @property
    def home(self) -> Path:
        """What stands for the operator's home: the demo writes clients' files here and nowhere else."""
        return self.folder / "home"


@contextlib.contextmanager
def stage(*, rate: int, keep: bool = False) -> Iterator[Stage]:
    """Build the upstream, serve it at `rate` bytes a second (0 = as fast as it goes), write a mirror.toml; clean up after."""
    folder = Path(tempfile.mkdtemp(prefix="mirrortui-demo-"))
    try:
        begun = time.monotonic()
        upstream = build(folder / "upstream")
        built_in = time.monotonic() - begun
        root = folder / "mirror"
        root.mkdir()
        with FileServer(upstream.folder, rate=rate) as source, FileServer(root) as mirror:
            settings = _settings(folder, root, upstream, source.url, mirror.url)
            path = folder / "mirror.toml"
            config.save(settings, path)
            try:
                yield Stage(folder, upstream, source, mirror, settings, path, built_in)
            finally:
                end_worker(settings.state)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _settings(folder: Path, root: Path, upstream: DemoUpstream, source: str, url: str) -> MirrorConfig:
    channels = tuple(
        Channel(
            name=name,
            upstreams=(f"{source}/{name}",),
            subdirs=("linux-64", "noarch") if "linux-64" in subdirs else tuple(subdirs),
        )
        for name, subdirs in upstream.channels.items()
    )
    return MirrorConfig(
        mirror=Mirror(name="demo", root=str(root), url=url, state=str(folder / "state")),
        channels=channels,
        transfer=Transfer(connections=4),
    )


def end_worker(state: Path, seconds: float = 10.0) -> None:
    """Ask a worker that is still at work to stop and wait for it: its tree is about to go."""
    with contextlib.suppress(MirrorError):
        commands.send(state, "stop")
    deadline = time.monotonic() + seconds
    while lock.held(state) and time.monotonic() < deadline:
        time.sleep(0.05)
