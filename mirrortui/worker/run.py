"""One run: catalog → selection → plan → transfer → publish → prune, with the journal beside it."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import TypeVar

import msgspec
import numpy as np

from mirrortui import quantities
from mirrortui.catalog.catalog import Catalog
from mirrortui.catalog.fetch import Progress as IndexProgress
from mirrortui.config import MirrorConfig
from mirrortui.errors import MirrorError, NoSpace, StateError, TargetError, UpstreamError
from mirrortui.mirror import planning
from mirrortui.mirror.inventory import Inventory
from mirrortui.mirror.owner import owned
from mirrortui.mirror.plan import Plan
from mirrortui.mirror.planning import Work
from mirrortui.mirror.presence import presence
from mirrortui.mirror.store import Store
from mirrortui.selection.decide import decide
from mirrortui.transfer.client import open_client
from mirrortui.transfer.engine import Engine
from mirrortui.transfer.job import Job, Outcome
from mirrortui.transfer.limits import RateLimit
from mirrortui.worker.ending import Ending
from mirrortui.worker.extras import bring
from mirrortui.worker.indexing import refresh_all
from mirrortui.worker.jobs import again, lanes
from mirrortui.worker.journal import Journal
from mirrortui.worker.progress import Count, Progress
from mirrortui.worker.receipts import Receipts
from mirrortui.worker.reporting import show
from mirrortui.worker.switching import Switching

T = TypeVar("T")

_RATE = re.compile("[0-9]{1,18}")


def _as_rate(verb: str, argument: str) -> str:
    """A command's argument as the log tells it: the bytes a second of a limit in words."""
    if verb != "limit" or not _RATE.fullmatch(argument):
        return argument
    return f"{quantities.words(int(argument))}/s" if int(argument) else "none"


