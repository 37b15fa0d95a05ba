"""A human, then the rules again: what a rule holds waits here, and nothing else does."""

import dataclasses
import re
from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.approval.cards import git_card, http_card, seal, tool_card
from proctor.approval.grants import suggest
from proctor.approval.holder import Held, Release
from proctor.approval.model import Approval, Card
from proctor.errors import InternalError, ProctorError
from proctor.mcp.difference import with_definition
from proctor.mcp.kept import arguments_of
from proctor.model import Action, Allow, Decision, Deny, Hold
from proctor.protocols.mcp.actions import CALL, tool_name, tool_use_id
from proctor.provenance.cards import with_origins
from proctor.stages.exchange import Exchange, Leaving, Stamp
from proctor.stages.git import heard, note
from proctor.stages.pinning import open_pin

if TYPE_CHECKING:
    from proctor.mcp.model import Pin
    from proctor.stages.suite import Suite

# RFC 7240 4.1 and 4.3: how long the client is ready to wait.
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,5})\"?(?=$|[,;\s])", re.IGNORECASE)
_ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?=$|[,;\s])", re.IGNORECASE)


class Holding:
    """After redaction, before recording: what a reviewer is shown is what leaves."""

    name = "proctor_holding"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Let through what no rule holds; have the rest wait."""
        exchange = self._suite.exchange(flow)
        if exchange.done:
            return None
        ruling = exchange.ruling
        if ruling is None:
            raise InternalError("not-decided", "A stage before holding is missing")
        held = [
            (action, digest, decision)
            for action, digest, decision in zip(
                ruling.actions, ruling.digests, ruling.decisions, strict=True
            )
            if not isinstance(decision.verdict, Allow)
        ]
        if held:
            return self._hold(flow, exchange, held)
        exchange.stamps |= Stamp.HELD
        return None

    async def _hold(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        held: list[tuple[Action, str, Decision]],
    ) -> None:
        for action, digest, decision in held:
            pin = open_pin(self._suite, action)
            waiting = self._suite.gate.hold(
                self._held(flow, exchange, action, digest, decision, pin),
                lambda approval: self._asked(flow, exchange, approval),
            )
            try:
                with self._suite.waits(exchange, waiting), heard(self._suite, flow, exchange):
                    release = await waiting.outcome()
            except ProctorError as error:
                self._suite.refuse(flow, error)
                return
            finally:
                self._suite.unmark(flow, waiting.approval)
            self._released(exchange, decision, release)
            if pin and action.mcp:
                by = f"approval {release.name}"
                try:
                    await self._suite.pins.accept(action.mcp.server, action.mcp.tool, pin.seen, by)
                except ProctorError as error:
                    self._suite.refuse(flow, error)
                    return
        exchange.stamps |= Stamp.HELD

    def _asked(self, flow: http.HTTPFlow, exchange: Exchange, approval: Approval) -> None:
        """Show who can see it that it waits, and say so to a client that can hear it."""
        self._suite.mark(flow, approval)
        note(self._suite, flow, exchange, approval)

    @staticmethod
    def _released(exchange: Exchange, decision: Decision, release: Release) -> None:
        """Have the record say that it was held, and what let it pass."""
        if exchange.opening:
            exchange.opening = dataclasses.replace(exchange.opening, approval_id=release.name)
        verdict = decision.verdict
        if isinstance(verdict, Deny) and exchange.ruling:
            appealed = Hold(rule_id=verdict.rule_id, reason=verdict.reason, terms=verdict.appeal)
            exchange.ruling = dataclasses.replace(exchange.ruling, verdict=appealed)

    def _held(  # noqa: PLR0913, PLR0917 - what is held
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        action: Action,
        digest: str,
        decision: Decision,
        pin: "Pin | None",
    ) -> Held:
        if exchange.principal is None:
            raise InternalError("not-decided", "A stage before holding is missing")
        card, values = _card(flow, exchange, action)
        card = with_origins(card, exchange.origins, self._suite.arrivals.now())
        if pin:
            card = with_definition(card, pin)
        shape, pattern = suggest(action, hidden=bool(card.hidden))
        return Held(
            principal=exchange.principal,
            session=exchange.session,
            action=action,
            digest=digest,
            decision=decision,
            findings=exchange.findings,
            card=card,
            sealed=seal(values, self._suite.sealing),
            shape=shape,
            pattern=pattern,
            prompt=self._suite.prompt(exchange),
            flow_id=flow.id,
            patience=_patience(flow.request.headers.get("prefer", "")),
        )


def _card(flow: http.HTTPFlow, exchange: Exchange, action: Action) -> tuple[Card, dict[str, str]]:
    data = flow.request.data
    if exchange.git and exchange.git.summary:
        return git_card(
            action=action,
            record=data.content or b"",
            real=exchange.git.summary,
            findings=exchange.findings,
        )
    leaving = exchange.leaving or Leaving(data.path, data.headers.fields, data.content)
    if action.mcp and action.mcp.method == CALL:
        return tool_card(
            name=tool_name(action.mcp.server, action.mcp.tool),
            record=arguments_of(data.content or b""),
            real=arguments_of(leaving.content or b""),
            prompt="",
            findings=exchange.findings,
            tool_use_id=tool_use_id(exchange.mcp) if exchange.mcp else "",
        )
    origin = f"{data.scheme.decode()}://{data.host}:{data.port}"
    question = exchange.opening.question if exchange.opening else None
    return http_card(
        method=data.method.decode("latin-1"),
        address=origin + data.path.decode("latin-1"),
        headers=data.headers.fields,
        body=data.content or b"",
        real_address=origin + leaving.path.decode("latin-1"),
        real_body=leaving.content or b"",
        findings=exchange.findings,
        prompt=question.prompt if question else "",
    )


def _patience(prefer: str) -> timedelta | None:
    if _ASYNC.search(prefer):
        return timedelta(0)
    found = _WAIT.search(prefer)
    return timedelta(seconds=int(found[1])) if found else None
