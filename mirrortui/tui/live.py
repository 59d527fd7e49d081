"""The real rooms behind the seam. Everything heavy is imported by the call that needs it, in its thread."""

import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mirrortui import config as toml
from mirrortui.config import Mirror, MirrorConfig, Selection
from mirrortui.errors import MirrorError
from mirrortui.mirror.plan import Plan
from mirrortui.tui.draft import pairs, tick
from mirrortui.tui.rooms import (
    Cancelled,
    Checked,
    ClientPreview,
    ClientReceipt,
    History,
    Journal,
    Pair,
    Picture,
    Profile,
    Reading,
    Wrong,
)

if TYPE_CHECKING:  # catalog and selection are imported by the first estimate, not before
    from mirrortui.mirror.solving import Solved
    from mirrortui.mirror.survey import Survey
    from mirrortui.selection.estimate import Details, Estimate
    from mirrortui.selection.explain import Answer
    from mirrortui.selection.nametable import NameTable
    from mirrortui.worker.snapshot import Failure

LOCKED = "system-locked"
FRESH = 30.0
"""Seconds for which what is on disk is taken as known; a sync may be filling it."""


def _field(key: str) -> str:
    """`selection.include[3]` stands in the field `selection.include`; a channel's own rules have none."""
    return key.rpartition("[")[0] if key.startswith("selection.") else key


def _wrong(word: str, error: MirrorError) -> Wrong:
    """What cannot be read in an entry, and where, if the error knows."""
    column = getattr(error, "column", 0)
    words = f"{error.what}{f'. {error.hint}' if error.hint else ''}" if column else str(error)
    return Wrong(words, word, column)


