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


@pytest.mark.parametrize(("others", "state", "code"), [(True, "partial", 3), (False, "failed", 1)])
def test_channels_that_could_not_be_published(others: bool, state: str, code: int) -> None:
    done = Ending("done", pruned=2)
    assert done.with_unpublished({}, others=others) is done
    ending = done.with_unpublished({"b": "no room", "a": "x"}, others=others)
    assert (ending.state, ending.code, ending.pruned) == (state, code, 2)
    assert ending.message == "a, b: not published (no room)"
    worse = ending.with_failures(1, {})
    assert (worse.state, worse.code) == (state, code)


@pytest.mark.parametrize(("others", "code"), [(True, 5), (False, 1)])
def test_a_guard_keeps_its_code_unless_nothing_could_be_published(others: bool, code: int) -> None:
    assert Ending("partial", "held", 5).with_unpublished({"a": "x"}, others=others).code == code


def test_a_guard_that_said_no_keeps_its_code_and_its_words() -> None:
    ending = Ending("partial", "nothing was deleted", 5).with_failures(2, {("a", "noarch"): "x"})
    assert ending.code == 5
    assert ending.message == "2 files could not be had and are left out; a: not updated (x); nothing was deleted"
