"""Close a selection over dependencies: across a subdir and noarch, and across the base channels that are mirrored too.

For each target subdir on its own, since a noarch package needs its dependencies on every platform. What the
rules have thrown out stays out; only records that `include` did not name, and older ones where no newer one
satisfies, are brought in. Dependencies that nothing kept can satisfy are reported with the rule at fault.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from mirrortui.catalog.depends import depends
from mirrortui.catalog.index import Catalog, Ints, SubdirIndex
from mirrortui.channels import known
from mirrortui.config import Channel, MirrorConfig
from mirrortui.errors import ConfigError, MirrorError
from mirrortui.selection import matchspec
from mirrortui.selection.matchspec import Spec
from mirrortui.selection.reasons import Broken, Reason
from mirrortui.selection.rows import match
from mirrortui.selection.select import Reasons, Selection, SubdirSelection

Pair = tuple[str, str]

PROMOTED = (Reason.NOT_INCLUDED,)
LAST_RESORT = (Reason.OLDER_VERSION, Reason.OLDER_BUILD)


class Cancelled(MirrorError):
    """The caller no longer wants the answer."""


def needed(config: MirrorConfig) -> bool:
    """Whether any channel's rules can bring dependencies in: otherwise closing changes nothing."""
    return any(_closes(config, channel) for channel in config.channels)


def _closes(config: MirrorConfig, channel: Channel) -> bool:
    rules = config.rules(channel)
    narrowing = rules.include or rules.environments or rules.newest_versions or rules.newest_builds
    return rules.with_dependencies and bool(narrowing)


def bases(config: MirrorConfig, channel: Channel) -> list[str]:
    """The mirrored channels that a channel draws dependencies from, itself first."""
    entry = known(channel.name)
    wanted = entry.base if entry is not None else ("conda-forge", "pkgs/main", "pkgs/r")
    return [channel.name, *(c.name for c in config.channels if c.name in wanted and c.name != channel.name)]


def close(
    catalog: Catalog, config: MirrorConfig, selection: Selection, cancelled: Callable[[], bool] = lambda: False
) -> tuple[Selection, tuple[Broken, ...]]:
    """Return the closed selection and what is broken in it. Raises `Cancelled` soon after `cancelled()` turns true."""
    reasons = {pair: np.array(item.reasons) for pair, item in selection.subdirs.items()}
    broken: list[Broken] = []
    for channel in config.channels:
        if not config.rules(channel).with_dependencies:
            continue
        for target in [s for s in channel.subdirs if s != "noarch"] or ["noarch"]:
            pairs = [(name, subdir) for name in bases(config, channel) for subdir in dict.fromkeys((target, "noarch"))]
            world = _World(catalog, [pair for pair in pairs if pair in reasons], reasons, cancelled)
            count = config.rules(channel).newest_versions
            broken += world.close((channel.name, target), count)
    unique = {(b.channel, b.spec): b for b in broken}
    done = {pair: SubdirSelection(item.index, reasons[pair]) for pair, item in selection.subdirs.items()}
    return Selection(done), tuple(sorted(unique.values(), key=lambda b: (-b.packages, b.spec)))


