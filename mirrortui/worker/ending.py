"""How a run ended, and the exit code that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

EXIT = {"done": 0, "failed": 1, "stopped": 1, "partial": 3}
INTERRUPTED = 130
"""The exit code of what a signal has ended, as shells have it; one that was asked to stop by command is stopped."""


@dataclass(frozen=True, slots=True)
class Ending:
    """`state` is done, partial, failed or stopped; `exit_code` 0 done, 1 failed, 3 partial, 5 refused, 130 interrupted."""

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
        return self._after(words, "partial" if self.state == "done" else self.state)

    def with_gone(self, subdirs: Sequence[str]) -> "Ending":
        """The same ending, partial where subdirs that were mirrored are not upstream any more (each with its reason)."""
        if not subdirs:
            return self
        words = f"{', '.join(subdirs)}, published as before (take it out of mirror.toml to withdraw it)"
        return self._after([words], "partial" if self.state == "done" else self.state)

    def with_unpublished(self, failed: Mapping[str, str], *, others: bool) -> "Ending":
        """The same ending where channels (name -> reason) could not be published: failed if there were no `others`."""
        if not failed:
            return self
        words = [f"{', '.join(sorted(failed))}: not published ({next(iter(failed.values()))})"]
        return self._after(words, "partial" if others else "failed")

    def _after(self, words: list[str], state: str) -> "Ending":
        """With words before its own; a guard that said no keeps its code, unless all has failed."""
        message = "; ".join([*words, *([self.message] if self.message else [])])
        code = self.exit_code if self.exit_code >= 0 and state != "failed" else EXIT[state]
        return replace(self, state=state, message=message, exit_code=code)
