"""One run of the history: what it did, how it ended, and what it could not have."""

from collections.abc import Sequence

from mirrortui.tui import format as fmt
from mirrortui.tui.glyphs import SEP
from mirrortui.tui.rooms import Rooms
from mirrortui.tui.screens.ask import Ask, Found
from mirrortui.tui.text import wrapped
from mirrortui.tui.view import View
from mirrortui.tui.widgets.lines import Line, line
from mirrortui.worker.advice import advice
from mirrortui.worker.snapshot import Failure, RunStatus


def told(rooms: Rooms, view: View, run: RunStatus) -> Ask:
    """The page; what failed is read from the journal."""

    def work(_: str) -> Found:
        failures = rooms.failures(view.config, run.id)
        begun = fmt.moment(run.started, view.now)
        took = f", took {fmt.span(run.ended - run.started)}" if run.ended else ""
        return Found(f"Started {begun}{took}", lambda width: run_lines(run, failures, width))

    return Ask(f"Run {run.id}", "", None, work, busy="reading the journal", at_once=True)


def run_lines(run: RunStatus, failures: Sequence[Failure], width: int) -> list[Line]:
    """Figures, message, and the files that failed, by reason, with what to do about each reason."""
    done = (("added", run.added), ("replaced", run.replaced), ("dropped", run.dropped), ("pruned", run.pruned))
    figures = f" {SEP} ".join(f"{word} {fmt.count(number)}" for word, number in done)
    out = [line((figures, "dim")), line((f"{fmt.size(run.bytes_fetched)} received", "dim"))]
    if run.message:
        out += [(), *(line((part, "warn")) for part in wrapped(run.message, width, hyphens=False))]
    by_reason: dict[str, list[Failure]] = {}
    for failure in failures:
        by_reason.setdefault(failure.reason, []).append(failure)
    for reason, failed in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        out += [(), line((f"{reason}: {fmt.files(len(failed))}", "bad"))]
        out += [line((part, "accent")) for part in wrapped(advice(reason), width) if part]
        for failure in failed:
            words = f"{failure.channel}/{failure.subdir}/{failure.fn} {failure.why}"
            first, *more = wrapped(words, width - 2, hyphens=False)
            out += [line(first), *(line("  ", (rest, "dim")) for rest in more)]
    return out
