"""The faults themselves: what an answer of a `FaultyUpstream` may be instead of a good one."""

import contextlib
import threading

from tests.process.faulty import Exchange, Fault

HOLD_SECONDS = 30.0
MOST_ENDLESS = 64 << 20


def status(code: int, **fields: str | int) -> Fault:
    """Nothing but a status, perhaps with fields (`retry_after=1`)."""
    return lambda ex: ex.head(code, content_length=0, **fields)


def page(text: str, kind: str = "text/html") -> Fault:
    """Another body with status 200: a login page, an error text."""

    def answer(ex: Exchange) -> None:
        data = text.encode()
        ex.head(200, content_length=len(data), content_type=kind)
        ex.body(data)

    return answer


def wrong_bytes(ex: Exchange) -> None:
    """As many bytes as there should be, but others."""
    ex.body(bytes(byte ^ 0xFF for byte in ex.whole()))


def cut(at: int) -> Fault:
    """The right head, `at` bytes, then the connection ends."""

    def answer(ex: Exchange) -> None:
        ex.body(ex.whole()[:at])
        ex.hang_up()

    return answer


def reset(at: int, gate: threading.Event) -> Fault:
    """The right head, `at` bytes, and when the gate opens a reset; what the other side has not read by then is lost."""

    def answer(ex: Exchange) -> None:
        ex.body(ex.whole()[:at])
        gate.wait(HOLD_SECONDS)
        ex.hang_up(reset=True)

    return answer


def short(at: int) -> Fault:
    """A file that is complete as far as HTTP can tell, with only its first `at` bytes."""

    def answer(ex: Exchange) -> None:
        assert ex.data is not None
        ex.head(200, content_length=at)
        ex.body(ex.data[:at])

    return answer


def endless(ex: Exchange) -> None:
    """A body without a length that does not end (within reason)."""
    assert ex.data is not None
    ex.head(200)
    ex.body(ex.data)
    block = bytes(65536)
    with contextlib.suppress(OSError):
        while ex.asked.sent < MOST_ENDLESS:
            ex.body(block)
    ex.hang_up()


def hold(at: int, gate: threading.Event) -> Fault:
    """`at` bytes, then nothing until the gate opens, then the rest."""

    def answer(ex: Exchange) -> None:
        rest = ex.whole()
        ex.body(rest[:at])
        gate.wait(HOLD_SECONDS)
        ex.body(rest[at:])

    return answer


def drip(gate: threading.Event, every: float = 0.05) -> Fault:
    """One byte at a time until the gate opens, then the connection ends."""

    def answer(ex: Exchange) -> None:
        for byte in ex.whole():
            if gate.wait(every):
                break
            ex.body(bytes((byte,)))
        ex.hang_up()

    return answer


def ignore_range(ex: Exchange) -> None:
    """The whole file with 200, whatever range was asked."""
    assert ex.data is not None
    ex.head(200, content_length=len(ex.data))
    ex.body(ex.data)


def wrong_range(ex: Exchange) -> None:
    """A 206 that begins elsewhere than asked, and says so."""
    assert ex.data is not None
    ex.partial(ex.start + 1)
    ex.body(ex.data[ex.start :])


def redirect(target: str, code: int = 302) -> Fault:
    """Go elsewhere."""
    return lambda ex: ex.head(code, content_length=0, location=target)
