"""One staged file takes the place of a published one, or leaves it alone where the bytes are the same."""

import filecmp
import os
from pathlib import Path


def switch(staged: Path, target: Path) -> bool:
    """Rename over the target unless the bytes are the same already; tells whether it did. Raises `OSError`."""
    if target.is_file() and not target.is_symlink() and filecmp.cmp(staged, target, shallow=False):
        staged.unlink()
        return False
    staged.replace(target)
    fd = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return True
