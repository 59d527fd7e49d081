"""The text of a MatchSpec taken apart: channel, name, version and build, bracket keys, each with its column.

Grammar: CEP 29, `[channel[/subdir]::]name[ version[ build]][key=value,...]`, a package file name, or a
package URL. What stands here is only the outer form; versions are read by rattler (`matchspec.py`).
"""

import difflib
import re
from dataclasses import dataclass, field

from mirrortui.errors import ConfigError
from mirrortui.naming import KNOWN_SUBDIRS, PACKAGE_SUFFIXES, display, file_url_path, mask

MAX_SPEC = 1000

KEYS: tuple[str, ...] = ("build", "build_number", "channel", "fn", "license", "license_family", "md5", "name", "sha256")
KEYS += ("subdir", "url", "version")
_INSTEAD = {
    "noarch": "Write subdir=noarch",
    "timestamp": "Use “before” or “min_age”",
    "indexed_timestamp": "Use “before” or “min_age”",
    "size": "Use “max_size”",
    "file_name": "Write fn=",
}
_UNTESTABLE = ("condition", "extras", "features", "flags", "namespace", "optional", "target", "track_features", "when")

_NAME = re.compile(r"\^[^$]*\$|[A-Za-z0-9_.*+-]+")
_REST = re.compile(r"[\s=<>!~@\[]|$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=\s*")
_VALUE = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,\]"']*))\s*""")
_SUBDIR = re.compile(r"(?:linux|osx|win|freebsd|emscripten|wasi|zos)-[a-z0-9_*]+|noarch")


class BadSpec(ConfigError):
    """A MatchSpec that cannot be read; `column` counts from 1."""

    def __init__(self, what: str, *, column: int, hint: str = "") -> None:
        super().__init__(what, where=f"column {column}", hint=hint)
        self.column = column


@dataclass(slots=True)
class Parts:
    """The pieces of one spec. `rest` is the text of version and build, `columns` tells where each key stands."""

    name: str = ""
    rest: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)

    def put(self, key: str, value: str, at: int) -> None:
        """Keep a value; `at` is its offset in the text."""
        if key in self.keys:
            raise BadSpec(f"“{key}” is given twice", column=at + 1, hint="Keep one of them")
        self.keys[key] = value
        self.columns[key] = at + 1


def split(text: str) -> Parts:
    """Take a spec apart. Raises `BadSpec`."""
    if len(text) > MAX_SPEC:
        raise BadSpec("this is too long for a MatchSpec", column=MAX_SPEC, hint="Write one package per entry")
    for at, char in enumerate(text):
        if not char.isprintable():
            raise BadSpec(f"“{display(char)}” cannot stand in a MatchSpec", column=at + 1)
    begin = len(text) - len(text.lstrip())
    body = text.rstrip()
    if begin == len(text):
        raise BadSpec("the entry is empty", column=1, hint="Write a package name, or * for every package")
    parts = Parts()
    if _is_file(body):
        _split_file(body[begin:], begin, parts)
        return parts
    if body.find("#") >= 0 and "^" not in body:
        raise BadSpec("“#” begins a comment", column=body.index("#") + 1, hint="Remove it and what follows")
    begin = _split_channel(body, begin, parts)
    begin = _split_name(body, begin, parts)
    bracket = body.find("[", begin)
    parts.rest = body[begin:] if bracket < 0 else body[begin:bracket]
    parts.columns["rest"] = begin + 1 + len(parts.rest) - len(parts.rest.lstrip())
    parts.rest = parts.rest.rstrip()
    if bracket >= 0:
        _split_keys(body, bracket, parts)
    if "name" in parts.keys:
        if parts.name not in ("", "*"):
            raise BadSpec("the name is given twice", column=parts.columns["name"], hint="Keep one of them")
        parts.name = parts.keys["name"]
    if not parts.name:
        raise BadSpec("the package name is missing", column=begin + 1, hint="Write * for every package")
    return parts


def _is_file(body: str) -> bool:
    link = body.partition("#")[0]
    return link.endswith(PACKAGE_SUFFIXES) and "[" not in link and "::" not in link and " " not in link.strip()


