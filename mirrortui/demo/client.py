"""A real client, in a process of its own: py-rattler solves and installs from a mirror's URLs.

Reads one JSON request from stdin and answers with one JSON line on stdout. The process leaves by `os._exit`:
the library's threads may otherwise crash the interpreter while it shuts down.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirrortui.errors import MirrorError
from mirrortui.naming import display

SECONDS = 120.0


def install(channels: Sequence[str], specs: Sequence[str], subdir: str, folder: Path) -> dict[str, Any]:
    """Solve and install specs from channel URLs into `folder/env`; returns {"installed": [...], "prefix"}. Raises `MirrorError`."""
    request = {"channels": list(channels), "specs": list(specs), "subdir": subdir, "folder": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "mirrortui.demo.client"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        if isinstance(answer, dict) and "installed" in answer:
            return answer
        if isinstance(answer, dict) and "error" in answer:
            raise MirrorError(f"the client could not install {', '.join(specs)}: {display(answer['error'], 800)}")
    raise MirrorError(f"the client ended without an answer: {display(done.stderr[-500:], 500)}")


async def _install(request: dict[str, Any]) -> dict[str, Any]:
    from rattler import BuildString, Gateway, GenericVirtualPackage, PackageName, Version, solve
    from rattler import install as put

    folder = Path(request["folder"])
    virtual = [
        GenericVirtualPackage(PackageName(name), Version(version), BuildString(build))
        for name, version, build in (
            ("__unix", "0", "0"),
            ("__linux", "6.0", "0"),
            ("__glibc", "2.36", "0"),
            ("__archspec", "1", "x86_64"),
        )
    ]
    records = await solve(
        request["channels"],
        request["specs"],
        Gateway(cache_dir=folder / "repodata"),
        platforms=[request["subdir"], "noarch"],
        virtual_packages=virtual,
    )
    await put(records, target_prefix=folder / "env", cache_dir=folder / "packages", show_progress=False)
    return {
        "installed": sorted(f"{r.name.normalized} {r.version}" for r in records),
        "urls": [str(r.url) for r in records],
        "prefix": str(folder / "env"),
    }


def main() -> None:
    """Answer one request."""
    try:
        answer: dict[str, Any] = asyncio.run(_install(json.loads(sys.stdin.read())))
    except Exception as error:  # noqa: BLE001 - whatever it was, the parent is told
        answer = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
