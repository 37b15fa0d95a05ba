"""What is it? Turns an exchange into Actions, and binds what was looked at."""

import re
from collections.abc import Iterable
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from mitmproxy import http

from proctor.errors import ClientError
from proctor.model import Action, ActionKind, CredentialSource, HttpFields, LlmFields
from proctor.protocols.anthropic.request import MessagesRequest, RequestReader
from proctor.protocols.anthropic.routes import RouteKind
from proctor.protocols.jsonspan import loads
from proctor.record import Question, ToolResult
from proctor.settings import Listener
from proctor.stages.exchange import (
    Exchange,
    Stamp,
    asked,
    joined,
    judged,
    names,
    opening_of,
    product,
)

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

SESSION_HEADER = "x-claude-code-session-id"
CLASS_HEADER = "x-claude-code-request-class"
_CHARSET = re.compile(r"(?i)charset\s*=\s*[\"']?([^\"';\s]+)")
_BREAK = re.compile(rb"[\r\n\0]")
_GAP = re.compile(rb"[\0- \x7f]")
# Framing, and the names and times of one try; they are no part of the
# digest. Neither are the host, which the target names, and the run's name, which an approval is
# bound to by itself.
_VOLATILE = frozenset(
    {
        b"host",
        *(b"content-length", b"transfer-encoding", b"expect", b"date", b"priority"),
        *(b"traceparent", b"tracestate", b"baggage", b"b3", b"sentry-trace", b"x-amzn-trace-id"),
        *(b"x-b3-traceid", b"x-b3-spanid", b"x-b3-parentspanid", b"x-b3-sampled"),
        *(b"x-cloud-trace-context", b"x-datadog-trace-id", b"x-datadog-parent-id"),
        *(b"request-id", b"x-request-id", b"x-correlation-id", b"x-client-request-id"),
        *(b"idempotency-key", b"x-stainless-retry-count", b"x-stainless-timeout"),
        SESSION_HEADER.encode(),
    }
)
# How long the client waits (RFC 7240 4.1 and 4.3); what else it prefers may change what is done.
_PATIENCE = re.compile(
    rb"(?:^|(?<=,))[ \t]*(?:respond-async|wait[ \t]*=[ \t]*\"?[0-9]*\"?)[ \t]*(?:,|$)",
    re.IGNORECASE,
)
MAX_SESSION_ID = 200
MAX_JSON = 256 * 1024
"""Bytes of a JSON body that rules may look into; a larger one is not handed in."""


class Inspection:
    """After admission, and after every other addon and any edit by hand."""

    name = "proctor_inspection"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite
        self._reader = RequestReader()

    def request(self, flow: http.HTTPFlow) -> None:
        """Read the request; ClientError where it cannot be read without doubt."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return
        request = flow.request
        listener = self._suite.listener(exchange.listener)
        if request.raw_content is None or request.trailers:
            self._suite.refuse(flow, ClientError("body-unread", "The body cannot be read whole"))
            return
        if not _one_request(request):
            self._suite.refuse(
                flow,
                ClientError(
                    "request-ambiguous", "The request could be read in two ways (RFC 9112 2.2)"
                ),
            )
            return
        try:
            if listener.speaks == "anthropic":
                self._anthropic(flow, exchange, listener)
            else:
                exchange.actions = (self._plain(request, listener),)
                self._name_session(request, exchange, None)
        except ClientError as error:
            self._suite.refuse(flow, error)
            return
        if exchange.opening is None:
            exchange.opening = opening_of(flow, exchange.listener)
        exchange.what = judged(request)
        exchange.stamps |= Stamp.INSPECTED

    def _anthropic(self, flow: http.HTTPFlow, exchange: Exchange, listener: Listener) -> None:
        request = flow.request
        kind = exchange.asked = asked(request)
        if kind is RouteKind.OTHER:
            exchange.actions = (self._plain(request, listener),)
            self._name_session(request, exchange, None)
            return
        fields = _http_fields(request, listener)
        if kind is RouteKind.MODELS:
            llm = LlmFields(request_class="models")
            exchange.actions = (_action(listener, request, ActionKind.LLM_REQUEST, fields, llm),)
            self._name_session(request, exchange, None)
            return
        headers = fields.headers
        if "content-encoding" in headers:
            raise ClientError(
                "body-encoded",
                "A compressed request cannot be judged",
                got=f"content-encoding {headers['content-encoding'][:40]}",
                expected="the body as plain JSON",
                status=415,
            )
        charset = _CHARSET.search(headers.get("content-type", ""))
        if charset and charset[1].lower() not in {"utf-8", "utf8"}:
            raise ClientError(
                "body-charset",
                "A body in another character set could be read in two ways",
                got=f"charset {charset[1][:40]}",
                expected="UTF-8 (RFC 8259 8.1)",
                status=415,
            )
        message = exchange.message = self._reader.parse(request.raw_content or b"")
        request_class = "count_tokens" if kind is RouteKind.COUNT_TOKENS else class_of(request)
        llm = LlmFields(
            model=message.model,
            stream=message.stream,
            max_tokens=message.max_tokens,
            tools=message.tools,
            features=message.features,
            request_class=request_class,
        )
        exchange.actions = (
            _action(
                listener,
                request,
                ActionKind.LLM_REQUEST,
                fields,
                llm,
                content=(_meant(_versions(request.headers.fields)), *message.canonical),
            ),
        )
        self._name_session(request, exchange, message, turn=kind is RouteKind.MESSAGES)
        exchange.opening = opening_of(
            flow,
            exchange.listener,
            cuts=message.cuts,
            question=(question_of(message, request_class) if kind is RouteKind.MESSAGES else None),
        )

    def _plain(self, request: http.Request, listener: Listener) -> Action:
        content = [_meant(request.headers.fields), request.raw_content or b""]
        fields = _http_fields(request, listener, body=request.raw_content)
        return _action(listener, request, ActionKind.HTTP_REQUEST, fields, None, content=content)

    def _name_session(
        self,
        request: http.Request,
        exchange: Exchange,
        message: MessagesRequest | None,
        *,
        turn: bool = False,
    ) -> None:
        """The client's own name for its run: correlated with, never trusted."""
        name, how = request.headers.get(SESSION_HEADER, ""), "header"
        if not name and message and message.client_session_id:
            name, how = message.client_session_id, "metadata"
        if exchange.principal and 0 < len(name) <= MAX_SESSION_ID and name.isprintable():
            exchange.session = self._suite.gate.session(
                exchange.principal,
                name,
                client=product(request),
                correlated_by=how,
                repository=message.folder if message else "",
                turn=turn,
            )


