"""How a denial reads on an MCP client's side.

A tool's caller gets a result with `isError`, since that is what the model sees (2026-07-28, Tools,
"Error Handling"); other requests get a JSON-RPC error. Both at HTTP 200: clients take other
statuses for a transport's failure and drop the text. What is no readable request has the status
that the specification demands. Who is asking is not proved: 401 with RFC 9728's resource_metadata.
"""

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from proctor.errors import (
    AuthenticationError,
    ClientError,
    InternalError,
    ProctorError,
    RefusedError,
    UpstreamError,
)
from proctor.protocols.anthropic.refusal import Refusal, http_refusal
from proctor.protocols.mcp.actions import CALL
from proctor.protocols.mcp.agreement import HANDSHAKE, MODERN, modern
from proctor.protocols.mcp.messages import Id, Kind, Message

DENIED_METHOD: Final = "proctor/denied"
"""Takes the place of a server's question that was denied; clients answer -32601 to it."""

# JSON-RPC 2.0 section 5.1, and 2026-07-28, Overview, "Error Codes".
_CODES: Final = {
    "mcp-message": -32600,
    "mcp-params": -32602,
    "mcp-token": -32602,
    "mcp-header-mismatch": -32020,
    "mcp-version": -32022,
}
_MAX_MESSAGE: Final = 2000
# Controls, and marks that turn the direction of text: they could forge a terminal.
_NOT_IN_MESSAGE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"


def mcp_refusal(
    error: ProctorError,
    message: Message | None,
    *,
    accept: str = "",
    resource_metadata: str = "",
    request_id: str = "",
) -> Refusal:
    """The answer to one request of an MCP client's.

    Args:
        error: What went wrong.
        message: What the client sent; None where that could not be read, or there is no body.
        accept: Its `Accept`.
        resource_metadata: Address of the RFC 9728 document, for a 401.
        request_id: Our name for the exchange.
    """
    if isinstance(error, AuthenticationError):
        return _unauthenticated(error, resource_metadata, request_id)
    if error.code not in _CODES:
        if message is None:  # a GET or DELETE of the revisions before 2026-07-28
            return http_refusal(error, request_id=request_id)
        if message.kind is not Kind.REQUEST:  # JSON-RPC 2.0 section 4.1: nothing is answered
            return _with_id(Refusal(status=HTTPStatus.ACCEPTED, headers=(), body=b""), request_id)
    status = HTTPStatus.BAD_REQUEST if error.code in _CODES else HTTPStatus.OK
    # ASCII only: halves of surrogate pairs stay escapes, and no reader guesses an encoding.
    body = json.dumps(denied(error, message)).encode()
    kind = _JSON
    if status == HTTPStatus.OK and _EVENTS in accept.lower() and not _takes_json(accept):
        kind, body = _EVENTS, b"event: message\ndata: " + body + b"\n\n"
    headers = (("content-type", kind), ("cache-control", "no-store"))
    return _with_id(Refusal(status=status, headers=headers, body=body), request_id)


def denied(error: ProctorError, message: Message | None) -> dict[str, Any]:
    """The JSON-RPC message that stands for what a request would have been answered.

    Args:
        error: What went wrong.
        message: The request; None where it is not known.
    """
    named: Id | None = message.id if message else None
    if message is not None and message.method == CALL and error.code not in _CODES:
        result: dict[str, Any] = {
            "content": [{"type": "text", "text": text_of(error)}],
            "isError": True,
        }
        if modern(message):  # required since 2026-07-28, "ResultType"
            result = {"resultType": "complete", **result}
        return {"jsonrpc": "2.0", "id": named, "result": result}
    return {"jsonrpc": "2.0", "id": named, "error": _error(error, message)}


def text_of(error: ProctorError) -> str:
    """What the model and the human who reads are told."""
    text = _NOT_IN_MESSAGE.sub(" ", str(error)).strip()
    if isinstance(error, RefusedError) and error.rule_id:
        text = f"{text} (rule {_NOT_IN_MESSAGE.sub(' ', error.rule_id)})"
    return f"proctor: {text}"[:_MAX_MESSAGE]


def discovery(resource: str, issuers: Sequence[str], scopes: Sequence[str] = ()) -> bytes:
    """The protected resource's metadata (RFC 9728 section 2), by which clients find the issuer.

    Args:
        resource: Address of the MCP endpoint, as clients call it.
        issuers: Whose tokens count.
        scopes: What a token must be for; nothing where it does not matter.
    """
    document: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": list(issuers),
        "bearer_methods_supported": ["header"],
    }
    if scopes:
        document["scopes_supported"] = list(scopes)
    return json.dumps(document).encode()


def _error(error: ProctorError, message: Message | None) -> dict[str, Any]:
    """Codes of our own lie outside JSON-RPC's reserved range, as MCP wishes: HTTP's numbers."""
    own = error.status if isinstance(error, ClientError | UpstreamError | InternalError) else 503
    body: dict[str, Any] = {"code": _CODES.get(error.code, own), "message": text_of(error)}
    named = message.version if message else ""
    if error.code == "mcp-version":  # UnsupportedProtocolVersionError's `data`
        body["data"] = {
            # A request that stands for itself can name no revision that begins with a handshake.
            "supported": list(MODERN if named else (*MODERN, *reversed(HANDSHAKE))),
            "requested": named,
        }
    return body


def _unauthenticated(error: ProctorError, resource_metadata: str, request_id: str) -> Refusal:
    """401, or what the error says, with where to find the issuer (RFC 9728 section 5.1)."""
    refusal = http_refusal(error, request_id=request_id)
    if not resource_metadata:
        return refusal
    headers = tuple(
        (name, f'{value}, resource_metadata="{resource_metadata}"')
        if name == "www-authenticate"
        else (name, value)
        for name, value in refusal.headers
    )
    return Refusal(status=refusal.status, headers=headers, body=refusal.body)


def _takes_json(accept: str) -> bool:
    """RFC 9110 section 12.5.1, without weights: clients of MCP send none."""
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return not kinds.isdisjoint({_JSON, "application/*", "*/*"})


def _with_id(refusal: Refusal, request_id: str) -> Refusal:
    if not request_id:
        return refusal
    headers = (*refusal.headers, ("request-id", request_id))
    return Refusal(status=refusal.status, headers=headers, body=refusal.body)
