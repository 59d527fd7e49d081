"""init, estimate, plan: make a mirror.toml, and see what it would cost, before anything is done."""

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mirrortui import channels, config, naming
from mirrortui.cli.output import config_option, emit, json_option, load_rules, say, span, table
from mirrortui.config import Channel, Mirror, MirrorConfig
from mirrortui.errors import MirrorError, UsageError
from mirrortui.mirror.store import Store
from mirrortui.quantities import counted as count
from mirrortui.quantities import words as size

if TYPE_CHECKING:
    from mirrortui.selection.estimate import Details


@click.command()
@config_option
@json_option
@click.option("--name", default="", help="A short name of the mirror (default: the root's last component).")
@click.option("--root", required=True, help="The folder that will be served.")
@click.option("--url", default="", help="How clients will reach it (default: file:// and the root).")
@click.option("--state", default="", help="Folder for journal and cache, on a local disk, outside the root.")
@click.option(
    "--channel", "names", multiple=True, required=True, help="A channel: conda-forge, pkgs/main, defaults. Repeatable."
)
@click.option(
    "--subdir",
    "subdirs",
    multiple=True,
    default=("linux-64", "noarch"),
    show_default=True,
    help="A subdir, or “all” to ask the upstream which there are. Repeatable.",
)
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    default=("anaconda",),
    show_default=True,
    help="anaconda, prefix, tuna, or a base URL below which the channel's name is appended. Repeatable, in order of preference.",
)
@click.option("--force", is_flag=True, help="Replace a mirror.toml that is there.")
def init(
    config_path: Path | None,
    as_json: bool,
    name: str,
    root: str,
    url: str,
    state: str,
    names: tuple[str, ...],
    subdirs: tuple[str, ...],
    upstreams: tuple[str, ...],
    force: bool,
) -> None:
    """Write a mirror.toml."""
    path = config_path or Path("mirror.toml")
    path = path / "mirror.toml" if path.is_dir() else path
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", hint="Use --force to replace it, or another --config")
    place = Path(root).absolute()
    naming.client_path(str(place), f"root {naming.display(place)}")
    name = name or place.name
    draft = MirrorConfig(
        mirror=Mirror(
            name=name,
            root=str(place),
            url=url.rstrip("/") or place.as_uri(),
            state=state or str(config.default_state(name)),
        ),
        channels=tuple(_channels(names, subdirs, upstreams)),
    )
    draft = config.from_dict(config.to_dict(draft), where=str(path))
    if "all" in subdirs:
        draft = asyncio.run(_discovered(draft))
    config.save(draft, path)
    for channel in draft.channels:
        notice = channels.notice(channel.name, channel.upstreams)
        if notice:
            say(f"note: {channel.name}: {notice}")
    if as_json:
        emit(
            {
                "config": str(path),
                "state": draft.mirror.state,
                "channels": [
                    {"channel": c.name, "upstreams": [naming.mask(u) for u in c.upstreams], "subdirs": list(c.subdirs)}
                    for c in draft.channels
                ],
            }
        )
    else:
        say(f"wrote {path}; next: mirrortui estimate, mirrortui plan, mirrortui sync")


def _channels(names: tuple[str, ...], subdirs: tuple[str, ...], upstreams: tuple[str, ...]) -> list[Channel]:
    chosen = tuple(dict.fromkeys("noarch" if s == "all" else s for s in subdirs))
    for given in upstreams:
        if given not in {host.name for host in channels.HOSTS}:
            config.check_upstream(given.replace("{channel}", "channel"), "--upstream")
    out = []
    for given in names:
        for name in channels.expand(given):
            clean = naming.channel(name)
            out.append(Channel(name=clean, upstreams=channels.upstreams_for(clean, upstreams), subdirs=chosen))
    return out


async def _discovered(draft: MirrorConfig) -> MirrorConfig:
    import msgspec

    from mirrortui.transfer.client import open_client
    from mirrortui.worker.indexing import discover

    found = []
    async with open_client(draft) as client:
        for channel in draft.channels:
            subdirs = await discover(client, channel)
            if not subdirs:
                raise UsageError(
                    f"no subdir of {channel.name} was found at {naming.display(channel.upstreams[0])}",
                    hint="Check the upstream, or name the subdirs with --subdir",
                )
            found.append(msgspec.structs.replace(channel, subdirs=subdirs))
    return msgspec.structs.replace(draft, channels=tuple(found))


def refresh(settings: MirrorConfig, *, quiet: bool = False) -> dict[tuple[str, str], str]:
    """Bring the indexes up to date, narrating on stderr; returns the problems.

    Raises the first if nothing could be read, and `ConfigError` before anything is asked where a secret is not set.
    """
    from mirrortui.catalog.fetch import Progress
    from mirrortui.transfer.client import open_client
    from mirrortui.worker.indexing import Throttle, refresh_all

    for entry in settings.channels:
        channels.upstreams(entry)

    live = sys.stderr.isatty() and not quiet

    def report(progress: Progress) -> None:
        what = f"{progress.channel}/{progress.subdir}"
        if live and progress.phase in ("fetch", "decode"):
            click.echo(f"\r\x1b[K{what}: {progress.phase} {size(progress.bytes_done)}", nl=False, err=True)

    async def work() -> dict[tuple[str, str], str]:
        async with open_client(settings) as client:
            catalog = await refresh_all(client, settings, Throttle(report))
            if catalog.problems and not catalog.indexes:
                raise MirrorError(next(iter(catalog.problems.values())))
            return catalog.problems

    problems = asyncio.run(work())
    if live:
        click.echo("\r\x1b[K", nl=False, err=True)
    for (channel, subdir), text in problems.items():
        say(f"warning: {channel}/{subdir}: {text}")
    return problems


