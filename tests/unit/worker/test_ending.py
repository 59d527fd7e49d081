import pytest

from mirrortui.worker.ending import Ending


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("failed", 1), ("stopped", 1), ("partial", 3)])
def test_each_state_has_its_exit_code(state: str, code: int) -> None:
    assert Ending(state).code == code
    assert Ending(state, exit_code=5).code == 5


def test_without_failures_an_ending_stays_as_it_is() -> None:
    ending = Ending("done", "all well", pruned=3)
    assert ending.with_failures(0, {}) is ending


@pytest.mark.parametrize(
    ("files", "words"),
    [(1, "1 file could not be had and is left out"), (2, "2 files could not be had and are left out")],
)
def test_files_that_could_not_be_had_make_it_partial(files: int, words: str) -> None:
    ending = Ending("done", pruned=3).with_failures(files, {})
    assert (ending.state, ending.code, ending.message, ending.pruned) == ("partial", 3, words, 3)


def test_indexes_that_could_not_be_had_name_their_channels_once() -> None:
    ending = Ending("done").with_failures(0, {("b", "noarch"): "down", ("b", "linux-64"): "slow", ("a", "noarch"): "x"})
    assert ending.state == "partial"
    assert ending.message == "a, b: not updated (down)"


def test_a_guard_that_said_no_keeps_its_code_and_its_words() -> None:
    ending = Ending("partial", "nothing was deleted", 5).with_failures(2, {("a", "noarch"): "x"})
    assert ending.code == 5
    assert ending.message == "2 files could not be had and are left out; a: not updated (x); nothing was deleted"
