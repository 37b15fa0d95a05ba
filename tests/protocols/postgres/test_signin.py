"""How a client hands over its token."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import AuthenticationError, ClientError
from proctor.protocols.postgres.signin import OK, Bearer, Discovery, Password, Reject, Say, Token

WHERE = Discovery(
    configuration="https://idp.test/.well-known/openid-configuration", scope="proctor"
)
EXPIRED = AuthenticationError("token-expired", "The token has expired")


def initial(data: bytes | None, mechanism: bytes = b"OAUTHBEARER") -> bytes:
    size = 0xFFFFFFFF if data is None else len(data)
    return mechanism + b"\0" + size.to_bytes(4, "big") + (data or b"")


def response(auth: bytes, more: bytes = b"") -> bytes:
    return b"n,,\x01" + more + b"auth=" + auth + b"\x01\x01"


def test_ok() -> None:
    assert OK == b"R\0\0\0\x08\0\0\0\0"


def test_a_password_is_the_token() -> None:
    way = Password()
    assert way.begin() == b"R\0\0\0\x08\0\0\0\x03"
    assert way.take(b"a-token\0") == Token("a-token")
    assert way.reject(EXPIRED) == Reject(EXPIRED)


def test_a_token_shows_nowhere() -> None:
    assert "hidden" not in repr(Token("hidden"))


def test_no_password_is_no_token() -> None:
    step = Password().take(b"\0")
    assert isinstance(step, Reject)
    assert step.error.code == "token-missing"


@pytest.mark.parametrize("body", [b"", b"x", b"a\0b\0", b"a\0\0"])
def test_a_password_ends_where_its_message_does(body: bytes) -> None:
    with pytest.raises(ClientError, match="sign-in"):
        Password().take(body)


def test_bearer_is_offered_and_taken() -> None:
    way = Bearer(WHERE)
    assert way.begin() == b"R\0\0\0\x15\0\0\0\x0aOAUTHBEARER\0\0"
    assert way.take(initial(response(b"Bearer a-token"))) == Token("a-token")


@pytest.mark.parametrize(
    "data",
    [
        response(b"bearer a-token"),
        b"y,," + response(b"Bearer a-token")[3:],
        response(b"Bearer  a-token "),
        response(b"Bearer a-token", b"host=db\x01port=5432\x01"),
    ],
)
def test_bearer_may_be_said_in_several_ways(data: bytes) -> None:
    assert Bearer(WHERE).take(initial(data)) == Token("a-token")


def test_a_response_may_come_second() -> None:
    way = Bearer(WHERE)
    assert way.take(initial(None)) == Say(b"R\0\0\0\x08\0\0\0\x0b")
    assert way.take(response(b"Bearer a-token")) == Token("a-token")


def test_without_a_token_a_client_is_told_where_to_get_one() -> None:
    way = Bearer(WHERE)
    step = way.take(initial(response(b"")))
    assert isinstance(step, Say)
    assert step.data[:1] == b"R"
    assert step.data[5:9] == b"\0\0\0\x0b"
    assert json.loads(step.data[9:]) == {
        "status": "invalid_token",
        "openid-configuration": WHERE.configuration,
        "scope": "proctor",
    }
    last = way.take(b"\x01")
    assert isinstance(last, Reject)
    assert last.error.code == "token-missing"


def test_a_token_that_proves_nothing_is_answered_so_too() -> None:
    way = Bearer(WHERE)
    way.take(initial(response(b"Bearer a-token")))
    assert isinstance(way.reject(EXPIRED), Say)
    assert way.take(b"\x01") == Reject(EXPIRED)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OAUTHBEARER",
        b"OAUTHBEARER\0\0\0",
        initial(b"", b"SCRAM-SHA-256"),
        initial(b"")[:-1] + b"\x05",
        initial(None) + b"x",
        initial(b""),
        initial(b"\x01"),
        initial(b"p=tls-unique,,\x01auth=Bearer x\x01\x01"),
        initial(b"n,a=carol,\x01auth=Bearer x\x01\x01"),
        initial(b"n,,\x01\x01"),
        initial(b"n,,\x01auth=Bearer x\x01"),
        initial(b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01"),
        initial(response(b"Basic x")),
        initial(response(b"Bearer")),
    ],
)
def test_a_response_that_is_wrong_is_refused(body: bytes) -> None:
    with pytest.raises(ClientError, match="sign-in"):
        Bearer(WHERE).take(body)


def test_nothing_comes_after_the_token() -> None:
    way = Bearer(WHERE)
    way.take(initial(response(b"Bearer x")))
    with pytest.raises(ClientError):
        way.take(b"\x01")


def test_after_a_failure_only_the_end_comes() -> None:
    way = Bearer(WHERE)
    way.take(initial(response(b"")))
    with pytest.raises(ClientError):
        way.take(response(b"Bearer x"))


@given(st.binary(max_size=60))
def test_any_message_is_taken_or_refused(body: bytes) -> None:
    for way in (Password(), Bearer(WHERE)):
        for given_ in (body, initial(body), initial(response(body))):
            with contextlib.suppress(ClientError):
                way.take(given_)
