"""condarc and resolve: point clients at the mirror, and see where they would go."""

from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, json_option, load, say, table
from mirrortui.errors import UsageError


@click.command()
@config_option
@json_option
@click.option(
    "--profile", type=click.Choice(["user", "system"]), default="user", show_default=True, help="Whose file it is."
)
@click.option("--lock", is_flag=True, help="System profile: mark the keys #!final and allow only the mirror's URLs.")
@click.option("--url", default="", help="How clients reach the mirror (default: mirror.url of mirror.toml).")
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="The file to compare with or to write (default: the profile's own).",
)
@click.option("--diff", "show_diff", is_flag=True, help="Show what writing would change.")
@click.option("--write", "do_write", is_flag=True, help="Write it: backup, then an atomic replacement.")
@click.option("--undo", "do_undo", is_flag=True, help="Bring the newest backup back.")
def condarc(
    config_path: Path | None,
    as_json: bool,
    profile: str,
    lock: bool,
    url: str,
    target: Path | None,
    show_diff: bool,
    do_write: bool,
    do_undo: bool,
) -> int:
    """Print, compare or write the .condarc that sends every client to the mirror, from what is really on disk."""
    from mirrortui import clients

    if sum((show_diff, do_write, do_undo)) > 1:
        raise UsageError("--diff, --write and --undo exclude each other")
    kind: clients.Profile = "system" if profile == "system" else "user"
    path = target or clients.target(kind)
    if do_undo:
        restored = clients.undo(path)
        emit({"path": str(path), "restored": str(restored)}) if as_json else say(
            f"{path} is as it was before ({restored})"
        )
        return 0
    settings, _ = load(config_path)
    rc = clients.build(
        clients.scan(settings.root),
        url or settings.mirror.url,
        profile=kind,
        order=[channel.name for channel in settings.channels],
        upstreams={channel.name: channel.upstreams for channel in settings.channels},
        filtered=settings.filtered,
        lock=lock,
    )
    if not show_diff and not do_write:
        if as_json:
            emit(
                {
                    "profile": profile,
                    "target": str(path),
                    "text": rc.text(),
                    "values": rc.mapping(),
                    "warnings": list(rc.warnings),
                }
            )
        else:
            click.echo(rc.text(), nl=False)
            _warn(rc.warnings)
        return 0
    preview = clients.preview(rc, path)
    if do_write:
        receipt = clients.write(preview)
        if as_json:
            emit(
                {
                    "path": str(receipt.path),
                    "written": receipt.written,
                    "backup": str(receipt.backup) if receipt.backup else None,
                    "undo": receipt.undo_hint,
                    "warnings": list(preview.warnings),
                }
            )
            return 0
        _warn(preview.warnings)
        say(
            f"wrote {receipt.path}; to undo: {receipt.undo_hint}"
            if receipt.written
            else f"{receipt.path} says all this already"
        )
        return 0
    if as_json:
        emit(
            {
                "path": str(preview.path),
                "changed": preview.changed,
                "diff": preview.diff_text(),
                "warnings": list(preview.warnings),
            }
        )
        return 0
    click.echo(preview.diff_text(), nl=False)
    _warn(preview.warnings)
    return 0


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        say(f"warning: {warning}")


@click.command()
@config_option
@json_option
@click.option(
    "--rc",
    "rc_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Look with this file instead of the generated one.",
)
@click.argument("names", nargs=-1, required=True)
def resolve(config_path: Path | None, as_json: bool, rc_path: Path | None, names: tuple[str, ...]) -> int:
    """Tell which URL a client would ask for channels; exit 1 where one would not lead to the mirror."""
    from ruamel.yaml import YAML

    from mirrortui import clients

    settings, _ = load(config_path)
    published = clients.scan(settings.root)
    if rc_path is not None:
        values = YAML(typ="safe").load(rc_path.read_text(encoding="utf-8")) or {}
    else:
        upstreams = {channel.name: channel.upstreams for channel in settings.channels}
        values = clients.build(
            published,
            settings.mirror.url,
            profile="user",
            order=[c.name for c in settings.channels],
            upstreams=upstreams,
            filtered=settings.filtered,
        ).mapping()
    found = clients.resolve(names, values, mirror=settings.mirror.url)
    here = {channel.name for channel in published}
    rows = [(r, r.on_mirror and any(r.url.endswith(f"/{name}") for name in here)) for r in found]
    if as_json:
        emit(
            [
                {
                    "asked": r.asked,
                    "url": r.url,
                    "key": r.key,
                    "file": str(rc_path) if rc_path else None,
                    "on_mirror": r.on_mirror,
                    "mirrored": there,
                }
                for r, there in rows
            ]
        )
    else:
        table(
            ["asked", "url", "decided by", "mirrored"],
            [
                [r.asked, r.url, r.key, "yes" if there else "no" if r.on_mirror else "leaves the mirror"]
                for r, there in rows
            ],
        )
    return 0 if all(r.on_mirror for r in found) else 1
