"""What is it? Turns an exchange into Actions, and binds what was looked at."""

import re
from collections.abc import Awaitable, Iterable
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mitmproxy import http

from proctor.egress.carried import carried, spoken
from proctor.errors import ClientError, ProctorError, RefusedError
from proctor.gate import Gate
from proctor.model import Action, ActionKind, HttpFields, LlmFields, Principal, Session
from proctor.protocols.anthropic.request import MessagesRequest, RequestReader
from proctor.protocols.anthropic.routes import RouteKind
from proctor.protocols.mcp.actions import tool_use_id
from proctor.record import Question, ToolResult
from proctor.redaction.model import RedactionError
from proctor.stages.exchange import (
    Exchange,
    Stamp,
    asked,
    judged,
    opening_of,
    product,
)
from proctor.stages.git import GitReader, opened
from proctor.stages.gitlfs import lfs_opened
from proctor.stages.mcp import SESSION as MCP_SESSION
from proctor.stages.mcp import mcp_request, opaque_of, session_of, with_opaque
from proctor.stages.naming import look_at_name
from proctor.stages.reading import http_fields, query_of

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

SESSION_HEADER = "x-claude-code-session-id"
CLASS_HEADER = "x-claude-code-request-class"
COUNTING = "count_tokens"
"""`llm.request_class` of what only counts."""
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
        *(b"sec-websocket-key", b"sec-websocket-extensions"),  # neither leaves
        SESSION_HEADER.encode(),
    }
)
# How long the client waits (RFC 7240 4.1 and 4.3); what else it prefers may change what is done.
_PATIENCE = re.compile(
    rb"(?:^|(?<=,))[ \t]*(?:respond-async|wait[ \t]*=[ \t]*\"?[0-9]*\"?)[ \t]*(?:,|$)",
    re.IGNORECASE,
)
MAX_SESSION_ID = 200


