"""A real client on shards that we made."""

from pathlib import Path

from mirrortui.mirror import shards
from mirrortui.serve.server import AccessLine, FileServer
from tests.process import client
from tests.unit.catalog import made
from tests.unit.indexes import pkg
from tests.unit.mirror.tree import all_of


def test_a_client_solves_from_shards_alone(tmp_path: Path) -> None:
    """Nothing else is there: no repodata.json, no .zst. Records with odd keys are read, too."""
    world = {
        "linux-64": [
            pkg("app-1-0.conda", "lib >=2", "pure", extra_depends={"x": ["nowhere"]}),
            "app-1-0.tar.bz2",
            "lib-1-0.conda",
            pkg("lib-2-0.tar.bz2", legacy_bz2_size=5),
            pkg("bad-1-0.conda", "nowhere"),
        ],
        "noarch": [pkg("pure-1-0.conda", noarch="generic", subdir="noarch", purls=["pkg:pypi/pure@1"])],
    }
    for subdir, entries in world.items():
        (tmp_path / "root/c" / subdir).mkdir(parents=True)
        (tmp_path / "scratch").mkdir(exist_ok=True)
        index = made.index(tmp_path / "state", made.table(*entries), subdir=subdir)
        data = shards.write(index, all_of(index), tmp_path / "root/c" / subdir, tmp_path / "scratch")
        (tmp_path / "root/c" / subdir / shards.INDEX).write_bytes(data)
    lines: list[AccessLine] = []
    with FileServer(tmp_path / "root", log=lines.append) as server:
        answer = client.solve([f"{server.url}/c"], ["app"], tmp_path / "home")
        refused = client.solve([f"{server.url}/c"], ["bad"], tmp_path / "home")
    assert answer["error"] == ""
    assert sorted(record["fn"] for record in answer["records"]) == [
        "app-1-0.conda",
        "lib-2-0.tar.bz2",
        "pure-1-0.conda",
    ]
    assert all(record["sha256"] == made.record(record["fn"])["sha256"] for record in answer["records"])
    assert "nowhere" in refused["error"]
    assert lines
    assert not any("repodata.json" in str(line) for line in lines)