class _World:
    """All records that an environment on one platform can draw from."""

    def __init__(
        self, catalog: Catalog, pairs: Iterable[Pair], reasons: dict[Pair, Reasons], cancelled: Callable[[], bool]
    ) -> None:
        self.indexes = {pair: catalog.indexes[pair] for pair in pairs}
        self.reasons, self.cancelled = reasons, cancelled
        self.unmet: dict[str, Reason] = {}

    def close(self, target: Pair, count: int) -> list[Broken]:
        """Bring in what the kept records of the target's channel need, level by level."""
        own = target[0]
        frontier = {
            pair: np.flatnonzero((self.reasons[pair] < Reason.REPLACED) & (self.reasons[pair] != Reason.PINNED))
            for pair in self.indexes
            if pair[0] == own
        }
        seen: set[str] = set()
        while frontier:
            texts: set[str] = set()
            for pair, rows in frontier.items():
                links = depends(self.indexes[pair])
                texts.update(links.specs[n] for n in links.distinct(rows).tolist())
            found: dict[Pair, list[Ints]] = {}
            for number, text in enumerate(texts - seen):
                if number % 256 == 0 and self.cancelled():
                    raise Cancelled("cancelled")
                for pair, rows in self._meet(text, count):
                    found.setdefault(pair, []).append(rows)
            seen |= texts
            frontier = {pair: np.unique(np.concatenate(parts)) for pair, parts in found.items()}
        return self._broken(target)

    def _meet(self, text: str, count: int) -> list[tuple[Pair, Ints]]:
        """Bring in the providers of one dependency; returns the rows that are new."""
        spec = parsed(text)
        if spec is None:
            return []
        providers = [(pair, rows) for pair, index in self.indexes.items() if len(rows := provide(spec, index))]
        kept = any((self.reasons[pair][rows] < Reason.REPLACED).any() for pair, rows in providers)
        new = self._promote(providers, PROMOTED, count)
        if not kept and not new:
            new = self._promote(providers, LAST_RESORT, max(count, 1))
        if providers and not kept and not new:
            why = Counter(int(r) for pair, rows in providers for r in self.reasons[pair][rows])
            self.unmet[text] = Reason(why.most_common(1)[0][0])
        return new

    def _promote(
        self, providers: list[tuple[Pair, Ints]], which: tuple[Reason, ...], count: int
    ) -> list[tuple[Pair, Ints]]:
        new = []
        for pair, rows in providers:
            chosen = rows[np.isin(self.reasons[pair][rows], which)]
            if count and len(chosen):
                chosen = _newest(self.indexes[pair], chosen, count)
            if len(chosen):
                self.reasons[pair][chosen] = Reason.DEPENDENCY
                new.append((pair, chosen))
        return new

    def _broken(self, target: Pair) -> list[Broken]:
        out = []
        for text, reason in self.unmet.items():
            names: set[str] = set()
            for pair, index in self.indexes.items():
                links = depends(index)
                place = links.places.get(text)
                if place is None or pair[0] != target[0]:
                    continue
                rows = links.row_of[np.flatnonzero(links.numbers == place)]
                kept = rows[self.reasons[pair][rows] < Reason.REPLACED]
                names.update(index.names[n] for n in np.unique(index.name[kept]).tolist())
            if names:
                name = matchspec.parse(text).exact_name or text.split(" ")[0]
                out.append(Broken(*target, text, name, reason, len(names), min(names), name))
        return out


def parsed(text: str) -> Spec | None:
    """A dependency as a MatchSpec; None for a virtual package (the machine's own), or a text that is none.

    What cannot be read is not ours to judge: a client that cannot read it cannot use the record anyway.
    """
    if text.startswith("__"):
        return None
    try:
        return matchspec.parse(text)
    except ConfigError:
        return None


def provide(spec: Spec, index: SubdirIndex) -> Ints:
    """The rows of an index that satisfy a dependency."""
    name = spec.exact_name
    if name is None or not spec.needs <= {"version", "build"} or spec.channel or spec.subdir:
        return np.flatnonzero(match(spec, index))
    rows = index.rows_of(name)
    if spec.version is not None and len(rows):
        places, inverse = np.unique(index.version[rows], return_inverse=True)
        table = np.fromiter((spec.version_ok(index.versions[p]) for p in places.tolist()), bool, len(places))
        rows = rows[table[inverse]]
    if spec.build is not None and len(rows):
        rows = rows[np.array(spec.build.ok_each(index.builds(rows)), bool)]
    return rows


def _newest(index: SubdirIndex, rows: Ints, count: int) -> Ints:
    """The rows on the newest `count` versions, for each set of Python dependencies."""
    ranks, python = index.version_ranks[index.version[rows]], index.python[rows]
    keep = np.zeros(len(rows), bool)
    for tag in np.unique(python).tolist():
        mine = python == tag
        floor = np.unique(ranks[mine])[-count:][0]
        keep |= mine & (ranks >= floor)
    return rows[keep]
