"""The stand-in Messages API without a network: a request in, status, headers and pieces out.

It is as strict as the real service about whose key it is, and stricter about what else arrives: a
client's own credential that reaches it is remembered as a leak.
Statuses and error types: https://docs.anthropic.com/en/api/errors.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from itertools import chain, count, repeat
from typing import Any

from proctor.testing import framing
from proctor.testing.conversation import Reply, converse, count_tokens
from proctor.testing.http1 import Received

MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5")
_CREDENTIAL_HEADERS = {"authorization", "x-api-key", "proxy-authorization", "cookie"}
_HUGE_PIECE = "x" * 65_000


class Fault(StrEnum):
    """What may go wrong with an answer, on demand."""

    RATE_LIMITED = "rate-limited"  # 429
    OVERLOADED = "overloaded"  # 529
    SERVER_ERROR = "server-error"  # 500
    HTML = "html"  # 502 with a page, as proxies in between send it
    HELD_FIRST = "held-first"  # nothing at all until StandIn.release()
    HELD_MIDWAY = "held-midway"  # half the stream, the rest after StandIn.release()
    CUT = "cut"  # the connection is dropped in the middle of an event
    NO_STOP = "no-stop"  # a clean end without message_stop
    STREAM_ERROR = "stream-error"  # an `error` event in the middle
    MALFORMED = "malformed"  # an event whose data is no JSON
    HUGE = "huge"  # one text of StandIn.huge bytes
    GZIP = "gzip"  # a compressed answer


class Step(Enum):
    """What the server does between two pieces of a body."""

    WAIT = auto()  # until released
    DROP = auto()  # drop the connection


type Piece = bytes | Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back. `body` is bytes of known length, or the pieces of a stream."""

    status: int
    headers: Mapping[str, str]
    body: bytes | Iterable[Piece]


_ERRORS = {
    Fault.RATE_LIMITED: (429, "rate_limit_error", "This request would exceed your rate limit."),
    Fault.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    Fault.SERVER_ERROR: (500, "api_error", "Internal server error"),
}


