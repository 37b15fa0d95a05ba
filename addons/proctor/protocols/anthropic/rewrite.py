"""A Messages API answer, redacted and judged while it passes.

Each content block is a text of its own. A tool's input is kept back until it is complete, since it
is judged and redacted as the JSON it becomes; other blocks flow. While humans are asked about a
call, all behind it waits, in order, and `released` gives it once the call is settled. What needs no
change passes byte for byte. What cannot be read is a RedactionError, after which `broken` says what
the client is told. Events as in RawMessageStreamEvent of the SDK.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from proctor.errors import ClientError, ProctorError
from proctor.protocols.anthropic.blocks import SIGNED, exempt_in, is_tool
from proctor.protocols.anthropic.calls import Call, Calls, Judge, Outcome, is_judged, one_object
from proctor.protocols.anthropic.events import PING, dumped, error_event, event_bytes, fields_of
from proctor.protocols.anthropic.queue import Queue
from proctor.protocols.jsonspan import loads
from proctor.protocols.sse import RawEvent, RawEventStream, other_lines, with_data
from proctor.redaction.handling import Handling, Rewritten, Words, joined, whole_text
from proctor.redaction.lines import lines_looked_at
from proctor.redaction.model import RedactionError

# Seconds after which a waiting client hears a ping; less than the ten after which one is asked for.
_SILENCE: Final = 9.0
_MAX_BLOCKS: Final = 100  # open at once; the API has one
# Members by which a block brings words of its own; deltas add to them.
_WORDS: Final = {"text": "text", "thinking": "thinking", "compaction": "content"}
_COMMON: Final = 2  # the type and the index
# Members that may be there and empty.
_MEMBERS: Final = frozenset({"text", "thinking", "signature", "input", "citations", "content"})
_NOTHING: Final[tuple[object, ...]] = ("", None, {}, [])
_EVENTS: Final = frozenset(
    {
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("message_start", "message_delta", "message_stop"),
    }
)
_usual = re.compile(
    rb"(?:event: ?[a-z_]{1,40}[\r\n]{1,2})?data:[^\r\n]*(?:\r\n|\n|\r){2}"
).fullmatch
# WHATWG HTML, section 9.2.6; a line with another name would be passed over.
_fields = re.compile(rb"(?:(?:|data|event|id|retry)(?::[^\r\n]*)?(?:\r\n|\n|\r))*").fullmatch


@dataclass(slots=True)
class _Block:
    """A block that flows.

    Attributes:
        words: Its texts, by kind of delta and member.
        last: The last event of each, as the pattern for the one that brings the rest.
    """

    location: str
    signed: bool
    words: dict[tuple[str, str], Words] = field(default_factory=dict)
    last: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class _Tool:
    """A tool call that is kept back; nothing of it has gone on.

    Attributes:
        start: The event it begins with.
        pieces: The others, as they came.
        arguments: What they say.
        behind: Events that came after it and have to wait, each with its kind.
        size: Bytes kept back.
    """

    index: int
    block: dict[str, Any]
    start: Rewritten
    pieces: list[Rewritten] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    behind: list[tuple[str, Rewritten]] = field(default_factory=list)
    size: int = 0


class AnswerRewriter:
    """Redacts one event stream, and has the tool calls in it judged.

    Args:
        handling: Does the work on texts and documents.
        judge: Says what becomes of tool calls.
        clock: Monotonic, seconds.
        max_event: Bytes that one event may have.
        max_input: Bytes that are kept back for one tool call.
        max_waiting: Bytes that are kept back while humans are asked.
    """

    def __init__(  # noqa: PLR0913 - each limit is its own
        self,
        handling: Handling,
        judge: Judge,
        *,
        clock: Callable[[], float],
        max_event: int = 16 * 2**20,
        max_input: int = 8 * 2**20,
        max_waiting: int = 8 * 2**20,
    ) -> None:
        self._handling = handling
        self._clock = clock
        self._max_event = max_event
        self._max_input = max_input
        self._events = RawEventStream()
        self._blocks: dict[int, _Block] = {}
        self._tool: _Tool | None = None
        self._calls = Calls(judge)
        self._queue = Queue(self._calls, max_size=max_waiting)
        self._begun = 0  # blocks
        self._any = False  # event has come
        self._spoke = clock()

    @property
    def waiting(self) -> tuple[Call, ...]:
        """The calls that are not decided, in order."""
        return self._calls.waiting

    @property
    def idle(self) -> bool:
        """Whether nothing is kept back for a call that waits."""
        return not self._queue

    def feed(self, data: bytes) -> Rewritten:
        """Take the next decoded bytes.

        Raises:
            RedactionError: The answer cannot be looked at, or is too large to be kept back.
        """
        parts: list[Rewritten] = []
        for event in self._events.feed(data):
            self._bound(len(event.raw))
            out = self._event(event)
            parts.append(out if out.client else Rewritten(self.ping(), out.record))
        self._bound(self._events.pending)
        whole = joined(parts)
        if whole.client:
            self._spoke = self._clock()
        return whole

    def finish(self) -> Rewritten:
        """The stream's end.

        What is still held back of a block that did not end could be half of a value, so it is
        dropped. What waits for humans still does.

        Raises:
            RedactionError: There was no event, but something else.
        """
        self._blocks.clear()
        self._tool = None
        if self._events.pending and not self._any:
            raise _unreadable("no event, but something else")
        return self.released()

    def settle(self, number: int, outcome: Outcome) -> None:
        """Say what becomes of a call that waits; `released` then has what may go.

        Raises:
            InternalError: `call-not-waiting`: there is none of this number, or it was decided.
        """
        self._calls.settle(number, outcome)

    def released(self) -> Rewritten:
        """What may go now."""
        out = self._queue.drain()
        if out.client:
            self._spoke = self._clock()
        return out

    def ping(self) -> bytes:
        """An event that keeps a client patient.

        b"" where nothing is kept back, or the client has heard something in the last 9 seconds.
        """
        waits = self._tool is not None or bool(self._queue)
        if not waits or self._clock() - self._spoke < _SILENCE:
            return b""
        self._spoke = self._clock()
        return PING

    def broken(self, error: ProctorError) -> bytes:
        """The event that tells the client that nothing more comes; what waits is given up."""
        self._tool = None
        self._queue.clear()
        self._calls.give_up()
        return error_event(error)

    def _bound(self, size: int) -> None:
        if size > self._max_event:
            raise _too_large(f"an event of more than {self._max_event} bytes")

    def _event(self, event: RawEvent) -> Rewritten:
        lines = Rewritten(event.raw, event.raw)
        if not _usual(event.raw):
            if not _fields(event.raw):
                raise _unreadable("a line that is no part of an event")
            lines = lines_looked_at(self._handling, event.raw)
        if event.event is None:
            return lines
        self._any = True
        fields = _object(event)
        if event.event.type in _EVENTS and event.event.type != fields.get("type"):
            # Clients may go by either; else a call would pass as an event nobody knows.
            raise _unreadable("an event of two types")
        match fields.get("type"):
            case "content_block_start":
                return self._in_turn(self._start(lines, fields))
            case "content_block_delta":
                return self._in_turn(self._delta(lines, fields))
            case "content_block_stop":
                return self._stop(lines, fields)
            case "message_start" | "message_delta" if _has_content(fields):
                raise _unreadable("content that comes in no block")
            case str(kind):
                return self._other(lines, fields, kind)
            case _:
                raise _unreadable("an event without a type")

    def _in_turn(self, lines: Rewritten, kind: str = "") -> Rewritten:
        """Behind all that waits; returns what may go now."""
        if kind == "message_delta":
            self._queue.delta(lines)
        elif not self._queue:
            return lines
        else:
            self._queue.plain(lines)
        return self._queue.drain()

    def _start(self, lines: Rewritten, fields: dict[str, Any]) -> Rewritten:
        index, block = fields.get("index"), fields.get("content_block")
        if type(index) is not int or not isinstance(block, dict):
            raise _unreadable("a block without its fields")
        self._nothing_else(fields, "content_block")
        if self._tool is not None or index in self._blocks or len(self._blocks) >= _MAX_BLOCKS:
            # Blocks come one after another; else what waits would overtake.
            raise _unreadable("a block within another")
        self._begun += 1
        kind = block.get("type")
        location = f"content[{index}]"
        if is_tool(block):
            self._call(lines, fields, block, location)
            return Rewritten()
        self._blocks[index] = _Block(location, signed=kind in SIGNED)
        member = _WORDS.get(kind) if isinstance(kind, str) else None
        text = block.get(member) if member else None
        if member is None or not text or not isinstance(text, str):
            return self._document(lines, fields, "content_block", location)
        # A block that begins with words, as no answer does today: they follow as a delta.
        empty = {**fields, "content_block": {**block, member: ""}}
        begun = self._document(_all_data(lines, empty), empty, "content_block", location)
        delta = {"type": f"{kind}_delta", member: text}
        event = {"type": "content_block_delta", "index": index, "delta": delta}
        came = event_bytes(event)
        return begun + self._delta(Rewritten(came, came), event)

    def _call(
        self, lines: Rewritten, fields: dict[str, Any], block: dict[str, Any], location: str
    ) -> None:
        if fields["index"] != self._begun - 1:
            # RawContentBlockDeltaEvent.index is the block's place in the message; else a client
            # could put the input into another call than was judged.
            raise _unreadable("a tool call in another place than it says")
        given = block.get("input")
        if given:
            # The whole input at once, as no answer brings it today: it follows as a delta.
            fields = {**fields, "content_block": {**block, "input": {}}}
            lines = _all_data(lines, fields)
        start = self._document(lines, fields, "content_block", location)
        index = fields["index"]
        if start.client != lines.client:
            block = fields_of(start.client)["content_block"]
        tool = self._tool = _Tool(index, block, start)
        self._weigh(tool, lines)
        if given:
            delta = {"type": "input_json_delta", "partial_json": dumped(given)}
            came = event_bytes({"type": "content_block_delta", "index": index, "delta": delta})
            self._argument(tool, Rewritten(came, came), delta)

    def _delta(self, lines: Rewritten, fields: dict[str, Any]) -> Rewritten:
        index, delta = fields.get("index"), fields.get("delta")
        if type(index) is not int or not isinstance(delta, dict):
            raise _unreadable("a delta without its fields")
        self._nothing_else(fields, "delta")
        if self._tool is not None and self._tool.index == index:
            return self._argument(self._tool, lines, delta)
        block = self._blocks.get(index)
        kind = delta.get("type")
        if block is None or not isinstance(kind, str) or kind == "input_json_delta":
            raise _unreadable("a delta without its block")
        texts = [name for name, value in delta.items() if name != "type" and isinstance(value, str)]
        if kind == "signature_delta" and delta.keys() == {"type", "signature"}:
            return lines
        if len(texts) != 1:
            return self._document(lines, fields, "delta", block.location)
        member = texts[0]
        key = (kind, member)
        if block.last.get(key) is None:
            where = member if member.isidentifier() else "delta"
            where = f"{block.location}.{where}"
            block.words[key] = Words(self._handling, where, signed=block.signed)
        block.last[key] = fields
        text = block.words[key].feed(delta[member])
        if len(delta) == 2:  # noqa: PLR2004 - its type and its text
            out = Rewritten(
                _said(lines.client, fields, member, text.client),
                _said(lines.record, fields, member, text.record),
            )
        else:
            rest = {**fields, "delta": {**delta, member: ""}}
            more = Rewritten(_more(fields, member, text.client), _more(fields, member, text.record))
            out = self._document(_all_data(lines, rest), rest, "delta", block.location) + more
        return Rewritten(lines.client, out.record) if block.signed else out

    def _argument(self, tool: _Tool, lines: Rewritten, delta: dict[str, Any]) -> Rewritten:
        piece = delta.get("partial_json")
        if delta.keys() != {"type", "partial_json"} or not isinstance(piece, str):
            raise _unreadable("a tool's input in an unknown form")
        self._weigh(tool, lines)
        tool.pieces.append(lines)
        tool.arguments.append(piece)
        return Rewritten()

    def _weigh(self, tool: _Tool, lines: Rewritten) -> None:
        tool.size += len(lines.client)
        if tool.size > self._max_input:
            raise _too_large(f"a tool call of more than {self._max_input} bytes")

    def _stop(self, lines: Rewritten, fields: dict[str, Any]) -> Rewritten:
        self._nothing_else(fields, "")
        index = fields.get("index")
        tool = self._tool
        if tool is not None and tool.index == index:
            self._tool = None
            self._called(tool, lines)
            parts = [self._queue.drain()]
            parts += [self._in_turn(behind, kind) for kind, behind in tool.behind]
            return joined(parts)
        block = self._blocks.pop(index, None) if type(index) is int else None
        if block is None:
            raise _unreadable("the end of a block that is not open")
        rest = Rewritten()
        for key, words in block.words.items():
            text = words.finish()
            client = "" if block.signed else text.client
            last = block.last[key]
            rest += Rewritten(_more(last, key[1], client), _more(last, key[1], text.record))
        return self._in_turn(rest + lines)

    def _called(self, tool: _Tool, stop: Rewritten) -> None:
        """A whole tool call: as it came, or its start and all of its input at once."""
        came = "".join(tool.arguments)
        name, pieces = _text(tool.block.get("name")), joined(tool.pieces)
        types = self._calls.restored(tool.block.get("type"), name, came or "{}")
        client = record = came
        raw = came.encode("utf-8", "surrogatepass")
        if came:
            client, record = self._arguments(raw, f"content[{tool.index}].input", types)
        passed = joined(
            [
                tool.start,
                Rewritten(
                    pieces.client if client == came else _arguments(tool.index, client),
                    pieces.record if record == came else _arguments(tool.index, record),
                ),
                stop,
            ]
        )
        if not is_judged(tool.block):
            self._queue.plain(passed)
            return
        call = Call(
            number=self._calls.count,
            index=tool.index,
            id=_text(tool.block.get("id")),
            name=name,
            arguments=client or "{}",
            record=record or "{}",
            raw=came or "{}",
            # What is turned back may give a name twice.
            complete=(not came or one_object(raw))
            and (client == came or one_object(client.encode("utf-8", "surrogatepass"))),
        )
        self._calls.ask(call)
        self._queue.call(call.number, tool.index, passed)

    def _arguments(self, raw: bytes, location: str, types: frozenset[str]) -> tuple[str, str]:
        """A tool's input, for the client and for the record."""
        came = raw.decode("utf-8", "surrogatepass")
        try:
            out = self._handling.document(raw, location, exempt={}, restore=types)
        except ClientError:
            # Cut off by max_tokens, or never JSON: nothing can be turned back in it.
            text = whole_text(self._handling, came, location).record
            return text, text
        return (
            came if out.client == raw else out.client.decode("utf-8", "surrogatepass"),
            came if out.record == raw else out.record.decode("utf-8", "surrogatepass"),
        )

    def _other(self, lines: Rewritten, fields: dict[str, Any], kind: str) -> Rewritten:
        if len(fields) > 1:
            lines = self._document(lines, fields, "", "")
        if kind == "ping":
            return lines
        if self._tool is not None and kind != "error":
            self._weigh(self._tool, lines)
            self._tool.behind.append((kind, lines))
            return Rewritten()
        return self._in_turn(lines, kind)

    def _nothing_else(self, fields: dict[str, Any], member: str) -> None:
        """Members that an event of this kind has not had so far pass where nothing is in them."""
        if len(fields) > _COMMON + bool(member):
            rest = {n: v for n, v in fields.items() if n not in ("type", "index", member)}
            event = Rewritten(b"as it came", b"as it came")
            if self._document(event, rest, "", "") != event:
                raise _unreadable("something to take out of an unknown member of an event")

    def _document(
        self, lines: Rewritten, fields: dict[str, Any], member: str, location: str
    ) -> Rewritten:
        """An event of which one member, or all where it is "", is looked at as a document."""
        value = fields[member] if member else fields
        exempt = exempt_in(value)
        if all((name,) in exempt or _is_empty(name, held) for name, held in value.items()):
            return lines
        raw = dumped(value).encode()
        try:
            out = self._handling.document(raw, location, exempt=exempt)
        except ClientError:
            raise _unreadable("an event that is ambiguous") from None

        def put(event: bytes, changed: bytes) -> bytes:
            if changed == raw:
                return event
            new = json.loads(changed)
            return with_data(event, dumped({**fields, member: new} if member else new))

        return Rewritten(put(lines.client, out.client), put(lines.record, out.record))


