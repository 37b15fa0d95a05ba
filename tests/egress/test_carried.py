"""Whose credential does a request carry?"""

from urllib.parse import parse_qsl

import pytest

from proctor.egress.carried import HEADERS, carried


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_headers_that_are_a_credential(name: bytes) -> None:
    assert name == name.lower()
    assert carried([(b"accept", b"*/*"), (name.title(), b"secret")], []) == name.decode()
    assert not carried([(name, b"  ")], []), "an empty one says nothing"


@pytest.mark.parametrize(
    "query",
    [
        "api_key=x",
        "apikey=x",
        "API-KEY=x",
        "x-api-key=x",
        "a=1&access_token=x",
        "auth_token=x",
        "private_token=x",
        "subscription-key=x",
        "client_secret=x",
        "X-Amz-Signature=x",
        "X-Amz-Credential=x",
        "X-Amz-Security-Token=x",
        "X-Goog-Signature=x",
        "GoogleAccessId=x",
        "AWSAccessKeyId=x",
        "%61pi_key=x",
        "sv=1&se=2&sp=r&sig=x",
    ],
)
def test_names_in_a_query_that_are(query: str) -> None:
    assert carried([], parse_qsl(query))


@pytest.mark.parametrize(
    "query",
    ["", "q=api_key", "api_key=", "key=x", "token_type=x", "sig=x", "se=x&sp=y", "page_token=x"],
)
def test_others_are_not(query: str) -> None:
    headers = [(b"accept", b"x"), (b"x-request-id", b"x"), (b"x-authorized-by", b"x")]
    assert carried(headers, parse_qsl(query, keep_blank_values=True)) == ""


def test_it_is_named_and_not_told() -> None:
    assert carried([(b"Authorization", b"Bearer sk-secret")], []) == "authorization"
    assert carried([], [("api_key", "sk-secret")]) == "api_key"
