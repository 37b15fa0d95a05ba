"""The answer of an MCP server to one message: what of it is judged, and what waits for a human."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.approval.holder import Waiting, Why
from proctor.approval.model import Approval
from proctor.errors import InternalError, ProctorError
from proctor.mcp.judging import Caller, Judging, Question
from proctor.protocols.mcp.answers import Denied, McpAnswer, Outcome, Pass, framing
from proctor.protocols.mcp.messages import Message
from proctor.record import ToolCall
from proctor.redaction.answering import Answering
from proctor.redaction.handling import Rewritten
from proctor.runtime.tasks import spawn
from proctor.stages.exchange import Exchange
from proctor.stages.mcp import sealing
from proctor.stages.toolgate import PING

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class McpGate(Judging):
    """Implements `Judge` for the answer to one message of a client's.

    Attributes:
        answering: Where the questions wait; set once it is there.
    """

    def __init__(self, suite: "Suite", flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.principal is None:
            raise InternalError("not-decided", "A stage before the answer is missing")
        caller = Caller(
            principal=exchange.principal,
            session=exchange.session,
            listener=exchange.listener,
            server=exchange.to.name,
            flow_id=flow.id,
        )
        super().__init__(suite.gate, suite.pins, caller)
        self.answering: Answering | None = None
        self._answer: McpAnswer | None = None
        self._suite = suite
        self._flow = flow
        self._exchange = exchange
        self._loop = asyncio.get_running_loop()
        self._ticker: asyncio.TimerHandle | None = None
        self._waiting: set[Waiting] = set()

    def messages(
        self, content_type: str
    ) -> Callable[[Callable[[bytes], Rewritten]], McpAnswer] | None:
        """Makes what takes an answer of this type apart."""
        kind = framing(content_type)
        if kind is None:
            return None
        suite, exchange = self._suite, self._exchange

        def made(look: Callable[[bytes], Rewritten]) -> McpAnswer:
            clean = sealing(suite, exchange, look)
            self._answer = McpAnswer(exchange.mcp, kind, self, clean, clock=time.monotonic)
            return self._answer

        return made

    def last(self) -> Message | None:
        """The message of the answer that was read last."""
        return self._answer.last if self._answer else None

    def start(self) -> None:
        """Ask humans about what was judged since; in the loop."""
        new = self.new[:]
        self.new.clear()
        for question in new:
            self._start(question)

    def stop(self) -> None:
        """Nothing more of the answer goes on, so nobody is to be asked any more."""
        self.new.clear()
        for waiting in list(self._waiting):
            waiting.stop(Why.BROKEN)

    async def settled(self) -> None:
        """Answers of MCP pass as streams, so nothing waits for their end."""
        raise InternalError("not-streamed", "An answer of MCP's was taken as a whole")

    def calls(self, seen: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        """None beside the exchange itself."""
        return seen

    def _start(self, question: Question) -> None:
        held = self.held(question, self._shown(question), self._suite.sealing)

        def asked(approval: Approval) -> None:
            self._suite.mark(self._flow, approval)

        waiting = self._suite.gate.hold(held, asked)
        self._waiting.add(waiting)
        spawn(self._wait(question, waiting), name="held question")
        if self._ticker is None:
            self._ticker = self._loop.call_later(PING, self._tick)

    def _shown(self, question: Question) -> str:
        """The question as it may be kept."""
        if self.answering is None:
            raise InternalError("not-screened", "A question waits where nothing is looked at")
        real = json.dumps(question.asked.params, ensure_ascii=False)
        return self.answering.message(real.encode()).record.decode()

    def _tick(self) -> None:
        self._ticker = None
        if self._waiting and not self._exchange.ended:
            self._suite.nudge(self._flow)
            self._ticker = self._loop.call_later(PING, self._tick)

    async def _wait(self, question: Question, waiting: Waiting) -> None:
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
