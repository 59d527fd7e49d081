"""The MatchSpecs of `[prune] never`: they are asked of files whose records may be long gone, by file name and place alone."""

from mirrortui.naming import PACKAGE_SUFFIXES
from mirrortui.selection.matchspec import BadSpec, Spec
from mirrortui.selection.matchspec import parse as parse_any
from mirrortui.selection.spec_text import split

FIELDS = ("name", "version", "build", "channel", "subdir", "fn")
"""What a file name and its folder tell; any other field would match nothing, and the file would be deleted."""

_UNKNOWN = ("build_number", "license", "license_family", "md5", "sha256", "url")


def parse(text: str) -> Spec:
    """Read one entry. Raises `BadSpec` also for a field that no file name tells."""
    spec = parse_any(text)
    for field in _UNKNOWN:
        if getattr(spec, field) is None or (field == "url" and spec.fn is not None):  # a package URL is place and name
            continue
        raise BadSpec(
            f"“{field}” cannot be told from a file name, and is not known of files that have left the metadata",
            column=split(text).columns.get(field, 1),
            hint=f"Fields that can be used here: {', '.join(FIELDS)}",
        )
    return spec


def keeps(spec: Spec, channel: str, subdir: str, fn: str) -> bool:
    """Tell whether an entry names a file."""
    stem = next((fn.removesuffix(s) for s in PACKAGE_SUFFIXES if fn.endswith(s)), fn)
    name, version, build = ([*stem.rsplit("-", 2), "", ""])[:3]
    return spec.matches(
        {"channel": channel, "subdir": subdir, "fn": fn, "name": name, "version": version, "build": build}
    )
