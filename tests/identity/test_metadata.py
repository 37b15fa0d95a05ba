"""An issuer's own description."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import UpstreamError
from proctor.identity.metadata import addresses, discover, is_secure, parse_metadata
from tests.support.identity import ISSUER, MemoryIssuer, refused

LOCAL = "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("issuer", "appended", "inserted"),
    [
        (
            "https://a.example",
            "https://a.example/.well-known/openid-configuration",
            "https://a.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://a.example/",
            "https://a.example/.well-known/openid-configuration",
            "https://a.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://a.example:8443/realms/x",
            "https://a.example:8443/realms/x/.well-known/openid-configuration",
            "https://a.example:8443/.well-known/oauth-authorization-server/realms/x",
        ),
    ],
)
def test_where_it_is(issuer: str, appended: str, inserted: str) -> None:
    assert addresses(issuer) == (appended, inserted)


@pytest.mark.parametrize(
    ("url", "issuer", "secure"),
    [
        ("https://keys.example/k", ISSUER, True),
        ("http://keys.example/k", ISSUER, False),
        ("http://127.0.0.1/k", ISSUER, False),
        ("http://127.0.0.1:9000/k", LOCAL, True),
        ("http://[::1]:9000/k", LOCAL, True),
        ("http://localhost/k", LOCAL, True),
        ("http://keys.example/k", LOCAL, False),
        ("http://127.0.0.1.example/k", LOCAL, False),
        ("https://user:pass@keys.example/k", ISSUER, False),
        ("ftp://keys.example/k", ISSUER, False),
        ("file:///etc/passwd", LOCAL, False),
        ("https://", ISSUER, False),
        ("https://keys.example/\n", ISSUER, False),
        ("https://keys.example:99999999/", ISSUER, False),
        ("https://[::1/k", ISSUER, False),
        ("", ISSUER, False),
    ],
)
def test_what_may_be_asked(url: str, issuer: str, secure: bool) -> None:  # noqa: FBT001 - a table
    assert is_secure(url, issuer) == secure


def test_a_description_is_read() -> None:
    document = {"issuer": ISSUER, "jwks_uri": "https://k.example/", "else": [1]}
    found = parse_metadata(json.dumps(document).encode(), ISSUER)
    assert (found.jwks_uri, found.introspection_endpoint) == ("https://k.example/", None)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"issuer": f"{ISSUER}/"},
        {"issuer": ISSUER.upper()},
        {"issuer": "https://login.example/{tenantid}/v2.0"},
        {"issuer": [ISSUER]},
        {"issuer": ISSUER, "jwks_uri": "http://idp.example/keys"},
        {"issuer": ISSUER, "jwks_uri": "http://127.0.0.1/keys"},
        {"issuer": ISSUER, "jwks_uri": 7},
        {"issuer": ISSUER, "introspection_endpoint": "http://idp.example/i"},
        [],
    ],
)
def test_a_description_that_is_anothers_or_unsafe_is_refused(document: object) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_metadata(json.dumps(document).encode(), ISSUER)
    assert (caught.value.code, caught.value.status) == ("issuer-invalid", 503)


def test_the_second_address_is_asked_where_the_first_is_not_served() -> None:
    idp = MemoryIssuer()
    first, second = addresses(ISSUER)
    idp.say(first, {}, status=404)
    idp.say(second, {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})
    found = asyncio.run(discover(idp.fetch, ISSUER, None))
    assert found.jwks_uri == f"{ISSUER}/keys"
    assert idp.asked == [first, second]


@pytest.mark.parametrize("status", [301, 302, 500, 503])
def test_other_answers_are_no_description(status: int) -> None:
    idp = MemoryIssuer()
    idp.say(addresses(ISSUER)[0], {"issuer": ISSUER}, status=status)
    error = refused("issuer-unreachable", discover(idp.fetch, ISSUER, None))
    assert str(status) in error.got
    assert len(idp.asked) == 1


def test_no_answer_is_no_description() -> None:
    idp = MemoryIssuer()
    idp.down = True
    refused("issuer-unreachable", discover(idp.fetch, ISSUER, None))


@given(
    st.binary()
    | st.text().map(lambda text: json.dumps({"issuer": ISSUER, "jwks_uri": text}).encode())
)
def test_any_document_is_read_or_refused(raw: bytes) -> None:
    try:
        found = parse_metadata(raw, ISSUER)
    except UpstreamError:
        return
    assert found.jwks_uri is None or found.jwks_uri.startswith("https://")
