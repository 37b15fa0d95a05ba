"""Refusals as MCP clients read them."""

import json
from typing import Any

import pytest
from mcp.shared.auth import ProtectedResourceMetadata
from mcp_types import CallToolResult, JSONRPCError, JSONRPCResponse
from mcp_types.jsonrpc import HEADER_MISMATCH, INVALID_REQUEST, UNSUPPORTED_PROTOCOL_VERSION

from proctor.errors import (
    AuthenticationError,
    ClientError,
    ConfigurationError,
    InternalError,
    ProctorError,
    RefusedError,
    UpstreamError,
)
from proctor.protocols.mcp.agreement import agree
from proctor.protocols.mcp.messages import Message, bad_message, read
from proctor.protocols.mcp.refusals import denied, discovery, mcp_refusal, text_of

DENIED = RefusedError("policy-denied", "Not this tool.", rule_id="no-delete", hint="Ask bob.")


def request(method: str, *, modern: bool = True) -> Message:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"} if modern else {}
    return read(
        json.dumps(
            {"jsonrpc": "2.0", "id": "r1", "method": method, "params": {"_meta": meta}}
        ).encode()
    )


def test_a_tool_call_gets_a_result_that_the_model_sees() -> None:
    refusal = mcp_refusal(DENIED, request("tools/call"), request_id="x1")
    assert refusal.status == 200
    assert dict(refusal.headers) == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "request-id": "x1",
    }
    answer = JSONRPCResponse.model_validate_json(refusal.body)
    assert answer.id == "r1"
    result = CallToolResult.model_validate(answer.result)
    assert result.is_error
    assert answer.result == {
        "resultType": "complete",
        "content": [{"type": "text", "text": "proctor: Not this tool. Ask bob. (rule no-delete)"}],
        "isError": True,
    }


def test_before_2026_there_is_no_result_type() -> None:
    result = denied(DENIED, request("tools/call", modern=False))["result"]
    assert set(result) == {"content", "isError"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DENIED, 451),
        (ClientError("too-large", "Too large", status=413), 413),
        (UpstreamError("unreachable", "No answer"), 502),
        (InternalError("journal", "Full"), 503),
        (ConfigurationError("wrong-value", "Wrong"), 503),
    ],
)
def test_other_requests_get_an_error(error: ProctorError, code: int) -> None:
    refusal = mcp_refusal(error, request("resources/read"))
    assert refusal.status == 200
    answer = JSONRPCError.model_validate_json(refusal.body)
    assert (answer.id, answer.error.code) == ("r1", code)
    assert not -32768 <= answer.error.code <= -32000
    assert answer.error.message.startswith("proctor: ")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json, text/event-stream", "application/json"),
        ("text/event-stream, */*;q=0.1", "application/json"),
        ("", "application/json"),
        ("text/html", "application/json"),
        ("text/event-stream", "text/event-stream"),
        ("Text/Event-Stream;q=1", "text/event-stream"),
    ],
)
def test_in_the_form_that_was_asked_for(accept: str, kind: str) -> None:
    refusal = mcp_refusal(DENIED, request("tools/call"), accept=accept)
    assert dict(refusal.headers)["content-type"] == kind
    body = refusal.body
    if kind == "text/event-stream":
        assert body.endswith(b"\n\n")
        body = body.removeprefix(b"event: message\ndata: ")
    assert JSONRPCResponse.model_validate_json(body).id == "r1"


def test_notifications_and_responses_get_no_answer() -> None:
    for raw in (
        b'{"jsonrpc":"2.0","method":"notifications/cancelled"}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
    ):
        refusal = mcp_refusal(DENIED, read(raw), request_id="x1")
        assert (refusal.status, refusal.body) == (202, b"")
        assert refusal.headers == (("request-id", "x1"),)


def test_a_get_is_refused_as_http() -> None:
    refusal = mcp_refusal(DENIED, None)
    assert refusal.status == 451
    assert dict(refusal.headers)["content-type"] == "application/problem+json"


