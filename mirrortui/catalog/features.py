"""Which records have features or ask for one (CEP 34: `features`, `track_features`); read from the body when it is asked for."""

import re

import msgspec
import numpy as np

from mirrortui.catalog.index import Mask, SubdirIndex
from mirrortui.catalog.walk import walk

# A value that is more than "", [] or null: few blocks have one.
_ANY = re.compile(rb'features"\s*:\s*[\["{]\s*[^\]"}\s]')


class _Record(msgspec.Struct, gc=False):
    features: object = None
    track_features: object = None


def featured(index: SubdirIndex) -> Mask:
    """The rows that have features or ask for one. Raises `BadRepodata`."""
    found: Mask = index.remember("featured", lambda: _read(index))
    return found


def _read(index: SubdirIndex) -> Mask:
    out = np.zeros(index.rows, bool)
    for block in walk(index, msgspec.json.Decoder(dict[str, msgspec.Raw]).decode):
        if _ANY.search(block.data):
            out[block.rows] = [_has_some(raw) for raw in block.values]
    return out


def _has_some(raw: object) -> bool:
    assert isinstance(raw, msgspec.Raw)
    if not _ANY.search(bytes(raw)):
        return False
    try:
        record = msgspec.json.decode(raw, type=_Record)
    except (msgspec.ValidationError, UnicodeError):  # a number beyond any measure
        return False
    return bool(record.features or record.track_features)
