"""A small conda upstream made on the spot, so that the whole of a mirror's work runs offline.

Real packages, made of invented contents (recipes.py): clients solve and install them. Names, versions, metadata
and payloads are the same each time; the bytes of a `.conda` are not, since the zip holds the time it was made,
so hashes are those of the files and never constants.
"""

import datetime as dt
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrortui.demo.recipes import CHANNELS, INSTALL_SPECS, INSTALLED_NAMES, Recipe
from mirrortui.errors import TargetError

_FIRST = int(dt.datetime(2023, 9, 1, tzinfo=dt.UTC).timestamp() * 1000)
_LAST = int(dt.datetime(2026, 9, 1, tzinfo=dt.UTC).timestamp() * 1000)
_LEAST, _MEDIAN, _MOST, _SPREAD = 5_000, 50_000, 700_000, 1.1  # payload bytes: log-normal, as in real channels
_PLATFORMS = {"linux-64": ("linux", "x86_64"), "osx-arm64": ("osx", "arm64"), "win-64": ("win", "x86_64")}
_VIRTUAL = {"linux-64": ("__glibc >=2.17",), "osx-arm64": ("__osx >=11.0",)}


@dataclass(frozen=True, slots=True)
class DemoUpstream:
    """What was made: `packages` counts files, `bytes` adds up their sizes.

    `channels` maps each channel's name, which is its path below `folder`, to its subdirs. Installing
    `install_specs` from conda-forge alone brings exactly the packages `expected_names`.
    """

    folder: Path
    channels: dict[str, tuple[str, ...]]
    packages: int
    bytes: int
    install_specs: tuple[str, ...]
    expected_names: tuple[str, ...]

    def url(self, channel: str) -> str:
        """Return the channel's file URL."""
        return f"{self.folder.as_uri()}/{channel}"


@dataclass(frozen=True, slots=True)
class _Build:
    """One build of one recipe: its index.json (without what depends on the file), and its contents."""

    index: dict[str, Any]
    members: dict[str, tuple[bytes, int]]  # path -> (content, mode), info/ included

    @property
    def stem(self) -> str:
        return f"{self.index['name']}-{self.index['version']}-{self.index['build']}"


def build(folder: Path) -> DemoUpstream:
    """Write the channels below a folder that is empty or not there yet. Raises `TargetError`."""
    folder = folder.resolve()
    channels: dict[str, tuple[str, ...]] = {}
    packages = size = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise TargetError("the folder is not empty", where=str(folder), hint="Name a new one for the demo")
        for channel, recipes in CHANNELS.items():
            subdirs = dict.fromkeys(subdir for recipe in recipes for subdir in recipe.subdirs)
            channels[channel] = tuple(sorted(subdirs, key=lambda name: (name == "noarch", name)))
            for subdir in channels[channel]:
                records = _write_subdir(folder / channel / subdir, channel, subdir, recipes)
                packages += len(records)
                size += sum(record["size"] for record in records.values())
    except OSError as error:
        raise TargetError(f"cannot be written: {error.strerror}", where=str(folder)) from error
    return DemoUpstream(folder, channels, packages, size, INSTALL_SPECS, INSTALLED_NAMES)


def _write_subdir(folder: Path, channel: str, subdir: str, recipes: tuple[Recipe, ...]) -> dict[str, dict[str, Any]]:
    """Write the packages, then repodata.json and its .zst; return the records by file name."""
    import zstandard

    folder.mkdir(parents=True)
    records: dict[str, dict[str, Any]] = {}
    for recipe in recipes:
        if subdir in recipe.subdirs:
            for made in _builds(channel, subdir, recipe):
                records |= _write_build(folder, made, recipe.formats)
    repodata = {
        "info": {"subdir": subdir},
        "packages": {fn: record for fn, record in records.items() if fn.endswith(".tar.bz2")},
        "packages.conda": {fn: record for fn, record in records.items() if fn.endswith(".conda")},
        "removed": [],
        "repodata_version": 1,
    }
    text = json.dumps(repodata, indent=2, sort_keys=True).encode()
    _replace(folder / "repodata.json.zst", zstandard.ZstdCompressor(level=3).compress(text))
    _replace(folder / "repodata.json", text)
    return records


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(data)
    temporary.replace(path)


# ---------------------------------------------------------------------------------------------- contents


