"""Apply the rules to a catalog: one reason a record, in the fixed order that `reasons` documents."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirrortui import config as settings
from mirrortui import quantities
from mirrortui.catalog import decode
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.config import MirrorConfig
from mirrortui.selection import licenses
from mirrortui.selection.environments import seeds
from mirrortui.selection.newest import newest_builds, newest_versions
from mirrortui.selection.pythons import allowed
from mirrortui.selection.reasons import Reason
from mirrortui.selection.rows import rows

Reasons = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SubdirSelection:
    """One index with the reason for each of its rows."""

    index: SubdirIndex
    reasons: Reasons

    @property
    def mask(self) -> Mask:
        """The rows that are wanted."""
        return np.less(self.reasons, Reason.REPLACED)

    @property
    def whole(self) -> bool:
        """Whether no rule has dropped anything."""
        return bool(self.mask.all())


@dataclass(frozen=True)
class Selection:
    """Catalog + rules: the wanted records, each with a reason, by (channel, subdir)."""

    subdirs: dict[tuple[str, str], SubdirSelection]

    @property
    def records(self) -> int:
        """Number of wanted records."""
        return sum(int(s.mask.sum()) for s in self.subdirs.values())


def select(catalog: Catalog, config: MirrorConfig, *, now: float | None = None) -> Selection:
    """Select the wanted records of every subdir that the config names and the catalog has.

    Raises `ConfigError` for a rule that cannot be read.
    """
    moment = time.time() if now is None else now
    out = {}
    for channel in config.channels:
        rules = config.rules(channel)
        for subdir in channel.subdirs:
            index = catalog.indexes.get((channel.name, subdir))
            if index is not None:
                out[channel.name, subdir] = SubdirSelection(index, _Rules(index, rules, moment).reasons())
    return Selection(out)


def put(reasons: Reasons, mask: Mask, reason: Reason) -> None:
    """Set the reason of the rows of a mask; by sums over whole columns, many times as fast as through the mask."""
    reasons *= ~mask
    reasons += mask * np.uint8(reason)


class _Rules:
    """The rules over one index; each step marks the rows that are still in and that it throws out."""

    def __init__(self, index: SubdirIndex, rules: settings.Selection, now: float) -> None:
        self.index, self.rules, self.now = index, rules, now
        self.seeds = seeds(rules.environments)
        self.out: Reasons = np.zeros(index.rows, np.uint8)
        self.open: Mask = np.ones(index.rows, bool)
        """Rows that a rule may still throw out: wanted ones and those not included."""

    def reasons(self) -> Reasons:
        self._drop(Reason.REPLACED, ~self.index.usable)
        self._formats()
        self._include()
        self._drop(Reason.EXCLUDED, self._any(self.rules.exclude))
        self._licenses()
        self._always()
        self._python()
        self._max_size()
        self._dates()
        self._newest()
        self._pin()
        return self.out

    def _drop(self, reason: Reason, mask: Mask) -> None:
        hit = mask & self.open
        put(self.out, hit, reason)
        if reason != Reason.NOT_INCLUDED:
            self.open &= ~hit

    def _take(self, reason: Reason, mask: Mask) -> None:
        put(self.out, mask, reason)
        self.open &= ~mask

    def _any(self, specs: tuple[str, ...]) -> Mask:
        mask = np.zeros(self.index.rows, bool)
        for text in specs:
            mask |= rows(text, self.index)
        return mask

    def _formats(self) -> None:
        flags = self.index.flags
        by_format: dict[str, Callable[[], Mask]] = {
            "all": lambda: np.zeros(self.index.rows, bool),
            "prefer-conda": lambda: (flags & decode.TWIN) != 0,
            "conda": lambda: (flags & decode.CONDA) == 0,
            "tar.bz2": lambda: (flags & decode.CONDA) != 0,
        }
        self._drop(Reason.FORMAT, by_format[self.rules.formats]())

    def _include(self) -> None:
        if not self.rules.include and not self.rules.environments:
            return
        self._drop(Reason.NOT_INCLUDED, ~self._any((*self.rules.include, *self.seeds.specs)))

    def _licenses(self) -> None:
        words, exceptions = self.rules.exclude_licenses, self.rules.runtime_exceptions
        if not words:
            return

        def ask() -> tuple[Mask, Mask]:
            pairs = self.index.licenses
            said = [licenses.blocked(*pair, words, runtime_exceptions=exceptions) for pair in pairs]
            blocked, unknown = (np.array([answer is what for answer in said], bool) for what in (True, None))
            return blocked[self.index.license], unknown[self.index.license]

        blocked, unknown = self.index.remember(("licenses", words, exceptions), ask)
        self._drop(Reason.LICENSE, blocked)
        if self.rules.unknown_license == "drop":
            self._drop(Reason.UNKNOWN_LICENSE, unknown)

    def _always(self) -> None:
        self._take(Reason.ALWAYS, self._not_a_second() & self._any(self.rules.always))

    def _not_a_second(self) -> Mask:
        """Rows that are neither a second format of a build nor replaced."""
        mask: Mask = (self.out != Reason.REPLACED) & (self.out != Reason.FORMAT)
        return mask

    def _pin(self) -> None:
        self._take(Reason.PINNED, self._not_a_second() & self._any(self.seeds.builds))
        wanted = {
            file.fn: file
            for file in self.seeds.files
            if file.subdir == self.index.subdir and file.is_of(self.index.channel)
        }
        for fn, file in wanted.items():
            row = self.index.row(fn)
            if row is not None and file.agrees(*self.index.hashes(row)):
                self.out[row] = Reason.PINNED

    def _python(self) -> None:
        minors = self.rules.python
        if minors:
            self._drop(Reason.PYTHON, self.index.remember(("python", minors), lambda: ~allowed(self.index, minors)))

    def _max_size(self) -> None:
        limit = quantities.size(self.rules.max_size)
        if limit:
            self._drop(Reason.MAX_SIZE, np.greater(self.index.size, limit))

    def _dates(self) -> None:
        limits = [quantities.date_ms(self.rules.before)] if self.rules.before else []
        if self.rules.min_age:
            limits.append(int((self.now - quantities.duration(self.rules.min_age)) * 1000))
        if limits:
            self._drop(Reason.TOO_NEW, np.greater(self.index.stamp, max(min(limits), -1)))

    def _newest(self) -> None:
        for count, newest, reason in (
            (self.rules.newest_versions, newest_versions, Reason.OLDER_VERSION),
            (self.rules.newest_builds, newest_builds, Reason.OLDER_BUILD),
        ):
            if count and self.index.rows:
                wanted = self.out == Reason.WANTED
                put(self.out, wanted & ~newest(self.index, wanted, count, self.rules.python), reason)
