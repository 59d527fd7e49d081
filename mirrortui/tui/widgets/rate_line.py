"""The run at a glance: one line with a bar, one with figures, one with the rate's history."""

from textual import events

from mirrortui.tui import format as fmt
from mirrortui.tui.view import View
from mirrortui.tui.widgets.lines import Facts, Line, Span, line, width
from mirrortui.tui.widgets.outcome import outcome_lines
from mirrortui.tui.widgets.status_bar import PHASES
from mirrortui.worker.snapshot import RunStatus

HISTORY = 600
"""Values kept: one a second."""
LABEL = 17
"""Cells before the bar and the history."""
ROOMY = 100


def progress_line(run: RunStatus, state: str, total: int) -> Line:
    """`transfer ████████▒▒ 43 %  ETA 4 min` in `total` cells; the right part keeps its place."""
    words = state if state != "running" else {"transfer": "syncing"}.get(run.phase, PHASES.get(run.phase, run.phase))
    left = fmt.fit(words, LABEL)
    right = f" {fmt.fit(fmt.percent(run.bytes_done, run.bytes_total), 5, right=True)}"
    if state == "running":
        right += f"  ETA {fmt.fit(fmt.span(run.eta), 10)}"
    full, new, empty = fmt.bar(total - len(left) - len(right), run.bytes_done, run.bytes_total)
    return line((left, "strong"), (full + new, "bar"), (empty, "empty"), right)


def figures_line(run: RunStatus, state: str, now: float, total: int) -> Line:
    """Rate, the limit in force, bytes, files, elapsed; as many as fit, in fixed places."""
    speed = "paused" if state == "paused" else fmt.rate(run.rate)
    if run.ended:
        speed = f"{fmt.rate(run.bytes_fetched / max(1.0, run.ended - run.started))} mean"
    parts = (
        ("", speed, LABEL - 2),
        *((("limit ", fmt.rate(run.limit), 9),) if run.limit and not run.ended else ()),
        ("", f"{fmt.size(run.bytes_done)} of {fmt.size(run.bytes_total)}", 19),
        ("", f"{fmt.count(run.files_done)} of {fmt.files(run.files_total)}", 23),
        ("elapsed ", fmt.span((run.ended or now) - run.started), 10),
        *((("limit ", "none", 9),) if not run.limit else ()),
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


class RateLine(Facts):
    """Three lines about the whole run; once it has ended the third is as long as its words. The history takes one value a second and is one run of characters."""

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
        words = outcome_lines(view, asked, total)
        if run is None or view.trouble:
            self.set_lines([*words, (), ()][: max(3, len(words))])
            return
        self._feed(run, view, total)
        if frozen:
            words = [line(("view frozen", "warn"), ("  f goes on", "dim"))]
        state = view.snapshot.state if view.snapshot is not None else run.state
        head = [progress_line(run, state, total), figures_line(run, state, view.now, total)]
        self.set_lines([*head, *(words or [self._spark])])

    def _feed(self, run: RunStatus, view: View, total: int) -> None:
        if run.id != self._run_id:
            self._run_id, self._rates, self._spark_at = run.id, [], 0.0
        if not view.active:
            return
        room = total - LABEL
        if view.now - self._spark_at >= 1.0:
            self._spark_at = view.now
            self._rates = [*self._rates, run.rate][-HISTORY:]
        elif run.rate > max(self._rates[-room:]):  # or the rate beside it would be above its peak
            self._rates[-1] = run.rate
        else:
            return
        # Beside a limit on a narrow screen the highest rate would be taken for it.
        top = "rate" if run.limit and total < ROOMY else f"peak {fmt.rate(max(self._rates[-room:]))}"
        self._spark = line((fmt.fit(top, LABEL), "dim"), (fmt.spark(self._rates, room), "bar"))

    def on_resize(self, _event: events.Resize) -> None:
        """The history is drawn again with the next second."""
        self._spark_at = 0.0
