"""What a mirror shows to clients, read as a client would, and checked against the files that lie there."""

import hashlib
import json
from pathlib import Path
from typing import Any

import zstandard

from mirrortui.mirror.owner import MARK

Records = dict[str, dict[str, Any]]


def decoded(path: Path) -> dict[str, Any]:
    """A repodata file, plain or .zst."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    value: dict[str, Any] = json.loads(data)
    return value


def records(path: Path) -> Records:
    """All records of a repodata file by file name."""
    value = decoded(path)
    newer = {f"{key}.{kind}": record for kind, table in value.get("v3", {}).items() for key, record in table.items()}
    out: Records = newer | value["packages"] | value["packages.conda"]
    return out


def indexes(root: Path) -> list[Path]:
    """Every published repodata file below a root."""
    return sorted(path for name in ("repodata.json", "repodata.json.zst") for path in root.rglob(name))


def published(root: Path, channel: str, subdir: str) -> Records:
    """The records of one subdir; its .zst must say the same as its .json."""
    folder = root / channel / subdir
    plain = records(folder / "repodata.json")
    assert records(folder / "repodata.json.zst") == plain
    return plain


def wrong(root: Path) -> list[str]:
    """Every record of every published repodata file whose file is absent or has another hash or size."""
    out = []
    digests: dict[Path, str] = {}
    for index in indexes(root):
        for fn, record in records(index).items():
            path = index.parent / fn
            if path not in digests:
                digests[path] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"
            if digests[path] != record["sha256"] or path.stat().st_size != record.get("size", path.stat().st_size):
                out.append(f"{index.relative_to(root)} names {fn}, which is {digests[path]}")
    return out


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a root with its bytes, hidden ones too; not the mark that says whose root it is."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.name != MARK)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def hidden(root: Path) -> list[Path]:
    """Files that a run should not leave behind."""
    return [path for path in root.rglob(".*") if path.name != MARK]


def stamps(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every file below a root with inode, size and mtime: what must not move where nothing is to be done."""
    found = {path: path.stat() for path in sorted(root.rglob("*")) if path.is_file()}
    return {str(path.relative_to(root)): (s.st_ino, s.st_size, s.st_mtime_ns) for path, s in found.items()}
