import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrortui.errors import ConfigError
from mirrortui.selection import licenses
from mirrortui.selection.licenses import blocked, check_rule, families, family_of


def hit(text, *rules, family=None, exceptions=True):
    return blocked(text, family, rules, runtime_exceptions=exceptions)


# text, license_family, label, every family named, blocked by GPL (runtime exceptions spared)
TRUTH = [
    # SPDX
    ("MIT", "MIT", "MIT", "MIT", False),
    ("GPL-3.0-or-later", "", "GPL", "GPL", True),
    ("LGPL-2.1-only", "GPL", "LGPL", "LGPL", False),
    ("AGPL-3.0-only", "", "AGPL", "AGPL", False),
    ("MIT AND GPL-2.0-or-later", "", "GPL", "GPL MIT", True),
    ("Apache-2.0 OR GPL-2.0-or-later", "", "APACHE", "APACHE GPL", False),
    ("GPL-3.0-only WITH GCC-exception-3.1", "GPL", "GPL", "GPL", False),
    ("GPL-3.0-with-GCC-exception", "", "GPL", "GPL", False),
    ("GPL-2.0-or-later WITH Bootloader-exception", "GPL", "GPL", "GPL", False),
    ("Apache-2.0 WITH LLVM-exception", "", "APACHE", "APACHE", False),
    ("CC-BY-NC-SA-3.0", "", "CC", "CC", False),
    ("SSPL-1.0", "", "OTHER", "OTHER", False),
    ("ISC", "MIT", "OTHER", "OTHER", False),
    ("LicenseRef-ProprietaryMicrosoft", "", "PROPRIETARY", "PROPRIETARY", False),
    ("LicenseRef-NVIDIA-End-User-License-Agreement", "", "PROPRIETARY", "PROPRIETARY", False),
    ("LicenseRef-PSF-based", "", "PSF", "PSF", False),
    # R
    ("GPL (>= 2)", "GPL3", "GPL", "GPL", True),
    ("GPL (> 2)", "", "GPL", "GPL", True),
    ("GPL-2 | GPL-3", "", "GPL", "GPL", True),
    ("GPL-3 | file LICENSE", "GPL3", "GPL", "GPL", True),
    ("GPL-2 | GPL-3 | MIT", "GPL3", "MIT", "GPL MIT", False),
    ("GPL-2 | MIT + file LICENSE", "GPL2", "MIT", "GPL MIT", False),
    ("MIT + file LICENSE", "MIT", "MIT", "MIT", False),
    ("BSD_3_clause + file LICENSE", "", "BSD", "BSD", False),
    ("LGPL (>= 2.0, < 3) | Mozilla Public License", "", "MOZILLA", "LGPL MOZILLA", False),
    ("Apache License (== 2.0)", "", "APACHE", "APACHE", False),
    ("file LICENSE", "OTHER", "OTHER", "OTHER", False),
    # free forms
    ("GNU General Public License v2 (GPLv2)", "", "GPL", "GPL", True),
    ("GNU General Public License v2 or later (GPLv2+)", "", "GPL", "GPL", True),
    ("GNU Affero General Public v3 or later (AGPLv3+)", "", "AGPL", "AGPL", False),
    ("GNU Lesser General Public v2 (LGPLv2)", "", "LGPL", "LGPL", False),
    ("GNU Library General Public License", "", "LGPL", "LGPL", False),
    ("GPL v2 (with runtime exception)", "", "GPL", "GPL", False),
    ("GPLv2 with exceptions", "", "GPL", "GPL", True),
    ("BSD or GPL 2", "", "BSD", "BSD GPL", False),
    ("LGPL and BSD", "", "LGPL", "BSD LGPL", False),
    ("LGPLv2+ and GPLv2+", "GPL2", "GPL", "GPL LGPL", True),
    ("(Ruby or GPLv2) and (GPL+ or Artistic)", "GPL2", "OTHER", "GPL OTHER", False),
    ("(FTL or GPLv2+) and BSD and Public Domain", "GPL2", "OTHER", "BSD GPL OTHER PUBLIC-DOMAIN", False),
    ("(GPLv2+ or AFL) and GPLv2+", "GPL2", "GPL", "GPL OTHER", True),
    ("(GPL+ or Artistic) and Copyright Only and UCD", "GPL2", "OTHER", "GPL OTHER", False),
    ("GPL, LGPL, FDL, custom", "", "GPL", "GPL LGPL OTHER", True),
    ("GPL, custom:BSD", "", "GPL", "BSD GPL", True),
    ("MIT, BSD, or GPL", "", "MIT", "BSD GPL MIT", False),
    ("LGPL2, documentation:GPL3", "", "GPL", "GPL LGPL", True),
    ("Commercial, GPLv2, GPLv3", "", "PROPRIETARY", "GPL PROPRIETARY", True),
    ("Commercial or AGPLv3", "GPL", "AGPL", "AGPL PROPRIETARY", False),
    ("Adobe+GPLv2", "GPL", "GPL", "GPL", True),
    ("LGPL v2 (AMD, BTF), BSD 3-clause (UFget), GPL v2 (SPQR)", "", "GPL", "BSD GPL LGPL", True),
    ("BSD-3-Clause (or Apache 2.0)", "", "BSD", "APACHE BSD", False),
    ("Apache License, Version 2.0", "", "APACHE", "APACHE", False),
    ("Public Domain/MIT", "", "PUBLIC-DOMAIN", "MIT PUBLIC-DOMAIN", False),
    ("MIT/X derivate (http://curl.haxx.se/docs/copyright.html)", "", "MIT", "MIT", False),
    ("Free software (MIT-like License)", "", "MIT", "MIT", False),
    ("proprietary - Continuum Analytics, Inc.", "", "PROPRIETARY", "PROPRIETARY", False),
    ("Proprietary - Intel", "", "PROPRIETARY", "PROPRIETARY", False),
    ("Python Software Foundation", "", "PSF", "PSF", False),
    ("European Union Public License 1.2", "", "OTHER", "OTHER", False),
    ("zlib/libpng", "", "OTHER", "OTHER", False),
    ("custom:ISC", "", "OTHER", "OTHER", False),
    ("GFDL", "", "OTHER", "OTHER", False),
    # the family is asked last
    ("COPYING", "MIT", "MIT", "MIT", False),
    ("Various", "Other", "OTHER", "OTHER", False),
    ("", "GPL2", "GPL", "GPL", True),
    (None, "Apache", "APACHE", "APACHE", False),
    ("Custom", "NONE", "unknown", "", None),
    ("Unknown", "", "unknown", "", None),
    (None, None, "unknown", "", None),
    ("Biopython License Agreement", "", "unknown", "", None),
]


