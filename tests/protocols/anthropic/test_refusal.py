"""Refusals as clients read them."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import anthropic
import httpx2
import pytest
from anthropic.types.shared.error_type import ErrorType
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import (
    AuthenticationError,
    ClientError,
    ConfigurationError,
    InternalError,
    ProctorError,
    RefusedError,
    UpstreamError,
)
from proctor.protocols.anthropic.refusal import Refusal, anthropic_refusal, http_refusal

GOLDEN = Path(__file__).parents[2] / "golden" / "anthropic" / "refusals.json"

DENIED = RefusedError(
    code="denied", message="No web search from here.", rule_id="provider-features"
)
EXPIRED = AuthenticationError(
    code="token-expired", message="The token has expired", got="90 s ago", retry=True
)
FORGED = AuthenticationError(
    code="signature-invalid",
    message="The signature is not the issuer's",
    hint="Ask for a new token.",
)
MISSING = AuthenticationError(code="token-missing", message="The request carries no token")
ERRORS: dict[str, ProctorError] = {
    "denied": DENIED,
    "expired": EXPIRED,
    "forged": FORGED,
    "missing": MISSING,
    "bad body": ClientError(
        code="body-not-json", message="The body is no JSON", got="a byte order mark"
    ),
    "too large": ClientError(code="body-too-large", message="The body is too large", status=413),
    "upstream": UpstreamError(code="issuer-unreachable", message="No keys", status=503),
    "journal": InternalError(
        code="journal-unwritable", message="The record cannot be written", causes=("disk full",)
    ),
}


def shown(refusal: Refusal) -> dict[str, Any]:
    return {
        "status": refusal.status,
        "headers": dict(refusal.headers),
        "body": json.loads(refusal.body),
    }


def test_the_golden_refusals() -> None:
    refusals = {
        name: {
            "anthropic": shown(anthropic_refusal(error, request_id="01-flow")),
            "http": shown(http_refusal(error, request_id="01-flow")),
        }
        for name, error in ERRORS.items()
    }
    assert refusals == json.loads(GOLDEN.read_text("utf-8"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (429, "rate_limit_error"),
        (451, "permission_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_the_type_is_one_that_clients_know(status: int, kind: str) -> None:
    refusal = anthropic_refusal(ClientError(code="x", message="y", status=status))
    assert refusal.status == status
    assert json.loads(refusal.body)["error"]["type"] == kind
    assert kind in {*get_args(ErrorType), "request_too_large"}
    assert ("x-should-retry", "false") in refusal.headers


def test_nothing_is_worth_another_try() -> None:
    for error in ERRORS.values():
        for refusal in (anthropic_refusal(error), http_refusal(error)):
            assert ("x-should-retry", "false") in refusal.headers


def test_a_fault_of_the_configuration_is_ours() -> None:
    refusal = anthropic_refusal(ConfigurationError(code="x", message="y"))
    assert refusal.status == 503
    assert json.loads(refusal.body)["error"]["type"] == "api_error"


def test_without_a_request_id_none_is_named() -> None:
    refusal = anthropic_refusal(DENIED)
    assert "request_id" not in json.loads(refusal.body)
    assert "request-id" not in dict(refusal.headers)
    assert "request_id" not in json.loads(http_refusal(DENIED).body)


def test_the_message_cannot_forge_a_terminal() -> None:
    reason = "a\x1b[2Jb\r\nc\u202ed\x9be" + "x" * 5000
    message = json.loads(
        anthropic_refusal(RefusedError(code="denied", message=reason, rule_id="r")).body
    )["error"]["message"]
    assert message.startswith("proctor: a [2Jb c d e")
    assert len(message) < 2100
    assert message.endswith("(rule r)")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(), max_size=30), st.text(st.characters(), max_size=30))
def test_any_text_makes_a_sound_answer(message: str, rule: str) -> None:
    for error in (
        RefusedError(code="denied", message=message, rule_id=rule),
        AuthenticationError(code="x", message=message, got=rule),
    ):
        for refusal in (anthropic_refusal(error), http_refusal(error)):
            json.loads(refusal.body.decode("ascii"))
            for _, value in refusal.headers:
                assert re.fullmatch(r"[\x20-\x7e]*", value)
            challenge = dict(refusal.headers).get("www-authenticate")
            if challenge is not None:
                assert re.fullmatch(
                    r'Bearer realm="proctor", error="invalid_token", '
                    r'error_description="[\x20-\x21\x23-\x5b\x5d-\x7e]*"',  # RFC 6750 section 3
                    challenge,
                )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DENIED, anthropic.APIStatusError),
        (FORGED, anthropic.AuthenticationError),
        (ERRORS["bad body"], anthropic.BadRequestError),
        (ERRORS["journal"], anthropic.InternalServerError),
    ],
)
def test_the_sdk_reads_it_and_asks_once(error: ProctorError, kind: type[Exception]) -> None:
    refusal = anthropic_refusal(error, request_id="01-flow")
    asked = 0

    def answer(_: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        return httpx2.Response(refusal.status, headers=list(refusal.headers), content=refusal.body)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as transport,
        anthropic.Anthropic(
            auth_token="t", base_url="http://proctor.test", http_client=transport
        ) as client,
        pytest.raises(kind) as caught,
    ):
        client.messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
        )
    assert isinstance(caught.value, anthropic.APIStatusError)
    assert caught.value.api_message == json.loads(refusal.body)["error"]["message"]
    assert caught.value.error_code == error.code
    assert caught.value.request_id == "01-flow"
    assert asked == 1
