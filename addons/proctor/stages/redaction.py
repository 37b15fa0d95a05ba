"""What must not pass is taken out: of the request once the rules were asked, of the answer too.

The flow, which people and other addons see, holds what may be seen. What leaves and what the client
gets may differ from it, and stand beside it.
"""

import dataclasses
import logging
import time
from collections.abc import Awaitable, Collection
from http import HTTPStatus
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.errors import (
    ClientError,
    InternalError,
    ProctorError,
    RefusedError,
    UpstreamError,
)
from proctor.protocols.anthropic.request import MessagesRequest, RequestReader
from proctor.protocols.anthropic.routes import RouteKind
from proctor.protocols.mcp.answers import framing
from proctor.redaction.answering import Answering
from proctor.redaction.cutting import Message, decoded, undecodable
from proctor.redaction.model import RedactionError
from proctor.redaction.passing import Passing
from proctor.redaction.screen import Screen
from proctor.runtime.flows import forget_edits
from proctor.runtime.wording import told
from proctor.stages.echoing import listen, plain, put_out
from proctor.stages.exchange import Exchange, Leaving, Stamp, judged, opening_of
from proctor.stages.git import answered, stays
from proctor.stages.gitanswer import GitAnswer
from proctor.stages.gitfetch import answer_of
from proctor.stages.gitlfs import lfs_answer
from proctor.stages.gitsaid import push_answer
from proctor.stages.inspection import class_of, question_of
from proctor.stages.learning import learner
from proctor.stages.mcp import SESSION, seal, with_opaque
from proctor.stages.mcpgate import McpGate
from proctor.stages.mcpleaving import mcp_kept, mcp_leaving
from proctor.stages.search import unusual
from proctor.stages.seen import seen_of
from proctor.stages.toolgate import ToolGate

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

logger = logging.getLogger(__name__)

OUTDATED = frozenset(
    {"content-encoding", "content-md5", "digest", "content-digest", "repr-digest", "trailer"}
)
"""Headers that are about the bytes as they came (RFC 9110 8.4, RFC 9530)."""

PLACES = frozenset({"location", "content-location", "content-disposition", "link", "refresh"})
"""Headers of answers that hold URLs and names of files."""

_NO_CODING = frozenset({"", "identity"})
_SILENT = frozenset({HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})