@pytest.mark.parametrize(("text", "family", "label", "named", "gpl"), TRUTH)
def test_truth_table(text, family, label, named, gpl):
    verdict = families(text, family)
    assert (verdict.label, " ".join(sorted(verdict.families))) == (label, named)
    assert family_of(text, family) == label
    assert hit(text, "GPL", family=family) is gpl


@pytest.mark.parametrize(
    ("text", "rules", "expected"),
    [
        ("GPL-3.0-or-later", ["gpl"], True),
        ("GPL-3.0-only", ["GPL3"], True),
        ("GPL-3.0-only", ["GPL2"], False),
        ("GPL-2.0-or-later", ["GPL3"], False),  # may be used under version 2
        ("GPL-2.0-or-later", ["GPL2"], False),
        ("GPL-2.0-or-later", ["GPL2", "GPL3"], True),
        ("GPL (>= 3)", ["GPL3"], True),
        ("GPL", ["GPL3"], False),
        ("GPL", ["GPL2", "GPL3"], True),
        ("GPL-2.0-only", ["LGPL", "AGPL"], False),
        ("LGPL-3.0-only", ["GPL3"], False),
        ("LGPL-3.0-only", ["LGPL3"], True),
        ("LGPL-2.1-only", ["LGPL2"], True),
        ("GPL-3.0-or-later", ["GPL-3.0-only"], False),  # an SPDX id means that licence alone
        ("GPLv3", ["GPL-3.0-only"], True),
        ("GPL 3", ["gpl-3.0-ONLY"], True),
        ("GPLv2+", ["GPL-2.0-or-later"], True),
        ("SSPL-1.0", ["sspl-1.0"], True),
        ("Apache License, Version 2.0", ["Apache-2.0"], True),
        ("LicenseRef-PIL", ["LicenseRef-PIL"], True),
        ("LicenseRef-PIL", ["MIT"], None),
        ("MIT OR GPL-2.0-only", ["GPL", "MIT"], True),
        ("BSD 3-Clause", ["bsd"], True),
        ("PublicDomain", ["Public Domain"], True),
        ("MPL-2.0", ["mpl"], True),
        ("MIT", [], False),
        ("MIT AND FooBar", ["MIT"], True),  # one blocked part decides an AND
        ("MIT AND FooBar", ["GPL"], None),
        ("MIT OR FooBar", ["GPL"], False),  # one free alternative decides an OR
        ("MIT OR FooBar", ["MIT"], None),
    ],
)
def test_rule_words(text, rules, expected):
    assert hit(text, *rules) is expected


