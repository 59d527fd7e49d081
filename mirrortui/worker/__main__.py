"""The worker's process: `python -m mirrortui.worker CONFIG`, started by `launch.start`."""

import os
import sys
from pathlib import Path

from mirrortui.errors import MirrorError
from mirrortui.worker.launch import foreground, ignore_hangup


def main(arguments: list[str]) -> int:
    """Do one run; the exit code is the ending's."""
    ignore_hangup()
    report = int(arguments[arguments.index("--report") + 1]) if "--report" in arguments else -1
    try:
        return foreground(Path(arguments[0]), confirm_prune="--confirm-prune" in arguments, report=report).code
    except MirrorError as error:
        return error.exit_code


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # libraries with threads of their own have nothing to add to a finished run
