"""Where a server can be bound, and what is said where it cannot."""

import socket
from pathlib import Path

import httpx
import pytest

from mirrortui.errors import TargetError
from mirrortui.serve.server import FileServer


def test_the_port_is_in_use(serve, tree: Path) -> None:
    taken = serve().port
    with pytest.raises(TargetError, match="in use by another program") as caught:
        FileServer(tree, port=taken).start()
    assert f"127.0.0.1:{taken}" in str(caught.value)
    assert "ss -ltnp" in caught.value.hint


@pytest.mark.parametrize(
    ("host", "port", "what"),
    [("192.0.2.1", 0, "no such address"), ("no such host", 0, "not known"), ("127.0.0.1", 70000, "no port 70000")],
)
def test_hosts_and_ports_that_cannot_be(tree: Path, host: str, port: int, what: str) -> None:
    with pytest.raises(TargetError, match=what):
        FileServer(tree, host, port).start()


def test_no_folder(tree: Path) -> None:
    with pytest.raises(TargetError, match="no such folder"):
        FileServer(tree / "nothing").start()


def test_urls(tree: Path) -> None:
    assert FileServer(tree, "0.0.0.0", 81).url == "http://127.0.0.1:81"
    assert FileServer(tree, "mirror.lab", 8080).url == "http://mirror.lab:8080"
    assert FileServer(tree, "::1", 81).url == "http://[::1]:81"


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python knows no IPv6")
def test_ipv6(tree: Path) -> None:
    try:
        server = FileServer(tree, "::1").start()
    except TargetError:
        pytest.skip("this machine has no IPv6 loopback address")
    with server:
        assert httpx.get(f"{server.url}/conda-forge/noarch/repodata.json").status_code == 200
