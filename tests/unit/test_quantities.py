import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrortui import quantities
from mirrortui.errors import ConfigError, MirrorError
from tests.unit.lines import assert_clean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("   ", 0),
        ("0", 0),
        ("123", 123),
        ("1 B", 1),
        ("2 GB", 2 * 10**9),
        ("2GB", 2 * 10**9),
        ("2 gb", 2 * 10**9),
        ("2 G", 2 * 10**9),
        (" 512 MiB ", 512 * 2**20),
        ("1.5 kB", 1500),
        ("1 TiB", 2**40),
        ("0.1", 1),  # never rounded down to “no limit”
    ],
)
def test_a_size_is_bytes(text: str, expected: int) -> None:
    assert quantities.size(text) == expected


@pytest.mark.parametrize(
    "text",
    ["GB", "-1 GB", "1,5 GB", "1 GB/s", "1 XB", "1 GBs", "1 G B", "1e9", "٣ GB", "0x10", "1.", ".5", "9" * 400, "999999 PB",
     "999999999999999 TB", "inf", "nan"],
)  # fmt: skip
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="is no size") as caught:
        quantities.size(text)
    assert "2 GB" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("50 MB/s", 50 * 10**6), ("50 MB", 50 * 10**6), ("1KiB/s", 1024)]
)
def test_a_rate_is_bytes_a_second(text: str, expected: int) -> None:
    assert quantities.rate(text) == expected


@pytest.mark.parametrize("text", ["/s", "50 MB/s/s", "50 MB/m", "fast", "50 MB /s x", "-1 MB/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no rate"):
        quantities.rate(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0.0),
        ("0 days", 0.0),
        ("7 days", 604800.0),
        ("1 day", 86400.0),
        ("12 hours", 43200.0),
        ("12h", 43200.0),
        ("30 min", 1800.0),
        ("30 mins", 1800.0),
        ("5 m", 300.0),
        ("1.5 weeks", 907200.0),
        ("2 months", 60 * 86400.0),
        ("1 YEAR", 365 * 86400.0),
    ],
)
def test_a_duration_is_seconds(text: str, expected: float) -> None:
    assert quantities.duration(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "7",
        "days",
        "500 ms",
        "5 hs",
        "-7 days",
        "0 fortnights",
        "1 dayss",
        "9" * 400 + " days",
        "2000 years",
        "7 days ago",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no length of time"):
        quantities.duration(text)


def test_a_date_includes_its_whole_day_and_a_time_is_itself() -> None:
    day = int(dt.datetime(2025, 1, 31, tzinfo=dt.UTC).timestamp() * 1000)
    assert quantities.date_ms("2025-01-31") == day + 86_400_000 - 1
    assert quantities.date_ms("20250131") == day + 86_400_000 - 1
    assert quantities.date_ms("2025-01-31T00:00") == day
    assert quantities.date_ms(" 2025-01-31 00:00:00 ") == day
    assert quantities.date_ms("2025-01-31T02:00+02:00") == day
    assert quantities.date_ms("") == 0


@pytest.mark.parametrize("text", ["9999-12-31", "0001-01-01", "9999-12-31T23:59:59-12:00", "2024-02-29", "2025-W05"])
def test_dates_at_the_ends_of_the_calendar_are_taken(text: str) -> None:
    assert isinstance(quantities.date_ms(text), int)


@pytest.mark.parametrize("text", ["31.01.2025", "2025-02-30", "2025-13-01", "yesterday", "2025", "20250", "2025-1-1"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no date"):
        quantities.date_ms(text)


@given(
    st.text(max_size=40), st.sampled_from([quantities.size, quantities.rate, quantities.duration, quantities.date_ms])
)
def test_any_text_gives_a_number_or_one_clean_line(text: str, parse) -> None:
    try:
        value = parse(text)
    except MirrorError as error:
        assert_clean(error)
    else:
        assert isinstance(value, int | float)
        assert value == value
        assert abs(value) < 1 << 63


@given(st.integers(0, 10**6), st.sampled_from(["", "kB", "MB", "GB", "KiB", "MiB", "GiB"]))
def test_more_of_a_unit_is_never_less(count: int, unit: str) -> None:
    assert quantities.size(f"{count + 1} {unit}") > quantities.size(f"{count} {unit}")
