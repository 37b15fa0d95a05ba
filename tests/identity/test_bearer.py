"""The token of a request, out of two headers."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import AuthenticationError
from proctor.identity.bearer import bearer_token


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
