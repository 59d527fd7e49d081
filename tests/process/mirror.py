"""One mirror under test: a folder with mirror.toml, root, state and HOME, and the real command line run on it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mirrortui
from mirrortui import config as settings
from mirrortui.config import MirrorConfig

SECONDS = 60


class Done(NamedTuple):
    """How a verb ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Stdout, which must be one JSON value."""
        value: dict[str, Any] = json.loads(self.out)
        return value


class Mirror:
    """`folder` holds everything; nothing of the account that runs the tests is read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "mirror.toml"
        self.root = folder / "root"
        self.state = folder / "state"
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(mirrortui.__file__).parents[1]),  # this tree, whatever else is installed
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "TMPDIR": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PYTHONWARNINGS": "error",
        }

    # ------------------------------------------------------------------------------------------- config

    def write(
        self,
        channels: Mapping[str, str | Sequence[str]],
        subdirs: Sequence[str] = ("linux-64", "noarch"),
        **sections: Mapping[str, object],
    ) -> None:
        """Write mirror.toml: channel name -> upstream(s), and sections such as `selection={...}`."""
        raw: dict[str, Any] = {
            "version": 1,
            "mirror": {
                "name": "lab",
                "root": str(self.root),
                "url": self.root.as_uri(),
                "state": str(self.state),
            },
            "channels": [
                {
                    "name": name,
                    "upstreams": [given] if isinstance(given, str) else list(given),
                    "subdirs": list(subdirs),
                }
                for name, given in channels.items()
            ],
        }
        settings.save(settings.from_dict(raw | {key: dict(value) for key, value in sections.items()}), self.file)

    def edit(self, **sections: Mapping[str, object]) -> None:
        """Lay keys over sections of mirror.toml, such as `selection={"formats": "all"}`."""
        raw = settings.to_dict(self.config)
        for name, keys in sections.items():
            raw[name] = raw.get(name, {}) | dict(keys)
        settings.save(settings.from_dict(raw), self.file)

    @property
    def config(self) -> MirrorConfig:
        """What mirror.toml says now."""
        return settings.load(self.file)

    # -------------------------------------------------------------------------------------------- verbs

    def command(self, verb: str, *arguments: str) -> list[str]:
        """The words that run a verb on this mirror."""
        return [sys.executable, "-m", "mirrortui", verb, "--config", str(self.file), *arguments]

    def run(self, verb: str, *arguments: str) -> Done:
        """Run a verb to its end."""
        done = subprocess.run(
            self.command(verb, *arguments),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ok(self, verb: str, *arguments: str) -> dict[str, Any]:
        """Run a verb with --json that must end with exit code 0; returns what it printed."""
        done = self.run(verb, "--json", *arguments)
        assert done.code == 0, f"{verb} ended with {done.code}: {done.err}{done.out}"
        return done.json()

    def sync(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """One run in the foreground that must end with the given exit code."""
        done = self.run("sync", "--foreground", "--json", *arguments)
        if done.code != code:
            log = self.state / "worker.log"
            unforeseen = log.read_text(encoding="utf-8")[-3000:] if log.exists() else ""
            message = done.json()["run"]["message"] if done.out else ""
            raise AssertionError(f"sync ended with {done.code}, not {code}: {message}\n{done.err}{unforeseen}")
        return done.json()

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start one run in the foreground of a process of its own, and return at once."""
        return subprocess.Popen(
            self.command("sync", "--foreground", *arguments),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def status(self) -> dict[str, Any]:
        """What `status --json` says, asked by a process of its own."""
        return self.ok("status")