class Redaction:
    """After decision, before recording; on the way back before recording, too."""

    name = "proctor_redaction"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite
        self._reader = RequestReader()

    def early_request(self, flow: http.HTTPFlow) -> None:
        """What was refused by its head has got its body since."""
        exchange = self._suite.exchange(flow)
        if exchange.refused:
            self.conceal(flow, exchange)

    def request(self, flow: http.HTTPFlow) -> None:
        """Change the request."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return
        screen = self._suite.screen(exchange.listener)
        try:
            stays(exchange, screen)
        except RefusedError as error:
            self._suite.refuse(flow, error)
            return
        if screen:
            try:
                self._take_out(flow, exchange, screen)
            except (ClientError, RedactionError, RefusedError) as error:
                self._suite.refuse(flow, error)
                return
        elif exchange.git and exchange.git.summary:
            self._summed_up(flow, exchange, exchange.git.summary)
        else:
            self._see(flow, exchange)
        if exchange.git and exchange.git.spool:
            self._packed(flow, exchange, exchange.git.spool.head)
        if exchange.opaque:
            data = flow.request.data
            leaving = exchange.leaving or Leaving(data.path, data.headers.fields, data.content)
            content = with_opaque(leaving.content or b"", exchange.opaque)
            exchange.leaving = dataclasses.replace(leaving, content=content)
        exchange.stamps |= Stamp.REDACTED

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Choose how the answer is looked at."""
        exchange = self._suite.exchange(flow)
        exchange.screened = True
        screen, response = self._suite.screen(exchange.listener), flow.response
        if response is None or _unchanged(exchange, response):
            return
        listen(self._suite, exchange, response)
        if exchange.ruling is None or exchange.principal is None:
            raise InternalError("not-decided", "A stage before redaction is missing")
        headers = response.headers
        if exchange.git:
            # What it says is read by git's own rules: see `stages.git` and `stages.gitfetch`.
            self._fetched(flow, exchange, response)
            return
        coded = _coded(exchange, response)
        if not self._judged(flow, exchange, response) and screen is None and not coded:
            return
        if exchange.refused:
            return
        response.reason = http.status_codes.RESPONSES.get(response.status_code, "")
        answering = self._answering(exchange, screen, headers)
        exchange.answering = answering
        if exchange.tools:
            exchange.tools.answering = answering
        try:
            answering.check(response.status_code)
        except RedactionError as error:
            answering.failed(error)
            self._suite.refuse(flow, error)
            return
        looked_at = PLACES | screen.headers if screen else frozenset[str]()
        named = ((name.decode("latin-1").lower(), name, value) for name, value in headers.fields)
        headers.fields = tuple(
            (name, answering.header(name, value) if lower in looked_at else value)
            for lower, name, value in named
            if lower not in OUTDATED
        )
        if _bodiless(flow.request.method, response):
            exchange.bodiless = True
        elif not answering.whole:
            _endless(flow, headers)

    def _fetched(self, flow: http.HTTPFlow, exchange: Exchange, response: http.Response) -> None:
        """Have what is fetched looked at before it goes on."""
        try:
            answer = (
                answer_of(self._suite, flow, exchange)
                or lfs_answer(self._suite, flow, exchange)
                or push_answer(self._suite, flow, exchange)
            )
        except UpstreamError as error:
            self._suite.refuse(flow, error)
            return
        if answer is None:
            if _coded(exchange, response):
                self._suite.refuse(flow, undecodable(response.headers["content-encoding"]))
            return
        exchange.answering = answer
        fields = response.headers.fields
        response.headers.fields = tuple(
            each for each in fields if each[0].decode("latin-1").lower() not in OUTDATED
        )
        _endless(flow, response.headers)

    def early_response(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Change an answer that came as a whole, before any other addon sees it."""
        exchange = self._suite.exchange(flow)
        answering, response = exchange.answering, flow.response
        if response:
            put_out(exchange, response)
        if exchange.git and not exchange.done:
            self._git(flow, exchange)
            return None
        if answering is None or response is None or exchange.done:
            return None
        response.trailers = None  # nobody looks at them
        if exchange.bodiless:
            # HTTP/2 can send one all the same (RFC 9113 8.1.1).
            response.data.content = b""
            exchange.arrived = True
            return None
        if isinstance(answering, GitAnswer) or not answering.whole:
            return None
        return self._change(flow, exchange, answering, response)

    def _git(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        try:
            answered(self._suite, flow, exchange)
        except ProctorError as error:
            exchange.arrived = True
            self._suite.refuse(flow, error)

    def early_error(self, flow: http.HTTPFlow) -> None:
        """What a library says of bytes it could not read quotes them."""
        if flow.error:
            flow.error.msg = told(flow.error.msg)

    async def _change(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        answering: Answering,
        response: http.Response,
    ) -> None:
        screen = self._suite.screen(exchange.listener)
        body = response.data.content or b""
        response.data.content = b""
        exchange.arrived = True
        try:
            body, answering.encoding = plain(exchange, body, answering.encoding)
            if screen:
                await screen.read(answering, body)
            else:
                answering.body(decoded(body, answering.encoding))
            exchange.arriving = self._suite.arrivals.watch(exchange, response)
            if exchange.arriving:
                exchange.arriving.feed(decoded(body, answering.encoding))
            if exchange.tools:
                answering.ask()
                await exchange.tools.settled()
            if exchange.killed:
                raise exchange.killed
            out = answering.result()
        except ProctorError as error:
            self._suite.refuse(flow, error)
            return
        response.headers.pop("transfer-encoding", None)
        response.data.content = out.record
        response.headers["content-length"] = str(len(out.record))
        if out.client != out.record:
            client = response.copy()
            client.data.content = out.client
            client.headers["content-length"] = str(len(out.client))
            self._suite.deliver(flow, client)

    def _judged(self, flow: http.HTTPFlow, exchange: Exchange, response: http.Response) -> bool:
        """Whether there is something in an answer that has to be judged."""
        if exchange.asked is RouteKind.MESSAGES:
            exchange.tools = ToolGate(self._suite, flow, exchange)
            return True
        if exchange.to.speaks == "mcp":
            self._mcp(flow, exchange, response)
            return True
        return False

    def _mcp(self, flow: http.HTTPFlow, exchange: Exchange, response: http.Response) -> None:
        """Have an MCP server's answer judged message by message."""
        headers, status = response.headers, response.status_code
        if exchange.to.credential and status == HTTPStatus.UNAUTHORIZED:
            # It is not the client that was not let in; it would ask its own issuer again.
            error = UpstreamError(
                "mcp-answer",
                "The MCP server did not take proctor's own credential",
                got="status 401",
            )
            self._suite.refuse(flow, error)
            return
        if SESSION in headers:
            headers[SESSION] = seal(self._suite, exchange, headers[SESSION])
        if framing(headers.get("content-type", "")):
            exchange.tools = McpGate(self._suite, flow, exchange)
        elif not _unsaid(response):
            error = UpstreamError(
                "mcp-answer",
                "The MCP server's answer is of a kind that cannot be judged",
                got=f"status {response.status_code}",
                expected="JSON or events, from the address that proctor.yaml has",
            )
            self._suite.refuse(flow, error)

    def _answering(
        self, exchange: Exchange, screen: Screen | None, headers: http.Headers
    ) -> Answering:
        gate = exchange.tools
        kind = headers.get("content-type", "")
        messages = gate.messages(kind) if isinstance(gate, McpGate) else None
        judge = exchange.tools if isinstance(exchange.tools, ToolGate) else None
        content_type = headers.get("content-type", "")
        encoding = headers.get("content-encoding", "")
        if screen is None or exchange.ruling is None or exchange.principal is None:
            # Nothing is looked at here, but tool calls are judged.
            return Answering(
                Passing(),
                content_type=content_type,
                encoding=encoding,
                judge=judge,
                media=True,
                detectors=(),
                clock=time.monotonic,
                messages=messages,
            )
        return screen.answer(
            content_type=content_type,
            encoding=encoding,
            redact=exchange.ruling.redact,
            principal=exchange.principal,
            session=exchange.session,
            judge=judge,
            messages=messages,
            learn=learner(self._suite, exchange, screen),
        )

    def conceal(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Have the flow of what is refused hold nothing that was not looked at."""
        screen = self._suite.screen(exchange.listener)
        if exchange.sent or exchange.stamps & Stamp.REDACTED:
            return
        if screen is None:
            self._see(flow, exchange)
            return
        forget_edits(flow)
        look, cut, principal = exchange.look, exchange.cut, exchange.principal
        if look and cut and principal and exchange.what == judged(flow.request):
            redact = exchange.ruling.redact if exchange.ruling else {}
            try:
                parts = screen.mask(look, redact, principal)
                taken = parts != tuple(piece.raw for piece in look.pieces)
                shown = cut.whole(parts)
                if exchange.mcp:
                    shown = mcp_kept(exchange.mcp, shown)
                self._show(flow, exchange, shown, screen, taken=taken)
            except (RedactionError, ClientError):
                logger.exception("a refused request is not shown", extra={"event": "not-shown"})
            else:
                return
        data = flow.request.data
        data.content = b""
        data.method, data.path = screen.method(data.method), screen.path(data.path)
        data.headers.fields = tuple(
            field
            for field in data.headers.fields
            if not _is(field[0], screen.headers) and not field[0].lower().startswith(b"mcp-")
        )
        exchange.opening = dataclasses.replace(
            opening_of(flow, exchange.listener), receipt=exchange.receipt
        )

    def _take_out(self, flow: http.HTTPFlow, exchange: Exchange, screen: Screen) -> None:
        look, cut, ruling = exchange.look, exchange.cut, exchange.ruling
        if not (look and cut and ruling and exchange.principal and exchange.opening):
            raise InternalError("not-searched", "A stage before redaction is missing")
        if exchange.what != judged(flow.request):
            raise InternalError("changed", "The request changed after it was judged")
        redact = ruling.redact
        if redact:
            exchange.findings = (*screen.findings(look, redact), *exchange.traced)
        sent = screen.take_out(look, redact, exchange.principal, exchange.session)
        forget_edits(flow)
        record = cut.whole(sent.record)
        leaving = cut.whole(sent.sent) if sent.unequal else record
        if exchange.mcp:
            record, leaving = mcp_leaving(self._suite, exchange, screen, record, leaving)
        if leaving != record:
            exchange.leaving = Leaving(leaving.target, leaving.fields, leaving.content)
        self._show(flow, exchange, record, screen, taken=sent.record is not sent.sent)

    def _summed_up(self, flow: http.HTTPFlow, exchange: Exchange, summary: bytes) -> None:
        """Have the flow and the record of a push hold what it does; nobody looks at that here."""
        fields = flow.request.data.headers.fields
        self._packed(flow, exchange, b"")
        self._replace(flow, exchange, Message(flow.request.data.path, fields, summary))
        self._see(flow, exchange)

    @staticmethod
    def _packed(flow: http.HTTPFlow, exchange: Exchange, head: bytes) -> None:
        """Of a push the commands leave as they came, and its pack behind them from disk."""
        data = flow.request.data
        leaving = exchange.leaving or Leaving(data.path, data.headers.fields, b"")
        exchange.leaving = dataclasses.replace(leaving, content=head)

    @staticmethod
    def _see(flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Note what may be kept of a request that nobody looks at."""
        if exchange.opening:
            seen = seen_of(flow, exchange, looked=None)
            exchange.opening = dataclasses.replace(exchange.opening, seen=seen)

    def _show(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        record: Message,
        screen: Screen,
        *,
        taken: bool,
    ) -> None:
        """Have the flow, and with it the record, hold what may be seen."""
        data = flow.request.data
        before = Message(data.path, data.headers.fields, data.content or b"")
        looked = screen.headers
        if exchange.message is None:  # as search has it
            looked |= unusual(exchange, before.fields)
        read = self._replace(flow, exchange, record) if record != before else None
        if exchange.opening:
            exchange.opening = dataclasses.replace(
                exchange.opening,
                findings=exchange.findings,
                receipt=exchange.receipt,
                seen=seen_of(flow, exchange, looked=looked, cut=taken, message=read),
            )

    def _replace(
        self, flow: http.HTTPFlow, exchange: Exchange, record: Message
    ) -> MessagesRequest | None:
        """Put another message into the flow; returns what it asks of the model."""
        data = flow.request.data
        changed = data.content != record.content
        data.path, data.content = record.target, record.content
        data.headers.fields = record.fields
        if "content-length" in data.headers:
            data.headers["content-length"] = str(len(record.content))
        exchange.what = judged(flow.request)
        if exchange.message is None:
            exchange.opening = opening_of(flow, exchange.listener)
            return None
        read = self._reader.parse(record.content) if changed else exchange.message
        turn = exchange.opening is not None and exchange.opening.question is not None
        exchange.opening = opening_of(
            flow,
            exchange.listener,
            cuts=read.cuts,
            question=question_of(read, class_of(flow.request)) if turn else None,
        )
        return read


def _endless(flow: http.HTTPFlow, headers: http.Headers) -> None:
    """The length of an answer is not known before its end."""
    headers.pop("content-length", None)
    headers.pop("transfer-encoding", None)
    if flow.request.http_version == "HTTP/1.1" and flow.client_conn.alpn != b"h2":
        headers["transfer-encoding"] = "chunked"


def _unsaid(response: http.Response) -> bool:
    """Whether an answer of another kind tells the model nothing: a refusal, or nothing at all."""
    status = response.status_code
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return False  # a redirect would lead the client around what is judged here
    empty = response.headers.get("content-length") == "0"
    return empty or status >= HTTPStatus.BAD_REQUEST or status in _SILENT


def _unchanged(exchange: Exchange, response: http.Response) -> bool:
    """Whether an answer is our own, or opens a WebSocket: of that no header is handed on."""
    opened = exchange.upgrade and response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
    return exchange.ticket is None or exchange.done or bool(opened)


def _coded(exchange: Exchange, response: http.Response) -> bool:
    """Whether a coding hides what came back to a request into which a credential was put."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    put = exchange.target is not None and exchange.target.credential is not None
    return exchange.echo is not None and put and coding not in _NO_CODING


def _is(name: bytes, names: Collection[str]) -> bool:
    return name.decode("latin-1").lower() in names


def _bodiless(method: str, response: http.Response) -> bool:
    """Whether an answer has no body, whatever its headers say (RFC 9112 6.3)."""
    bare = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
    return method == "HEAD" or response.status_code in bare
