"""One client's connection: a small state machine on a non-blocking socket.

It reads heads, answers from memory or with sendfile, and says through `wants` what it waits for. It never
waits itself: loop.py calls `ready` when the socket is, or when the shared bandwidth gives it a turn.
"""

import math
import os
import select
import socket
import time

from mirrortui import naming
from mirrortui.serve.answer import Answer, file_head, page, refusal
from mirrortui.serve.files import OpenFile, components
from mirrortui.serve.home import home_page
from mirrortui.serve.request import MAX_HEAD, MAX_LINE, HeadError, Outcome, Request, decide, parse_head
from mirrortui.serve.site import AccessLine, Site

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
TURN = 0  # its part of the shared bandwidth
DONE = -1

_END = b"\r\n\r\n"
_RECEIVE = 16 * 1024
_SMALL = 16 * 1024  # up to this size head and body leave in one write
_LINGER = 2.0


class Connection:
    """A client's socket, what was read from it, and what is still to be sent to it.

    `wants` is READ, WRITE, TURN or DONE; `deadline` and `idle_since` are monotonic seconds, the latter 0 while
    a request is under way.
    """

    __slots__ = (
        "_answering",
        "_buffer",
        "_client",
        "_keep",
        "_lingering",
        "_out",
        "_position",
        "_request",
        "_sent",
        "_site",
        "_source",
        "_started",
        "_status",
        "_stop",
        "armed",
        "deadline",
        "idle_since",
        "sock",
        "wants",
    )

    def __init__(self, sock: socket.socket, client: str, site: Site, now: float) -> None:
        self.sock = sock
        self.wants = READ
        self.armed = READ  # what epoll was told
        self.idle_since = now
        self.deadline = now + site.limits.head
        self._client = client
        self._site = site
        self._buffer = b""
        self._request: Request | None = None
        self._answering = False
        self._keep = True
        self._lingering = False
        self._out = b""
        self._source = -1
        self._position = self._stop = self._sent = self._status = 0
        self._started = 0.0

    def ready(self, now: float) -> None:
        """The socket is ready: do what can be done without waiting. Raises `OSError` when it is over."""
        if self.wants == READ:
            self._receive(now)
        else:
            self._send(now, self._site.chunk)
        self._next_heads(now)

    def turn(self, now: float, allowance: int) -> int:
        """Send at most that many bytes of the file; return how many went. Raises `OSError` when it is over."""
        before = self._position
        self._send(now, allowance)
        sent = self._position - before
        self._next_heads(now)
        return sent

    def close(self) -> None:
        """Release socket and file; an answer that was under way is noted with what was sent of it."""
        if self._answering:
            self._note()
        self._forget_source()
        self.sock.close()
        self.wants = DONE

    # ------------------------------------------------------------------------------------------ reading

    def _receive(self, now: float) -> None:
        try:
            data = self.sock.recv(_RECEIVE)
        except BlockingIOError:
            return
        if not data:
            self.wants = DONE
        elif not self._lingering:
            if self.idle_since:
                self.idle_since = 0.0
                self.deadline = now + self._site.limits.head  # for the whole head, in whatever pieces
            self._buffer = self._buffer + data if self._buffer else data

    def _next_heads(self, now: float) -> None:
        """Answer the requests in the buffer, as long as their answers leave at once."""
        while self.wants == READ and self._buffer and not self._lingering:
            self._buffer = self._buffer.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a request
            end = self._buffer.find(_END)
            try:
                if end < 0:
                    _check_partial(self._buffer)
                    return
                head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
                request = parse_head(head)
            except HeadError as error:
                self._refuse(now, error)
                return
            self._begin(request, now)
            self._answer(request, now)

    def expire(self, now: float) -> None:
        """Its time is over: say so where a request was begun, else just leave."""
        if self.wants == READ and self._buffer and not self._lingering:
            self._refuse(now, HeadError(408, "the request took too long to arrive"))
        else:
            self.wants = DONE

    # ------------------------------------------------------------------------------------------ answering

    def _begin(self, request: Request | None, now: float) -> None:
        self._request = request
        self._keep = request is not None and request.keep_alive
        self._answering = True
        self._started = now
        self._sent = 0

    def _refuse(self, now: float, error: HeadError) -> None:
        self._begin(None, now)
        self._buffer = b""
        self._put(refusal(error.status, text=error.text[:1].upper() + error.text[1:]), now)

    def _answer(self, request: Request, now: float) -> None:
        if request.method not in ("GET", "HEAD"):
            return self._put(refusal(405, request), now)
        parts = components(request.target)
        if parts is None:
            return self._put(refusal(404, request), now)
        if not parts:
            text, extra = home_page(self._site.files.root)
            return self._put(page(200, text, "text/html; charset=utf-8", request, extra), now)
        try:
            file = self._site.files.open(parts)
        except OSError:
            return self._put(refusal(503, request), now)
        if file is None:
            return self._put(refusal(404, request), now)
        self._source = file.fd
        outcome = decide(request, file.etag, file.mtime_ns // 10**9, file.size)
        if outcome.status in (412, 416):
            return self._put(refusal(outcome.status, request, size=file.size), now)
        return self._put_file(request, file, outcome, now)

    def _put(self, answer: Answer, now: float) -> None:
        self._forget_source()
        self._status = answer.status
        self._out = answer.head + answer.body
        self._sent = len(answer.body)
        self._send(now, self._site.chunk)

    def _put_file(self, request: Request, file: OpenFile, outcome: Outcome, now: float) -> None:
        self._status = outcome.status
        self._position, self._stop = outcome.start, outcome.stop
        self._out = file_head(request, file, outcome)
        size = outcome.stop - outcome.start
        if request.method == "HEAD" or not size:
            self._forget_source()
        elif size <= _SMALL and self._site.chunk:
            body = os.pread(file.fd, size, outcome.start)
            if len(body) != size:
                raise ConnectionAbortedError("the file became shorter")
            self._out += body
            self._sent = size
            self._forget_source()
        self._send(now, self._site.chunk)

    # ------------------------------------------------------------------------------------------ sending

    def _send(self, now: float, allowance: int) -> None:
        self.wants = WRITE
        self.deadline = now + self._site.limits.write
        try:
            if self._out:
                more = socket.MSG_MORE if self._source >= 0 and allowance else 0
                self._out = self._out[self.sock.send(self._out, more) :]
                if self._out:
                    return
            if self._source >= 0:
                if allowance:
                    self._send_file(allowance)
                if self._position < self._stop:
                    if not self._site.chunk:
                        self.wants, self.deadline = TURN, math.inf
                    return
        except BlockingIOError:
            return
        self._finish(now)

    def _send_file(self, allowance: int) -> None:
        """Let the kernel send a part of the file."""
        count = min(self._stop - self._position, allowance)
        sent = os.sendfile(self.sock.fileno(), self._source, self._position, count)
        if not sent:
            raise ConnectionAbortedError("the file became shorter")
        self._position += sent
        self._sent += sent

    def _finish(self, now: float) -> None:
        self._forget_source()
        self._note()
        self._answering = False
        self.wants = READ
        if self._keep:
            self.deadline = now + (self._site.limits.head if self._buffer else self._site.limits.idle)
            self.idle_since = 0.0 if self._buffer else now
        else:  # closing over unread bytes would reset the answer away: take what still comes
            self._lingering = True
            self.idle_since = now
            self.deadline = now + _LINGER
            self.sock.shutdown(socket.SHUT_WR)

    def _forget_source(self) -> None:
        if self._source >= 0:
            os.close(self._source)
            self._source = -1

    def _note(self) -> None:
        if self._site.log is None:
            return
        request = self._request
        seconds = time.monotonic() - self._started
        self._site.log(
            AccessLine(
                moment=time.time() - seconds,
                client=self._client,
                method=naming.display(request.method, 20) if request else "-",
                target=naming.display(request.target) if request else "-",
                status=self._status,
                bytes=self._sent,
                seconds=seconds,
                agent=naming.display(request.fields.get("user-agent", "-"), 80) if request else "-",
            )
        )


def _check_partial(data: bytes) -> None:
    if len(data) > MAX_LINE and b"\r\n" not in data[: MAX_LINE + 2]:
        raise HeadError(414, "the request line is too long")
    if len(data) > MAX_HEAD:
        raise HeadError(431, "the head of the request is too large")
