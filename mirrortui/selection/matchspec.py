"""MatchSpecs evaluated over columns: each part of a spec is asked once per distinct value.

Semantics are conda's (CEP 29). Versions are rattler's; channel, subdir, file name and licence are tested here,
because rattler's `matches` ignores the first three and compares licences exactly, where conda takes
case-blind globs. A test never raises on what a record holds: a value of the wrong type does not match.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mirrortui.naming import display
from mirrortui.selection.pattern import Pattern
from mirrortui.selection.spec_text import BadSpec, Parts, channel_path, split

if TYPE_CHECKING:
    import rattler

__all__ = ["BadSpec", "Pattern", "Spec", "parse"]

_DEFAULTS = frozenset({"pkgs/main", "pkgs/r", "pkgs/msys2"})  # conda's DEFAULT_CHANNELS on any platform
_MAX_VERSION = 500
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_BUILD_NUMBER = re.compile(r"(==|!=|>=|<=|>|<|=|)\s*([0-9]{1,18})")
_HEX = re.compile(r"[0-9a-fA-F]+")
_EXACT_TRAP = re.compile(r"=\s*([^=<>!~|,\s*]+)\s*=\s*(\S+)")
_REGEX = re.compile(r"\^.+\$")
_NO_DIGIT_FIRST = re.compile(r"\*?[A-Za-z_][^=<>!~|,]*")
_BARE = re.compile(r"[^=<>!~|,*^(]+")
_OWN_VERSION = re.compile(r"\s*=*\s*(\^\S*\$|[\w.!+]*\*[\w.!+]+(?:\*[\w.!+]*)*)(?:[\s=]+(\S+))?")


@lru_cache(maxsize=1 << 15)
def _version(text: str) -> "rattler.Version | None":
    import rattler
    from rattler.exceptions import InvalidVersionError

    try:
        return rattler.Version(text)
    except (InvalidVersionError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Spec:
    """One MatchSpec. A field is None where the spec says nothing; `warning` is a trap it may have walked into.

    `version` and `build_number` are texts in rattler's spelling (`>=1.2,<2`, `==0`).
    """

    text: str
    name: Pattern
    version: str | None = None
    build: Pattern | None = None
    build_number: str | None = None
    channel: Pattern | None = None
    subdir: Pattern | None = None
    fn: Pattern | None = None
    license: Pattern | None = None
    license_family: Pattern | None = None
    md5: str | None = None
    sha256: str | None = None
    url: str | None = None
    warning: str = ""

    @property
    def exact_name(self) -> str | None:
        """The one name it can match, in lower case, for a dict lookup; None for a pattern."""
        return self.name.exact

    @property
    def any_name(self) -> bool:
        """Every name matches."""
        return self.name.everything

    @property
    def needs(self) -> frozenset[str]:
        """The row columns to look at; empty when name, channel and subdir decide."""
        columns = ("version", "build", "build_number", "fn", "license", "license_family", "md5", "sha256")
        return frozenset(column for column in columns if getattr(self, column) is not None)

    def names(self, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """One boolean per name of a list of distinct names."""
        if self.any_name:
            return np.ones(len(names), dtype=np.bool_)
        return np.array(self.name.ok_each(names), dtype=np.bool_)

    def version_ok(self, version: object) -> bool:
        """Tell whether a version is allowed; a text that is no version is not, unless any version is."""
        if self.version is None:
            return True
        if not isinstance(version, str) or len(version) > _MAX_VERSION:
            return False
        wanted = _version_spec(self.version)
        if isinstance(wanted, Pattern):
            return wanted.ok(version)
        parsed = _version(version)
        return parsed is not None and wanted.matches(parsed)

    def build_ok(self, build: object) -> bool:
        """Tell whether a build string is allowed."""
        return self.build is None or self.build.ok(build)

    def build_number_ok(self, number: object) -> bool:
        """Tell whether a build number is allowed."""
        if self.build_number is None:
            return True
        match = _BUILD_NUMBER.fullmatch(self.build_number)
        if match is None or not isinstance(number, int) or isinstance(number, bool):
            return False
        return _COMPARE[match[1]](number, int(match[2]))

    def license_ok(self, license: object, family: object = None) -> bool:  # noqa: A002 - the field's own name
        """Tell whether `license` and `license_family` are allowed: case-blind globs over the whole text."""
        return (self.license is None or self.license.ok(license)) and (
            self.license_family is None or self.license_family.ok(family)
        )

    def where_ok(self, channel: object, subdir: object) -> bool:
        """Tell whether a channel of the mirror (`pkgs/main`) and a subdir are meant; asked once per subdir."""
        return (self.subdir is None or self.subdir.ok(subdir)) and self._channel_ok(channel)

    def _channel_ok(self, channel: object) -> bool:
        wanted = self.channel
        if wanted is None:
            return True
        if not isinstance(channel, str):
            return False
        name = channel_path(channel)
        if wanted.text == "defaults":
            return name == "defaults" or name in _DEFAULTS
        if "://" not in wanted.text:
            return wanted.ok(name) or ("://" in channel and _ends_with(name, wanted))
        path = channel_path(wanted.text)
        return path == name or path.endswith(f"/{name}")

    def fn_ok(self, fn: object) -> bool:
        """Tell whether a file name is allowed."""
        return self.fn is None or self.fn.ok(fn)

    def hash_ok(self, md5: object, sha256: object) -> bool:
        """Tell whether the digests (hex) are the ones asked for."""
        pairs = ((self.md5, md5), (self.sha256, sha256))
        return all(want is None or (isinstance(have, str) and have.lower() == want) for want, have in pairs)

    def matches(self, record: object) -> bool:
        """Test one record (a mapping, with `fn`, `channel` and `subdir`) field by field: the reference."""
        if not isinstance(record, Mapping):
            return False
        get = record.get
        return (
            self.name.ok(get("name"))
            and self.version_ok(get("version"))
            and self.build_ok(get("build"))
            and self.build_number_ok(get("build_number"))
            and self.license_ok(get("license"), get("license_family"))
            and self.fn_ok(get("fn"))
            and self.hash_ok(get("md5"), get("sha256"))
            and self.where_ok(get("channel"), get("subdir"))
        )


def _ends_with(path: str, wanted: Pattern) -> bool:
    pieces = path.split("/")
    return any(wanted.ok("/".join(pieces[at:])) for at in range(1, len(pieces)))


# --------------------------------------------------------------------------------------------- parsing


@lru_cache(maxsize=1024)
def _version_spec(text: str) -> "rattler.VersionSpec | Pattern":
    """Compile a version text that `parse` has accepted."""
    if _OWN_VERSION.fullmatch(text):
        return Pattern(text)
    import rattler

    return rattler.VersionSpec(text)


@lru_cache(maxsize=1024)
def parse(text: str) -> Spec:
    """Read a MatchSpec, a package file name or a package URL. Raises `BadSpec` (a `ConfigError`) with the column.

    rattler is imported only when there is a version or a build to read.
    """
    parts = split(text)
    version, build, number = _constraints(parts)
    name_at = parts.columns.get("name") or parts.columns.get("positional name", 1)

    def pattern(key: str) -> Pattern | None:
        value = parts.keys.get(key)
        return None if value is None else Pattern(value, column=parts.columns[key])

    return Spec(
        text=text,
        name=Pattern(parts.name, column=name_at),
        version=None if version == "*" else version,
        build=None if build is None or build.everything else build,
        build_number=number,
        channel=pattern("channel"),
        subdir=pattern("subdir"),
        fn=pattern("fn"),
        license=pattern("license"),
        license_family=pattern("license_family"),
        md5=_digest(parts, "md5", 32),
        sha256=_digest(parts, "sha256", 64),
        url=parts.keys.get("url"),
        warning=_warning(parts),
    )


def _digest(parts: Parts, key: str, length: int) -> str | None:
    value = parts.keys.get(key)
    if value is not None and (len(value) != length or not _HEX.fullmatch(value)):
        raise BadSpec(f"“{display(value)}” is no {key}", column=parts.columns[key], hint=f"It has {length} hex digits")
    return None if value is None else value.lower()


def _constraints(parts: Parts) -> tuple[str | None, Pattern | None, str | None]:
    """Version, build and build number, from the positions or the bracket keys."""
    version, build = _positional(parts)
    given = parts.keys.get("version")
    if given is not None:
        if version is not None:
            raise BadSpec("the version is given twice", column=parts.columns["version"], hint="Keep one of them")
        version, extra = _read_version(f" {given}", parts.columns["version"])
        if extra is not None:
            hint = "Join conditions with a comma; the build has its own key"
            raise BadSpec(f"“{display(given)}” is no version", column=parts.columns["version"], hint=hint)
    at = parts.columns.get("rest", 1) + parts.rest.lstrip().rfind(build or "")
    if "build" in parts.keys:
        if build is not None:
            raise BadSpec("the build is given twice", column=parts.columns["build"], hint="Keep one of them")
        build, at = parts.keys["build"], parts.columns["build"]
    if build is not None and (sign := re.search(r"[\s<>=!~,|^]", build)) and not _REGEX.fullmatch(build):
        hint = "Separate two version conditions with a comma: >1.2,<2"
        if sign[0].isspace():
            hint = "Write name, version and build, nothing more"
        raise BadSpec(f"“{display(build)}” is no build", column=at, hint=hint)
    number = parts.keys.get("build_number")
    if number is not None:
        match = _BUILD_NUMBER.fullmatch(number)
        if match is None:
            hint = 'Write for example build_number=">=2"'
            raise BadSpec(f"“{display(number)}” is no build number", column=parts.columns["build_number"], hint=hint)
        number = f"{match[1] if match[1] not in ('', '=') else '=='}{match[2]}"
    return version, None if build is None else Pattern(build, column=at), number


def _positional(parts: Parts) -> tuple[str | None, str | None]:
    if not parts.rest.strip():
        return None, None
    return _read_version(parts.rest, parts.columns["rest"])


def _read_version(rest: str, column: int) -> tuple[str | None, str | None]:
    """Version and build of what stands behind a name, such as `=1.26`, ` >=1,<2 py*`; rattler knows how."""
    own = _OWN_VERSION.fullmatch(rest)
    if own is not None:  # a regular expression, or a star within: rattler refuses what conda takes
        Pattern(own[1], column=column)
        return own[1], own[2]
    import rattler
    from rattler.exceptions import InvalidMatchSpecError

    try:
        spec = rattler.MatchSpec(f"x{rest}")
    except (InvalidMatchSpecError, ValueError) as error:
        hint = "Write for example =1.26, 1.26.*, >=1.2,<2 or 1.2|1.4"
        raise BadSpec(f"“{display(rest.strip())}” is no version", column=column, hint=hint) from error
    return spec.version, spec.build


def _warning(parts: Parts) -> str:
    rest, name = parts.rest, parts.name
    trap = _EXACT_TRAP.fullmatch(rest.strip())
    if trap is not None:
        wider = f"{name} {trap[1]}.* {trap[2]}"
        return f"“{name}{rest}” means exactly version {trap[1]}; for every {trap[1]}.x write “{wider}”"
    words = rest.split()
    first = words[0] if words and rest[0].isspace() else ""
    if _NO_DIGIT_FIRST.fullmatch(first):
        return f"“{first}” is read as a version; a build comes third: “{name} * {first}”"
    if _BARE.fullmatch(first) and first.count(".") < 2:
        return f"“{name} {first}” means exactly version {first}; for every {first}.x write “{name} {first}.*”"
    return ""
