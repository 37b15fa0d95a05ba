"""Durable before it leaves, durable before its end is passed on."""

import dataclasses
import logging
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

from mitmproxy import http
from mitmproxy.connection import Client

from proctor.arriving.watching import Watch
from proctor.budgets.ledger import notice
from proctor.errors import InternalError, UpstreamError
from proctor.model import Finding
from proctor.protocols.anthropic.response import AnswerReader
from proctor.protocols.anthropic.routes import RouteKind
from proctor.protocols.mcp.answers import Framing, framing
from proctor.record import Closing, ContentStream, Ruling
from proctor.redaction.answering import Answering
from proctor.runtime.door import Inside
from proctor.stages.exchange import Exchange, Stamp, names
from proctor.stages.git import unkept, whole_answer
from proctor.stages.gitanswer import GitAnswer
from proctor.stages.mcp import Result as McpResult
from proctor.stages.mcp import call_of
from proctor.stages.mcpgate import McpGate
from proctor.stages.tap import Tap

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

logger = logging.getLogger(__name__)

BUFFERED = 1024 * 1024
"""Bytes of an answer of known length up to which it is recorded before any of it is passed on."""

GIT = "git"
"""`protocol` of what is asked of a git server."""

WEBSOCKET = "websocket"
"""`protocol` of what asks for a WebSocket, and of all that is said over it."""

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
        if exchange.upgrade:
            exchange.opening = dataclasses.replace(exchange.opening, protocol=WEBSOCKET)
        if exchange.git:
            exchange.opening = dataclasses.replace(exchange.opening, protocol=GIT)
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
        if exchange.talk:
            return
        if response.status_code == http.status_codes.SWITCHING:
            raise UpstreamError("switched", "The upstream changed the protocol", got="status 101")
        if exchange.principal and (
            said := notice(self._suite.gate.standing(exchange.principal, exchange.session))
        ):
            response.headers["x-proctor-notice"] = said
        headers = names(response.headers.fields)
        length = headers.get("content-length", "")
        known = length.isdigit()
        content_type = headers.get("content-type", "")
        sse = content_type.lower().startswith("text/event-stream")
        answering = self._screened(exchange)
        exchange.buffered = (
            whole_answer(exchange)
            if exchange.git
            else answering.whole or exchange.bodiless
            if answering
            else known and int(length) <= BUFFERED and not sse
        )
        exchange.arriving = exchange.arriving or self._suite.arrivals.watch(exchange, response)
        tap = Tap(
            encoding=_encoding(exchange, headers),
            reader=(
                AnswerReader(content_type, max_text=MAX_TEXT)
                if exchange.asked is RouteKind.MESSAGES
                else None
            ),
            content=(
                None
                if exchange.buffered or unkept(exchange)
                else self._suite.gate.stream(exchange.ticket)
            ),
            keep_last=known and not exchange.buffered and flow.request.method != "HEAD",
            rewriter=None if exchange.buffered else answering,
            tools=exchange.tools,
            result=self._result(exchange, headers),
            late=_late(exchange, content_type),
            watch=_watch(exchange),
            echo=None if exchange.buffered else exchange.echo,
        )
        exchange.tap = tap
        response.stream = False if exchange.buffered else tap

    @staticmethod
    def _screened(exchange: Exchange) -> Answering | GitAnswer | None:
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
        if exchange.talk and not exchange.refused:
            return None  # its end comes with that of the WebSocket
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
                if unkept(exchange):
                    body, coverage = None, "none: git's own words are not kept"
            await self._looked(flow, exchange)
            answering = exchange.answering
            await self._suite.gate.end(
                exchange.ticket,
                Closing(
                    status=flow.response.status_code if flow.response else None,
                    request_bytes=passed.sent if passed else _pushed(exchange),
                    response_bytes=passed.received if passed else tap.size if tap else 0,
                    error=_why(exchange, error),
                    coverage=coverage,
                    body=body,
                    reply=reply,
                    findings=_findings(exchange),
                    receipt=answering.receipt if answering else None,
                    rulings=_rulings(exchange),
                    tools=(exchange.call,) if exchange.call else (),
                    results=tap.results if tap else (),
                ),
            )
        finally:
            self._suite.close(flow)

    async def _looked(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Look at what came in; where that fails, its end is not passed on."""
        try:
            await self._suite.arrivals.answered(flow.id, exchange)
        except Exception:
            logger.exception("an answer was not looked at", extra={"event": "stage.failed"})
            failed = InternalError("stage-failed", "What came in could not be looked at")
            self._suite.refuse(flow, failed)

    async def _refused(self, flow: http.HTTPFlow, exchange: Exchange, error: str | None) -> None:
        """What was never let through; a refusal stands whether or not it can be recorded."""
        await self._suite.record_refusal(flow, exchange, error)


def _pushed(exchange: Exchange) -> int | None:
    """Bytes of a push, of which the record holds a summary."""
    spool = exchange.git.spool if exchange.git else None
    return len(spool.head) + spool.size if spool else None


def _findings(exchange: Exchange) -> tuple[Finding, ...]:
    """What was found in the answer."""
    found = exchange.answering.findings if exchange.answering else ()
    if exchange.echo:
        found = (*found, *exchange.echo.findings)
    if exchange.arriving:
        found = (*found, *exchange.arriving.findings)
    return (*found, *exchange.tools.findings) if isinstance(exchange.tools, McpGate) else found


def _watch(exchange: Exchange) -> Watch | None:
    """Who is fed what comes; what is looked at as a whole, and git's words, are fed elsewhere."""
    answering = exchange.answering
    elsewhere = exchange.buffered and answering is not None
    return None if elsewhere or isinstance(answering, GitAnswer) else exchange.arriving


def _late(exchange: Exchange, content_type: str) -> bool:
    """Whether nothing of an answer passes before its end."""
    if isinstance(exchange.answering, GitAnswer):
        return exchange.answering.late
    return isinstance(exchange.tools, McpGate) and framing(content_type) is Framing.JSON


def _rulings(exchange: Exchange) -> tuple[Ruling, ...]:
    """What the rules said of parts of the answer."""
    for each in (exchange.fetching, exchange.lfs):
        if each and each.gate:
            return each.gate.rulings
    return exchange.tools.rulings if exchange.tools else ()


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
