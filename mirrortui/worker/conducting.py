"""A run under its ticker: progress ten times a second, commands of viewers five times, signals at once."""

import asyncio
import signal

from mirrortui.worker.ending import INTERRUPTED, Ending
from mirrortui.worker.run import Run

TICK = 0.1


async def conduct(run: Run) -> Ending:
    """Execute a run under its ticker; stops for a command or a signal. Raises `MirrorError`."""
    loop = asyncio.get_running_loop()
    work = loop.create_task(run.execute())
    stopped, code = False, -1

    def stop(why: str) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            run.journal.event("warning", why)
            run.journal.set(state="stopping")
            work.cancel()

    def interrupt(name: str) -> None:
        nonlocal code
        code = code if stopped else INTERRUPTED
        stop(f"stopping, as signal {name} asks")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, interrupt, number.name)
    ticks = 0
    while not work.done():
        await asyncio.wait((work,), timeout=TICK)
        ticks += 1
        run.tick()
        if ticks % 2 == 0 and run.obey(run.journal.commands()):
            stop("stopping, as asked; what was received is kept")
    if run.engine is not None and run.progress.subdirs:
        run.tick()
    try:
        return work.result()
    except asyncio.CancelledError:
        return Ending("stopped", "stopped; start again to go on where it was", code)
