"""Which files a run asks of which host, and in which order."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mirrortui.config import Channel, Mirror, MirrorConfig
from mirrortui.mirror.store import Store
from mirrortui.worker import jobs
from mirrortui.worker.jobs import again, lanes


class Index:
    """So much of a subdir's index as a job needs."""

    def __init__(self, sizes: list[int]) -> None:
        self.size = np.array(sizes, "<i8")

    def fn(self, row: int) -> str:
        return f"pkg{row}-1-0.conda"

    def digest(self, row: int) -> tuple[str, bytes]:
        return "sha256", bytes([row % 256]) * 32


def work(sizes: list[int], *, add: str, replace: str = "", check: str = "") -> SimpleNamespace:
    """Each text marks rows by an x."""
    masks = {
        key: np.array([char == "x" for char in text.ljust(len(sizes), "-")], bool)
        for key, text in (("add", add), ("replace", replace), ("check", check))
    }
    return SimpleNamespace(chosen=SimpleNamespace(index=Index(sizes)), **masks)


def config(tmp_path: Path, **upstreams: tuple[str, ...]) -> MirrorConfig:
    return MirrorConfig(
        mirror=Mirror(name="m", root=str(tmp_path), url="http://localhost", state=str(tmp_path / "state")),
        channels=tuple(Channel(name=name, upstreams=bases, subdirs=("noarch",)) for name, bases in upstreams.items()),
    )


def test_a_lane_for_each_host_with_the_largest_first(tmp_path):
    made = config(
        tmp_path,
        one=("https://a.test/one", "https://b.test/one"),
        two=("https://b.test/two",),
        three=("https://a.test/three",),
    )
    todo = {
        ("one", "noarch"): work([5, 50, -1, 7], add="xx-x"),
        ("two", "noarch"): work([3], add="x"),
        ("three", "noarch"): work([30, 6], add="x-", check="-x"),
    }
    first, second = ([*lane] for lane in lanes(made, Store(tmp_path), todo))
    assert [(job.channel, job.size) for job in first] == [
        ("one", 50),
        ("three", 30),
        ("one", 7),
        ("three", 6),
        ("one", 5),
    ]
    assert [job.check for job in first] == [False, False, False, True, False]
    assert first[0].urls == (
        "https://a.test/one/noarch/pkg1-1-0.conda",
        "https://b.test/one/noarch/pkg1-1-0.conda",
    )
    assert first[0].digest == ("sha256", b"\1" * 32)
    assert first[0].final == tmp_path / "one" / "noarch" / "pkg1-1-0.conda"
    assert [(job.channel, job.size) for job in second] == [("two", 3)]


def test_a_replacement_waits_beside_the_file(tmp_path):
    made = config(tmp_path, one=("https://a.test/one",))
    (lane,) = lanes(made, Store(tmp_path), {("one", "noarch"): work([5], add="-", replace="x")})
    (job,) = lane
    assert job.replace
    assert job.check
    assert job.final.name == ".pkg0-1-0.conda.next"


def test_many_files_come_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "BLOCK", 7)
    made = config(tmp_path, one=("https://a.test/one",))
    sizes = [*range(50)]
    (lane,) = lanes(made, Store(tmp_path), {("one", "noarch"): work(sizes, add="x" * 50)})
    assert [job.size for job in lane] == sizes[::-1]


def test_nothing_to_do(tmp_path):
    made = config(tmp_path, one=("https://a.test/one",))
    (lane,) = lanes(made, Store(tmp_path), {("one", "noarch"): work([5], add="-")})
    assert [*lane] == []
    assert lanes(made, Store(tmp_path), {}) == []


def test_what_failed_is_asked_of_its_hosts_again(tmp_path):
    made = config(tmp_path, one=("https://a.test/one",), two=("file:///srv/two",))
    todo = {("one", "noarch"): work([5, 6], add="xx"), ("two", "noarch"): work([3], add="x")}
    given = [job for lane in lanes(made, Store(tmp_path), todo) for job in lane]
    assert [[job.size for job in lane] for lane in again(given)] == [[6, 5], [3]]
