"""Close a selection over dependencies: across a subdir and noarch, and across the base channels that are mirrored too.

For each target subdir on its own, since a noarch package needs its dependencies on every platform. What the
rules have thrown out stays out; only records that `include` did not name, and older ones where no newer one
satisfies, are brought in. Dependencies that nothing kept can satisfy are reported with the rule at fault.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.depends import depends
from mirrortui.catalog.index import Ints, Mask, SubdirIndex
from mirrortui.channels import known
from mirrortui.config import Channel, MirrorConfig
from mirrortui.config import Selection as Rules
from mirrortui.errors import ConfigError, MirrorError
from mirrortui.selection import matchspec
from mirrortui.selection.conditions import unconditional
from mirrortui.selection.matchspec import Spec
from mirrortui.selection.newest import newest_rows
from mirrortui.selection.reasons import Broken, Reason
from mirrortui.selection.rows import match
from mirrortui.selection.select import Reasons, Selection, SubdirSelection

Pair = tuple[str, str]
Providers = list[tuple[Pair, Ints]]

PROMOTED = (Reason.NOT_INCLUDED,)
LAST_RESORT = (Reason.OLDER_VERSION, Reason.OLDER_BUILD)


@dataclass(frozen=True, slots=True)
class Brought:
    """Rows that one dependency brought in; `world` are the subdirs in which the records that asked for it may be."""

    channel: str
    world: tuple[Pair, ...]
    pair: Pair
    rows: Ints
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed selection, what is broken in it, and what was brought in, in the order in which that happened."""

    selection: Selection
    broken: tuple[Broken, ...]
    brought: tuple[Brought, ...]


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
) -> Closed:
    """Bring in what the kept records of every channel need. Raises `Cancelled` soon after `cancelled()` turns true.

    The same catalog and rules give the same answer in any process: nothing depends on the order of a set.
    """
    reasons = {pair: np.array(item.reasons) for pair, item in selection.subdirs.items()}
    brought: list[Brought] = []
    worlds = []
    for channel in config.channels:
        if not config.rules(channel).with_dependencies:
            continue
        for target in [s for s in channel.subdirs if s != "noarch"] or ["noarch"]:
            names = bases(config, channel)
            pairs = [(name, subdir) for name in names for subdir in dict.fromkeys((target, "noarch"))]
            limits = {name: config.rules(config.channel(name)) for name in names}
            known_pairs = [pair for pair in pairs if pair in reasons]
            worlds.append(_World(catalog, (channel.name, target), known_pairs, limits, reasons, brought, cancelled))
    # A noarch or base record that one platform brings in has to be closed on the others, too.
    while any(world.close() for world in worlds):
        pass
    worst: dict[tuple[str, str, str], Broken] = {}
    for item in (item for world in worlds for item in world.broken()):
        key = (item.channel, item.subdir, item.spec)
        if key not in worst or worst[key].packages < item.packages:
            worst[key] = item
    done = {pair: SubdirSelection(item.index, reasons[pair]) for pair, item in selection.subdirs.items()}
    order = sorted(worst.values(), key=lambda b: (-b.packages, b.spec, b.channel, b.subdir))
    return Closed(Selection(done), tuple(order), tuple(brought))


