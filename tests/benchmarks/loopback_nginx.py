"""nginx on loopback, with a configuration, a certificate and logs of its own in a temporary folder.

HTTP, HTTPS (HTTP/2 for those who ask for it, a self-signed certificate), and, where nginx has the echo module
(Debian: libnginx-mod-http-echo), HTTP with a delay before each answer.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DELAY = 0.03

_CONFIG = """
{load}
daemon off; worker_processes {workers}; pid {here}/nginx.pid; error_log {here}/error.log warn; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_timeout 65; keepalive_requests 100000;
  default_type application/octet-stream;
  client_body_temp_path {here}/t1; proxy_temp_path {here}/t2; fastcgi_temp_path {here}/t3;
  uwsgi_temp_path {here}/t4; scgi_temp_path {here}/t5;
  http2_max_concurrent_streams 256; http2_chunk_size 64k;
  server {{ listen 127.0.0.1:{http}; root {root}; }}
  server {{ listen 127.0.0.1:{https} ssl http2; root {root};
    ssl_certificate {here}/cert.pem; ssl_certificate_key {here}/key.pem; }}
  {delayed}
}}
"""
_DELAYED = """server {{ listen 127.0.0.1:{delayed}; root {root};
    location / {{ echo_sleep {seconds}; echo_exec @file; }}
    location @file {{ root {root}; }} }}"""


@dataclass(frozen=True)
class Addresses:
    """Base URLs of the served folder; `delayed` is empty where nginx cannot wait. `ca` is the certificate to trust."""

    http: str
    https: str
    delayed: str
    ca: Path


@contextlib.contextmanager
def serving(root: Path, *, workers: int = 2) -> Iterator[Addresses]:
    """Serve a folder until the end of the block. Raises `FileNotFoundError` without nginx or openssl."""
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as name:
        here = Path(name)
        _certificate(here)
        module = _echo_module()
        http, https, delayed = _free_ports(3)
        values = {"here": here, "root": root.resolve(), "http": http, "https": https}
        late = _DELAYED.format(delayed=delayed, root=root.resolve(), seconds=DELAY) if module else ""
        load, user = f"load_module {module};" if module else "", "user root;" if os.geteuid() == 0 else ""
        (here / "nginx.conf").write_text(_CONFIG.format(load=load, user=user, workers=workers, delayed=late, **values))
        process = subprocess.Popen([_nginx(), "-p", name, "-c", str(here / "nginx.conf")])
        try:
            _wait(http, process)
            base = "http://127.0.0.1:"
            yield Addresses(
                f"{base}{http}", f"https://localhost:{https}", f"{base}{delayed}" if module else "", here / "cert.pem"
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def _nginx() -> str:
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    found = shutil.which("nginx", path=path)
    if found is None:
        raise FileNotFoundError("nginx is not installed")
    return found


def _certificate(here: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    extras = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE")
    target = ("-keyout", str(here / "key.pem"), "-out", str(here / "cert.pem"))
    subprocess.run([*command.split(), *extras, *target], check=True, capture_output=True)


def _echo_module() -> str:
    """Path of the module that can wait; empty without it."""
    told = subprocess.run([_nginx(), "-V"], capture_output=True, text=True, check=True).stderr
    folder = next((word.partition("=")[2] for word in told.split() if word.startswith("--modules-path=")), "")
    module = Path(folder) / "ngx_http_echo_module.so"
    return str(module) if module.exists() else ""


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in held]


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 15
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.3):
            return
        time.sleep(0.02)
    raise RuntimeError("nginx does not answer")
