"""The bottom line: at most eight keys that work now, made from the active bindings."""

from textual import events
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from mirrortui.tui.bindings import ACTS
from mirrortui.tui.widgets.lines import Facts, Span, line, width

LIMIT = 8
_LAST = ("app.help", "app.leave")
_RANK = {act.id: index for index, act in enumerate(ACTS)}
_KEYS = {act.id: act.keys.split(",") for act in ACTS}
_NAMES = {"question_mark": "?", "slash": "/", "escape": "esc", "insert": "ins", "delete": "del", "f1": "F1"}


def _from_here(action: str) -> str:
    """An action named so that a click on the bar finds it."""
    return action if "." in action.partition("(")[0] else f"screen.{action}"


class KeyBar(Facts):
    """What the keys do here and now. While a text field has the focus, letters are text and are not offered."""

    DEFAULT_CSS = """
    KeyBar { height: 1; dock: bottom; background: $panel; }
    """

    labels: reactive[dict[str, str]] = reactive(dict, repaint=False)
    """Words that differ from the registry's for now, by binding id: pause becomes resume."""

    def __init__(self) -> None:
        super().__init__(id="keys")

    def watch_labels(self) -> None:
        """Other words."""
        if self.is_mounted:
            self._collect(self.screen)

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._collect)
        self.watch(self.screen, "focused", self._focus_changed, init=False)

    def on_resize(self, _event: events.Resize) -> None:
        """More room, more keys."""
        self._collect(self.screen)

    def _focus_changed(self, _focused: Widget | None) -> None:
        self._collect(self.screen)

    def _collect(self, screen: Screen[object]) -> None:
        if not self.size.width or not screen.is_current:
            return
        typing = screen.focused
        wanted: dict[str, tuple[str, str, str]] = {}
        for key, active in screen.active_bindings.items():
            binding = active.binding
            if not (binding.show and active.enabled and binding.id):
                continue
            if typing is not None and len(key) == 1 and typing.check_consume_key(key, key):
                continue
            if (
                typing is not None
                and key in ("space", "question_mark", "slash", "escape")
                and typing.check_consume_key(key, "?")
            ):
                continue
            keys = _KEYS.get(binding.id, [key])
            if binding.id not in wanted or key == keys[0]:
                label = self.labels.get(binding.id, binding.description)
                wanted[binding.id] = (_NAMES.get(key, key), label, _from_here(binding.action))
        if typing is not None and typing.check_consume_key("a", "a"):
            wanted = {"_esc": ("esc", "leave field", ""), "_tab": ("tab", "next", ""), **wanted}
        elif screen.has_class("-narrow"):
            wanted["_tab"] = ("tab", "pane", "screen.pane(1)")
        if screen.has_class("-short"):
            wanted["_screens"] = ("1-5", "screens", "")
        ids = sorted(wanted, key=lambda i: _RANK.get(i, -1))
        tail = [i for i in ids if i in _LAST]
        ids = [i for i in ids if i not in _LAST][: LIMIT - len(tail)]
        self.set_lines([self._fitted(wanted, ids, tail)])

    def _fitted(self, wanted: dict[str, tuple[str, str, str]], ids: list[str], tail: list[str]) -> tuple[Span, ...]:
        while True:
            spans: list[Span] = [(" ", "")]
            for each in (*ids, *tail):
                key, label, action = wanted[each]
                spans += (
                    [(key, "key", action), (f" {label}", "", action), ("  ", "")]
                    if action
                    else [(key, "key"), (f" {label}  ", "")]
                )
            if width(tuple(spans)) - 1 <= self.size.width or not ids:
                return line(*spans[:-1])
            ids = ids[:-1]