def _object(event: RawEvent) -> dict[str, Any]:
    data = event.event.data if event.event else ""
    try:
        if "\ufffd" in data:
            event.raw.decode()  # else what a client reads would not be what was looked at
        fields = loads(data)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _unreadable("an event that is no JSON object")
    return fields


def _has_content(fields: dict[str, Any]) -> bool:
    part = fields.get("message" if fields["type"] == "message_start" else "delta")
    return not isinstance(part, dict) or bool(part.get("content"))


def _is_empty(name: str, value: object) -> bool:
    return name in _MEMBERS and value in _NOTHING


def _all_data(lines: Rewritten, fields: dict[str, Any]) -> Rewritten:
    data = dumped(fields)
    return Rewritten(with_data(lines.client, data), with_data(lines.record, data))


def _said(raw: bytes, fields: dict[str, Any], member: str, text: str) -> bytes:
    """A delta's event with the text that may go on; without any, only lines that are no event."""
    delta = fields["delta"]
    if text == delta[member]:
        return raw
    if text:
        return with_data(raw, dumped({**fields, "delta": {**delta, member: text}}))
    lines = [line for line in other_lines(raw) if not line.startswith(b"event")]
    return b"".join(lines) if any(line.strip() for line in lines) else b""


def _more(fields: dict[str, Any], member: str, text: str) -> bytes:
    delta = {"type": fields["delta"]["type"], member: text}
    return event_bytes({**fields, "delta": delta}) if text else b""


def _arguments(index: int, text: str) -> bytes:
    delta = {"type": "input_json_delta", "partial_json": text}
    return event_bytes({"type": "content_block_delta", "index": index, "delta": delta})


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _unreadable(got: str) -> RedactionError:
    return RedactionError(
        "redaction-decoder",
        "The model's answer cannot be looked at, so it was cut off",
        got=got,
        expected="the events of the Messages API",
    )


def _too_large(got: str) -> RedactionError:
    return RedactionError(
        "redaction-size", "The model's answer is too large to be looked at, so it was cut off", got
    )
