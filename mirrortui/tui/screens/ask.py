"""Pages that take a moment: a question, words while the answer is worked out, and the answer as lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from mirrortui.config import MirrorConfig
from mirrortui.tui import format as fmt
from mirrortui.tui.background import in_thread
from mirrortui.tui.bindings import bindings
from mirrortui.tui.glyphs import DONE, DOTS, FAILED, TICK_ALL, TICK_NONE
from mirrortui.tui.rooms import Rooms
from mirrortui.tui.screens.base import HEIGHTS, WIDTHS
from mirrortui.tui.text import content, problem, wrapped
from mirrortui.tui.widgets.lines import Line, LineView, line

if TYPE_CHECKING:  # they bring numpy, which the first frame does not wait for
    from mirrortui.mirror.solving import Solved
    from mirrortui.selection.estimate import Details
    from mirrortui.selection.explain import Answer


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: one line that says it all, and the lines below it for a width in cells."""

    summary: str
    lines: Callable[[int], list[Line]]


@dataclass
class Answered(Message):
    """The newest question's answer, or why there is none."""

    number: int
    found: Found | None = None
    trouble: str = ""


class Ask(ModalScreen[None]):
    """One field and its answer; without a field (`question` is None) the page asks by itself. Enter asks, escape closes."""

    BINDINGS = bindings("ask")
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(
        self, title: str, hint: str, question: str | None, work: Callable[[str], Found], *, busy: str, at_once: bool
    ) -> None:
        super().__init__()
        self._heading, self._hint, self._question, self._job, self._busy = title, hint, question, work, busy
        self._at_once = at_once
        self._number = 0
        self.found: Found | None = None

    def compose(self) -> ComposeResult:
        """Field, one line of words, lines."""
        with Vertical(classes="box", id="ask-box") as box:
            box.border_title = self._heading
            box.border_subtitle = "esc closes" if self._question is None else "enter asks, esc closes"
            if self._question is not None:
                field = Input(self._question, placeholder=self._hint, compact=True, select_on_focus=False)
                field.cursor_blink = False
                yield field
            yield Static("", id="summary", markup=False)
            yield LineView(id="answers")

    def on_mount(self) -> None:
        """Ask where there is something to ask."""
        self.query_one(Input if self._question is not None else LineView).focus()
        if self._at_once:
            self._begin(self._question or "")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        if event.value.strip():
            self._begin(event.value.strip())

    def _begin(self, question: str) -> None:
        self._number += 1
        self._say(f"{self._busy}{DOTS}")
        self.run_worker(self._find(self._number, question), group="ask", exit_on_error=False)

    async def _find(self, number: int, question: str) -> None:
        answer = Answered(number)
        try:
            answer.found = await in_thread(self._job, question)
        except Exception as error:  # noqa: BLE001 - shown in words where the answer would be
            answer.trouble = problem(error)
        self.post_message(answer)

    def on_answered(self, event: Answered) -> None:
        """Show it, unless another question was asked since."""
        if event.number != self._number:
            return
        self.found = event.found
        self._say(event.trouble if event.found is None else event.found.summary, bad=event.found is None)
        self._fill()

    def _say(self, words: str, *, bad: bool = False) -> None:
        summary = self.query_one("#summary", Static)
        summary.set_class(bad, "-bad")
        summary.update(content(words))

    def _fill(self) -> None:
        page = self.query_one(LineView)
        page.set_lines(self.found.lines(max(20, page.size.width - 1)) if self.found is not None else [])

    def on_resize(self, _event: events.Resize) -> None:
        """Words are wrapped to the width."""
        self.call_after_refresh(self._fill)

    def action_scroll_by(self, step: int) -> None:
        """Scroll while the focus stays in the field."""
        self.query_one(LineView).scroll_relative(y=step, animate=False)

    def action_page_by(self, step: int) -> None:
        """A window up or down."""
        page = self.query_one(LineView)
        page.scroll_relative(y=step * max(1, page.size.height - 1), animate=False)


# ------------------------------------------------------------------------------------------------- explain


def explain(rooms: Rooms, config: MirrorConfig, question: str) -> Ask:
    """Why what a MatchSpec or file name names is in or out."""

    def work(text: str) -> Found:
        answers = rooms.explain(config, text)
        kept = sum(answer.kept for answer in answers)
        words = f"{fmt.count(len(answers))} records: {fmt.count(kept)} in, {fmt.count(len(answers) - kept)} out"
        if not answers:
            words = "No index at hand holds such a record"
        return Found(words, lambda width: answer_lines(answers, width))

    hint = 'a package, MatchSpec or file: numpy, "python 3.12.*", x-1.0-0.conda'
    busy = "asking every rule"
    return Ask("Why in, why out", hint, question, work, busy=busy, at_once=bool(question))


