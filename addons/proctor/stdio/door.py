"""The door for one MCP server on standard streams: lines in, messages judged, lines out.

    client ─ line ─ admit ─ judge ─ hold ─ begin ─ line ─ server
    client ─ line ─ end ─ judge and redact ──────── line ─ server

Messages of each side are taken one after another; what waits for a human waits beside them. What
the server says unasked is an exchange of its own (`unasked`). Whatever raises: the message does not
go on, and who asked is told.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Final

from proctor.approval.holder import Why
from proctor.approval.killed import ended
from proctor.approval.model import Kill
from proctor.credentials.echo import ECHOED, Echo, told
from proctor.errors import ClientError, InternalError, ProctorError, RefusedError, UpstreamError
from proctor.mcp.kept import kept_result
from proctor.protocols.mcp.agreement import MODERN
from proctor.protocols.mcp.messages import Id, Kind, Message, bad_message, read
from proctor.protocols.mcp.refusals import denied
from proctor.record import Closing
from proctor.redaction.handling import Rewritten
from proctor.runtime.tasks import spawn
from proctor.stages.bucket import Bucket
from proctor.stdio.answering import Answer
from proctor.stdio.asking import Asking, Given
from proctor.stdio.caller import Caller
from proctor.stdio.exchange import Exchange, House, refusal_of
from proctor.stdio.lines import TooLong, framed
from proctor.stdio.unasked import Unasked

logger = logging.getLogger(__name__)

CANCELLED: Final = "notifications/cancelled"

MAX_OPEN: Final = 1000
"""Requests of the client's that may be open at once."""

REFUSALS_A_SECOND: Final = 10
"""Refusals of unknown callers that are recorded one by one."""

_LONG: Final = "a line of more than 16 MiB"

type Write = Callable[[bytes], None]


