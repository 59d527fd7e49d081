"""TLS, certificate bundles and proxies, with both engines."""

import contextlib
import shutil
import ssl
import subprocess

import httpx
import pytest

from mirrortui.errors import ConfigError
from mirrortui.transfer.transport import open_client, open_transport
from tests.unit.transfer.loopback import ENGINES, OK, Server, failure, raw, run, use_engine


@pytest.fixture(params=ENGINES, autouse=True)
def engine(request, monkeypatch):
    return use_engine(request, monkeypatch)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority made on the spot, and a server context for `localhost`."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command makes the certificates")
    folder = tmp_path_factory.mktemp("tls")
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout"
    (folder / "ext").write_text("subjectAltName=DNS:localhost\n")
    for command in (
        f"{new} ca.key -x509 -out ca.pem -days 2 -subj /CN=lab",
        f"{new} site.key -out site.csr -subj /CN=localhost",
        "openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out site.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "site.pem", folder / "site.key")
    return folder / "ca.pem", context


async def body_of(client, server):
    return await raw(client, server.url)


def test_a_certificate_of_the_lab_needs_its_bundle(authority, monkeypatch):
    bundle, context = authority
    assert run(OK, body_of, context=context, ca_bundle=str(bundle)) == b"ok"
    assert ": TLS: " in failure(OK, httpx.ConnectError, context=context)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert run(OK, body_of, context=context) == b"ok"


def test_a_wrong_name_and_no_tls_at_all_are_tls_errors(authority):
    bundle, context = authority

    async def use(client, server):
        texts = []
        async with Server(OK) as plain:
            for port in (server.port, plain.port):
                with pytest.raises(httpx.ConnectError) as caught:
                    await raw(client, f"https://127.0.0.1:{port}")
                texts.append(str(caught.value))
                plain.over.set()
        return texts

    assert all(": TLS: " in text for text in run(OK, use, context=context, ca_bundle=str(bundle)))


def test_a_bundle_without_certificates_is_refused(tmp_path):
    (tmp_path / "empty.pem").write_text("no certificate")
    (tmp_path / "blank.pem").write_text("")
    for name in ("empty.pem", "blank.pem", "absent.pem"):
        with pytest.raises(ConfigError) as caught:
            open_transport(connections=1, ca_bundle=str(tmp_path / name))
        assert "ca_bundle" in caught.value.where


# ---------------------------------------------------------------------------------------------- proxy


def proxied(monkeypatch, variables, url="http://upstream.invalid/x", **options):
    """Whether a GET went through the proxy, given environment variables (PROXY stands for its URL)."""

    async def use(_, server):
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("PROXY", server.url))
        if "proxy" in options:
            options["proxy"] = server.url.replace("//", "//user:pass@")
        async with open_client(connections=1, **options) as client:
            with contextlib.suppress(httpx.TransportError):
                await raw(client, url)
        return server.requests

    return run(OK, use, close=True)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_proxies_of_the_environment_are_used(monkeypatch, name):
    assert proxied(monkeypatch, {name: "PROXY"})[0].startswith("GET http://upstream.invalid/x HTTP/1.1")


@pytest.mark.parametrize("spared", ["upstream.invalid", ".invalid", "x.org,upstream.invalid", "*"])
def test_no_proxy_is_honoured(monkeypatch, spared):
    for name in ("NO_PROXY", "no_proxy"):
        assert proxied(monkeypatch, {"HTTP_PROXY": "PROXY", name: spared}) == []
        monkeypatch.delenv(name)


def test_https_has_its_own_proxy(monkeypatch):
    requests = proxied(monkeypatch, {"HTTPS_PROXY": "PROXY"}, "https://upstream.invalid/x")
    assert requests[0].startswith("CONNECT upstream.invalid:443 HTTP/1.1")
    assert proxied(monkeypatch, {"HTTPS_PROXY": "PROXY"}) == []


def test_a_proxy_given_is_used_for_every_host(monkeypatch):
    request = proxied(monkeypatch, {"NO_PROXY": "upstream.invalid", "HTTP_PROXY": "http://127.0.0.1:1"}, proxy="given")[
        0
    ]
    assert request.startswith("GET http://upstream.invalid/x HTTP/1.1")
    assert "proxy-authorization: basic dxnlcjpwyxnz" in request.lower()


@pytest.mark.parametrize("proxy", ["proxy.lab:3128", "ftp://proxy.lab", "http://", "nonsense", "http://[x"])
def test_a_proxy_that_is_no_url_is_refused(proxy):
    with pytest.raises(ConfigError, match="proxy"):
        open_transport(connections=1, proxy=proxy)
