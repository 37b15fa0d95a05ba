"""Tokens as bytes, and strict JSON."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import AuthenticationError
from proctor.identity.jose import (
    MAX_TOKEN,
    base64url,
    check_size,
    is_jws,
    load_object,
    parse_jws,
    strict_object,
    to_base64url,
)
from tests.support.identity import MemoryIssuer

TOKEN = MemoryIssuer().token()
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")


def encoded(header: object) -> str:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"{to_base64url(raw)}.{PAYLOAD}.{SIGNATURE}"


def test_a_token_is_taken_apart() -> None:
    jws = parse_jws(TOKEN)
    assert jws.algorithm == "ES256"
    assert jws.header["typ"] == "at+jwt"
    assert json.loads(jws.payload)["sub"] == "alice"
    assert jws.signing_input == f"{HEADER}.{PAYLOAD}".encode()
    assert SIGNATURE not in repr(jws)
    assert "alice" not in repr(jws)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "token-malformed"),
        ("abc", "token-malformed"),
        (f"{HEADER}.{PAYLOAD}", "token-malformed"),
        (f"{TOKEN}.x", "token-malformed"),
        (f"{TOKEN}.x.y", "token-malformed"),
        (f"{TOKEN}=", "token-malformed"),
        (f"{TOKEN}==", "token-malformed"),
        (f"{HEADER}==.{PAYLOAD}.{SIGNATURE}", "token-malformed"),
        (f"{TOKEN}\n", "token-malformed"),
        (f" {TOKEN}", "token-malformed"),
        (f"{TOKEN}é", "token-malformed"),
        (f"{TOKEN}\udcff", "token-malformed"),
        (f"{HEADER}+.{PAYLOAD}.{SIGNATURE}", "token-malformed"),
        ("..", "token-malformed"),
        (encoded([]), "token-malformed"),
        (encoded(b"{"), "token-malformed"),
        (encoded(b"[" * 8000), "token-malformed"),
        (encoded(b"\xff"), "token-malformed"),
        (encoded('{"alg":"ES256"}'.encode("utf-16")), "token-malformed"),
        (encoded(b'\xef\xbb\xbf{"alg":"ES256"}'), "token-malformed"),
        (encoded(b'{"alg":"none","alg":"ES256"}'), "token-malformed"),
        (encoded(b'{"alg":"ES256","x":{"a":1,"a":2}}'), "token-malformed"),
        (encoded(b'{"alg":"ES256","x":NaN}'), "token-malformed"),
        (encoded(b'{"alg":"ES256","x":' + b"9" * 5000 + b"}"), "token-malformed"),
        (encoded({"alg": "ES256", "kid": 7}), "token-malformed"),
        (encoded({"alg": "ES256", "kid": "k" * 600}), "token-malformed"),
        (encoded({}), "token-algorithm"),
        (encoded({"alg": None}), "token-algorithm"),
        (encoded({"alg": ["ES256"]}), "token-algorithm"),
        (encoded({"alg": "ES256", "crit": ["exp"], "exp": 1}), "token-critical"),
        (encoded({"alg": "ES256", "crit": []}), "token-critical"),
        (encoded({"alg": "ES256", "b64": False}), "token-critical"),
        (encoded({"alg": "ES256", "crit": ["b64"], "b64": False}), "token-critical"),
        ("a" * (MAX_TOKEN + 1), "token-too-large"),
    ],
)
def test_what_is_not_exactly_a_token_is_refused(token: str, code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        parse_jws(token)
    assert caught.value.code == code
    for part in (HEADER, PAYLOAD, SIGNATURE):
        assert part not in str(caught.value)


def test_signatures_have_one_spelling() -> None:
    # 64 bytes leave four bits of the last letter unused; PyJWT and others ignore some of them.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for letter in alphabet:
        other = TOKEN[:-1] + letter
        if other == TOKEN:
            continue
        with contextlib.suppress(AuthenticationError):
            assert parse_jws(other).signature != parse_jws(TOKEN).signature


def test_a_payload_at_jws_level_may_be_empty() -> None:
    assert parse_jws(f"{HEADER}..{SIGNATURE}").payload == b""


def test_cut_anywhere_it_is_refused_or_another_token() -> None:
    for end in range(len(TOKEN)):
        try:
            assert parse_jws(TOKEN[:end]).signature != parse_jws(TOKEN).signature
        except AuthenticationError as error:
            assert error.code == "token-malformed"  # noqa: PT017 - most, not all, are refused


@given(st.text() | st.text("abcAB_-=.{}").map(lambda text: f"{HEADER}.{text}.{SIGNATURE}"))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        check_size(text)
        parse_jws(text)
    except AuthenticationError:
        pass


@given(st.binary())
def test_base64url_comes_back(raw: bytes) -> None:
    assert base64url(to_base64url(raw)) == raw


@pytest.mark.parametrize("text", ["A", "AB==", "A B", "A/", "A+", "AB", "é", None, 7, b"AA"])
def test_base64url_is_strict(text: object) -> None:
    with pytest.raises(ValueError, match="base64url"):
        base64url(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), json_values))
def test_objects_are_read_as_json_reads_them(value: dict[str, Any]) -> None:
    assert strict_object(json.dumps(value).encode()) == value


@given(st.binary() | st.text('{}[]":,aE0.-').map(str.encode))
def test_any_bytes_are_an_object_or_a_refusal(raw: bytes) -> None:
    try:
        assert isinstance(load_object(raw, "payload"), dict)
    except AuthenticationError as error:
        assert error.code == "token-malformed"  # noqa: PT017 - some are objects


def test_shape_tells_signed_from_opaque() -> None:
    assert is_jws(TOKEN)
    assert not is_jws("opaque")
    assert not is_jws("a.b.c.d.e")