@dataclass(slots=True, kw_only=True)
class Service:
    """The API's behaviour.

    Attributes:
        api_key: The only key that is accepted.
        script: Makes the model's answer.
        piece: Characters in one delta of a stream.
        huge: Bytes of text that `Fault.HUGE` streams.
        leaks: Names of headers that held another credential.
    """

    api_key: str
    script: Callable[[Mapping[str, Any]], Reply] = converse
    piece: int = framing.PIECE
    huge: int = 200 * 1024 * 1024
    leaks: list[str] = field(default_factory=list[str])
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def answer(self, request: Received, fault: Fault | None = None) -> Answer:
        """Answer one request, with `fault` if one is wanted."""
        request_id = f"req_standin{next(self._numbers):017d}"
        path = request.target.partition("?")[0]
        if request.method == "HEAD" and path == "/":
            return _plain(200, b"", "text/plain", request_id)
        if refused := self._refusal(request):
            return _error(401, "authentication_error", refused, request_id)
        if fault in _ERRORS:
            return _error(*_ERRORS[fault], request_id)
        if fault is Fault.HTML:
            return _plain(502, b"<html><h1>Bad Gateway</h1></html>", "text/html", request_id)
        return self._routed(request, path, fault, request_id)

    def _refusal(self, request: Received) -> str:
        # The service takes its key in either header; the SDK since 2.12 sends a bearer.
        right = {"x-api-key": self.api_key, "authorization": f"Bearer {self.api_key}"}
        shown = {
            name: value == right.get(name)
            for name, value in request.headers
            if name in _CREDENTIAL_HEADERS
        }
        self.leaks += [name for name, is_right in shown.items() if not is_right]
        if not shown:
            return "x-api-key header is required"
        return "" if all(shown.values()) else "invalid x-api-key"

    def _routed(self, request: Received, path: str, fault: Fault | None, request_id: str) -> Answer:
        match request.method, path.strip("/").split("/"):
            case "POST", ["v1", "messages"]:
                return self._messages(request, fault, request_id)
            case "POST", ["v1", "messages", "count_tokens"]:
                tokens = count_tokens(request.json())
                return _json(200, {"input_tokens": tokens}, request_id)
            case "GET", ["v1", "models"]:
                data = [_model(name) for name in MODELS]
                ends = {"first_id": MODELS[0], "last_id": MODELS[-1], "has_more": False}
                return _json(200, {"data": data, **ends}, request_id)
            case "GET", ["v1", "models", name] if name in MODELS:
                return _json(200, _model(name), request_id)
            case _:
                return _error(404, "not_found_error", "Not found", request_id)

    def _messages(self, request: Received, fault: Fault | None, request_id: str) -> Answer:
        def invalid(what: str) -> Answer:
            return _error(400, "invalid_request_error", what, request_id)

        if request.header("anthropic-version") is None:
            return invalid("anthropic-version: header is required")
        try:
            body = request.json()
        except ValueError:
            return invalid("The request body is not valid JSON.")
        for name in ("model", "max_tokens", "messages"):
            if name not in body:
                return invalid(f"{name}: Field required")
        reply = self.script(body)
        if body.get("stream") is not True:
            answer = _json(200, framing.message(reply), request_id)
            return _compressed(answer) if fault is Fault.GZIP else answer
        headers = _headers("text/event-stream; charset=utf-8", request_id)
        headers["cache-control"] = "no-cache"
        answer = Answer(status=200, headers=headers, body=self._stream(reply, fault))
        return _compressed(answer) if fault is Fault.GZIP else answer

    def _stream(  # noqa: PLR0911 - one return for each fault
        self, reply: Reply, fault: Fault | None
    ) -> Iterator[Piece]:
        events = list(framing.events(reply, self.piece))
        middle = len(events) // 2
        before, after = events[:middle], events[middle:]
        match fault:
            case Fault.HELD_FIRST:
                return chain([Step.WAIT], events)
            case Fault.HELD_MIDWAY:
                return chain(before, [Step.WAIT], after)
            case Fault.CUT:
                return chain(before, [after[0][:-9], Step.DROP])
            case Fault.NO_STOP:
                return iter(before)
            case Fault.STREAM_ERROR:
                overloaded = {"type": "overloaded_error", "message": "Overloaded"}
                return chain(before, [framing.event("error", error=overloaded)])
            case Fault.MALFORMED:
                return chain(before, [b"event: content_block_delta\ndata: {oops\n\n"], after)
            case Fault.HUGE:
                delta = {"type": "text_delta", "text": _HUGE_PIECE}
                piece = framing.event("content_block_delta", index=0, delta=delta)
                # message_start, ping, content_block_start; then the text; then the three ends.
                much = repeat(piece, -(-self.huge // len(_HUGE_PIECE)))
                return chain(events[:3], much, events[-3:])
            case _:
                return iter(events)


def _model(name: str) -> dict[str, str]:
    title = name.replace("-", " ").title()
    created = "2026-09-29T00:00:00Z"
    return {"type": "model", "id": name, "display_name": title, "created_at": created}


def _headers(content_type: str, request_id: str) -> dict[str, str]:
    return {"content-type": content_type, "request-id": request_id}


def _plain(status: int, body: bytes, content_type: str, request_id: str) -> Answer:
    return Answer(status=status, headers=_headers(content_type, request_id), body=body)


def _json(status: int, value: object, request_id: str) -> Answer:
    return _plain(status, json.dumps(value).encode(), "application/json", request_id)


def _error(status: int, kind: str, text: str, request_id: str) -> Answer:
    return _json(status, framing.error(kind, text, request_id), request_id)


def _compressed(answer: Answer) -> Answer:
    pieces = [answer.body] if isinstance(answer.body, bytes) else answer.body
    body = gzip.compress(b"".join(piece for piece in pieces if isinstance(piece, bytes)))
    return Answer(
        status=answer.status, headers={**answer.headers, "content-encoding": "gzip"}, body=body
    )
