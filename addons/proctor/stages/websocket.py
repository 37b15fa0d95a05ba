"""Messages of WebSockets: each is an action of its own, asked about before it is handed on.

The request for a WebSocket is one like any other. From the answer to it on, each message goes the
same way as a request does, in one piece: who, what, may it, what must not pass, a human, on record.
What does not come to the end of that way is not handed on, whatever has happened to it.
"""

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mitmproxy import http

from proctor.approval.cards import seal, ws_card
from proctor.approval.grants import suggest
from proctor.approval.holder import Held
from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    Decision,
    Deny,
    Hold,
    HttpFields,
    Principal,
    Verdict,
    WsFields,
)
from proctor.protocols.said import json_of
from proctor.protocols.websocket.messages import BROKEN, VIOLATION, Message, shortened
from proctor.protocols.websocket.upgrade import answered
from proctor.provenance.cards import with_origins
from proctor.provenance.memory import Origin
from proctor.record import Closing, Ruling, Said, Ticket
from proctor.redaction.across import Across
from proctor.redaction.message import Looked, look_at, texts_of
from proctor.redaction.model import Direction, RedactionError
from proctor.redaction.screen import Screen
from proctor.runtime.door import Talk
from proctor.runtime.websocket import Crossing, told_of
from proctor.stages import echoing
from proctor.stages.exchange import Exchange
from proctor.stages.wstracing import met, trace, traced

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Passage:
    """One message on its way through here."""

    crossing: Crossing
    exchange: Exchange
    principal: Principal
    ticket: Ticket
    direction: Direction
    across: Across | None
    action: Action | None = field(default=None, repr=False)
    origins: tuple[Origin, ...] = ()
    looked: Looked | None = field(default=None, repr=False)
    ruling: Ruling | None = field(default=None, repr=False)
    sent: bytes = field(default=b"", repr=False)
    kept: bytes | None = field(default=None, repr=False)
    approval_id: str | None = None

    @property
    def redact(self) -> dict[str, str]:
        """What the rules say of findings."""
        return self.ruling.redact if self.ruling else {}


