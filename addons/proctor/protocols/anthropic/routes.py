"""Which part of the API a request is for.

Only the exact spelling that clients use is taken for what it is. A path that some server might
normalise into one of these (`//v1/messages`, `%2e`, `;x`, a slash at the end, another case) is
`other`: then no protocol claims it and the rules for `http.request` decide.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class RouteKind(StrEnum):
    """What is asked of the API."""

    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    MODELS = "models"
    PROBE = "probe"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request goes. `model` is the one asked about, for `GET /v1/models/{id}`."""

    kind: RouteKind
    model: str = ""


_OTHER: Final = Route(kind=RouteKind.OTHER)
_BETA: Final = ("", "beta=true")
_EXACT: Final = {
    ("POST", "/v1/messages"): Route(kind=RouteKind.MESSAGES),
    ("POST", "/v1/messages/count_tokens"): Route(kind=RouteKind.COUNT_TOKENS),
    ("HEAD", "/"): Route(kind=RouteKind.PROBE),  # sent without a token by older clients
}
_MODEL: Final = re.compile(r"/v1/models/([A-Za-z0-9][A-Za-z0-9._:@-]{0,127})")
_LIST_QUERY: Final = re.compile(
    r"(?:(?:beta=true|limit=[0-9]{1,4}|(?:after|before)_id=[A-Za-z0-9._:@-]{1,128})(?:&(?!$)|$))*"
)


def route(method: str, path: str, query: str = "") -> Route:
    """Say where a request goes.

    Args:
        method: As sent; methods are case-sensitive (RFC 9110 section 9.1).
        path: Of the target, as sent: not decoded, not normalised.
        query: What stands after `?`, without it.
    """
    exact = _EXACT.get((method, path))
    if exact is not None:
        return exact if query in _BETA else _OTHER
    if method == "GET" and path == "/v1/models":
        return Route(kind=RouteKind.MODELS) if _LIST_QUERY.fullmatch(query) else _OTHER
    if method == "GET" and query in _BETA and (match := _MODEL.fullmatch(path)):
        return Route(kind=RouteKind.MODELS, model=match[1])
    return _OTHER
