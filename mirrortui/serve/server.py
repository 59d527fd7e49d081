"""The embedded file server: for the demo, for tests, for a small lab. nginx serves the rest (webserver.py).

Files leave through sendfile, so that their bytes never pass through the interpreter. The page at `/` names the
channels; every other folder is as absent as a missing file. Linux only, as epoll and eventfd are.
"""

import errno
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from mirrortui.errors import TargetError
from mirrortui.serve.files import Files
from mirrortui.serve.loop import Loop
from mirrortui.serve.site import MOST, AccessLine, Limits, Site
from mirrortui.serve.throttle import Throttle

__all__ = ["AccessLine", "FileServer", "Limits"]

_BACKLOG = 512
_CLOSE = 10.0  # seconds; the thread is woken and waits for nobody
_ANY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to show for them


class FileServer:
    """Serves the files below `root` over HTTP/1.1.

    `port` 0 takes a free one. `rate` limits all connections together, in bytes a second; 0 is no limit.
    `mounts` maps URL prefixes (`snapshots`) to folders elsewhere. `log` is called in the server's thread, once
    an answer: it must be quick.
    """

    def __init__(
        self,
        root: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        rate: int = 0,
        max_connections: int = 256,
        mounts: Mapping[str, Path] | None = None,
        limits: Limits | None = None,
        log: Callable[[AccessLine], None] | None = None,
    ) -> None:
        self.root = root
        self.host = host
        self.port = port
        self._throttle = Throttle(rate) if rate > 0 else None
        self._site = Site(Files(root, mounts), limits or Limits(), 0 if self._throttle else MOST, log)
        self._max_connections = max_connections
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def url(self) -> str:
        """The base URL without a slash at the end, valid once started; a wildcard host shows as this machine."""
        host = _ANY.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> Self:
        """Bind, and serve in a daemon thread; once. Raises `TargetError` for a folder, host or port that cannot be."""
        if self._thread is not None:
            return self
        if not self.root.is_dir():
            raise TargetError(
                "there is no such folder to serve", where=str(self.root), hint="Sync first, or name another folder"
            )
        listener = _bind(self.host, self.port)
        self.port = listener.getsockname()[1]
        self._loop = Loop(listener, self._site, self._max_connections, self._throttle)
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="file-server", daemon=True)
        self._thread.start()
        return self

    def _run(self, loop: Loop) -> None:
        try:
            loop.run()
        finally:
            self._closed.set()

    def serve_forever(self) -> None:
        """Serve until `close` is called elsewhere, or an interrupt is raised here; then everything is closed."""
        self.start()
        try:
            self._closed.wait()
        finally:
            self.close()

    def close(self) -> None:
        """Stop listening and end all connections, those in the middle of a file too. May be called again."""
        loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        loop.stop()
        if self._thread is not threading.current_thread():
            self._thread.join(_CLOSE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bind(host: str, port: int) -> socket.socket:
    where = f"{host or '*'}:{port}"
    if not 0 <= port <= 65535:
        raise TargetError(f"there is no port {port}", where=where, hint="Choose one from 1024 to 65535")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise TargetError("this host name is not known here", where=where, hint=_HOSTS) from error
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise _bind_error(error, where, port) from error
    return sock


_HOSTS = "Use 127.0.0.1 for this machine alone, 0.0.0.0 for the whole network"


def _bind_error(error: OSError, where: str, port: int) -> TargetError:
    match error.errno:
        case errno.EADDRINUSE:
            hint = f"Choose another port, or see who has it with: ss -ltnp 'sport = :{port}'"
            return TargetError("the port is in use by another program", where=where, hint=hint)
        case errno.EACCES:
            return TargetError("ports below 1024 need root", where=where, hint="Choose for example 8080")
        case errno.EADDRNOTAVAIL:
            return TargetError("this machine has no such address", where=where, hint=_HOSTS)
        case number:
            return TargetError(f"cannot listen: {os.strerror(number or 0)}", where=where)
