"""`mirrortui` and `python -m mirrortui`."""

import sys


def main() -> None:
    """Run the command line; the process's exit code is the verb's."""
    from mirrortui.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
