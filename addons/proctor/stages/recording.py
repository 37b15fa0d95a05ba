"""Durable before it leaves, durable before its end is passed on."""

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.connection import Client

from proctor.errors import InternalError, UpstreamError
from proctor.model import Finding
from proctor.protocols.anthropic.response import AnswerReader
from proctor.protocols.anthropic.routes import RouteKind
from proctor.protocols.mcp.answers import Framing, framing
from proctor.record import Closing, ContentStream
from proctor.redaction.answering import Answering
from proctor.runtime.door import Inside
from proctor.stages.exchange import Exchange, Stamp, names
from proctor.stages.mcp import Result as McpResult
from proctor.stages.mcp import call_of
from proctor.stages.mcpgate import McpGate
from proctor.stages.tap import Tap

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

BUFFERED = 1024 * 1024
"""Bytes of an answer of known length up to which it is recorded before any of it is passed on."""

MAX_TEXT = 4 * 1024 * 1024
"""Characters of a model's answer that become `output`; what is beyond stands in the body alone."""


class Recording:
    """After decision, before injection; and last of all on the way back."""

    name = "proctor_recording"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Write what is about to leave."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return None
        return self._begin(flow, exchange)

    async def _begin(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if not (exchange.opening and exchange.principal and exchange.ruling):
            raise InternalError("not-decided", "A stage before the record is missing")
        exchange.ticket = await self._suite.gate.begin(
            exchange.opening, exchange.principal, exchange.session, exchange.ruling
        )
        exchange.call = call_of(exchange, flow)
        exchange.stamps |= Stamp.RECORDED

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Choose how the answer passes: whole, or as it comes."""
        exchange = self._suite.exchange(flow)
        response = flow.response
        if exchange.ticket is None or response is None or exchange.ended or exchange.refused:
            return
        if response.status_code == http.status_codes.SWITCHING:
            raise UpstreamError("switched", "The upstream changed the protocol", got="status 101")
        headers = names(response.headers.fields)
        length = headers.get("content-length", "")
        known = length.isdigit()
        content_type = headers.get("content-type", "")
        sse = content_type.lower().startswith("text/event-stream")
        answering = self._screened(exchange)
        exchange.buffered = (
            answering.whole or exchange.bodiless
            if answering
            else known and int(length) <= BUFFERED and not sse
        )
        tap = Tap(
            encoding=_encoding(exchange, headers),
            reader=(
                AnswerReader(content_type, max_text=MAX_TEXT)
                if exchange.asked is RouteKind.MESSAGES
                else None
            ),
            content=None if exchange.buffered else self._suite.gate.stream(exchange.ticket),
            keep_last=known and not exchange.buffered and flow.request.method != "HEAD",
            rewriter=None if exchange.buffered else answering,
            tools=exchange.tools,
            result=self._result(exchange, headers),
            late=isinstance(exchange.tools, McpGate) and framing(content_type) is Framing.JSON,
        )
        exchange.tap = tap
        response.stream = False if exchange.buffered else tap

    @staticmethod
    def _screened(exchange: Exchange) -> Answering | None:
        if not exchange.screened:
            raise InternalError("not-screened", "A stage before the record is missing")
        return exchange.answering

    @staticmethod
    def _result(exchange: Exchange, headers: Mapping[str, str]) -> McpResult | None:
        kind = framing(headers.get("content-type", ""))
        if kind is None or exchange.call is None:
            return None
        gate, events = exchange.tools, kind is Framing.EVENTS
        if isinstance(gate, McpGate):
            return McpResult(exchange.call, events=events, last=gate.last)
        return McpResult(exchange.call, events=events)

    def response(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Write how it ended, before the end is passed on."""
        exchange = self._suite.exchange(flow)
        if exchange.ended:
            self._suite.close(flow)
            return None
        answering = exchange.answering
        whole = answering and (answering.whole or exchange.bodiless)
        if whole and not exchange.arrived and not exchange.refused:
            raise InternalError("not-screened", "A stage before the record is missing")
        exchange.ended = True
        return self._end(flow, exchange, error=None)

    def error(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Write how it broke off."""
        exchange = self._suite.exchange(flow)
        if exchange.ended:
            self._suite.close(flow)
            return None
        exchange.ended = True
        self._suite.gone(flow)  # an upstream that broke off leaves nothing to wait for
        return self._end(flow, exchange, error=flow.error.msg if flow.error else "unknown error")

    def http_connect_error(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Write that a tunnel was refused."""
        exchange = self._suite.exchange(flow)
        if exchange.ended:
            self._suite.close(flow)
            return None
        exchange.ended = True
        return self._end(flow, exchange, error=exchange.error)

    async def opaque_ended(self, inside: Inside) -> None:
        """Write how much has passed through a tunnel that nobody reads."""
        exchange = self._suite.exchange(inside.flow)
        if not exchange.ended:
            exchange.ended = True
            await self._end(inside.flow, exchange, str(inside.error) if inside.error else None)

    def client_disconnected(self, client: Client) -> Awaitable[None] | None:
        """Write the end of what never told its own: a layer that failed leaves an exchange open."""
        lost = self._suite.lost(client)
        return self._lost(lost) if lost else None

    async def _lost(self, flows: list[http.HTTPFlow]) -> None:
        for flow in flows:
            exchange = self._suite.exchange(flow)
            exchange.ended = True
            self._suite.gone(flow)
            await self._end(flow, exchange, error="the connection was lost")

    async def _end(self, flow: http.HTTPFlow, exchange: Exchange, error: str | None) -> None:
        try:
            if exchange.ticket is None:
                await self._refused(flow, exchange, error)
                return
            tap = exchange.tap
            passed = self._suite.passed(flow)
            reply, coverage = None, "none: passed unread" if passed else "full"
            body: bytes | ContentStream | None = None
            if tap:
                body = tap.content
                if exchange.buffered and flow.response:
                    body = tap.read(flow.response.raw_content or b"")
                reply, coverage = tap.finish()
            answering = exchange.answering
            await self._suite.gate.end(
                exchange.ticket,
                Closing(
                    status=flow.response.status_code if flow.response else None,
                    request_bytes=passed.sent if passed else None,
                    response_bytes=passed.received if passed else tap.size if tap else 0,
                    error=_why(exchange, error),
                    coverage=coverage,
                    body=body,
                    reply=reply,
                    findings=_findings(exchange),
                    receipt=answering.receipt if answering else None,
                    rulings=exchange.tools.rulings if exchange.tools else (),
                    tools=(exchange.call,) if exchange.call else (),
                    results=tap.results if tap else (),
                ),
            )
        finally:
            self._suite.close(flow)

    async def _refused(self, flow: http.HTTPFlow, exchange: Exchange, error: str | None) -> None:
        """What was never let through; a refusal stands whether or not it can be recorded."""
        await self._suite.record_refusal(flow, exchange, error)


def _findings(exchange: Exchange) -> tuple[Finding, ...]:
    """What was found in the answer."""
    found = exchange.answering.findings if exchange.answering else ()
    return (*found, *exchange.tools.findings) if isinstance(exchange.tools, McpGate) else found


def _why(exchange: Exchange, error: str | None) -> str | None:
    """What went wrong: ours first, since a connection that we cut off is also lost."""
    tap = exchange.tap
    if exchange.refused is not None:
        return exchange.error
    if tap and tap.failed:
        return tap.error
    return error or (tap.error if tap else None)


def _encoding(exchange: Exchange, headers: Mapping[str, str]) -> str:
    """What the tap has to take off; a whole answer that was looked at has none left."""
    if exchange.answering is None:
        return headers.get("content-encoding", "")
    return "" if exchange.buffered else exchange.answering.encoding
