"""Claims of a sign-in; whole ID tokens are in `test_signin`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.console.idtoken import Expected, check, read_acr, read_auth_time
from proctor.errors import AuthenticationError
from proctor.settings import IssuerSettings

NOW = 1_800_000_000.0
ISSUER = IssuerSettings(issuer="https://idp.example", audience="proctor", leeway=60.0)
EXPECTED = Expected(client_id="console", nonce="n" * 43, max_age=600.0, acr=())
GOOD: dict[str, Any] = {
    "aud": "console",
    "sub": "alice",
    "nonce": "n" * 43,
    "iat": NOW,
    "exp": NOW + 300,
    "auth_time": NOW - 5,
}


def test_a_good_one_passes() -> None:
    check(GOOD, ISSUER, EXPECTED, NOW)
    check({**GOOD, "aud": ["console"], "azp": "console", "typ": "ID"}, ISSUER, EXPECTED, NOW)


@pytest.mark.parametrize("name", ["aud", "sub", "nonce", "iat", "exp", "auth_time"])
@given(value=st.none() | st.booleans() | st.text(max_size=50) | st.lists(st.text(max_size=3)))
def test_no_claim_can_be_something_else(name: str, value: Any) -> None:
    claims = {key: kept for key, kept in {**GOOD, name: value}.items() if kept is not None}
    if name == "sub" and isinstance(value, str) and value.strip() and value.isprintable():
        return
    with pytest.raises(AuthenticationError):
        check(claims, ISSUER, EXPECTED, NOW)


@pytest.mark.parametrize("age", [-60, 0, 599])
def test_a_recent_sign_in(age: float) -> None:
    assert read_auth_time({"auth_time": NOW - age}, NOW, max_age=600, leeway=60) == NOW - age


@pytest.mark.parametrize("age", [600, 601, NOW])
def test_a_sign_in_ages(age: float) -> None:
    claims = {"auth_time": NOW - age}
    with pytest.raises(AuthenticationError) as caught:
        read_auth_time(claims, NOW, max_age=600, leeway=60)
    assert (caught.value.code, caught.value.retry) == ("signin-too-old", True)


def test_a_sign_in_of_the_future_is_none() -> None:
    with pytest.raises(AuthenticationError) as caught:
        read_auth_time({"auth_time": NOW + 61}, NOW, max_age=600, leeway=60)
    assert caught.value.code == "signin-claims"


def test_acr() -> None:
    read_acr({}, ())
    read_acr({"acr": "mfa"}, ("mfa",))
    for wrong in ({}, {"acr": "pwd"}, {"acr": ["mfa"]}, {"acr": "MFA"}):
        with pytest.raises(AuthenticationError) as caught:
            read_acr(wrong, ("mfa",))
        assert caught.value.code == "signin-acr"


def test_a_repr_shows_no_nonce() -> None:
    assert "nnn" not in repr(EXPECTED)
