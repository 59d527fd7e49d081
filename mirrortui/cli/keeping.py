"""verify: is the tree still what it was, and what is to be done where it is not."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mirrortui.cli.output import config_option, emit, json_option, load, say, span, tell
from mirrortui.config import MirrorConfig
from mirrortui.errors import MirrorError, UsageError
from mirrortui.naming import display
from mirrortui.quantities import counted as count
from mirrortui.quantities import words as size
from mirrortui.worker.ending import INTERRUPTED

if TYPE_CHECKING:  # the verbs import these rooms when they need them
    from mirrortui.mirror.inventory import Inventory
    from mirrortui.mirror.store import Store
    from mirrortui.mirror.verify import Bad, Verified

MOST = 20
_ENDING = (signal.SIGINT, signal.SIGTERM)


@click.command()
@config_option
@json_option
@click.option(
    "--sample", default="100%", show_default=True, help="Hash only a random share of the files, for example 5%."
)
@click.option("--repair", is_flag=True, help="Run a sync that fetches again what is wrong.")
@click.option("--threads", default=0, type=click.IntRange(0, 256), help="Files hashed at once (default: one a core).")
def verify(config_path: Path | None, as_json: bool, sample: str, repair: bool, threads: int) -> int:
    """Hash the mirrored files again, and all published metadata. Goes on where an earlier pass was stopped. Exit code 1 where a file is wrong."""
    settings, path = load(config_path)
    share = _share(sample)
    found, wanted, lost = _hash(settings, share, threads, repair)
    if not as_json:
        _tell(found)
    code = None
    beyond = [bad for bad in lost if bad.reason != "unreadable"]
    if repair and found.bad and found.finished:
        code, left = _repair(settings, path, wanted) if wanted else (0, [])
        lost += left
    if as_json:
        emit(_as_json(found, code, lost))
    elif found.finished:
        _tell_what_next(settings, found, None if code is None else lost)
        if beyond:
            say(
                "what only a snapshot needs no run fetches, and it is kept: bring the file back, or delete the snapshot"
            )
    if not found.finished:
        whole = "stopped; the next “mirrortui verify” goes on from here"
        say(whole if share >= 1 else "stopped; a sample is not gone on with, the next one is another")
        return INTERRUPTED
    if code is not None:
        return code or (1 if lost else 0)
    return 1 if found.bad else 0


def _hash(settings: MirrorConfig, share: float, threads: int, repair: bool) -> "tuple[Verified, list[Bad], list[Bad]]":
    """Do one pass under the lock; with `repair` also what is to be fetched again and what cannot be."""
    from mirrortui.mirror.verify import verify as check
    from mirrortui.worker.keeping import locked

    with locked(settings, "verify") as (store, inventory), _signals() as stop:
        found = check(store, inventory, sample=share, threads=threads, report=_progress(), stopped=lambda: bool(stop))
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
        wanted, lost = list["Bad"](), list["Bad"]()
        if repair and found.finished:
            from mirrortui.mirror.repair import mend

            wanted, lost = mend(settings, store, inventory, found.bad)
        elif found.bad:
            from mirrortui.mirror.repair import doubt

            with suppress(MirrorError):  # where nothing can be noted, there is still what was found to tell
                doubt(inventory, found.bad)
        _tell_unknown(settings, store, inventory)
    return found, wanted, lost


def _tell_unknown(settings: MirrorConfig, store: "Store", inventory: "Inventory") -> None:
    from mirrortui.mirror.named import strange

    pairs = ((channel.name, subdir) for channel in settings.channels for subdir in channel.subdirs)
    if unknown := strange(store, inventory, pairs):
        say(f"nothing is known of {count(unknown, 'file')} here yet: run “mirrortui sync” first")


@contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that SIGINT and SIGTERM add themselves to, so that a pass ends in good order."""
    seen: list[int] = []
    before = {number: signal.signal(number, lambda got, _: seen.append(got)) for number in _ENDING}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress() -> "Callable[[Verified], None]":
    """Show on a terminal, twice a second, how a pass gets on."""
    last = 0.0

    def report(now: "Verified") -> None:
        nonlocal last
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            rate = now.bytes / now.seconds if now.seconds else 0
            left = span((now.bytes_total - now.bytes) / rate) if rate else "unknown"
            text = f"{now.files:,} of {now.files_total:,} files, {size(now.bytes)}, {size(rate)}/s, {left} left"
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    return report if sys.stderr.isatty() else lambda _: None


def _as_json(found: "Verified", code: int | None, lost: "list[Bad]") -> dict[str, object]:
    return {
        "files": found.files,
        "bytes": found.bytes,
        "skipped": found.skipped,
        "metadata": found.metadata,
        "seconds": round(found.seconds, 2),
        "finished": found.finished,
        "bad": [bad._asdict() for bad in found.bad],
        "orphans": found.orphans,
        "repair": None if code is None else {"exit_code": code, "left": [bad._asdict() for bad in lost]},
    }


def _tell(found: "Verified") -> None:
    for bad in found.bad:
        tell(f"{bad.reason}: {bad.path}: expected {bad.expected}" + (f", found {bad.found}" if bad.found else ""))
    for orphan in found.orphans[:MOST]:
        say(f"not of this mirror: {orphan}")
    if len(found.orphans) > MOST:
        say(f"not of this mirror: and {len(found.orphans) - MOST} more; --json lists them")
    rate = f" ({size(found.bytes / found.seconds)}/s)" if found.seconds > 0.01 else ""
    skipped = f", {found.skipped:,} were hashed in the pass before" if found.skipped else ""
    say(
        f"hashed {count(found.files, 'file')}, {size(found.bytes)}{rate}, and {found.metadata:,} of metadata{skipped}: "
        f"{len(found.bad)} wrong, {len(found.orphans)} not of this mirror"
    )


def _tell_what_next(settings: MirrorConfig, found: "Verified", lost: "list[Bad] | None") -> None:
    """Say what is mended (`lost` could not be; None = nothing was tried), and what the operator may do now."""
    if lost is not None:
        for bad in lost:
            say(f"not mended: {bad.path}: {bad.reason}")
        say(f"mended {len(found.bad) - len(lost):,} of {count(len(found.bad), 'file')}")
    elif found.bad:
        say("next: “mirrortui verify --repair” fetches anew what is wrong")
    if found.orphans:
        say(
            f"what is not of this mirror stands in no index, and mirrortui never deletes it: the next sync takes in what "
            f"it wants of it; delete the rest by hand below {settings.root}"
        )


def _share(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise UsageError(f"“{display(text)}” is no share of the files", hint="Write for example --sample 5%")
    return value


def _repair(settings: MirrorConfig, path: Path, wanted: "list[Bad]") -> "tuple[int, list[Bad]]":
    """Do a run for what is wanted anew; returns its exit code and what it has not brought."""
    from mirrortui.cli.narrating import narrated
    from mirrortui.mirror.inventory import Inventory
    from mirrortui.mirror.repair import unmended
    from mirrortui.mirror.store import Store
    from mirrortui.worker.launch import foreground

    say("fetching what was wrong")
    try:
        with narrated(settings.state):
            ending = foreground(path)
        code, message = ending.code, f"the run ended {ending.state}: {ending.message}" if ending.message else ""
    except MirrorError as error:  # what was found is still to be told
        code, message = error.exit_code, str(error)
    if message:
        say(message)
    inventory = Inventory(settings.state)
    try:
        return code, unmended(Store(settings.root), inventory, wanted)
    finally:
        inventory.close()
