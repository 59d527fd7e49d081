"""A second, plain reading of the rules: dicts, loops, and rattler for every comparison. No column, no mask, no cache."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import rattler

from mirrortui.channels import known
from mirrortui.config import Channel, MirrorConfig, Selection
from mirrortui.quantities import size as bytes_of
from mirrortui.selection import licenses
from mirrortui.selection.pythons import MINORS

Pair = tuple[str, str]
Place = tuple[Pair, str]
Record = dict[str, Any]
World = dict[Pair, dict[str, Record]]


# ---------------------------------------------------------------------------------------- one record


@lru_cache(maxsize=10_000)
def version_key(text: str) -> Any:
    """The version, None for what is none."""
    try:
        return rattler.Version(text)
    except Exception:  # noqa: BLE001 - rattler's errors have no common base
        return None


@lru_cache(maxsize=10_000)
def _package(name: str, version: str, build: str, number: int) -> Any:
    return rattler.PackageRecord(
        name=name, version=version, build=rattler.BuildString(build), build_number=number, subdir="noarch", arch=None, platform=None
    )  # fmt: skip


@lru_cache(maxsize=100_000)
def _matches(text: str, name: str, version: str, build: str, number: int) -> bool:
    return bool(rattler.MatchSpec(text, exact_names_only=False).matches(_package(name, version, build, number)))


def matches(text: str, record: Record) -> bool:
    """Whether a MatchSpec of name, version and build names a record."""
    return _matches(text, record["name"], record["version"], record["build"], record["build_number"])


@lru_cache(maxsize=10_000)
def _fits(specs: tuple[str, ...], minor: str) -> bool:
    for patch in (99, 0):
        own = {"python": (f"{minor}.{patch}", "0_cpython"), "python_abi": (minor, f"0_cp{minor.replace('.', '')}")}
        if all(_matches(text, name, *own[name], 0) for text in specs for name in [re.split(r"[ =<>!]", text)[0]]):
            return True
    return False


def pythons(record: Record, minors: Iterable[str]) -> set[str]:
    """The minor versions that a record is for by its dependencies or, for Python itself, by its version; none for neither."""
    if record["name"] in ("python", "python_abi"):
        return {".".join(record["version"].split(".")[:2])} & set(minors)
    specs = tuple(text for text in record["depends"] if re.fullmatch(r"python(_abi)?([ =<>!].*)?", text))
    return {minor for minor in minors if specs and _fits(specs, minor)}


def names_a_python(record: Record) -> bool:
    """Whether a record has anything to do with Python versions."""
    return record["name"] in ("python", "python_abi") or any(
        re.fullmatch(r"python(_abi)?([ =<>!].*)?", text) for text in record["depends"]
    )


def variant(build: str) -> str:
    """A build string without its hash and number."""
    return "" if build.isdigit() else re.sub(r"_\d+$", "", re.sub(r"h[0-9a-f]{7,10}", "", re.sub(r"^\d+_", "", build)))


# -------------------------------------------------------------------------------------------- counts


def newest(
    records: list[Record],
    count: int,
    minors: tuple[str, ...],
    group: Callable[[Record], Any],
    level: Callable[[Record], Any],
) -> list[bool]:
    """Keep a record if fewer than `count` distinct levels of its group are above its own, for any of its Pythons."""
    own = [pythons(record, minors or MINORS) or {"none"} for record in records]
    levels: dict[tuple[Any, str], list[Any]] = {}
    for record, mine in zip(records, own, strict=True):
        for python in mine:
            found = levels.setdefault((group(record), python), [])
            if level(record) not in found:
                found.append(level(record))

    def above(record: Record, python: str) -> int:
        mine = level(record)
        return sum(
            1
            for other in levels[group(record), python]
            if other != mine and (mine is None or (other is not None and other > mine))
        )

    return [any(above(record, python) < count for python in mine) for record, mine in zip(records, own, strict=True)]


def newest_versions(records: list[Record], count: int, minors: tuple[str, ...]) -> list[bool]:
    return newest(records, count, minors, lambda r: r["name"], lambda r: version_key(r["version"]))


def newest_builds(records: list[Record], count: int, minors: tuple[str, ...]) -> list[bool]:
    return newest(
        records, count, minors, lambda r: (r["name"], r["version"], variant(r["build"])), lambda r: r["build_number"]
    )


# ------------------------------------------------------------------------------------- the whole thing


class Reading:
    """What a config wants of a world: `why` tells for each place, `broken` what nothing kept satisfies."""

    def __init__(self, world: World, config: MirrorConfig) -> None:
        self.world, self.config = world, config
        self.why: dict[Place, str] = {}
        self.broken: set[tuple[str, str, str]] = set()
        for pair, records in world.items():
            rules = config.rules(config.channel(pair[0]))
            for fn, record in records.items():
                self.why[pair, fn] = _alone(fn, record, records, rules)
            for count, counted, word in (
                (rules.newest_versions, newest_versions, "older_version"),
                (rules.newest_builds, newest_builds, "older_build"),
            ):
                wanted = [fn for fn in records if count and self.why[pair, fn] == "wanted"]
                for fn, stays in zip(wanted, counted([records[fn] for fn in wanted], count, rules.python), strict=True):
                    if not stays:
                        self.why[pair, fn] = word
        self._close()

    def kept(self, pair: Pair) -> dict[str, Record]:
        return {fn: record for fn, record in self.world[pair].items() if self.is_in((pair, fn))}

    def is_in(self, place: Place) -> bool:
        return self.why[place] in ("wanted", "always", "dependency")

    def _close(self) -> None:
        worlds = [_Platform(self, channel, target) for channel in self.config.channels for target in _targets(channel)]
        worlds = [item for item in worlds if self.config.rules(item.channel).with_dependencies]
        filtered = not all(self.is_in(place) for place in self.why)
        while filtered and any([item.close() for item in worlds]):  # noqa: C419 - every one has its turn
            pass
        self.broken = {found for item in worlds for found in item.broken()}


def _targets(channel: Channel) -> list[str]:
    return [subdir for subdir in channel.subdirs if subdir != "noarch"] or ["noarch"]


def _alone(fn: str, record: Record, others: dict[str, Record], rules: Selection) -> str:
    conda = fn.endswith(".conda")
    twin = not conda and fn.replace(".tar.bz2", ".conda") in others
    if {"all": False, "prefer-conda": twin, "conda": not conda, "tar.bz2": conda}[rules.formats]:
        return "format"
    if any(matches(text, record) for text in rules.always):
        return "always"
    if any(matches(text, record) for text in rules.exclude):
        return "excluded"
    if rules.exclude_licenses:
        blocked = licenses.blocked(
            record.get("license") or "", "", rules.exclude_licenses, runtime_exceptions=rules.runtime_exceptions
        )
        if blocked or (blocked is None and rules.unknown_license == "drop"):
            return "license" if blocked else "unknown_license"
    if rules.python and names_a_python(record) and not pythons(record, rules.python):
        return "python"
    if rules.max_size and (record.get("size") or 0) > bytes_of(rules.max_size):
        return "max_size"
    if rules.before:
        end = datetime.fromisoformat(rules.before).replace(tzinfo=UTC).timestamp() + 86400
        if (record.get("timestamp") or 0) >= end * 1000:
            return "too_new"
    return "wanted" if not rules.include or any(matches(text, record) for text in rules.include) else "not_included"


class _Platform:
    """Closing one channel on one platform, dependency by dependency, level by level."""

    def __init__(self, reading: Reading, channel: Channel, target: str) -> None:
        self.reading, self.channel, self.target = reading, channel, target
        entry = known(channel.name)
        bases = entry.base if entry is not None else ("conda-forge", "pkgs/main", "pkgs/r")
        self.pairs = [
            pair
            for pair in reading.world
            if pair[1] in (target, "noarch") and (pair[0] == channel.name or pair[0] in bases)
        ]
        self.looked_at: set[Place] = set()
        self.unmet: set[str] = set()
        self.seen: set[str] = set()

    def close(self) -> bool:
        own = [(pair, fn) for pair in self.pairs if pair[0] == self.channel.name for fn in self.reading.world[pair]]
        todo = {place for place in own if self.reading.is_in(place)} - self.looked_at
        anything = bool(todo)
        while todo:
            self.looked_at |= todo
            texts = {
                text
                for pair, fn in todo
                for text in self.reading.world[pair][fn]["depends"]
                if not text.startswith("__")
            } - self.seen
            self.seen |= texts
            todo = {place for text in texts for place in self._bring(text, ("not_included",), 0)}
            unmet = {text for text in texts if self._providers(text) and not self._met(text)}
            picked = {text: self._bring(text, ("older_version", "older_build"), 1, dry=True) for text in unmet}
            for places in picked.values():
                todo |= places
                for place in places:
                    self.reading.why[place] = "dependency"
            self.unmet |= {text for text in unmet if not self._met(text)}
        return anything

    def _providers(self, text: str) -> list[Place]:
        return [
            (pair, fn)
            for pair in self.pairs
            for fn, record in self.reading.world[pair].items()
            if matches(text, record)
        ]

    def _met(self, text: str) -> bool:
        return any(self.reading.is_in(place) for place in self._providers(text))

    def _bring(self, text: str, which: tuple[str, ...], least: int, *, dry: bool = False) -> set[Place]:
        """The newest providers, as far as the rules of their channel count them; what is in counts, too."""
        found: set[Place] = set()
        for pair in self.pairs:
            rules = self.reading.config.rules(self.reading.config.channel(pair[0]))
            places = [
                place
                for place in self._providers(text)
                if place[0] == pair and (self.reading.is_in(place) or self.reading.why[place] in which)
            ]
            if not any(self.reading.why[place] in which for place in places):
                continue
            for count, counted in (
                (max(rules.newest_versions, least), newest_versions),
                (rules.newest_builds, newest_builds),
            ):
                if count:
                    stays = counted([self.reading.world[pair][fn] for _, fn in places], count, rules.python)
                    places = [place for place, stay in zip(places, stays, strict=True) if stay]
            found |= {place for place in places if self.reading.why[place] in which}
        if not dry:
            for place in found:
                self.reading.why[place] = "dependency"
        return found

    def broken(self) -> set[tuple[str, str, str]]:
        return {
            (pair[0], self.target, text) for pair, fn in self.looked_at for text in self.reading.world[pair][fn]["depends"] if text in self.unmet
        }  # fmt: skip
