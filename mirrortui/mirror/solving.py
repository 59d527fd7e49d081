"""Prove that environments still resolve: a real solver, in a process of its own, on the metadata as it would be published.

py-rattler may crash while the interpreter shuts down; what it found is read from its output, never from its exit code.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirrortui.config import MirrorConfig
from mirrortui.errors import MirrorError, UsageError
from mirrortui.mirror import cut
from mirrortui.naming import display
from mirrortui.selection import matchspec
from mirrortui.selection.decide import Decision

SECONDS = 600.0

_UNIX = (("__unix", "0", "0"),)
VIRTUAL: dict[str, tuple[tuple[str, str, str], ...]] = {
    "linux": (*_UNIX, ("__linux", "6.1", "0"), ("__glibc", "2.36", "0")),
    "osx": (*_UNIX, ("__osx", "14.0", "0")),
    "win": (("__win", "10.0", "0"),),
}
"""The machine a subdir is judged for: what its packages ask of it (`__glibc >=2.17`), by the first word of the subdir."""

_ARCH = {"64": "x86_64", "32": "x86", "aarch64": "aarch64", "arm64": "arm64", "ppc64le": "ppc64le"}


@dataclass(frozen=True, slots=True)
class Solved:
    """One environment on one platform: how many packages it takes, or in `error` why it does not resolve."""

    subdir: str
    specs: tuple[str, ...]
    packages: int = 0
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether it resolves."""
        return not self.error

    def to_json(self) -> dict[str, Any]:
        """The stable form that `plan --check --json` prints."""
        return asdict(self) | {"ok": self.ok}


def split(text: str) -> tuple[str, ...]:
    """The MatchSpecs of one text: separated by spaces (write numpy>=1.26,<2 without any). Raises `UsageError`."""
    specs = tuple(text.split())
    if not specs:
        raise UsageError(
            "an environment to check names at least one package", hint='Write for example "python=3.12 numpy"'
        )
    for spec in specs:
        matchspec.parse(spec)
    return specs


def check(config: MirrorConfig, decision: Decision, environments: Iterable[str]) -> list[Solved]:
    """Solve every environment on every platform that is mirrored; channels in the order of mirror.toml, strictly.

    Raises `MirrorError` if the solver cannot be run at all.
    """
    wanted = [split(text) for text in environments]
    names = [
        channel.name
        for channel in config.channels
        if any(pair[0] == channel.name for pair in decision.selection.subdirs)
    ]
    platforms = dict.fromkeys(pair[1] for pair in decision.selection.subdirs if pair[1] != "noarch")
    folder = Path(tempfile.mkdtemp(prefix="check-", dir=_scratch(config.state)))
    try:
        _lay_out(folder, names, decision)
        request = {
            "channels": [(folder / name).as_uri() for name in names],
            "platforms": {subdir: virtual_packages(subdir) for subdir in platforms or ("noarch",)},
            "environments": wanted,
            "cache": str(folder / ".cache"),
        }
        return _run(request)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _scratch(state: Path) -> Path | None:
    """A folder for the cut metadata: the state's, if it is there and may be written to."""
    return state if os.access(state, os.W_OK) else None


def virtual_packages(subdir: str) -> list[tuple[str, str, str]]:
    """The virtual packages of a typical machine of a platform, as (name, version, build)."""
    system, _, machine = subdir.partition("-")
    arch = _ARCH.get(machine)
    return [*VIRTUAL.get(system, _UNIX), *([("__archspec", "1", arch)] if arch else [])]


def _lay_out(folder: Path, names: list[str], decision: Decision) -> None:
    for (channel, subdir), item in decision.selection.subdirs.items():
        target = folder / channel / subdir
        target.mkdir(parents=True)
        with (target / "repodata.json").open("wb") as stream:
            cut.write(item.index, item.mask, stream.write)
    for name in names:
        noarch = folder / name / "noarch"
        if not noarch.exists():
            noarch.mkdir(parents=True)
            (noarch / "repodata.json").write_bytes(cut.empty("noarch"))


def _run(request: dict[str, Any]) -> list[Solved]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mirrortui.mirror.solving"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MirrorError(
            f"the solver did not end within {SECONDS:.0f} s", hint="Check fewer environments at once"
        ) from error
    except OSError as error:
        raise MirrorError(f"the solver cannot be run: {error.strerror}", where=display(sys.executable)) from error
    answers = [json.loads(line) for line in done.stdout.split("\n")[:-1]]  # what is cut off has no end of line
    expected = len(request["environments"]) * len(request["platforms"])
    if len(answers) != expected:
        raise MirrorError(f"the solver ended after {len(answers)} of {expected} answers: {display(done.stderr[-300:])}")
    return [Solved(a["subdir"], tuple(a["specs"]), a["packages"], display(a["error"], 2000)) for a in answers]


async def _solve(request: dict[str, Any]) -> None:
    from rattler import BuildString, Gateway, GenericVirtualPackage, PackageName, Version, solve

    gateway = Gateway(cache_dir=request["cache"])
    for subdir, virtual in request["platforms"].items():
        packages = [GenericVirtualPackage(PackageName(n), Version(v), BuildString(b)) for n, v, b in virtual]
        for specs in request["environments"]:
            answer: dict[str, Any] = {"subdir": subdir, "specs": specs, "packages": 0, "error": ""}
            try:
                platforms = list(dict.fromkeys((subdir, "noarch")))
                found = await solve(request["channels"], specs, gateway, platforms=platforms, virtual_packages=packages)
                answer["packages"] = len(found)
            except Exception as error:  # noqa: BLE001 - whatever the solver says is the answer
                answer["error"] = str(error) or type(error).__name__
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Answer one request from stdin, a JSON line for each environment and platform."""
    asyncio.run(_solve(json.loads(sys.stdin.read())))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
