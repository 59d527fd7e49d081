"""Make a plan: selection against presence, subdir by subdir, plus what is to leave the tree."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from mirrortui import quantities
from mirrortui.catalog.index import Ints, Mask
from mirrortui.config import MirrorConfig
from mirrortui.mirror import guards, prune, retention
from mirrortui.mirror.inventory import Entry, Inventory
from mirrortui.mirror.plan import Plan, PlannedFile, SubdirPlan, Totals
from mirrortui.mirror.presence import Presence
from mirrortui.mirror.store import Disk, Store
from mirrortui.naming import display
from mirrortui.selection.reasons import Broken
from mirrortui.selection.select import Selection, SubdirSelection

SAMPLE = 20


@dataclass(frozen=True)
class SubdirWork:
    """What the worker executes for one subdir: masks over the index's rows, and files that are to leave.

    `add`, `replace` and `check` (on disk but never verified here) are fetched or hashed; `keep` is there.
    `leaving` are verified files that the selection no longer names; `due` those whose grace will be over: without
    any, that is also what leaves now.
    """

    chosen: SubdirSelection
    presence: Presence
    add: Mask
    replace: Mask
    keep: Mask
    check: Mask
    leaving: tuple[Entry, ...]
    due: tuple[Entry, ...]


Work = dict[tuple[str, str], SubdirWork]


def work(
    config: MirrorConfig,
    selection: Selection,
    presences: dict[tuple[str, str], Presence],
    now: float,
) -> Work:
    """Compare the selection with the tree; the result is what `plan` sums up and the worker executes."""
    out = {}
    for pair, chosen in selection.subdirs.items():
        here = presences[pair]
        wanted = chosen.mask
        # A subdir that has vanished upstream is no reason to delete what was mirrored of it.
        unwanted = here.unwanted(chosen.index, wanted) if chosen.index.folder is not None else []
        out[pair] = SubdirWork(
            chosen=chosen,
            presence=here,
            add=wanted & ~(here.verified | here.differs | here.unchecked),
            replace=wanted & here.differs,
            keep=wanted & here.verified,
            check=wanted & here.unchecked,
            leaving=tuple(e for e in unwanted if e.dropped is None),
            due=tuple(prune.over(config, pair, unwanted, now)),
        )
    return out


def gone(config: MirrorConfig, inventory: Inventory) -> list[tuple[str, str]]:
    """Subdirs that were mirrored once and that the config no longer names."""
    named = {(c.name, s) for c in config.channels for s in c.subdirs}
    return [pair for pair in inventory.folders() if pair not in named]


def plan(
    config: MirrorConfig,
    todo: Work,
    inventory: Inventory,
    disk: Disk,
    warnings: Iterable[str] = (),
    broken: tuple[Broken, ...] = (),
    *,
    now: float | None = None,
    held: Callable[[], int] = lambda: 0,
    confirmed: bool = False,
) -> Plan:
    """Sum up the work. `needed` counts what is fetched; files that are pruned free their bytes only afterwards.

    `held` tells the bytes of part files that a run goes on with; it is asked where the disk looks too small. Unless
    it is `confirmed`, `refusals` tell what the guards will not let happen.
    """
    moment = time.time() if now is None else now
    subdirs = [_sum(pair, item) for pair, item in todo.items()]
    drops: list[PlannedFile] = [
        PlannedFile(*pair, entry.fn, entry.size) for pair, item in todo.items() for entry in item.leaving[:SAMPLE]
    ]
    due: prune.Due = {pair: list(item.due) for pair, item in todo.items()}
    for pair in gone(config, inventory):
        entries = inventory.entries(*pair).values()
        leaving = [e for e in entries if e.dropped is None]
        due[pair] = prune.over(config, pair, entries, moment)
        if leaving or due[pair]:
            subdirs.append(SubdirPlan(*pair, drop=_totals(leaving), prune_due=_totals(due[pair])))
            drops += [PlannedFile(*pair, entry.fn, entry.size) for entry in leaving[:SAMPLE]]
    if not config.prune.enabled:
        subdirs = [_without_prune(s) for s in subdirs]
    needed = sum(s.add.bytes + s.replace.bytes for s in subdirs)
    if needed > disk.free:
        needed = max(needed - held(), 0)
    limit = quantities.rate(config.transfer.limit)
    notes = [
        *warnings,
        *_vanished(todo, inventory),
        *_warnings(todo, needed, disk),
    ]
    if config.prune.enabled:
        notes += retention.doubts(Store(config.root), (s.channel for s in subdirs))
    return Plan(
        id=_digest(config, todo, subdirs),
        created=moment,
        subdirs=tuple(subdirs),
        free=disk.free,
        needed=needed,
        eta=needed / limit if limit else None,
        largest=tuple(_largest(todo)),
        drops=tuple(drops[:SAMPLE]),
        notes=tuple(notes),
        refusals=() if confirmed else _refusals(config, todo, inventory, due),
        broken=broken,
    )


def _refusals(config: MirrorConfig, todo: Work, inventory: Inventory, due: prune.Due) -> tuple[str, ...]:
    """What a run will say no to, in the order in which it does."""
    indexes = (item.chosen.index for item in todo.values())
    shrunken = [(index.channel, text) for index in indexes if (text := guards.shrunken(config, inventory, index))]
    if shrunken:
        return tuple(f"{name} will be left as it is, and nothing will be deleted: {text}" for name, text in shrunken)
    coming = sum((_masked(item.chosen.index.size, item.add | item.check) for item in todo.values()), Totals())
    why = guards.refusal(config, inventory, due, coming) if config.prune.enabled else ""
    return (f"nothing will be deleted: {why}",) if why else ()


def _without_prune(item: SubdirPlan) -> SubdirPlan:
    return SubdirPlan(item.channel, item.subdir, item.add, item.replace, item.keep, item.drop)


def _totals(entries: Iterable[Entry]) -> Totals:
    sizes = [entry.size for entry in entries]
    return Totals(len(sizes), sum(sizes))


def _masked(size: Ints, mask: Mask) -> Totals:
    return Totals(int(mask.sum()), int(np.maximum(size[mask], 0).sum()))


def _sum(pair: tuple[str, str], item: SubdirWork) -> SubdirPlan:
    size = item.chosen.index.size
    return SubdirPlan(
        *pair,
        add=_masked(size, item.add),
        replace=_masked(size, item.replace),
        keep=_masked(size, item.keep | item.check),
        drop=_totals(item.leaving),
        prune_due=_totals(item.due),
    )


def _vanished(todo: Work, inventory: Inventory) -> Iterator[str]:
    for pair, item in todo.items():
        last = inventory.published(*pair)
        if item.chosen.index.folder is None and last is not None and last.records:
            yield f"{'/'.join(pair)} is not upstream any more; what was mirrored of it stays published as it is"


def _warnings(todo: Work, needed: int, disk: Disk) -> list[str]:
    out = []
    unchecked = sum(int(item.check.sum()) for item in todo.values())
    if unchecked:
        files, them = ("1 file on disk was", "it") if unchecked == 1 else (f"{unchecked} files on disk were", "them")
        out.append(f"{files} never verified here; the run hashes {them} first")
    unknown = sum(int(((item.add | item.replace) & (item.chosen.index.size < 0)).sum()) for item in todo.values())
    if unknown:
        out.append(f"{unknown} files to fetch have no size in the index; the byte figures leave them out")
    refused = sum(int(item.chosen.index.meta.get("refused", 0)) for item in todo.values())
    if refused:
        out.append(f"{refused} records were left out because their file name is not safe")
    kinds = Counter[str]()
    for item in todo.values():
        kinds.update(item.chosen.index.meta.get("left_out", {}))
    if kinds.total():
        words = ", ".join(display(name, 20) for name, _ in kinds.most_common(5))
        out.append(f"{kinds.total()} records of kinds that this program does not fetch are left out ({words})")
    if needed > disk.free:
        out.append("the files to fetch do not fit on the free disk; the run will be refused")
    return out


def _largest(todo: Work) -> list[PlannedFile]:
    found: list[tuple[int, tuple[str, str], int]] = []
    for pair, item in todo.items():
        rows = np.flatnonzero(item.add | item.replace)
        size = item.chosen.index.size[rows]
        found += [(int(size[i]), pair, int(rows[i])) for i in np.argsort(-size)[:SAMPLE].tolist()]
    found.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    return [PlannedFile(*pair, todo[pair].chosen.index.fn(row), max(size, 0)) for size, pair, row in found[:SAMPLE]]


def _digest(config: MirrorConfig, todo: Work, subdirs: list[SubdirPlan]) -> str:
    """The same upstream, rules and tree give the same id."""
    digest = hashlib.sha256(msgspec.json.encode((config.selection, config.channels, config.publish, config.prune)))
    for pair, item in sorted(todo.items()):
        digest.update(f"{pair}{item.chosen.index.source.sha256}".encode())
        for mask in (item.add, item.replace, item.keep, item.check):
            digest.update(np.packbits(mask).tobytes())
        for entry in (*item.leaving, *item.due):
            digest.update(entry.fn.encode())
    digest.update(repr(subdirs[len(todo) :]).encode())  # what the config no longer names
    return digest.hexdigest()[:12]
