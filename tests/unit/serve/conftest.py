"""A small served tree, a server on it, and a client that sends exactly the bytes it is told."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mirrortui.serve.server import FileServer

OLD = 1_700_000_000  # mtime of the tree's files
SHARD = "ab" * 32 + ".msgpack.zst"
BODY = bytes(range(256)) * 160  # 40,960 bytes: more than what is answered in one write


class Reply(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes


class Client:
    """A raw connection; `get` reads one reply, `rest` everything until the end."""

    def __init__(self, server: FileServer) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), 10)
        self.stream = self.sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self, *, body: bool = True) -> Reply:
        line = self.stream.readline()
        if not line:
            raise EOFError
        fields = {}
        while (field := self.stream.readline()) not in (b"\r\n", b""):
            name, _, value = field.decode().partition(":")
            fields[name.lower()] = value.strip()
        size = int(fields.get("content-length", 0)) if body else 0
        return Reply(int(line.split()[1]), fields, self.stream.read(size) if size else b"")

    def get(self, target: str, *fields: str, method: str = "GET") -> Reply:
        lines = [f"{method} {target} HTTP/1.1", "Host: mirror", *fields, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))
        return self.reply(body=method != "HEAD")

    def rest(self) -> bytes:
        return self.stream.read()

    def close(self) -> None:
        self.stream.close()
        self.sock.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    noarch = root / "conda-forge" / "noarch"
    (noarch / "shards").mkdir(parents=True)
    (root / "pkgs" / "main" / "noarch").mkdir(parents=True)
    files = {
        noarch / "repodata.json": b"{}" * 20,
        noarch / "repodata.json.zst": b"zstd",
        noarch / "shards" / SHARD: b"shard",
        noarch / "aurora-1.0-h0_0.conda": BODY,
        noarch / "aurora-1.0-h0_0.tar.bz2": b"bzip",
        noarch / "epoch-1!2.0+b-0.conda": b"epoch",
        noarch / "empty-1-0.conda": b"",
        root / "pkgs" / "main" / "noarch" / "repodata.json": b"{}",
    }
    for path, data in files.items():
        path.write_bytes(data)
        os.utime(path, (OLD, OLD))
    return root


@pytest.fixture
def serve(tree: Path) -> Iterator[Callable[..., FileServer]]:
    """Start a server on the tree with the given options."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(FileServer(tree, **options))


@pytest.fixture
def connect() -> Iterator[Callable[[FileServer], Client]]:
    with contextlib.ExitStack() as stack:

        def make(server: FileServer) -> Client:
            client = Client(server)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def client(serve: Callable[..., FileServer], connect: Callable[[FileServer], Client]) -> Client:
    return connect(serve())
