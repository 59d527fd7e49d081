"""One key of a `.condarc` and its text.

Flags such as `#!final` are YAML comments that conda reads only if nothing else is part of the comment: not
on the line, and, because its parser joins them, not on the lines below it either (conda:
common/configuration.py, `_get_yaml_key_comment`). So the text is made here and not by an emitter.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = str | bool | int
Value: TypeAlias = Scalar | tuple[str, ...] | Mapping[str, str | tuple[str, ...]]

FINAL = "#!final"

# Strings outside of this form are quoted: YAML 1.1 readers take `on` or `1.0` for something else.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./~+=%&@:-]*[A-Za-z0-9_/~+=%-]|[A-Za-z]")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A key, its value, why it is there (one line, ASCII) and whether users may override it."""

    key: str
    value: Value
    why: str = ""
    final: bool = False

    def lines(self, *, indent: str = "", comment: str = "") -> list[str]:
        """The YAML lines of the entry; `comment` stands on the line of the key."""
        return [head(self.key, self.value, indent, comment or (FINAL if self.final else "")), *self.body(indent + "  ")]

    def body(self, indent: str) -> list[str]:
        """The lines below the key: items of a list or a map."""
        return [indent + line for _, line in items(self.value)]


def head(key: str, value: Value, indent: str, comment: str) -> str:
    """The line of a key, with its value if that takes no lines of its own."""
    if isinstance(value, Mapping):
        text = "" if value else " {}"
    elif isinstance(value, tuple):
        text = "" if value else " []"
    else:
        text = f" {scalar(value)}"
    return f"{indent}{key}:{text}{'  ' + comment if comment else ''}"


def items(value: Value) -> list[tuple[str, str]]:
    """(what tells the item from others, its line without indent) for each item of a list or a map."""
    if isinstance(value, Mapping):
        return [(name, f"{scalar(name)}: {_inline(item)}") for name, item in value.items()]
    if isinstance(value, tuple):
        return [(item, f"- {scalar(item)}") for item in value]
    return []


def scalar(value: Scalar) -> str:
    """A scalar that every YAML version reads as what it is."""
    if isinstance(value, bool | int):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value)


def _inline(value: str | tuple[str, ...]) -> str:
    return f"[{', '.join(scalar(item) for item in value)}]" if isinstance(value, tuple) else scalar(value)
