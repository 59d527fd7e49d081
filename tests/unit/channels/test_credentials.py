"""Secrets from the environment: in their place of a URL, whatever signs they are made of, and in no message."""

import pytest

from mirrortui.channels.credentials import upstreams
from mirrortui.config import Channel
from mirrortui.errors import ConfigError, NameRefused
from mirrortui.naming import mask

ENV = {
    "USER": "bob",
    "PW": "p@ss/w:rd?#",
    "TOK": "tk-1/2",
    "HOST": "conda.test:8443",
    "BASE": "https://conda.test/root",
    "SPACE": "a b",
    "PATH": "pkgs/main",
    "BOTH": "bob:p@ss",
}


def filled(url: str) -> str:
    (out,) = upstreams(Channel(name="lab", upstreams=(url,), subdirs=("noarch",)), ENV)
    return out


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("https://${USER}:${PW}@conda.test/lab", "https://bob:p%40ss%2Fw%3Ard%3F%23@conda.test/lab"),
        ("https://${USER}:${PW}@conda.test", "https://bob:p%40ss%2Fw%3Ard%3F%23@conda.test"),
        ("https://conda.test/t/${TOK}/lab", "https://conda.test/t/tk-1%2F2/lab"),
        ("https://${HOST}/lab", "https://conda.test:8443/lab"),
        (
            "https://${USER}:${PW}@${HOST}/t/${TOK}/lab",
            "https://bob:p%40ss%2Fw%3Ard%3F%23@conda.test:8443/t/tk-1%2F2/lab",
        ),
        ("https://conda.test/${PATH}", "https://conda.test/pkgs/main"),
        ("https://${BOTH}@conda.test/lab", "https://bob:p%40ss@conda.test/lab"),
        ("/srv/${SPACE}/lab", "file:///srv/a%20b/lab"),
        ("${BASE}/lab", "https://conda.test/root/lab"),
        ("https://conda.test/lab", "https://conda.test/lab"),
    ],
)
def test_a_value_stays_in_its_place(url, full):
    assert filled(url) == full
    assert not any(secret in mask(full) for secret in ("p%40ss", "rd", "tk-1"))


def test_a_variable_that_is_not_set():
    with pytest.raises(ConfigError, match="NOBODY is not set"):
        filled("https://conda.test/t/${NOBODY}/lab")


@pytest.mark.parametrize("password", ["p@ss/w:rd", "se/cret", "se/cr@t"])
def test_a_password_that_ends_the_host_is_refused_and_not_told(password):
    with pytest.raises(NameRefused) as caught:
        filled(f"http://bob:{password}@conda.test/lab")
    assert not any(piece in str(caught.value) for piece in ("ss/", "w:rd", "cret", "cr@t", "bob"))