def test_what_cannot_be_read() -> None:
    refusal = mcp_refusal(bad_message("nothing"), None)
    assert refusal.status == 400
    answer = JSONRPCError.model_validate_json(refusal.body)
    assert (answer.id, answer.error.code) == (None, INVALID_REQUEST)
    # A tool's name that is no text: the request is known, and still no call.
    refusal = mcp_refusal(bad_message("a number"), request("tools/call"))
    assert refusal.status == 400
    assert JSONRPCError.model_validate_json(refusal.body).id == "r1"


def test_headers_that_differ() -> None:
    sent = request("tools/list")
    with pytest.raises(ClientError) as caught:
        agree([("mcp-method", "tools/call")], sent)
    refusal = mcp_refusal(caught.value, sent)
    assert refusal.status == 400
    assert JSONRPCError.model_validate_json(refusal.body).error.code == HEADER_MISMATCH


def test_a_revision_that_is_not_known() -> None:
    sent = request("tools/list")
    with pytest.raises(ClientError) as caught:
        agree([("mcp-protocol-version", "2031-01-01")], sent)
    refusal = mcp_refusal(caught.value, sent)
    assert refusal.status == 400
    error = JSONRPCError.model_validate_json(refusal.body).error
    assert error.code == UNSUPPORTED_PROTOCOL_VERSION
    assert error.data["supported"][0] == "2026-07-28"
    assert isinstance(error.data["requested"], str)


@pytest.mark.parametrize("code", ["token-missing", "token-expired"])
def test_who_is_not_known_learns_where_to_ask(code: str) -> None:
    where = "https://proctor.example/.well-known/oauth-protected-resource/jira"
    refusal = mcp_refusal(
        AuthenticationError(code, "No token"), request("tools/call"), resource_metadata=where
    )
    assert refusal.status == 401
    challenge = dict(refusal.headers)["www-authenticate"]
    assert challenge.startswith('Bearer realm="proctor"')
    assert challenge.endswith(f', resource_metadata="{where}"')
    assert b"jsonrpc" not in refusal.body
    plain = mcp_refusal(AuthenticationError(code, "No token"), None)
    assert "resource_metadata" not in dict(plain.headers)["www-authenticate"]


def test_text_is_clean_and_short() -> None:
    text = text_of(RefusedError("x", "a\x1b[2J\u202eb\n" * 2000, rule_id="r\u2066"))
    assert len(text) == 2000
    assert text.isprintable()


def test_discovery() -> None:
    raw = discovery("https://proctor.example/jira", ["https://idp.example"], ["mcp"])
    document = ProtectedResourceMetadata.model_validate_json(raw)
    assert str(document.resource) == "https://proctor.example/jira"
    assert [str(each).rstrip("/") for each in document.authorization_servers] == [
        "https://idp.example"
    ]
    assert document.scopes_supported == ["mcp"]
    bare: dict[str, Any] = json.loads(discovery("https://p.example/", []))
    assert "scopes_supported" not in bare


@pytest.mark.parametrize(("code", "number"), [("mcp-token", -32602), ("mcp-params", -32602)])
def test_what_a_client_sent_wrong_is_an_error_also_of_a_call(code: str, number: int) -> None:
    refusal = mcp_refusal(ClientError(code, "No."), request("tools/call"))
    assert refusal.status == 400
    answer = JSONRPCError.model_validate_json(refusal.body)
    assert (answer.id, answer.error.code) == ("r1", number)


@pytest.mark.parametrize("modern", [True, False])
def test_a_request_that_stands_for_itself_is_told_of_revisions_like_it(*, modern: bool) -> None:
    error = ClientError("mcp-version", "Not known.")
    said = denied(error, request("tools/list", modern=modern))["error"]["data"]["supported"]
    assert said[0] == "2026-07-28"
    assert ("2025-11-25" in said) is not modern
