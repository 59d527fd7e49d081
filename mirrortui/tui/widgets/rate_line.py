"""The run at a glance: one line with a bar, one with figures, one with the rate's history."""

from textual import events

from mirrortui.tui import format as fmt
from mirrortui.tui.glyphs import SEP
from mirrortui.tui.view import View
from mirrortui.tui.widgets.lines import Facts, Line, Span, line, width
from mirrortui.tui.widgets.status_bar import PHASES, run_state
from mirrortui.worker.snapshot import RunStatus

HISTORY = 600
"""Values kept: one a second."""
LABEL = 17
"""Cells before the bar and the history."""


def progress_line(run: RunStatus, state: str, total: int) -> Line:
    """`transfer ████████▒▒ 43 %  ETA 4 min` in `total` cells; the right part keeps its place."""
    words = state if state != "running" else {"transfer": "syncing"}.get(run.phase, PHASES.get(run.phase, run.phase))
    left = fmt.fit(words, LABEL)
    right = f" {fmt.fit(fmt.percent(run.bytes_done, run.bytes_total), 5, right=True)}"
    if state == "running":
        right += f"  ETA {fmt.fit(fmt.span(run.eta), 10)}"
    full, new, empty = fmt.bar(total - len(left) - len(right), run.bytes_done, run.bytes_total)
    return line((left, "strong"), (full + new, "bar"), (empty, "empty"), right)


def figures_line(run: RunStatus, now: float, total: int) -> Line:
    """Bytes, files, rate, elapsed, limit; as many as fit, in fixed places."""
    limit = fmt.rate(run.limit) if run.limit else "none"
    speed = fmt.rate(run.rate)
    if run.ended:
        speed = f"{fmt.rate(run.bytes_fetched / max(1.0, run.ended - run.started))} mean"
    parts = (
        ("", speed, LABEL - 2),
        ("", f"{fmt.size(run.bytes_done)} of {fmt.size(run.bytes_total)}", 19),
        ("", f"{fmt.count(run.files_done)} of {fmt.files(run.files_total)}", 23),
        ("elapsed ", fmt.span((run.ended or now) - run.started), 10),
        ("limit ", limit, 9),
        ("run ", str(run.id), 5),
        ("process ", str(run.pid), 8),
    )
    spans: list[Span] = []
    for label, value, cells in parts:
        spans_new: list[Span] = [(label, "dim"), (fmt.fit(value, max(cells, len(value))), ""), ("  ", "")]
        if width((*spans, *spans_new)) > total + 2:
            break
        spans += spans_new
    return tuple(spans)


def outcome_lines(view: View, asked: str) -> list[Line]:
    """What to say in words about the state, and what can be done next."""
    snapshot = view.snapshot
    if view.trouble:
        return [line((view.trouble, "bad"))]
    if snapshot is None:
        return [line(("reading the journal", "dim"))]
    run, state = snapshot.run, snapshot.state
    if run is None:
        return [line("No run yet. ", ("Press s to start one, 2 to see the plan first.", "dim"))]
    if asked:
        return [line((f"{asked} asked, waiting for the worker", "warn"))]
    if view.silent:
        return [line((f"The worker gave no sign for {fmt.span(view.silent)}. It may be stuck: see the log.", "warn"))]
    head: Line = ()
    if state == "done":
        words = f"added {fmt.count(run.added)} {SEP} replaced {fmt.count(run.replaced)} {SEP} pruned {fmt.count(run.pruned)}"
        head = line(
            *run_state(view),
            f"  {words}" if run.added + run.replaced + run.pruned + run.dropped else "  nothing was new",
        )
    elif state == "partial":
        reasons: dict[str, int] = {}
        for failure in snapshot.failures:
            reasons[failure.reason] = reasons.get(failure.reason, 0) + 1
        listed = ", ".join(f"{reason} {fmt.count(n)}" for reason, n in sorted(reasons.items(), key=lambda i: -i[1]))
        head = line(*run_state(view), f"  {listed}  ", ("r tries them again", "dim"))
    elif state == "crashed":
        age = "" if snapshot.heartbeat_age is None else f" (last sign {fmt.span(snapshot.heartbeat_age)} ago)"
        head = line(("The worker is gone" + age, "bad"), ("  verified files stay; s starts again", "dim"))
    elif state in ("failed", "stopped"):
        head = line(*run_state(view), f"  {run.message}")
    elif state == "paused":
        head = line(("paused", "warn"), ("  p resumes", "dim"))
    elif state == "stopping":
        head = line(("stopping: transfers under way end first", "warn"))
    elif run.message:
        head = line((run.message, "dim"))
    return [head] if head else []


class RateLine(Facts):
    """Three lines about the whole run. The history takes one value a second and is one run of characters."""

    def __init__(self) -> None:
        super().__init__(id="overall")
        self._rates: list[float] = []
        self._run_id = 0
        self._spark_at = 0.0
        self._spark: Line = ()

    def show(self, view: View, *, asked: str = "", frozen: bool = False) -> None:
        """Show this state."""
        total = self.size.width
        if not total:
            return
        run = view.snapshot.run if view.snapshot is not None else None
        words = outcome_lines(view, asked)
        if run is None or view.trouble:
            self.set_lines([*words, (), ()][:3])
            return
        self._feed(run, view, total)
        third = words[0] if words else self._spark
        if frozen:
            third = line(("view frozen", "warn"), ("  f goes on", "dim"))
        state = view.snapshot.state if view.snapshot is not None else run.state
        self.set_lines([progress_line(run, state, total), figures_line(run, view.now, total), third])

    def _feed(self, run: RunStatus, view: View, total: int) -> None:
        if run.id != self._run_id:
            self._run_id, self._rates, self._spark_at = run.id, [], 0.0
        if view.now - self._spark_at < 1.0 or not view.active:
            return
        self._spark_at = view.now
        self._rates = [*self._rates, run.rate][-HISTORY:]
        room = total - LABEL
        top = f"max {fmt.rate(max(self._rates[-room:]))}"
        self._spark = line((fmt.fit(top, LABEL), "dim"), (fmt.spark(self._rates, room), "bar"))

    def on_resize(self, _event: events.Resize) -> None:
        """The history is drawn again with the next second."""
        self._spark_at = 0.0
