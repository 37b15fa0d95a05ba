"""The token of a request, out of two headers."""

import contextlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import AuthenticationError
from proctor.identity.bearer import bearer_token, proxy_token


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer abc.def", None),
        ("bearer abc.def", None),
        ("BEARER   abc.def ", None),
        (None, "abc.def"),
        (None, " abc.def\t"),
        ("Bearer abc.def", "abc.def"),
    ],
)
def test_the_token_is_taken_from_either_header(
    authorization: str | None, x_api_key: str | None
) -> None:
    assert bearer_token(authorization, x_api_key) == "abc.def"


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "code"),
    [
        (None, None, "token-missing"),
        ("", None, "token-missing"),
        ("Bearer", None, "token-missing"),
        ("Bearer ", None, "token-missing"),
        ("Basic YTpi", None, "token-missing"),
        ("Basic YTpi", "abc", "token-missing"),
        ("abc.def", None, "token-missing"),
        ("Bearer ", "abc", "token-missing"),
        ("Bearer abc", "", "token-missing"),
        (None, "", "token-missing"),
        (None, " ", "token-missing"),
        ("Bearer abc", "abd", "token-conflict"),
        ("Bearer abc\udcff", "abc\udcfe", "token-conflict"),
    ],
)
def test_what_is_missing_or_contradicts_is_refused(
    authorization: str | None, x_api_key: str | None, code: str
) -> None:
    with pytest.raises(AuthenticationError) as caught:
        bearer_token(authorization, x_api_key)
    assert caught.value.code == code
    assert not caught.value.retry
    assert "abc" not in str(caught.value)
    assert "YTpi" not in str(caught.value)


@given(st.none() | st.text(), st.none() | st.text())
def test_any_two_headers_give_a_token_or_a_refusal(
    authorization: str | None, x_api_key: str | None
) -> None:
    with contextlib.suppress(AuthenticationError):
        assert bearer_token(authorization, x_api_key)


def basic(text: bytes) -> bytes:
    return b"Basic " + b64encode(text)


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"Bearer abc.def", "abc.def"),
        (b"bearer  abc.def ", "abc.def"),
        (basic(b"claude:abc.def"), "abc.def"),
        (basic(b":abc.def"), "abc.def"),
        (basic(b"a:b:c"), "b:c"),
        (b"BASIC   " + b64encode(b"a:abc") + b" ", "abc"),
        (basic(b"\xff:\xff"), "\xff"),
    ],
)
def test_a_proxy_s_client_shows_its_token_in_two_ways(value: bytes, token: str) -> None:
    assert proxy_token([value]) == token


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([], "token-missing"),
        ([b""], "token-missing"),
        ([b"abc.def"], "token-missing"),
        ([b"Bearer"], "token-missing"),
        ([b"Digest abc"], "token-missing"),
        ([b"Basic"], "token-missing"),
        ([b"Basic a:b"], "token-missing"),
        ([b"Basic YTpi YTpi"], "token-missing"),
        ([basic(b"only-a-user")], "token-missing"),
        ([basic(b"user:")], "token-missing"),
        ([b"Bearer a", b"Bearer a"], "token-conflict"),
        ([b"Bearer a", b""], "token-conflict"),
    ],
)
def test_what_a_proxy_s_client_does_not_show_is_refused(values: list[bytes], code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        proxy_token(values)
    assert caught.value.code == code


@given(st.lists(st.binary(max_size=40) | st.builds(basic, st.binary(max_size=20)), max_size=3))
def test_any_headers_of_a_proxy_s_client_give_a_token_or_a_refusal(values: list[bytes]) -> None:
    with contextlib.suppress(AuthenticationError):
        assert proxy_token(values)
