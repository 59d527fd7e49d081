"""mirror.toml <-> MirrorConfig: find, read, validate, write."""

from mirrortui.config.checks import check_upstream
from mirrortui.config.model import (
    Channel,
    Check,
    Formats,
    Mirror,
    MirrorConfig,
    Prune,
    Publish,
    Selection,
    Transfer,
    UnknownLicense,
)
from mirrortui.config.reading import find, from_dict, load, loads, search_path
from mirrortui.config.writing import default_state, dumps, save, to_dict

__all__ = [
    "Channel",
    "Check",
    "Formats",
    "Mirror",
    "MirrorConfig",
    "Prune",
    "Publish",
    "Selection",
    "Transfer",
    "UnknownLicense",
    "check_upstream",
    "default_state",
    "dumps",
    "find",
    "from_dict",
    "load",
    "loads",
    "save",
    "search_path",
    "to_dict",
]
