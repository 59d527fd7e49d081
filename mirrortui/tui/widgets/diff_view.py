"""A difference of two texts as coloured lines with plain + and - in front."""

import difflib

from mirrortui.tui.text import safe
from mirrortui.tui.widgets.lines import Line, LineView, line


def diff_lines(before: str, after: str, name: str) -> list[Line]:
    """Unified difference; one dim line says so where there is none."""
    if before == after:
        return [line(("no difference", "dim"))]
    out = []
    old, new = before.splitlines(), after.splitlines()
    labels = (f"{name} (now)" if before else "(no file yet)", f"{name} (new)")
    for text in difflib.unified_diff(old, new, *labels, lineterm="", n=3):
        style = "dim" if text[:3] in ("---", "+++") else {"+": "good", "-": "bad", "@": "accent"}.get(text[:1], "")
        out.append(line((safe(text), style)))
    return out


class DiffView(LineView):
    """Shows what would change in a file."""

    def show(self, before: str, after: str, name: str) -> None:
        """Show this difference."""
        self.set_lines(diff_lines(before, after, name))