def _builds(channel: str, subdir: str, recipe: Recipe) -> Iterator[_Build]:
    """Yield the builds of a recipe, oldest first; the newest version comes last and with every build number."""
    for age, version in enumerate(recipe.versions):
        numbers = recipe.builds if version == recipe.versions[-1] else 1
        for number in range(numbers):
            seed = f"{channel}/{subdir}/{recipe.name}-{version}-{number}"
            chance = random.Random(seed)  # noqa: S311 - contents that look compressed, the same each time
            share = (age + (number + chance.random()) / numbers) / len(recipe.versions)
            index = _index(recipe, version, subdir, number, _FIRST + int(share * (_LAST - _FIRST)))
            median = chance.lognormvariate(0, _SPREAD) * _MEDIAN
            payload = chance.randbytes(int(min(max(median, _LEAST), _MOST)))
            yield _Build(index, _members(recipe, index, channel, payload))


def _index(recipe: Recipe, version: str, subdir: str, number: int, timestamp: int) -> dict[str, Any]:
    depends = sorted([*(spec.format(version=version) for spec in recipe.depends), *_VIRTUAL.get(subdir, ())])
    digest = hashlib.sha256("\n".join((recipe.name, version, subdir, str(number), *depends)).encode()).hexdigest()
    index: dict[str, Any] = {
        "name": recipe.name,
        "version": version,
        "build": f"h{digest[:7]}_{number}",
        "build_number": number,
        "depends": depends,
        "constrains": [],
        "subdir": subdir,
        "timestamp": timestamp,
    }
    if subdir == "noarch":
        index |= {"noarch": "generic", "arch": None, "platform": None}
    else:
        index |= dict(zip(("platform", "arch"), _PLATFORMS[subdir], strict=True))
    if recipe.license[0]:
        index |= {"license": recipe.license[0], "license_family": recipe.license[1]}
    return index


def _members(recipe: Recipe, index: dict[str, Any], channel: str, payload: bytes) -> dict[str, tuple[bytes, int]]:
    windows = index["subdir"] == "win-64"
    share = f"{'Library/' if windows else ''}share/{recipe.name}"
    about = {
        "summary": recipe.summary,
        "description": "Invented for the demo of mirrortui. It is no real software.",
        "license": index.get("license"),
        "channels": [channel],
    }
    files = {
        f"{share}/README.txt": (f"{recipe.name}: {about['description']}\n".encode(), 0o644),
        f"{share}/payload.bin": (payload, 0o644),
    }
    if recipe.program:
        line = f"{recipe.name} {index['version']} from the demo channel {channel}"
        if windows:
            files[f"Scripts/{recipe.name}.bat"] = (f"@echo {line}\r\n".encode(), 0o644)
        else:
            files[f"bin/{recipe.name}"] = (f'#!/bin/sh\necho "{line}"\n'.encode(), 0o755)
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_in_bytes": len(content),
        }
        for path, (content, _) in sorted(files.items())
    ]
    info = {
        "info/about.json": _json(about),
        "info/files": "".join(f"{path}\n" for path in sorted(files)).encode(),
        "info/index.json": _json(index),
        "info/paths.json": _json({"paths": paths, "paths_version": 1}),
    }
    return {path: (content, 0o644) for path, content in info.items()} | files


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode()


# ---------------------------------------------------------------------------------------------- archives


def _write_build(folder: Path, made: _Build, formats: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Write a build in its formats; return its records by file name, twins knowing of each other."""
    from conda_package_streaming.create import conda_builder

    records: dict[str, dict[str, Any]] = {}
    older: dict[str, Any] = {}
    for suffix in formats:
        path = folder / f"{made.stem}{suffix}"
        if suffix == ".conda":
            with conda_builder(made.stem, folder, compression_level=1, compression_threads=0) as archive:
                _add(archive, made)
        else:
            with tarfile.open(path, "w:bz2", compresslevel=1) as archive:
                _add(archive, made)
        data = path.read_bytes()
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        hashes = {"md5": md5, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        records[path.name] = made.index | hashes | older
        older = {"legacy_bz2_md5": md5, "legacy_bz2_size": len(data)}
    return records


def _add(archive: tarfile.TarFile, made: _Build) -> None:
    for path, (content, mode) in made.members.items():
        member = tarfile.TarInfo(path)
        member.size, member.mode, member.mtime = len(content), mode, made.index["timestamp"] // 1000
        archive.addfile(member, io.BytesIO(content))
