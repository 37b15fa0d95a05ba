"""Errors as the console answers them: problem+json (RFC 9457), or a page in plain words."""

import json
import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from proctor.errors import (
    AuthenticationError,
    ClientError,
    ConfigurationError,
    InternalError,
    ProctorError,
    UpstreamError,
)

API = "/api/"
"""What programs ask begins with this."""

log = logging.getLogger(__name__)


def refused(  # noqa: PLR0913 - the parts of a message
    status: int, code: str, message: str, *, got: str = "", expected: str = "", hint: str = ""
) -> ClientError:
    """The error that says a request to the console is not taken."""
    return ClientError(
        code=code, message=message, got=got, expected=expected, hint=hint, status=status
    )


def status_of(error: ProctorError) -> int:
    """The HTTP status an error is answered with."""
    if isinstance(error, ClientError | UpstreamError | InternalError):
        return error.status
    return 503 if isinstance(error, ConfigurationError) else 500


def unexpected(error: Exception) -> ProctorError:
    """What is said of an exception that nobody thought of: nothing of it, the log has the rest."""
    log.error("The console failed", exc_info=error, extra={"event": "console.failed"})
    return InternalError(
        code="console-failed",
        message="The console failed, and nothing was decided",
        hint="proctor's log says more.",
        status=500,
    )


class Json(JSONResponse):
    """JSON in ASCII: what others wrote may hold lone surrogates, which UTF-8 has not."""

    def render(self, content: Any) -> bytes:
        """See Response."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def problem_json(error: ProctorError) -> Response:
    """An error as problem+json."""
    status = status_of(error)
    headers = {}
    if isinstance(error, AuthenticationError):
        headers["www-authenticate"] = "Bearer"  # RFC 9110, 15.5.2
    return Json(
        {
            "type": "about:blank",
            "title": error.message,
            "status": status,
            "code": error.code,
            "detail": str(error),
            "got": error.got,
            "expected": error.expected,
            "hint": error.hint,
        },
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )


def for_program(request: Request) -> bool:
    """Whether a program asks, and not a person with a browser."""
    return request.url.path.startswith(API)
