"""One text test of a MatchSpec: equal, a glob with `*`, or a regular expression `^...$`; all without case (CEP 29)."""

import re
import warnings
from collections.abc import Sequence

from mirrortui.selection.spec_text import BadSpec

_MAX_VALUE = 10_000  # of a record; longer texts match nothing


class Pattern:
    """A compiled text test; `exact` is the lower-case text to equal, None for a glob or regular expression."""

    __slots__ = ("_regex", "exact", "text")

    def __init__(self, text: str, *, column: int = 1) -> None:
        """Compile; raises `BadSpec` for a broken regular expression, counting from `column`."""
        self.text = text
        self.exact: str | None = None
        self._regex: re.Pattern[str] | None = None
        if text.startswith("^") and text.endswith("$"):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", FutureWarning)  # re's word for “[[” and its like
                    self._regex = re.compile(text[1:-1], re.IGNORECASE)
            except (re.error, OverflowError, RecursionError, FutureWarning) as error:
                where = column + 1 + (getattr(error, "pos", None) or 0)
                raise BadSpec(f"this is no regular expression: {error}", column=where) from error
        elif "*" in text:
            self._regex = _glob(text)
        else:
            self.exact = text.lower()

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def everything(self) -> bool:
        """It is nothing but `*`."""
        return self.text.strip("*") == ""

    def ok(self, value: object) -> bool:
        """Tell whether a value is a text that matches as a whole."""
        if not isinstance(value, str) or len(value) > _MAX_VALUE:
            return False
        if self._regex is not None:
            return self._regex.fullmatch(value) is not None
        return value.lower() == self.exact

    def ok_each(self, values: Sequence[str]) -> list[bool]:
        """Answer for many texts at once, in their order: faster than `ok` on each."""
        if self._regex is not None:
            match = self._regex.fullmatch
            return [match(value) is not None for value in values]
        wanted = self.exact
        return [value.lower() == wanted for value in values]


def _glob(text: str) -> re.Pattern[str]:
    """Compile a glob so that it stays linear: the texts between stars are found leftmost first, for good."""
    first, *middle, last = (re.escape(piece) for piece in text.split("*"))
    steps = "".join(f"(?>.*?{piece})" for piece in middle if piece)
    return re.compile(f"{first}{steps}.*{last}", re.IGNORECASE | re.DOTALL)
