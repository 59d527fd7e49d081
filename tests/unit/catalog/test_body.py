import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrortui.catalog import body
from mirrortui.errors import BadRepodata
from tests.unit.lines import assert_clean

loose = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


def read(data: bytes, size: int = 1 << 20) -> tuple[dict[str, dict[str, Any]], dict[str, Any], list[str]]:
    """Sections, other values, and the order of sections, as `split` hands them out."""
    sections: dict[str, dict[str, Any]] = {}
    others: dict[str, Any] = {}
    order: list[str] = []

    def block(section: str, data: bytes) -> None:
        order.append(section)
        for fn, raw in loose(data).items():
            sections.setdefault(section, {})[fn] = json.loads(bytes(raw))

    for _ in body.split(cut(data, size), block, lambda key, raw: others.__setitem__(key, json.loads(raw))):
        pass
    return sections, others, order


def expected(data: bytes) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    whole = json.loads(data)
    sections = {key: whole.pop(key) for key in body.SECTIONS if isinstance(whole.get(key), dict)}
    if isinstance(whole.get("v3"), dict):
        inner = {f"v3/{key}": value for key, value in whole["v3"].items()}
        tables = {key: value for key, value in inner.items() if isinstance(value, dict)}
        sections |= tables
        whole |= inner | {key: {} for key in ("v3", *tables)}
    return {key: table for key, table in sections.items() if table}, whole


