"""An MCP server's answer, judged and redacted message by message while it passes.

A body of JSON holds one message. An event stream holds any number: notifications, questions of the
server's (until 2025-11-25), and at last the response. What may contain a question since: a result
with `inputRequests` (2026-07-28, Multi Round-Trip Requests; SEP-2663 for tasks, whose notifications
have it, too) and the error -32042 (2025-11-25, URL mode elicitation).

All is told by its shape, not by the request that it answers: the Python SDK takes any response on
a request's stream for the one to that request, whatever its id. Messages that nobody changes pass
byte for byte. Where a question waits for humans, it and all behind it are kept back, in order.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from proctor.errors import ClientError, InternalError, ProctorError, UpstreamError
from proctor.protocols.mcp.messages import Id, Kind, Message, dumped, read, well_named
from proctor.protocols.mcp.refusals import DENIED_METHOD, denied
from proctor.protocols.sse import RawEvent, RawEventStream, other_lines, with_data
from proctor.redaction.handling import Rewritten, joined

MAX_MESSAGE: Final = 16 * 2**20
"""Bytes of one message."""

_SILENCE: Final = 9.0  # seconds; less than the ten after which a ping is asked for
_MAX_ASKED: Final = 100  # questions that may wait at once
_URL_ELICITATION: Final = -32042  # URLElicitationRequiredError of 2025-11-25
_ELICIT: Final = "elicitation/create"
_FIELDS: Final = (b"", b"data", b"event", b"id", b"retry")  # the first is a comment's, or a blank


class Framing(StrEnum):
    """How an answer's messages are told apart."""

    JSON = "application/json"
    EVENTS = "text/event-stream"


def framing(content_type: str) -> Framing | None:
    """By `Content-Type`; None where it is no answer of MCP's."""
    return _FRAMINGS.get(content_type.partition(";")[0].strip().lower())


_FRAMINGS: Final = {kind.value: kind for kind in Framing}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of the server's.

    Attributes:
        number: Its place among the questions of this answer, from 0.
        method: `sampling/createMessage`, `elicitation/create`, `roots/list` or another.
        params: What it asks.
    """

    number: int
    method: str
    params: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pass:
    """The client gets the question."""


@dataclass(frozen=True, slots=True)
class Denied:
    """It does not.

    A server that asked in a request is told so by the client, who knows no method of the name that
    takes its place. With `inputRequests`, the client's own request is answered with this error.
    """

    error: ProctorError = field(repr=False)


type Outcome = Pass | Denied


class Judge(Protocol):
    """Says what of an answer goes on. What it raises ends the answer."""

    def keep(self, tool: Mapping[str, Any]) -> bool:
        """Whether a definition stays in a list of tools."""
        ...

    def instructions(self, text: str) -> bool:
        """Whether a server's words for the model stay (`initialize`, `server/discover`)."""
        ...

    def ask(self, asked: Asked) -> Outcome | None:
        """What becomes of a question; None where humans are asked, and it is settled later."""
        ...


@dataclass(frozen=True, slots=True)
class _Item:
    """What may go on once its questions are settled.

    Attributes:
        passed: How it goes on.
        asked: Numbers of the questions in it.
        message: What asks; None where nothing does.
        raw: The event that it came in; None in a body of JSON.
        final: It answers the request.
    """

    passed: Rewritten
    asked: tuple[int, ...] = ()
    message: Message | None = None
    raw: bytes | None = None
    final: bool = False