class _World:
    """All records that an environment on one platform can draw from; `target` is whose records are closed in it."""

    def __init__(
        self,
        catalog: Catalog,
        target: Pair,
        pairs: Iterable[Pair],
        limits: dict[str, Rules],
        reasons: dict[Pair, Reasons],
        brought: list[Brought],
        cancelled: Callable[[], bool],
    ) -> None:
        self.target = target
        self.indexes = {pair: catalog.indexes[pair] for pair in pairs}
        self.limits, self.reasons, self.brought, self.cancelled = limits, reasons, brought, cancelled
        self.looked_at = {pair: np.zeros(index.rows, bool) for pair, index in self.indexes.items()}
        self.seen: set[str] = set()
        self.unmet: dict[str, tuple[Pair, Reason]] = {}

    def close(self) -> bool:
        """Bring in what the kept records need, level by level; tells whether there was anything new to look at."""
        frontier = {pair: rows for pair in self.indexes if pair[0] == self.target[0] and len(rows := self._new(pair))}
        anything = bool(frontier)
        while frontier:
            texts: set[str] = set()
            for pair, rows in frontier.items():
                self.looked_at[pair][rows] = True
                links = depends(self.indexes[pair])
                texts.update(links.specs[n] for n in links.distinct(rows).tolist())
            found = self._level(sorted(texts - self.seen))
            self.seen |= texts
            frontier = {pair: np.unique(np.concatenate(parts)) for pair, parts in found.items()}
        return anything

    def _new(self, pair: Pair) -> Ints:
        """Kept rows whose dependencies were not looked at here; what a lock file pins comes with its own."""
        reasons = self.reasons[pair]
        return np.flatnonzero((reasons < Reason.REPLACED) & (reasons != Reason.PINNED) & ~self.looked_at[pair])

    def _level(self, texts: list[str]) -> dict[Pair, list[Ints]]:
        """Bring in the providers of some dependencies, older ones only when all others are in; returns the new rows."""
        before = len(self.brought)
        waiting: list[tuple[str, Providers]] = []
        for number, text in enumerate(texts):
            if number % 256 == 0 and self.cancelled():
                raise Cancelled("cancelled")
            spec = parsed(text)
            if spec is None:
                continue
            providers = [(pair, rows) for pair, index in self.indexes.items() if len(rows := provide(spec, index))]
            self._promote(text, providers, PROMOTED, 0)
            if providers and not self._kept(providers):
                waiting.append((text, providers))
        for text, providers in [item for item in waiting if not self._kept(item[1])]:
            self._promote(text, providers, LAST_RESORT, 1)
            if not self._kept(providers):
                self.unmet[text] = self._fault(providers)
        found: dict[Pair, list[Ints]] = {}
        for item in self.brought[before:]:
            found.setdefault(item.pair, []).append(item.rows)
        return found

    def _kept(self, providers: Providers) -> bool:
        return any(bool((self.reasons[pair][rows] < Reason.REPLACED).any()) for pair, rows in providers)

    def _promote(self, text: str, providers: Providers, which: tuple[Reason, ...], least: int) -> None:
        """Bring in the newest providers; what is in already counts, whoever asked for it: so no order matters."""
        for pair, rows in providers:
            reasons, rules = self.reasons[pair], self.limits[pair[0]]
            out = _among(reasons[rows], which)
            if out.any():
                newest = rows[out | (reasons[rows] < Reason.REPLACED)]
                versions = max(rules.newest_versions, least)
                newest = newest_rows(self.indexes[pair], newest, versions, rules.newest_builds, rules.python)
                chosen = newest[_among(reasons[newest], which)]
                reasons[chosen] = Reason.DEPENDENCY
                if len(chosen):
                    self.brought.append(Brought(self.target[0], tuple(self.indexes), pair, chosen, text))

    def _fault(self, providers: Providers) -> tuple[Pair, Reason]:
        """The rule that threw most providers out, and where; a second format of a build is no provider of its own."""
        why = Counter((pair, int(r)) for pair, rows in providers for r in self.reasons[pair][rows])
        own = Counter({key: count for key, count in why.items() if key[1] not in (Reason.REPLACED, Reason.FORMAT)})
        pair, reason = (own or why).most_common(1)[0][0]
        return pair, Reason(reason)

    def broken(self) -> list[Broken]:
        """What no kept record satisfies, for each channel that has kept records that need it."""
        needing: dict[tuple[str, str], set[str]] = {}
        for pair, index in self.indexes.items():
            links = depends(index)
            asked = np.zeros(len(links.specs), bool)
            asked[[place for text in self.unmet if (place := links.places.get(text)) is not None]] = True
            hits = np.flatnonzero(asked[links.numbers])
            hits = hits[self.looked_at[pair][links.row_of[hits]]]
            found = np.unique(np.stack((links.numbers[hits], index.name[links.row_of[hits]])), axis=1)
            for number, name in found.T.tolist():
                needing.setdefault((links.specs[number], pair[0]), set()).add(index.names[name])
        out = []
        for (text, channel), names in needing.items():
            pair, reason = self.unmet[text]
            name = matchspec.parse(unconditional(text)).exact_name or text.split(" ")[0]
            rule, mend = _mend(name, reason, self.limits[pair[0]].formats)
            out.append(Broken(channel, self.target[1], text, name, reason, len(names), min(names), mend, rule))
        return out


def _among(reasons: Reasons, which: tuple[Reason, ...]) -> Mask:
    """Where one of very few reasons stands: called so often that `np.isin` would be the slowest part."""
    mask: Mask = np.logical_or.reduce([reasons == code for code in which])
    return mask


def _mend(name: str, reason: Reason, formats: str) -> tuple[str, str]:
    """The rule and its value that would bring a provider back; empty where no rule can."""
    if reason == Reason.FORMAT:
        return "formats", "prefer-conda" if formats == "conda" else "all"
    return ("", "") if reason == Reason.REPLACED else ("always", name)


def parsed(text: str) -> Spec | None:
    """A dependency as a MatchSpec; None for a virtual package (the machine's own), or a text that is none.

    What cannot be read is not ours to judge: a client that cannot read it cannot use the record anyway. A regular
    expression from outside is not run: it may take longer than any mirror lives.
    """
    if text.lstrip().startswith("__") or "^" in text:
        return None
    try:
        return matchspec.parse(unconditional(text))
    except ConfigError:
        return None


def provide(spec: Spec, index: SubdirIndex) -> Ints:
    """The rows of an index that satisfy a dependency."""
    name = spec.exact_name
    if name is None or not spec.needs <= {"version", "build"} or spec.channel or spec.subdir:
        return np.flatnonzero(match(spec, index))
    return narrow(spec, index, index.rows_of(name))


def narrow(spec: Spec, index: SubdirIndex, rows: Ints) -> Ints:
    """Of some rows, those whose version and build satisfy a dependency; each distinct version is asked for once."""
    if spec.version is not None and len(rows):
        places = index.version[rows].tolist()
        answers = {place: spec.version_ok(index.versions[place]) for place in set(places)}
        rows = rows[[answers[place] for place in places]]
    if spec.build is not None and len(rows):
        rows = rows[np.array(spec.build.ok_each(index.builds(rows)), bool)]
    return rows
