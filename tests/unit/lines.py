"""What every message of this program must be."""


def assert_clean(error: BaseException) -> None:
    """One line, without a character that acts on a terminal."""
    assert str(error).isprintable(), str(error)