class McpAnswer:
    """One answer on its way. Implements `Rewriter` of stages/tap.py.

    Args:
        request: What it answers; None for a GET, or an answer to a notification or response.
        framing: How its messages are told apart.
        judge: Is asked about tools and questions.
        redact: Takes one message, whole JSON; gives it as the client gets it, and as it is kept.
        clock: Monotonic, seconds.
        max_message: Bytes of one message.
        max_waiting: Bytes that may wait behind a question.

    Attributes:
        last: The message that was read last.
    """

    def __init__(  # noqa: PLR0913 - each limit is its own
        self,
        request: Message | None,
        framing: Framing,
        judge: Judge,
        redact: Callable[[bytes], Rewritten],
        *,
        clock: Callable[[], float],
        max_message: int = MAX_MESSAGE,
        max_waiting: int = 2 * MAX_MESSAGE,
    ) -> None:
        self.last: Message | None = None
        self._request = request if request and request.kind is Kind.REQUEST else None
        self._framing = framing
        self._judge = judge
        self._redact = redact
        self._clock = clock
        self._max_message = max_message
        self._max_waiting = max_waiting
        self._events = RawEventStream()
        self._body = bytearray()
        self._queue: deque[_Item] = deque()
        self._size = 0  # bytes in the queue
        self._numbers = 0
        self._waiting: dict[int, Asked] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._given_up: set[int] = set()
        self._answered = False  # the response has come
        self._told = False  # it has gone on
        self._spoke = clock()

    @property
    def waiting(self) -> tuple[Asked, ...]:
        """The questions that are not decided, in order."""
        return tuple(self._waiting.values())

    @property
    def idle(self) -> bool:
        """Whether nothing is kept back for a question that waits."""
        return not self._queue

    def feed(self, data: bytes) -> Rewritten:
        """Take the next decoded bytes.

        Raises:
            UpstreamError: `mcp-answer`: it cannot be read, or is too large.
            ProctorError: What `redact` or the judge raised.
        """
        if self._framing is Framing.JSON:
            self._body += data
            self._bound(len(self._body))
            return Rewritten()
        for event in self._events.feed(data):
            self._bound(len(event.raw))
            self._event(event)
        self._bound(self._events.pending)
        return self.released()

    def finish(self) -> Rewritten:
        """The answer's end. Half an event at the end of a stream is dropped, as clients do.

        Raises:
            UpstreamError: `mcp-answer`.
        """
        body, self._body = bytes(self._body), bytearray()
        if body.strip(b" \t\r\n"):
            self._message(body, None)
            return self.released()
        return self.released() + Rewritten(body, body)  # of a 202, say

    def settle(self, number: int, outcome: Outcome) -> None:
        """Say what becomes of a question that waits; of one that was given up it changes nothing.

        Raises:
            InternalError: `question-not-waiting`: there is none of this number, or it was decided.
        """
        if number in self._given_up:
            self._given_up.remove(number)
            return
        if self._waiting.pop(number, None) is None:
            raise InternalError(
                "question-not-waiting", "An MCP server's question was decided that does not wait"
            )
        self._outcomes[number] = outcome

    def released(self) -> Rewritten:
        """What may go now.

        Raises:
            UpstreamError: `mcp-answer`: too much waits.
        """
        parts: list[Rewritten] = []
        while self._queue and self._settled(self._queue[0]):
            item = self._queue.popleft()
            self._size -= len(item.passed.client)
            parts.append(self._out(item))
        if self._size > self._max_waiting:
            raise _unreadable(f"more than {self._max_waiting} bytes that wait for a human")
        out = joined(parts)
        if out.client:
            self._spoke = self._clock()
        return out

    def ping(self) -> bytes:
        """What keeps a client patient; b"" where nothing waits, or it heard something lately.

        A comment between events; before a JSON body a blank (RFC 8259 section 2).
        """
        if not self._queue or self._clock() - self._spoke < _SILENCE:
            return b""
        self._spoke = self._clock()
        return b" " if self._framing is Framing.JSON else b": ping\n\n"

    def broken(self, error: ProctorError) -> bytes | None:
        """How the client is told that nothing more comes; None where it can only be cut off."""
        self._queue.clear()
        self._size = 0
        self._given_up.update(self._waiting)
        self._waiting.clear()
        if self._request is None or self._told:
            return None
        self._told = True
        said = dumped(denied(error, self._request))
        return said if self._framing is Framing.JSON else _as_event(said)

    def _bound(self, size: int) -> None:
        if size > self._max_message:
            raise _unreadable(f"a message of more than {self._max_message} bytes")

    def _event(self, event: RawEvent) -> None:
        raw = _tidy(event.raw)
        if event.event is None or not event.event.data:
            # A comment, a retry time, an id to resume from (2025-11-25, Resumability).
            self._add(_Item(Rewritten(raw, raw)))
        elif event.event.type != "message":
            # Clients of MCP pass over it; what it says is not looked at, so it stays here.
            rest = b"".join(line for line in other_lines(raw) if _name(line) != b"event")
            self._add(_Item(Rewritten(rest, rest)))
        else:
            self._message(_strictly(event), raw)

    def _message(self, data: bytes, raw: bytes | None) -> None:
        """One message, and the event that it came in."""
        try:
            message = self.last = read(data)
        except ClientError as error:
            raise _unreadable(error.got) from None
        final = self._check_id(message)
        asked = tuple(self._ask(method, params) for method, params in _questions(message))
        changed = self._kept(message)
        clean = self._redact(data if changed is None else dumped(changed))
        passed = Rewritten(*(_framed(each, data, raw) for each in (clean.client, clean.record)))
        self._add(_Item(passed, asked, message if asked else None, raw, final))

    def _check_id(self, message: Message) -> bool:
        """Whether it is the response: its id is the request's (2026-07-28, "Responses")."""
        if message.kind in {Kind.REQUEST, Kind.NOTIFICATION} or self._request is None:
            return False
        unknown = message.kind is Kind.ERROR and message.id is None
        if self._answered or not (unknown or _same(message.id, self._request.id)):
            raise _unreadable("a response to something that was not asked")
        self._answered = True
        return True

    def _kept(self, message: Message) -> dict[str, Any] | None:
        """The message without the tools and instructions that do not stay; None if all do."""
        result, changed = dict(message.result), False
        if (tools := result.get("tools")) is not None:
            if not isinstance(tools, list):
                raise _unreadable("`tools` that are no list")
            kept = [tool for tool in tools if isinstance(tool, dict) and self._judge.keep(tool)]
            result["tools"], changed = kept, len(kept) < len(tools)
        said = result.get("instructions")
        if said is not None and not (isinstance(said, str) and self._judge.instructions(said)):
            del result["instructions"]
            changed = True
        return {**message.members, "result": result} if changed else None

    def _ask(self, method: str, params: Mapping[str, Any]) -> int:
        if len(self._waiting) >= _MAX_ASKED:
            raise _unreadable(f"more than {_MAX_ASKED} questions at once")
        number = self._numbers
        self._numbers += 1
        asked = Asked(number=number, method=method, params=params)
        outcome = self._judge.ask(asked)
        if outcome is None:
            self._waiting[number] = asked
        else:
            self._outcomes[number] = outcome
        return number

    def _add(self, item: _Item) -> None:
        self._queue.append(item)
        self._size += len(item.passed.client)

    def _settled(self, item: _Item) -> bool:
        return all(number in self._outcomes for number in item.asked)

    def _out(self, item: _Item) -> Rewritten:
        self._told |= item.final
        outcomes = [self._outcomes.pop(number) for number in item.asked]
        refused = [each.error for each in outcomes if isinstance(each, Denied)]
        if item.message is None or not refused:
            return item.passed
        said = self._instead(item.message, refused[0])
        if said is None:
            return Rewritten()
        instead = _framed(dumped(said), b"", item.raw)
        return Rewritten(instead, instead)

    def _instead(self, message: Message, error: ProctorError) -> dict[str, Any] | None:
        if message.kind is Kind.REQUEST:
            return {"jsonrpc": "2.0", "id": message.id, "method": DENIED_METHOD}
        if message.kind is Kind.NOTIFICATION:
            return None
        if self._request is not None:
            return denied(error, self._request)
        return denied(error, Message(kind=Kind.REQUEST, id=message.id))


