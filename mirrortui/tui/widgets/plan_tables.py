"""What a plan shows: its sums against the disk, and the rows of its tables."""

from mirrortui.mirror.plan import Plan, PlannedFile, SubdirPlan, Totals
from mirrortui.selection.reasons import WORDS, Broken
from mirrortui.tui import format as fmt
from mirrortui.tui.glyphs import DASH, DONE, FAILED
from mirrortui.tui.widgets.line_table import Cell, Column, LineTable, Row
from mirrortui.tui.widgets.lines import Line, line, sides
from mirrortui.tui.widgets.lines import width as width_of

KINDS = (
    ("add", "new here"),
    ("replace", "changed upstream"),
    ("keep", "on disk already"),
    ("drop", "leave the metadata now"),
    ("prune_due", "leave the disk in this run"),
)


def summary(plan: Plan, total_disk: int, limit: str, width: int) -> list[Line]:
    """The plan's sums, and the disk before and after."""
    roomy = width >= 76
    left = []
    for kind, words in KINDS:
        t = plan.total(kind)
        cells = (fmt.fit(kind.replace("_", " "), 11 if roomy else 10), fmt.fit(fmt.count(t.files), 10, right=True))
        word = (" file  " if t.files == 1 else " files ") if roomy else ""
        left.append(
            line(
                (cells[0], "dim"),
                (cells[1], "strong" if t.files else "dim"),
                (f"{word} {fmt.fit(fmt.size(t.bytes) if t.files else DASH, 8, right=True)}", ""),
                (f"   {words}" if width >= 110 else "", "dim"),
            )
        )
    after = plan.free - plan.needed
    words, style = (
        (f"{DONE} fits, {fmt.size(after)} left", "good")
        if after >= 0
        else (f"{FAILED} does NOT fit, {fmt.size(-after)} short", "bad")
    )
    bar_width = min(34, width - 46) if roomy else max(10, width - 32)
    used = max(0, total_disk - plan.free)
    first, new, empty = fmt.bar(bar_width, used, total_disk, plan.needed)
    eta = fmt.span(plan.eta) + (f" at {limit}" if roomy else "") if plan.eta is not None else "no limit set"
    right: list[Line] = [
        line(("disk now ", "dim"), f"{fmt.size(plan.free)} free"),
        line(("after it ", "dim"), f"{fmt.size(after)} free" if after >= 0 else DASH),
        line((first, "bar"), (new, "new"), (empty, "empty")),
        line((words, style)),
        line(("time     ", "dim"), eta),
    ]
    return [sides(one, _padded(two, bar_width), width) for one, two in zip(left, right, strict=True)]


def _padded(spans: Line, total: int) -> Line:
    return (*spans, (" " * max(0, total - width_of(spans)), ""))


def subdir_rows(subdirs: tuple[SubdirPlan, ...]) -> list[Row]:
    """One row a subdir."""

    def number(t: Totals) -> Cell:
        return fmt.count(t.files) if t.files else (DASH, "dim")

    return [
        Row(
            f"{s.channel}/{s.subdir}",
            (
                f"{s.channel}/{s.subdir}",
                number(s.add),
                fmt.size(s.add.bytes + s.replace.bytes) if s.add.files + s.replace.files else (DASH, "dim"),
                number(s.replace),
                number(s.keep),
                number(s.drop),
                number(s.prune_due),
            ),
        )
        for s in subdirs
    ]


def file_rows(files: tuple[PlannedFile, ...]) -> list[Row]:
    """One row a file."""
    return [
        Row(f"{f.channel}/{f.subdir}/{f.fn}", (f.fn, (f"{f.channel}/{f.subdir}", "dim"), fmt.size(f.bytes)))
        for f in files
    ]


def warnings_of(plan: Plan, *, allowed: bool = False) -> list[str]:
    """The plan's warnings but for broken dependencies, which have a table of their own.

    What a guard refuses is told with the key that allows it instead of the option; not at all where it is `allowed`.
    """
    held = [] if allowed else [f"{one}; a instead of s allows it for one run" for one in plan.refusals]
    return [*held, *plan.notes]


def mend_words(one: Broken) -> str:
    """What `m` would write."""
    if not one.mend:
        return "no rule helps"
    return f"m: {one.mend_rule} {'+=' if one.mend_rule == 'always' else '='} {one.mend}"


def broken_rows(broken: tuple[Broken, ...]) -> list[Row]:
    """One row a dependency that nothing kept satisfies: who needs it, which rule dropped it, what would bring it back."""
    rows = []
    for b in broken:
        need = "1 package needs" if b.packages == 1 else f"{fmt.count(b.packages)} packages need"
        mend = (mend_words(b), "key" if b.mend else "dim")
        cells = (f"{need} {b.spec}", (WORDS[b.reason], "warn"), mend, (f"{b.channel}/{b.subdir}", "dim"))
        rows.append(Row(f"{b.channel}/{b.subdir} {b.spec}", cells))
    return rows


def broken_table() -> LineTable:
    """Dependencies that nothing kept satisfies."""
    columns = (Column(""), Column("", 34, above=70), Column("", 30, above=100), Column("", 22, above=126))
    return LineTable(columns, heading=False, empty="nothing is broken", id="broken", classes="pane")
