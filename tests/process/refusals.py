"""How a verb says no: one line on stderr that tells what, where and what next; an exit code; nothing on stdout."""

from collections.abc import Callable

from tests.process.mirror import Done, Mirror

GOOD = """
version = 1
[mirror]
name = "lab"
root = "{root}"
url = "http://mirror.lab"
state = "{state}"
[[channels]]
name = "lab"
upstreams = ["http://127.0.0.1:9/lab"]
subdirs = ["linux-64", "noarch"]
"""


def refused(done: Done, code: int, *words: str) -> None:
    """One line on stderr that holds all words, nothing on stdout."""
    lines = done.err.splitlines()
    assert done.code == code, done.err
    assert done.out == ""
    assert len(lines) == 1, done.err
    assert lines[0].startswith("mirrortui: ")
    assert "Traceback" not in done.err
    for word in words:
        assert word in lines[0]


def failed(done: Done, code: int, *words: str) -> None:
    """A run that began and failed: told on stderr, without a traceback; the last line says why."""
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    last = done.err.splitlines()[-1]
    for word in words:
        assert word in last


def text(mirror: Mirror, change: Callable[[str], str]) -> None:
    """Write mirror.toml by hand."""
    mirror.file.write_text(change(GOOD.format(root=mirror.root, state=mirror.state)), encoding="utf-8")
