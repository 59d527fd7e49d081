"""Channels and their subdirs with tri-state ticks and sizes in columns. The state lives in the draft."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from mirrortui.config import Channel, MirrorConfig
from mirrortui.tui import format as fmt
from mirrortui.tui.bindings import bindings
from mirrortui.tui.glyphs import CLOSED, DASH, DOTS, OPEN, TICK_ALL, TICK_NONE, TICK_SOME
from mirrortui.tui.rooms import Pair, Reading
from mirrortui.tui.widgets.line_table import Cell, Column, LineTable, Row
from mirrortui.tui.widgets.lines import set_title

if TYPE_CHECKING:  # it brings numpy, which the first frame does not wait for
    from mirrortui.selection.estimate import SubdirEstimate

SPLIT = "\n"
"""Between channel and subdir in a row's key; it occurs in neither."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything the tree shows: the draft, subdirs on offer by channel, figures, readings under way."""

    config: MirrorConfig
    offered: Mapping[str, tuple[str, ...]]
    figures: Mapping[Pair, "SubdirEstimate"]
    readings: Mapping[Pair, Reading]
    closed: Collection[str] = ()


def pair_of(key: str) -> tuple[str, str]:
    """Channel and subdir of a row's key; the subdir is empty on a channel's own row."""
    channel, _, subdir = key.partition(SPLIT)
    return channel, subdir


def tree_rows(tree: Tree) -> list[Row]:
    """The rows, in the draft's order."""
    rows = []
    for channel in tree.config.channels:
        rows.append(_channel_row(tree, channel))
        if channel.name not in tree.closed:
            rows += [_subdir_row(tree, channel, subdir) for subdir in tree.offered.get(channel.name, channel.subdirs)]
    return rows


def _channel_row(tree: Tree, channel: Channel) -> Row:
    offered = tree.offered.get(channel.name, channel.subdirs)
    ticked = len(channel.subdirs)
    tick = TICK_NONE if not ticked else TICK_ALL if ticked >= len(offered) else TICK_SOME
    arrow = CLOSED if channel.name in tree.closed else OPEN
    known = [f for s in channel.subdirs if (f := tree.figures.get((channel.name, s))) is not None and f.known]
    partly = "" if len(known) == ticked else "+"
    own = f" {DOTS}own rules" if channel.selection else ""
    cells: tuple[Cell, ...] = (
        (f"{arrow} {tick} {channel.name}{own}", "strong"),
        f"{fmt.count(sum(f.records for f in known))}{partly}" if known else DASH,
        f"{fmt.size(sum(f.bytes for f in known))}{partly}" if known else DASH,
    )
    return Row(channel.name, cells)


def _subdir_row(tree: Tree, channel: Channel, subdir: str) -> Row:
    pair = (channel.name, subdir)
    on = subdir in channel.subdirs
    name = f"    {TICK_ALL if on else TICK_NONE} {subdir}"
    reading, figure = tree.readings.get(pair), tree.figures.get(pair)
    style = "" if on else "dim"
    key = f"{channel.name}{SPLIT}{subdir}"
    words = _reading_words(reading)
    if words is not None:
        return Row(key, ((f"{name}  {words[0]}", words[1]), "", ""), style)
    if figure is None or not figure.known:
        return Row(key, (name, DASH, DASH), style)
    return Row(key, (name, fmt.count(figure.records), fmt.size(figure.bytes)), style)


def _reading_words(reading: Reading | None) -> tuple[str, str] | None:
    if reading is None or reading.phase in ("ready", "unchanged"):
        return None
    if reading.phase == "failed":
        return f"failed: {_reason(reading.text)}", "bad"
    if reading.phase == "empty":
        return "empty upstream", "dim"
    if reading.phase == "queued":
        return f"waiting{DOTS}", "dim"
    if reading.phase == "decode":
        return f"reading{DOTS} {fmt.count(reading.records)} records", "accent"
    return f"reading{DOTS} {fmt.size(reading.bytes_done)}", "accent"


def _reason(text: str) -> str:
    """The words without the URL in front, for which a row has no room."""
    where, colon, what = text.partition(": ")
    return what if colon and "://" in where else text


class CheckTree(LineTable):
    """The tree. It only shows; what is ticked is decided by who hears `Ticked`."""

    BINDINGS = bindings("tree")

    @dataclass
    class Ticked(Message):
        """A tick was clicked or space pressed; `subdir` empty on a channel's row."""

        channel: str
        subdir: str

    @dataclass
    class Folded(Message):
        """A channel's subdirs shall be shown or hidden (None = the other way round)."""

        channel: str
        opened: bool | None

    def __init__(self) -> None:
        super().__init__(
            (Column("channel"), Column("packages", 10, right=True, above=32), Column("size", 9, right=True)),
            empty="No channels yet: press n to add one",
            id="channels",
            classes="pane",
        )
        set_title(self, "Channels")

    def show(self, tree: Tree) -> None:
        """Show this state."""
        self.set_rows(tree_rows(tree))

    @property
    def pair(self) -> tuple[str, str]:
        """Channel and subdir under the cursor."""
        return pair_of(self.current)

    def action_open(self, opened: bool) -> None:
        """Right opens; left closes, or goes up to the channel."""
        channel, subdir = self.pair
        if not channel:
            return
        if subdir and not opened:
            self.move_to(next(i for i, row in enumerate(self.rows) if row.key == channel))
        else:
            self.post_message(self.Folded(channel, opened))

    def action_choose(self) -> None:
        """Enter folds a channel and ticks a subdir."""
        channel, subdir = self.pair
        if subdir:
            self.post_message(self.Ticked(channel, subdir))
        elif channel:
            self.post_message(self.Folded(channel, None))

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """A click: on a channel's arrow folds, elsewhere ticks."""
        event.stop()
        channel, subdir = pair_of(event.key)
        if not subdir and event.x < 3:
            self.post_message(self.Folded(channel, None))
        elif not subdir or event.x >= 5:
            self.post_message(self.Ticked(channel, subdir))

    def on_resize(self, _event: events.Resize) -> None:
        """Columns come and go with the width."""
        self.refresh()
