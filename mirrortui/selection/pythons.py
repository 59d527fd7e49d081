"""Which Python versions a record is for, judged by its `python` and `python_abi` dependencies.

Never by build strings: noarch and abi3 builds carry none. A record is for a minor version when some
patch release of it satisfies all of those dependencies together.
"""

import re
from functools import lru_cache

import numpy as np

from mirrortui.catalog.index import Ints, Mask, SubdirIndex
from mirrortui.errors import ConfigError
from mirrortui.selection import matchspec

MINORS = ("2.7", *(f"3.{minor}" for minor in range(4, 16)))
"""Versions that an index is looked through for where no rule names any."""

_EXACT = re.compile(r"\d+\.\d+\.\d+")


def allowed(index: SubdirIndex, minors: tuple[str, ...]) -> Mask:
    """Return the rows that are for one of the minor versions (`3.12`), or for no Python in particular."""
    column, texts = tags(index)
    table = np.array([any(accepted(tag, minor) for minor in minors) for tag in texts], bool)
    mask: Mask = table[column] if index.rows else np.zeros(0, bool)
    return mask


def tags(index: SubdirIndex) -> tuple[Ints, list[str]]:
    """Row -> number of what it says about Python, and those texts, as `accepted` takes them.

    As `index.python` and `index.pythons`, but `python` and `python_abi` are themselves for their own minor version.
    """
    found: tuple[Ints, list[str]] = index.remember("python tags", lambda: _tags(index))
    return found


def _tags(index: SubdirIndex) -> tuple[Ints, list[str]]:
    column, texts = np.array(index.python), list(index.pythons)
    minors: dict[str, int] = {}
    for name in ("python", "python_abi"):
        for row in index.rows_of(name).tolist():
            minor = ".".join(index.versions[int(index.version[row])].split(".")[:2])
            column[row] = minors.setdefault(minor, len(texts) + len(minors))
    return column, [*texts, *(f"python {minor}.*" for minor in minors)]


@lru_cache(maxsize=65536)
def accepted(tag: str, minor: str) -> bool:
    """Tell whether a set of dependencies (a spec a line; "" is none) can be met with that minor version."""
    if not tag:
        return True
    specs = []
    for line in tag.split("\n"):
        try:
            specs.append(matchspec.parse(line))
        except ConfigError:  # what cannot be read forbids nothing
            continue
    pythons = [s for s in specs if s.exact_name == "python"]
    abis = [s for s in specs if s.exact_name == "python_abi"]
    build = f"0_cp{minor.replace('.', '')}"
    abi = {"name": "python_abi", "version": minor, "build": build, "build_number": 0}
    if not all(spec.matches(abi) for spec in abis):
        return False
    # Only a dependency that names a patch release can tell all but the first (3.9.0 is 3.9) apart.
    patches = range(99, -1, -1) if _EXACT.search(tag) else (99, 0)
    return any(
        all(
            spec.matches({"name": "python", "version": f"{minor}.{patch}", "build": "0_cpython", "build_number": 0})
            for spec in pythons
        )
        for patch in patches
    )
