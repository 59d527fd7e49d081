"""Indexes spelt as no indexer spells them: odd spaces and escapes, unknown keys everywhere, links in all places."""

import json
import random
from pathlib import Path
from typing import Any

import zstandard

from tests.process.packages import ChannelTree, Record

EVIL = "evil.example"
"""Stands in every link that must not be published, and nowhere else."""
LINKS = ("url", "channel", "base_url")
"""Keys of a record that lead away."""
KEPT: list[Any] = [
    None,
    True,
    -7,
    2**63 - 1,
    1.5e-9,
    'é漢\u0001"\\/',
    ',"x-1-0.conda": {',
    [],
    {},
    {"url": "kept", "base_url": ["kept", {"channel": 1}]},
    [[[{"packages": {"a-1-0.conda": {}}}]]],
]
"""Values of unknown keys: published as they are, though they look like links and records."""


class RawIndex:
    """The index of one subdir of a channel, its records' very bytes in `raw`, in file order."""

    def __init__(self, lab: ChannelTree, subdir: str, *, seed: int) -> None:
        self.lab, self.subdir, self.rng = lab, subdir, random.Random(seed)
        self.raw: dict[str, bytes] = {}
        self.tops: dict[str, Any] = {"info": {"subdir": subdir}, "removed": ["gone-1-0.conda"], "repodata_version": 1}

    def put(self, name: str, *, linked: bool = False, **more: Any) -> str:
        """A package whose record has unknown keys and, if `linked`, one that leads away."""
        extra = {f"x_{number}": self.rng.choice(KEPT) for number in range(self.rng.randrange(4))}
        links = {key: self.evil() for key in self.rng.sample(LINKS, self.rng.randint(1, 3))} if linked else {}
        fn = self.lab.put(name, subdir=self.subdir, size=20, **more, **extra)
        self.raw[fn] = self.spell(self.lab.records[self.subdir][fn] | links).encode()
        return fn

    def evil(self) -> Any:
        """A link of some shape."""
        text = f"https://{EVIL}/{self.rng.randrange(1000)}"
        return self.rng.choice([text, f"//{EVIL}", [text], {"deep": {"x": text}}])

    def spell(self, value: Any) -> str:
        """JSON of a value: keys shuffled at the top, some of their letters escaped, any amount of space."""
        if not isinstance(value, dict):
            return json.dumps(value, ensure_ascii=self.rng.random() < 0.5)
        items = list(value.items())
        self.rng.shuffle(items)
        gap = self.rng.choice(["", " ", "\n\t "])
        return "{" + f",{gap}".join(f"{self.key(key)}{gap}:{gap}{json.dumps(item)}" for key, item in items) + "}"

    def key(self, text: str) -> str:
        """A key, every other time with an escaped letter."""
        if self.rng.random() < 0.5:
            return json.dumps(text)
        at = self.rng.randrange(len(text))
        return f'"{text[:at]}\\u{ord(text[at]):04{self.rng.choice("xX")}}{text[at + 1 :]}"'

    def write(self, *, packed: bool) -> bytes:
        """Write it as repodata.json, or only as .zst; returns the JSON."""
        records = b",\n ".join(b'"%s" : %s' % (fn.encode(), raw) for fn, raw in self.raw.items())
        tops = [f"{self.key(key)}: {self.spell(value)}".encode() for key, value in self.tops.items()]
        body = b"{ %s }\n" % b", ".join([*tops, b'"packages": {}', b'"packages.conda": {' + records + b"\n}"])
        folder: Path = self.lab.folder / self.subdir
        for name in ("repodata.json", "repodata.json.zst"):
            (folder / name).unlink(missing_ok=True)
        if packed:
            (folder / "repodata.json.zst").write_bytes(zstandard.compress(body))
        else:
            (folder / "repodata.json").write_bytes(body)
        return body

    def records(self) -> dict[str, Record]:
        """What upstream says, without what leads away."""
        found = {fn: json.loads(raw) for fn, raw in self.raw.items()}
        return {fn: {k: v for k, v in record.items() if k not in LINKS} for fn, record in found.items()}
