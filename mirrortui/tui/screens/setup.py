"""Setup: channels and subdirs to tick, rules, and the estimate that follows every change."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widget import Widget

from mirrortui.config import MirrorConfig
from mirrortui.tui import draft
from mirrortui.tui.bindings import bindings
from mirrortui.tui.estimator import Estimated, Estimator, Refined
from mirrortui.tui.messages import DraftEdited, Said, SaveAsked
from mirrortui.tui.reading import IndexReader, ReadingsChanged
from mirrortui.tui.rooms import Checked, Pair, Rooms, Wrong
from mirrortui.tui.screens.base import RoomScreen
from mirrortui.tui.screens.confirm import Confirm
from mirrortui.tui.text import problem
from mirrortui.tui.view import View
from mirrortui.tui.widgets.check_tree import CheckTree, Tree
from mirrortui.tui.widgets.estimate_panel import EstimatePanel, estimate_brief
from mirrortui.tui.widgets.lines import Facts
from mirrortui.tui.widgets.rules_form import RulesForm

if TYPE_CHECKING:  # it brings numpy, which the first frame does not wait for
    from mirrortui.selection.estimate import Estimate, SubdirEstimate
    from mirrortui.tui.screens.add_channel import NewChannel


class SetupScreen(RoomScreen):
    """Everything here edits the draft; only `w` writes, and asks first."""

    MODE: ClassVar[str] = "setup"
    BINDINGS = bindings("setup")
    CSS_PATH = "setup.tcss"
    AUTO_FOCUS = "#channels"

    def __init__(self, current: Callable[[], View], rooms: Rooms) -> None:
        super().__init__(current)
        self._rooms = rooms
        self._estimator = Estimator(self, rooms)
        self._reader = IndexReader(self, rooms)
        self._offered: dict[str, tuple[str, ...]] = {}
        self._folded: set[str] = set()
        self._figures: dict[Pair, SubdirEstimate] = {}
        self._estimate: Estimate | None = None
        self._asked: MirrorConfig | None = None
        self._broken: dict[str, str] = {}
        self._run_seen: tuple[object, ...] = ()
        self.checked = Checked()

    def body(self) -> ComposeResult:
        """Channels | estimate and rules."""
        with Container(id="setup-body"):
            yield CheckTree()
            with Vertical(id="side", classes="deck"):
                yield EstimatePanel()
                yield RulesForm()
        yield Facts(id="brief")

    def stops(self) -> list[Widget]:
        """The tree, then every field."""
        return [self.query_one(CheckTree), *self.query_one(RulesForm).boxes]

    def show_view(self, view: View) -> None:
        """The draft may have changed, or a run has ended and with it what is on disk."""
        form = self.query_one(RulesForm)
        form.show(view.config)
        if view.painted:
            self.call_later(form.furnish)
        run = view.snapshot.run if view.snapshot is not None else None
        seen = (run.id, view.active) if run is not None else ()
        ended, self._run_seen = seen != self._run_seen and not view.active, seen
        if view.config is not self._asked or (ended and self._estimate is not None):
            self._draw_tree()
            self._ask()
        self.refresh_bindings()

    def on_screen_suspend(self) -> None:
        """Nobody looks: the exact estimate is not worth its work."""
        if self._estimator.drop_exact():
            self._asked = None

    # ------------------------------------------------------------------------------------------- figures

    def offered(self, channel: str) -> tuple[str, ...]:
        """Subdirs to show: what upstream has, else the common ones, and always the ticked ones."""
        ticked = next((c.subdirs for c in self.view.config.channels if c.name == channel), ())
        return draft.ordered((*self._offered.get(channel, draft.COMMON_SUBDIRS), *ticked))

    def _others(self) -> tuple[Pair, ...]:
        config = self.view.config
        return tuple((c.name, s) for c in config.channels for s in self.offered(c.name) if s not in c.subdirs)

    def _ask(self) -> None:
        self._asked = self.view.config
        self._estimator.ask(self.view.config, self._others())
        self._show_estimate(waiting=True)

    def _draw_tree(self) -> None:
        config = self.view.config
        offered = {c.name: self.offered(c.name) for c in config.channels}
        self.query_one(CheckTree).show(Tree(config, offered, self._figures, self._reader.readings, self._folded))

    def _show_estimate(self, *, waiting: bool = False) -> None:
        self.query_one(EstimatePanel).show(self._estimate, waiting=waiting)
        self.query_one("#brief", Facts).set_lines([estimate_brief(self._estimate, self.size.width - 2)])

    def on_estimated(self, event: Estimated) -> None:
        """Figures of the newest draft."""
        self.checked = event.checked
        self._show_errors()
        if event.trouble:
            self.post_message(Said(f"No estimate: {event.trouble}", "error"))
        if event.picture is None:
            self.query_one(EstimatePanel).show(self._estimate, held=True)
            return
        estimate = event.picture.estimate
        self._estimate = estimate
        self._figures = {(s.channel, s.subdir): s for s in estimate.subdirs} | dict(event.picture.others)
        self._show_estimate()
        self._draw_tree()
        if not self.view.read_only:
            missing = [(s.channel, s.subdir) for s in estimate.subdirs if not s.known]
            self._reader.want(self.view.config, missing)

    def on_refined(self, event: Refined) -> None:
        """The exact figures of the ticked subdirs; what is not ticked keeps the quick ones."""
        self._estimate = event.estimate
        self._figures |= {(s.channel, s.subdir): s for s in event.estimate.subdirs}
        self._show_estimate()
        self._draw_tree()

    def on_readings_changed(self, event: ReadingsChanged) -> None:
        """An index is further along."""
        self._draw_tree()
        if event.ready:
            self._ask()
        for failed in event.failed[:1]:
            more = f" (and {len(event.failed) - 1} more)" if len(event.failed) > 1 else ""
            self.post_message(Said(f"{failed.channel}/{failed.subdir}: {failed.text}{more}", "warning"))

    # --------------------------------------------------------------------------------------------- edits

    def _edit(self, change: Callable[[MirrorConfig], MirrorConfig]) -> None:
        self.post_message(DraftEdited(change))

    def on_check_tree_ticked(self, event: CheckTree.Ticked) -> None:
        """Tick or untick a subdir, or the whole channel."""
        if event.subdir:
            on_now = event.subdir in self.view.config.channel(event.channel).subdirs
            self._edit(lambda config: draft.tick(config, event.channel, [event.subdir], on=not on_now))
        elif event.channel:
            self._tick_channel(event.channel)

    def _tick_channel(self, name: str) -> None:
        offered = self.offered(name)
        full = set(offered) <= set(self.view.config.channel(name).subdirs)
        self._edit(lambda config: draft.tick(config, name, offered, on=not full))

    def on_check_tree_folded(self, event: CheckTree.Folded) -> None:
        """Show or hide subdirs."""
        opened = event.channel in self._folded if event.opened is None else event.opened
        (self._folded.discard if opened else self._folded.add)(event.channel)
        self._draw_tree()

    def on_rules_form_edited(self, event: RulesForm.Edited) -> None:
        """A field has a new value."""
        self._broken.pop(event.key, None)
        section, _, key = event.key.partition(".")
        new = self.view.saved is None
        if section == "mirror":
            self._edit(lambda config: draft.set_mirror(config, key, event.value, new=new))
        else:
            self._edit(lambda config: draft.set_rule(config, key, event.value))

    def on_rules_form_broken(self, event: RulesForm.Broken) -> None:
        """A field cannot be read: the draft keeps its last value."""
        self._broken[event.key] = event.words

    def _show_errors(self) -> None:
        self.query_one(RulesForm).show_notes(self.checked)
        other = [f"{key}: {wrong.words}" for key, wrong in self.checked.wrong.items() if key.startswith("channels")]
        if other:
            self.post_message(Said(other[0], "warning"))

    # ------------------------------------------------------------------------------------------- actions

    def action_tick(self) -> None:
        """Space."""
        channel, subdir = self.query_one(CheckTree).pair
        if channel:
            self.on_check_tree_ticked(CheckTree.Ticked(channel, subdir))

    def action_tick_all(self) -> None:
        """All or none of the channel under the cursor."""
        channel, _ = self.query_one(CheckTree).pair
        if channel:
            self._tick_channel(channel)

    def action_to_tree(self) -> None:
        """Escape from a field."""
        self.focus_stop(self.query_one(CheckTree))

    def action_add(self) -> None:
        """Open the list of channels."""
        from mirrortui.tui.screens.add_channel import AddChannel

        present = frozenset(c.name for c in self.view.config.channels)
        self.app.push_screen(AddChannel(present), self._added)

    def _added(self, chosen: "tuple[NewChannel, ...] | None") -> None:
        for new in chosen or ():
            added = partial(draft.add_channel, name=new.name, upstreams=new.upstreams)
            self._edit(added)
            config = added(self._current_view().config)
            self.run_worker(self._discover(config, new.name), group="discover", exit_on_error=False)

    async def _discover(self, config: MirrorConfig, channel: str) -> None:
        try:
            found = await self._rooms.discover(config, channel)
        except Exception as error:  # noqa: BLE001 - shown in words where the figures would be
            self.post_message(Said(f"Subdirs of {channel} are not known: {problem(error)}", "warning"))
            return
        if found:
            self._offered[channel] = found
            self._draw_tree()
            self._ask()

    def action_remove(self) -> None:
        """Take a channel out of the draft."""
        channel, _ = self.query_one(CheckTree).pair
        if not channel:
            return
        words = ("Its files stay on disk until a sync has left it out and the grace period is over.",)
        question = Confirm(f"Remove {channel} from the draft?", words, yes="Remove")
        self.app.push_screen(question, lambda yes: self._removed(channel) if yes else None)

    def _removed(self, channel: str) -> None:
        self._edit(lambda config: draft.remove_channel(config, channel))

    def action_refresh(self) -> None:
        """Fetch indexes again: all ticked ones, and the one under the cursor."""
        if self.view.read_only:
            self.post_message(Said("Read-only: indexes are not fetched", "warning"))
            return
        channel, subdir = self.query_one(CheckTree).pair
        wanted = dict.fromkeys(draft.pairs(self.view.config))
        config = self.view.config
        if subdir:
            wanted[channel, subdir] = None
        self._reader.want(config, wanted, again=True)
        if channel:
            self.run_worker(self._discover(config, channel), group="discover", exit_on_error=False)

    def action_packages(self) -> None:
        """All package names of the draft."""
        from mirrortui.tui.screens.browser import BrowserScreen

        self.app.push_screen(BrowserScreen(self._current_view, self._rooms))

    def action_explain(self) -> None:
        """Why something is in or out."""
        from mirrortui.tui.screens.ask import explain

        self.app.push_screen(explain(self._rooms, self.view.config, ""))

    def action_details(self) -> None:
        """What the estimate is made of."""
        from mirrortui.tui.screens.ask import details

        self.app.push_screen(details(self._rooms, self.view.config))

    def action_save(self) -> None:
        """Write the draft, unless something in it is wrong."""
        wrong = {**self.checked.wrong, **{key: Wrong(words) for key, words in self._broken.items()}}
        if wrong:
            key, first = next(iter(wrong.items()))
            self.post_message(Said(f"Not saved. {key}: {first.words}", "error"))
        else:
            self.post_message(SaveAsked())

    def action_undo(self) -> None:
        """Back to what is in the file."""
        saved = self.view.saved or self._rooms.fresh()
        question = Confirm("Throw away all changes since the last save?", yes="Throw away", no="Keep")
        self.app.push_screen(question, lambda yes: self._edit(lambda _: saved) if yes else None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - the interface
        """Only what works now."""
        has_channels = bool(self.view.config.channels)
        if action in ("tick", "tick_all", "remove", "refresh", "packages", "explain", "details"):
            return has_channels
        if action in ("save", "undo"):
            return self.view.unsaved and not self.view.read_only
        return True