class Inspection:
    """After admission, and after every other addon and any edit by hand."""

    name = "proctor_inspection"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite
        self._reader = RequestReader()
        self._reads_git = GitReader(suite)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Choose where a push to a git server goes while it arrives."""
        exchange = self._suite.exchange(flow)
        if exchange.done or exchange.target is None or exchange.target.speaks != "git":
            return
        if not exchange.stamps & Stamp.ADMITTED:
            return
        try:
            exchange.git = opened(self._suite, flow)
            exchange.lfs = lfs_opened(self._suite, flow, exchange)
        except ProctorError as error:
            self._suite.refuse(flow, error)

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Read the request; ClientError where it cannot be read without doubt."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return None
        try:
            if not look_at_name(self._suite, flow, exchange):
                return None
            self._read(flow, exchange)
            if exchange.opening is None:
                exchange.opening = opening_of(flow, exchange.listener)
            if exchange.git:
                return self._git(flow, exchange)
            if not self._located(exchange):
                return self._locate(flow, exchange)
        except (ClientError, RedactionError) as error:
            self._suite.refuse(flow, error)
            return None
        self._inspected(flow, exchange)
        return None

    def _read(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        request = flow.request
        if request.raw_content is None or request.trailers:
            raise ClientError("body-unread", "The body cannot be read whole")
        if not _one_request(request):
            raise ClientError(
                "request-ambiguous", "The request could be read in two ways (RFC 9112 2.2)"
            )
        self._whose(request, exchange)
        match exchange.to.speaks:
            case "anthropic":
                self._anthropic(flow, exchange)
            case "mcp":
                self._mcp(flow, exchange)
            case "git":
                self._name_session(request, exchange, None)  # what it does is read in `_git`
            case _:
                exchange.actions = (self._plain(request, exchange),)
                self._name_session(request, exchange, None)

    def _located(self, exchange: Exchange) -> bool:
        """Whether nothing has to be looked up."""
        target = exchange.to
        if target.named or target.via:
            return True
        known = self._suite.resolver.known(exchange.at[0], target.host, target.addresses)
        exchange.addresses = known or ()
        return known is not None

    @staticmethod
    def _inspected(flow: http.HTTPFlow, exchange: Exchange) -> None:
        exchange.what = judged(flow.request)
        exchange.stamps |= Stamp.INSPECTED

    async def _locate(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Look up where a destination is; what is looked at here is what is dialled later."""
        try:
            await self._looked_up(exchange)
        except ProctorError as error:
            self._suite.refuse(flow, error)
            return
        self._inspected(flow, exchange)

    async def _looked_up(self, exchange: Exchange) -> None:
        target = exchange.to
        exchange.addresses = await self._suite.resolver.pinned(
            *exchange.at, target.host, target.addresses
        )

    async def _git(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Find out what is asked of a git server; for a push it is asked what that builds upon."""
        try:
            if not self._located(exchange):
                await self._looked_up(exchange)
            fields = http_fields(flow.request, exchange, self._suite.specs)
            await self._reads_git.read(flow, exchange, fields)
        except ProctorError as error:
            self._suite.refuse(flow, error)
            return
        self._inspected(flow, exchange)

    @staticmethod
    def _whose(request: http.Request, exchange: Exchange) -> None:
        """A client's own credential passes only where the operator says so."""
        target = exchange.to
        if target.own:
            return
        # What a header held is taken out, and replaced where a credential is put in.
        headers = () if target.credential else exchange.own
        path = unquote(request.data.path.decode("latin-1").partition("?")[0])
        name = carried(headers, query_of(request)) or spoken(path, request.raw_content or b"")
        if name:
            raise RefusedError(
                "client-credential",
                "The request carries a credential of the client's own",
                got=name,
                expected="none: proctor puts one in where one is needed",
                hint="Where it is meant to pass, the destination says `credential: client`.",
                rule_id="client-credential",
            )

    def _anthropic(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        request = flow.request
        kind = exchange.asked = asked(request)
        if kind is RouteKind.OTHER:
            exchange.actions = (self._plain(request, exchange),)
            self._name_session(request, exchange, None)
            return
        fields = http_fields(request, exchange, self._suite.specs)
        if kind is RouteKind.MODELS:
            llm = LlmFields(request_class="models")
            exchange.actions = (_action(exchange, request, ActionKind.LLM_REQUEST, fields, llm),)
            self._name_session(request, exchange, None)
            return
        _as_it_is(fields)
        message = exchange.message = self._reader.parse(request.raw_content or b"")
        request_class = COUNTING if kind is RouteKind.COUNT_TOKENS else class_of(request)
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
                exchange,
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

    def _mcp(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        request = flow.request
        fields = http_fields(request, exchange, self._suite.specs)
        _as_it_is(fields)
        self._unseal(request, exchange)
        exchange.actions = mcp_request(flow, exchange, fields)
        call = ""
        if exchange.mcp:
            exchange.opaque = opaque_of(self._suite, exchange, exchange.mcp)
            if exchange.opaque:
                unsaid = dict.fromkeys(exchange.opaque, "")
                request.raw_content = with_opaque(request.raw_content or b"", unsaid)
            call = tool_use_id(exchange.mcp)
        self._name_session(request, exchange, None, tool_use_id=call)

    def _unseal(self, request: http.Request, exchange: Exchange) -> None:
        """A server's session is for whoever opened it."""
        sealed = request.headers.get_all(MCP_SESSION)
        if not sealed:
            return
        if len(sealed) > 1:
            raise ClientError("mcp-session", "The request names several sessions")
        request.headers[MCP_SESSION] = session_of(self._suite, exchange, sealed[0])

    def _plain(self, request: http.Request, exchange: Exchange) -> Action:
        # With another credential it would be done to another account.
        content = [_meant((*request.headers.fields, *exchange.own)), request.raw_content or b""]
        fields = http_fields(request, exchange, self._suite.specs, body=request.raw_content or b"")
        _as_described(exchange, fields)
        return _action(exchange, request, ActionKind.HTTP_REQUEST, fields, None, content=content)

    def _name_session(
        self,
        request: http.Request,
        exchange: Exchange,
        message: MessagesRequest | None,
        *,
        turn: bool = False,
        tool_use_id: str = "",
    ) -> None:
        if exchange.principal:
            exchange.session = run_of(
                self._suite.gate,
                exchange.principal,
                request,
                message,
                turn=turn,
                tool_use_id=tool_use_id,
            )


def run_of(  # noqa: PLR0913 - what a run is known by
    gate: Gate,
    principal: Principal,
    request: http.Request,
    message: MessagesRequest | None = None,
    *,
    turn: bool = False,
    tool_use_id: str = "",
) -> Session | None:
    """The run that a request is part of: the client's own name for it, or what can be told.

    That is never trusted.
    """
    name, how = request.headers.get(SESSION_HEADER, ""), "header"
    if not name and message and message.client_session_id:
        name, how = message.client_session_id, "metadata"
    if not name:
        return gate.joined(principal, tool_use_id, client=product(request))
    if len(name) > MAX_SESSION_ID or not name.isprintable():
        return None
    return gate.session(
        principal,
        name,
        client=product(request),
        correlated_by=how,
        repository=message.folder if message else "",
        turn=turn,
    )


def _as_described(exchange: Exchange, fields: HttpFields) -> None:
    """Where the operator says so, what an API's description does not allow is denied.

    Raises:
        RefusedError: It does not.
    """
    openapi = exchange.to.openapi
    if openapi and openapi.strict and fields.violations:
        raise RefusedError(
            "openapi-violated",
            "The call is not as the API's description has it",
            got=fields.violations[0],
            rule_id="openapi",
        )


def _as_it_is(fields: HttpFields) -> None:
    """A body that says what is done comes uncompressed and in UTF-8.

    Raises:
        ClientError: It does not.
    """
    encoding = fields.headers.get("content-encoding")
    if encoding is not None:
        raise ClientError(
            "body-encoded",
            "A compressed request cannot be judged",
            got=f"content-encoding {encoding[:40]}",
            expected="the body as plain JSON",
            status=415,
        )
    charset = _CHARSET.search(fields.headers.get("content-type", ""))
    if charset and charset[1].lower() not in {"utf-8", "utf8"}:
        raise ClientError(
            "body-charset",
            "A body in another character set could be read in two ways",
            got=f"charset {charset[1][:40]}",
            expected="UTF-8 (RFC 8259 8.1)",
            status=415,
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
    exchange: Exchange,
    request: http.Request,
    kind: ActionKind,
    fields: HttpFields,
    llm: LlmFields | None,
    content: Any = (),
) -> Action:
    return Action(
        kind=kind,
        listener=exchange.listener,
        target=f"{request.method} {fields.scheme}://{fields.host}:{fields.port}{request.path}",
        content=content,
        size=len(request.raw_content or b""),
        http=fields,
        llm=llm,
    )
