"""How a run ended, and the exit code that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

EXIT = {"done": 0, "failed": 1, "stopped": 1, "partial": 3}


@dataclass(frozen=True, slots=True)
class Ending:
    """`state` is done, partial, failed or stopped; `exit_code` 0 done, 1 failed, 3 partial, 5 refused."""

    state: str
    message: str = ""
    exit_code: int = -1
    pruned: int = 0

    @property
    def code(self) -> int:
        """The exit code: the given one, else the state's."""
        return self.exit_code if self.exit_code >= 0 else EXIT[self.state]

    def with_failures(self, files: int, problems: Mapping[tuple[str, str], str]) -> "Ending":
        """The same ending, partial where files or whole indexes could not be had."""
        words = []
        if files:
            words.append(
                f"{files} file{'s' if files != 1 else ''} could not be had and {'are' if files != 1 else 'is'} left out"
            )
        if problems:
            names = sorted({channel for channel, _ in problems})
            words.append(f"{', '.join(names)}: not updated ({next(iter(problems.values()))})")
        if not words:
            return self
        message = "; ".join([*words, *([self.message] if self.message else [])])
        code = self.exit_code if self.exit_code >= 0 else EXIT["partial"]
        return replace(self, state="partial", message=message, exit_code=code)
