"""The way of a server's message: which tools, which questions, and what must not pass."""

import time
from collections.abc import Callable

from proctor.approval.holder import Waiting
from proctor.errors import InternalError, ProctorError
from proctor.mcp.judging import Caller, Judging, Question
from proctor.model import Finding
from proctor.protocols.mcp.answers import Denied, Framing, McpAnswer, Outcome, Pass
from proctor.protocols.mcp.messages import Message, dumped
from proctor.provenance.intake import LISTS, PASSED
from proctor.record import Receipt
from proctor.redaction.answering import Answering
from proctor.redaction.handling import Rewritten
from proctor.redaction.passing import Passing
from proctor.stdio.asking import Given
from proctor.stdio.exchange import Exchange, House


class Answer:
    """One message of the server's, on its way to the client.

    Args:
        house: What stands behind the door.
        given: Tokens of the server's.
        exchange: Which it belongs to.
        request: What it answers; None where it comes unasked.
        message: What the server says.

    Attributes:
        judging: What was judged in it.
    """

    def __init__(
        self,
        house: House,
        given: Given,
        exchange: Exchange,
        request: Message | None,
        message: Message,
    ) -> None:
        if exchange.principal is None or exchange.ruling is None:
            raise InternalError("not-decided", "An answer to what nobody decided about")
        self._denied: ProctorError | None = None
        self._arriving: tuple[Finding, ...] = ()
        self._request = request
        self._house = house
        self._exchange = exchange
        self._message = message
        caller = Caller(
            principal=exchange.principal,
            session=exchange.session,
            listener=exchange.listener,
            server=exchange.server,
            flow_id=exchange.flow_id,
        )
        self.judging = Judging(house.gate, house.pins, caller)
        self._given = given
        self._answering = self._made(exchange, request)

    async def start(self) -> Rewritten:
        """Judge it; what may go on at once, nothing where something in it waits.

        Raises:
            ProctorError: It cannot go on.
        """
        tools = self._message.result.get("tools")
        if isinstance(tools, list):
            named = [tool for tool in tools if isinstance(tool, dict)]
            await self._house.pins.study(self._exchange.server, named)
        out = self._answering.feed(self._message.raw) + self._answering.finish()
        await self._read()
        return self._whole(out)

    async def _read(self) -> None:
        """Look at what comes in, and remember it; lists of tools are left to pins."""
        exchange, house, asked = self._exchange, self._house, self._request
        if exchange.principal is None or (asked is not None and asked.method in LISTS):
            return
        tool = exchange.actions[0].mcp.tool if exchange.actions and exchange.actions[0].mcp else ""
        self._arriving = await house.intake.read(
            self._message.raw,
            Framing.JSON,
            name=f"{exchange.server} (MCP) {tool}".strip()[:160],
            flow_id=exchange.flow_id,
            principal=exchange.principal,
            session=exchange.session,
            trusted=house.trusted,
            exposed=[each.type for each in self._answering.findings if each.action in PASSED],
        )

    @property
    def waits(self) -> bool:
        """Whether a human is to be asked."""
        return bool(self._answering.waiting)

    async def settle(self) -> Rewritten:
        """Ask humans; what may go on then.

        Raises:
            ProctorError: It cannot go on.
        """
        while self.judging.new:
            question = self.judging.new.pop(0)
            outcome = await self._asked(question)
            if isinstance(outcome, Denied):
                self._denied = outcome.error
            self._answering.settle(question.asked.number, outcome)
        return self._whole(self._answering.released())

    @property
    def denied(self) -> ProctorError | None:
        """Why a question in it does not go on; None where all do."""
        return self._denied or self.judging.denied

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in it."""
        return (*self._answering.findings, *self._arriving, *self.judging.findings)

    @property
    def receipt(self) -> Receipt:
        """How it was looked at."""
        return self._answering.receipt

    def _whole(self, out: Rewritten) -> Rewritten:
        if not out.client:
            return out
        return Rewritten(self._given.out(self._message, out.client), out.record)

    async def _asked(self, question: Question) -> Outcome:
        shown = self._answering.message(dumped(dict(question.asked.params))).record.decode()
        held = self.judging.held(question, shown, self._house.sealing)
        waiting: Waiting = self._house.gate.hold(held, lambda _approval: None)
        self._exchange.waiting.add(waiting)
        try:
            await waiting.outcome()
        except ProctorError as error:
            return Denied(error)
        finally:
            self._exchange.waiting.discard(waiting)
        return Pass()

    def _made(self, exchange: Exchange, request: Message | None) -> Answering:
        house, judging = self._house, self.judging

        def messages(redact: Callable[[bytes], Rewritten]) -> McpAnswer:
            return McpAnswer(request, Framing.JSON, judging, redact, clock=house.clock)

        if house.screen is None or exchange.ruling is None or exchange.principal is None:
            return Answering(
                Passing(),
                content_type=Framing.JSON,
                encoding="",
                judge=None,
                media=True,
                detectors=(),
                clock=time.monotonic,
                messages=messages,
            )
        return house.screen.answer(
            content_type=Framing.JSON,
            encoding="",
            redact=exchange.ruling.redact,
            principal=exchange.principal,
            session=exchange.session,
            judge=None,
            messages=messages,
        )