def _split_file(body: str, begin: int, parts: Parts) -> None:
    """Read a package file name or URL, perhaps with `#md5` or `#sha256:...` as lock files write it."""
    link, _, digest = body.partition("#")
    folder, _, file = link.rpartition("/")
    parts.put("fn", file, begin)
    pieces = file.removesuffix(".conda").removesuffix(".tar.bz2").rsplit("-", 2)
    parts.name = pieces[0] if len(pieces) == 3 else "*"
    if folder:
        base, _, last = folder.rpartition("/")
        channel = base if _SUBDIR.fullmatch(last) else folder
        parts.put("url", link, begin)
        parts.put("channel", channel, begin)
        if channel is base:
            parts.put("subdir", last, begin)
    if digest:
        kind = "sha256" if digest.startswith("sha256:") or len(digest) == 64 else "md5"
        parts.put(kind, digest.removeprefix("sha256:"), begin + len(link) + 1)


def _split_channel(body: str, begin: int, parts: Parts) -> int:
    end = body.partition("[")[0].rfind("::")
    if end < 0:
        return begin
    channel = body[begin:end].strip().rstrip("/")
    if not channel:
        raise BadSpec("the channel before “::” is missing", column=begin + 1)
    if wrong := re.search(r"[\s<>=!,|]", channel):
        column = begin + wrong.start() + 1
        raise BadSpec(f"“{wrong[0]}” cannot be part of a channel", column=column, hint="Write channel::name >=1")
    base, _, last = channel.rpartition("/")
    if base and (last in KNOWN_SUBDIRS or _SUBDIR.fullmatch(last)):
        parts.put("subdir", last, end - len(last))
        channel = base
    parts.put("channel", channel, begin)
    return end + 2


def _split_name(body: str, begin: int, parts: Parts) -> int:
    while begin < len(body) and body[begin] == " ":
        begin += 1
    match = _NAME.match(body, begin)
    end = match.end() if match else begin
    wrong = body[end : end + 1]
    if not _REST.match(wrong) and not (wrong == "(" and match):
        hint = "A name has letters, digits, “-”, “_” and “.”; * stands for anything, ^...$ is a regular expression"
        if wrong in "|,":
            hint = "Write one package per entry"
        if wrong == ":":
            hint = "Write the channel as channel::name"
        raise BadSpec(f"“{display(wrong)}” cannot be part of a package name", column=end + 1, hint=hint)
    parts.name = match[0] if match else ""
    parts.columns["positional name"] = begin + 1
    return end


def _split_keys(body: str, bracket: int, parts: Parts) -> None:
    at = bracket + 1
    while True:
        key = _KEY.match(body, at)
        if key is None:
            closed = "]" in body[at:]
            where = len(body[:at] + body[at:].replace(body[at:].lstrip(), "", 1)) if closed else bracket
            what = "a key=value is missing here" if closed else "“[” is never closed"
            raise BadSpec(what, column=where + 1, hint="Write for example [build=py311*]")
        name = key[1].lower()
        if name not in KEYS:
            raise _unknown_key(key[1], key.start(1) + 1)
        value = _VALUE.match(body, key.end())
        assert value is not None  # every part of the expression may be empty
        text = next((group for group in value.groups() if group is not None), "").strip()
        if not text:
            raise BadSpec(f"“{name}” has no value", column=key.end() + 1)
        parts.put(name, text, value.start() if value[3] is not None else value.start() + 1)
        at = value.end()
        sign = body[at : at + 1]
        if sign == "]":
            break
        if sign != ",":
            what = f"“{display(sign)}” is not expected here" if sign else "“[” is never closed"
            raise BadSpec(what, column=(at if sign else bracket) + 1, hint='Quote a value that holds , ] or "')
        at += 1
    if body[at + 1 :].strip():
        raise BadSpec("nothing may follow “]”", column=at + 2, hint="Put version and build before the bracket")


def _unknown_key(key: str, column: int) -> BadSpec:
    name = key.lower()
    if name in _INSTEAD:
        hint = _INSTEAD[name]
    elif name in _UNTESTABLE:
        hint = "A mirror cannot tell packages apart by it"
    else:
        near = difflib.get_close_matches(name, KEYS, 1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"Keys: {', '.join(KEYS)}"
    return BadSpec(f"unknown key “{display(key)}”", column=column, hint=hint)


def channel_path(channel: str) -> str:
    """Return what of a channel is compared with a channel's name: the path of a URL, else the text itself."""
    if "://" not in channel:
        return channel.strip("/")
    without_token = mask(channel).replace("/t/***", "")
    return str(file_url_path(without_token)).strip("/")
