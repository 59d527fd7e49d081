"""Whether the texts of the rules can be read at all, with the key each stands under."""

from collections.abc import Callable, Iterator

from mirrortui.config import MirrorConfig
from mirrortui.errors import ConfigError, MirrorError
from mirrortui.selection import licenses, matchspec, never
from mirrortui.selection.environments import seeds


def problems(config: MirrorConfig) -> dict[str, str]:
    """Key (`selection.exclude[1]`, `channels[0].selection.include[0]`, ...) -> what is wrong with its text, and a hint."""
    return {key: str(error) for key, _, error in wrong(config)}


def require(config: MirrorConfig, where: str) -> None:
    """Raise `ConfigError` with file and key for the first rule that cannot be read."""
    for key, _, error in wrong(config):
        column = getattr(error, "column", 0)
        place = f"{key}, column {column}" if column else key
        raise ConfigError(f"{place}: {error.what}", where=where, hint=error.hint) from error


def warnings(config: MirrorConfig) -> dict[str, str]:
    """Key -> a trap that a MatchSpec may have walked into (`numpy=1.26=py311*` means exactly 1.26)."""
    out = {}
    for key, text, _ in _texts(config):
        try:
            warning = matchspec.parse(text).warning if key.rpartition("[")[0].endswith(_SPECS) else ""
        except ConfigError:
            continue
        if warning:
            out[key] = warning
    return out


_SPECS = ("include", "exclude", "always", "never")


def wrong(config: MirrorConfig) -> Iterator[tuple[str, str, MirrorError]]:
    """Key, text and error of every text that cannot be read; a `BadSpec` knows the column."""
    for key, text, read in _texts(config):
        try:
            read(text)
        except MirrorError as error:
            yield key, text, error


def _texts(config: MirrorConfig) -> Iterator[tuple[str, str, Callable[[str], object]]]:
    """Every text that a rule holds, with its key and what reads it."""
    scopes = [("selection", config.selection)]
    scopes += [(f"channels[{n}].selection", config.rules(c)) for n, c in enumerate(config.channels) if c.selection]
    for scope, rules in scopes:
        for key in _SPECS[:3]:
            yield from ((f"{scope}.{key}[{n}]", text, matchspec.parse) for n, text in enumerate(getattr(rules, key)))
        for n, word in enumerate(rules.exclude_licenses):
            yield f"{scope}.exclude_licenses[{n}]", word, licenses.check_rule
        for n, path in enumerate(rules.environments):
            yield f"{scope}.environments[{n}]", path, lambda text: seeds((text,))
    for n, text in enumerate(config.prune.never):
        yield f"prune.never[{n}]", text, never.parse
    for n, text in enumerate(config.check.solve):
        yield f"check.solve[{n}]", text, lambda words: [matchspec.parse(word) for word in words.split()]
