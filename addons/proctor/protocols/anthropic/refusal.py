"""How a refusal reads on the client's side.

Anthropic's error envelope for the Messages API (ErrorResponse of the SDK), a problem document
(RFC 9457) for listeners that speak plain HTTP. Claude Code shows the message of a 451 cleanly and
does not ask again; for other statuses `x-should-retry: false` keeps it and the SDK from retrying.
"""

import json
import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from proctor.errors import (
    ClientError,
    InternalError,
    ProctorError,
    RefusedError,
    UpstreamError,
)

# `error.type` by status; the SDK knows these names (ErrorType), and the gateway protocol
# `request_too_large`. 451 (RFC 7725) has no name of its own there.
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    451: "permission_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_SERVER_ERROR: Final = 500
_MAX_MESSAGE: Final = 2000
_MAX_NAME: Final = 100
_NO_CREDENTIAL: Final = "token-missing"
# Another gateway takes over from one that stops, so clients may well try again.
_SOON_OVER: Final = "not-accepting"
# RFC 6750 section 3: what may stand in error_description.
_NOT_IN_DESCRIPTION: Final = re.compile(r'[^\x20-\x7e]|["\\]')
# Controls of C0 and C1, and marks that turn the direction of text: they could forge a terminal.
_NOT_IN_MESSAGE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An HTTP answer: status, header fields (names in lower case) and body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def anthropic_refusal(error: ProctorError, *, request_id: str = "") -> Refusal:
    """The answer in the Messages API's own shape.

    Args:
        error: What went wrong.
        request_id: Our name for the exchange; clients report it, so records can be joined.
    """
    status = _status(error)
    fallback = "api_error" if status >= _SERVER_ERROR else "invalid_request_error"
    envelope: dict[str, Any] = {
        "type": "error",
        "error": {
            "type": _TYPES.get(status, fallback),
            "message": _message(error),
            "details": {"error_code": error.code},
        },
    }
    if request_id:
        envelope["request_id"] = request_id
    return _refusal(error, status, "application/json", envelope, request_id)


def http_refusal(error: ProctorError, *, request_id: str = "") -> Refusal:
    """The answer as a problem document (RFC 9457 section 3); arguments as above."""
    return _problem(error, _status(error), request_id)


def _problem(error: ProctorError, status: int, request_id: str) -> Refusal:
    problem: dict[str, Any] = {
        "type": "about:blank",
        "status": status,
        "detail": _message(error),
        "code": error.code,
    }
    if isinstance(error, RefusedError):
        problem["rule"] = error.rule_id
    if request_id:
        problem["request_id"] = request_id
    return _refusal(error, status, "application/problem+json", problem, request_id)


def proxy_refusal(error: ProctorError, *, request_id: str = "") -> Refusal:
    """Who asks a proxy has not proved who it is (RFC 9110 15.5.8); arguments as above.

    Basic, which git and curl wait to be asked for; the token is the password.
    """
    refusal = _problem(error, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, request_id)
    challenge = ("proxy-authenticate", 'Basic realm="proctor"')
    return replace(refusal, headers=(*refusal.headers, challenge))


def stopped_tool(tool: str, error: ProctorError) -> str:
    """The text that stands in the place of a tool call: for the model, and the human who reads.

    Args:
        tool: The tool's name.
        error: Why it was stopped.
    """
    name = _NOT_IN_MESSAGE.sub(" ", tool)[:_MAX_NAME]
    return f"[{_message(error)} {name} was not run.]"


def _refusal(
    error: ProctorError, status: int, content_type: str, body: dict[str, Any], request_id: str
) -> Refusal:
    headers = [("content-type", content_type), ("cache-control", "no-store")]
    if request_id:
        headers.append(("request-id", request_id))
    # For an expired token, too: Claude Code runs its apiKeyHelper again after a 401 whatever this
    # says, and without it tries a fixed token for three minutes (tests/e2e/test_claude_code.py).
    if error.code != _SOON_OVER:
        headers.append(("x-should-retry", "false"))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append(("www-authenticate", _challenge(error)))
    # ASCII only: halves of surrogate pairs stay escapes, and no reader guesses an encoding.
    return Refusal(status=status, headers=tuple(headers), body=json.dumps(body).encode())


def _status(error: ProctorError) -> int:
    if isinstance(error, ClientError | UpstreamError | InternalError):
        return error.status
    return HTTPStatus.SERVICE_UNAVAILABLE


def _message(error: ProctorError) -> str:
    text = _NOT_IN_MESSAGE.sub(" ", str(error)).strip()[:_MAX_MESSAGE]
    if isinstance(error, RefusedError) and error.rule_id:
        rule = _NOT_IN_MESSAGE.sub(" ", error.rule_id)[:_MAX_MESSAGE]
        text = f"{text} (rule {rule})"
    return f"proctor: {text}"


def _challenge(error: ProctorError) -> str:
    """RFC 6750 section 3.1: no error is named where the request brought no token at all."""
    challenge = 'Bearer realm="proctor"'
    if error.code == _NO_CREDENTIAL:
        return challenge
    description = _NOT_IN_DESCRIPTION.sub(" ", error.message)[:_MAX_MESSAGE]
    return f'{challenge}, error="invalid_token", error_description="{description}"'
