"""What looks like a secret is taken out."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.scrub import GONE, scrub

SECRET = "Zx9secretzx9SECRET77"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}==",
        f"proxy-authorization: {SECRET}",
        f"(b'authorization', b'Bearer {SECRET}')",
        f"Headers[(b'x-api-key', b'{SECRET}'), (b'a', b'b')]",
        f'{{"x-api-key": "{SECRET}"}}',
        f"X-Api-Key={SECRET}",
        f"access_token={SECRET}&x=1",
        f"client_secret: '{SECRET}'",
        f"password={SECRET}",
        f"Cookie: session={SECRET}",
        f"X-Goog-Authorization: {SECRET}",
        f"bearer {SECRET}",
        f"key sk-ant-api03-{SECRET}-x_y",
        f"ANTHROPIC_API_KEY={SECRET}",
        f"http://user:{SECRET}@proxy.corp:3128",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}",
    ],
)
def test_secrets_go(text: str) -> None:
    clean = scrub(text)
    assert SECRET not in clean
    assert GONE in clean


@pytest.mark.parametrize(
    "text", [JWT, f"token {JWT}!", f"'{JWT}'", JWT.rpartition(".")[0], f"Bearer {JWT}"]
)
def test_jwts_go(text: str) -> None:
    clean = scrub(text)
    assert "eyJ" not in clean
    assert "c2lnbmF0dXJl" not in clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The token has expired",
        "input_tokens: 5, output_tokens: 7",
        "the bearer of the news",
        "got an unknown audience, expected 'proctor'",
        "https://api.anthropic.com/v1/messages?beta=true",
        "session 5f1c8f0e-8d0f-4b7b-9f5e-0d9d2f1b7a11",
        "file:///srv/a@b",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert scrub(text) == text


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    assert isinstance(scrub(text), str)


@pytest.mark.parametrize(
    "piece",
    ["a", "-", " ", "sk-", "eyJ", "eyJ.", "token", "a-", "a:", "-----BEGIN PRIVATE KEY-----"],
)
def test_long_lines_stay_cheap(piece: str) -> None:
    text = (piece * 16_384)[:16_384]
    seconds = min(timeit.repeat(lambda: scrub(text), number=1, repeat=3))
    assert seconds < 0.5  # some 10 ms; the margin is for a busy machine
