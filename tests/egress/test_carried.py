"""Whose credential does a request carry?"""

from urllib.parse import parse_qsl

import pytest

from proctor.egress.carried import HEADERS, carried, spoken


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


@pytest.mark.parametrize(
    "path",
    [
        "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "/api/webhooks/123456789012345678/" + "a" * 60,
        "/bot123456789:AAE" + "x" * 32 + "/sendMessage",
        "/hooks/catch/123456/abcdef",
    ],
)
def test_a_webhooks_address_is_a_credential(path: str) -> None:
    assert spoken(path, b"") == "the path, which is a webhook's"


def test_so_is_a_grant_at_a_token_endpoint() -> None:
    body = b"grant_type=refresh_token&refresh_token=x"
    assert spoken("/oauth2/v1/token", body) == "a grant in the body"
    assert spoken("/login/oauth/access_token", b"client_id=a&client_secret=b")
    assert not spoken("/oauth/token", b"grant_type=client_credentials&client_id=a")
    assert not spoken("/v1/documents", body)
    assert not spoken("/services/list/of/things", b"")


@pytest.mark.parametrize("query", ["password=x", "jwt=x", "session_token=x", "hapikey=x"])
def test_other_names_in_a_query(query: str) -> None:
    assert carried([], parse_qsl(query))


@pytest.mark.parametrize("query", ["page_token=x", "next_token=x", "pass_rate=1", "key=name"])
def test_a_page_is_no_credential(query: str) -> None:
    assert not carried([], parse_qsl(query))