def answer_lines(answers: "Sequence[Answer]", width: int) -> list[Line]:
    """Each record with the rule in words; records that follow with the same words are listed without them."""
    out: list[Line] = []
    last: tuple[object, ...] = ()
    for a in answers:
        mark = (f"{TICK_ALL} in  ", "good") if a.kept else (f"{TICK_NONE} out ", "warn")
        out.append(line(mark, f" {a.fn}  ", (f"{a.channel}/{a.subdir}", "dim")))
        same = (a.kept, a.words, a.rule, a.chain)
        if same != last:
            words = f"{a.words}: {a.rule}" if a.rule else a.words
            out += _wrapped(words, width, 7, "")
            for depth, (fn, needs) in enumerate(a.chain):
                out += _wrapped(f"{fn} needs {needs}", width, 9 + 2 * depth, "dim")
        last = same
    return out


def _wrapped(words: str, width: int, indent: int, style: str) -> list[Line]:
    room = max(12, width - indent)
    return [line(" " * indent, (part, style)) for part in wrapped(words, room)]


# ------------------------------------------------------------------------------------------------- details


def details(rooms: Rooms, config: MirrorConfig) -> Ask:
    """What the estimate is made of."""

    def work(_: str) -> Found:
        found = rooms.details(config)
        return Found(growth_words(found.growth), lambda width: details_lines(found, width))

    return Ask("What it is made of", "", None, work, busy="adding up every package", at_once=True)


def growth_words(growth: float | None) -> str:
    """The growth in a sentence."""
    if growth is None:
        return "No build times are known, so neither is the growth"
    return f"Grows by about {fmt.size(growth)} a month, as the last year's builds tell; room for a year: {fmt.size(12 * growth)}"


def details_lines(found: "Details", width: int) -> list[Line]:
    """License families with their shares, then the largest names."""
    total = sum(size for _, _, size in found.licenses)
    out: list[Line] = [(), line(("License families", "tab-on"))]
    for family, records, size in found.licenses:
        share = fmt.percent(size, total) if size < total else "100 %"
        out.append(_detail(family or "no license stated", records, size, width, share, fmt.thin_bar(10, size, total)))
    out += [(), line(("Largest packages", "tab-on"))]
    return out + [_detail(name, records, size, width) for name, records, size in found.largest]


def _detail(name: str, records: int, size: int, width: int, share: str = "", bar: str = "") -> Line:
    right = f"{fmt.fit(fmt.count(records), 9, right=True)} {fmt.fit(fmt.size(size), 9, right=True)}"
    more = f" {fmt.fit(share, 6, right=True)} " if share else ""
    room = max(8, width - len(right) - len(more) - (len(bar) if width >= 60 else 0) - 1)
    return line(fmt.fit(name, room), f" {right}", (more, "dim"), (bar if width >= 60 else "", "bar"))


# ------------------------------------------------------------------------------------------------- solving

BETWEEN = "; "


def solve(rooms: Rooms, config: MirrorConfig) -> Ask:
    """Whether environments still resolve on what would be published."""

    def work(text: str) -> Found:
        wanted = [part.strip() for part in text.split(BETWEEN.strip()) if part.strip()]
        found = rooms.solve(config, wanted)
        bad = sum(not one.ok for one in found)
        words = f"{bad} of {len(found)} do NOT resolve" if bad else f"All {len(found)} resolve"
        return Found(words, lambda width: solved_lines(found, width))

    hint = "python=3.12 numpy>=1.26; r-base r-ggplot2"
    value = BETWEEN.join(config.check.solve)
    busy = "solving, a solver of its own works on the filtered indexes; this may take a minute"
    return Ask("Do these environments resolve?", hint, value, work, busy=busy, at_once=False)


def solved_lines(found: "Sequence[Solved]", width: int) -> list[Line]:
    """One environment on one platform each, and the solver's words where it does not resolve."""
    out: list[Line] = []
    for one in found:
        what = " ".join(one.specs)
        mark, words = (
            ((f"{DONE} ", "good"), f"{one.packages} packages")
            if one.ok
            else ((f"{FAILED} ", "bad"), "does NOT resolve")
        )
        out.append(line(mark, (fmt.fit(one.subdir, 14), "strong"), f" {words}  ", (what, "dim")))
        if not one.ok:
            out += _wrapped(one.error, width, 4, "")
    return out