class LiveRooms:
    """`Rooms` over this program's own rooms."""

    def __init__(self, home: Path | None = None) -> None:
        self._home = home
        self._survey: Survey | None = None
        self._place = ("", "")
        self._surveyed: set[Pair] = set()
        self._survey_time = -FRESH
        self._lock = threading.Lock()

    def clock(self) -> float:
        """Seconds since 1970."""
        return time.time()

    # ------------------------------------------------------------------------------------- mirror.toml

    def load(self, path: Path) -> MirrorConfig:
        """Read a mirror.toml."""
        return toml.load(path)

    def save(self, config: MirrorConfig, path: Path) -> None:
        """Validate and write it."""
        toml.save(config, path)

    def text(self, config: MirrorConfig) -> str:
        """What `save` would write."""
        return toml.dumps(config)

    def fresh(self) -> MirrorConfig:
        """A mirror named after nothing in particular, below /srv for root and below home for others."""
        root = Path("/srv/conda") if os.geteuid() == 0 else Path.home() / "conda-mirror"
        host = socket.gethostname() or "localhost"
        mirror = Mirror(name="lab", root=str(root), url=f"http://{host}:8080", state=str(toml.default_state("lab")))
        return MirrorConfig(mirror=mirror)

    def search_path(self) -> list[Path]:
        """Where mirror.toml is looked for; for root the system's place comes first."""
        here, own, system = toml.search_path()
        return [system, own, here] if os.geteuid() == 0 else [own, here, system]

    def check(self, config: MirrorConfig) -> Checked:
        """The config room's own words, then every text of the rules on its own; the first of a field is shown."""
        from mirrortui.selection import checking

        wrong: dict[str, Wrong] = {}
        hints: dict[str, str] = {}
        try:
            toml.from_dict(toml.to_dict(config), where="")
        except MirrorError as error:
            key, _, rest = error.what.partition(": ")
            wrong[key] = Wrong(f"{rest or error.what}{f'. {error.hint}' if error.hint else ''}")
        for key, text, fault in checking.wrong(config):
            wrong.setdefault(_field(key), _wrong(text, fault))
        for key, words in checking.warnings(config).items():
            hints.setdefault(_field(key), words)
        return Checked(wrong, hints)

    def disk(self, root: Path) -> tuple[int, int]:
        """Free and total bytes below the root or its nearest existing parent."""
        place = root
        while not place.exists() and place != place.parent:
            place = place.parent
        stat = os.statvfs(place)
        return stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize

    # -------------------------------------------------------------------------------- sizes and the plan

    def _survey_of(self, config: MirrorConfig, more: Iterable[Pair] = (), *, anew: bool = False) -> "Survey":
        """One survey serves all drafts of a while, until an index was read, the places change, or a subdir is new."""
        with self._lock:
            wanted = dict.fromkeys((*pairs(config), *more))
            place = (config.mirror.root, config.mirror.state)
            known = self._surveyed if place == self._place else set()
            old = time.monotonic() - self._survey_time >= FRESH
            if anew or old or self._survey is None or not known.issuperset(wanted):
                from mirrortui.mirror.survey import survey

                everything = dict.fromkeys((*wanted, *known))
                self._survey = survey(config, pairs=list(everything), before=self._survey)
                self._place, self._surveyed, self._survey_time = place, set(everything), time.monotonic()
            return self._survey

    def picture(self, config: MirrorConfig, others: Sequence[Pair]) -> Picture:
        """Quick figures of the draft, and of it with every other subdir ticked."""
        shown = config
        for channel, subdir in others:
            shown = tick(shown, channel, [subdir], on=True)
        survey = self._survey_of(config, others)
        estimate = survey.estimate(config, quick=True)
        wide = survey.estimate(shown, quick=True) if others else estimate
        wanted = set(others)
        return Picture(estimate, {(s.channel, s.subdir): s for s in wide.subdirs if (s.channel, s.subdir) in wanted})

    def exact(self, config: MirrorConfig, cancelled: Cancelled) -> "Estimate | None":
        """The same survey, version by version."""
        from mirrortui.selection import closure

        try:
            return self._survey_of(config).estimate(config, cancelled=cancelled)
        except closure.Cancelled:
            return None

    def names(self, config: MirrorConfig, *, quick: bool, cancelled: Cancelled) -> "NameTable | None":
        """The same survey, by package name."""
        from mirrortui.selection import closure

        try:
            return self._survey_of(config).names(config, quick=quick, cancelled=cancelled)
        except closure.Cancelled:
            return None

    def details(self, config: MirrorConfig) -> "Details":
        """Growth, largest names, license families."""
        return self._survey_of(config).details(config)

    def explain(self, config: MirrorConfig, question: str) -> "list[Answer]":
        """Which rule decided."""
        return self._survey_of(config).explain(config, question)

    def solve(self, config: MirrorConfig, environments: Sequence[str]) -> "list[Solved]":
        """With the solver's own process."""
        return self._survey_of(config).check(config, environments)

    def plan(self, config: MirrorConfig) -> Plan:
        """From a new survey: the disk may have changed."""
        return self._survey_of(config, anew=True).plan(config)

    async def refresh(self, config: MirrorConfig, wanted: Sequence[Pair]) -> AsyncIterator[Reading]:
        """Fetch and decode in a child process."""
        from mirrortui.worker.indexing import refresh_in_child

        shown = config
        for channel, subdir in wanted:
            shown = tick(shown, channel, [subdir], on=True)
        async for p in refresh_in_child(shown, list(wanted)):
            yield Reading(p.channel, p.subdir, p.phase, p.bytes_done, p.bytes_total, p.records, p.text)
        self._survey_time = -FRESH

    async def discover(self, config: MirrorConfig, channel: str) -> tuple[str, ...]:
        """Ask upstream which subdirs there are."""
        from mirrortui.worker.indexing import discover_in_child

        found: tuple[str, ...] = await discover_in_child(config, config.channel(channel))
        return found

    # ------------------------------------------------------------------------------------------- the run

    def journal(self, state: Path) -> Journal:
        """The journal's reader."""
        from mirrortui.worker.reader import JournalReader

        return JournalReader(state)

    def start(self, path: Path, *, allow_prune: bool) -> int:
        """Start the detached worker."""
        from mirrortui.worker import launch

        return int(launch.start(path, confirm_prune=allow_prune))

    def send(self, state: Path, verb: str, argument: str) -> None:
        """Tell the worker something."""
        from mirrortui.worker import commands

        commands.send(state, verb, argument)

    def bystander(self, state: Path) -> str:
        """By the modes of folder and journal."""
        from mirrortui.worker.rights import bystander

        return str(bystander(state))

    def failures(self, config: MirrorConfig, run: int) -> "tuple[Failure, ...]":
        """From the journal."""
        from mirrortui.worker.reader import JournalReader

        with closing(JournalReader(config.state)) as reader:
            found: tuple[Failure, ...] = reader.failures(run)
        return found

    def survival(self) -> str:
        """Whether the worker outlives the login."""
        from mirrortui.worker import launch

        return str(launch.survival())

    def history(self, config: MirrorConfig, *, network: bool) -> History:
        """The journal's runs, the tree's snapshots, and what doctor finds."""
        from mirrortui.mirror import lacking
        from mirrortui.mirror.store import Store
        from mirrortui.worker.doctor import examine
        from mirrortui.worker.reader import JournalReader

        with closing(JournalReader(config.state)) as reader:
            runs = reader.runs()
        frozen = tuple(reversed(lacking.overview(Store(config.root), config.state)))
        return History(runs, frozen, tuple(examine(config, network=network)))

    # --------------------------------------------------------------------------------------- the clients

    def profiles(self) -> tuple[Profile, ...]:
        """User, system, and system with the keys locked."""
        from mirrortui import clients

        user, system = clients.target("user"), clients.target("system")
        if self._home is not None:
            user, system = clients.target("user", env={}, home=self._home), self._home / system.relative_to("/")
        return (
            Profile("user", "this account", user),
            Profile("system", "everyone on this host", system),
            Profile(LOCKED, "everyone, locked", system),
        )

    def client_preview(self, config: MirrorConfig, profile: str, url: str, target: Path) -> ClientPreview:
        """From what is really mirrored below the root."""
        from mirrortui import clients

        kind: clients.Profile = "user" if profile == "user" else "system"
        condarc = clients.build(
            clients.scan(config.root),
            url,
            profile=kind,
            order=[channel.name for channel in config.channels],
            upstreams={channel.name: channel.upstreams for channel in config.channels},
            filtered=any(config.rules(channel) != Selection() for channel in config.channels),
            lock=profile == LOCKED,
        )
        found = clients.preview(condarc, target)
        return ClientPreview(
            target, found.before, found.after, found.changed, found.mode, tuple(found.warnings), token=found
        )

    def client_write(self, preview: ClientPreview) -> ClientReceipt:
        """Write it."""
        from mirrortui import clients

        receipt = clients.write(preview.token)
        return ClientReceipt(preview.path, receipt.backup, token=receipt)

    def client_undo(self, receipt: ClientReceipt) -> None:
        """Put back what was there."""
        from mirrortui import clients

        clients.undo(receipt.token)
