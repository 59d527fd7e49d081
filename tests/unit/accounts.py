"""Look at files with the eyes of another account."""

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can look with the eyes of another account")


def as_nobody(look: Callable[[], Any]) -> Any:
    """Run a function as an account without rights; returns its value (JSON), or the text of its exception."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # fork beside threads: the child does nothing that needs them
        pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            answer = look()
        except BaseException as error:  # noqa: BLE001 - the child must end here, whatever happened
            answer = f"{type(error).__name__}: {error}"
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return json.loads(text)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may enter (pytest's own ones are private)."""
    folder = Path(tempfile.mkdtemp(prefix="mirrortui-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
