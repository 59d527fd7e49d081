"""Make the pictures of the README from the demo: a real upstream, a real worker, a real mirror.

    python screenshots/make.py            (with the test extra installed; needs no terminal)

Each screen is written as SVG and as PNG. The PNGs need a monospaced font on the machine.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import resvg_py

os.environ["HOME"] = "/home/operator"  # the home whose .condarc the clients screen previews: nobody's

from mirrortui.demo.stage import Stage, stage
from mirrortui.tui.app import MirrorApp
from mirrortui.tui.live import LiveRooms
from mirrortui.worker.reader import JournalReader

HERE = Path(__file__).parent
SIZE = (112, 32)
RATE = 700_000
FONTS = ("DejaVu Sans Mono", "Liberation Mono", "monospace")


def picture(app: MirrorApp, name: str) -> None:
    """Write what the app shows as SVG and PNG."""
    svg = app.export_screenshot(title="mirrortui")
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    plain = svg.replace("Fira Code", FONTS[0])
    png = resvg_py.svg_to_bytes(svg_string=plain, font_family=FONTS[0], monospace_family=FONTS[0], zoom=1)
    (HERE / f"{name}.png").write_bytes(bytes(png))


async def until(pilot: object, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Let the app work until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(condition)
        await pilot.pause(0.1)  # type: ignore[attr-defined] # textual's Pilot


def shows(app: MirrorApp, text: str) -> Callable[[], bool]:
    """A condition: the text stands somewhere on the screen."""
    return lambda: text in app.export_screenshot().replace("&#160;", " ")


async def shoot(made: Stage) -> None:
    """Go through the four screens as an operator would."""
    rooms = LiveRooms()
    config = rooms.load(made.config_path)
    app = MirrorApp(rooms, config, saved=config, path=made.config_path)
    journal = JournalReader(made.config.state)

    def bytes_done() -> int:
        run = journal.snapshot().run
        return run.bytes_done if run else 0

    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, shows(app, "5.8 MB"))
        await pilot.press("down", "down")
        await pilot.pause(0.5)
        picture(app, "setup")
        await pilot.press("2")
        await until(pilot, shows(app, "aurora"))
        picture(app, "plan")
        await pilot.press("s")
        await pilot.pause(0.5)
        await pilot.press("y")
        await pilot.press("3")
        await until(pilot, lambda: bytes_done() > 3_300_000)
        await pilot.pause(0.5)
        picture(app, "sync")
        await until(pilot, lambda: not journal.snapshot().active)
        await pilot.press("4")
        await until(pilot, shows(app, "channel_alias"))
        await until(pilot, shows(app, "✓ done"))
        picture(app, "clients")


def main() -> None:
    """Make all pictures."""
    with stage(rate=RATE) as made:
        asyncio.run(shoot(made))


if __name__ == "__main__":
    main()