# What is made to look like the key of a record, or like the end of a section, and is neither.
HOSTILE = [
    ',"x-1-0": {', '","x-1-0": {', "x-1-0", "-", '"}},"v3":{"conda":{',
    '","x.conda": {', ',"x.conda": {', '"', "\\", '\\"', '\\",\\"x.tar.bz2\\":{', "}", "}}", "]", "{", '},"packages.conda":{', "x.conda", "\n", "\u2028",
    "é漢\U0001f40d", "\x00\x1f", "/", "", '"}},"packages":{"a.conda":{',
]  # fmt: skip
texts = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
leaves = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x.conda", "y.tar.bz2", "packages", "a"]) | texts, inner, max_size=3)
    ),
    max_leaves=6,
)
keys = st.sampled_from([f"{c}-1-0{s}" for c in "abcdef" for s in (".conda", ".tar.bz2", "")]) | texts
records = st.dictionaries(
    keys, st.dictionaries(texts | st.sampled_from(["depends", "x.conda"]), nested, max_size=3) | leaves, max_size=6
)
others = st.dictionaries(
    st.sampled_from(["info", "removed", "repodata_version", "signatures", "x.conda", "é"]) | texts, nested, max_size=3
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A repodata.json: sections in any order, missing, empty or of a wrong type, among other values of any type."""
    value = dict(draw(others))
    for section in body.SECTIONS:
        if draw(st.booleans()):
            value[section] = draw(records | st.just({}) | leaves)
    if draw(st.booleans()):
        kinds = st.sampled_from(["conda", "tar.bz2", "whl", "packages", "v3"]) | texts
        value["v3"] = draw(st.dictionaries(kinds, records | leaves, max_size=4) | leaves)
    items = draw(st.permutations(sorted(value)))
    style = draw(
        st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"indent": 0}, {"ensure_ascii": False}])
    )
    return json.dumps({key: value[key] for key in items}, **style).encode()


@settings(max_examples=200)
@given(bodies(), st.integers(1, 40) | st.just(1 << 20))
def test_every_body_is_read_as_json_reads_it(data: bytes, size: int) -> None:
    sections, values, order = read(data, size)
    assert (sections, values) == expected(data)
    whole = json.loads(data)
    names = [
        name
        for key in whole
        for name in (
            [f"v3/{k}" for k in whole[key]] if f"{key}/" == body.INNER and isinstance(whole[key], dict) else [key]
        )
    ]
    assert [s for i, s in enumerate(order) if s not in order[:i]] == [name for name in names if name in sections]


@settings(max_examples=250)
@given(bodies(), st.randoms(use_true_random=False), st.integers(1, 40))
def test_damage_is_either_harmless_or_refused(data: bytes, rng: random.Random, size: int) -> None:
    """Whatever is taken in must be what json takes in; whatever json refuses must be refused."""
    broken = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(broken) + 1)
        broken[at : at + rng.randint(0, 2)] = rng.choice(
            [b"", b",", b"}", b'"', b"{", b":", b"]", b"\\", b" ", b"x", b"\xff"]
        )
    try:
        want = expected(bytes(broken))
    except (ValueError, AttributeError):
        want = None
    try:
        got = read(bytes(broken), size)
    except BadRepodata as error:
        assert_clean(error)
        return
    assert want is not None, bytes(broken)
    # json lets the later of two equal top-level keys win, which is refused here, so both agree on the rest
    assert got[:2] == want


SMALL = b"""{
  "info": {"subdir": "noarch", "x.conda": {"a": [1, {"b": "},"}]}},
  "packages": {"a-1-0.tar.bz2": {"name": "a", "depends": ["x \\"y\\"", ","]}, "b-1-0.tar.bz2": {"x.conda": {}}},
  "packages.conda": {"a-1-0.conda": {"name": "\\u00e9\xc3\xa9"}},
  "removed": ["z.conda"], "repodata_version": 1
}"""


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_body_cut_off_at_any_byte_is_refused(size: int) -> None:
    assert read(SMALL, size)[:2] == expected(SMALL)
    for end in range(len(SMALL)):
        with pytest.raises(BadRepodata):
            read(SMALL[:end], size)


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"null", b"[]", b"[{}]", b'"x"', b"<!DOCTYPE html>", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf{}", b"{", b"{}x", b"{}{}", b"{} \n]", b'{"info":{}}}',
     b"{,}", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{"a":1 "b":2}', b"{a:1}", b'{"a":nul}', b'{"a":01}', b'{"a":NaN}', b'{"a":"\x01"}', b'{"a":"\xff"}',
     b'{"\xff":1}', b'{"a":1e999}', b'{"a":[}', b'{"a":{]}', b'{"packages":{"a.conda":{}},}', b'{"packages":{"a.conda":{},}}',
     b'{"packages":{"a.conda":{},,"b.conda":{}}}', b'{"packages":{"a.conda":{}, }}', b'{"packages":{,"a.conda":{}}}', b'{"packages":{"a.conda":{} "b.conda":{}}}',
     b'{"packages":{"a.conda":{"x":}}}', b'{"packages":{"a.conda":{}', b'{"packages":{"a.conda"}}', b'{"packages":["a"}', b"\x0b{}", b'{"a":1\x0c}', b"{'a':1}"],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_what_is_no_json_object_is_refused(data: bytes, size: int) -> None:
    with pytest.raises(BadRepodata) as caught:
        read(data, size)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "data", [b"{}", b" {\n}\t", b'{"packages":{}}', b'{"packages":{ },"packages.conda":{\n}}', b'{"info":{}}\n']
)
def test_a_body_without_records_is_none_the_less_one(data: bytes) -> None:
    assert read(data) == ({}, expected(data)[1], [])


def test_the_tables_of_v3_come_as_sections_and_what_else_is_there_as_values() -> None:
    data = b'{"v3":{"conda":{"a-1-0":{"x-1-0":{}},"b-1-0":{}},"x":[1],"whl":{"w":{}},"tar.bz2":{}},"packages":{"a.tar.bz2":{}}}'
    for size in (1, 9, 1 << 20):
        sections, values, order = read(data, size)
        assert sections == {
            "v3/conda": {"a-1-0": {"x-1-0": {}}, "b-1-0": {}},
            "v3/whl": {"w": {}},
            "packages": {"a.tar.bz2": {}},
        }
        assert values == {"v3": {}, "v3/conda": {}, "v3/x": [1], "v3/whl": {}, "v3/tar.bz2": {}}
        assert list(dict.fromkeys(order)) == ["v3/conda", "v3/whl", "packages"]


@pytest.mark.parametrize("key", ["v3/conda", "v3/", "v3/x"])
def test_a_key_that_looks_like_a_table_of_v3_is_refused(key: str) -> None:
    with pytest.raises(BadRepodata, match="odd key"):
        read(json.dumps({"v3": {"conda": {}}, key: {"a-1-0": {}}}).encode())


@pytest.mark.parametrize("tables", ['{"conda":{},"conda":{}}', '{"conda":{},}', '{"conda":{}', '{"conda":{"a":{}', "{,}", '{"conda":{"a":{},}}', '{"conda"}',
                                    json.dumps({"x" * 101: {}}), json.dumps(dict.fromkeys(map(str, range(1001))))])  # fmt: skip
def test_a_broken_v3_is_refused(tables: str) -> None:
    with pytest.raises(BadRepodata):
        read(b'{"v3":%s,"packages":{}}' % tables.encode(), 64)


@pytest.mark.parametrize("key", ["packages", "packages.conda", "info"])
def test_a_key_that_comes_twice_is_refused(key: str) -> None:
    with pytest.raises(BadRepodata, match="twice"):
        read(b'{"%s":{},"x":1,"%s":{}}' % (key.encode(), key.encode()))
    with pytest.raises(BadRepodata, match="twice"):
        read(b'{"info":{},"inf\\u006f":{}}')


def test_sections_may_come_in_either_order() -> None:
    data = b'{"packages.conda":{"a.conda":{}},"info":{},"packages":{"a.tar.bz2":{}}}'
    assert read(data)[2] == ["packages.conda", "packages"]


def test_too_many_and_too_long_top_level_keys_are_refused() -> None:
    with pytest.raises(BadRepodata, match="more than 1000"):
        read(json.dumps({f"k{i}": i for i in range(1001)}).encode())
    for key in ("x" * 101, "é" * 51, "x" * 100_000):
        with pytest.raises(BadRepodata, match="long key"):
            read(json.dumps({key: 1}).encode(), 4096)


DEEP = [b'{"info":%s}', b'{"packages":{"a.conda":{"x":%s}}}', b'{"packages":{"a.conda":{"x":%s},"b.conda":{}}}']


@pytest.mark.parametrize("depth", [5_000, 200_000])
@pytest.mark.parametrize("place", DEEP)
def test_brackets_nested_beyond_reason_are_refused(depth: int, place: bytes) -> None:
    with pytest.raises(BadRepodata):
        read(place % (b"[" * depth + b"]" * depth), 1 << 16)


@pytest.mark.parametrize("place", DEEP)
def test_brackets_nested_within_reason_are_read(place: bytes) -> None:
    data = place % (b"[" * 90 + b"]" * 90)
    assert read(data)[:2] == expected(data)


# --------------------------------------------------------------------------------- time and memory


def seconds(data: bytes, size: int) -> float:
    begin = time.perf_counter()
    with suppress(BadRepodata):
        read(data, size)
    return time.perf_counter() - begin


@pytest.mark.parametrize(
    "data",
    [
        b'{"info":"' + b"x" * 8_000_000 + b'"}',
        b'{"info":"' + b"\\n" * 4_000_000 + b'"}',
        b'{"packages":{"a.conda":{"x":"' + b"y" * 8_000_000 + b'"}}}',
        b'{"packages":{"a.conda":{"x":"' + b',"' * 10 + b"," * 4_000_000,
        b'{"' + b"k" * 8_000_000,
        b"{" + b" " * 8_000_000,
        b'{"packages":{' + b'"a":1,' * 500_000,
    ],
    ids=["long string", "escapes", "long record", "no key", "long name", "blanks", "no records"],
)
def test_a_hostile_shape_costs_neither_time_nor_memory(data: bytes) -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert seconds(data, 1 << 16) < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB


def test_a_record_and_a_value_beyond_their_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_RECORD", 10_000)
    monkeypatch.setattr(body, "MAX_VALUE", 10_000)
    with pytest.raises(BadRepodata, match="holds a record over"):
        read(b'{"packages":{"a.conda":{"x":"' + b"y" * 50_000 + b'"}}}', 1000)
    with pytest.raises(BadRepodata, match="holds a value over"):
        read(b'{"info":"' + b"y" * 50_000 + b'"}', 1000)


@pytest.mark.parametrize(
    ("begin", "key"), [(b'{"packages":{"a.conda":{}', b"p-%d-%d.conda"), (b'{"v3":{"conda":{"a-1-0":{}', b"p-%d-%d")]
)
def test_memory_is_a_few_blocks_however_long_the_body(begin: bytes, key: bytes) -> None:
    sizes: list[int] = []

    def block(_section: str, data: bytes) -> None:
        sizes.append(len(data))

    def chunks() -> Iterator[bytes]:
        yield begin
        for i in range(300):
            yield b"".join(b',"%s":{"name":"p","extra_depends":{}}' % (key % (i, j)) for j in range(100))
        yield b"}" * begin.count(b":{")

    for _ in body.split(chunks(), block, lambda _key, _raw: None):
        pass
    assert len(sizes) > 200
    assert max(sizes) < 20_000
