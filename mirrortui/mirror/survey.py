"""A survey: the cached catalog and the tree as they are now, to ask for estimates and plans of any draft config."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from mirrortui.catalog import cache
from mirrortui.catalog.catalog import Catalog
from mirrortui.config import MirrorConfig
from mirrortui.mirror import planning
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.plan import Plan
from mirrortui.mirror.presence import Presence, presence
from mirrortui.mirror.solving import Solved, check
from mirrortui.mirror.store import Disk, Store
from mirrortui.selection.decide import Decision, decide, decide_quickly
from mirrortui.selection.estimate import Details, Estimate, details, estimate
from mirrortui.selection.explain import Answer, explain
from mirrortui.selection.nametable import NameTable, name_table


@dataclass(frozen=True)
class Survey:
    """What upstream has (as far as it was fetched) and what is on disk; immutable, no network.

    Several threads may ask the same survey. `decided` holds its newest exact decision, if there is one.
    """

    catalog: Catalog
    presences: dict[tuple[str, str], Presence]
    disk: Disk
    decided: list[tuple[MirrorConfig, Decision]] = field(default_factory=list, repr=False, compare=False)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The (channel, subdir) pairs whose index is at hand."""
        return tuple(self.catalog.indexes)

    def estimate(
        self, config: MirrorConfig, *, quick: bool = False, cancelled: Callable[[], bool] = lambda: False
    ) -> Estimate:
        """What a config (perhaps a draft) wants; raises `ConfigError` for a rule that cannot be read.

        `quick` answers within a keystroke even where dependencies come in, with an upper bound of them
        (`Estimate.approximate`). The exact answer may take seconds; `cancelled` ends it with `closure.Cancelled`.
        """
        decision = self._decide(config, quick=quick, cancelled=cancelled)
        verified = {pair: here.verified for pair, here in self.presences.items()}
        free, total = self.disk.free, self.disk.total
        return estimate(config, decision.selection, verified, free=free, total=total, approximate=decision.approximate)

    def _decide(
        self, config: MirrorConfig, *, quick: bool = False, cancelled: Callable[[], bool] = lambda: False
    ) -> Decision:
        """The last exact decision is kept: a plan, its explanations and its details are asked for one after the other."""
        for known, decision in self.decided[:]:
            if known == config:
                return decision
        if quick:
            return decide_quickly(self.catalog, config)
        decision = decide(self.catalog, config, cancelled)
        self.decided[:] = [(config, decision)]
        return decision

    def names(
        self, config: MirrorConfig, *, quick: bool = False, cancelled: Callable[[], bool] = lambda: False
    ) -> NameTable:
        """Every package name with what of it is in; `quick` and `cancelled` as for `estimate`."""
        decision = self._decide(config, quick=quick, cancelled=cancelled)
        return name_table(decision.selection, approximate=decision.approximate)

    def details(self, config: MirrorConfig) -> Details:
        """What the selection is made of: growth, largest names, license families."""
        return details(self._decide(config).selection, now=time.time())

    def explain(self, config: MirrorConfig, question: str) -> list[Answer]:
        """Why the records that a file name or MatchSpec names are in or out."""
        return explain(config, self._decide(config), question)

    def check(self, config: MirrorConfig, environments: Iterable[str]) -> list[Solved]:
        """Solve environments on the metadata that a run would publish, on every platform."""
        return check(config, self._decide(config), environments)

    def plan(self, config: MirrorConfig) -> Plan:
        """What a run would do now."""
        now = time.time()
        inventory = Inventory(config.state)
        try:
            decision = self._decide(config)
            todo = planning.work(config, decision.selection, self.presences, now)
            missing = [
                f"{channel.name}/{subdir}: its index was not read yet; refresh it"
                for channel in config.channels
                for subdir in channel.subdirs
                if (channel.name, subdir) not in self.catalog.indexes
            ]
            held = partial(Store(config.root).held, todo)
            return planning.plan(config, todo, inventory, self.disk, missing, decision.broken, now=now, held=held)
        finally:
            inventory.close()


def survey(
    config: MirrorConfig, *, pairs: Iterable[tuple[str, str]] | None = None, before: Survey | None = None
) -> Survey:
    """Look at the cache and the tree for the given pairs (default: those of the config).

    An earlier survey lends the indexes that are the same still, with all that is remembered of them; and its last
    decision, if that depends on nothing else.
    """
    wanted = list(pairs) if pairs is not None else [(c.name, s) for c in config.channels for s in c.subdirs]
    catalog = cache.open_catalog(config.state, wanted)
    known = before.catalog.indexes if before is not None else {}
    same = {p: known[p] for p, index in catalog.indexes.items() if p in known and known[p].folder == index.folder}
    catalog = Catalog(catalog.indexes | same, catalog.problems)
    store, inventory = Store(config.root), Inventory(config.state)
    try:
        here = {pair: presence(index, store, inventory) for pair, index in catalog.indexes.items()}
    finally:
        inventory.close()
    steady = before is not None and same.keys() == known.keys() == catalog.indexes.keys()
    decided = [entry for entry in before.decided if not _drifts(entry[0])] if before is not None and steady else []
    return Survey(catalog, here, store.disk(), decided)


def _drifts(config: MirrorConfig) -> bool:
    """Whether the same rules over the same indexes may decide otherwise tomorrow, or after an edit of some file."""
    rules = [config.selection, *(config.rules(channel) for channel in config.channels)]
    return any(rule.min_age or rule.environments for rule in rules)
