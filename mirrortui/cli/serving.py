"""serve and webserver: the embedded HTTP server, and texts for the ones that are made for production."""

import signal
import threading
from pathlib import Path

import click

from mirrortui.cli.output import config_option, emit, emit_line, json_option, load, say


@click.command()
@config_option
@json_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
def serve(config_path: Path | None, as_json: bool, host: str, port: int) -> int:
    """Serve the mirror's root over HTTP, for a small lab or a test."""
    from mirrortui.serve.server import FileServer

    settings, _ = load(config_path)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with FileServer(settings.root, host, port) as server:
        if as_json:
            emit_line({"url": server.url})
        else:
            click.echo(server.url)
        say(f"serving {settings.root}; end it with Ctrl-C")
        over.wait()
    return 0


@click.command()
@config_option
@json_option
@click.argument("kind", type=click.Choice(["nginx", "caddy", "apache"]))
def webserver(config_path: Path | None, as_json: bool, kind: str) -> int:
    """Print the configuration with which nginx, caddy or Apache serve the mirror."""
    from mirrortui.serve import webserver as texts

    settings, _ = load(config_path)
    text = {"nginx": texts.nginx, "caddy": texts.caddy, "apache": texts.apache}[kind](settings)
    if as_json:
        emit({"kind": kind, "text": text})
    else:
        click.echo(text, nl=False)
    return 0
