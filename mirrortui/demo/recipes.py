"""The packages of the demo upstream: invented names, with the shape of real channels.

Chains of dependencies across linux-64 and noarch and from bioconda to conda-forge, several versions and builds
of one name, licences of every family and none at all, both package formats in pkgs/main. None of them is real
software, and each says so in its metadata.
"""

from dataclasses import dataclass

NATIVE = ("linux-64", "osx-arm64", "win-64")
LINUX = ("linux-64",)
NOARCH = ("noarch",)

_BSD = ("BSD-3-Clause", "BSD")
_MIT = ("MIT", "MIT")
_APACHE = ("Apache-2.0", "APACHE")
_GPL = ("GPL-3.0-or-later", "GPL3")
_LGPL = ("LGPL-2.1-or-later", "LGPL")
_RUNTIME = ("GPL-3.0-only WITH GCC-exception-3.1", "GPL3")
_NONE = ("", "")
_MAIN_BSD = ("BSD 3-Clause", "BSD")  # pkgs/main writes licences freely
_MAIN_APACHE = ("Apache 2.0", "Apache")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One name in one channel; every version is built for every subdir, the newest also with each build number.

    `license` is (SPDX or free text, family), ("", "") where the record names none. In `depends`, `{version}`
    stands for the version being built. A `program` has a script of its name on the PATH.
    """

    name: str
    versions: tuple[str, ...]
    license: tuple[str, str]
    summary: str
    depends: tuple[str, ...] = ()
    subdirs: tuple[str, ...] = NATIVE
    builds: int = 1
    program: bool = False
    formats: tuple[str, ...] = (".conda",)


_BOTH = (".tar.bz2", ".conda")

CONDA_FORGE = (
    Recipe("slate-base", ("1.0.0",), _MIT, "folders that others fill", subdirs=NOARCH),
    Recipe("granite-tables", ("2024.2", "2025.1", "2025.3"), _NONE, "lookup tables", ("slate-base",), NOARCH),
    Recipe("quartz-icons", ("3.1.0", "3.2.0"), _APACHE, "a set of icons", ("slate-base >=1",), NOARCH),
    Recipe("aurora-data", ("2.3.1", "2.4.1"), _MIT, "data files of aurora", ("quartz-icons >=3.1",), NOARCH),
    Recipe("basalt-runtime", ("1.4.0", "1.5.2"), _RUNTIME, "a runtime library", ("granite-tables >=2024.2",)),
    Recipe("libaurora", ("2.2.0", "2.3.1", "2.4.1"), _BSD, "the library of aurora", ("basalt-runtime >=1.4",)),
    Recipe(
        "aurora",
        ("2.3.1", "2.4.1"),
        _BSD,
        "a program to try an installation with",
        ("libaurora =={version}", "aurora-data =={version}"),
        builds=2,
        program=True,
    ),
    Recipe("fjord", ("4.1.0", "4.2.0"), _LGPL, "a library for streams", ("basalt-runtime >=1.5",)),
    Recipe("delta-io", ("3.1.0", "3.2.0"), _BSD, "reading and writing of tables", ("fjord >=4.1",)),
    Recipe("libcobalt", ("1.0.3",), _APACHE, "the library of cobalt-cli", ("delta-io >=3.1,<4",)),
    Recipe("cobalt-cli", ("1.0.3",), _APACHE, "a command line", ("libcobalt ==1.0.3",), program=True),
    Recipe("ember", ("0.11.0", "0.12.0"), _GPL, "a solver", ("libaurora >=2.3", "fjord >=4")),
    Recipe("larch", ("6.0.0", "6.1.0"), _LGPL, "a tree library", ("fjord >=4",)),
    Recipe("mica-cli", ("2.2.0",), _GPL, "a viewer of larch trees", ("larch >=6.1",), program=True),
    Recipe("ember-gpu", ("0.12.0",), _GPL, "ember on accelerators", ("ember ==0.12.0",), LINUX, builds=2),
    Recipe("isotope", ("5.0.0", "5.1.0"), _MIT, "a scheduler's tools", ("delta-io >=3",), LINUX, program=True),
    Recipe("juniper", ("0.3.0a1", "0.3.0"), _BSD, "a notebook's kernel", ("cobalt-cli >=1",), LINUX),
    Recipe("kestrel", ("20250115", "20250704"), _LGPL, "a messaging library", ("fjord",), LINUX),
    Recipe("nimbus-sim", ("1.8.0", "1.9.2"), _NONE, "a simulation", ("ember >=0.12", "larch"), LINUX),
    Recipe("onyx-fonts", ("4.0.0",), _NONE, "fonts", ("slate-base",), NOARCH),
    Recipe("delta-io-tests", ("3.2.0",), _BSD, "tests of delta-io", ("delta-io ==3.2.0",), NOARCH),
    Recipe("ember-docs", ("0.11.0", "0.12.0"), _GPL, "the manual of ember", subdirs=NOARCH),
    Recipe("lumen-themes", ("1.9.0", "1.10.0"), _MIT, "colours", ("quartz-icons",), NOARCH),
    Recipe("juniper-extras", ("0.3.0",), _BSD, "additions to juniper", ("juniper >=0.3.0a1",), NOARCH),
)

BIOCONDA = (
    Recipe("moss-index", ("1.2.0", "1.3.0"), _MIT, "an index format", ("granite-tables >=2025.1",), NOARCH),
    Recipe("lichen-db", ("2025.06", "2026.02"), _NONE, "reference tables", ("moss-index >=1.3",), NOARCH),
    Recipe("fern-align", ("0.7.0", "0.8.1"), _GPL, "an aligner", ("aurora >=2.4", "moss-index"), LINUX, program=True),
    Recipe("sedge-call", ("4.4.0", "4.5.0"), _MIT, "a caller", ("fern-align >=0.8", "delta-io >=3.2"), LINUX),
    Recipe("reed-qc", ("2.0.0", "2.1.0"), _LGPL, "quality control", ("kestrel", "lichen-db"), LINUX, builds=2),
    Recipe("tarn-flow", ("1.0.0",), _APACHE, "a pipeline", ("sedge-call >=4.5", "reed-qc >=2.1"), LINUX),
)

MAIN = (
    Recipe("chalk-certs", ("2025.7.2", "2026.1.5"), _NONE, "certificates", (), NOARCH, formats=_BOTH),
    Recipe("flint-core", ("8.1.0", "8.2.1"), _MAIN_BSD, "a core library", ("chalk-certs",), LINUX, formats=_BOTH),
    Recipe(
        "marble-math", ("1.25.0", "1.26.4"), _MAIN_BSD, "arrays", ("flint-core >=8,<9",), LINUX, builds=2, formats=_BOTH
    ),
    Recipe("ochre-readline", ("8.2",), ("GPL-3.0-only", "GPL3"), "line editing", (), LINUX, formats=_BOTH),
    Recipe("pebble", ("3.2.0",), _MIT, "a shell", ("ochre-readline", "flint-core"), LINUX, program=True, formats=_BOTH),
    Recipe("teal-http", ("2.31.0", "2.32.3"), _MAIN_APACHE, "requests", ("chalk-certs",), LINUX, formats=_BOTH),
    Recipe("umber-plot", ("0.13.2",), _MAIN_APACHE, "plots", ("marble-math >=1.25",), NOARCH, formats=_BOTH),
    Recipe("umber-plot-docs", ("0.13.2",), _MAIN_APACHE, "the manual of umber-plot", (), NOARCH),
)

CHANNELS: dict[str, tuple[Recipe, ...]] = {"conda-forge": CONDA_FORGE, "bioconda": BIOCONDA, "pkgs/main": MAIN}
INSTALL_SPECS = ("aurora",)
INSTALLED_NAMES = (
    "aurora",
    "aurora-data",
    "basalt-runtime",
    "granite-tables",
    "libaurora",
    "quartz-icons",
    "slate-base",
)