class Websocket:
    """After holding, before recording: there the record of the request's end is kept open."""

    name = "proctor_websocket"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite
        self._across: WeakKeyDictionary[http.HTTPFlow, dict[Direction, Across]] = (
            WeakKeyDictionary()
        )

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Open it where the upstream agrees to what was asked.

        Raises:
            UpstreamError: `websocket-handshake`.
        """
        exchange, response = self._suite.exchange(flow), flow.response
        upgrade, principal = exchange.upgrade, exchange.principal
        if upgrade is None or response is None or principal is None or exchange.ticket is None:
            return
        if exchange.done or response.status_code != http.status_codes.SWITCHING:
            return
        response.headers.fields = answered(response.headers.fields, upgrade)
        response.reason = "Switching Protocols"
        limit = self._suite.message_limit
        exchange.talk = Talk(flow=flow, limit=limit, until=principal.expires_at)

    async def ws_message(self, crossing: Crossing) -> None:
        """Ask about a message; what is not given its `passing` here is not handed on."""
        exchange = self._suite.exchange(crossing.flow)
        principal, ticket = exchange.principal, exchange.ticket
        if principal is None or ticket is None or exchange.talk is None or exchange.ended:
            raise InternalError("not-admitted", "A message of a WebSocket that was not opened")
        if not crossing.from_client:
            data = echoing.message(self._suite, exchange, crossing.message.data)
            crossing.message = replace(crossing.message, data=data)
        direction = Direction.REQUEST if crossing.from_client else Direction.RESPONSE
        passage = _Passage(
            crossing=crossing,
            exchange=exchange,
            principal=principal,
            ticket=ticket,
            direction=direction,
            across=self._said(crossing.flow, direction),
        )
        try:
            passing = await self._through(passage)
        except ProctorError as error:
            await self._stopped(passage, error)
            return
        crossing.passing = passing

    async def ws_ended(self, talk: Talk) -> None:
        """Write how it ended."""
        suite, flow = self._suite, talk.flow
        exchange = suite.exchange(flow)
        if exchange.ended or exchange.ticket is None:
            return
        exchange.ended = True
        suite.gone(flow)
        try:
            await suite.gate.end(
                exchange.ticket,
                Closing(
                    status=http.status_codes.SWITCHING,
                    request_bytes=talk.sent,
                    response_bytes=talk.received,
                    error=_why(talk),
                    findings=exchange.echo.findings if exchange.echo else (),
                ),
            )
        finally:
            suite.close(flow)

    def _said(self, flow: http.HTTPFlow, direction: Direction) -> Across | None:
        """What a side has said before; None where nobody looks."""
        screen = self._suite.screen(self._suite.exchange(flow).listener)
        if screen is None:
            return None
        sides = self._across.setdefault(flow, {})
        if direction not in sides:
            sides[direction] = Across(screen.parts.redactor.detector)
        return sides[direction]

    async def _through(self, passage: _Passage) -> Message:
        """A message all the way.

        Raises:
            ProctorError: It is not handed on.
        """
        suite, exchange, crossing = self._suite, passage.exchange, passage.crossing
        message = crossing.message
        await self._still(exchange)
        action, passage.origins = traced(suite, passage.principal, _action(exchange, crossing))
        passage.action = action
        screen = suite.screen(exchange.listener)
        if screen and passage.across:
            passage.looked = await look_at(
                screen, passage.direction, passage.across, text=message.text, data=message.data
            )
            await trace(suite, crossing.flow, exchange, passage.looked)
        findings = passage.looked.findings({}) if passage.looked else ()
        passage.ruling = ruling = suite.gate.decide(
            passage.principal, exchange.session, (action,), findings
        )
        verdict = ruling.verdict
        if isinstance(verdict, Deny):
            if not verdict.appeal:
                raise RefusedError("policy-denied", verdict.reason, rule_id=verdict.rule_id)
            # Whether it was appealed, and with what outcome, is asked below.
            verdict = Hold(rule_id=verdict.rule_id, reason=verdict.reason, terms=verdict.appeal)
        self._take_out(passage, screen)
        await self._held(passage)
        await self._still(exchange)
        await suite.gate.message(passage.ticket, self._record(passage, verdict))
        passing = Message(text=message.text, data=passage.sent)
        if passage.across:
            passage.across.passed(texts_of(passing.data, text=passing.text))
        if passage.looked:
            met(suite, exchange, passage.principal, passage.looked, passage.redact)
        return passing

    async def _still(self, exchange: Exchange) -> None:
        """See that the run goes on, and that the token holds.

        Raises:
            ProctorError: It does not.
        """
        if exchange.killed:
            raise exchange.killed
        gate = self._suite.gate
        principal = gate.recall(exchange.token) or await gate.admit(exchange.token)
        if kill := gate.killed(principal, exchange.session):
            raise self._suite.ended(kill)

    @staticmethod
    def _take_out(passage: _Passage, screen: Screen | None) -> None:
        data = passage.crossing.message.data
        if passage.looked is None:
            if screen is not None:
                raise InternalError("not-searched", "A message that nobody has looked at")
            passage.sent = passage.kept = data
            return
        passage.sent, passage.kept = passage.looked.taken_out(
            passage.redact, passage.principal, passage.exchange.session
        )

    async def _held(self, passage: _Passage) -> None:
        ruling, suite, flow = passage.ruling, self._suite, passage.crossing.flow
        if ruling is None:
            raise InternalError("not-decided", "A message that no rule was asked about")
        for action, digest, decision in zip(
            ruling.actions, ruling.digests, ruling.decisions, strict=True
        ):
            if isinstance(decision.verdict, Allow):
                continue
            waiting = suite.gate.hold(
                self._card(passage, action, digest, decision),
                lambda approval: suite.mark(flow, approval),
            )
            try:
                with suite.waits(passage.exchange, waiting):
                    release = await waiting.outcome()
            finally:
                suite.unmark(flow, waiting.approval)
            passage.approval_id = release.name

    def _card(self, passage: _Passage, action: Action, digest: str, decision: Decision) -> Held:
        fields = passage.ticket.fields
        address = f"{fields['scheme']}://{fields['host']}:{fields['port']}{fields['path']}"
        findings = passage.looked.findings(passage.redact) if passage.looked else ()
        card, values = ws_card(
            action=action,
            address=address,
            kept=passage.kept or b"",
            real=passage.sent,
            findings=findings,
        )
        card = with_origins(card, passage.origins, self._suite.arrivals.now())
        shape, pattern = suggest(action, hidden=bool(card.hidden))
        return Held(
            principal=passage.principal,
            session=passage.exchange.session,
            action=action,
            digest=digest,
            decision=decision,
            findings=findings,
            card=card,
            sealed=seal(values, self._suite.sealing),
            shape=shape,
            pattern=pattern,
            flow_id=passage.crossing.flow.id,
        )

    async def _stopped(self, passage: _Passage, error: ProctorError) -> None:
        """Record what is not handed on; the refusal stands whether or not that succeeds."""
        crossing = passage.crossing
        crossing.error = error
        crossing.code = VIOLATION if _is_no(error) else BROKEN
        crossing.words = shortened(told_of(error))
        passage.approval_id = None
        passage.kept = None
        try:
            if passage.looked:
                passage.kept = passage.looked.kept(passage.redact, passage.principal)
            elif self._suite.screen(passage.exchange.listener) is None:
                passage.kept = crossing.message.data
            rule = error.rule_id if isinstance(error, RefusedError) else error.code
            deny = Deny(rule_id=rule, reason=error.message)
            said = self._record(passage, deny, error)
            await self._suite.gate.message(passage.ticket, said)
        except ProctorError:
            logger.exception("a refusal was not recorded", extra={"event": "record.failed"})

    def _record(
        self, passage: _Passage, verdict: Verdict, error: ProctorError | None = None
    ) -> Said:
        message, looked = passage.crossing.message, passage.looked
        screen = self._suite.screen(passage.exchange.listener)
        failed = error if isinstance(error, RedactionError) else None
        return Said(
            number=passage.crossing.number,
            direction=_who(passage.crossing),
            text=message.text,
            size=len(message.data),
            body=passage.kept,
            ruling=passage.ruling,
            verdict=verdict,
            findings=looked.findings(passage.redact) if looked else (),
            receipt=screen.receipt(looked.look if looked else None, failed) if screen else None,
            approval_id=passage.approval_id,
            error=f"{error.code}: {error.message}" if error else None,
        )


def _action(exchange: Exchange, crossing: Crossing) -> Action:
    fields = exchange.actions[0].http or HttpFields()
    scheme = "wss" if fields.scheme == "https" else "ws"
    message, who = crossing.message, _who(crossing)
    return Action(
        kind=ActionKind.WS_MESSAGE,
        listener=exchange.listener,
        target=f"{who.upper()} {scheme}://{fields.host}:{fields.port}{fields.path}",
        content=(b"text:" if message.text else b"binary:", message.data),
        size=len(message.data),
        http=fields,
        ws=WsFields(
            direction=who,
            type="text" if message.text else "binary",
            json=json_of(message.data, text=message.text),
        ),
    )


def _who(crossing: Crossing) -> str:
    return "client" if crossing.from_client else "server"


def _is_no(error: ProctorError) -> bool:
    """Whether it is the message that may not pass, and not we who have failed."""
    return isinstance(error, RedactionError) or not isinstance(error, InternalError)


def _why(talk: Talk) -> str | None:
    """What went wrong."""
    if talk.error is None:
        return None
    return f"{talk.error.code}: {talk.error.message}"
