"""An rc file as text with known places: where each top-level key stands, which flags conda sees on it.

ruamel.yaml reads it; nothing is emitted through it, because a round trip re-indents lists, re-wraps lines and
joins comments. Keys that are not ours keep their bytes.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mirrortui import naming
from mirrortui.clients.rcvalues import builtins_of, flags_of
from mirrortui.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Item:
    """One top-level key: the half-open range of whole lines it takes, and what its value is made of.

    `key_end` and `value_end` are offsets into the text; `leaves` are (item or key, start, end) of a block list
    or map with one item a line, and None where the value has another form. `wrapped` is a text of several
    lines, in which a “#” is no comment.
    """

    key: str
    line: int
    start: int
    end: int
    key_end: int
    value_end: int
    leaves: tuple[tuple[str, int, int], ...] | None
    wrapped: bool
    print: tuple[tuple[object, ...], ...]
    anchors: frozenset[str]
    aliases: frozenset[str]


@dataclass(frozen=True, slots=True)
class RcText:
    """A parsed rc file. `tail` is the offset at which new keys go, `indent` what stands before each key."""

    text: str
    items: tuple[Item, ...] = ()
    tail: int = 0
    indent: str = ""
    flow: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    flags: dict[tuple[str, str], str] = field(default_factory=dict)
    lost_flags: tuple[str, ...] = ()

    @property
    def newline(self) -> str:
        """The file's own line ending."""
        return "\r\n" if "\r\n" in self.text else "\n"


def parse(text: str, where: str, *, strict: bool = False) -> RcText:
    """Read an rc file (without byte order mark). Raises `ConfigError` with line and column.

    `strict` refuses keys that stand twice, as conda does.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ruamel warns on stderr of what conda accepts
            events = list(YAML(typ="rt", pure=True).parse(text))
            start = _root(events, where)
            reader = YAML(typ="rt", pure=True)
            reader.allow_duplicate_keys = not strict
            data = reader.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ConfigError(
            f"is not valid YAML{at}: {naming.display(error.problem or error.context)}",
            where=where,
            hint="conda would skip this file; mend it first. Nothing was changed",
        ) from error
    except (YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[:1]
        raise ConfigError(
            f"is not valid YAML: {naming.display(''.join(first))}", where=where, hint="Nothing was changed"
        ) from error
    if start is None:
        return RcText(text=text, tail=_tail(events, text))
    flags, lost = flags_of(data)
    items = () if events[start].flow_style else tuple(_items(events, start, text))
    indent = text[items[0].start : items[0].start + _column(text, items[0])] if items else ""
    return RcText(
        text, items, _tail(events, text), indent, bool(events[start].flow_style), builtins_of(data), flags, tuple(lost)
    )


def as_block(text: str) -> str:
    """Re-emit a file whose root is `{…}` with one key a line; comments go to the top."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 10_000
    data = yaml.load(text)
    data.fa.set_block_style()
    out = io.StringIO()
    yaml.dump(data, out)
    comments = [comment_at(line, 0) for line in text.splitlines()]
    return "".join(f"{comment}\n" for comment in comments if comment and comment not in out.getvalue()) + out.getvalue()


def comment_at(text: str, start: int) -> str:
    """The comment on the rest of the line, from its `#`; empty if there is none."""
    end = line_end(text, start)
    rest = text[start:end].rstrip("\r\n")
    for at, char in enumerate(rest):
        if char == "#" and (at == 0 or rest[at - 1] in " \t"):
            return rest[at:].rstrip()
    return ""


def line_start(text: str, at: int) -> int:
    """Offset of the first character of the line."""
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def line_end(text: str, at: int) -> int:
    """Offset behind the line break (or the end of the text)."""
    while at < len(text) and text[at] not in "\r\n":
        at += 1
    return at + 2 if text.startswith("\r\n", at) else min(at + 1, len(text))


