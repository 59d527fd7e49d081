import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrortui.serve.request import HeadError, Request, byte_range, decide, http_date, parse_head

NOW = 1_700_000_000
DATE = http_date(NOW)
TAG = '"abc-10"'


def request(method: str = "GET", **fields: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Request(method, "/x", named, keep_alive=True, old=False)


# ---------------------------------------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-9", range(10)),
        ("bytes=0-10", range(10)),
        ("bytes=3-5", range(3, 6)),
        ("bytes=9-9", range(9, 10)),
        ("bytes=9-", range(9, 10)),
        ("bytes=0-", range(10)),
        ("bytes=-1", range(9, 10)),
        ("bytes=-10", range(10)),
        ("bytes=-11", range(10)),
        ("BYTES=1-2", range(1, 3)),
        ("bytes= 1-2 ", range(1, 3)),
        ("bytes=10-", range(0)),
        ("bytes=10-20", range(0)),
        ("bytes=99999999999999999999-", range(0)),
        ("bytes=-0", range(0)),
        ("bytes=5-3", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=+1-2", None),
        ("bytes=1-2-3", None),
        ("bytes=٣-٤", None),
        ("bytes=1_0-20", None),
        ("lines=0-1", None),
        ("bytes 0-1", None),
        ("", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_byte_range(value: str, expected: range | None) -> None:
    got = byte_range(value, 10)
    assert (got is None) == (expected is None)
    assert list(got or ()) == list(expected or ())


def test_nothing_of_an_empty_file_can_be_had() -> None:
    for value in ("bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"):
        assert list(byte_range(value, 0) or ()) == []
        assert byte_range(value, 0) is not None


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 50))
def test_a_range_names_the_bytes_that_a_slice_names(first: int, last: int, size: int) -> None:
    data = bytes(range(size))
    got = byte_range(f"bytes={first}-{last}", size)
    if first > last:
        assert got is None
    else:
        assert got is not None
        assert data[got.start : got.stop] == data[first : last + 1]
    tail = byte_range(f"bytes=-{last}", size)
    assert tail is not None
    assert data[tail.start : tail.stop] == (data[-last:] if last else b"")


@given(st.text(max_size=40) | st.from_regex(r"bytes=[-0-9, ]{0,30}", fullmatch=True), st.integers(0, 2**63))
def test_any_text_gives_a_range_inside_the_file_or_none(value: str, size: int) -> None:
    got = byte_range(value, size)
    assert got is None or not got or 0 <= got.start < got.stop <= size


# ---------------------------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"if_none_match": TAG}, 304),
        ({"if_none_match": f"W/{TAG}"}, 304),
        ({"if_none_match": f'"other", {TAG}'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"other"'}, 200),
        ({"if_none_match": "abc-10"}, 200),
        ({"if_none_match": '"other"', "if_modified_since": DATE}, 200),  # the tag outranks the date
        ({"if_modified_since": DATE}, 304),
        ({"if_modified_since": http_date(NOW + 60)}, 304),
        ({"if_modified_since": http_date(NOW - 1)}, 200),
        ({"if_modified_since": "yesterday"}, 200),
        ({"if_modified_since": "Mon, 99 Foo 99999 99:99:99 GMT"}, 200),
        ({"if_match": TAG}, 200),
        ({"if_match": f"W/{TAG}"}, 412),
        ({"if_match": '"other"'}, 412),
        ({"if_unmodified_since": http_date(NOW - 1)}, 412),
        ({"if_unmodified_since": DATE}, 200),
        ({"range": "bytes=0-3"}, 206),
        ({"range": "bytes=16-"}, 416),
        ({"range": "bytes=0-1,2-3"}, 200),
        ({"range": "bytes=0-3", "if_range": TAG}, 206),
        ({"range": "bytes=0-3", "if_range": f"W/{TAG}"}, 200),
        ({"range": "bytes=0-3", "if_range": '"other"'}, 200),
        ({"range": "bytes=0-3", "if_range": DATE}, 206),
        ({"range": "bytes=0-3", "if_range": http_date(NOW + 1)}, 200),
        ({"range": "bytes=16-", "if_range": '"other"'}, 200),
        ({"range": "bytes=0-3", "if_none_match": TAG}, 304),
    ],
)
def test_decide(fields: dict[str, str], status: int) -> None:
    assert decide(request(**fields), TAG, NOW, 16).status == status


def test_head_ignores_ranges() -> None:
    assert decide(request("HEAD", range="bytes=0-3"), TAG, NOW, 16) == (200, 0, 16)


def test_the_date_of_a_file_that_has_just_changed_does_not_prove_it_is_the_same() -> None:
    fresh = 32_503_680_000  # in the year 3000, so not older than a second
    assert decide(request(range="bytes=0-3", if_range=http_date(fresh)), TAG, fresh, 16).status == 200


# ---------------------------------------------------------------------------------------------- heads


def test_parse_head() -> None:
    got = parse_head(b"GET /a?b HTTP/1.1\r\nHost: m\r\nAccept: x\r\naccept:\t y \r\nEmpty:")
    assert got == Request("GET", "/a?b", {"host": "m", "accept": "x, y", "empty": ""}, keep_alive=True, old=False)


@pytest.mark.parametrize(
    ("head", "keep"),
    [
        (b"GET / HTTP/1.1\r\nHost: m", True),
        (b"GET / HTTP/1.1\r\nHost: m\r\nConnection: close", False),
        (b"GET / HTTP/1.1\r\nHost: m\r\nConnection: TE, Close", False),
        (b"GET / HTTP/1.0", False),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive", True),
        (b"GET / HTTP/1.1\r\nHost: m\r\nContent-Length: 0", True),
        (b"GET / HTTP/1.1\r\nHost: m\r\nContent-Length: 5", False),
        (b"GET / HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked", False),
    ],
)
def test_keep_alive(head: bytes, keep: bool) -> None:
    assert parse_head(head).keep_alive is keep


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"GET", 400),
        (b"GET /", 400),
        (b"GET  / HTTP/1.1\r\nHost: m", 400),
        (b"GET / HTTP/1.1 \r\nHost: m", 400),
        (b"GET /a b HTTP/1.1\r\nHost: m", 400),
        (b"G(T / HTTP/1.1\r\nHost: m", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: m", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: m", 400),
        (b"GET / HTTP/2.0\r\nHost: m", 505),
        (b"GET / FTP/1.1\r\nHost: m", 400),
        (b"GET / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\nHost: m\r\nHost: n", 400),
        (b"GET / HTTP/1.1\r\nHost: m\r\nno colon", 400),
        (b"GET / HTTP/1.1\r\nHost: m\r\n folded: x", 400),
        (b"GET / HTTP/1.1\r\nHost: m\r\nname : x", 400),
        (b"GET / HTTP/1.1\r\nHost: m\r\n: x", 400),
        (b"GET / HTTP/1.1\r\nHost: m\r\nx: a\nb: c", 400),
        (b"GET / HTTP/1.1\r\nHost: m\r\nx: a\rb", 400),
        (b"GET / HTTP/1.1\r\nHost: m\r\nx: \x1b[2J", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: m", 414),
        (b"GET / HTTP/1.1\r\nHost: m\r\nx: " + b"a" * 20000, 431),
        (b"GET / HTTP/1.1\r\nHost: m" + b"\r\nx: a" * 200, 431),
    ],
)
def test_heads_that_are_none(head: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        parse_head(head)
    assert caught.value.status == status


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: b"GET / HTTP/1.1\r\nHost: m\r\n" + b))
def test_any_bytes_give_a_request_or_a_refusal(head: bytes) -> None:
    status = 200
    try:
        parse_head(head)
    except HeadError as error:
        status = error.status
    assert status in (200, 400, 414, 431, 505)
