"""Lay the entries of a `Condarc` over an existing rc file, line by line.

Keys that are not ours keep their bytes. Of a key that is replaced, the comments stay: on the line of the key,
on lines of their own, and on items that remain. The result is read again and compared with what was meant,
values and flags, before anyone may write it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mirrortui import naming
from mirrortui.clients import rctext, why
from mirrortui.clients.condarc import HARD_CODED, KEYS, Condarc, plain
from mirrortui.clients.entry import FINAL, Entry, items
from mirrortui.clients.rctext import RcText
from mirrortui.clients.splice import ALIASES, owner, splice
from mirrortui.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Merged:
    """The new text, its values, and what the operator should know about the old one."""

    text: str
    values: dict[str, Any]
    warnings: tuple[str, ...]


def merge(text: str, condarc: Condarc, where: str) -> Merged:
    """Return the rc file with the entries in place. Raises `ConfigError` if that cannot be done safely."""
    if not text.strip():
        fresh = condarc.text()
        return Merged(fresh, _verified(fresh, None, list(condarc.entries), where).values, ())
    old = rctext.parse(text, where)
    notes = []
    if old.flow:
        block = rctext.parse(rctext.as_block(text), where)
        if block.values != old.values or block.flags != old.flags:
            raise ConfigError(
                "is one {…} that cannot be taken apart safely",
                where=where,
                hint="Write one key a line. Nothing was changed",
            )
        old = block
        notes.append("The file was one {…}; it is written with one key a line.")
    _refuse_doubles(old, condarc, where)
    entries = [_meant(entry, old, condarc) for entry in condarc.entries]
    notes += _notes(old, entries, condarc)
    if _is_own(old):
        fresh = condarc.text()
        return Merged(fresh, _verified(fresh, None, list(condarc.entries), where).values, tuple(notes))
    _refuse_shared_anchor(old, entries, where)
    failure: ConfigError | None = None
    for moved in _ways(entries):
        try:
            new = splice(old, entries, moved)
            return Merged(new, _verified(new, old, entries, where).values, tuple(notes))
        except ConfigError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _ways(entries: list[Entry]) -> Iterator[frozenset[str]]:
    """Which keys leave their place for the end of the file, tried in this order.

    A comment below a flagged line switches the flag off, so such lines may have to go where nothing follows.
    """
    yield frozenset()
    yield frozenset(entry.key for entry in entries if entry.final and not items(entry.value))
    yield frozenset(entry.key for entry in entries)


# ----------------------------------------------------------------------------------------- what is meant


def _meant(entry: Entry, old: RcText, condarc: Condarc) -> Entry:
    """The entry as it should stand in this file: foreign channels of a map and an existing flag are kept."""
    present = old.values.get(entry.key)
    if entry.key in ("custom_channels", "custom_multichannels") and isinstance(present, dict) and not condarc.locked:
        kept = {
            name: _frozen(value) for name, value in present.items() if value is not None and not _shadows(name, condarc)
        }
        entry = replace(entry, value={**kept, **dict(entry.value)})  # type: ignore[arg-type]  # an entry of that key holds a map
    if old.flags.get((entry.key, "")) == FINAL and not _is_own(old):
        entry = replace(entry, final=True)
    return entry


def _frozen(value: Any) -> Any:
    return tuple(str(item) for item in value) if isinstance(value, list) else str(value)


def _shadows(name: str, condarc: Condarc) -> bool:
    """Whether an own name of the user would lead a mirrored channel elsewhere."""
    clean = name.strip("/")
    return clean == "defaults" or any(
        mirrored == clean or mirrored.startswith(f"{clean}/") for mirrored in condarc.channels
    )


def _notes(old: RcText, entries: list[Entry], condarc: Condarc) -> list[str]:
    ours = {entry.key: entry for entry in entries}
    out = [
        f"{naming.display(key)}: its flag is not seen by conda, because a comment follows it." for key in old.lost_flags
    ]
    for item in old.items:
        real = ALIASES.get(item.key)
        if real in ours:
            out.append(
                f"{item.key} (line {item.line}) is another name of {real}, and conda reads no file with both; {real} takes its place."
            )
    for entry, asked in zip(entries, condarc.entries, strict=True):
        if entry.final and not asked.final:
            out.append(f"{entry.key} is #!final in this file and stays so.")
        before = old.values.get(entry.key)
        after = plain(entry.value)
        out += [f"{entry.key}: {naming.display(name)} is taken out." for name in _gone(before, after)]
    counts: dict[str, int] = {}
    for item in old.items:
        counts[item.key] = counts.get(item.key, 0) + 1
    out += [
        f"{key} stood {n} times, which conda refuses; it stands once now."
        for key, n in counts.items()
        if n > 1 and key in ours
    ]
    return out


def _gone(before: Any, after: Any) -> list[str]:
    if isinstance(before, list) and isinstance(after, list):
        return [str(name) for name in before if name not in after]
    if isinstance(before, dict) and isinstance(after, dict):
        return [name for name, value in before.items() if name not in after and value is not None]
    return []


def _is_own(old: RcText) -> bool:
    """Whether the file is as `Condarc.text` writes it, so that it may be written anew, comments and all."""
    rows = [line.strip() for _, line in rctext.lines(old.text, 0, len(old.text))]
    whole = [row for row in rows if row.startswith("#")]
    beside = {rctext.comment_at(row, 0) for row in rows if not row.startswith("#")}
    custom, multi, listed = (
        _names(old.values.get(key)) for key in ("custom_channels", "custom_multichannels", "channels")
    )
    return (
        rows[0].startswith(why.HEADER)
        and all(why.is_own(row) for row in whole)
        and beside <= {"", FINAL}
        and old.values.keys() <= KEYS
        and custom <= set(HARD_CODED)
        and multi <= listed
    )


def _names(value: Any) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list | dict) else set()


# ---------------------------------------------------------------------------------------------- refusals


def _refuse_doubles(old: RcText, condarc: Condarc, where: str) -> None:
    ours = {entry.key for entry in condarc.entries}
    seen: dict[str, int] = {}
    for item in old.items:
        if item.key in seen and item.key not in ours:
            raise ConfigError(
                f"{naming.display(item.key)} stands twice (lines {seen[item.key]} and {item.line})",
                where=where,
                hint="conda refuses such a file; remove one. Nothing was changed",
            )
        seen[item.key] = item.line


def _refuse_shared_anchor(old: RcText, entries: list[Entry], where: str) -> None:
    replaced = {item.start for item in old.items if owner(item, entries) is not None}
    for item in old.items:
        for name in item.anchors if item.start in replaced else ():
            user = next((o for o in old.items if o.start not in replaced and name in o.aliases), None)
            if user is not None:
                raise ConfigError(
                    f"{item.key} (line {item.line}) defines &{name}, which {user.key} (line {user.line}) uses",
                    where=where,
                    hint=f"Write the value of {user.key} out. Nothing was changed",
                )


# ----------------------------------------------------------------------------------------------- proof


def _verified(new: str, old: RcText | None, entries: list[Entry], where: str) -> RcText:
    """Read the new text as conda would and compare: our values and flags as meant, all others untouched."""
    read = rctext.parse(new, where, strict=True)
    wrong = [entry.key for entry in entries if read.values.get(entry.key) != plain(entry.value)]
    wrong += [e.key for e in entries if (read.flags.get((e.key, "")) == FINAL) is not e.final]
    if old is not None:
        keys = {entry.key for entry in entries} | {item.key for item in old.items if owner(item, entries) is not None}
        wrong += _differences(_foreign(old, keys), _foreign(read, keys))
        wrong += _differences(_foreign_flags(old, keys), _foreign_flags(read, keys))
    if wrong:
        raise ConfigError(
            f"cannot be changed safely: {naming.display(', '.join(sorted(set(wrong))))} would not read back as meant",
            where=where,
            hint="Often a comment stands right below a #!final; move it above the key. Nothing was changed",
        )
    return read


def _foreign(rc: RcText, ours: set[str]) -> dict[str, object]:
    return {item.key: item.print for item in rc.items if item.key not in ours}


def _foreign_flags(rc: RcText, ours: set[str]) -> dict[str, object]:
    out: dict[str, object] = {}
    for (key, name), flag in rc.flags.items():
        if key not in ours:
            out[key] = (*out.get(key, ()), (name, flag))  # type: ignore[misc]  # the values are tuples
    return out


def _differences(before: dict[str, object], after: dict[str, object]) -> list[str]:
    return [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
