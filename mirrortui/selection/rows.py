"""A MatchSpec over columns: which rows of an index it names.

Texts are looked at once per distinct value (30,000 names, not a million rows); only a spec that asks for a
build, a file name or a hash touches single rows, and then only those its name and version have left.
"""

import numpy as np

from mirrortui.catalog.index import Ints, Mask, SubdirIndex
from mirrortui.selection.matchspec import Spec, parse


def rows(text: str, index: SubdirIndex) -> Mask:
    """Return the rows of an index that a MatchSpec matches (remembered: do not change it). Raises `ConfigError`."""
    spec = parse(text)
    mask = index.remember(("rows", text), lambda: match(spec, index))
    mask.flags.writeable = False
    return mask


def match(spec: Spec, index: SubdirIndex) -> Mask:
    """Return the rows of an index that a parsed MatchSpec matches."""
    none = np.zeros(index.rows, bool)
    if not index.rows or not spec.where_ok(index.channel, index.subdir):
        return none
    mask = _named(spec, index)
    if "version" in spec.needs:
        table = _table(index.version, mask, index.versions, spec.version_ok)
        mask &= table[index.version]
    if "license" in spec.needs or "license_family" in spec.needs:
        table = _table(index.license, mask, index.licenses, lambda pair: spec.license_ok(*pair))
        mask &= table[index.license]
    if "build_number" in spec.needs:
        numbers = np.unique(index.build_number[mask])
        good = [n for n in numbers.tolist() if spec.build_number_ok(n)]
        mask &= np.isin(index.build_number, good)
    if not spec.needs.isdisjoint(("build", "fn", "sha256", "md5")):
        mask &= _row_by_row(spec, index, mask)
    return mask


def _named(spec: Spec, index: SubdirIndex) -> Mask:
    if spec.any_name:
        return np.ones(index.rows, bool)
    if spec.exact_name is not None:
        place = index.name_places.get(spec.exact_name)
        return np.zeros(index.rows, bool) if place is None else np.equal(index.name, place)
    table: Mask = spec.names(index.names)
    return table[index.name]


def _table(column: Ints, mask: Mask, values: list, accept) -> Mask:  # type: ignore[no-untyped-def,type-arg]  # any value
    """Ask `accept` once for each distinct value that the mask has left."""
    table = np.zeros(len(values), bool)
    for place in np.unique(column[mask]).tolist():
        table[place] = accept(values[place])
    return table


def _row_by_row(spec: Spec, index: SubdirIndex, mask: Mask) -> Mask:
    if spec.build is not None:
        chosen = np.flatnonzero(mask)
        mask = np.zeros(index.rows, bool)
        mask[chosen] = spec.build.ok_each(index.builds(chosen))
    if spec.needs.isdisjoint(("fn", "sha256", "md5")):
        return mask
    out = np.zeros(index.rows, bool)
    for row in np.flatnonzero(mask).tolist():
        if "fn" in spec.needs and not spec.fn_ok(index.fn(row)):
            continue
        if spec.sha256 and spec.sha256.lower() != index.sha256[row].tobytes().hex():
            continue
        if spec.md5 and spec.md5.lower() != index.md5[row].tobytes().hex():
            continue
        out[row] = True
    return out