def _questions(message: Message) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the server asks in one message."""
    if message.kind is Kind.REQUEST and message.method != "ping":
        yield message.method, message.params
    for outer in (message.result, message.params):
        for inside in (outer, outer.get("task")):
            if isinstance(inside, dict) and inside.get("inputRequests") is not None:
                yield from _inputs(inside["inputRequests"])
    if message.error.get("code") == _URL_ELICITATION:
        yield from _elicitations(message.error.get("data"))


def _inputs(asked: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """InputRequests: a map of requests without id."""
    if not isinstance(asked, dict):
        raise _unreadable("`inputRequests` that are no object")
    for each in asked.values():
        method = each.get("method") if isinstance(each, dict) else None
        params = each.get("params", {}) if isinstance(each, dict) else None
        if not isinstance(method, str) or not isinstance(params, dict) or not well_named(each):
            raise _unreadable("an input request without a method")
        yield method, params


def _elicitations(data: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    asked = data.get("elicitations") if isinstance(data, dict) else None
    if not isinstance(asked, list) or not all(isinstance(each, dict) for each in asked):
        raise _unreadable("an error -32042 without elicitations")
    yield from ((_ELICIT, each) for each in asked)


def _strictly(event: RawEvent) -> bytes:
    """An event's data; bytes that are not UTF-8 would each be read in some way."""
    try:
        event.raw.decode()
    except UnicodeDecodeError:
        raise _unreadable("bytes that are not UTF-8") from None
    return event.event.data.encode() if event.event else b""


def _framed(message: bytes, data: bytes, raw: bytes | None) -> bytes:
    """A message as it goes on: the event that it came in stays as it is where the message does."""
    if raw is None:
        return message
    return raw if message == data else with_data(raw, message.decode())


def _as_event(data: bytes) -> bytes:
    return b"event: message\ndata: " + data + b"\n\n"


def _tidy(raw: bytes) -> bytes:
    """An event without the text of comments, and without lines that no reader knows.

    WHATWG HTML, section 9.2.6: both are passed over, so nobody needs what could stand there.
    """
    lines = (
        b":" + line[len(line.rstrip(b"\r\n")) :] if line.startswith(b":") else line
        for line in raw.splitlines(keepends=True)
    )
    return b"".join(line for line in lines if _name(line) in _FIELDS)


def _name(line: bytes) -> bytes:
    return line.rstrip(b"\r\n").partition(b":")[0]


def _same(one: Id | None, other: Id | None) -> bool:
    return type(one) is type(other) and one == other


def _unreadable(got: str) -> UpstreamError:
    return UpstreamError(
        code="mcp-answer",
        message="The MCP server's answer cannot be read, so it was cut off",
        got=got,
        expected="JSON-RPC 2.0 messages, as JSON or as events",
    )
