"""The rules read plainly, record by record: no column, no mask, nothing remembered."""

import functools
import re
from collections.abc import Callable
from typing import Any

from rattler import Version

from mirrortui import config as toml
from mirrortui import quantities
from mirrortui.selection import licenses, matchspec
from mirrortui.selection.pythons import MINORS, accepted
from mirrortui.selection.reasons import Reason

Records = list[tuple[str, dict[str, Any]]]


def expected(records: Records, rules: toml.Selection, now: float) -> list[Reason]:
    """Each record's reason, by the order that `selection.reasons` documents; no column, no mask."""
    out = [_alone(fn, raw, number, records, rules, now) for number, (fn, raw) in enumerate(records)]
    for count, group, level, reason in (
        (rules.newest_versions, lambda r: r["name"], lambda r: _rank(r["version"]), Reason.OLDER_VERSION),
        (
            rules.newest_builds,
            lambda r: (r["name"], r["version"], _variant(r["build"])),
            lambda r: r["build_number"],
            Reason.OLDER_BUILD,
        ),
    ):
        if count:
            out = _newest(records, out, rules.python, count, group, level, reason)
    return out


def _alone(fn: str, raw: dict[str, Any], number: int, records: Records, rules: toml.Selection, now: float) -> Reason:
    """The reason of one record, as far as it can be told without the others' reasons."""
    full = {**raw, "fn": fn, "channel": "c", "subdir": "linux-64"}

    def named(specs: tuple[str, ...]) -> bool:
        return any(matchspec.parse(text).matches(full) for text in specs)

    if any(later == fn for later, _ in records[number + 1 :]):
        return Reason.REPLACED
    twin = fn.endswith(".tar.bz2") and any(other == fn.removesuffix(".tar.bz2") + ".conda" for other, _ in records)
    if {"all": False, "prefer-conda": twin, "conda": not fn.endswith(".conda"), "tar.bz2": fn.endswith(".conda")}[
        rules.formats
    ]:
        return Reason.FORMAT
    if named(rules.always):
        return Reason.ALWAYS
    blocked = licenses.blocked(
        raw.get("license") or "",
        raw.get("license_family") or "",
        rules.exclude_licenses,
        runtime_exceptions=rules.runtime_exceptions,
    )
    if named(rules.exclude):
        return Reason.EXCLUDED
    if rules.exclude_licenses and blocked:
        return Reason.LICENSE
    if rules.exclude_licenses and blocked is None and rules.unknown_license == "drop":
        return Reason.UNKNOWN_LICENSE
    if rules.python and not any(accepted(_tag(raw), minor) for minor in rules.python):
        return Reason.PYTHON
    if rules.max_size and (raw.get("size") or -1) > quantities.size(rules.max_size):
        return Reason.MAX_SIZE
    stamp = raw.get("timestamp") or -1
    if rules.before and stamp > quantities.date_ms(rules.before):
        return Reason.TOO_NEW
    if rules.min_age and stamp > (now - quantities.duration(rules.min_age)) * 1000:
        return Reason.TOO_NEW
    return Reason.WANTED if not rules.include or named(rules.include) else Reason.NOT_INCLUDED


def _newest(
    records: Records,
    out: list[Reason],
    minors: tuple[str, ...],
    count: int,
    group: Callable[[Any], Any],
    level: Callable[[Any], Any],
    reason: Reason,
) -> list[Reason]:
    wanted = [raw for (_, raw), why in zip(records, out, strict=True) if why == Reason.WANTED]

    def pythons(raw: dict[str, Any]) -> set[str]:
        tag = _tag(raw)
        return {m for m in minors or MINORS if tag and accepted(tag, m)} or {"none"}

    def stays(raw: dict[str, Any]) -> bool:
        for python in pythons(raw):
            levels = {level(other) for other in wanted if group(other) == group(raw) and python in pythons(other)}
            if level(raw) in sorted(levels, reverse=True)[:count]:
                return True
        return False

    return [
        reason if why == Reason.WANTED and not stays(raw) else why for (_, raw), why in zip(records, out, strict=True)
    ]


@functools.total_ordering
class _rank:  # noqa: N801 - used as a function
    """A version in conda's order; what is none comes before all that are, and all such are equal."""

    def __init__(self, text: str) -> None:
        try:
            self.version: Version | None = Version(text)
        except Exception:  # noqa: BLE001 - rattler has no common base for its parse errors
            self.version = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _rank) or self.version is None or other.version is None:
            return isinstance(other, _rank) and self.version is other.version
        return self.version == other.version

    def __hash__(self) -> int:
        return hash(self.version is None)

    def __lt__(self, other: "_rank") -> bool:
        if self.version is None or other.version is None:
            return self.version is None and other.version is not None
        return self.version < other.version


def _tag(raw: dict[str, Any]) -> str:
    if raw["name"] in ("python", "python_abi"):
        return f"python {'.'.join(raw['version'].split('.')[:2])}.*"
    return "\n".join(sorted(d for d in raw["depends"] if re.fullmatch(r"python(_abi)?([\s=<>!~\[].*)?", d)))


def _variant(build: str) -> str:
    return "" if build.isdigit() else re.sub(r"h[0-9a-f]{7,10}|^\d+(?:_|$)|_\d+$", "", build)
