"""The last part of a run: make what is verified visible, channel by channel, then delete what is due."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mirrortui.catalog.index import Mask
from mirrortui.config import Channel, MirrorConfig
from mirrortui.errors import MirrorError, NoSpace, PruneRefused
from mirrortui.mirror import guards, planning, prune, publish, retention, shards
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.plan import CONFIRM
from mirrortui.mirror.planning import Work
from mirrortui.mirror.records import blocks
from mirrortui.mirror.staging import Item
from mirrortui.mirror.store import Store, reporting
from mirrortui.quantities import counted, words
from mirrortui.transfer.engine import next_path
from mirrortui.worker.ending import Ending
from mirrortui.worker.extras import Extras
from mirrortui.worker.journal import Journal
from mirrortui.worker.receipts import Receipts

Pair = tuple[str, str]


class Switching:
    """Publish and prune for one run."""

    def __init__(
        self,
        config: MirrorConfig,
        store: Store,
        inventory: Inventory,
        journal: Journal,
        extras: Extras | None = None,
        failed: Mapping[str, str] | None = None,
    ) -> None:
        """`failed` are channels (name -> reason) of which it is known already that they cannot be published."""
        self.config, self.store, self.inventory, self.journal = config, store, inventory, journal
        self.extras = extras or {}
        self.failed = dict(failed or {})
        self.published = 0
        self.changed = False
        self.dropped = 0
        self.done: list[Pair] = []
        self.held: list[str] = []
        self.gone: list[str] = []
        self.todo: Work = {}
        self.verified: dict[Pair, Mask] = {}

    # ------------------------------------------------------------------------------------------ publish

    def publish(self, todo: Work, receipts: Receipts, confirmed: bool) -> None:
        """Switch every channel of which all indexes are at hand, then withdraw what the config no longer names.

        A channel whose upstream index has shrunk by more than `max_share` is left as it is, unless confirmed. One
        that cannot be published does not stop the others; a full disk does (`NoSpace`).
        """
        self.todo, self.verified = todo, receipts.verified
        for channel in self.config.channels:
            mine = {pair[1]: item for pair, item in todo.items() if pair[0] == channel.name}
            if set(mine) != set(channel.subdirs):
                continue
            indexes = [item.chosen.index for item in mine.values()]
            shrunken = [text for index in indexes if (text := guards.shrunken(self.config, self.inventory, index))]
            if shrunken and not confirmed:
                self.held += shrunken
                self.journal.event("warning", f"{channel.name} is left as it is: {'; '.join(shrunken)}")
            else:
                with self._alone(channel.name):
                    self._channel(channel, todo, receipts)
                    self.published += 1
        for pair in planning.gone(self.config, self.inventory):
            with self._alone(pair[0]):
                self._withdraw(pair)

    @contextlib.contextmanager
    def _alone(self, channel: str) -> Iterator[None]:
        """What goes wrong with a channel is its own affair: it is told, and nothing of the channel is pruned."""
        try:
            with reporting(self.store.folder(channel, "noarch").parent):
                yield
        except NoSpace:
            raise
        except MirrorError as error:
            self.failed[channel] = str(error)
            self.done = [pair for pair in self.done if pair[0] != channel]
            self.journal.event("error", f"{channel} is not published: {error}")

    def _channel(self, channel: Channel, todo: Work, receipts: Receipts) -> None:
        for subdir in channel.subdirs:  # before they are named: a prune after a crash knows only this note
            self._welcome_back((channel.name, subdir), todo)
        self._switch(channel, todo, receipts.verified)
        replacing = {pair: new for pair, new in receipts.replacing.items() if pair[0] == channel.name and new}
        if replacing:
            # The records of replaced files are out of the metadata now: only now may the files change.
            for pair, entries in replacing.items():
                retention.keep_replaced(self.store, self.inventory, pair, set(entries))
                # A run that dies in between must not leave the old hash on record for the new file.
                self.inventory.forget(*pair, entries)
                for fn in entries:
                    with reporting(path := self.store.package(*pair, fn)):
                        next_path(self.store.part(*pair, fn)).replace(path)
                self.inventory.put(*pair, entries.values())
                index = todo[pair].chosen.index
                rows = np.flatnonzero(todo[pair].replace | todo[pair].check)
                receipts.verified[pair][[row for row in rows.tolist() if index.fn(row) in entries]] = True
            self._switch(channel, todo, receipts.verified)
        now = time.time()
        for subdir in channel.subdirs:
            pair = (channel.name, subdir)
            self._drop(pair, [entry.fn for entry in todo[pair].leaving], now)
            self.done.append(pair)

    def _drop(self, pair: Pair, fns: list[str], when: float) -> None:
        """Note what the metadata has just ceased to name."""
        self.inventory.mark_dropped(*pair, fns, when)
        self.dropped += len(fns)
        self.journal.set(dropped=self.dropped)

    def _welcome_back(self, pair: Pair, todo: Work) -> None:
        """A file that is wanted again is no longer on its way out."""
        item = todo[pair]
        self.inventory.mark_dropped(*pair, item.presence.returning(item.chosen.index, item.chosen.mask), None)

    def _switch(self, channel: Channel, todo: Work, verified: dict[Pair, Mask]) -> None:
        items, staying = [], []
        for subdir in channel.subdirs:
            pair = (channel.name, subdir)
            index, mask = todo[pair].chosen.index, todo[pair].chosen.mask
            if index.folder is not None:
                items.append(Item(subdir, index, mask & verified[pair], self.extras.get(pair)))
            elif self._vanished(*pair, index.source.refused):
                staying.append(subdir)
            elif subdir == "noarch":
                items.append(Item(subdir, None, np.zeros(0, bool)))
        if "noarch" not in channel.subdirs:
            items.append(Item("noarch", None, np.zeros(0, bool)))
        switched = publish.publish(
            self.store,
            self.inventory,
            channel.name,
            items,
            self.config.publish,
            self.config.state,
            self.extras.get((channel.name, "")),
            staying,
        )
        for warning in switched.warnings:
            self.journal.event("warning", warning)
        if switched.written or switched.removed:
            self.changed = True
            self.journal.event("info", f"{channel.name}: published {counted(switched.records, 'record')}")

    def _vanished(self, channel: str, subdir: str, refused: bool) -> bool:
        """A subdir that was there and is gone upstream stays published as it was: an index that vanishes deletes nothing.

        Where the state was lost, the tree itself tells what was there.
        """
        last = self.inventory.published(channel, subdir)
        there = last.records > 0 if last is not None else any(blocks(self.store.folder(channel, subdir)))
        why = "answered 403" if refused else "gone upstream"
        told = f"{channel}/{subdir}: {why}"
        if there and told not in self.gone:  # a channel with replaced files is switched twice
            self.gone.append(told)
            self.journal.event("warning", f"{channel}/{subdir}: {why}; what was mirrored of it stays published")
        return there

    def _withdraw(self, pair: Pair) -> None:
        channel, subdir = pair
        entries = self.inventory.entries(*pair).values()
        kept_as_empty = subdir == "noarch" and any(c.name == channel for c in self.config.channels)
        if not kept_as_empty and self.inventory.published(*pair) is not None:
            publish.withdraw(self.store, self.inventory, channel, subdir)
            self.journal.event("info", f"{channel}/{subdir}: withdrawn, since mirror.toml no longer names it")
            self.changed = True
        self._drop(pair, [e.fn for e in entries if e.dropped is None], time.time())
        self.done.append(pair)

    # -------------------------------------------------------------------------------------------- prune

    def prune(self, confirmed: bool) -> Ending:
        """Delete what is due in the subdirs that were published in this run, and left-over part files."""
        ending = self._prune(confirmed).with_gone(self.gone)
        return ending.with_unpublished(self.failed, others=self.published > 0)

    def _prune(self, confirmed: bool) -> Ending:
        for pair in self.done:
            for part in self._leftovers(pair):
                with reporting(part):
                    part.unlink(missing_ok=True)
            shards.sweep(self.store.folder(*pair), time.time())
        if self.held:
            return Ending("partial", f"{'; '.join(self.held)}: not published, {CONFIRM}", PruneRefused.exit_code)
        if not self.config.prune.enabled:
            return Ending("done")
        damaged = list[str]()
        due = prune.due(self.config, self.inventory, self.done, time.time(), damaged.append)
        for text in dict.fromkeys(damaged):
            self.journal.event("warning", text)
        try:
            if not confirmed:
                prune.check_share(self.config, self.inventory, due)
        except PruneRefused as error:
            self.journal.event("warning", str(error))
            return Ending("partial", f"nothing was deleted: {error}", PruneRefused.exit_code)
        pruned = prune.prune(self.store, self.inventory, due)
        if pruned.files:
            self.journal.event("info", f"pruned {counted(pruned.files, 'file')}, {words(pruned.bytes)}")
        return Ending("done", pruned=pruned.files)

    def _leftovers(self, pair: Pair) -> list[Path]:
        """Parts that nothing will resume: of files that are complete, or that no index names any more."""
        parts = self.store.parts(*pair)
        if not parts:
            return []
        self.store.own(*pair)
        item = self.todo.get(pair)
        missing: set[str] = set()
        if item is not None:
            missing = set(item.chosen.index.fns(item.chosen.mask & ~self.verified[pair]))
        return [part for part in parts if part.name[1:].removesuffix(part.suffix) not in missing]
