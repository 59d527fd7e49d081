"""Why a record is in or out: the rule that decided, and for a dependency the chain that pulled it in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrortui.catalog.index import SubdirIndex
from mirrortui.config import MirrorConfig, Selection
from mirrortui.naming import PACKAGE_SUFFIXES, display
from mirrortui.selection import licenses
from mirrortui.selection.chains import Chains
from mirrortui.selection.decide import Decision
from mirrortui.selection.environments import seeds
from mirrortui.selection.reasons import WORDS, Reason
from mirrortui.selection.rows import rows


@dataclass(frozen=True, slots=True)
class Answer:
    """One record: in or out, the deciding rule in words, the rule's own text if it has one, and the chain.

    `chain` goes from a record that a rule wants down to this one, each as (file name, the dependency it states).
    """

    channel: str
    subdir: str
    fn: str
    kept: bool
    reason: Reason
    words: str
    rule: str = ""
    chain: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The stable form that `explain --json` prints."""
        return {
            "channel": self.channel,
            "subdir": self.subdir,
            "fn": self.fn,
            "in": self.kept,
            "reason": self.reason.name.lower().replace("_", "-"),
            "words": self.words,
            "rule": self.rule,
            "chain": [{"fn": fn, "depends": text} for fn, text in self.chain],
        }


def explain(config: MirrorConfig, decision: Decision, question: str, limit: int = 1000) -> list[Answer]:
    """Answer for every record that a file name or MatchSpec names, newest version first. Raises `ConfigError`."""
    is_file = question.endswith(PACKAGE_SUFFIXES) and "/" not in question and "::" not in question
    chains = Chains(decision)
    out: list[Answer] = []
    for pair, item in decision.selection.subdirs.items():
        index = item.index
        found = _one(index, question) if is_file else np.flatnonzero(rows(question, index))
        ranks = index.version_ranks[index.version[found]] if len(found) else found
        for row in found[np.lexsort((-index.build_number[found], -ranks))].tolist() if len(found) else ():
            if len(out) >= limit:
                return out
            out.append(_answer(config, chains, pair, row))
    return out


def _one(index: SubdirIndex, fn: str) -> Any:
    row = index.row(fn)
    return np.array([] if row is None else [row], np.int64)


def _answer(config: MirrorConfig, chains: Chains, pair: tuple[str, str], row: int) -> Answer:
    item = chains.subdirs[pair]
    index, reason = item.index, Reason(int(item.reasons[row]))
    rules = config.rules(config.channel(pair[0]))
    chain = chains.to((pair, row)) if reason == Reason.DEPENDENCY else ()
    rule = next(_rules(index, rules, reason, row), "")
    return Answer(*pair, index.fn(row), reason < Reason.REPLACED, reason, WORDS[reason], rule, chain)


def _rules(index: SubdirIndex, rules: Selection, reason: Reason, row: int) -> Iterator[str]:
    """The texts of the rules that apply to a row, the deciding one first."""
    lists = {
        Reason.WANTED: (("include", rules.include),),
        Reason.EXCLUDED: (("exclude", rules.exclude),),
        Reason.ALWAYS: (("always", rules.always),),
    }
    if reason in lists:
        for key, texts in lists[reason]:
            for place, text in enumerate(texts):
                if rows(text, index)[row]:
                    yield f"{key}[{place}] = {text}"
    if reason in (Reason.WANTED, Reason.PINNED):
        yield from _environments(index, rules, reason, row)
    elif reason in (Reason.LICENSE, Reason.UNKNOWN_LICENSE):
        text, family = index.licenses[int(index.license[row])]
        for word in rules.exclude_licenses:
            if licenses.blocked(text, family, (word,), runtime_exceptions=rules.runtime_exceptions):
                yield f"exclude_licenses {word}: the record says {display(text or family or 'nothing', 80)}"
        yield f"the record says {display(text or family or 'nothing', 80)}"
    else:
        dates = (("before", rules.before), ("min_age", rules.min_age))
        keys = {
            Reason.FORMAT: f"formats = {rules.formats}",
            Reason.PYTHON: f"python = {', '.join(rules.python)}",
            Reason.MAX_SIZE: f"max_size = {rules.max_size}",
            Reason.TOO_NEW: ", ".join(f"{key} = {text}" for key, text in dates if text),
            Reason.OLDER_VERSION: f"newest_versions = {rules.newest_versions}",
            Reason.OLDER_BUILD: f"newest_builds = {rules.newest_builds}",
        }
        yield keys.get(reason, "")


def _environments(index: SubdirIndex, rules: Selection, reason: Reason, row: int) -> Iterator[str]:
    """The environment files that want a row, or name its very build."""
    for place, path in enumerate(rules.environments):
        seed = seeds((path,))
        texts = seed.specs if reason == Reason.WANTED else seed.builds
        named = reason == Reason.PINNED and any(file.fn == index.fn(row) for file in seed.files)
        if named or any(rows(text, index)[row] for text in texts):
            yield f"environments[{place}] = {display(path)}"
