"""Web servers that are made for production, run on the text this project generates for them."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from mirrortui import config as settings
from mirrortui.serve import webserver
from tests.process.waiting import until

_PLACES = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"


class Asked(NamedTuple):
    """One line of nginx's access log."""

    method: str
    path: str
    status: int
    bytes: int


class WebServer:
    """One server on a free port, with the generated text for a root as it is: `url` says where, `log` what was asked."""

    def __init__(self, kind: str, program: str, folder: Path, root: Path, path: str = "") -> None:
        self.program, self.folder = program, folder
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        self.port, self.url = port, f"http://localhost:{port}{path}"
        places = {"name": "lab", "root": str(root), "url": self.url, "state": str(folder / "state")}
        config = settings.from_dict({"version": 1, "mirror": places, "channels": []})
        self.command = _COMMANDS[kind](self, config)
        self._process: subprocess.Popen[bytes] | None = None

    def log(self) -> list[Asked]:
        """What nginx was asked so far."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [Asked(method, path, int(status), int(size)) for method, path, status, size in map(str.split, lines)]

    def __enter__(self) -> Self:
        words = (self.folder / "words").open("wb")
        with words:
            self._process = subprocess.Popen(
                self.command,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **_libraries(self.program)},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
            )
        until(self._answers)
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "words").read_text()
        with contextlib.suppress(OSError):
            socket.create_connection(("localhost", self.port), 1).close()
            return True
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)


def find(kind: str) -> str | None:
    """The program of a web server, if it is installed."""
    names = {"nginx": ("nginx",), "caddy": ("caddy",), "apache": ("apache2", "httpd")}[kind]
    return next((found for name in names if (found := shutil.which(name, path=_PLACES))), None)


def _nginx(server: WebServer, config: settings.MirrorConfig) -> list[str]:
    folder, text = server.folder, webserver.nginx(config)
    if not socket.has_dualstack_ipv6():
        text = "\n".join(line for line in text.splitlines() if "listen [::]" not in line)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ log_format lines '$request_method $request_uri $status $body_bytes_sent';\n"
        f"access_log {folder}/access.log lines;\n{temporary}\n{text}\n}}\n"
    )
    (folder / "access.log").touch()
    return [server.program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def _caddy(server: WebServer, config: settings.MirrorConfig) -> list[str]:
    (server.folder / "Caddyfile").write_text("{\n    admin off\n}\n" + webserver.caddy(config))
    return [server.program, "run", "--config", str(server.folder / "Caddyfile"), "--adapter", "caddyfile"]


def _apache(server: WebServer, config: settings.MirrorConfig) -> list[str]:
    folder, modules = server.folder, _modules(server.program)
    names = ("mpm_event", "unixd", "authz_core", "alias", "dir", "env", "headers", "mime", "rewrite")
    loads = "".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in names if (modules / f"mod_{name}.so").exists()
    )
    account = f"User {pwd.getpwnam('nobody').pw_name}\n" if os.geteuid() == 0 else ""
    (folder / "mime.types").write_text("application/json json\n")
    (folder / "apache.conf").write_text(
        f"ServerRoot {folder}\nPidFile {folder}/pid\nErrorLog {folder}/error.log\nServerName localhost\n{loads}{account}"
        f"TypesConfig {folder}/mime.types\nMutex file:{folder}\n{webserver.apache(config)}"
    )
    return [server.program, "-X", "-f", str(folder / "apache.conf")]


def _modules(program: str) -> Path:
    """Where Apache's modules lie: below the same prefix as the program."""
    prefix = Path(program).resolve().parents[1]
    for place in ("lib/apache2/modules", "lib64/httpd/modules", "modules"):
        if (prefix / place).is_dir():
            return prefix / place
    return prefix


def _libraries(program: str) -> dict[str, str]:
    found = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": found} if found else {}


_COMMANDS: dict[str, Callable[[WebServer, settings.MirrorConfig], list[str]]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "apache": _apache,
}
