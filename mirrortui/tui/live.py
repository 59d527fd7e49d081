"""The real rooms behind the seam. Everything heavy is imported by the call that needs it, in its thread."""

import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from mirrortui import config as toml
from mirrortui.config import Channel, Mirror, MirrorConfig, Selection
from mirrortui.errors import MirrorError
from mirrortui.mirror.plan import Plan
from mirrortui.tui.draft import pairs, tick
from mirrortui.tui.rooms import ClientPreview, ClientReceipt, Journal, Pair, Picture, Profile, Reading

LOCKED = "system-locked"
FRESH = 30.0
"""Seconds for which what is on disk is taken as known; a sync may be filling it."""
_SPEC_KEYS = ("include", "exclude", "always")


class LiveRooms:
    """`Rooms` over this program's own rooms."""

    def __init__(self) -> None:
        self._survey: Any = None  # catalog and selection are imported by the first estimate, not before
        self._surveyed: tuple[Any, ...] = ()
        self._survey_time = 0.0
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

    def check(self, config: MirrorConfig) -> dict[str, str]:
        """The config room's own words, plus every MatchSpec and license word on its own."""
        from mirrortui.selection import licenses, matchspec

        found: dict[str, str] = {}
        try:
            toml.from_dict(toml.to_dict(config), where="")
        except MirrorError as error:
            key, _, rest = error.what.partition(": ")
            found[key] = f"{rest or error.what}{f'. {error.hint}' if error.hint else ''}"
        readers: dict[str, Callable[[str], object]] = dict.fromkeys(_SPEC_KEYS, matchspec.parse)
        readers["exclude_licenses"] = licenses.check_rule
        for key, read in readers.items():
            for word in getattr(config.selection, key):
                try:
                    read(word)
                except MirrorError as error:
                    found.setdefault(f"selection.{key}", str(error))
        return found

    def disk(self, root: Path) -> tuple[int, int]:
        """Free and total bytes below the root or its nearest existing parent."""
        place = root
        while not place.exists() and place != place.parent:
            place = place.parent
        stat = os.statvfs(place)
        return stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize

    # -------------------------------------------------------------------------------- sizes and the plan

    def picture(self, config: MirrorConfig, others: Sequence[Pair]) -> Picture:
        """One survey serves all drafts of a while, until an index was read or the places change."""
        shown = config
        for channel, subdir in others:
            shown = tick(shown, channel, [subdir], on=True)
        key = (config.mirror.root, config.mirror.state, pairs(shown))
        with self._lock:
            old = time.monotonic() - self._survey_time > FRESH
            if self._survey is None or old or key != self._surveyed:
                from mirrortui.mirror.survey import survey

                self._survey, self._surveyed = survey(shown, pairs=list(pairs(shown))), key
                self._survey_time = time.monotonic()
            estimate = self._survey.estimate(config)
            wide = self._survey.estimate(shown) if others else estimate
        wanted = set(others)
        return Picture(estimate, {(s.channel, s.subdir): s for s in wide.subdirs if (s.channel, s.subdir) in wanted})

    def plan(self, config: MirrorConfig) -> Plan:
        """From a survey of its own: the disk may have changed."""
        from mirrortui.mirror.survey import survey

        plan: Plan = survey(config).plan(config)
        return plan

    async def refresh(self, config: MirrorConfig, wanted: Sequence[Pair]) -> AsyncIterator[Reading]:
        """Fetch and decode in a child process."""
        from mirrortui.worker.indexing import refresh_in_child

        shown = config
        for channel, subdir in wanted:
            shown = tick(shown, channel, [subdir], on=True)
        async for p in refresh_in_child(shown, list(wanted)):
            yield Reading(p.channel, p.subdir, p.phase, p.bytes_done, p.bytes_total, p.records, p.text)
        self._survey = None

    async def discover(self, config: MirrorConfig, channel: str) -> tuple[str, ...]:
        """Ask upstream which subdirs there are."""
        from mirrortui.worker.indexing import discover_in_child

        entry: Channel = config.channel(channel)
        found: tuple[str, ...] = await discover_in_child(config, entry)
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

    def survival(self) -> str:
        """Whether the worker outlives the login."""
        from mirrortui.worker import launch

        return str(launch.survival())

    # --------------------------------------------------------------------------------------- the clients

    def profiles(self) -> tuple[Profile, ...]:
        """User, system, and system with the keys locked."""
        from mirrortui import clients

        user, system = Path(clients.target("user")), Path(clients.target("system"))
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
