"""Time, places and bandwidth; and an end that leaves nothing behind."""

import contextlib
import os
import select
import socket
import threading
import time
from pathlib import Path

import pytest

from mirrortui.serve.server import FileServer, Limits
from mirrortui.serve.throttle import Throttle

PACKAGE = "/conda-forge/noarch/aurora-1.0-h0_0.conda"
SHORT = Limits(head=0.2, idle=0.2, write=0.2)
DEADLINE = 10.0


@pytest.fixture
def large(tree: Path) -> str:
    with (tree / "large.conda").open("wb") as out:
        out.truncate(64 << 20)
    return "/large.conda"


def until(condition) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        select.select([], [], [], 0.005)


def file_server_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "file-server"]


def test_a_head_that_trickles_in_is_ended(serve, connect) -> None:
    client = connect(serve(limits=SHORT))
    begun = time.monotonic()
    client.send(b"GET / HTTP/1.1\r\n")
    with contextlib.suppress(OSError):
        while not select.select([client.sock], [], [], 0.02)[0]:
            client.send(b"X: y\r\n")  # each piece is quick, the whole is not
            assert time.monotonic() - begun < DEADLINE
    assert client.reply().status == 408


def test_a_silent_connection_is_ended(serve, connect) -> None:
    client = connect(serve(limits=SHORT))
    assert client.rest() == b""


def test_an_idle_connection_is_ended(serve, connect) -> None:
    client = connect(serve(limits=SHORT))
    assert client.get(PACKAGE).status == 200
    assert client.rest() == b""


def test_a_client_that_does_not_read_is_ended(serve, large: str) -> None:
    lines = []
    server = serve(limits=SHORT, log=lines.append)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(f"GET {large} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
        until(lambda: lines)
    assert lines[0].status == 200
    assert lines[0].bytes < 64 << 20


def test_a_newcomer_takes_the_place_of_the_one_idle_longest(serve, connect) -> None:
    server = serve(max_connections=3)
    clients = []
    for _ in range(3):
        clients.append(connect(server))
        assert clients[-1].get(PACKAGE).status == 200
    assert clients[0].get(PACKAGE).status == 200  # so the second is idle longest
    newcomer = connect(server)
    assert newcomer.get(PACKAGE).status == 200
    assert clients[1].rest() == b""
    assert clients[0].get(PACKAGE).status == 200
    assert clients[2].get(PACKAGE).status == 200


def test_a_newcomer_waits_while_all_are_busy(serve, connect, large: str) -> None:
    server = serve(max_connections=1)
    busy = connect(server)
    busy.send(f"GET {large} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
    busy.stream.readline()
    newcomer = connect(server)
    newcomer.send(f"GET {PACKAGE} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
    assert not select.select([newcomer.sock], [], [], 0.1)[0]
    busy.close()
    assert newcomer.reply().status == 200


def test_hundreds_of_silent_connections_do_not_keep_others_out(serve, connect) -> None:
    server = serve(max_connections=8)
    silent = [connect(server) for _ in range(60)]
    assert connect(server).get(PACKAGE).status == 200
    assert len(silent) == 60


def test_a_file_that_becomes_shorter_ends_the_connection(serve, connect, large: str, tree: Path) -> None:
    client = connect(serve())
    client.send(f"GET {large} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
    client.stream.readline()
    os.truncate(tree / "large.conda", 1000)
    assert len(client.rest()) < 64 << 20


def test_a_fault_in_one_answer_leaves_the_others(serve, connect, monkeypatch, caplog) -> None:
    server = serve()
    other = connect(server)
    assert other.get(PACKAGE).status == 200

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("mirrortui.serve.connection.decide", broken)
        client = connect(server)
        client.send(f"GET {PACKAGE} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
        assert client.rest() == b""
    assert other.get(PACKAGE).status == 200
    assert "could not be answered" in caplog.text


# ---------------------------------------------------------------------------------------------- bandwidth


def test_throttle() -> None:
    throttle = Throttle(1000)
    assert throttle.take(5.0) == 0
    assert throttle.wait() == pytest.approx(0.02)
    assert throttle.take(5.0 + throttle.wait() + 1e-9) == 20
    assert throttle.take(5.03) == 0
    throttle.give_back(20)
    assert throttle.take(5.03) == 20
    assert sum(iter(lambda: throttle.take(60.0), 0)) == 100  # what piled up is bounded


def test_throttle_keeps_its_rate() -> None:
    throttle, now, sent = Throttle(123_457), 0.0, 0
    while now < 10:
        sent += throttle.take(now)
        now += 0.0007
    assert sent == pytest.approx(1_234_570, rel=0.01)


def test_the_rate_is_shared_by_all(serve, connect, tree: Path) -> None:
    (tree / "some.conda").write_bytes(b"x" * 100_000)
    lines = []
    server = serve(rate=1_000_000, log=lines.append)
    clients = [connect(server) for _ in range(4)]
    begun = time.monotonic()
    for client in clients:
        client.send(b"GET /some.conda HTTP/1.1\r\nHost: m\r\n\r\n")
    assert [client.reply().body for client in clients] == [b"x" * 100_000] * 4
    assert time.monotonic() - begun > 0.3
    assert min(line.seconds for line in lines) > 0.5 * max(line.seconds for line in lines)  # in turns


def test_a_client_that_leaves_during_its_turn(serve, connect, tree: Path) -> None:
    (tree / "some.conda").write_bytes(b"x" * 100_000)
    server = serve(rate=200_000)
    leaver = connect(server)
    leaver.send(b"GET /some.conda HTTP/1.1\r\nHost: m\r\n\r\n")
    leaver.stream.readline()
    leaver.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # leave with a reset
    leaver.close()
    assert connect(server).get("/conda-forge/noarch/repodata.json").status == 200


# ---------------------------------------------------------------------------------------------- the end


def test_closing_in_the_middle_of_a_transfer(tree: Path, connect, large: str) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    lines = []
    server = FileServer(tree, log=lines.append).start()
    client, idle = connect(server), connect(server)
    assert idle.get(PACKAGE).status == 200
    client.send(f"GET {large} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
    client.stream.readline()
    server.close()
    server.close()
    assert not file_server_threads()
    with contextlib.suppress(ConnectionResetError):
        assert len(client.rest()) < 64 << 20
    assert idle.rest() == b""
    client.close()
    idle.close()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert lines[-1].bytes < 64 << 20
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port))


def test_closing_what_was_never_started(tree: Path) -> None:
    FileServer(tree).close()


def test_the_port_is_free_again_at_once(tree: Path, connect) -> None:
    with FileServer(tree) as first:
        connect(first).get(PACKAGE)
    with FileServer(tree, port=first.port) as second:
        assert connect(second).get(PACKAGE).status == 200


def test_serve_forever_ends_with_close(tree: Path, connect) -> None:
    server = FileServer(tree)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    until(lambda: server.port)
    until(lambda: connect(server).get(PACKAGE).status == 200)
    server.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert not file_server_threads()


def test_closing_from_the_log(tree: Path, connect) -> None:
    server = FileServer(tree, log=lambda _: server.close())
    server.start()
    connect(server).get("/conda-forge/noarch/repodata.json")
    until(lambda: not file_server_threads())
