"""Every refusal as plain HTTP and the SDK see it, and the upstream, which sees nothing."""

import uuid
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx
import pytest

from proctor.testing.gateway import Gateway
from proctor.testing.service import MODELS
from proctor.testing.standin import StandIn
from tests.e2e.conftest import Sdk
from tests.support.installation import Installation

pytestmark = pytest.mark.e2e

SEARCH = anthropic.types.WebSearchTool20250305Param(type="web_search_20250305", name="web_search")
BODY: dict[str, Any] = {
    "model": MODELS[0],
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "say: hi"}],
}


def post(
    gateway: Gateway, headers: Mapping[str, str], body: Mapping[str, Any] = BODY, path: str = ""
) -> httpx.Response:
    return httpx.post(
        gateway.url("claude") + (path or "/v1/messages"),
        json=body,
        headers={"anthropic-version": "2023-06-01", **headers},
        timeout=30,
    )


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def check(answer: httpx.Response, status: int, kind: str, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-should-retry"] == "false"
    body = answer.json()
    assert body["type"] == "error"
    assert body["error"]["type"] == kind
    assert words in body["error"]["message"].lower()


def test_without_a_token(gateway: Gateway, standin: StandIn) -> None:
    answer = post(gateway, {})
    check(answer, 401, "authentication_error", "token")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not standin.requests


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"authorization": "Bearer"}, "empty"),
        ({"authorization": "Basic YTpi"}, "bearer"),
        ({"x-api-key": "sk-ant-a-key-of-the-service"}, "token"),
    ],
)
def test_with_something_else(
    gateway: Gateway, standin: StandIn, headers: dict[str, str], words: str
) -> None:
    check(post(gateway, headers), 401, "authentication_error", words)
    assert not standin.requests


def test_two_that_disagree(gateway: Gateway, home: Installation, standin: StandIn) -> None:
    headers = bearer(home.token()) | {"x-api-key": home.token("bob")}
    check(post(gateway, headers), 401, "authentication_error", "x-api-key")
    same = home.token()
    assert post(gateway, bearer(same) | {"x-api-key": same}).status_code == 200
    assert len(standin.requests) == 1


def test_an_expired_token_says_so(gateway: Gateway, home: Installation, standin: StandIn) -> None:
    answer = post(gateway, bearer(home.token(age=3600, ttl=600)))
    check(answer, 401, "authentication_error", "expired")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert not standin.requests


def test_a_token_for_something_else(gateway: Gateway, home: Installation, standin: StandIn) -> None:
    token = home.token(audience="another-service")
    answer = post(gateway, bearer(token))
    check(answer, 401, "authentication_error", "audience")
    assert token not in answer.text
    assert not standin.requests


def test_a_denied_feature(sdk: Sdk, standin: StandIn, home: Installation) -> None:
    with pytest.raises(anthropic.APIStatusError) as raised:
        sdk.client.messages.create(**BODY, tools=[SEARCH])
    assert raised.value.status_code == 451
    assert "no-web-search" in str(raised.value)
    assert not standin.requests
    (row,) = home.query(
        "select status, verdict, rule_id, reason from flows where session_id = $session",
        sdk.session_id,
    )
    assert (row["status"], row["verdict"]) == (451, "deny")
    assert row["rule_id"] in str(raised.value)
    assert row["reason"] in str(raised.value)


@pytest.mark.parametrize("path", ["/v1/files", "/v1/messages/batches", "/v1/messages/", "/other"])
def test_a_path_that_no_rule_names(
    gateway: Gateway, home: Installation, standin: StandIn, path: str
) -> None:
    answer = post(gateway, bearer(home.token()), path=path)
    check(answer, 451, "permission_error", "proctor")
    assert not standin.requests


def test_a_body_that_cannot_be_read(gateway: Gateway, home: Installation, standin: StandIn) -> None:
    answer = httpx.post(
        gateway.url("claude") + "/v1/messages",
        content=b'{"model": ',
        headers=bearer(home.token()) | {"content-type": "application/json"},
        timeout=30,
    )
    check(answer, 400, "invalid_request_error", "json")
    assert not standin.requests


def test_no_refusal_has_leaked_a_credential_anywhere(
    gateway: Gateway, home: Installation, standin: StandIn
) -> None:
    secret = f"sk-ant-{uuid.uuid4().hex}"
    answer = post(gateway, {"x-api-key": secret})
    assert secret not in answer.text
    assert secret not in str(gateway.log)
    kept = [path for path in (home.folder / "recordings").rglob("*") if path.is_file()]
    assert kept
    assert not any(secret.encode() in path.read_bytes() for path in kept)
    assert not standin.requests
