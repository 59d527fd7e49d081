"""The page at `/`: which channels this mirror has. Names come from the disk and are escaped."""

import html
import os

from mirrortui import naming

_DEPTH = 4
_LIMIT = 500  # folders looked at
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>conda mirror</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}</style></head>
<body><h1>conda mirror</h1>
<p>Channels:</p>
LISTING
</body></html>
"""
_POLICY = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"


def channels(root: str | os.PathLike[str]) -> list[str]:
    """Return the names of the channels below a root: folders that hold a `noarch/repodata.json`, sorted."""
    found: list[str] = []
    todo = [(os.fspath(root), "", 0)]
    seen = 0
    while todo and seen < _LIMIT:
        folder, name, depth = todo.pop()
        seen += 1
        if name and os.path.isfile(f"{folder}/noarch/repodata.json"):  # noqa: PTH113 - the walk is over text
            found.append(name)
        if depth < _DEPTH:
            prefix = f"{name}/" if name else ""
            todo += [(f"{folder}/{child}", f"{prefix}{child}", depth + 1) for child in _folders(folder)]
    return sorted(found)


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [name for name in names if name not in naming.KNOWN_SUBDIRS]


def home_page(root: str | os.PathLike[str]) -> tuple[str, str]:
    """Return the page's HTML and the header lines it needs besides its type."""
    names = [html.escape(naming.display(name)) for name in channels(root)]
    items = "".join(f"<li><code>{name}</code></li>" for name in names)
    listing = f"<ul>{items}</ul>" if names else "<p>No channel is published yet.</p>"
    return _PAGE.replace("LISTING", listing), _POLICY
