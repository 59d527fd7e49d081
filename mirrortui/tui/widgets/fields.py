"""The keys of mirror.toml that Setup shows as fields: label, hint, and how text becomes a value and back."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def split_words(text: str) -> tuple[str, ...]:
    """Words as on a shell's command line: spaces part them, quotes keep `"numpy >=1.20,<2"` together. Raises `ValueError`."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="")
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return tuple(word.removesuffix(",") for word in lexer if word != ",")
    except ValueError as error:
        raise ValueError("A quotation mark is not closed") from error


def join_words(words: tuple[str, ...]) -> str:
    """The text that `split_words` reads back."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if word and not any(char in " \t'\"" for char in word):
        return word
    return shlex.quote(word) if '"' in word else f'"{word}"'


def _same(text: str) -> str:
    return text.strip()


def _number(text: str) -> int:
    if not text.strip():
        return 0
    if not text.strip().isascii() or not text.strip().isdigit():
        raise ValueError("Write a number; an empty field means all")
    return int(text)


@dataclass(frozen=True, slots=True)
class Field:
    """One key of mirror.toml in the form. `empty` says what an empty field means; `choices` makes it a choice.

    `parse` raises `ValueError` with words for the operator.
    """

    key: str
    label: str
    hint: str
    empty: str = ""
    parse: Callable[[str], Any] = split_words
    write: Callable[[Any], str] = join_words
    choices: tuple[str, ...] = ()


def _text(key: str, label: str, hint: str, empty: str = "") -> Field:
    return Field(key, label, hint, empty, _same, str)


def _choice(key: str, label: str, hint: str, *choices: str) -> Field:
    return Field(key, label, hint, "", _same, str, choices)


def _toggle(key: str, label: str, hint: str) -> Field:
    return Field(key, label, hint, "", lambda text: text == "yes", lambda on: "yes" if on else "no", ("yes", "no"))


def _count(key: str, label: str, empty: str, hint: str) -> Field:
    return Field(key, label, hint, empty, _number, lambda value: str(value) if value else "")


FIELDS = (
    _text("mirror.name", "name", "A short name for this mirror"),
    _text("mirror.root", "root", "The served folder, an absolute path"),
    _text("mirror.url", "url", "How clients reach the root: http://host or file:///path"),
    Field("selection.include", "include", 'MatchSpecs with spaces between them: numpy "scipy >=1.9,<2"', "everything"),
    Field("selection.exclude", "exclude", 'MatchSpecs to leave out: *-nightly "numpy <1.20"', "nothing"),
    Field("selection.always", "always", "MatchSpecs that are kept even when excluded", "nothing"),
    Field(
        "selection.environments",
        "environments",
        "Files of environments to include: environment.yml, conda-lock, pixi.lock, explicit lists",
        "no files",
    ),
    _toggle("selection.with_dependencies", "dependencies", "Bring in what included packages need"),
    _count("selection.newest_versions", "versions", "all versions", "So many newest versions of each name and Python"),
    _count("selection.newest_builds", "builds", "all builds", "So many newest builds of each version"),
    Field("selection.python", "python", "Minor versions: 3.12 3.13", "every version"),
    Field("selection.exclude_licenses", "licenses out", "Families or SPDX ids: GPL AGPL-3.0-only", "none"),
    _toggle(
        "selection.runtime_exceptions", "runtime exc.", "Keep GPL libraries with a runtime exception, such as libgcc"
    ),
    _choice("selection.unknown_license", "lic. unknown", "Packages without a readable license", "keep", "drop"),
    _choice(
        "selection.formats",
        "formats",
        "Where a package exists as .conda and as .tar.bz2",
        *("all", "prefer-conda", "conda", "tar.bz2"),
    ),
    _text("selection.max_size", "max size", "Larger packages are left out: 2 GB", "any size"),
    _text("selection.before", "as of", "The channel as it was at the end of a day: 2025-01-31", "today"),
    _text("selection.min_age", "min age", "Newer packages wait: 7 days", "none"),
)
