"""What is put into a request."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from proctor.credentials.injection import (
    Injection,
    Nothing,
    PutHeader,
    PutQuery,
    PutSignature,
    basic,
    bearer,
)
from proctor.credentials.sigv4 import Keys, Scope
from proctor.errors import InternalError

SECRET = "Zx9/+&= %"
SIGNS = PutSignature(
    keys=Keys(access_key="AKID", secret_key=SECRET),
    scope=Scope(region="eu-central-1", service="s3"),
    clock=lambda: 1440938160.0,
)


def request(path: str = "/", **headers: str) -> http.Request:
    made = http.Request.make("POST", "https://h.example.com/", b"body")
    made.data.path = path.encode()
    made.headers["host"] = "h.example.com"
    for name, value in headers.items():
        made.headers.add(name, value)
    return made


def fields(made: http.Request) -> list[tuple[bytes, bytes]]:
    return [
        item for item in made.headers.fields if item[0].lower() not in {b"host", b"content-length"}
    ]


def test_headers_replace_what_the_client_brought() -> None:
    made = request()
    made.headers.fields = (
        *made.headers.fields,
        (b"X-API-Key", b"theirs"),
        (b"x_api_key", b"theirs"),
        (b"X-Api-Keys", b"kept"),
    )
    PutHeader("x-api-key", SECRET).apply(made)
    assert fields(made) == [(b"X-Api-Keys", b"kept"), (b"x-api-key", SECRET.encode())]


def test_basic_and_bearer() -> None:
    made = request(authorization="Basic theirs")
    basic("Aladdin", "open sesame").apply(made)  # RFC 7617, 2
    assert fields(made) == [(b"authorization", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")]
    bearer("t").apply(made)
    assert fields(made) == [(b"authorization", b"Bearer t")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a", "/a?key=Zx9%2F%2B%26%3D%20%25"),
        ("/a?", "/a?key=Zx9%2F%2B%26%3D%20%25"),
        ("/a?b=%20c&d", "/a?b=%20c&d&key=Zx9%2F%2B%26%3D%20%25"),
        ("/a?key=theirs&b=c", "/a?b=c&key=Zx9%2F%2B%26%3D%20%25"),
        ("/a?b=c;key=theirs;d", "/a?b=c;d&key=Zx9%2F%2B%26%3D%20%25"),
        ("/a?%6bey=1&KEY=2&key&+key=3&keys=4", "/a?keys=4&key=Zx9%2F%2B%26%3D%20%25"),
    ],
)
def test_queries(path: str, expected: str) -> None:
    made = request(path)
    PutQuery("key", SECRET).apply(made)
    assert made.path == expected


@given(st.text("kKeEyY%6bB=&;+a?#", max_size=40))
def test_any_query_names_the_credential_once(query: str) -> None:
    made = request(f"/p?{query}")
    PutQuery("key", SECRET).apply(made)
    found = parse_qsl(made.path.partition("?")[2], keep_blank_values=True)
    assert [value for name, value in found if name.strip().lower() == "key"] == [SECRET]
    others = [
        pair for pair in parse_qsl(query, keep_blank_values=True) if "key" not in pair[0].lower()
    ]
    if ";" not in query:
        assert [pair for pair in found if "key" not in pair[0].lower()] == others


def test_signatures_cover_the_request_as_it_stands() -> None:
    first, second = request("/k?a=b+c"), request("/k?a=b+c")
    second.content = b"other"
    for made in (first, second):
        SIGNS.apply(made)
    assert first.path == "/k?a=b%20c"
    assert first.headers["authorization"] != second.headers["authorization"]
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date" in first.headers["authorization"]


def test_signatures_cover_the_name_that_is_asked() -> None:
    old, new, other = request(), request(), request()
    old.headers["host"] = new.authority = "a.example.com"
    del new.headers["host"]
    for made in (old, new, other):
        SIGNS.apply(made)
    assert old.headers["authorization"] == new.headers["authorization"]
    assert old.headers["authorization"] != other.headers["authorization"]


def test_a_body_that_is_not_at_hand_cannot_be_signed() -> None:
    made = request()
    made.data.content = None
    with pytest.raises(InternalError) as caught:
        SIGNS.apply(made)
    assert caught.value.code == "credential-needs-body"


def test_nothing() -> None:
    made = request("/a?b", x="y")
    before = made.get_state()
    Nothing().apply(made)
    assert made.get_state() == before


@pytest.mark.parametrize(
    "injection", [PutHeader("a", "Zx9"), PutQuery("a", "Zx9"), SIGNS, bearer("Zx9")]
)
def test_no_repr_shows_a_secret(injection: Injection) -> None:
    assert "Zx9" not in repr(injection)
    assert "AKID" not in repr(injection)
