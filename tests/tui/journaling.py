"""A journal written as the worker writes it, by the test."""

import os
import sqlite3
import time
from pathlib import Path

from mirrortui import config as toml
from mirrortui.config import Channel, Mirror, MirrorConfig
from mirrortui.worker import schema
from mirrortui.worker.lock import RunLock

NAMES = (
    "pytorch-gpu-2.9.1-cuda129_mkl_py312_h0b0c_300.conda", "libarrow-21.0.0-h1b2c_8_cpu.conda",
    "scipy-1.16.3-py313h11c21cd_1.conda", "botocore-1.40.1-pyhd8ed1ab_0.conda", "samtools-1.22-h96c455f_0.tar.bz2",
    "gatk4-4.6.2.0-py310hdfd78af_1.tar.bz2", "multiqc-1.31-pyhdfd78af_0.tar.bz2", "qt6-main-6.9.3-h5c1c036_1.conda",
)  # fmt: skip


def make_config(folder: Path) -> Path:
    """A mirror.toml with its root and state below the folder."""
    (folder / "root").mkdir(parents=True, exist_ok=True)
    mirror = Mirror(name="lab", root=str(folder / "root"), url="http://mirror.lab", state=str(folder / "state"))
    channels = (
        Channel(name="conda-forge", upstreams=("http://127.0.0.1:9/conda-forge",), subdirs=("noarch", "linux-64")),
    )
    path = folder / "mirror.toml"
    toml.save(MirrorConfig(mirror=mirror, channels=channels), path)
    return path


class Writer:
    """Holds the lock and writes a run that downloads; `step` is a quarter of a second of it."""

    def __init__(self, state: Path, transfers: int = 8) -> None:
        self.lock = RunLock(state)
        self.lock.acquire()
        self.db: sqlite3.Connection = schema.open_writer(state)
        self.steps, self.transfers = 0, transfers
        now = time.time()
        self.db.execute("delete from in_flight")
        cursor = self.db.execute(
            "insert into run(state, phase, started, pid, heartbeat, files_total, bytes_total) values(?,?,?,?,?,?,?)",
            ("running", "transfer", now - 600, os.getpid(), now, 78_336, 102_809_000_000),
        )
        self.run = cursor.lastrowid
        for position, subdir in enumerate(("noarch", "linux-64", "osx-64", "win-64")):
            self.db.execute(
                "insert into subdir values(?,?,?,?,?,?,?,?,?,?)",
                (
                    self.run,
                    position,
                    "conda-forge",
                    subdir,
                    "transfer" if position < 2 else "waiting",
                    0,
                    9_000,
                    0,
                    10**10,
                    0,
                ),
            )
        self.step()

    def step(self) -> None:
        self.steps += 1
        n, now = self.steps, time.time()
        done = 3_000_000 * n
        self.db.execute("begin immediate")
        self.db.execute(
            "update run set files_done=?, bytes_done=?, bytes_fetched=?, rate=?, eta=?, heartbeat=? where id=?",
            (n * 3, 39 * 10**9 + done, done, 12e6 + (n * 7919 % 97) * 1e4, 5_000 - n / 4, now, self.run),
        )
        self.db.execute("delete from in_flight")
        rows = []
        for slot in range(self.transfers):
            total = 4_000_000 + slot * 9_000_000
            part = (n * 400_000 * (slot + 1)) % total
            name = NAMES[(slot + n * 400_000 * (slot + 1) // total) % len(NAMES)]
            rows.append(
                (
                    slot,
                    "conda-forge",
                    "linux-64",
                    name,
                    part,
                    total,
                    1.5e6 + (n * 31 + slot * 17) % 50 * 1e4,
                    1,
                    "",
                    0.0,
                )
            )
        self.db.executemany("insert into in_flight values(?,?,?,?,?,?,?,?,?,?)", rows)
        self.db.execute(
            "update subdir set files_done=?, bytes_done=? where run=? and position=1", (n * 3, done, self.run)
        )
        if n % 4 == 0:
            self.db.execute(
                "insert into event(run, time, level, text) values(?,?,?,?)",
                (self.run, now, "info", f"{n} files are in"),
            )
        self.db.execute("commit")

    def set(self, **values: object) -> None:
        for key, value in values.items():
            self.db.execute(f"update run set {key}=? where id=?", (value, self.run))

    def close(self) -> None:
        self.db.close()
        self.lock.release()
