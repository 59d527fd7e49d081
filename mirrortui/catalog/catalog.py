"""All indexes of a mirror that are at hand."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mirrortui.catalog.index import SubdirIndex


@dataclass(frozen=True)
class Catalog:
    """The indexes at hand, by (channel, subdir) in the order of the config, and why others are not."""

    indexes: dict[tuple[str, str], SubdirIndex]
    problems: dict[tuple[str, str], str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[SubdirIndex]:
        return iter(self.indexes.values())

    @property
    def records(self) -> int:
        """Number of records in all."""
        return sum(index.rows for index in self)
