"""Why a record is in or out: the deciding rule with its text, and for a dependency the way from a wanted record down to it."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mirrortui import config as toml
from mirrortui.cli.main import app
from mirrortui.errors import ConfigError
from mirrortui.selection.explain import Answer, explain
from mirrortui.selection.reasons import WORDS, Reason
from tests.unit import indexes
from tests.unit.catalog import made
from tests.unit.indexes import Lab, pkg

LINUX, OSX, NOARCH = ("c", "linux-64"), ("c", "osx-64"), ("c", "noarch")


def ask(lab: Lab, question: str, own: dict[str, Any] | None = None, **rules: Any) -> list[Answer]:
    return explain(lab.config(own, **rules), lab.decide(own, **rules), question)


def one(lab: Lab, question: str, **rules: Any) -> Answer:
    (answer,) = ask(lab, question, **rules)
    return answer


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    base = tmp_path_factory.mktemp("lab")
    (base / "lock.txt").write_text("@EXPLICIT\nhttps://h/c/linux-64/pinned-1-0.conda\n")
    (base / "export.txt").write_text("pinned=1=0\n")
    (base / "environment.yml").write_text("dependencies: [asked]")
    entries = [
        ("a-1-0.conda", {}), ("a-1-0.tar.bz2", {}), ("a-1-1.conda", {}), ("a-2-0.conda", {}), ("gpl-1-0.conda", {"license": "GPL-3.0-only"}), ("odd-1-0.conda", {"license": "who knows"}),
        ("big-1-0.conda", {"size": 2000}), ("new-1-0.conda", {"timestamp": 1_800_000_000_000}), pkg("py-1-0.conda", "python 3.9.*"), "pinned-1-0.conda", "asked-1-0.conda",
    ]  # fmt: skip
    return Lab(base, {LINUX: entries})


@pytest.mark.parametrize(
    ("fn", "rules", "reason", "rule"),
    [
        ("a-1-0.conda", {}, Reason.WANTED, ""),
        ("a-1-0.conda", {"include": ["x", "a 1"]}, Reason.WANTED, "include[1] = a 1"),
        ("a-1-0.conda", {"include": ["x"]}, Reason.NOT_INCLUDED, ""),
        ("a-1-0.conda", {"exclude": ["x", "a*", "a"]}, Reason.EXCLUDED, "exclude[1] = a*"),
        ("a-1-0.conda", {"exclude": ["a"], "always": ["a"]}, Reason.ALWAYS, "always[0] = a"),
        ("a-1-0.tar.bz2", {"formats": "prefer-conda"}, Reason.FORMAT, "formats = prefer-conda"),
        ("gpl-1-0.conda", {"exclude_licenses": ["AGPL", "GPL"]}, Reason.LICENSE, "exclude_licenses GPL: the record says GPL-3.0-only"),
        ("odd-1-0.conda", {"exclude_licenses": ["GPL"], "unknown_license": "drop"}, Reason.UNKNOWN_LICENSE, "the record says who knows"),
        ("py-1-0.conda", {"python": ["3.11", "3.12"]}, Reason.PYTHON, "python = 3.11, 3.12"),
        ("big-1-0.conda", {"max_size": "1 kB"}, Reason.MAX_SIZE, "max_size = 1 kB"),
        ("new-1-0.conda", {"before": "2024-01-01"}, Reason.TOO_NEW, "before = 2024-01-01"),
        ("new-1-0.conda", {"min_age": "7 days"}, Reason.TOO_NEW, "min_age = 7 days"),
        ("new-1-0.conda", {"before": "2030-01-01", "min_age": "7 days"}, Reason.TOO_NEW, "before = 2030-01-01, min_age = 7 days"),
        ("a-1-0.conda", {"newest_versions": 1}, Reason.OLDER_VERSION, "newest_versions = 1"),
        ("a-1-0.conda", {"newest_builds": 1}, Reason.OLDER_BUILD, "newest_builds = 1"),
        ("pinned-1-0.conda", {"environments": ["environment.yml", "lock.txt"]}, Reason.PINNED, "environments[1] = {base}/lock.txt"),
        ("pinned-1-0.conda", {"environments": ["export.txt"], "exclude": ["pinned"]}, Reason.PINNED, "environments[0] = {base}/export.txt"),
        ("asked-1-0.conda", {"environments": ["lock.txt", "environment.yml"], "include": ["b"]}, Reason.WANTED, "environments[1] = {base}/environment.yml"),
    ],
)  # fmt: skip
def test_each_reason_comes_with_its_rule(lab: Lab, fn: str, rules: dict[str, Any], reason: Reason, rule: str) -> None:
    if "environments" in rules:
        rules = rules | {"environments": [str(lab.base / name) for name in rules["environments"]]}
    answer = one(lab, fn, **rules)
    assert (answer.fn, answer.reason, answer.rule, answer.kept, answer.chain) == (
        fn,
        reason,
        rule.format(base=lab.base),
        reason < 100,
        (),
    )
    assert answer.words == WORDS[reason]
    assert json.loads(json.dumps(answer.to_json())) == {
        "channel": "c", "subdir": "linux-64", "fn": fn, "in": reason < 100, "reason": reason.name.lower().replace("_", "-"), "words": WORDS[reason], "rule": answer.rule, "chain": [],
    }  # fmt: skip


def test_the_rules_of_the_records_own_channel_are_told(tmp_path: Path) -> None:
    lab = Lab(tmp_path, {LINUX: ["a-1-0.conda"], ("d", "linux-64"): ["a-1-0.conda"]})
    answers = ask(lab, "a", {"d": {"exclude": ["a"]}})
    assert [(a.channel, a.kept, a.rule) for a in answers] == [("c", True, ""), ("d", False, "exclude[0] = a")]


# ----------------------------------------------------------------------------------------- questions


def test_a_spec_finds_its_records_newest_first_in_every_subdir(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        {LINUX: ["a-1.9-0.conda", "a-1.10-0.conda", "a-1.10-1.conda", "ab-1-0.conda"], NOARCH: ["a-1.2-0.conda"]},
    )
    assert [a.fn for a in ask(lab, "a")] == ["a-1.10-1.conda", "a-1.10-0.conda", "a-1.9-0.conda", "a-1.2-0.conda"]
    assert [a.fn for a in ask(lab, "a >=1.5,<1.10")] == ["a-1.9-0.conda"]
    assert [a.subdir for a in ask(lab, "*[subdir=noarch]")] == ["noarch"]
    assert len(ask(lab, "*")) == 5
    assert len(explain(lab.config(), lab.decide(), "*", limit=2)) == 2


@pytest.mark.parametrize(
    "question",
    [
        "a-2-0.conda",
        "https://up/c/linux-64/a-2-0.conda",
        "https://h/x/c/linux-64/a-2-0.conda",
        "a 2 0",
        "a==2=0",
        "*[fn=a-2-0.conda]",
        "c::a 2",
        "c/linux-64::a 2",
        "A 2",
    ],
)
def test_one_record_is_found_in_many_ways(lab: Lab, question: str) -> None:
    assert one(lab, question).fn == "a-2-0.conda"


@pytest.mark.parametrize(
    "question",
    [
        "nothing",
        "a-9-0.conda",
        "https://up/d/linux-64/a-2-0.conda",
        "a-2-0.conda\n",
        "x" * 500 + ".conda",
        "c::a-2-0.conda",
    ],
)
def test_what_is_not_there_has_no_answer(lab: Lab, question: str) -> None:
    try:
        assert ask(lab, question) == []
    except ConfigError:
        assert not question.endswith(".conda")


@pytest.mark.parametrize("question", ["", "a >==", "(", "a[", "\x1b[31m"])
def test_a_question_that_cannot_be_read_is_the_askers_error(lab: Lab, question: str) -> None:
    with pytest.raises(ConfigError):
        ask(lab, question)


def test_a_name_that_comes_twice_is_answered_for_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mirrortui.catalog import cache
    from mirrortui.catalog.catalog import Catalog
    from mirrortui.selection.decide import decide

    monkeypatch.setattr(cache.unpacked, "__defaults__", (20,))
    entries = [f'"a-1-0.conda":{{"name":"a","version":"{v}","build":"0"}}' for v in (1, 2)]
    catalog = Catalog(
        {LINUX: made.index(tmp_path / "state", ('{"packages.conda":{' + ",".join(entries) + "}}").encode())}
    )
    config = indexes.config(tmp_path, [LINUX])
    assert [a.reason for a in explain(config, decide(catalog, config), "a-1-0.conda")] == [Reason.WANTED]
    assert [a.reason for a in explain(config, decide(catalog, config), "a")] == [Reason.WANTED, Reason.REPLACED]


# ------------------------------------------------------------------------------------------ the verb


@pytest.fixture
def on_disk(tmp_path: Path) -> tuple[Lab, str]:
    lab = Lab(tmp_path, {LINUX: [pkg("a-1-0.conda", "b"), "b-1-0.conda", ("z-1-0.conda", {"license": "\x1b[31mGPL"})]})
    (tmp_path / "root").mkdir()
    toml.save(lab.config(include=["a"]), tmp_path / "mirror.toml")
    return lab, str(tmp_path / "mirror.toml")


def test_the_verb_prints_json_of_a_stable_shape(on_disk: tuple[Lab, str]) -> None:
    _, path = on_disk
    result = CliRunner().invoke(app, ["explain", "--json", "-c", path, "*"], standalone_mode=False)
    answers = json.loads(result.stdout)
    assert [(a["fn"], a["in"], a["reason"]) for a in answers] == [
        ("a-1-0.conda", True, "wanted"),
        ("b-1-0.conda", True, "dependency"),
        ("z-1-0.conda", False, "not-included"),
    ]
    assert {tuple(sorted(a)) for a in answers} == {
        ("chain", "channel", "fn", "in", "reason", "rule", "subdir", "words")
    }
    assert answers[1]["chain"] == [{"fn": "a-1-0.conda", "depends": "b"}]


def test_the_verb_tells_people_and_shell(on_disk: tuple[Lab, str]) -> None:
    _, path = on_disk
    command = [sys.executable, "-m", "mirrortui", "explain", "-c", path]
    done = subprocess.run([*command, "b-1-0.conda"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (
        0,
        "in  c/linux-64/b-1-0.conda: needed by a wanted package\n      a-1-0.conda needs b\n",
    )
    done = subprocess.run([*command, "nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no index at hand holds a record of nothing" in done.stderr
    done = subprocess.run([*command, "a >=="], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_hostile_records_are_explained_without_a_crash(tmp_path: Path) -> None:
    values = [None, 5, -1, "x", [], {}, True, 1e300, "\x1b[31m\u202e", 10**30]
    fields = [
        "size",
        "timestamp",
        "license",
        "license_family",
        "depends",
        "sha256",
        "md5",
        "build_number",
        "constrains",
        "noarch",
    ]
    entries = [
        (f"p{i}x{j}-1-0.conda", {key: value})
        for (i, key), (j, value) in itertools.product(enumerate(fields), enumerate(values))
    ]
    lab = Lab(tmp_path, {LINUX: entries})
    rules: dict[str, Any] = {
        "exclude_licenses": ["GPL"],
        "unknown_license": "drop",
        "max_size": "1 GB",
        "before": "2024-01-01",
        "newest_versions": 1,
        "python": ["3.12"],
        "include": ["p*"],
    }
    answers = ask(lab, "*", **rules)
    assert len(answers) == 100
    assert all("\x1b" not in a.rule for a in answers)