refresh_option = click.option(
    "--refresh/--no-refresh",
    "fresh",
    default=True,
    help="Ask the upstreams for newer indexes first (default), or use the cached ones.",
)


@click.command()
@config_option
@json_option
@refresh_option
@click.option(
    "--details", "with_details", is_flag=True, help="Also growth a month, the largest names, shares by license family."
)
def estimate(config_path: Path | None, as_json: bool, fresh: bool, with_details: bool) -> int:
    """Show what the selection wants: records and bytes, per channel and subdir, against the free disk."""
    settings, _ = load_rules(config_path)
    Store(settings.root).check_folder()
    problems = refresh(settings, quiet=as_json) if fresh else {}
    from mirrortui.mirror.survey import survey

    look = survey(settings)
    result = look.estimate(settings)
    inside = look.details(settings) if with_details else None
    if as_json:
        emit(result.to_json() | ({"details": inside.to_json()} if inside else {}))
        return 3 if problems else 0
    rows = []
    for s in result.subdirs:
        numbers = (
            [f"{s.records:,}", size(s.bytes), size(s.bytes_present), size(s.bytes_to_fetch)] if s.known else ["?"] * 4
        )
        rows.append([s.channel, s.subdir, *numbers, s.note])
    rows.append(
        [
            "total",
            "",
            f"{result.records:,}",
            size(result.bytes),
            size(result.bytes - result.bytes_to_fetch),
            size(result.bytes_to_fetch),
            "",
        ]
    )
    table(["channel", "subdir", "records", "wanted", "present", "to fetch", ""], rows, right=(2, 3, 4, 5))
    if inside:
        _print_details(inside)
    if result.unknown_sizes:
        have = "has" if result.unknown_sizes == 1 else "have"
        say(f"{count(result.unknown_sizes, 'record')} {have} no size; the figures leave that out")
    verdict = "fits" if result.fits else "does NOT fit"
    say(f"{size(result.bytes_to_fetch)} to fetch {verdict}: {size(result.free)} of {size(result.total)} are free")
    return 3 if problems else 0


def _print_details(inside: "Details") -> None:
    click.echo()
    table(["largest names", "records", "bytes"], [[n, f"{r:,}", size(b)] for n, r, b in inside.largest], right=(1, 2))
    click.echo()
    table(["license family", "records", "bytes"], [[f, f"{r:,}", size(b)] for f, r, b in inside.licenses], right=(1, 2))
    click.echo()
    say(
        "growth: unknown, no record says when it was built"
        if inside.growth is None
        else f"growth: {size(inside.growth)} a month"
    )


@click.command()
@config_option
@json_option
@refresh_option
@click.option(
    "--check",
    "environments",
    multiple=True,
    help='Prove that an environment ("python=3.12 numpy") still resolves, besides those of [check] solve. Repeatable.',
)
def plan(config_path: Path | None, as_json: bool, fresh: bool, environments: tuple[str, ...]) -> int:
    """Show what a run would do now: files to add, replace, keep, drop and prune. Changes nothing.

    Exit code 1 where an environment to check does not resolve, 3 where an index could not be read.
    """
    settings, _ = load_rules(config_path)
    Store(settings.root).check_folder()
    problems = refresh(settings, quiet=as_json) if fresh else {}
    from mirrortui.mirror.survey import survey

    look = survey(settings)
    result = look.plan(settings)
    wanted = (*settings.check.solve, *environments)
    checks = look.check(settings, wanted) if wanted else []
    code = 1 if any(not solved.ok for solved in checks) else 3 if problems else 0
    if as_json:
        emit(result.to_json() | {"checks": [solved.to_json() for solved in checks]})
        return code
    kinds = ("add", "replace", "keep", "drop", "prune_due")
    rows = [
        [s.channel, s.subdir, *(f"{getattr(s, kind).files:,}" for kind in kinds), size(s.add.bytes + s.replace.bytes)]
        for s in result.subdirs
    ]
    rows.append(["total", "", *(f"{result.total(kind).files:,}" for kind in kinds), size(result.needed)])
    table(["channel", "subdir", "add", "replace", "keep", "drop", "prune due", "to fetch"], rows, right=range(2, 8))
    for warning in result.warnings:
        say(f"warning: {warning}")
    when = time.strftime("%H:%M", time.localtime(result.created))
    ending = "nothing to do" if result.empty else f"{size(result.needed)} to fetch, {size(result.free)} free"
    eta = f", {span(result.eta)} at the limit" if result.eta is not None else ""
    for solved in checks:
        what = f"{' '.join(solved.specs)} on {solved.subdir}"
        say(
            f"{what} resolves to {count(solved.packages, 'package')}"
            if solved.ok
            else f"error: {what} does not resolve: {solved.error}"
        )
    say(f"plan {result.id} of {when}: {ending}{eta}")
    return code
