"""Replace single keys in the text of an rc file; every other byte stays.

Of a key that is replaced, the comments stay: on the line of the key, on lines of their own, and on items
that remain. A comment on an item that goes, goes with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirrortui.clients import rctext
from mirrortui.clients.condarc import plain
from mirrortui.clients.entry import FINAL, Entry, head, items
from mirrortui.clients.rctext import Item, RcText
from mirrortui.clients.rcvalues import FLAGS

# Two names of one key in one file make conda refuse the file (conda: base/context.py, `aliases`).
ALIASES = {
    "channel": "channels",
    "whitelist_channels": "allowlist_channels",
    "self_update": "auto_update_conda",
}


def owner(item: Item, entries: list[Entry]) -> Entry | None:
    """The entry that takes the place of a key of the file."""
    key = ALIASES.get(item.key, item.key)
    return next((entry for entry in entries if entry.key == key), None)


def splice(old: RcText, entries: list[Entry], moved: frozenset[str]) -> str:
    """The old text with our keys replaced where they stand, but new ones and those of `moved` at the end."""
    text, out, at = old.text, [], 0
    done: set[str] = set()
    for item in old.items:
        entry = owner(item, entries)
        if entry is None:
            continue
        out.append(text[at : item.start])
        at = item.end
        if entry.key not in done and entry.key not in moved and item.key == entry.key:
            out.append(_replaced(old, item, entry))
            done.add(entry.key)
        else:
            out.append(_only_comments(old, item))
    body = "".join((*out, text[at : old.tail]))
    if body and not body.endswith(("\n", "\r")):
        body += old.newline
    fresh = [line for entry in entries if entry.key not in done for line in entry.lines(indent=old.indent)]
    return body + "".join(line + old.newline for line in fresh) + text[old.tail :]


def _only_comments(old: RcText, item: Item) -> str:
    """What stays of a key that goes: comments of its own, no flags."""
    if item.wrapped:
        return ""
    comments = [c for c in _beside(old.text, item) if c.strip("!#") not in FLAGS]
    rows = [line for _, line in rctext.lines(old.text, item.key_end, item.end) if line.lstrip().startswith("#")]
    return "".join(f"{old.indent}{comment}{old.newline}" for comment in comments) + "".join(rows)


def _replaced(old: RcText, item: Item, entry: Entry) -> str:
    """The lines of one key with its new value."""
    text, flag = old.text, FINAL if entry.final else ""
    if old.values.get(item.key) == plain(entry.value) and old.flags.get((item.key, ""), "") == flag:
        return text[item.start : item.end]
    comments = [comment for comment in _beside(text, item) if comment.strip("!#") not in FLAGS]
    beside = flag or (comments.pop(0) if comments else "")
    first = head(entry.key, entry.value, old.indent, beside) + old.newline
    rows, loose = _old_rows(old, item)
    prefix = _prefix(old, item)
    body = []
    for name, line in items(entry.value):
        row = rows.pop(name, _NO_ROW)
        same = row.line and row.value == plain(entry.value[name] if isinstance(entry.value, Mapping) else name)
        tail = f"  {row.comment}" if row.comment else ""
        body.append(row.above + (row.line if same else f"{prefix}{line}{tail}{old.newline}"))
    loose += "".join(row.above for row in rows.values())
    loose += "".join(f"{old.indent}{comment}{old.newline}" for comment in comments)
    # A comment directly below a flag would switch the flag off.
    if flag:
        return first + "".join(body) + loose if body else loose + first
    return first + loose + "".join(body)


def _beside(text: str, item: Item) -> list[str]:
    """Comments on the line of the key and on the last line of a value that is not a plain list or map."""
    if item.wrapped:
        return []
    places = [item.key_end, item.value_end]
    if item.leaves is not None:
        places = [item.key_end]
    elif not {"\n", "\r"} & set(text[item.key_end : item.value_end]):
        places = [item.value_end]
    return [comment for comment in (rctext.comment_at(text, place) for place in places) if comment]


@dataclass(frozen=True, slots=True)
class _Row:
    """An item's line, the comment lines above it, the comment on it, its value."""

    above: str = ""
    line: str = ""
    comment: str = ""
    value: Any = None


_NO_ROW = _Row()


def _old_rows(old: RcText, item: Item) -> tuple[dict[str, _Row], str]:
    """The items by name, and the comment lines that belong to none."""
    places = {rctext.line_start(old.text, start): (name, end) for name, start, end in item.leaves or ()}
    values = old.values.get(item.key)
    rows: dict[str, _Row] = {}
    above = ""
    for at, line in rctext.lines(old.text, rctext.line_end(old.text, item.key_end), item.end):
        if at in places:
            name, end = places[at]
            above = rows.get(name, _NO_ROW).above + above
            value = values.get(name) if isinstance(values, dict) else name
            rows[name] = _Row(above, line, rctext.comment_at(old.text, end), value)
            above = ""
        elif line.lstrip().startswith("#") and not item.wrapped:
            above += line
    return rows, above


def _prefix(old: RcText, item: Item) -> str:
    """The indent of the items that are there."""
    for _, start, _ in item.leaves or ():
        line = old.text[rctext.line_start(old.text, start) : start]
        return line[: len(line) - len(line.lstrip(" "))]
    return f"{old.indent}  "
