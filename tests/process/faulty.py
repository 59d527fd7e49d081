"""An upstream that misbehaves on request: a folder served over HTTP/1.1, one fault an answer, a record of what was asked.

A fault (faults.py) is a function that gets the `Exchange` and answers it as badly as it likes. `once` queues faults for a
path, `always` sets one for good, `rule` decides for every request.
"""

import contextlib
import email.utils
import hashlib
import os
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit


@dataclass
class Asked:
    """One request: `fields` with lower-case names, `when` on the monotonic clock.

    `status` and `sent` (bytes of the body) are filled in while it is answered.
    """

    method: str
    path: str
    fields: dict[str, str]
    status: int = 0
    sent: int = 0
    when: float = field(default_factory=time.monotonic)


Fault = Callable[["Exchange"], None]
Rule = Callable[[Asked], Fault | None]


class Exchange:
    """One request being answered."""

    def __init__(self, handler: "_Handler", asked: Asked, data: bytes | None, etag: str, modified: str) -> None:
        self.handler, self.asked, self.data, self.etag, self.modified = handler, asked, data, etag, modified

    @property
    def start(self) -> int:
        """Where the asked range begins; 0 without one."""
        text = self.asked.fields.get("range", "")
        return int(text.removeprefix("bytes=").partition("-")[0]) if text else 0

    def head(self, status: int, **fields: str | int) -> None:
        """Send the status line and fields (`content_length=3`)."""
        self.asked.status = status
        self.handler.send_response(status)
        for name, value in fields.items():
            self.handler.send_header(name.replace("_", "-").title(), str(value))
        if "content_length" not in fields and status != 304:
            self.handler.close_connection = True
            self.handler.send_header("Connection", "close")
        self.handler.end_headers()

    def body(self, data: bytes | memoryview) -> None:
        """Send bytes of the body."""
        if self.asked.method != "HEAD":
            self.handler.wfile.write(data)
            self.asked.sent += len(data)

    def hang_up(self, *, reset: bool = False) -> None:
        """End the connection in the middle, by FIN or by RST."""
        self.handler.close_connection = True
        connection = self.handler.connection
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(connection.detach())  # a shutdown, as socketserver does it first, would send a FIN
        else:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def plain(self) -> None:
        """Answer as a good server does: 200, 206, 304, 404, 416."""
        if self.data is None:
            self.head(404, content_length=0)
        elif self.etag in self.asked.fields.get("if-none-match", ""):
            self.head(304, etag=self.etag)
        elif not self.start or self.asked.fields.get("if-range", self.etag) != self.etag:
            self.head(200, content_length=len(self.data), etag=self.etag, last_modified=self.modified)
            self.body(self.data)
        elif self.start >= len(self.data):
            self.head(416, content_length=0, content_range=f"bytes */{len(self.data)}")
        else:
            self.partial(self.start)
            self.body(self.data[self.start :])

    def partial(self, claimed: int) -> None:
        """The head of a 206 that says its first byte is `claimed`."""
        assert self.data is not None
        length = len(self.data)
        self.head(206, content_length=length - self.start, content_range=f"bytes {claimed}-{length - 1}/{length}")

    def whole(self) -> bytes:
        """What is left to send from the asked start, after the right head for it."""
        assert self.data is not None
        if self.start:
            self.partial(self.start)
        else:
            self.head(200, content_length=len(self.data), etag=self.etag)
        return self.data[self.start :]


@dataclass
class FaultyUpstream:
    """Serves `root` on loopback. `asked` lists every request in order of arrival; `broken` what went wrong in here."""

    root: Path
    host: str = "127.0.0.1"
    asked: list[Asked] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    rule: Rule | None = None

    def __post_init__(self) -> None:
        self._once: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._server: _Server | None = None
        self._port = 0

    # -------------------------------------------------------------------------------------- what to do

    def once(self, path: str, *faults: Fault) -> None:
        """Answer the next requests for a path (`/lab/linux-64/x.conda`) by these faults, then well again."""
        with self._lock:
            self._once[path].extend(faults)

    def always(self, path: str, fault: Fault | None) -> None:
        """Answer every request for a path by a fault, or well again (None)."""
        with self._lock:
            if fault is None:
                self._always.pop(path, None)
            else:
                self._always[path] = fault

    def requests(self, ending: str = "", method: str = "GET") -> list[Asked]:
        """The requests so far whose path ends so."""
        with self._lock:
            return [asked for asked in self.asked if asked.path.endswith(ending) and asked.method == method]

    def forget(self) -> None:
        """Begin a new list of requests."""
        with self._lock:
            self.asked = []

    # ------------------------------------------------------------------------------------------ serving

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end; the port stays over a `stop` and `start`."""
        return f"http://{self.host}:{self._port}"

    def start(self) -> Self:
        """Listen (again)."""
        self._server = _Server((self.host, self._port), _Handler)
        self._server.upstream = self
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on, and end those that are open."""
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, handler: "_Handler") -> None:
        """Answer one request; called in the thread of its connection."""
        path = urlsplit(handler.path).path
        asked = Asked(handler.command, unquote(path), {k.lower(): v for k, v in handler.headers.items()})
        file = self.root / unquote(path).lstrip("/")
        data = file.read_bytes() if file.is_file() else None
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"' if data is not None else ""
        modified = email.utils.formatdate(file.stat().st_mtime, usegmt=True) if data is not None else ""
        with self._lock:
            self.asked.append(asked)
            queue = self._once.get(asked.path)
            fault = queue.popleft() if queue else self._always.get(asked.path)
        if fault is None and self.rule is not None:
            fault = self.rule(asked)
        exchange = Exchange(handler, asked, data, etag, modified)
        if fault is None:
            exchange.plain()
        else:
            fault(exchange)

    @contextlib.contextmanager
    def connection(self, sock: socket.socket):  # type: ignore[no-untyped-def]  # a generator of None
        """Keep a connection in mind while it is open."""
        with self._lock:
            self._sockets.add(sock)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(sock)


class _Server(ThreadingHTTPServer):
    upstream: FaultyUpstream
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed end their connections anyhow; anything else is a fault of this file."""
        import sys

        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.upstream.broken.append(f"{type(error).__name__}: {error}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with self.server.upstream.connection(self.connection):
            super().handle()

    def do_GET(self) -> None:
        self.server.upstream.answer(self)

    do_HEAD = do_GET  # noqa: N815 - the standard library's naming

    def log_message(self, *words: object) -> None:
        return