def lines(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """(offset, line with its break) of each line in a range."""
    while start < end:
        stop = line_end(text, start)
        yield start, text[start:stop]
        start = stop


# ------------------------------------------------------------------------------------------ events


def _root(events: list[Any], where: str) -> int | None:
    """Index of the event that opens the root mapping; None for a file without keys."""
    names = [type(event).__name__ for event in events]
    starts = [at for at, name in enumerate(names) if name == "DocumentStartEvent"]
    if len(starts) > 1:
        line = events[starts[1]].start_mark.line + 1
        raise ConfigError(
            f"holds a second document (line {line})", where=where, hint="conda reads one only. Nothing was changed"
        )
    if not starts:
        return None
    at = starts[0] + 1
    if names[at] == "MappingStartEvent":
        return at
    if names[at] == "ScalarEvent" and events[at].value == "" and events[at].style is None:
        return None
    line = events[at].start_mark.line + 1
    raise ConfigError(
        f"holds no mapping of keys to values (line {line})",
        where=where,
        hint="An rc file reads “key: value”. Nothing was changed",
    )


def _tail(events: list[Any], text: str) -> int:
    """New keys go to the end, but before an explicit end of the document."""
    for event in events:
        if type(event).__name__ == "DocumentEndEvent" and event.explicit:
            return int(event.start_mark.index)
    return len(text)


def _items(events: list[Any], root: int, text: str) -> Iterator[Item]:
    """Cut the root mapping's events into keys with their values."""
    at, spans = root + 1, []
    while type(events[at]).__name__ != "MappingEndEvent":
        middle = _after(events, at)
        end = _after(events, middle)
        spans.append((at, middle, end))
        at = end
    bounds = [line_start(text, events[first].start_mark.index) for first, _, _ in spans] + [
        min(_tail(events, text), len(text))
    ]
    for (first, middle, end), start, bound in zip(spans, bounds, bounds[1:], strict=False):
        key, value = events[first], events[middle:end]
        leaf = max(key.end_mark.index, *(_written_end(event, text) for event in value))
        yield Item(
            key=key.value if type(key).__name__ == "ScalarEvent" else "",
            line=key.start_mark.line + 1,
            start=start,
            end=_content_end(text, start, bound, leaf),
            key_end=key.end_mark.index,
            value_end=leaf,
            leaves=_leaves(value, text),
            wrapped=len(value) == 1 and value[0].start_mark.line != value[0].end_mark.line,
            print=tuple(_print(e) for e in events[first:end]),
            anchors=frozenset(
                e.anchor for e in value if getattr(e, "anchor", None) and type(e).__name__ != "AliasEvent"
            ),
            aliases=frozenset(e.anchor for e in value if type(e).__name__ == "AliasEvent"),
        )


def _after(events: list[Any], at: int) -> int:
    """Index behind the node that begins at `at`."""
    depth = 0
    while True:
        name = type(events[at]).__name__
        depth += name.endswith(("MappingStartEvent", "SequenceStartEvent")) - name.endswith(
            ("MappingEndEvent", "SequenceEndEvent")
        )
        at += 1
        if depth == 0:
            return at


def _written_end(event: Any, text: str) -> int:
    """Where the written form of an event ends; 0 for those without one, such as the end of a block list."""
    name = type(event).__name__
    start, end = event.start_mark.index, event.end_mark.index
    if name == "ScalarEvent" and event.style in ("|", ">"):
        return len(text[:end].rstrip())
    return int(end) if end > start and (name in ("ScalarEvent", "AliasEvent") or name.endswith("EndEvent")) else 0


def _content_end(text: str, start: int, bound: int, leaf: int) -> int:
    """The key's last line of content: trailing blank lines and comments belong to nobody and stay."""
    end = least = line_end(text, max(leaf - 1, start))
    for at, line in lines(text, start, bound):
        if line.strip() and not line.lstrip().startswith("#"):
            end = max(least, at + len(line))
    return min(end, max(bound, least))


def _leaves(value: list[Any], text: str) -> tuple[tuple[str, int, int], ...] | None:
    """The items of a block list or map that take one line each; None for every other form."""
    name = type(value[0]).__name__
    if name not in ("SequenceStartEvent", "MappingStartEvent") or value[0].flow_style:
        return None
    leaves, at = [], 1
    while at < len(value) - 1:
        first = value[at]
        at = _after(value, at)
        if name == "MappingStartEvent":
            at = _after(value, at)
        last = value[at - 1]
        if (
            type(first).__name__ != "ScalarEvent"
            or not _written_end(last, text)
            or first.start_mark.line != last.end_mark.line
        ):
            return None
        leaves.append((first.value, first.start_mark.index, last.end_mark.index))
    return tuple(leaves)


def _print(event: Any) -> tuple[object, ...]:
    """What makes two events the same content."""
    style = getattr(event, "flow_style", getattr(event, "style", None))
    return (
        type(event).__name__,
        getattr(event, "anchor", None),
        str(getattr(event, "tag", "")),
        getattr(event, "value", None),
        style,
    )


def _column(text: str, item: Item) -> int:
    line = text[item.start : item.end]
    return len(line) - len(line.lstrip(" "))
