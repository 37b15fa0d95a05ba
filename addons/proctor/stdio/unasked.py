"""What a server says unasked: notifications, and until 2025-11-25 questions.

All of it is one exchange, from the first word to the end, as the long GET of Streamable HTTP is;
rules know both by that name.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from proctor.approval.holder import Why
from proctor.approval.killed import ended
from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.model import Action, ActionKind, Allow, Finding, McpFields
from proctor.protocols.mcp.actions import target
from proctor.protocols.mcp.messages import Id, Kind, Message
from proctor.record import Closing, ContentStream, Receipt, Ruling
from proctor.redaction.handling import Rewritten
from proctor.runtime.tasks import spawn
from proctor.stdio.answering import Answer
from proctor.stdio.asking import Given
from proctor.stdio.caller import Caller
from proctor.stdio.exchange import Exchange, House, refusal_of
from proctor.stdio.lines import framed

logger = logging.getLogger(__name__)

STREAM: Final = "GET"
"""The method by which rules know it."""

MAX_ASKED: Final = 1000
"""Questions that the client may have open."""


class Unasked:
    """What comes without a request.

    Args:
        house: What stands behind the door.
        given: Tokens of the server's.
        caller: Who is at the other end.
        new: Makes an exchange.
        to_client: Takes a line for the client.
        refuse: Tells the server that a question of its was denied.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the door has
        self,
        house: House,
        given: Given,
        caller: Caller,
        new: Callable[[], Exchange],
        to_client: Callable[[bytes], None],
        refuse: Callable[[Message, ProctorError], None],
    ) -> None:
        self.asked: set[Id] = set()
        """Questions that the client has got and not answered."""
        self._house = house
        self._given = given
        self._caller = caller
        self._new = new
        self._to_client = to_client
        self._refuse = refuse
        self._exchange: Exchange | None = None
        self._content: ContentStream | None = None
        self._size = 0
        self._findings: dict[tuple[str, str, str], Finding] = {}
        self._receipts: list[Receipt] = []
        self._rulings: list[Ruling] = []
        self._denied = False
        self._waiting: set[asyncio.Task[None]] = set()

    async def said(self, message: Message) -> None:
        """Take one message."""
        try:
            self._bound(message)
            exchange = await self._opened()
            answer = Answer(self._house, self._given, exchange, None, message)
            out = await answer.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the message does not go on
            self._no(message, error)
            return
        if not answer.waits:
            self._pass(message, answer, out)
            return
        task = spawn(self._settled(message, answer), name="held question")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def _bound(self, message: Message) -> None:
        if message.kind is Kind.REQUEST and len(self.asked) >= MAX_ASKED:
            raise RefusedError("mcp-open", "The server has too many questions open")

    def stop(self, why: Why) -> None:
        """Nobody waits for humans any more."""
        if self._exchange:
            self._exchange.stop(why)

    async def end(self, error: str | None) -> None:
        """Write its last record.

        Raises:
            InternalError: It could not be written.
        """
        await asyncio.gather(*self._waiting, return_exceptions=True)
        exchange, self._exchange = self._exchange, None
        if exchange is None or exchange.ticket is None:
            return
        closing = Closing(
            status=None,
            response_bytes=self._size,
            error=error,
            body=self._content,
            findings=tuple(self._findings.values()),
            receipt=_sum(self._receipts),
            rulings=tuple(self._rulings),
        )
        exchange.alarm(self._house.gate, closing.findings, stopped=False)
        await self._house.gate.end(exchange.ticket, closing)

    async def _settled(self, message: Message, answer: Answer) -> None:
        try:
            out = await answer.settle()
        except Exception as error:  # noqa: BLE001 - the same
            self._no(message, error)
            return
        self._pass(message, answer, out)

    async def _opened(self) -> Exchange:
        """The exchange that all of it belongs to.

        Raises:
            ProctorError: There is none, so nothing of it may go on.
        """
        if self._caller.principal is None:
            raise RefusedError("mcp-unasked", "The server speaks before anyone has come")
        house, principal = self._house, await self._caller.admit()
        session = self._caller.session(principal, None)
        if kill := house.gate.killed(principal, session):
            raise ended(kill)
        if self._exchange:
            return self._exchange
        fields = McpFields(server=house.server, method=STREAM)
        action = Action(
            kind=ActionKind.MCP_CALL, listener=house.listener, target=target(fields), mcp=fields
        )
        exchange = self._new()
        exchange.principal, exchange.session, exchange.path = principal, session, f"/{STREAM}"
        exchange.ruling = ruling = house.gate.decide(principal, session, (action,))
        if not isinstance(ruling.verdict, Allow):
            verdict = ruling.verdict
            error = RefusedError("policy-denied", verdict.reason, rule_id=verdict.rule_id)
            await self._record_denied(exchange, error)
            raise error
        exchange.ticket = await house.gate.begin(exchange.opening(), principal, session, ruling)
        self._content = house.gate.stream(exchange.ticket)
        self._exchange = exchange
        return exchange

    async def _record_denied(self, exchange: Exchange, error: ProctorError) -> None:
        """Once is enough."""
        if self._denied:
            return
        await self._house.gate.refuse(
            exchange.opening(),
            Closing(status=None, response_bytes=0, error=str(error)),
            principal=exchange.principal,
            session=exchange.session,
            verdict=refusal_of(error),
            ruling=exchange.ruling,
        )
        self._denied = True

    def _pass(self, message: Message, answer: Answer, out: Rewritten) -> None:
        self._size += len(message.raw)
        for found in answer.findings:
            self._findings[found.type, found.location, found.digest] = found
        self._receipts = [_sum([*self._receipts, answer.receipt])]
        self._rulings += answer.judging.rulings
        exchange = self._exchange
        error = answer.denied or (exchange.why if exchange else None)
        if error or not out.client or exchange is None:
            self._no(message, error or InternalError("ended", "It came too late"))
            return
        line = framed(out.client)
        if self._content:
            self._content.feed(out.record + b"\n")
        if message.kind is Kind.REQUEST and message.id is not None:
            self.asked.add(message.id)
        self._to_client(line)

    def _no(self, message: Message, error: Exception) -> None:
        if not isinstance(error, ProctorError):
            logger.error("a message failed", exc_info=error, extra={"event": "stage.failed"})
            error = InternalError("stage-failed", "A part of proctor failed")
        logger.warning(
            "a message of the server's was not let through",
            extra={"event": "mcp.unasked", "code": error.code},
        )
        if message.kind is Kind.REQUEST:
            self._refuse(message, error)


def _sum(receipts: list[Receipt]) -> Receipt:
    """One for all."""
    skipped: Counter[str] = Counter()
    for each in receipts:
        skipped.update(dict(each.skipped))
    return Receipt(
        looked=sum(each.looked for each in receipts),
        skipped=tuple(sorted(skipped.items())),
        detectors=receipts[-1].detectors if receipts else (),
        seconds=sum(each.seconds for each in receipts),
        failure=next((each.failure for each in receipts if each.failure), ""),
    )
