import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrortui.worker.progress import HALF_LIFE, Count, Progress

MB = 10**6


def moving(*rates: float, step: float = 1.0) -> Progress:
    """A run in which each step had a rate of its own; bytes a second."""
    progress, received, now = Progress(_time=0.0), 0.0, 0.0
    for rate in rates:
        received, now = received + rate * step, now + step
        progress.sample(int(received), now)
    return progress


def test_a_steady_rate_is_told_from_the_first_sample_on() -> None:
    for count in (1, 2, 10, 100):
        assert moving(*[5 * MB] * count).rate == pytest.approx(5 * MB)


def test_nothing_received_is_no_rate() -> None:
    assert moving(0, 0, 0).rate == 0
    assert Progress().rate == 0


def test_an_old_rate_counts_half_after_its_half_life() -> None:
    long_ago = [10 * MB] * 200
    assert moving(*long_ago, *[0] * round(HALF_LIFE)).rate == pytest.approx(5 * MB, rel=0.01)
    assert moving(*long_ago, *[0] * round(2 * HALF_LIFE)).rate == pytest.approx(2.5 * MB, rel=0.01)


def test_a_viewer_who_attaches_late_sees_the_same_figure() -> None:
    assert moving(*[3 * MB] * 100).rate == pytest.approx(moving(*[3 * MB] * 3).rate)


def test_readings_too_close_together_are_left_for_the_next() -> None:
    progress = Progress(_time=0.0)
    for i in range(1, 11):
        progress.sample(i * MB, i * 0.02)
    assert progress.rate == 0
    progress.sample(100 * MB, 1.0)
    assert progress.rate == pytest.approx(100 * MB)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50))
def test_the_rate_lies_between_the_slowest_and_the_fastest(rates: list[float]) -> None:
    rate = moving(*rates).rate
    assert min(rates) - 2 <= rate <= max(rates) + 2


def counted(**subdirs: tuple[int, int]) -> Progress:
    progress = moving(*[2 * MB] * 5)
    progress.subdirs = {
        (name, "noarch"): Count(bytes_done=done, bytes_total=total, files_done=1, files_total=2)
        for name, (done, total) in subdirs.items()
    }
    return progress


def test_eta_is_what_is_left_over_all_subdirs_at_the_present_rate() -> None:
    progress = counted(a=(0, 10 * MB), b=(5 * MB, 25 * MB))
    assert progress.eta(0) == pytest.approx(15.0)
    assert progress.eta(10 * MB) == pytest.approx(10.0)
    assert progress.total("files_done") == 2
    assert progress.total("files_total") == 4


def test_eta_is_nothing_when_done_and_unknown_when_nothing_moves() -> None:
    assert counted(a=(10, 10)).eta(0) == 0.0
    assert counted(a=(10, 10)).eta(500) == 0.0  # files whose record says no size
    assert counted().eta(0) == 0.0
    stalled = counted(a=(0, 10))
    stalled.rate = 0.5
    assert stalled.eta(0) is None
