"""Why a record is in or out. One byte a record; the order of the codes is the order of the rules.

    formats → include → exclude → exclude_licenses → always → python → max_size → before / min_age
            → newest_versions → newest_builds → with_dependencies

A record keeps the first reason that throws it out, but “not included” gives way to every later rule:
otherwise a dependency could bring in what a rule forbids. Newest versions and builds are counted among the
wanted records only. `always` brings back what include, exclude and
exclude_licenses threw out, and is immune to every later rule; it does not bring back a second format of
the same build, nor what the channel's own index marks as replaced. A lock file of `environments` pins its
very files: they are in whatever any rule says, and bring no other builds of their dependencies along.
"""

from dataclasses import dataclass
from enum import IntEnum


class Reason(IntEnum):
    """The deciding rule; below 100 the record is in."""

    WANTED = 0
    ALWAYS = 1
    DEPENDENCY = 2
    PINNED = 3
    REPLACED = 100
    FORMAT = 101
    NOT_INCLUDED = 102
    EXCLUDED = 103
    LICENSE = 104
    UNKNOWN_LICENSE = 105
    PYTHON = 106
    MAX_SIZE = 107
    TOO_NEW = 108
    OLDER_VERSION = 109
    OLDER_BUILD = 110


WORDS = {
    Reason.WANTED: "wanted",
    Reason.ALWAYS: "kept by “always”",
    Reason.DEPENDENCY: "needed by a wanted package",
    Reason.PINNED: "named by a lock file of “environments”",
    Reason.REPLACED: "replaced by a later entry of the same name in the index",
    Reason.FORMAT: "dropped by “formats”",
    Reason.NOT_INCLUDED: "not named by “include”",
    Reason.EXCLUDED: "dropped by “exclude”",
    Reason.LICENSE: "dropped by “exclude_licenses”",
    Reason.UNKNOWN_LICENSE: "has no known license, dropped by “unknown_license”",
    Reason.PYTHON: "for another Python than “python” names",
    Reason.MAX_SIZE: "larger than “max_size”",
    Reason.TOO_NEW: "newer than “before” or “min_age” allow",
    Reason.OLDER_VERSION: "older than “newest_versions” keeps",
    Reason.OLDER_BUILD: "older than “newest_builds” keeps",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """A dependency that no kept record satisfies, though the upstream has some that would.

    `reason` is the rule that threw most of its providers out; `packages` the number of names that need it,
    `example` one of them; `mend` the value for the rule `mend_rule` that would bring it back (both empty where none can).
    """

    channel: str
    subdir: str
    spec: str
    name: str
    reason: Reason
    packages: int
    example: str
    mend: str
    mend_rule: str = "always"
