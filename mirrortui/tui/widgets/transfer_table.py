"""The tables of the sync screen: subdirs, transfers in flight, and what could not be had."""

import re
from collections.abc import Sequence

from mirrortui.tui import format as fmt
from mirrortui.tui.glyphs import DASH, DOTS
from mirrortui.tui.text import safe, wrapped
from mirrortui.tui.widgets.line_table import Cell, Column, LineTable, Row
from mirrortui.tui.widgets.lines import Line, line, set_title
from mirrortui.worker.advice import advice
from mirrortui.worker.snapshot import Failure, InFlight, Snapshot, SubdirProgress

_STYLES = {"done": "good", "failed": "bad", "waiting": "dim"}


def subdir_rows(subdirs: Sequence[SubdirProgress]) -> list[Row]:
    """One row a subdir."""
    rows = []
    for s in subdirs:
        failed = (f"{fmt.count(s.failed)} failed", "bad") if s.failed else ""
        cells = (
            f"{s.channel}/{s.subdir}",
            (s.phase, _STYLES.get(s.phase, "")),
            fmt.percent(s.bytes_done, s.bytes_total) if s.bytes_total or s.phase != "done" else "",
            f"{fmt.count(s.files_done)}/{fmt.count(s.files_total)}" if s.files_total else DASH,
            f"{fmt.size(s.bytes_done)} of {fmt.size(s.bytes_total)}" if s.bytes_total else DASH,
            failed,
        )
        rows.append(Row(f"{s.channel}/{s.subdir}", cells))
    return rows


_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S*: ")
_WAITING = {"busy": "host busy", "down": "host down", "queued": "in line"}


def _speed(f: InFlight, *, paused: bool) -> Cell:
    """The rate, or why there is none."""
    if paused:
        return "paused", "dim"
    if f.waiting:
        return _WAITING.get(f.waiting, f.waiting), "dim" if f.waiting == "queued" else "warn"
    return fmt.rate(f.rate) if f.rate else DASH


def flight_rows(flights: Sequence[InFlight], *, paused: bool = False) -> list[Row]:
    """One row a transfer; the slot is its place, so that rows never jump."""
    rows = []
    for f in flights:
        cells = (
            fmt.percent(f.bytes_done, f.bytes_total),
            _speed(f, paused=paused),
            (_small_bar(f.bytes_done, f.bytes_total), "bar"),
            fmt.size(f.bytes_total) if f.bytes_total else DASH,
            (f"try {f.attempt}: {f.fn}", "warn") if f.attempt > 1 else f.fn,
            (f"{f.channel}/{f.subdir}", "dim"),
        )
        rows.append(Row(str(f.slot), cells))
    return rows


def _small_bar(done: int, total: int) -> str:
    return fmt.thin_bar(10, done, total) if total else DOTS


def failure_rows(failures: Sequence[Failure]) -> list[Row]:
    """One row a file; the URL that an error begins with would push what it says out of sight."""
    return [
        Row(failure_key(f), (f.fn, (f"{f.channel}/{f.subdir}", "dim"), (f.reason, "bad"), _without_url(f.why)))
        for f in failures
    ]


def _without_url(why: str) -> str:
    url = _URL.match(why)
    return why[url.end() :] if url else why


def failure_key(failure: Failure) -> str:
    """What a file's row is known by."""
    return f"{failure.channel}/{failure.subdir}/{failure.fn}"


def failure_lines(failure: Failure, width: int) -> list[Line]:
    """Everything about a file that could not be had, and what an administrator does about it."""
    out = [line((part, "strong")) for part in wrapped(failure.fn, width, hyphens=False)]
    out += [line((f"{failure.channel}/{failure.subdir}", "dim")), ()]
    first, *more = wrapped(failure.why, width, first=len(failure.reason) + 2, hyphens=False)
    out += [line((safe(failure.reason, 20), "bad"), "  ", first), *(line(rest) for rest in more), ()]
    out += [line((part, "accent")) for part in wrapped(advice(failure.reason), width) if part]
    return out


def failed_words(snapshot: Snapshot, *, retry: bool) -> str:
    """The title of what failed; while the others still come, it says when a retry happens."""
    count = snapshot.failed_count + len(snapshot.problems)
    if not count:
        return "Failed"
    later = ", r retries at the end" if retry and snapshot.active else ""
    return f"Failed {fmt.count(count)}, enter tells more{later}"


def subdir_table() -> LineTable:
    """Subdirs of the run."""
    columns = (
        Column("channel/subdir"),
        Column("phase", 8),
        Column("done", 5, right=True),
        Column("files", 15, right=True, above=96),
        Column("size", 18, right=True, above=66),
        Column("", 9, above=58),
    )
    table = LineTable(columns, empty="nothing planned yet", id="subdirs", classes="pane")
    set_title(table, "Subdirs")
    return table


def flight_table() -> LineTable:
    """Transfers in flight. What changes all the time stands at the left: a repaint begins there."""
    columns = (
        Column("", 5, right=True),
        Column("", 9, right=True),
        Column("", 10, above=56),
        Column("", 7, right=True, above=70),
        Column(""),
        Column("", 22, above=116),
    )
    table = LineTable(columns, heading=False, cursor=False, empty="no transfers", id="flights", classes="pane")
    set_title(table, "In flight")
    return table


def failure_table() -> LineTable:
    """What could not be had."""
    columns = (Column("file"), Column("subdir", 22, above=96), Column("why", 9), Column("", 0, above=60))
    table = LineTable(columns, heading=False, empty="no failures", id="failures", classes="pane")
    set_title(table, "Failed")
    return table
