"""The plan: wanted against on disk, as a value to look at before anything is done."""

from dataclasses import dataclass
from typing import Any

from mirrortui.naming import display
from mirrortui.selection.reasons import WORDS, Broken

CONFIRM = "if that is meant, run it with --confirm-prune"
"""What allows the things that a guard refuses."""

TOLD = 20
"""So many broken dependencies are told as warnings."""


@dataclass(frozen=True, slots=True)
class Totals:
    """A number of files and their bytes (unknown sizes count as 0)."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.files + other.files, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file of a plan's list."""

    channel: str
    subdir: str
    fn: str
    bytes: int


@dataclass(frozen=True, slots=True)
class SubdirPlan:
    """One subdir of a plan; `drop` leaves the metadata now, `prune_due` leaves the disk in this run."""

    channel: str
    subdir: str
    add: Totals = Totals()
    replace: Totals = Totals()
    keep: Totals = Totals()
    drop: Totals = Totals()
    prune_due: Totals = Totals()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do now. `id` is a digest: the same upstream, rules and disk give the same id.

    `free` is the disk's free bytes, `needed` what the run takes of it; `largest` are the biggest files to
    fetch, `drops` a sample of the dropped ones; `eta` seconds at the configured limit (None without one). `refusals`
    say what a guard will not let the run do.
    """

    id: str
    created: float
    subdirs: tuple[SubdirPlan, ...]
    free: int
    needed: int
    eta: float | None = None
    largest: tuple[PlannedFile, ...] = ()
    drops: tuple[PlannedFile, ...] = ()
    notes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that is to be told: notes, the first broken dependencies, and what a guard refuses, with what allows it."""
        broken = (broken_words(item) for item in self.broken[:TOLD])
        return (*self.notes, *broken, *(f"{refusal}; {CONFIRM}" for refusal in self.refusals))

    def total(self, kind: str) -> Totals:
        """Sum of add, replace, keep, drop or prune_due over all subdirs."""
        return sum((getattr(s, kind) for s in self.subdirs), Totals())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not any(self.total(kind).files for kind in ("add", "replace", "drop", "prune_due"))

    def to_json(self) -> dict[str, Any]:
        """The stable form that `plan --json` prints."""
        kinds = ("add", "replace", "keep", "drop", "prune_due")

        def pair(totals: Totals) -> dict[str, int]:
            return {"files": totals.files, "bytes": totals.bytes}

        out: dict[str, Any] = {"id": self.id, "created": self.created}
        out |= {kind: pair(self.total(kind)) for kind in kinds}
        out["subdirs"] = [
            {"channel": s.channel, "subdir": s.subdir} | {kind: pair(getattr(s, kind)) for kind in kinds}
            for s in self.subdirs
        ]
        out["largest"] = [
            {"channel": f.channel, "subdir": f.subdir, "fn": f.fn, "bytes": f.bytes} for f in self.largest
        ]
        out["broken"] = [
            {"channel": b.channel, "subdir": b.subdir, "depends": b.spec, "name": b.name, "packages": b.packages}
            | {
                "example": b.example,
                "reason": b.reason.name.lower().replace("_", "-"),
                "mend": {b.mend_rule: b.mend} if b.mend else {},
            }
            for b in self.broken
        ]
        out |= {"disk": {"free": self.free, "needed": self.needed}, "eta": self.eta, "warnings": list(self.warnings)}
        return out


def broken_words(item: Broken) -> str:
    """A dependency that nothing kept satisfies, as a warning."""
    need = "1 package needs" if item.packages == 1 else f"{item.packages} packages need"
    value = f'["{item.mend}"]' if item.mend_rule == "always" else f'"{item.mend}"'
    mend = f"; {item.mend_rule} = {value} would keep it" if item.mend else ""
    return (
        f"{item.channel}/{item.subdir}: {need} {display(item.spec)} (for example {item.example}), "
        f"{WORDS[item.reason]}{mend}"
    )
