"""A tree belongs to one mirror, whoever shares its disk."""

import fcntl

import pytest

from mirrortui.errors import BusyError, RefusedError
from mirrortui.mirror import owner
from mirrortui.mirror.owner import MARK, owned


@pytest.fixture
def places(tmp_path):
    root, state, other = (tmp_path / name for name in ("root", "state", "other"))
    for place in (root, state, other):
        place.mkdir()
    return root, state, other


def test_a_new_tree_becomes_its_own_and_stays_so(places):
    root, state, _ = places
    with owned(root, state):
        mark = (root / MARK).read_bytes()
    with owned(root, state):
        assert (root / MARK).read_bytes() == mark


def test_another_state_is_refused_and_told_whose_it_is(places):
    root, state, other = places
    with owned(root, state):
        pass
    with pytest.raises(RefusedError, match=str(state)) as caught, owned(root, other):
        pytest.fail("held")
    assert MARK in caught.value.hint
    (root / MARK).unlink()
    with owned(root, other):
        pass


def test_a_state_that_was_moved_is_the_same(places):
    root, state, _ = places
    with owned(root, state):
        pass
    with owned(root, state.rename(state.with_name("moved"))):
        pass


def test_a_state_that_was_lost_and_begun_anew(places):
    root, state, other = places
    with owned(root, state):
        pass
    (state / owner.ID).unlink()
    for _ in range(2):
        with owned(root, state):
            pass
    with pytest.raises(RefusedError), owned(root, other):
        pytest.fail("held")


def test_two_at_once(places):
    root, state, other = places
    with owned(root, state), pytest.raises(BusyError, match="is changing this tree"), owned(root, other):
        pytest.fail("held")


def test_it_is_free_after_an_error(places):
    root, state, _ = places
    with pytest.raises(KeyError), owned(root, state):
        raise KeyError
    with owned(root, state):
        pass


@pytest.mark.parametrize("text", [b"", b"{", b"[1, 2]", b"\xff\x00"])
def test_a_mark_that_a_crash_cut_off_is_nobodys(places, text):
    root, state, _ = places
    (root / MARK).write_bytes(text)
    with owned(root, state):
        pass
    assert str(state).encode() in (root / MARK).read_bytes()


def test_a_disk_without_locks(places, monkeypatch):
    root, state, other = places

    def refuse(_fd, _operation):
        raise OSError(owner.errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with owned(root, state):
        pass
    with pytest.raises(RefusedError), owned(root, other):
        pytest.fail("held")


def test_a_tree_that_may_only_be_read_is_not_held(places, monkeypatch):
    root, state, _ = places

    def refuse(*_arguments):
        raise OSError(owner.errno.EROFS, "read-only")

    monkeypatch.setattr(owner.os, "open", refuse)
    with owned(root, state):
        pass


def test_another_account_that_may_only_read_the_mark_is_refused_too(places, monkeypatch):
    root, state, other = places
    with owned(root, state):
        pass
    real = owner.os.open

    def refuse(path, flags, *mode):
        if flags & owner.os.O_RDWR and str(path).endswith(MARK):
            raise OSError(owner.errno.EACCES, "no")
        return real(path, flags, *mode)

    monkeypatch.setattr(owner.os, "open", refuse)
    with pytest.raises(RefusedError), owned(root, other):
        pytest.fail("held")
    with owned(root, state):
        pass


def test_a_tree_that_is_not_there_yet(places):
    root, state, _ = places
    with owned(root / "new", state):
        assert not (root / "new").exists()


def test_a_link_in_its_place_is_not_followed(places):
    root, state, other = places
    (root / MARK).symlink_to(other / "file")
    with pytest.raises(Exception, match="cannot be written"), owned(root, state):
        pytest.fail("held")
    assert not (other / "file").exists()
