"""Names of cookies, and the token that follows from one."""

import pytest
from starlette.requests import Request

from proctor.console.cookies import Cookies, csrf_token, is_csrf_token

COOKIE = "c" * 43


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://127.0.0.1:9090", "proctor-9090"),
        ("http://127.0.0.1", "proctor-80"),
        ("https://console.internal", "__Host-proctor-443"),
        ("https://console.internal:8443", "__Host-proctor-8443"),
    ],
)
def test_names(address: str, name: str) -> None:
    cookies = Cookies(address)
    assert (cookies.session, cookies.login) == (name, f"{name}-login")
    assert cookies.secure == address.startswith("https")


@pytest.mark.parametrize("value", ["", "short", "c" * 44, "c" * 42 + "!", "c" * 42 + "ü"])
def test_what_can_be_none_of_ours_is_none(value: str) -> None:
    cookies = Cookies("http://127.0.0.1:9090")
    raw = f"other=1; {cookies.session}={value}".encode("latin-1")
    request = Request({"type": "http", "headers": [(b"cookie", raw)]})
    assert cookies.read(request, cookies.session) is None
    raw = f"{cookies.session}={COOKIE}".encode()
    request = Request({"type": "http", "headers": [(b"cookie", raw)]})
    assert cookies.read(request, cookies.session) == COOKIE


def test_a_form_s_token_follows_from_the_cookie_and_tells_nothing_of_it() -> None:
    made = csrf_token(COOKIE)
    assert COOKIE not in made
    assert is_csrf_token(COOKIE, made)
    for wrong in ("", made[:-1], made.upper(), csrf_token("d" * 43), "\ud800"):
        assert not is_csrf_token(COOKIE, wrong)
