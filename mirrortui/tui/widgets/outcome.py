"""What to say in words about the state of a run, and what can be done next."""

from collections import Counter

from mirrortui.tui import format as fmt
from mirrortui.tui.glyphs import DOTS, SEP
from mirrortui.tui.text import wrapped
from mirrortui.tui.view import View
from mirrortui.tui.widgets.lines import Line, line, width
from mirrortui.tui.widgets.status_bar import run_state
from mirrortui.worker.snapshot import RunStatus, Snapshot

MOST = 6
"""Lines of words at most."""

_HELD_UP = {
    "busy": "too many requests, says the upstream",
    "down": "the upstream fails again and again",
}


def outcome_lines(view: View, asked: str, total: int) -> list[Line]:
    """The words in lines of `total` cells; none where the run just goes on."""
    snapshot = view.snapshot
    if view.trouble:
        return _told((("", "bad"),), view.trouble, "", total)
    if snapshot is None:
        return [line(("reading the journal", "dim"))]
    run = snapshot.run
    if run is None:
        return [line("No run yet. ", (_key(view, "Press s to start one, 2 to see the plan first."), "dim"))]
    if asked:
        return [line((f"{asked} asked, waiting for the worker", "warn"))]
    if view.silent:
        return [line((f"The worker gave no sign for {fmt.span(view.silent)}. It may be stuck: see the log.", "warn"))]
    return _under_way(view, snapshot, run) if view.active else _ended(view, snapshot, run, total)


def _key(view: View, words: str) -> str:
    """Words about a key that steers runs, for those who may."""
    return "" if view.watching else words


def _under_way(view: View, snapshot: Snapshot, run: RunStatus) -> list[Line]:
    if snapshot.state == "paused":
        return [line(("paused", "warn"), (_key(view, "  p resumes"), "dim"))]
    if snapshot.state == "stopping":
        return [line(("stopping: what was received is kept for the next run", "warn"))]
    if run.message:
        return [line((run.message, "dim"))]
    words = held_up(snapshot)
    return [line((words, "warn"))] if words else []


def held_up(snapshot: Snapshot) -> str:
    """Why most of the transfers wait, where their host is the reason."""
    stuck = [f for f in snapshot.in_flight if f.waiting in _HELD_UP]
    if len(stuck) * 2 <= len(snapshot.in_flight):
        return ""
    why = Counter(f.waiting for f in stuck).most_common(1)[0][0]
    left = min(f.wait for f in stuck)
    return f"{len(stuck)} of {len(snapshot.in_flight)} wait {fmt.span(left)}: {_HELD_UP[why]}"


def _ended(view: View, snapshot: Snapshot, run: RunStatus, total: int) -> list[Line]:
    state = snapshot.state
    if state == "done":
        words = f"added {fmt.count(run.added)} {SEP} replaced {fmt.count(run.replaced)} {SEP} pruned {fmt.count(run.pruned)}"
        fresh = run.added + run.replaced + run.pruned + run.dropped
        return [line(*run_state(view), f"  {words}" if fresh else "  nothing was new")]
    if state == "crashed":
        age = "" if snapshot.heartbeat_age is None else f" (last sign {fmt.span(snapshot.heartbeat_age)} ago)"
        hint = f"verified files stay{_key(view, '; s starts again')}"
        return [line(("The worker is gone" + age, "bad"), (f"  {hint}", "dim"))]
    words = run.message
    if state == "partial":
        words = ": ".join(filter(None, (_reasons(snapshot), run.message)))
    return _told(run_state(view), words, _key(view, _hint(snapshot, run)), total)


def _reasons(snapshot: Snapshot) -> str:
    counts = Counter(failure.reason for failure in snapshot.failures)
    return ", ".join(f"{reason} {fmt.count(n)}" for reason, n in counts.most_common())


def _hint(snapshot: Snapshot, run: RunStatus) -> str:
    """The keys that help."""
    again = {"stopped": "s goes on where it was", "failed": "s tries again", "partial": "r tries again"}[snapshot.state]
    if snapshot.failed_count and snapshot.state == "partial":
        again = "r tries them again"
    if not run.guarded:
        return again
    allow = "a allows it for one run (asks)"
    return f"{allow}, {again}" if snapshot.failed_count or snapshot.problems else allow


def _told(head: Line, words: str, hint: str, total: int) -> list[Line]:
    """Head and words, wrapped, then the hint where there is room for it."""
    taken = width(head) + 2 if width(head) else 0
    style = head[-1][1] if not width(head) else ""
    first, *more = wrapped(words, max(30, total), first=min(taken, max(30, total) - 1), hyphens=False)
    out = [line(*head, "  " if taken else "", (first, style)), *(line((rest, style)) for rest in more)]
    room = MOST - 1 if hint else MOST
    if len(out) > room:
        out = [*out[: room - 1], line((fmt.fit(f"{out[room - 1][-1][0]} {DOTS}", total), style))]
    if hint and width(out[-1]) + 2 + len(hint) <= total:
        return [*out[:-1], line(*out[-1], (f"  {hint}", "dim"))]
    return [*out, line((hint, "dim"))] if hint else out
