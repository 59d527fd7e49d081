"""Rooms without network, worker or clock, for Pilot tests and pictures."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mirrortui import config as toml
from mirrortui.config import Channel, Mirror, MirrorConfig, Selection, Transfer
from mirrortui.errors import ConfigError, UsageError
from mirrortui.mirror.plan import Plan, PlannedFile, SubdirPlan, Totals
from mirrortui.mirror.snapshots import Snapshot as Frozen
from mirrortui.mirror.solving import Solved
from mirrortui.selection.estimate import Details, Estimate, SubdirEstimate
from mirrortui.selection.explain import Answer
from mirrortui.selection.nametable import NameTable
from mirrortui.selection.reasons import WORDS, Broken, Reason
from mirrortui.tui.rooms import (
    Cancelled,
    Checked,
    ClientPreview,
    ClientReceipt,
    History,
    Pair,
    Picture,
    Profile,
    Reading,
    Wrong,
)
from mirrortui.worker.doctor import Finding
from mirrortui.worker.snapshot import ACTIVE, Event, Failure, InFlight, RunStatus, Snapshot, SubdirProgress

NOW = 1_750_000_000.0
GB, TB = 10**9, 10**12

SIZES = {
    ("conda-forge", "noarch"): (412_345, 296 * GB),
    ("conda-forge", "linux-64"): (912_345, 1_213 * GB),
    ("conda-forge", "linux-aarch64"): (402_111, 512 * GB),
    ("conda-forge", "osx-64"): (512_345, 620 * GB),
    ("conda-forge", "osx-arm64"): (390_245, 431 * GB),
    ("conda-forge", "win-64"): (433_200, 702 * GB),
    ("bioconda", "noarch"): (131_004, 61 * GB),
    ("bioconda", "linux-64"): (152_600, 148 * GB),
    ("pkgs/main", "noarch"): (4_120, 2 * GB),
    ("pkgs/main", "linux-64"): (21_377, 88 * GB),
}


def sample_config(root: str = "/srv/conda", state: str = "/var/lib/mirrortui/lab") -> MirrorConfig:
    return MirrorConfig(
        mirror=Mirror(name="lab", root=root, url="http://mirror.lab", state=state),
        channels=(
            Channel(
                name="conda-forge",
                upstreams=("https://conda.anaconda.org/conda-forge",),
                subdirs=("noarch", "linux-64"),
            ),
            Channel(
                name="bioconda", upstreams=("https://conda.anaconda.org/bioconda",), subdirs=("noarch", "linux-64")
            ),
        ),
        selection=Selection(exclude=("*-nightly", "numpy <1.20"), exclude_licenses=("AGPL",)),
        transfer=Transfer(limit="50 MB/s"),
    )


PACKAGES: dict[str, tuple[int, int, int, Reason]] = {
    "_libgcc_mutex": (3, 3, 12_000, Reason.WANTED),
    "bzip2": (41, 41, 6_100_000, Reason.WANTED),
    "libgcc": (212, 212, 480_000_000, Reason.DEPENDENCY),
    "numpy": (1_204, 2_310, 15_800_000_000, Reason.EXCLUDED),
    "numpy-base": (0, 312, 2_100_000_000, Reason.EXCLUDED),
    "openssl": (188, 188, 610_000_000, Reason.WANTED),
    "python": (840, 1_420, 31_000_000_000, Reason.PYTHON),
    "pytorch-nightly": (0, 5_120, 4_812_000_000_000, Reason.EXCLUDED),
    "readline": (0, 34, 11_000_000, Reason.LICENSE),
    "scipy": (903, 903, 17_400_000_000, Reason.WANTED),
    "xz": (60, 60, 21_000_000, Reason.ALWAYS),
    "zlib": (77, 77, 9_400_000, Reason.WANTED),
}
"""Records kept and in all, bytes of all, the reason."""

ANSWERS = (
    Answer("conda-forge", "linux-64", "readline-8.2-h8c095d6_2.conda", True, Reason.DEPENDENCY, WORDS[Reason.DEPENDENCY], "",
           (("ipython-9.7.0-pyhfa0c392_0.conda", "python >=3.12"), ("python-3.13.9-h2b335a9_101_cp313.conda", "readline >=8.2,<9.0a0"))),
    Answer("conda-forge", "linux-64", "readline-8.1.2-h0f457ee_0.tar.bz2", False, Reason.LICENSE, WORDS[Reason.LICENSE], "exclude_licenses GPL: the record says GPL-3.0-only"),
    Answer("conda-forge", "linux-64", "readline-8.1-h46c0cb4_0.tar.bz2", False, Reason.LICENSE, WORDS[Reason.LICENSE], "exclude_licenses GPL: the record says GPL-3.0-only"),
)  # fmt: skip
BROKEN = (
    Broken("conda-forge", "linux-64", "readline >=8.2,<9.0a0", "readline", Reason.LICENSE, 17, "python", "readline"),
    Broken("bioconda", "linux-64", "perl-gd", "perl-gd", Reason.FORMAT, 1, "circos", "all", "formats"),
    Broken("conda-forge", "noarch", "oldthing 1.0", "oldthing", Reason.REPLACED, 2, "a", "", ""),
)
SOLVED = (
    Solved("linux-64", ("python=3.12", "numpy"), 84),
    Solved("osx-64", ("python=3.12", "numpy"), error="numpy * cannot be installed because there are no viable options: libblas >=3.9 is not there"),
)  # fmt: skip
DETAILS = Details(
    growth=41_000_000_000.0,
    largest=(("pytorch-gpu", 312, 412_000_000_000), ("tensorflow-base", 911, 288_000_000_000), ("cuda-nvcc-impl", 80, 64_000_000_000)),
    licenses=(("BSD", 400_112, 912_000_000_000), ("MIT", 300_201, 402_000_000_000), ("GPL", 80_021, 120_000_000_000), ("", 4_021, 8_000_000_000)),
)  # fmt: skip


class FakeJournal:
    def __init__(self, rooms: "FakeRooms") -> None:
        self.rooms = rooms
        self.seen: Snapshot | None = None

    def poll(self) -> Snapshot | None:
        if isinstance(self.rooms.snapshot, Exception):
            raise self.rooms.snapshot
        if self.rooms.snapshot is self.seen:
            return None
        self.seen = self.rooms.snapshot
        return self.seen

    def heartbeat_age(self) -> float | None:
        return self.rooms.heartbeat

    def close(self) -> None:
        self.seen = None


class FakeRooms:
    """Answers at once from the tables above; what it was asked to do is in `done`."""

    def __init__(self, config: MirrorConfig | None = None) -> None:
        self.config = config
        self.snapshot: Snapshot | Exception = Snapshot("idle")
        self.heartbeat: float | None = 0.5
        self.done: list[tuple[object, ...]] = []
        self.free, self.total = 2_400 * GB, 8 * TB
        self.unread: set[Pair] = set()
        self.broken_reads: dict[Pair, str] = {}
        self.hold_reads: asyncio.Event | None = None
        self.warnings: tuple[str, ...] = ()
        self.refusals: tuple[str, ...] = ()
        self.errors: dict[str, str | Wrong] = {}
        self.hints: dict[str, str] = {}
        self.rough = False
        self.hold_exact: threading.Event | None = None
        self.cancelled = 0
        self.packages: dict[str, tuple[int, int, int, Reason]] = dict(PACKAGES)
        self.broken: tuple[Broken, ...] = ()
        self.answers: list[Answer] | Exception = list(ANSWERS)
        self.solved: list[Solved] | Exception = list(SOLVED)
        self.details_found = DETAILS
        self.past: History | Exception = PAST
        self.present = "channels:\n  - defaults\n"
        self.client_warnings: tuple[str, ...] = ()
        self.fail_plan: Exception | None = None
        self.home = Path("/home/op")
        self.looks_on = ""
        self.past_failures: dict[int, tuple[Failure, ...]] = {11: FAILURES}

    def clock(self) -> float:
        return NOW

    def load(self, path: Path) -> MirrorConfig:
        return toml.load(path)

    def save(self, config: MirrorConfig, path: Path) -> None:
        self.done.append(("save", path))
        self.config = config

    def text(self, config: MirrorConfig) -> str:
        return toml.dumps(config)

    def fresh(self) -> MirrorConfig:
        mirror = Mirror(name="lab", root="/srv/conda", url="http://host:8080", state="/var/lib/mirrortui/lab")
        return MirrorConfig(mirror=mirror)

    def search_path(self) -> list[Path]:
        return [self.home / ".config/mirrortui/mirror.toml", Path("mirror.toml"), Path("/etc/mirrortui/mirror.toml")]

    def check(self, config: MirrorConfig) -> Checked:
        found = {key: each if isinstance(each, Wrong) else Wrong(each) for key, each in self.errors.items()}
        for spec in config.selection.include:
            if ">=>" in spec:
                column = spec.index(">=>") + 1
                found["selection.include"] = Wrong("“>=>1” is no version. Write for example >=1.2,<2", spec, column)
        return Checked(found, self.hints)

    def disk(self, root: Path) -> tuple[int, int]:
        return self.free, self.total

    def _figure(self, pair: Pair, config: MirrorConfig) -> SubdirEstimate:
        if pair in self.unread or pair not in SIZES:
            return SubdirEstimate(*pair, known=False)
        records, size = SIZES[pair]
        share = 0.4 ** len(config.selection.include) * 0.95 ** len(config.selection.exclude)
        wanted, present = int(size * share), int(size * share * 0.6)
        return SubdirEstimate(
            *pair,
            records=int(records * share),
            bytes=wanted,
            bytes_present=present,
            bytes_to_fetch=wanted - present,
            upstream_records=records,
            upstream_bytes=size,
        )

    def picture(self, config: MirrorConfig, others: Sequence[Pair]) -> Picture:
        ticked = tuple(self._figure((c.name, s), config) for c in config.channels for s in c.subdirs)
        estimate = Estimate(ticked, self.free, self.total, approximate=self.rough)
        return Picture(estimate, {p: self._figure(p, config) for p in others})

    def _work(self, cancelled: Cancelled) -> bool:
        """As long as a test holds it; tells whether it went on to the end."""
        while self.hold_exact is not None and not self.hold_exact.wait(0.01):
            if cancelled():
                self.cancelled += 1
                return False
        return True

    def exact(self, config: MirrorConfig, cancelled: Cancelled) -> Estimate | None:
        if not self._work(cancelled):
            return None
        rough = self.picture(config, ()).estimate
        less = tuple(replace(s, records=s.records - s.records // 10) for s in rough.subdirs)
        return replace(rough, subdirs=less, approximate=False)

    def names(self, config: MirrorConfig, *, quick: bool, cancelled: Cancelled) -> NameTable | None:
        if not quick and not self._work(cancelled):
            return None
        names = sorted(self.packages)
        rows = [list(self.packages[name]) for name in names]
        for row, name in zip(rows, names, strict=True):
            if name in config.selection.always:
                row[0], row[3] = row[1], Reason.ALWAYS
            elif name in config.selection.exclude:
                row[0], row[3] = 0, Reason.EXCLUDED
        kept, total, size = (np.array([row[n] for row in rows], np.int64) for n in range(3))
        each = size // np.maximum(total, 1)
        reasons = np.array([row[3] for row in rows], np.uint8)
        return NameTable(names, kept, total, each * kept, size, reasons, approximate=quick and self.rough)

    def details(self, config: MirrorConfig) -> Details:
        return self.details_found

    def explain(self, config: MirrorConfig, question: str) -> list[Answer]:
        self.done.append(("explain", question))
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers

    def solve(self, config: MirrorConfig, environments: Sequence[str]) -> list[Solved]:
        self.done.append(("solve", tuple(environments)))
        if isinstance(self.solved, Exception):
            raise self.solved
        return self.solved

    def plan(self, config: MirrorConfig) -> Plan:
        if self.fail_plan is not None:
            raise self.fail_plan
        subdirs = []
        for f in self.picture(config, ()).estimate.subdirs:
            subdirs.append(
                SubdirPlan(
                    f.channel,
                    f.subdir,
                    add=Totals(int(f.records * 0.4), f.bytes_to_fetch),
                    replace=Totals(12, 120_000_000) if f.subdir == "noarch" else Totals(),
                    keep=Totals(int(f.records * 0.6), f.bytes_present),
                    drop=Totals(34, 1_200_000_000) if f.subdir == "linux-64" else Totals(),
                    prune_due=Totals(120, 8_100_000_000) if f.channel == "conda-forge" else Totals(),
                )
            )
        needed = sum(s.add.bytes + s.replace.bytes for s in subdirs)
        largest = tuple(
            PlannedFile(
                "conda-forge",
                "linux-64",
                f"{name}-2.9.1-cuda129_mkl_py312_h{i}b0c_30{i}.conda",
                1_910_000_000 - i * 10**8,
            )
            for i, name in enumerate(
                ("pytorch-gpu", "tensorflow-base", "cuda-nvcc-impl", "libtorch", "jaxlib", "mkl-static")
            )
        )
        return Plan(
            id="6f1c", created=NOW, subdirs=tuple(subdirs), free=self.free, needed=needed, eta=needed / 50e6,
            largest=largest, notes=self.warnings, refusals=self.refusals, broken=self.broken,
        )  # fmt: skip

    async def refresh(self, config: MirrorConfig, wanted: Sequence[Pair]) -> AsyncIterator[Reading]:
        self.done.append(("refresh", tuple(wanted)))
        for pair in wanted:
            yield Reading(*pair, "fetch", bytes_done=12_300_000, bytes_total=46_000_000)
        if self.hold_reads is not None:
            await self.hold_reads.wait()
        for pair in wanted:
            if pair in self.broken_reads:
                yield Reading(*pair, "failed", text=self.broken_reads[pair])
            else:
                self.unread.discard(pair)
                yield Reading(*pair, "ready", records=SIZES.get(pair, (0, 0))[0])

    async def discover(self, config: MirrorConfig, channel: str) -> tuple[str, ...]:
        return ("noarch", "linux-64", "osx-64", "win-64")

    def journal(self, state: Path) -> FakeJournal:
        return FakeJournal(self)

    def start(self, path: Path, *, allow_prune: bool) -> int:
        self.done.append(("start", path, allow_prune))
        self.snapshot = running()
        return 4711

    def send(self, state: Path, verb: str, argument: str) -> None:
        if isinstance(self.snapshot, Snapshot) and self.snapshot.state not in ACTIVE:
            raise UsageError("no run is at work")
        self.done.append((verb, argument))

    def bystander(self, state: Path) -> str:
        return self.looks_on

    def failures(self, config: MirrorConfig, run: int) -> tuple[Failure, ...]:
        return self.past_failures.get(run, ())

    def survival(self) -> str:
        return "The worker outlives this login."

    def history(self, config: MirrorConfig, *, network: bool) -> History:
        self.done.append(("history", network))
        if isinstance(self.past, Exception):
            raise self.past
        return self.past

    def profiles(self) -> tuple[Profile, ...]:
        return (
            Profile("user", "this account", self.home / ".condarc"),
            Profile("system", "everyone on this host", Path("/etc/conda/.condarc")),
            Profile("system-locked", "everyone, locked", Path("/etc/conda/.condarc")),
        )

    def client_preview(self, config: MirrorConfig, profile: str, url: str, target: Path) -> ClientPreview:
        if " " in url:
            raise ConfigError("“mirror .lab” is no URL")
        lock = "  #!final" if profile == "system-locked" else ""
        after = (
            f"# made by mirrortui for {config.mirror.name}\n"
            f"channel_alias: {url}{lock}\n"
            f"default_channels: []{lock}\n"
            "channels:\n  - conda-forge\n  - bioconda\n"
            "channel_priority: strict\n"
            f"custom_channels:\n  conda-forge: {url}\n  bioconda: {url}\n"
        )
        mode = 0o644 if profile != "user" else 0o600
        return ClientPreview(target, self.present, after, after != self.present, mode, self.client_warnings)

    def client_write(self, preview: ClientPreview) -> ClientReceipt:
        self.done.append(("write", preview.path))
        self.before, self.present = self.present, preview.after
        return ClientReceipt(preview.path, Path(f"{preview.path}.2025-06-15"))

    def client_undo(self, receipt: ClientReceipt) -> None:
        self.done.append(("undo", receipt.path))
        self.present = self.before


# ------------------------------------------------------------------------------------- states of a run


FLIGHTS = (
    InFlight(0, "conda-forge", "linux-64", "pytorch-gpu-2.9.1-cuda129_mkl_py312_h0b0c_300.conda", 812_000_000, 1_910_000_000, 3_100_000, 1),
    InFlight(1, "conda-forge", "linux-64", "libarrow-21.0.0-h1b2c_8_cpu.conda", 4_400_000, 6_500_000, 1_210_000, 1),
    InFlight(2, "conda-forge", "linux-64", "scipy-1.16.3-py313h11c21cd_1.conda", 11_000_000, 16_900_000, 2_050_000, 1),
    InFlight(3, "conda-forge", "noarch", "botocore-1.40.1-pyhd8ed1ab_0.conda", 1_200_000, 8_300_000, 940_000, 2),
    InFlight(4, "bioconda", "linux-64", "samtools-1.22-h96c455f_0.tar.bz2", 210_000, 512_000, 300_000, 1),
    InFlight(5, "bioconda", "linux-64", "gatk4-4.6.2.0-py310hdfd78af_1.tar.bz2", 120_000_000, 296_000_000, 3_900_000, 1),
    InFlight(6, "bioconda", "noarch", "multiqc-1.31-pyhdfd78af_0.tar.bz2", 0, 0, 0, 1),
    InFlight(7, "conda-forge", "linux-64", "qt6-main-6.9.3-h5c1c036_1.conda", 31_000_000, 54_000_000, 800_000, 1),
)  # fmt: skip
SUBDIRS = (
    SubdirProgress("conda-forge", "noarch", "done", 12_034, 12_034, 8_100_000_000, 8_100_000_000, 0),
    SubdirProgress("conda-forge", "linux-64", "transfer", 20_112, 61_000, 31_000_000_000, 88_000_000_000, 0),
    SubdirProgress("bioconda", "noarch", "transfer", 410, 902, 212_000_000, 609_000_000, 0),
    SubdirProgress("bioconda", "linux-64", "waiting", 0, 4_400, 0, 6_100_000_000, 0),
)
EVENTS = tuple(
    Event(i, NOW - 300 + i * 20, level, text)
    for i, (level, text) in enumerate(
        (
            ("info", "run 12 started: plan 6f1c, 78,336 files, 102.8 GB"),
            ("info", "conda-forge/noarch: index read, 412,345 records"),
            ("info", "conda-forge/linux-64: index read, 912,345 records"),
            ("info", "bioconda: two indexes unchanged since yesterday"),
            ("warning", "conda.anaconda.org answered 503, waiting 4 s"),
            ("info", "conda-forge/noarch: 12,034 files are in"),
        ),
        start=1,
    )
)
RUN = RunStatus(
    id=12, state="running", phase="transfer", started=NOW - 2_840, ended=None, pid=4711, plan="6f1c", files_done=32_556,
    files_total=78_336, bytes_done=39_312_000_000, bytes_total=102_809_000_000, added=32_544, replaced=12, dropped=34,
    pruned=0, bytes_fetched=39_312_000_000, rate=12_300_000.0, eta=5_162.0, limit=50_000_000, message="",
)  # fmt: skip
FAILURES = (
    Failure(
        "conda-forge",
        "linux-64",
        "ruff-0.14.1-h52c1c4f_0.conda",
        "hash",
        "conda-forge/linux-64/ruff-0.14.1-h52c1c4f_0.conda has sha256 0b1c2d3e4f5a6b7c…, its record says 9f8e7d6c5b4a3f2e…",
    ),
    Failure(
        "conda-forge",
        "linux-64",
        "uv-0.9.2-h30787bc_0.conda",
        "missing",
        "conda-forge/linux-64/uv-0.9.2-h30787bc_0.conda is listed but not there (404)",
    ),
    Failure(
        "bioconda",
        "noarch",
        "snakemake-9.13.4-hdfd78af_0.conda",
        "size",
        "bioconda/noarch/snakemake-9.13.4-hdfd78af_0.conda has 2101234 bytes, its record says 2412345",
    ),
)


def running() -> Snapshot:
    return Snapshot("running", RUN, 0.4, SUBDIRS, FLIGHTS, EVENTS)


def paused() -> Snapshot:
    return replace(running(), state="paused", run=replace(RUN, state="paused", rate=0.0, eta=None), in_flight=())


def ended(state: str, **changes: object) -> Snapshot:
    subdirs = tuple(replace(s, phase="done", files_done=s.files_total, bytes_done=s.bytes_total) for s in SUBDIRS)
    run = replace(
        RUN,
        state=state,
        phase="",
        ended=NOW - 60,
        files_done=RUN.files_total,
        bytes_done=RUN.bytes_total,
        rate=0.0,
        eta=None,
    )
    return replace(Snapshot(state, run, 60.0, subdirs, (), EVENTS), **changes)  # type: ignore[arg-type]


def partial() -> Snapshot:
    subdirs = tuple(
        replace(s, failed=2) if (s.channel, s.subdir) == ("conda-forge", "linux-64") else s for s in ended("x").subdirs
    )
    return ended("partial", failures=FAILURES, failed_count=3, subdirs=subdirs)


REFUSED = "40 files would be deleted, 43% of the mirror; [prune] max_share allows 20%. If that is meant, run it with --confirm-prune"


def guarded() -> Snapshot:
    """A run of which the prune guard refused the deletions."""
    done = ended("partial")
    assert done.run is not None
    return replace(done, run=replace(done.run, exit_code=5, message=f"nothing was deleted: {REFUSED}"))


def failing() -> Snapshot:
    """A run under way of which some files could not be had."""
    return replace(running(), failures=FAILURES, failed_count=len(FAILURES))


def held_up() -> Snapshot:
    """A run whose upstream answers 429."""
    waits = tuple(replace(f, rate=0.0, waiting="busy", wait=40.0, attempt=2) if f.slot > 1 else f for f in FLIGHTS)
    return replace(running(), in_flight=waits)


def crashed() -> Snapshot:
    return replace(running(), state="crashed", in_flight=(), heartbeat_age=840.0)


def past_run(number: int, state: str, days: float, message: str = "", **changes: object) -> RunStatus:
    begun = NOW - days * 86400
    run = replace(
        RUN, id=number, state=state, phase="", started=begun, ended=None if state in ACTIVE else begun + 7_940,
        added=1_204 * number, pruned=88, bytes_fetched=12_300_000_000 * number, message=message,
    )  # fmt: skip
    return replace(run, **changes)  # type: ignore[arg-type]


PAST = History(
    runs=(
        past_run(12, "done", 0.1),
        past_run(11, "partial", 1, "3 files could not be had; the rest is published"),
        past_run(10, "running", 2),
        past_run(9, "failed", 3, "conda.anaconda.org: no connection", added=0, replaced=0, bytes_fetched=0, pruned=0),
        past_run(8, "stopped", 4, "stopped by op"),
    ),
    snapshots=(
        Frozen("2025-06", NOW - 86400, (("conda-forge", "noarch"), ("conda-forge", "linux-64")), 1_324_690, 1_509 * GB),
        Frozen("before-numpy2", NOW - 90 * 86400, (("conda-forge", "linux-64"),), 804_112, 982 * GB),
    ),
    findings=(
        Finding("transport", "ok", "pyreqwest"),
        Finding("root", "ok", "/srv/conda (xfs)"),
        Finding("disk", "note", "120.3 GB of 8,000.0 GB are free"),
        Finding("state", "bad", "/nfs/state (nfs4): SQLite does not work there", "Put it on a local disk, such as /var/lib/mirrortui/lab"),
        Finding("logout", "ok", "The worker goes on after logout"),
        Finding("conda-forge/linux-64", "ok", "912,345 records, checked 2.1 hours ago"),
    ),
)  # fmt: skip
