"""A made-up channel with the figures of a real one: a big `linux-64` and the `noarch` that belongs to it.

Shaped after counts over real indexes: builds per name by a power law (median 10, a few with thousands), versions a
third to a half of that, builds for several Pythons on an architecture and for none in noarch, some four
dependencies a record (geometric; one record has 380), sizes lognormal(12.8, 2.3) cut at 1.7 GB, 300 to 700 bytes of
JSON a record, licence spellings by their shares, 1 % without a licence, 5 % without a timestamp, old builds as
.tar.bz2 and new ones as .conda. Dependencies name versions that exist, and lead from rarer to more common names, so
that a closure ends. The same seed gives the same bytes anywhere.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import zstandard

FORM = 2
"""Of the made bodies: raise it when something here changes, so that kept ones are made anew."""

MAX_SIZE = 1_700_000_000
FIRST_STAMP, LAST_STAMP = 1_451_606_400_000, 1_761_000_000_000  # 2016 to 2025
CONDA_SINCE = 1_570_000_000_000

_WORDS = (
    "lib data sci num tor graph web async http test core io json xml geo img qt gl net crypt file sys fast deep ml bio "
    "stat plot url log time auth cloud mesh ray sim opt flow text audio vis tree hash key map seq cell field wave"
)
_FRONT = ("", "", "", "py", "lib", "r-", "perl-", "rust-", "go-", "pytest-", "jupyter-", "types-", "azure-", "ros-")
_FIRST = ("python", "python_abi", "libgcc", "libstdcxx", "libzlib", "openssl", "numpy", "ca-certificates", "tzdata")
_PYTHONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")

# (license, license_family, share in per mille)
_LICENSES: tuple[tuple[str | None, str | None, int], ...] = (
    ("MIT", "MIT", 170),
    ("MIT", None, 80),
    ("BSD-3-Clause", "BSD", 150),
    ("BSD-3-Clause", None, 60),
    ("BSD 3-Clause", "BSD", 40),
    ("BSD-2-Clause", None, 30),
    ("BSD", None, 15),
    ("Apache-2.0", "Apache", 50),
    ("Apache-2.0", None, 30),
    ("Apache-2.0 WITH LLVM-exception", "Apache", 8),
    ("GPL-3.0-or-later", "GPL", 35),
    ("GPL-3.0-only", "GPL3", 20),
    ("GPL-2.0-or-later", "GPL", 30),
    ("GPL-2", "GPL2", 20),
    ("GPL (>= 2)", "GPL3", 30),
    ("GPL-3.0-only WITH GCC-exception-3.1", "GPL", 20),
    ("GPL-2 | GPL-3", None, 10),
    ("GNU General Public License v2 (GPLv2)", None, 8),
    ("LGPL-2.1-or-later", "LGPL", 15),
    ("LGPL-3.0-only", "LGPL", 10),
    ("LGPL (>= 2)", "LGPL", 10),
    ("AGPL-3.0-only", None, 2),
    ("MIT + file LICENSE", None, 20),
    ("MPL-2.0", "MOZILLA", 6),
    ("Python-2.0", "PSF", 14),
    ("PSF-2.0", None, 8),
    ("Unlicense", "PUBLIC-DOMAIN", 10),
    ("Zlib", None, 12),
    ("ISC", None, 15),
    ("curl", "MIT", 6),
    ("Proprietary", "PROPRIETARY", 25),
    ("LicenseRef-Commercial", "PROPRIETARY", 11),
    ("BSD-3-Clause and GPL-2.0-only and ZPL-2.0", None, 6),
    ("Artistic-1.0-Perl OR GPL-1.0-or-later", None, 10),
    ("", None, 4),
    (None, None, 10),
)


class Made:
    """One subdir's records, a name at a time; nothing is kept but the names."""

    def __init__(self, subdir: str, records: int, seed: int) -> None:
        self.subdir, self.seed = subdir, seed
        self.noarch = subdir == "noarch"
        arch = max(300, (records * 9 if self.noarch else records) // 30)
        self.all = _names(arch + arch // 4, seed)
        own = self.all[arch - arch // 10 :] if self.noarch else self.all[:arch]
        self.counts = dict(zip(own, _builds_per_name(records, len(own), seed), strict=True))
        self.place = {name: place for place, name in enumerate(self.all)}

    def records(self) -> Iterator[tuple[str, str]]:
        """Yield (file name, JSON text) in order of the names, as indexes are sorted."""
        for name in sorted(self.counts):
            yield from sorted(self._of(name, self.counts[name]))

    @cache  # noqa: B019 - lives as long as one body is made
    def versions(self, name: str) -> list[str]:
        """All versions of a name, oldest first."""
        rnd = random.Random(f"{self.seed} versions {name}")
        if name == "python":
            return [f"{minor}.{patch}" for minor in _PYTHONS for patch in range(12)]
        if name == "python_abi":
            return list(_PYTHONS)
        count = max(1, round(self.counts.get(name, 12) * rnd.uniform(0.33, 0.5)))
        style = 0.5 if name in _FIRST else rnd.random()
        if style < 0.08:
            months = [k * 120 // count for k in range(count)]
            return list(dict.fromkeys(f"{2015 + k // 12}.{k % 12 + 1}.{rnd.randrange(28) + 1}" for k in months))
        major, minor, patch, out = rnd.randrange(3), rnd.randrange(12), 0, []
        for _ in range(count):
            step = rnd.random()
            if step < 0.05:
                major, minor, patch = major + 1, 0, 0
            elif step < 0.45:
                minor, patch = minor + 1, 0
            else:
                patch += 1
            tail = rnd.choice(("rc1", "b2", ".post1", "a1", ".dev0")) if style > 0.97 else ""
            fourth = f".{rnd.randrange(3000)}" if 0.85 <= style <= 0.97 else ""
            out.append(f"{major}.{minor}.{patch}{fourth}{tail}")
        return list(dict.fromkeys(out))

    def _of(self, name: str, count: int) -> Iterator[tuple[str, str]]:
        rnd = random.Random(f"{self.seed} {self.subdir} {name}")
        versions = self.versions(name)
        pythonic = not self.noarch and name not in _FIRST and rnd.random() < 0.55
        compiled = not self.noarch and rnd.random() < 0.75
        license_, family, _ = rnd.choices(_LICENSES, [share for _, _, share in _LICENSES])[0]
        licensed = "" if license_ is None else f'"license":{json.dumps(license_)},'
        licensed += "" if family is None else f'"license_family":{json.dumps(family)},'
        needs = self._needs(name, rnd)
        base = rnd.lognormvariate(12.8, 2.2)
        each = -(-count // len(versions))
        digits = rnd.randbytes(48 * count).hex()
        for number in range(count):
            at, nth = divmod(number, each)
            age = at / len(versions)
            version = versions[at]
            if pythonic:
                window = 2 + int(age * 6)
                python = _PYTHONS[max(0, min(window + nth % 3 - 1, len(_PYTHONS) - 1))]
                build_number = nth // 3
            else:
                python, build_number = "", nth
            build = self._build(name, version, python, build_number, digits[96 * number : 96 * number + 7])
            depends = [pin(age) for pin in needs if rnd.random() < 0.93]
            if compiled:
                depends += ("__glibc >=2.17,<3.0.a0", "libstdcxx >=13", f"libgcc >={self._near('libgcc', age)}")
            if python:
                low, high = python.split(".")
                depends += (f"python >={python},<{low}.{int(high) + 1}.0a0", f"python_abi {python}.* *_cp{low}{high}")
            elif self.noarch:
                depends.append(("python >=3.6", "python >=3.8", "python >=3.9", "python >=3.10")[int(age * 4)])
            stamp = int(FIRST_STAMP + (LAST_STAMP - FIRST_STAMP) * min(age**0.6 + rnd.random() * 0.05, 1))
            size = min(int(base * rnd.uniform(0.8, 1.25)) + 3000, MAX_SIZE)
            suffix = "conda" if stamp > CONDA_SINCE else "tar.bz2"
            constrains = f'"constrains":["{needs[0](age)}"],' if needs and rnd.random() < 0.15 else ""
            stamped = "" if rnd.random() < 0.05 else f'"timestamp":{stamp},'
            noarch = '"noarch":"python",' if self.noarch else ""
            text = (
                f'{{"build":"{build}","build_number":{build_number},{constrains}"depends":{_list(depends)},{licensed}'
                f'"md5":"{digits[96 * number : 96 * number + 32]}","name":"{name}",{noarch}'
                f'"sha256":"{digits[96 * number + 32 : 96 * number + 96]}","size":{size},"subdir":"{self.subdir}",'
                f'{stamped}"version":"{version}"}}'
            )
            yield f"{name}-{version}-{build}.{suffix}", text

    def _build(self, name: str, version: str, python: str, number: int, digits: str) -> str:
        if name == "python_abi":
            return f"{number}_cp{version.replace('.', '')}"
        if self.noarch:
            return f"pyh{digits}_{number}"
        return f"py{python.replace('.', '')}h{digits}_{number}" if python else f"h{digits}_{number}"

    def _needs(self, name: str, rnd: random.Random) -> list[Callable[[float], str]]:
        """The names that a name depends on, each with how it is pinned; a pin follows the version's age."""
        place = self.place[name]
        count = 0 if place < len(_FIRST) else min(int(rnd.expovariate(0.27)), 40)
        if place == len(self.all) // 3:
            count = 380
        wanted = {self.all[int(place * rnd.random() ** 3)] for _ in range(count)} - {"python", "python_abi", "libgcc"}
        return [self._pin(other, rnd.random()) for other in sorted(wanted)]

    def _pin(self, other: str, form: float) -> Callable[[float], str]:
        def text(age: float) -> str:
            if form < 0.3:
                return other
            version = self._near(other, age)
            if form < 0.6:
                return f"{other} >={version}"
            major, _, minor = version.partition(".")
            if form < 0.95:
                return f"{other} >={version},<{int(major) + 1}.0a0"
            return f"{other} {major}.{minor.partition('.')[0]}.*"

        return text

    def _near(self, name: str, age: float) -> str:
        versions = self.versions(name)
        return versions[int(age * 0.9 * len(versions))]


@cache
def _names(count: int, seed: int) -> list[str]:
    """Distinct names, common ones first."""
    rnd, out, words = random.Random(f"{seed} names"), dict.fromkeys(_FIRST), _WORDS.split()
    while len(out) < count:
        text = rnd.choice(_FRONT) + "".join(rnd.choices(words, k=rnd.choice((1, 2, 2, 3))))
        tail = rnd.random()
        if tail < 0.3:
            text += rnd.choice("-_") + rnd.choice(words)
        elif tail < 0.4:
            text += str(rnd.randrange(10))
        out[text] = None
    return list(out)


def _builds_per_name(records: int, names: int, seed: int) -> list[int]:
    """Numbers of builds by a power law, which add up to `records`."""
    draws = np.minimum(np.random.default_rng(seed).pareto(1.1, names) + 0.6, 300.0)
    edges = np.rint(np.cumsum(draws) * ((records - names) / draws.sum())).astype(int)
    return (np.diff(edges, prepend=0) + 1).tolist()  # type: ignore[no-any-return]  # numpy does not say of what


def _list(texts: list[str]) -> str:
    return '["' + '","'.join(texts) + '"]' if texts else "[]"


def made(folder: Path, subdir: str, records: int, seed: int = 1) -> Path:
    """Return a `repodata.json.zst`, its `.json` beside it; made once and kept in the folder."""
    target = folder / f"{subdir}-{records}-{seed}-{FORM}.json.zst"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    plain, conda, packed = target.with_suffix(""), target.with_suffix(".conda"), target.with_suffix(".part")
    with plain.open("wb") as old, conda.open("wb") as new:
        old.write(b'{"info":{"subdir":"%s"},"packages":{' % subdir.encode())
        written = _sections(Made(subdir, records, seed), old, new)
    assert written == records, f"{records - written} records have lost their place to one of the same name"
    with plain.open("ab") as out, conda.open("rb") as new:
        out.write(b'},"packages.conda":{')
        shutil.copyfileobj(new, out, 1 << 20)
        out.write(b'},"removed":[],"repodata_version":1}')
    conda.unlink()
    with plain.open("rb") as source, packed.open("wb") as sink:
        zstandard.ZstdCompressor(level=10, threads=-1).copy_stream(source, sink, size=plain.stat().st_size)
    packed.replace(target)
    return target


def _sections(source: Made, old: BinaryIO, new: BinaryIO) -> int:
    """Write .tar.bz2 records to one stream and .conda ones to another; returns their number."""
    seen: set[str] = set()
    begun = {id(old): False, id(new): False}
    for fn, text in source.records():
        out = new if fn[-1] == "a" else old
        out.write(b"%s%s:%s" % (b"," if begun[id(out)] else b"", f'"{fn}"'.encode(), text.encode()))
        begun[id(out)] = True
        seen.add(fn)
    return len(seen)
