"""The values of one field of many records at once: texts to numbers, hashes to bytes, numbers within bounds."""

import binascii
from array import array
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

MAX_STAMP = (
    253402300799  # the last second of the year 9999: larger values are milliseconds (as conda and rattler read them)
)

Numbers = npt.NDArray[np.int64]


class Table:
    """Texts seen so far, in order of first appearance."""

    def __init__(self, *first: Any) -> None:
        self.ids: dict[Any, int] = {text: index for index, text in enumerate(first)}

    def all(self, *columns: list[Any]) -> list[int]:
        """Return the numbers of texts, or of rows of texts; the usual case, that all were seen before, is one pass at C speed."""
        try:
            return list(map(self.ids.__getitem__, _rows(columns)))
        except KeyError:
            for text in _rows(columns):
                self.ids.setdefault(text, len(self.ids))
            return list(map(self.ids.__getitem__, _rows(columns)))


def _rows(columns: tuple[list[Any], ...]) -> Iterable[Any]:
    return columns[0] if len(columns) == 1 else zip(*columns, strict=True)


def unhex_all(raws: list[msgspec.Raw], length: int) -> bytes | None:
    """All the digests in bytes, or None if one of them is not a JSON text of `length` hexadecimal digits."""
    data, step = b"".join(raws), length + 2
    if len(data) != step * len(raws) or data[::step].strip(b'"') or data[step - 1 :: step].strip(b'"'):
        return None
    try:
        found = binascii.unhexlify(data.translate(None, b'"'))
    except binascii.Error:
        return None
    return found if 2 * len(found) == length * len(raws) else None


def unhex(raw: msgspec.Raw, length: int) -> bytes | None:
    """One digest, however it is spelt; None for anything else."""
    try:
        text = msgspec.json.decode(raw, type=str)
        return binascii.unhexlify(text) if len(text) == length else None
    except (msgspec.DecodeError, ValueError):  # UnicodeError and binascii.Error are among the latter
        return None


def version_ranks(versions: list[str]) -> npt.NDArray[np.int32]:
    """Each version's place in conda's order (equal versions share one); -1 where the text is none."""
    from rattler import Version

    keyed: list[tuple[Any, int]] = []
    ranks = np.full(len(versions), -1, "<i4")
    for index, text in enumerate(versions):
        try:
            keyed.append((Version(text), index))
        except Exception:  # noqa: BLE001, S112 - rattler has no common base for its parse errors
            continue
    # The object inside a Version compares in a quarter of the time.
    keyed.sort(key=lambda pair: getattr(pair[0], "_version", pair[0]))
    rank, last = -1, None
    for version, index in keyed:
        if last is None or version != last:
            rank, last = rank + 1, version
        ranks[index] = rank
    return ranks


def bounded(values: list[int | None], high: int, *, missing: int = -1) -> Numbers:
    """Whole numbers from 0 to `high`; `missing` in place of any other and of None."""
    try:
        found = np.frombuffer(array("q", values), np.int64)  # type: ignore[type-var]  # None is why it may raise
    except (TypeError, OverflowError):
        found = np.array([missing if n is None or not -1 < n <= high else n for n in values], np.int64)
    return np.where((found < 0) | (found > high), missing, found)


def milliseconds(stamps: list[int | None]) -> Numbers:
    """Old records carry seconds, newer ones milliseconds (conda: models/records.py, TimestampField); -1 is unknown."""
    found = bounded(stamps, MAX_STAMP * 1000)
    found[found == 0] = -1
    return np.where((found > 0) & (found <= MAX_STAMP), found * 1000, found)
