import shutil
import subprocess
from pathlib import Path

import pytest

from mirrortui import config
from mirrortui.errors import UsageError
from mirrortui.serve.webserver import apache, caddy, nginx

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CADDY = shutil.which("caddy")


def mirror(url: str = "http://mirror.lab", root: str = "/srv/conda") -> config.MirrorConfig:
    places = {"name": "lab-1.x", "root": root, "url": url, "state": "/var/lib/mirrortui/lab"}
    return config.from_dict({"version": 1, "mirror": places, "channels": []})


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://localhost:18765", "/srv/conda"),
        ("http://localhost:18765/a/conda", "/srv/the tree; of lab"),
        ("http://127.0.0.1:18765", "/srv/conda"),
    ],
)
def test_nginx_takes_it(tmp_path: Path, url: str, root: str) -> None:
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{nginx(mirror(url, root))} }}\n"
    )
    assert NGINX is not None
    done = subprocess.run(
        [NGINX, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(CADDY is None, reason="caddy is not installed")
@pytest.mark.parametrize("url", ["http://localhost:18765", "http://localhost:18765/conda"])
def test_caddy_takes_it(tmp_path: Path, url: str) -> None:
    (tmp_path / "Caddyfile").write_text(caddy(mirror(url)))
    assert CADDY is not None
    command = [CADDY, "validate", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("write", [nginx, caddy, apache])
def test_each_says_the_same(write) -> None:
    text = write(mirror("http://mirror.lab:8080/conda"))
    for word in ("mirror.lab", "8080", "/conda", "/srv/conda", "404", "application/zstd", "max-age=60"):
        assert word in text
    assert "public, immutable, max-age=31536000" in text


def test_the_path_of_the_url_is_mapped_to_the_root() -> None:
    assert 'root "/srv/conda";' in nginx(mirror())
    below = nginx(mirror("http://mirror.lab/conda/"))
    assert "location /conda/ {" in below
    assert 'alias "/srv/conda/";' in below
    assert "handle_path /conda/* {" in caddy(mirror("http://mirror.lab/conda"))
    assert 'Alias "/conda" "/srv/conda"' in apache(mirror("http://mirror.lab/conda"))


def test_https() -> None:
    text = nginx(mirror("https://mirror.lab"))
    assert "listen 443 ssl;" in text
    assert "ssl_certificate /etc/nginx/tls/mirror.lab.crt;" in text
    assert "https://mirror.lab {" in caddy(mirror("https://mirror.lab"))
    assert "SSLEngine on" in apache(mirror("https://mirror.lab"))


@pytest.mark.parametrize("write", [nginx, caddy, apache])
@pytest.mark.parametrize(
    ("url", "root", "what"),
    [
        ("file:///srv/conda", "/srv/conda", "no web server is needed"),
        ("http://a;return,403", "/srv/conda", "URL cannot stand"),
        ("http://mirror.lab/a;b", "/srv/conda", "URL cannot stand"),
        ("http://mirror.lab/$uri", "/srv/conda", "URL cannot stand"),
        ("http://user:pass@mirror.lab", "/srv/conda", "URL cannot stand"),
        ("http://mirror.lab", '/srv/"; include /etc/shadow; #', "path cannot stand"),
        ("http://mirror.lab", "/srv/$document_root", "path cannot stand"),
        ("http://mirror.lab", "/srv/{env.HOME}", "path cannot stand"),
    ],
)
def test_what_could_say_something_else_there_is_refused(write, url: str, root: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        write(mirror(url, root))
