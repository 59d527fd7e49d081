"""What a run shows of itself: its counters, and the transfers in flight, as lines of the journal."""

import time

from mirrortui.transfer.engine import IN_LINE, Engine
from mirrortui.transfer.job import Flight
from mirrortui.transfer.retry import Hosts, host_of
from mirrortui.worker.journal import Journal
from mirrortui.worker.progress import Progress


def show(journal: Journal, engine: Engine | None, progress: Progress, limit: int) -> None:
    """Write one tick: every subdir, every transfer under way, the totals with rate and time left."""
    flights = sorted(engine.flights.items()) if engine else []
    in_flight = sum(flight.done for _, flight in flights)
    by_subdir: dict[tuple[str, str], int] = {}
    for _, flight in flights:
        pair = (flight.job.channel, flight.job.subdir)
        by_subdir[pair] = by_subdir.get(pair, 0) + flight.done
    progress.sample(engine.received if engine else 0)
    for pair, count in progress.subdirs.items():
        left = count.files_total - count.files_done - count.failed
        files = (count.files_done, count.files_total)
        size = (count.bytes_done + by_subdir.get(pair, 0), count.bytes_total)
        journal.subdir(*pair, "transfer" if left else "done", files, size, count.failed)
    now = time.monotonic()
    journal.flights(
        (
            slot,
            f.job.channel,
            f.job.subdir,
            f.job.fn,
            f.done,
            max(f.job.size, 0),
            f.done / max(now - f.started, 0.1),
            f.attempt,
            *(waiting(engine.hosts, f, now) if engine and f.waiting else ("", 0.0)),
        )
        for slot, f in flights
    )
    if engine:
        journal.set(
            files_done=progress.total("files_done"),
            files_total=progress.total("files_total"),
            bytes_done=progress.total("bytes_done") + in_flight,
            bytes_total=progress.total("bytes_total"),
            bytes_fetched=engine.received,
            added=progress.added,
            replaced=progress.replaced,
            rate=progress.rate,
            eta=progress.eta(in_flight),
            speed_limit=limit,
        )
    journal.tick()


def waiting(hosts: Hosts, flight: Flight, now: float) -> tuple[str, float]:
    """Why a transfer brings nothing (the words of `InFlight.waiting`), and for how many seconds more, 0 where that is not known."""
    known = (hosts.hosts.get(host_of(url)) for url in flight.job.urls)
    blocked = [host for host in known if host is not None and host.blocked_until > now]
    if blocked:
        first = min(blocked, key=lambda host: host.blocked_until)
        return "busy" if first.asked else "down", first.blocked_until - now
    return "queued" if flight.waiting == IN_LINE else flight.waiting, 0.0
