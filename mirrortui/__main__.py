"""`mirrortui` and `python -m mirrortui`."""

import contextlib
import os
import sys

from mirrortui.cli import streams

_THREADED = ("pyreqwest", "rattler")


def main() -> None:
    """Run the command line; the process's exit code is the verb's."""
    streams.set_up()
    from mirrortui.cli.main import run

    code = run()
    if any(name in sys.modules for name in _THREADED):
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> None:
    """End at once: threads of native libraries that still run abort an interpreter that winds down under them."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, streams.Unprinted):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
