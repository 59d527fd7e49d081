"""Which tables of a repodata.json hold records, and what their keys lack to be file names (CEP 36, CEP 48).

`v3` holds a table for each extension, whose keys lack it. The files of other tables than these are not fetched, so that
their records must not be published: wheels, whatever comes with a revision later than 3.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

SUFFIXES = {"packages": "", "packages.conda": "", "v3/conda": ".conda", "v3/tar.bz2": ".tar.bz2"}
"""Section, as `catalog.body` names it -> what its keys lack to be file names."""

_LATER = re.compile(r"v(?:[4-9]|[1-9][0-9]+)")


def file_names(section: str, keys: Iterable[str]) -> list[str]:
    """The file names of some keys of a section that is one of `SUFFIXES`."""
    suffix = SUFFIXES[section]
    return [key + suffix for key in keys] if suffix else list(keys)


def later(key: str) -> bool:
    """Whether a top-level key is that of a revision which this program does not know."""
    return _LATER.fullmatch(key) is not None


def unknown(others: Mapping[str, bytes]) -> dict[str, int]:
    """The number of records in revisions that this program does not know, for each that has any."""
    found = {}
    for key, raw in others.items():
        value = msgspec.json.decode(raw) if later(key) else None
        if isinstance(value, dict) and (
            count := sum(len(table) for table in value.values() if isinstance(table, dict))
        ):
            found[key] = count
    return found