def _versions(fields: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """The headers that change what a request to the model means: `anthropic-beta`, `-version`."""
    return (field for field in fields if field[0].lower().startswith(b"anthropic-"))


def _meant(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The headers that say what a request does, as they are the same in a retry of it."""
    known = ((name.lower(), value) for name, value in fields)
    told = ((n, _PATIENCE.sub(b"", v).strip(b" \t,") if n == b"prefer" else v) for n, v in known)
    kept = sorted(
        ((n, v) for n, v in told if n not in _VOLATILE and (v or n != b"prefer")),
        key=itemgetter(0),
    )
    text = b"".join(b"%d:%s%d:%s" % (len(n), n, len(v), v) for n, v in kept)
    return b"%d:%s" % (len(text), text)


def _one_request(request: http.Request) -> bool:
    """Whether this is one request on any wire: HTTP/2 and editors know no lines, HTTP/1 does."""
    data = request.data
    coding = request.headers.get("transfer-encoding", "chunked").lower()
    fields = b"".join(chain.from_iterable(data.headers.fields))
    return (
        coding == "chunked"
        and not _BREAK.search(fields)
        and not _BREAK.search(data.authority)
        and not _GAP.search(data.method)
        and not _GAP.search(data.path)
    )


def class_of(request: http.Request) -> str:
    """What the client says a request to the model is for."""
    said: str = request.headers.get(CLASS_HEADER, "messages")
    return said[:100]


def question_of(message: MessagesRequest, request_class: str) -> Question:
    """What the record says of a turn."""
    return Question(
        model=message.model,
        prompt=message.prompt,
        request_class=request_class,
        stream=message.stream,
        results=tuple(
            ToolResult(
                tool_use_id=result.tool_use_id,
                content=result.content.encode("utf-8", "surrogatepass"),
                is_error=result.is_error,
            )
            for result in message.results
        ),
    )


def _action(  # noqa: PLR0913, PLR0917 - the parts of an action
    listener: Listener,
    request: http.Request,
    kind: ActionKind,
    fields: HttpFields,
    llm: LlmFields | None,
    content: Any = (),
) -> Action:
    return Action(
        kind=kind,
        listener=listener.name,
        target=f"{request.method} {fields.scheme}://{fields.host}:{fields.port}{request.path}",
        content=content,
        size=len(request.raw_content or b""),
        http=fields,
        llm=llm,
    )


def _http_fields(
    request: http.Request, listener: Listener, body: bytes | None = None
) -> HttpFields:
    data = request.data
    path, _, query = data.path.decode("latin-1").partition("?")
    headers = names(data.headers.fields)
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return HttpFields(
        method=data.method.decode("latin-1"),
        scheme=data.scheme.decode("latin-1"),
        host=data.host,
        port=data.port,
        path=path,
        query=joined(parse_qsl(query, keep_blank_values=True)) if query else {},
        headers=headers,
        content_type=content_type,
        json=_json(body, content_type) if body else None,
        credential=CredentialSource.INJECTED if listener.credential else CredentialSource.NONE,
    )


def _json(body: bytes, content_type: str) -> Any:
    """The body for rules to look into; None where it is too large or read in two ways."""
    if "json" not in content_type.lower() or len(body) > MAX_JSON:
        return None
    try:
        return loads(body.decode())
    except (ValueError, RecursionError):
        return None
