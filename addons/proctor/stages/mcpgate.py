"""What of an MCP server's answer goes on: which tools, and which of the server's own questions."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitmproxy import http

from proctor.approval.cards import seal, tool_card
from proctor.approval.grants import suggest
from proctor.approval.holder import Held, Waiting, Why, asked_of
from proctor.approval.model import Approval
from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.mcp.model import Standing
from proctor.model import Action, ActionKind, Allow, Finding, McpFields, ToolFields
from proctor.protocols.mcp.actions import CALL, question_action, target, tool_name
from proctor.protocols.mcp.answers import Asked, Denied, McpAnswer, Outcome, Pass, framing
from proctor.protocols.mcp.definitions import visible
from proctor.protocols.mcp.suspicion import suspicious
from proctor.record import Ruling, ToolCall
from proctor.redaction.answering import Answering
from proctor.redaction.handling import Rewritten
from proctor.runtime.tasks import spawn
from proctor.stages.exchange import Exchange
from proctor.stages.mcp import sealing
from proctor.stages.toolgate import PING

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

ACCEPTED = frozenset({Standing.SAME, Standing.NEW})
"""How the definition of a tool stands that may be listed."""

DETECTOR = "mcp"
"""Who found what is suspicious in a tool's definition."""

SUSPICIOUS = "SUSPICIOUS_TEXT"
"""Type of such a finding."""


@dataclass(slots=True)
class _Question:
    """A question of the server's that waits for a human."""

    asked: Asked
    action: Action
    ruling: Ruling


class McpGate:
    """Implements `Judge` for the answer to one message of a client's.

    Attributes:
        answering: Where the questions wait; set once it is there.
        findings: What is suspicious in what the server says of its tools.
    """

    def __init__(self, suite: "Suite", flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.principal is None:
            raise InternalError("not-decided", "A stage before the answer is missing")
        self.answering: Answering | None = None
        self.findings: list[Finding] = []
        self._suite = suite
        self._flow = flow
        self._exchange = exchange
        self._principal = exchange.principal
        self._server = exchange.to.name
        self._loop = asyncio.get_running_loop()
        self._ticker: asyncio.TimerHandle | None = None
        self._rulings: list[Ruling] = []
        self._listed: set[str] = set()
        self._new: list[_Question] = []
        self._waiting: set[Waiting] = set()

    def messages(
        self, content_type: str
    ) -> Callable[[Callable[[bytes], Rewritten]], McpAnswer] | None:
        """Makes what takes an answer of this type apart."""
        kind = framing(content_type)
        if kind is None:
            return None
        suite, exchange = self._suite, self._exchange
        return lambda look: McpAnswer(
            exchange.mcp, kind, self, sealing(suite, exchange, look), clock=time.monotonic
        )

    def keep(self, tool: Mapping[str, Any]) -> bool:
        """A tool stays that the rules could let through, and whose definition is accepted."""
        name = tool.get("name")
        if not isinstance(name, str) or name in self._listed:
            return False
        self._listed.add(name)
        if self._suite.pins.look(self._server, tool) not in ACCEPTED:
            pin = self._suite.pins.standing(self._server, name)
            for sign in pin.signs if pin else ():
                self._found(f"tools[{name}]", sign.score)
            return False
        fields = McpFields(server=self._server, method=CALL, tool=name)
        call = Action(
            kind=ActionKind.MCP_CALL,
            listener=self._exchange.listener,
            target=target(fields),
            tool=ToolFields(name=tool_name(self._server, name)),
            mcp=fields,
        )
        return self._suite.gate.may(self._principal, self._exchange.session, call)

    def instructions(self, text: str) -> bool:
        """A server's words for the model stay unless something is suspicious in them."""
        signs = suspicious({"description": text})
        for sign in signs:
            self._found("instructions", sign.score)
        return not signs

    def ask(self, asked: Asked) -> Outcome | None:
        """What becomes of a question; None where humans are asked, which `start` does."""
        action = question_action(self._exchange.listener, self._server, asked.method, asked.params)
        ruling = self._suite.gate.decide(self._principal, self._exchange.session, (action,))
        self._rulings.append(ruling)
        if kill := self._suite.gate.killed(self._principal, self._exchange.session):
            return Denied(self._suite.ended(kill))
        verdict = ruling.verdict
        if isinstance(verdict, Allow):
            return Pass()
        if not asked_of(ruling.decisions[0]):
            return Denied(RefusedError("policy-denied", verdict.reason, rule_id=verdict.rule_id))
        self._new.append(_Question(asked, action, ruling))
        return None

    def start(self) -> None:
        """Ask humans about what was judged since; in the loop."""
        new, self._new = self._new, []
        for question in new:
            self._start(question)

    def stop(self) -> None:
        """Nothing more of the answer goes on, so nobody is to be asked any more."""
        self._new.clear()
        for waiting in list(self._waiting):
            waiting.stop(Why.BROKEN)

    async def settled(self) -> None:
        """Answers of MCP pass as streams, so nothing waits for their end."""
        raise InternalError("not-streamed", "An answer of MCP's was taken as a whole")

    def calls(self, seen: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        """None beside the exchange itself."""
        return seen

    @property
    def rulings(self) -> tuple[Ruling, ...]:
        """What the rules said, question by question."""
        return tuple(self._rulings)

    def _found(self, location: str, score: float) -> None:
        self.findings.append(
            Finding(
                type=SUSPICIOUS,
                location=visible(location)[:200],
                direction="response",
                score=score,
                detector=DETECTOR,
            )
        )

    def _start(self, question: _Question) -> None:
        record = json.dumps(question.asked.params, ensure_ascii=False)
        shown = self._shown(record)
        card, values = tool_card(
            name=f"{self._server}: {question.asked.method}",
            record=shown,
            real=record,
            prompt="",
            findings=(),
            tool_use_id="",
        )
        shape, pattern = suggest(question.action, hidden=bool(card.hidden))
        held = Held(
            principal=self._principal,
            session=self._exchange.session,
            action=question.action,
            digest=question.ruling.digests[0],
            decision=question.ruling.decisions[0],
            findings=(),
            card=card,
            sealed=seal(values, self._suite.sealing),
            shape=shape,
            pattern=pattern,
            prompt="",
            flow_id=self._flow.id,
        )

        def asked(approval: Approval) -> None:
            self._suite.mark(self._flow, approval)

        waiting = self._suite.gate.hold(held, asked)
        self._waiting.add(waiting)
        spawn(self._wait(question, waiting), name="held question")
        if self._ticker is None:
            self._ticker = self._loop.call_later(PING, self._tick)

    def _shown(self, record: str) -> str:
        """The question as it may be kept."""
        if self.answering is None:
            raise InternalError("not-screened", "A question waits where nothing is looked at")
        return self.answering.message(record.encode()).record.decode()

    def _tick(self) -> None:
        self._ticker = None
        if self._waiting and not self._exchange.ended:
            self._suite.nudge(self._flow)
            self._ticker = self._loop.call_later(PING, self._tick)

    async def _wait(self, question: _Question, waiting: Waiting) -> None:
        outcome: Outcome = Denied(
            InternalError("approvals-failed", "Whether it may happen could not be found out")
        )
        try:
            with self._suite.waits(self._exchange, waiting):
                await waiting.outcome()
            outcome = Pass()
        except ProctorError as error:
            outcome = Denied(error)
        finally:
            self._waiting.discard(waiting)
            self._suite.unmark(self._flow, waiting.approval)
            if self.answering:
                self.answering.settle(question.asked.number, outcome)
            self._suite.nudge(self._flow)
