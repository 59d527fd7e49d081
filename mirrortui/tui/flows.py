"""Conversations of several steps: save the draft, start a run. Each asks before it does anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from mirrortui.config import MirrorConfig
from mirrortui.errors import BusyError, MirrorError, PruneRefused
from mirrortui.mirror.plan import Plan
from mirrortui.tui import format as fmt
from mirrortui.tui.background import in_thread
from mirrortui.tui.glyphs import WARN
from mirrortui.tui.messages import CommandAsked, DraftSaved, Said, StartAsked
from mirrortui.tui.rooms import Rooms
from mirrortui.tui.screens.confirm import Confirm, Prompt
from mirrortui.tui.text import content, problem
from mirrortui.tui.view import View
from mirrortui.tui.widgets.diff_view import DiffView
from mirrortui.tui.widgets.plan_tables import warnings_of


async def save(app: App[Any], rooms: Rooms, view: View) -> bool:
    """Ask for the place (the first time), show the difference, write. True if it was written."""
    path = view.path
    if path is None:
        places = rooms.search_path()
        words = "mirrortui looks for it in: " + ", ".join(str(p) for p in places)
        prompt = Prompt("Where shall mirror.toml be?", words, str(places[0]), _path_problem, yes="Use this")
        answer = await app.push_screen_wait(prompt)
        if answer is None:
            return False
        path = _place(answer)
    body = DiffView(classes="diff")
    before = rooms.text(view.saved) if view.saved is not None else ""
    body.show(before, rooms.text(view.config), path.name)
    words = f"{path}. The next sync does what it says."
    if not await app.push_screen_wait(Confirm("Write mirror.toml?", (words,), yes="Write", body=body)):
        return False
    try:
        await in_thread(rooms.save, view.config, path)
    except (MirrorError, OSError) as error:
        app.post_message(Said(f"Not saved. {problem(error)}", "error"))
        return False
    app.post_message(DraftSaved(view.config, path))
    app.post_message(Said(f"Saved: {path}"))
    return True


def leaving() -> Confirm:
    """The question before a draft is lost."""
    words = ("The draft has changes that are not in mirror.toml.",)
    return Confirm("Leave without saving?", words, yes="Leave", no="Stay")


def _place(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _path_problem(text: str) -> str:
    if not text.strip():
        return "Write a path that ends in mirror.toml"
    return "That is a folder" if Path(text).expanduser().is_dir() else ""


def plan_words(plan: Plan, config: MirrorConfig, *, allowed: bool = False) -> list[str]:
    """The plan's figures for the question before a start; `allowed` where the prune guard is off."""

    def part(kind: str, words: str) -> str:
        total = plan.total(kind)
        return f"{words} {fmt.files(total.files)} ({fmt.size(total.bytes)})" if total.files else ""

    doing = ", ".join(filter(None, (part("add", "fetch"), part("replace", "replace"), part("drop", "drop"))))
    due = plan.total("prune_due")
    nothing = "Nothing is to be fetched." if due.files else "Nothing is new: this run only checks."
    words = [f"{doing[:1].upper()}{doing[1:]}." if doing else nothing]
    words.append(f"{fmt.size(plan.free - plan.needed)} stay free on the disk.")
    if due.files:
        stays = plan.refusals and not allowed
        what = (
            "are due for deletion, but stay: a guard refuses it"
            if stays
            else "will be DELETED: their grace period is over"
        )
        words.append(f"{fmt.files(due.files)} ({fmt.size(due.bytes)}) {what}.")
    if plan.eta is not None:
        words.append(f"About {fmt.span(plan.eta)} at {config.transfer.limit}.")
    return words


async def begin(app: App[Any], rooms: Rooms, current: Callable[[], View], event: StartAsked) -> str:
    """From the wish to the run: `process 4711`, `plan first` where there is no plan yet, or empty where it was refused."""
    if current().watching or current().active:
        why = "A run is at work already." if not current().watching else current().bystander or "Read-only."
        app.post_message(Said(why, "warning"))
        return ""
    if current().unsaved or current().path is None:
        words = ("The draft is not saved, and a sync does what mirror.toml says.",)
        if not await app.push_screen_wait(Confirm("Save the draft first?", words, yes="Save")):
            return ""
        if not await save(app, rooms, current()):
            return ""
    path = current().path
    if path is None or event.plan is None:
        return "plan first"
    pid = await start(app, rooms, path, current().config, event.plan, allow_prune=event.allow_prune)
    return "" if pid is None else f"process {pid}"


async def send(app: App[Any], rooms: Rooms, state: Path, event: CommandAsked) -> bool:
    """Tell the worker; False where nobody heard it."""
    try:
        await in_thread(rooms.send, state, event.verb, event.argument)
    except (MirrorError, OSError) as error:
        app.post_message(Said(problem(error), "error"))
        return False
    if event.verb == "retry":
        app.post_message(Said("Asked. What failed is tried again when the other transfers are in."))
    return True


def _start_question(plan: Plan, config: MirrorConfig, survival: str, allow_prune: bool) -> Confirm:
    """The plan's figures and warnings; with the guard off, the answer says what it deletes."""
    words, due = plan_words(plan, config, allowed=allow_prune), plan.total("prune_due").files
    if allow_prune:
        share = f"{config.prune.max_share:.0%}"
        words.append(f"The guard prune.max_share ({share} of the mirror) is OFF for this run.")
    words.append(survival)
    title = "Start the sync without its guard?" if allow_prune else "Start the sync?"
    yes = f"Delete {fmt.files(due)}" if allow_prune and due else "Start"
    return Confirm(title, words, yes=yes, body=_warnings(plan, allowed=allow_prune))


def _warnings(plan: Plan, *, allowed: bool) -> Widget | None:
    warnings = warnings_of(plan, allowed=allowed)
    if plan.broken:
        number = f"{fmt.count(len(plan.broken))} {'dependency' if len(plan.broken) == 1 else 'dependencies'}"
        warnings.append(f"{number} broken: screen 2 lists them")
    shown = [Static(content(f"{WARN} {words}")) for words in warnings]
    return VerticalScroll(*shown, classes="warnings", can_focus=False) if shown else None


async def start(
    app: App[Any], rooms: Rooms, path: Path, config: MirrorConfig, plan: Plan, *, allow_prune: bool = False
) -> int | None:
    """Check, ask, start the detached worker; its process id, or None where it was not started."""
    if plan.needed > plan.free:
        short = fmt.size(plan.needed - plan.free)
        app.post_message(
            Said(f"Not started: it does NOT fit, {short} short. Untick something, or free the disk.", "error")
        )
        return None
    if not await app.push_screen_wait(_start_question(plan, config, await in_thread(rooms.survival), allow_prune)):
        return None
    try:
        return await in_thread(rooms.start, path, allow_prune=allow_prune)
    except PruneRefused as error:
        ask = Confirm("Delete that much?", (problem(error),), yes="Delete it", no="Do not start")
        if await app.push_screen_wait(ask):
            return await start_allowing(app, rooms, path)
    except BusyError as error:
        app.post_message(Said(problem(error), "warning"))
    except (MirrorError, OSError) as error:
        app.post_message(Said(f"Not started. {problem(error)}", "error"))
    return None


async def start_allowing(app: App[Any], rooms: Rooms, path: Path) -> int | None:
    """Start with the prune guard off: it was confirmed."""
    try:
        return await in_thread(rooms.start, path, allow_prune=True)
    except (MirrorError, OSError) as error:
        app.post_message(Said(f"Not started. {problem(error)}", "error"))
        return None
