"""The whole job without a terminal: each step is done for real and reported with its figure."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from mirrortui import clients
from mirrortui.demo import client
from mirrortui.demo.stage import Stage
from mirrortui.errors import MirrorError
from mirrortui.mirror.survey import survey
from mirrortui.worker import launch
from mirrortui.worker.reader import JournalReader
from mirrortui.worker.snapshot import Snapshot

Say = Callable[[str, str], None]
"""Called with a step's name and its figure."""


def rehearse(stage: Stage, refresh: Callable[[], object], say: Say) -> None:
    """Go through estimate, plan, sync, publish, condarc, serve and install. Raises `MirrorError` at the first that fails."""
    settings = stage.config
    say(
        "upstream",
        f"{stage.upstream.packages} packages, {stage.upstream.bytes / 1e6:.1f} MB, made in {stage.built_in:.1f} s",
    )
    refresh()
    look = survey(settings)
    wanted = look.estimate(settings)
    say("estimate", f"{wanted.records} records, {wanted.bytes / 1e6:.1f} MB, {wanted.free / 1e9:.0f} GB free")
    plan = look.plan(settings)
    say("plan", f"{plan.id}: {plan.total('add').files} files to add, {plan.needed / 1e6:.1f} MB to fetch")
    begun = time.monotonic()
    pid = launch.start(stage.config_path)
    say("sync", f"detached worker, process {pid}")
    snapshot = _wait(settings.state, say)
    took = time.monotonic() - begun
    run = snapshot.run
    assert run is not None
    if snapshot.state != "done" or run.added != plan.total("add").files:
        raise MirrorError(f"the sync ended {snapshot.state} with {run.added} files: {run.message}")
    say("synced", f"{run.added} files, {run.bytes_fetched / 1e6:.1f} MB in {took:.1f} s, all hashes verified")
    published = clients.scan(settings.root)
    say("publish", ", ".join(f"{c.name} ({len(c.subdirs)} subdirs)" for c in published))
    rc = _condarc(stage, published, say)
    stage.source.close()
    say("upstream", "switched off")
    urls = [found.url for found in clients.resolve(settings_order(stage), rc, mirror=settings.mirror.url)]
    say("serve", settings.mirror.url)
    _install(stage, urls, say)


def settings_order(stage: Stage) -> list[str]:
    """The channels as a user would name them."""
    return [channel.name for channel in stage.config.channels]


def _wait(state: Path, say: Say) -> Snapshot:
    reader, last, deadline = JournalReader(state), 0.0, time.monotonic() + 300
    while time.monotonic() < deadline:
        snapshot = reader.snapshot()
        run = snapshot.run
        if not snapshot.active:
            return snapshot
        if run is not None and run.bytes_total and time.monotonic() - last > 1.0:
            last = time.monotonic()
            eta = f", {run.eta:.0f} s left" if run.eta is not None else ""
            say(
                "",
                f"{100 * run.bytes_done / run.bytes_total:3.0f} %  {run.files_done} of {run.files_total} files, {run.rate / 1e6:.1f} MB/s{eta}",
            )
        time.sleep(0.1)
    raise MirrorError("the sync did not end within five minutes")


def _condarc(stage: Stage, published: tuple[clients.PublishedChannel, ...], say: Say) -> dict[str, object]:
    settings = stage.config
    upstreams = {channel.name: channel.upstreams for channel in settings.channels}
    rc = clients.build(published, settings.mirror.url, profile="user", order=settings_order(stage), upstreams=upstreams)
    path = stage.home / ".condarc"
    receipt = clients.write(clients.preview(rc, path))
    say("condarc", f"{len(rc.entries)} keys in {receipt.path}")
    return rc.mapping()


def _install(stage: Stage, urls: list[str], say: Say) -> None:
    specs = list(stage.upstream.install_specs)
    begun = time.monotonic()
    answer = client.install(urls, specs, "linux-64", stage.folder / "client")
    strangers = [url for url in answer["urls"] if not url.startswith(stage.config.mirror.url)]
    if strangers:
        raise MirrorError(f"the client went past the mirror: {strangers[0]}")
    say(
        "install",
        f"{' '.join(specs)}: {len(answer['installed'])} packages in {time.monotonic() - begun:.1f} s ({', '.join(answer['installed'])})",
    )
    program = Path(answer["prefix"]) / "bin" / specs[0]
    done = subprocess.run([program], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise MirrorError(f"the installed program ended with {done.returncode}: {done.stderr[:200]}")
    say("run", f"{program.name} says “{done.stdout.strip()}”")
