"""A transfer that broke off goes on where it broke, or begins anew where the upstream will not have that."""

import threading

import pytest

from tests.process import faults
from tests.process.faulty import Fault
from tests.process.oddfile import SIZE, Case
from tests.process.waiting import until


def test_a_body_cut_off_again_and_again_is_resumed_and_no_byte_is_fetched_twice(case: Case) -> None:
    case.upstream.always(case.path, faults.cut(70_000))
    case.arrives()
    ranges = [asked.fields.get("range") for asked in case.asked]
    assert ranges == [None, *(f"bytes={start}-" for start in range(70_000, SIZE, 70_000))]
    assert case.sent == SIZE


def test_a_reset_connection_is_resumed_where_it_broke(case: Case) -> None:
    gate = threading.Event()
    case.upstream.once(case.path, faults.reset(100_000, gate))
    process = case.mirror.start()
    until(lambda: case.part.exists() and case.part.stat().st_size == 100_000)
    gate.set()
    assert process.wait(20) == 0
    case.complete()
    assert [asked.fields.get("range") for asked in case.asked] == [None, "bytes=100000-"]
    assert case.sent == SIZE


@pytest.mark.parametrize(
    ("fault", "status"),
    [(faults.ignore_range, 200), (faults.wrong_range, 206), (faults.status(416), 416)],
    ids=["ignored", "another", "416"],
)
def test_a_resume_that_is_not_understood_starts_anew(case: Case, fault: Fault, status: int) -> None:
    case.upstream.once(case.path, faults.cut(100_000), fault)
    case.arrives()
    assert case.asked[1].fields["range"] == "bytes=100000-"
    assert case.asked[1].status == status
    if status != 200:
        assert "range" not in case.asked[2].fields


def test_a_file_that_is_another_one_at_the_resume_is_fetched_whole(case: Case) -> None:
    """The rest of another file is joined to what was received: only the hash can tell."""
    case.upstream.once(case.path, faults.cut(100_000), faults.wrong_bytes)
    case.arrives()
    assert "range" not in case.asked[-1].fields
