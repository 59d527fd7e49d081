"""A conda client: py-rattler solving and installing in a process of its own.

py-rattler may crash while its process ends (after all is done), so the result is what the process printed as JSON,
never its exit code, and the process leaves by `os._exit` once that is flushed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECONDS = 60


def solve(
    channels: Sequence[str],
    specs: Sequence[str],
    home: Path,
    *,
    install: Path | None = None,
    platform: str = "linux-64",
) -> dict[str, Any]:
    """Solve specs from channel URLs and perhaps install them into `install`; caches stay below `home`.

    Returns {"records": [{"name", "fn", "url", "sha256"}], "error": ""}; `error` is the client's own complaint.
    """
    home.mkdir(parents=True, exist_ok=True)
    request = {
        "channels": list(channels),
        "specs": list(specs),
        "platform": platform,
        "cache": str(home / "cache"),
        "prefix": str(install) if install else None,
    }
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "xdg"),
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines, f"the client said nothing; stderr: {done.stderr[-2000:]}"
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


async def _work(request: dict[str, Any]) -> list[dict[str, str]]:
    import rattler

    cache = Path(request["cache"])
    gateway = rattler.Gateway(cache_dir=cache / "repodata")
    records = await rattler.solve(
        sources=[rattler.Channel(url) for url in request["channels"]],
        specs=request["specs"],
        gateway=gateway,
        platforms=[request["platform"], "noarch"],
        virtual_packages=[
            rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString("0"))
            for name, version in (("__unix", "0"), ("__linux", "5.10"), ("__glibc", "2.36"))
        ],
    )
    if request["prefix"]:
        await rattler.install(
            records=records, target_prefix=request["prefix"], cache_dir=cache / "pkgs", show_progress=False
        )
    return [
        {"name": r.name.normalized, "fn": r.file_name, "url": r.url, "sha256": r.sha256.hex() if r.sha256 else ""}
        for r in records
    ]


def _main() -> None:
    import asyncio

    try:
        answer: dict[str, Any] = {"records": asyncio.run(_work(json.load(sys.stdin))), "error": ""}
    except Exception as error:  # noqa: BLE001 - whatever it is, the test is to see it
        answer = {"records": [], "error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    _main()
