"""Which licence family a record belongs to, and whether a rule blocks it.

An AND is blocked when a part is, an OR only when every alternative is; a part nobody can name makes the
answer unknown where it would decide, and then `license_family` (conda-build's closed set) is asked.
`GPL-2.0-or-later` is a choice: blocked by `GPL`, or by `GPL2` and `GPL3` together, not by one of them.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from mirrortui.errors import ConfigError
from mirrortui.naming import display
from mirrortui.selection.license_text import MAX_TEXT, Node, Term, read, spdx_ids, term

# From the least to the most demanding; the order decides the one label of a compound licence.
_PERMISSIVE = ("PUBLIC-DOMAIN", "CC", "MIT", "BSD", "PSF", "APACHE", "OTHER")
_BY_DEMAND = (*_PERMISSIVE, "MOZILLA", "LGPL", "GPL", "AGPL", "PROPRIETARY")
FAMILIES = tuple(sorted(_BY_DEMAND))
UNKNOWN = "unknown"
_GNU = frozenset({"GPL", "LGPL", "AGPL"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a licence text says. `families` holds every family named; `label` is one word for statistics."""

    families: frozenset[str]
    label: str
    known: bool
    """Every part has a family."""


def _nodes(license_text: object, family: object) -> tuple[Node | None, Term | None]:
    """Return the licence, and the family to fall back on; None for what is absent or says nothing."""
    node = read(license_text) if isinstance(license_text, str) and len(license_text) <= MAX_TEXT else None
    given = term(family) if isinstance(family, str) and len(family) <= 40 else None
    given = given if given is not None and given.family else None
    if isinstance(node, Term):
        if node.key == "gpl" and given is not None and given.family == "GPL":
            node = node._replace(versions=given.versions)  # a bare `GPL` of family GPL3
        elif not node.family and given is not None:
            node = node._replace(family=given.family, versions=given.versions)
    return node, given


def _terms(node: Node | None) -> Iterator[Term]:
    if isinstance(node, Term):
        yield node
    elif node is not None:
        for part in node.parts:
            yield from _terms(part)


def _label(node: Node | None) -> str:
    if node is None:
        return ""
    if isinstance(node, Term):
        return node.family
    labels = [label for label in map(_label, node.parts) if label]
    pick = min if node.choice else max
    return pick(labels, key=_BY_DEMAND.index) if labels else ""


def families(license: object, family: object = None) -> Verdict:  # noqa: A002 - the field's own name
    """Classify a record's `license` and `license_family`; never raises, whatever they hold."""
    node, given = _nodes(license, family)
    terms = list(_terms(node)) or ([given] if given is not None else [])
    label = _label(node) or (given.family if given is not None else UNKNOWN)
    named = frozenset(part.family for part in terms if part.family) or frozenset({label} - {UNKNOWN})
    return Verdict(named, label, bool(terms) and all(part.family for part in terms))


def family_of(license: object, family: object = None) -> str:  # noqa: A002 - the field's own name
    """One family for a share statistic: the most demanding of an AND, the least of an OR; else `unknown`."""
    return families(license, family).label


# ---------------------------------------------------------------------------------------------- rules


class _Rules(NamedTuple):
    families: frozenset[str]
    versions: frozenset[tuple[str, int]]
    keys: frozenset[str]


_RULE_ALIASES = {
    "PUBLICDOMAIN": "PUBLIC-DOMAIN",
    "PUBLIC DOMAIN": "PUBLIC-DOMAIN",
    "MPL": "MOZILLA",
    "ASL": "APACHE",
}
_GNU_RULE = re.compile(r"([AL]?GPL)[- ]?V?([123])(?:\.\d)?")


@lru_cache(maxsize=512)
def _rule(word: str) -> str | tuple[str, int] | None:
    """Return a family, (GNU family, major version) or a lower-case SPDX id; None where it means nothing."""
    upper = " ".join(word.upper().replace("_", "-").split())
    upper = _RULE_ALIASES.get(upper, upper)
    if upper in FAMILIES:
        return upper
    if gnu := _GNU_RULE.fullmatch(upper):
        return gnu[1], int(gnu[2])
    if upper.startswith("LICENSEREF-"):
        return upper.casefold()
    key = spdx_ids().get(word.strip().casefold())
    return None if key is None else key.casefold()


@lru_cache(maxsize=64)
def _rules(words: tuple[str, ...]) -> _Rules:
    rules = [rule for rule in map(_rule, words) if rule is not None]
    names = frozenset(rule for rule in rules if isinstance(rule, str))
    versions = frozenset(rule for rule in rules if isinstance(rule, tuple))
    return _Rules(names & frozenset(FAMILIES), versions, names - frozenset(FAMILIES))


def _hit(node: Node | None, rules: _Rules, runtime_exceptions: bool) -> bool | None:
    if node is None:
        return None
    if isinstance(node, Term):
        if runtime_exceptions and node.exempt and node.family in _GNU:
            return False
        if node.family in rules.families or node.key in rules.keys:
            return True
        if node.versions and all((node.family, version) in rules.versions for version in node.versions):
            return True
        return False if node.family else None
    hits = [_hit(part, rules, runtime_exceptions) for part in node.parts]
    decides = not node.choice  # one True decides an AND, one False an OR
    if decides in hits:
        return decides
    return None if None in hits else not decides


def blocked(
    license: object,  # noqa: A002 - the field's own name
    family: object,
    rules: Sequence[str],
    *,
    runtime_exceptions: bool,
) -> bool | None:
    """Tell whether the rule words (see `check_rule`) block a record; None if its licence is too little known.

    `runtime_exceptions` spares GNU licences `WITH` an exception such as GCC-exception-3.1. Never raises.
    """
    node, given = _nodes(license, family)
    compiled = _rules(tuple(rules))
    hit = _hit(node, compiled, runtime_exceptions)
    return _hit(given, compiled, runtime_exceptions) if hit is None else hit


def check_rule(word: str) -> None:
    """Raise `ConfigError` for a rule word that can never match, with the nearest one that can.

    Words: a family, `GPL2`/`GPL3` (also `LGPL3`, `GPL-3`), an SPDX id, `LicenseRef-...`; in any case.
    """
    if _rule(word) is not None:
        return
    shown = f"“{display(word)}” is no licence family and no SPDX id"
    if word.strip().casefold() in ("", "none", "unknown"):
        raise ConfigError(shown, hint='For records without a known licence set unknown_license = "drop"')
    if any(sign in word for sign in "*^?|") or " " in word.strip():
        raise ConfigError(shown, hint="Write one family or id per entry; GPL covers every version of the GPL")
    ids = {name.casefold(): name for name in (*spdx_ids().values(), *FAMILIES, "GPL2", "GPL3")}
    short = [name.casefold() for name in (*FAMILIES, "GPL2", "GPL3")]
    near = difflib.get_close_matches(word.casefold(), short, 1) or difflib.get_close_matches(word.casefold(), ids, 1)
    hint = f"Did you mean {ids[near[0]]}?" if near else f"Families: {', '.join(FAMILIES)}"
    raise ConfigError(shown, hint=hint)
