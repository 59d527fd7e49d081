"""The live estimate: what the draft costs, against what is free."""

from typing import TYPE_CHECKING

from textual import events

from mirrortui.tui import format as fmt
from mirrortui.tui.glyphs import DASH, DONE, DOTS, FAILED, SEP, UP_TO, WARN
from mirrortui.tui.widgets.lines import Facts, Line, line, set_title, width

if TYPE_CHECKING:  # it brings numpy, which the first frame does not wait for
    from mirrortui.selection.estimate import Estimate


def verdict(estimate: "Estimate") -> tuple[str, str]:
    """`fits, 812 GB left` or `does NOT fit, 1.2 TB short`, with its style; an upper bound may fit all the same."""
    left = estimate.free - estimate.bytes_to_fetch
    if left >= 0:
        return f"{DONE} fits, {fmt.size(left)} left", "good"
    if estimate.approximate:
        return f"{WARN} may not fit, up to {fmt.size(-left)} short", "warn"
    return f"{FAILED} does NOT fit, {fmt.size(-left)} short", "bad"


def estimate_lines(estimate: "Estimate | None", total: int) -> list[Line]:
    """The panel's lines in `total` cells."""
    if estimate is None:
        return [line((f"no figures yet {DOTS}", "dim")), *[()] * 5]
    present = sum(s.bytes_present for s in estimate.subdirs)

    most = f"{UP_TO} " if estimate.approximate else ""

    def figure(label: str, value: str, style: str = "") -> Line:
        return line((fmt.fit(label, 13), "dim"), (fmt.fit(value, min(total, 30) - 13, right=True), style))

    used = max(0, estimate.total - estimate.free)
    bars = fmt.bar(total, used, estimate.total, estimate.bytes_to_fetch)
    words, style = verdict(estimate)
    unknown = sum(1 for s in estimate.subdirs if not s.known)
    notes = []
    if unknown:
        notes.append(f"{unknown} {'index' if unknown == 1 else 'indexes'} not read yet")
    if estimate.unknown_sizes:
        notes.append(f"{fmt.files(estimate.unknown_sizes)} of unknown size")
    return [
        figure("packages", f"{most}{fmt.count(estimate.records)}"),
        figure("size wanted", f"{most}{fmt.size(estimate.bytes)}"),
        figure("on disk", fmt.size(present)),
        figure("to fetch", f"{most}{fmt.size(estimate.bytes_to_fetch)}", "strong"),
        line((bars[0], "bar"), (bars[1], "new"), (bars[2], "empty")),
        line((words, style)),
        *([line((f"without {', '.join(notes)}", "warn"))] if notes else []),
    ]


def estimate_brief(estimate: "Estimate | None", total: int) -> Line:
    """One line for narrow terminals; the number of packages only where it fits."""
    if estimate is None:
        return line((f"estimate {DASH}", "dim"))
    words, style = verdict(estimate)
    most = f"{UP_TO} " if estimate.approximate else ""
    fetch = f"{SEP} fetch {most}{fmt.size(estimate.bytes_to_fetch)} {SEP} "
    short = line(f"{most}{fmt.size(estimate.bytes)} {fetch}", (words, style))
    long = line(f"{most}{fmt.count(estimate.records)} pkgs {SEP} ", *short)
    return long if width(long) <= total else short


class EstimatePanel(Facts):
    """The panel; while a newer figure is computed the old one stays and the title says so.

    Quick figures are marked as upper bounds until the exact ones are there.
    """

    def __init__(self) -> None:
        super().__init__(id="estimate", classes="pane")
        set_title(self, "Estimate")
        self._estimate: Estimate | None = None

    def show(self, estimate: "Estimate | None", *, waiting: bool = False, held: bool = False) -> None:
        """Show an estimate: about to be replaced (`waiting`), or of the rules before the ones that are wrong (`held`)."""
        if estimate is not None:
            self._estimate = estimate
        rough = self._estimate is not None and self._estimate.approximate
        plain = "Estimate at most, by name" if rough else "Estimate"
        set_title(self, "Estimate before the error" if held else f"{plain} {DOTS}" if waiting or rough else plain)
        self._paint_all(self.size.width)

    def on_resize(self, event: events.Resize) -> None:
        """Bars fill the width."""
        self._paint_all(event.size.width)

    def _paint_all(self, total: int) -> None:
        if total:
            self.set_lines(estimate_lines(self._estimate, total))
