"""Seeds from files that people have: environment.yml, explicit lists, conda-lock and pixi.lock.

A file that asks (environment.yml) gives MatchSpecs, which are closed over dependencies. A file that names exact
builds, by URL or as `name=version=build` throughout (`conda list --export`), gives those very builds.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mirrortui import naming
from mirrortui.errors import ConfigError, MirrorError
from mirrortui.selection import matchspec

MAX_BYTES = 64 << 20

_EXPORT = re.compile(r"([A-Za-z0-9_.-]+)==?([^=\s,|<>~*]+)=([^=\s*^]+)")


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file that a lock names: its URL's last two parts and what comes before, and its hash in hex if it says one."""

    channel: str
    subdir: str
    fn: str
    sha256: str = ""
    md5: str = ""

    def is_of(self, channel: str) -> bool:
        """Whether the URL is one of a channel's, on whatever host."""
        return self.channel == channel or self.channel.endswith(f"/{channel}")

    def agrees(self, sha256: str, md5: str) -> bool:
        """Whether a record's hashes (hex, or "") are the lock's, as far as both have one of the same kind."""
        pairs = ((self.sha256, sha256), (self.md5, md5))
        return all(not said or not has or said.lower() == has for said, has in pairs)


@dataclass(frozen=True, slots=True)
class Seeds:
    """What environment files ask for: `specs` with their dependencies, `builds` (MatchSpecs too) and `files` alone."""

    specs: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    files: tuple[LockedFile, ...] = ()


def seeds(paths: tuple[str, ...]) -> Seeds:
    """Read environment files; raises `ConfigError` naming the file (and the line) that cannot be read."""
    found = [_read(path, *_stamp(path)) for path in paths]
    return Seeds(
        tuple(dict.fromkeys(spec for seed in found for spec in seed.specs)),
        tuple(dict.fromkeys(spec for seed in found for spec in seed.builds)),
        tuple(dict.fromkeys(file for seed in found for file in seed.files)),
    )


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError as error:
        raise ConfigError(
            f"environment file cannot be read: {error.strerror}",
            where=naming.display(path),
            hint="Check “environments”",
        ) from error
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _read(path: str, _mtime: int, size: int) -> Seeds:
    where = naming.display(path)
    if size > MAX_BYTES:
        raise ConfigError("environment file is larger than 64 MB", where=where)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"environment file cannot be read: {error}", where=where) from error
    try:
        return _parse(path, text)
    except ConfigError as error:
        raise ConfigError(
            error.what, where=f"{where}, {error.where}" if error.where else where, hint=error.hint
        ) from error


def _parse(path: str, text: str) -> Seeds:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if "@EXPLICIT" in lines:  # whatever the file is called: conda-lock renders conda-linux-64.lock
        return Seeds(files=tuple(_locked(line) for line in lines if line != "@EXPLICIT"))
    return _yaml(text) if path.endswith((".yml", ".yaml", ".lock")) else _asked(lines)


def _yaml(text: str) -> Seeds:
    from ruamel.yaml import YAML

    try:
        data = YAML(typ="safe").load(text)
    except Exception as error:  # ruamel lets ValueError, KeyError, RecursionError through as well as its own
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or type(error).__name__
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"environment file is not valid YAML: {naming.display(problem)}{line}") from error
    if not isinstance(data, dict):
        raise ConfigError(
            "environment file holds no environment", hint="Use an environment.yml, a lock or an explicit list"
        )
    if isinstance(data.get("dependencies"), list):
        return _asked(data["dependencies"])
    packages = data.get("package", data.get("packages"))
    if isinstance(packages, list):
        return Seeds(files=tuple(_from_lock(packages)))
    raise ConfigError("environment file holds neither dependencies nor packages")


def _asked(dependencies: list[Any]) -> Seeds:
    """MatchSpecs; tables (`pip:`) are other installers' business.

    Where every one of them names its exact build, as `conda list --export` and `conda env export` write them, the
    list is complete: those builds are wanted and no others.
    """
    specs, builds = [], []
    for text in dependencies:
        if isinstance(text, str):
            try:
                matchspec.parse(text)
            except ConfigError as error:
                raise ConfigError(
                    f"“{naming.display(text)}”: {error.what}", where=error.where, hint=error.hint
                ) from error
            specs.append(text)
            channel, _, plain = text.rpartition("::")
            if exact := _EXPORT.fullmatch(plain.strip()):
                builds.append(f"{channel}{'::' if channel else ''}{exact[1]}=={exact[2]}={exact[3]}")
    return Seeds(builds=tuple(builds)) if len(builds) == len(specs) else Seeds(specs=tuple(specs))


def _from_lock(packages: list[Any]) -> Iterator[LockedFile]:
    """conda-lock (`manager: conda`, `url`, `hash`) and pixi.lock (`conda: URL`, `sha256`, `md5`)."""
    for item in packages:
        if not isinstance(item, Mapping) or item.get("manager", "conda") != "conda":
            continue
        url = item.get("conda") or item.get("url")
        hashes = item.get("hash") if isinstance(item.get("hash"), Mapping) else item
        if (
            isinstance(url, str)
            and url.partition("#")[0].endswith(naming.PACKAGE_SUFFIXES)
            and isinstance(hashes, Mapping)
        ):
            yield _locked(url, str(hashes.get("sha256") or ""), str(hashes.get("md5") or ""))


def _locked(url: str, sha256: str = "", md5: str = "") -> LockedFile:
    """Take a package URL apart; the part behind `#` is its md5, or `sha256:` and its sha256."""
    plain, _, digest = url.partition("#")
    if digest.startswith("sha256:") or len(digest) == 64:
        sha256 = digest.removeprefix("sha256:")
    elif digest:
        md5 = digest
    try:
        parts = unquote(urlsplit(plain).path).strip("/").split("/")
        if len(parts) < 3:
            raise ConfigError("names no channel, subdir and file")
        return LockedFile("/".join(parts[:-2]), naming.subdir(parts[-2]), naming.file_name(parts[-1]), sha256, md5)
    except (MirrorError, ValueError) as error:
        why = error.what if isinstance(error, MirrorError) else str(error)
        raise ConfigError(f"“{naming.display(url)}” is no package URL: {naming.display(why)}") from error
