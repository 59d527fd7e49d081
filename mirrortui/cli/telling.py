"""A run in words: how it gets on, how it ended, what could not be had."""

import time

from mirrortui.cli.output import span
from mirrortui.quantities import words as size
from mirrortui.worker.snapshot import Snapshot

MOST = 20
"""How many failures are told one by one; `status --json` lists all."""


def progress_line(snapshot: Snapshot) -> str:
    """One line on a run at work: what, how much, how fast, how long."""
    run = snapshot.run
    if run is None:
        return "there was no run yet"
    share = f"{100 * run.bytes_done / run.bytes_total:.0f} %, " if run.bytes_total else ""
    eta = f", {span(run.eta)} left" if run.eta is not None and snapshot.state == "running" and run.files_total else ""
    return (
        f"run {run.id} {snapshot.state} {run.phase}: {share}{run.files_done:,} of {run.files_total:,} files, "
        f"{size(run.bytes_done)} of {size(run.bytes_total)}, {size(run.rate)}/s{eta}"
    ).replace(" :", ":")


def ending_line(snapshot: Snapshot) -> str:
    """One line on a run that has ended: how, after how long, what it did, why it did no more."""
    run = snapshot.run
    if run is None:
        return "there was no run yet"
    took = span((run.ended or time.time()) - run.started)
    nothing = not (run.added or run.replaced or run.dropped or run.pruned)
    work = (
        "nothing to do"
        if nothing and snapshot.state == "done"
        else (
            f"added {run.added:,}, replaced {run.replaced:,}, dropped {run.dropped:,}, pruned {run.pruned:,}, {size(run.bytes_fetched)} received"
        )
    )
    message = f": {run.message}" if run.message else ""
    hint = "; start it again: “mirrortui sync” resumes where it stopped" if snapshot.state == "crashed" else ""
    return f"run {run.id} {snapshot.state} after {took}: {work}{message}{hint}"


def faults(snapshot: Snapshot) -> list[str]:
    """A line for each index that could not be read, and for the first of the files that could not be had."""
    lines = [f"error: {p.channel}/{p.subdir}: {p.text}" for p in snapshot.problems]
    lines += [f"error: {failure.text}" for failure in snapshot.failures[:MOST]]
    if snapshot.failed_count > MOST:
        lines.append(f"error: and {snapshot.failed_count - MOST} more; “mirrortui status --json” lists them")
    return lines
