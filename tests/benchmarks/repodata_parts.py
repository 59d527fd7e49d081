"""What `repodata.py` measures, each part in a process of its own; a part imports what it measures before the clock runs."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANNEL = "conda-forge"

Measured = tuple[list[float], list[float], str]


def _timed(work: Callable[..., object], *arguments: tuple[Any, ...]) -> tuple[list[float], list[float], Any]:
    """Wall and CPU seconds of each call, and what the last one returned."""
    walls, cpus, out = [], [], None
    for given in arguments or ((),):
        wall, cpu = time.perf_counter(), sum(os.times()[:4])
        process = time.process_time()
        out = work(*given)
        walls.append(time.perf_counter() - wall)
        children = sum(os.times()[:4]) - cpu
        cpus.append(max(time.process_time() - process, children if children > 0.5 else 0))
    return walls, cpus, out


class Bench:
    """The parts over one made channel. Each takes a scratch folder and returns seconds, CPU seconds and a remark."""

    def __init__(self, folder: Path, records: int) -> None:
        self.folder, self.state = folder, folder / f"state-{records}"
        self.sizes = {"linux-64": records * 9 // 10, "noarch": records // 10}

    def prepare(self) -> None:
        """Make the channel, read it into the cache, and warm what is made once for an index."""
        from mirrortui.catalog import cache
        from mirrortui.catalog.decode import FORMAT
        from mirrortui.catalog.index import Source
        from mirrortui.selection.names import graph
        from tests.benchmarks.made_repodata import made

        for subdir, count in self.sizes.items():
            body = made(self.folder, subdir, count)
            place = cache.folder(self.state, CHANNEL, subdir)
            url = f"{body.name} in format {FORMAT}"
            known = cache.read_usable(place)
            if known is not None and known.url == url:
                continue
            with cache.staging(place) as fresh:
                os.link(body, fresh / "body.json.zst")
                cache.decode_into(fresh)
                cache.write_source(place, Source(url=url, status="ok", folder=fresh.name))
        for index in self._catalog():
            graph(index)

    def _catalog(self) -> Any:
        from mirrortui.catalog import cache

        return cache.open_catalog(self.state, [(CHANNEL, subdir) for subdir in self.sizes])

    def _config(self, **rules: Any) -> Any:
        from mirrortui.config import Channel, Mirror, MirrorConfig, Selection

        mirror = Mirror(name="bench", root="/srv/none", url="http://localhost", state=str(self.state))
        channel = Channel(name=CHANNEL, upstreams=("https://localhost/c",), subdirs=tuple(self.sizes))
        return MirrorConfig(mirror=mirror, channels=(channel,), selection=Selection(**rules))

    def _seeds(self, catalog: Any, count: int = 100) -> tuple[str, ...]:
        """Names all over the alphabet, in equal steps."""
        names = sorted(catalog.indexes[CHANNEL, "linux-64"].names)
        return tuple(names[:: max(len(names) // count, 1)][:count])

    def index(self, scratch: Path) -> Measured:
        import rattler  # noqa: F401 - its import is no part of the figure

        from mirrortui.catalog import cache
        from tests.benchmarks.made_repodata import made

        os.link(made(self.folder, "linux-64", self.sizes["linux-64"]), scratch / "body.json.zst")
        walls, cpus, meta = _timed(cache.decode_into, (scratch,))
        return walls, cpus, f"{meta['rows']:,} records"

    def reopen(self, scratch: Path) -> Measured:
        from mirrortui.catalog import cache  # noqa: F401 - its import is no part of the figure
        from mirrortui.catalog.decode import COLUMNS

        def work() -> int:
            catalog = self._catalog()
            for index in catalog:
                for name in (*COLUMNS, "names", "versions", "licenses", "pythons", "version_ranks"):
                    len(getattr(index, name))
            return sum(int(index.size.sum()) for index in catalog)

        walls, cpus, total = _timed(work)
        return walls, cpus, f"{total / 1e12:.1f} TB"

    def _keystrokes(self, drafts: list[dict[str, Any]]) -> Measured:
        from mirrortui.selection.decide import decide_quickly
        from mirrortui.selection.estimate import estimate

        catalog = self._catalog()
        rules: dict[str, Any] = {
            "include": ("py*", "lib*", "r-*", "numpy", "*[license=MIT*]", "jupyter-*>=1.2"),
            "exclude": ("*-mesh", "*[build=*h0*]", "lib*<1"),
            "always": ("openssl", "py*key"),
            "exclude_licenses": ("GPL", "PROPRIETARY"),
            "python": ("3.10", "3.11", "3.12"),
            "newest_versions": 3,
            "newest_builds": 2,
            "before": "2025-06-01",
            "min_age": "7 days",
            "max_size": "500 MB",
        }

        def work(draft: dict[str, Any]) -> Any:
            config = self._config(**(rules | {key: (*rules[key], *texts) for key, texts in draft.items()}))
            decision = decide_quickly(catalog, config)
            return estimate(config, decision.selection, {}, free=1, total=1, approximate=decision.approximate)

        work({})
        walls, cpus, last = _timed(work, *((draft,) for draft in drafts))
        return walls, cpus, f"{last.records:,} records left; slowest {max(walls) * 1000:.0f} ms"

    def estimate(self, scratch: Path) -> Measured:
        typed = ["tor", "torc", "torch", "torch*", "torch*vis", "*torch*vis*", "web-*", "web-*>=2", "*wave*", "*wave"]
        return self._keystrokes([{"exclude": (text,)} for text in typed])

    def include(self, scratch: Path) -> Measured:
        typed = ["tor", "torc", "torch", "torch*", "torch*vis", "*torch*vis*", "web-*", "web-*>=2", "*wave*", "*wave"]
        return self._keystrokes([{"include": (text,)} for text in typed])

    def browse(self, scratch: Path) -> Measured:
        from mirrortui.selection.nametable import name_table
        from mirrortui.selection.select import select

        selection = select(self._catalog(), self._config(exclude=("*-mesh",), newest_versions=3))
        made, _, table = _timed(name_table, (selection,))
        table.find("", "size")
        texts = ("p", "py", "py*t", "^lib", "!wave", "*wave*")
        walls, cpus, _ = _timed(table.find, *((text, order) for text in texts for order in ("name", "size")))
        return (
            walls,
            cpus,
            f"{len(table):,} names, the table made in {made[0] * 1000:.0f} ms; slowest {max(walls) * 1000:.0f} ms",
        )

    def names(self, scratch: Path) -> Measured:
        from mirrortui.selection import names

        catalog = self._catalog()
        seeds = self._seeds(catalog)
        names.close(catalog, seeds[:1])
        walls, cpus, found = _timed(names.close, *[(catalog, seeds)] * 9)
        return walls, cpus, f"{len(found):,} names"

    def closure(self, scratch: Path) -> Measured:
        import rattler  # noqa: F401 - its import is no part of the figure

        from mirrortui.selection import closure
        from mirrortui.selection.select import select

        catalog = self._catalog()
        config = self._config(include=self._seeds(catalog))
        chosen = select(catalog, config)
        walls, cpus, found = _timed(closure.close, (catalog, config, chosen))
        return walls, cpus, f"{chosen.records:,} to {found.selection.records:,} records, {len(found.broken)} broken"

    def _half(self) -> Any:
        import numpy as np

        index = self._catalog().indexes[CHANNEL, "linux-64"]
        return index, np.random.default_rng(1).random(index.rows) < 0.5

    def filter(self, scratch: Path) -> Measured:
        from mirrortui.config import Publish
        from mirrortui.mirror import staging

        index, keep = self._half()
        item = staging.Item("linux-64", index, keep)
        options = Publish(zst=True, bz2=False, shards=False, current=False)
        walls, cpus, out = _timed(staging.stage, (scratch, item, options, scratch))
        return walls, cpus, ", ".join(f"{path.stat().st_size / 1e6:.0f} MB" for path in out.values())

    def shards(self, scratch: Path) -> Measured:
        import numpy as np

        from mirrortui.mirror import shards

        index = self._half()[0]
        walls, cpus, body = _timed(shards.write, (index, np.ones(index.rows, bool), scratch, scratch))
        files = list((scratch / shards.FOLDER).iterdir())
        total = sum(file.stat().st_size for file in files)
        return walls, cpus, f"{len(files):,} shards, {total / 1e6:.0f} MB, index {len(body) / 1e6:.1f} MB"

    def explain(self, scratch: Path) -> Measured:
        from mirrortui.selection.decide import decide
        from mirrortui.selection.explain import explain

        catalog = self._catalog()
        config = self._config(include=self._seeds(catalog), newest_versions=3)
        decision = decide(catalog, config)
        explain(config, decision, "numpy")
        asked = ("libzlib", "tzdata >=2", "lib*", "openssl", "python 3.12.*")
        walls, cpus, _ = _timed(explain, *((config, decision, text) for text in asked))
        return walls, cpus, f"slowest {max(walls) * 1000:.0f} ms"

    def explain_cold(self, scratch: Path) -> Measured:
        from mirrortui.selection.decide import decide
        from mirrortui.selection.explain import explain

        config = self._config(include=self._seeds(self._catalog()), newest_versions=3)
        walls, cpus, last = _timed(lambda: explain(config, decide(self._catalog(), config), "libzlib"))
        return walls, cpus, f"{len(last)} answers"