async def undisturbed(work: Callable[..., T], *arguments: object) -> T:
    """Do work in a thread, to its end even if this task is cancelled meanwhile.

    A thread cannot be stopped: were it left behind, it would still write to tree and inventory after the lock is gone.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise


class Run:
    """The state of one run; `execute` is the way through the house."""

    def __init__(self, config: MirrorConfig, journal: Journal, *, confirm_prune: bool = False) -> None:
        self.config, self.journal, self.confirm_prune = config, journal, confirm_prune
        self.store = Store(config.root)
        self.inventory = Inventory(config.state, write=True)
        self.progress = Progress()
        self.limit = RateLimit(quantities.rate(config.transfer.limit))
        self.engine: Engine | None = None
        self.receipts = Receipts(self.store, self.inventory)
        self.failed: list[Outcome] = []
        self.unusable: dict[str, str] = {}
        self.retry_asked = False
        self.state = "running"

    async def execute(self) -> Ending:
        """Do the whole run; raises `MirrorError` for what ends it before its time."""
        self.store.check_writable()
        with owned(self.config.root, self.config.state):
            return await self._execute()

    async def _execute(self) -> Ending:
        async with open_client(self.config) as client:
            transfer = self.config.transfer
            self.engine = Engine(client, connections=transfer.connections, retries=transfer.retries, limit=self.limit)
            self._phase("catalog")
            catalog = await refresh_all(client, self.config, self._index, retries=transfer.retries)
            self._report_problems(catalog)
            extras = await bring(client, self.config, catalog, self.journal.event)
            self._phase("plan")
            todo, plan = await undisturbed(self._plan, catalog)
            self._check_space(plan)
            self._phase("transfer")
            await self._transfer(todo)
        self._phase("publish")
        switching = Switching(self.config, self.store, self.inventory, self.journal, extras, self.unusable)
        await undisturbed(switching.publish, todo, self.receipts, self.confirm_prune)
        self._phase("prune")
        ending = await undisturbed(switching.prune, self.confirm_prune)
        return ending.with_failures(len(self.failed), catalog.problems)

    def close(self) -> None:
        """Write what is still to be noted and close the inventory."""
        with contextlib.suppress(MirrorError):
            self.receipts.flush()
        self.inventory.close()

    # ------------------------------------------------------------------------------------------ catalog

    def _phase(self, phase: str) -> None:
        self.journal.set(phase=phase)
        self.journal.tick()

    def _index(self, progress: IndexProgress) -> None:
        pair = (progress.channel, progress.subdir)
        if progress.phase == "again":
            self.journal.event("warning", f"{'/'.join(pair)}: {progress.text}")
            return
        if progress.phase in ("fetch", "decode"):
            self.journal.subdir(*pair, "index", size=(progress.bytes_done, progress.bytes_total))
            return
        self.journal.subdir(*pair, "failed" if progress.phase == "failed" else "waiting")
        words = {"ready": f"{progress.records} records", "unchanged": f"unchanged, {progress.records} records"}
        if progress.phase == "failed":
            self.journal.event("error", f"{'/'.join(pair)}: {progress.text}")
        elif progress.phase == "empty":
            odd = progress.subdir != "noarch" or bool(progress.text)
            why = f" (answered {progress.text}: check its name, and token or password)" if progress.text else ""
            self.journal.event("warning" if odd else "info", f"{'/'.join(pair)}: is not upstream{why}")
        else:
            self.journal.event("info", f"{'/'.join(pair)}: index {words[progress.phase]}")

    def _report_problems(self, catalog: Catalog) -> None:
        if catalog.problems and not catalog.indexes:
            first = next(iter(catalog.problems.values()))
            raise UpstreamError(first)
        for name in {pair[0] for pair in catalog.problems}:
            self.journal.event(
                "warning", f"{name} is left as it is in this run, since not all of its indexes could be read"
            )

    # --------------------------------------------------------------------------------------------- plan

    def _plan(self, catalog: Catalog) -> tuple[Work, Plan]:
        broken = {pair[0] for pair in catalog.problems}
        usable = Catalog({pair: index for pair, index in catalog.indexes.items() if pair[0] not in broken})
        decision = decide(usable, self.config)
        here = {pair: presence(index, self.store, self.inventory) for pair, index in usable.indexes.items()}
        todo = planning.work(self.config, decision.selection, here, time.time())
        plan = planning.plan(
            self.config,
            todo,
            self.inventory,
            self.store.disk(),
            catalog.problems.values(),
            decision.broken,
            held=partial(self.store.held, todo),
            confirmed=self.confirm_prune,
        )
        folder = self.config.state / "plans"
        folder.mkdir(exist_ok=True)
        (folder / f"{plan.id}.json").write_bytes(msgspec.json.format(msgspec.json.encode(plan.to_json())))
        for warning in plan.warnings:
            self.journal.event("warning", warning)
        counts = {}
        for pair, item in todo.items():
            self.receipts.start(pair, item)
            size, fetch = np.maximum(item.chosen.index.size, 0), item.add | item.replace | item.check
            counts[pair] = Count(files_total=int(fetch.sum()), bytes_total=int(size[fetch].sum()))
        self.progress.subdirs = counts  # at once: ticks read it meanwhile
        self.journal.set(plan=plan.id)
        return todo, plan

    def _check_space(self, plan: Plan) -> None:
        if plan.needed > plan.free:
            raise NoSpace(
                f"{quantities.words(plan.needed)} are to be fetched, {quantities.words(plan.free)} are free",
                where=str(self.config.root),
                hint="Narrow the selection or make room; nothing was changed",
            )

    # ----------------------------------------------------------------------------------------- transfer

    async def _transfer(self, todo: Work) -> None:
        await undisturbed(self._prepare_folders, todo)
        async with self._receipts_written():
            await self._bring(lanes(self.config, self.store, todo))
        await undisturbed(self.receipts.flush)

    async def _bring(self, lanes: Iterable[Iterable[Job]]) -> None:
        assert self.engine is not None
        await self.engine.run(lanes, self._done)
        while self.failed and self.retry_asked:
            self.retry_asked = False
            failed, self.failed = self.failed, []
            self.journal.forget_failures()
            for outcome in failed:
                self.progress.subdirs[outcome.job.channel, outcome.job.subdir].failed -= 1
            await self.engine.run(again(outcome.job for outcome in failed), self._done)

    @contextlib.asynccontextmanager
    async def _receipts_written(self) -> AsyncIterator[None]:
        """Write receipts beside the transfers, in a thread: a slow disk must not stop the reading of sockets."""

        async def write() -> None:
            while True:
                await asyncio.sleep(0.5)
                if self.receipts.due:
                    with contextlib.suppress(
                        StateError
                    ):  # a database that is locked for a moment; the last flush tells
                        await undisturbed(self.receipts.flush)

        writer = asyncio.create_task(write())
        try:
            yield
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    def _prepare_folders(self, todo: Work) -> None:
        """Make the folders; a channel of which one cannot be written to is left as it is, and out of the work."""
        for pair, item in todo.items():
            if item.chosen.mask.any():
                try:
                    self.store.prepare(*pair)
                except TargetError as error:
                    self.unusable[pair[0]] = str(error)
                    self.journal.event("error", f"{pair[0]} is left as it is: {error}")
        for pair in [pair for pair in todo if pair[0] in self.unusable]:
            del todo[pair]
        self.progress.subdirs = {pair: count for pair, count in self.progress.subdirs.items() if pair in todo}

    def _done(self, outcome: Outcome) -> None:
        job = outcome.job
        count = self.progress.subdirs[job.channel, job.subdir]
        if outcome.status == "failed":
            count.failed += 1
            self.failed.append(outcome)
            self.journal.event("error", outcome.text)
            self.journal.failure(job.channel, job.subdir, job.fn, outcome.reason, outcome.text)
            return
        count.files_done += 1
        count.bytes_done += max(job.size, 0)
        if outcome.status == "adopted":
            self.progress.adopted += 1
        elif job.replace:
            self.progress.replaced += 1
        else:
            self.progress.added += 1
        self.receipts.add(outcome)

    # ------------------------------------------------------------------------------- the journal's ticks

    def tick(self) -> None:
        """Write progress, transfers in flight and totals to the journal."""
        show(self.journal, self.engine, self.progress, self.limit.rate)

    def obey(self, commands: Iterable[tuple[str, str]]) -> bool:
        """Carry out commands of viewers; returns True where one asks to stop."""
        for verb, argument in commands:
            self.journal.event("info", f"asked to {verb} {_as_rate(verb, argument)}".rstrip())
            if verb == "stop":
                self.state = "stopping"
                self.journal.set(state="stopping")
                return True
            if verb in ("pause", "resume") and self.engine:
                (self.engine.pause if verb == "pause" else self.engine.resume)()
                self.state = "paused" if verb == "pause" else "running"
                self.journal.set(state=self.state)
            elif verb == "limit" and _RATE.fullmatch(argument):
                self.limit.set(int(argument))
            elif verb == "retry":
                self.retry_asked = True
        return False