def test_runtime_exceptions_are_spared_only_when_asked_for():
    for text in ("GPL-3.0-only WITH GCC-exception-3.1", "GPL v2 (with runtime exception)"):
        assert hit(text, "GPL") is False
        assert hit(text, "GPL", exceptions=False) is True
    linking_only = "GPL-2.0-only WITH cryptsetup-OpenSSL-exception"
    assert hit(linking_only, "GPL") is True
    assert hit("Apache-2.0 WITH LLVM-exception", "APACHE") is True


def test_a_bare_gpl_takes_its_version_from_the_family():
    assert hit("GPL", "GPL3", family="GPL3") is True
    assert hit("GPL", "GPL3", family="GPL2") is False


@pytest.mark.parametrize(
    "word", ["GPL", "gpl2", "Apache", "Public-Domain", "LGPLv3", "GPL-3", "SSPL-1.0", "LicenseRef-x"]
)
def test_good_rule_words(word):
    check_rule(word)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("GLP", "GPL?"),
        ("Apach", "APACHE"),
        ("GPL-4.0-only", "GPL-3.0-only"),
        ("unknown", "unknown_license"),
        ("", "unknown_license"),
        ("GPL*", "every version"),
        ("MIT OR BSD", "one family"),
        ("GCC-exception-3.1", "Families"),
        ("\x1b[31m" + "x" * 5000, "Families"),
    ],
)
def test_a_word_that_can_never_match_is_refused_with_the_nearest(word, hint):
    with pytest.raises(ConfigError) as caught:
        check_rule(word)
    assert hint in caught.value.hint
    assert "\x1b" not in str(caught.value)


HOSTILE = [0, 1.5, True, [], ["MIT"], {"a": 1}, b"MIT", "\ud800", "x" * 1_000_000, "(" * 1999, ")" * 1999]
HOSTILE += ["(" * 19 + "MIT", "MIT AND " * 249, "\x00\x01\x02", "GPL with " * 200, "a, or " * 300, "- " * 999]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_nothing_raises(value):
    started = time.perf_counter()
    assert families(value, value).label in (*licenses.FAMILIES, "unknown")
    assert hit(value, "GPL", family=value) in (True, False, None)
    assert time.perf_counter() - started < 0.5


WORDS = [
    "MIT",
    "GPL-2",
    "LGPLv2+",
    "(",
    ")",
    " and ",
    " or ",
    "|",
    ",",
    "/",
    " + ",
    "+",
    "with",
    " ",
    "(>= 2)",
    "é",
    "\x01",
]
PIECES = st.lists(st.sampled_from(WORDS), max_size=30).map("".join)


@given(st.one_of(st.text(), PIECES), st.text(max_size=10))
def test_any_text_has_an_answer(text, family):
    verdict = families(text, family)
    assert verdict.known <= bool(verdict.families)
    assert verdict.families <= set(licenses.FAMILIES)
    everything = hit(text, *licenses.FAMILIES, family=family, exceptions=False)
    assert everything in ((True,) if verdict.known else (True, None))


def test_all_real_texts(shared):
    lines = (shared / "repodata" / "licence_strings.tsv").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    started = time.perf_counter()
    labels = [family_of(text, family) for _, text, family in rows]
    elapsed = time.perf_counter() - started
    weights = dict.fromkeys((*licenses.FAMILIES, "unknown"), 0)
    for label, (count, _, _) in zip(labels, rows, strict=True):
        weights[label] += int(count)
    assert elapsed < 0.3
    assert weights["unknown"] / sum(weights.values()) < 0.02
    spelled = {text for (_, text, _), label in zip(rows, labels, strict=True) if label == "GPL"}
    assert len(spelled) > 100
    assert all("GPL" in text or "General Public" in text or not text for text in spelled)


def test_a_plain_family_needs_no_spdx_index():
    code = (
        "import sys; from mirrortui.selection.licenses import blocked;"
        "[blocked(t, None, ('GPL', 'LGPL3'), runtime_exceptions=True) for t in ('MIT', 'BSD-3-Clause', 'GPL-3.0-only')];"
        "sys.exit('license_expression' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
