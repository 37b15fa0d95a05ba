"""From the first byte to the token, at any chunking."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError, InternalError
from proctor.protocols.postgres.entrance import Entrance, Event, StartTls, Terms
from proctor.protocols.postgres.messages import message
from proctor.protocols.postgres.signin import Bearer, Discovery, Password, Say, Token
from proctor.protocols.postgres.startup import SSL_REQUEST, CancelRequest, write_cancel

GSS_REQUEST = struct.pack("!II", 8, 1234 << 16 | 5680)
PLAIN = Terms(tls=False, plaintext=True)
SECURE = Terms(tls=True, plaintext=False)
ASK = Password().begin()


def start(minor: int = 0, **parameters: str) -> bytes:
    pairs = {"user": "bob"} | parameters
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in pairs.items()) + b"\0"
    return struct.pack("!II", len(body) + 8, 3 << 16 | minor) + body


def password(text: bytes) -> bytes:
    return message(ord("p"), text + b"\0")


def entrance(terms: Terms = PLAIN) -> Entrance:
    return Entrance(terms, lambda: None)


def events(one: Entrance, *chunks: bytes) -> list[Event]:
    return [event for chunk in chunks for event in one.feed(chunk)]


def test_a_client_in_the_clear_where_it_may() -> None:
    one = entrance()
    assert events(one, GSS_REQUEST, SSL_REQUEST) == [Say(b"N"), Say(b"N")]
    assert events(one, start(database="orders")) == [Say(ASK)]
    assert one.talking
    assert one.wanted is not None
    assert (one.wanted.user, one.wanted.database) == ("bob", "orders")
    assert events(one, password(b"a-token") + b"Q...") == [Token("a-token")]
    assert one.rest() == b"Q..."


def test_all_in_one_breath() -> None:
    assert events(entrance(), start() + password(b"t")) == [Say(ASK), Token("t")]


def test_tls_is_begun_where_there_is_a_certificate() -> None:
    one = entrance(SECURE)
    assert events(one, SSL_REQUEST) == [Say(b"S"), StartTls()]
    one.secured(None)
    assert events(one, start(), password(b"t")) == [Say(ASK), Token("t")]


def test_tls_from_the_first_byte_needs_alpn() -> None:
    one = entrance(SECURE)
    assert events(one, b"\x16\x03\x01") == [StartTls(b"\x16\x03\x01")]
    one.secured("postgresql")
    assert events(one, start()) == [Say(ASK)]
    for protocol in (None, "http/1.1"):
        one = entrance(SECURE)
        events(one, b"\x16\x03\x01")
        with pytest.raises(ClientError, match="needs ALPN"):
            one.secured(protocol)


def test_tls_from_the_first_byte_needs_a_certificate() -> None:
    with pytest.raises(ClientError, match="no beginning"):
        events(entrance(PLAIN), b"\x16\x03\x01\x02\x00\x01\x00\x01")


def test_a_start_in_the_clear_is_refused_where_it_may_not() -> None:
    with pytest.raises(ClientError) as raised:
        events(entrance(SECURE), start())
    assert raised.value.code == "pg-tls-required"
    assert "sslmode" in raised.value.hint


def test_a_cancel_passes_in_the_clear() -> None:
    """Clients before PostgreSQL 17 send it so whatever the listener says."""
    found = events(entrance(SECURE), write_cancel(7, b"1234"))
    assert found == [CancelRequest(pid=7, secret=b"1234")]


def test_a_listener_may_lead_to_one_database() -> None:
    terms = Terms(tls=False, plaintext=True, database="orders")
    for first in (start(), start(database="orders")):
        assert events(entrance(terms), first) == [Say(ASK)]
    with pytest.raises(ClientError) as raised:
        events(entrance(terms), start(database="postgres"))
    assert raised.value.code == "pg-database"


def test_who_cannot_be_taken_is_told_before_it_is_asked() -> None:
    def check() -> None:
        raise InternalError("pg-cannot-connect", "later")

    one = Entrance(PLAIN, check)
    with pytest.raises(InternalError, match="later"):
        events(one, start())
    assert one.talking


def test_a_newer_client_is_told_what_is_spoken() -> None:
    one = entrance()
    (said,) = events(one, start(9999))
    assert isinstance(said, Say)
    assert said.data.startswith(b"v\0\0\0\x0c\0\x03\0\x02\0\0\0\0")
    assert said.data.endswith(ASK)
    assert one.minor == 2


def test_bearer_where_it_is_asked_for() -> None:
    where = Discovery(configuration="https://idp.test/.well-known/openid-configuration")
    one = entrance(Terms(tls=False, plaintext=True, discovery=where))
    assert events(one, start()) == [Say(Bearer(where).begin())]


@pytest.mark.parametrize("raw", [b"Q\0\0\0\x05\0", b"p\0\x01\0\x01", b"p\0\0\0\0"])
def test_only_a_token_comes_after_the_start(raw: bytes) -> None:
    one = entrance()
    events(one, start())
    with pytest.raises(ClientError):
        events(one, raw)


def test_every_cut_reads_the_same() -> None:
    whole = start(2, application_name="psql") + password(b"a-token")
    expected = events(entrance(), whole)
    for cut in range(len(whole) + 1):
        assert events(entrance(), whole[:cut], whole[cut:]) == expected


@given(st.binary(max_size=80), st.sampled_from([PLAIN, SECURE]))
def test_bytes_are_understood_or_refused(raw: bytes, terms: Terms) -> None:
    for prefix in (b"", start(), struct.pack("!I", len(raw) + 4)):
        with contextlib.suppress(ClientError):
            events(entrance(terms), prefix + raw)