class Door:
    """Between one client and one server.

    Args:
        house: What stands behind the door.
        to_client: Takes a line for the client.
        to_server: Takes a line for the server.

    Attributes:
        over: Set where everything here was stopped by hand.
    """

    def __init__(self, house: House, to_client: Write, to_server: Write) -> None:
        self.over = asyncio.Event()
        self._house = house
        self._to_client = to_client
        self._to_server = to_server
        self._given = Given()
        self._asking = Asking(house, self._given)
        self._caller = Caller(house)
        self._open: dict[Id, Exchange] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._bucket = Bucket(REFUSALS_A_SECOND, house.clock)
        self._unasked = Unasked(
            house, self._given, self._caller, self._new, to_client, self._refuse_server
        )

    async def client(self, line: bytes | TooLong) -> None:
        """Take a line of the client's."""
        exchange = self._new()
        try:
            waits = await self._taken(exchange, line)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message does not leave
            await self._refused(exchange, error)
            return
        if waits:
            self._beside(self._leave(exchange), "held message")
        else:
            await self._leave(exchange)

    async def server(self, line: bytes | TooLong) -> None:
        """Take a line of the server's."""
        line = self._without_credentials(line)
        try:
            message = _read(line)
        except ClientError as error:
            await self._unreadable(line, error)
            return
        if message.kind in {Kind.REQUEST, Kind.NOTIFICATION}:
            await self._unasked.said(message)
            return
        exchange = self._open.get(message.id) if message.id is not None else None
        if exchange is None or exchange.ticket is None:
            logger.warning(
                "an answer to nothing that was asked was not let through",
                extra={"event": "mcp.stray"},
            )
            return
        await self._answered(exchange, message)

    def _without_credentials(self, line: bytes | TooLong) -> bytes | TooLong:
        """The line, without what the server was given to prove itself elsewhere."""
        house, principal, session = self._house, self._caller.principal, self._caller.latest
        if isinstance(line, TooLong) or not house.values:
            return line
        echo = Echo(house.values)
        clean = echo.whole(line, "message")
        for detail in told(
            echo.findings,
            asked_by=principal.key if principal else "",
            session=session.id if session else "",
            listener=house.listener,
            host=house.server,
        ):
            spawn(house.gate.event(ECHOED, detail), name=ECHOED)
        return clean

    def kill(self, kill: Kill) -> None:
        """End what runs, as far as a kill reaches."""
        gate, error = self._house.gate, ended(kill)
        for exchange in list(self._open.values()):
            if exchange.principal and gate.killed(exchange.principal, exchange.session):
                exchange.why = error
                exchange.stop(Why.KILLED)
                if exchange.ticket:
                    self._beside(self._failed(exchange, error), "killed")
        principal, session = self._caller.principal, self._caller.latest
        if principal and gate.killed(principal, session):
            self._unasked.stop(Why.KILLED)
            self.over.set()

    def stop_waiting(self, why: Why = Why.STOPPING) -> None:
        """Nobody can wait for humans here any longer."""
        for exchange in list(self._open.values()):
            exchange.stop(why)
        self._unasked.stop(why)

    @property
    def idle(self) -> bool:
        """Whether no answer is to come."""
        return not self._open

    async def close(self, error: ProctorError) -> None:
        """Write the last records; what is open is answered with this error."""
        self.stop_waiting()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for exchange in list(self._open.values()):
            await self._failed(exchange, error)
        try:
            await self._unasked.end(None)
        except InternalError:
            logger.exception("an end was not recorded", extra={"event": "record.failed"})

    def _new(self) -> Exchange:
        return Exchange(
            flow_id=str(uuid.uuid4()),
            listener=self._house.listener,
            server=self._house.server,
            started_at=self._house.now(),
        )

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = spawn(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # The client's messages.

    async def _taken(self, exchange: Exchange, line: bytes | TooLong) -> bool:
        """Take a message as far as humans; whether it waits for them."""
        unread: ClientError | None = None
        try:
            exchange.message = _read(line)
        except ClientError as error:
            unread = error
        exchange.principal = principal = await self._caller.admit()
        message = exchange.message
        exchange.session = self._caller.session(principal, message)
        if message is None:
            raise unread or bad_message("nothing")
        if message.version and message.version not in MODERN:
            raise ClientError("mcp-version", "This revision of MCP is not known here")
        self._register(exchange, message)
        await self._asking.judge(exchange, message)
        return bool(self._asking.held(exchange))

    def _register(self, exchange: Exchange, message: Message) -> None:
        """Remember a request by its id, which no other has; an answer is one to a question."""
        if message.kind is Kind.REQUEST and message.id is not None:
            if message.id in self._open:
                raise bad_message("an id that another request has (MCP, Requests)")
            if len(self._open) >= MAX_OPEN:
                raise ClientError("mcp-open", "Too many requests are open", status=429)
            self._open[message.id] = exchange
        elif message.kind is not Kind.NOTIFICATION and message.id not in self._unasked.asked:
            raise bad_message("an answer to nothing that was asked")

    async def _leave(self, exchange: Exchange) -> None:
        """Let a message leave once humans agree and its record is durable."""
        try:
            await self._asking.hold(exchange)
            line = framed(exchange.sent)
            message = await self._begin(exchange)
            if self._reaches(message):
                self._to_server(line)
            if message.kind is not Kind.REQUEST and exchange.ticket:
                closing = Closing(status=None, response_bytes=0)
                await self._house.gate.end(exchange.ticket, closing)
            await self._sent(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message does not leave
            await self._refused(exchange, exchange.why or error)

    async def _begin(self, exchange: Exchange) -> Message:
        """Make the record of what leaves durable.

        Raises:
            ProctorError: It may not leave.
        """
        principal, ruling, message = exchange.principal, exchange.ruling, exchange.message
        if principal is None or ruling is None or message is None:
            raise InternalError("not-decided", "A message that was not decided about")
        exchange.ticket = await self._house.gate.begin(
            exchange.opening(), principal, exchange.session, ruling
        )
        exchange.alarm(self._house.gate, exchange.findings, stopped=False)
        _unstopped(exchange)
        return message

    def _reaches(self, message: Message) -> bool:
        """Whether the server is to get it: not the end of a request that it never got."""
        found = self._cancelled(message)
        if found is None or found.ticket:
            return True
        found.cancelled = True
        found.why = RefusedError("approval-cancelled", "The client wants it no more")
        found.stop(Why.GONE)
        return False

    async def _sent(self, message: Message) -> None:
        """What follows from a message that has left."""
        if message.kind in {Kind.RESPONSE, Kind.ERROR} and message.id is not None:
            self._unasked.asked.discard(message.id)
        found = self._cancelled(message)
        if found and found.ticket:
            # No answer is wanted, and none has to come (MCP, Cancellation).
            found.cancelled = True
            await self._failed(found, ClientError("mcp-cancelled", "The client cancelled it"))

    def _cancelled(self, message: Message) -> Exchange | None:
        """The request that a message cancels."""
        named = message.params.get("requestId")
        if message.method != CANCELLED or not isinstance(named, str | int):
            return None
        return self._open.get(named)

    async def _refused(self, exchange: Exchange, error: Exception) -> None:
        """Answer for what may not leave, and record it; a refusal stands even if that fails."""
        if exchange.ticket:
            await self._failed(exchange, error)
            return
        said = _ours(error)
        self._forget(exchange)
        try:
            self._asking.conceal(exchange)
            if exchange.principal or self._bucket.take():
                await self._record(exchange, said)
        except Exception:
            logger.exception("a refusal was not recorded", extra={"event": "record.failed"})
        self._tell(exchange, said)

    async def _record(self, exchange: Exchange, error: ProctorError) -> None:
        call = exchange.call(error)
        exchange.alarm(self._house.gate, exchange.findings, stopped=True)
        await self._house.gate.refuse(
            exchange.opening(),
            Closing(status=None, response_bytes=0, error=str(error), tools=(call,) if call else ()),
            principal=exchange.principal,
            session=exchange.session,
            verdict=refusal_of(error),
            ruling=exchange.ruling,
        )

    def _tell(self, exchange: Exchange, error: ProctorError) -> None:
        message = exchange.message
        if exchange.cancelled:
            return
        if message is None or message.kind is Kind.REQUEST:
            self._to_client(_told(error, message))
        elif message.kind is not Kind.NOTIFICATION and message.id in self._unasked.asked:
            # The server waits for this answer.
            self._unasked.asked.discard(message.id)
            self._refuse_server(message, error)

    def _refuse_server(self, message: Message, error: ProctorError) -> None:
        """Tell the server that its question, of this id, is not answered."""
        self._to_server(_told(error, Message(kind=Kind.REQUEST, id=message.id)))

    def _forget(self, exchange: Exchange) -> None:
        message = exchange.message
        if message and message.id is not None and self._open.get(message.id) is exchange:
            del self._open[message.id]

    # The server's answers.

    async def _answered(self, exchange: Exchange, message: Message) -> None:
        try:
            answer = Answer(self._house, self._given, exchange, exchange.message, message)
            out = await answer.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer does not go on
            await self._failed(exchange, error, size=len(message.raw))
            return
        if answer.waits:
            self._beside(self._settled(exchange, message, answer), "held question")
        else:
            await self._deliver(exchange, message, answer, out)

    async def _settled(self, exchange: Exchange, message: Message, answer: Answer) -> None:
        try:
            out = await answer.settle()
        except Exception as error:  # noqa: BLE001 - the same
            await self._failed(exchange, error, size=len(message.raw))
            return
        await self._deliver(exchange, message, answer, out)

    async def _deliver(
        self, exchange: Exchange, message: Message, answer: Answer, out: Rewritten
    ) -> None:
        """Write the end durably, and then pass it on."""
        if exchange.cancelled or exchange.ticket is None:
            return
        try:
            _unstopped(exchange)
            line, call = framed(out.client), exchange.call()
            result = kept_result(call, out.record) if call else None
            closing = Closing(
                status=None,
                response_bytes=len(message.raw),
                body=out.record,
                findings=answer.findings,
                receipt=answer.receipt,
                rulings=answer.judging.rulings,
                tools=(call,) if call else (),
                results=(result,) if result else (),
            )
            self._forget(exchange)
            exchange.alarm(self._house.gate, answer.findings, stopped=False)
            await self._house.gate.end(exchange.ticket, closing)
        except Exception as error:  # noqa: BLE001 - the same
            await self._failed(exchange, error, size=len(message.raw))
            return
        self._to_client(line)

    async def _failed(self, exchange: Exchange, error: Exception, size: int = 0) -> None:
        """Answer for what has left and gets no answer, and record that."""
        ticket, exchange.ticket = exchange.ticket, None
        if ticket is None:
            return  # that was done already
        said = _ours(error)
        self._forget(exchange)
        call = exchange.call()
        closing = Closing(
            status=None,
            response_bytes=size,
            error=str(said),
            tools=(call,) if call else (),
        )
        try:
            await self._house.gate.end(ticket, closing)
        except InternalError:
            logger.exception("an end was not recorded", extra={"event": "record.failed"})
        self._tell(exchange, said)

    async def _unreadable(self, line: bytes | TooLong, error: ClientError) -> None:
        """Whose answer it was cannot be told, so whoever waits for one is told."""
        logger.warning(
            "a line of the server's is no message: %s", error.got, extra={"event": "mcp.unreadable"}
        )
        if isinstance(line, bytes) and not line.lstrip().startswith(b"{"):
            return  # what some servers print before they begin; clients pass over it, too
        broken = UpstreamError(
            "mcp-answer", "The MCP server's answer cannot be read", got=error.got
        )
        for exchange in list(self._open.values()):
            await self._failed(exchange, broken)


def _read(line: bytes | TooLong) -> Message:
    """One message.

    Raises:
        ClientError: `mcp-message`.
    """
    if isinstance(line, TooLong):
        raise bad_message(_LONG)
    if b"\r" in line:
        raise bad_message("a line end inside of it")
    return read(line)


def _unstopped(exchange: Exchange) -> None:
    if exchange.why:
        raise exchange.why


def _told(error: ProctorError, message: Message | None) -> bytes:
    # ASCII only: halves of surrogate pairs stay escapes.
    return framed(json.dumps(denied(error, message)).encode())


def _ours(error: Exception) -> ProctorError:
    if isinstance(error, ProctorError):
        return error
    logger.error("a part of proctor failed", exc_info=error, extra={"event": "stage.failed"})
    return InternalError(
        "stage-failed",
        "A part of proctor failed, so nothing was let through",
        hint="The log says which.",
    )
