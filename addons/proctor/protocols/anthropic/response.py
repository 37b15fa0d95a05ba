"""The model's answer, put together from an event stream or from JSON, whatever the chunks.

Reading is for the record only, so it never raises and never holds a stream up: what cannot be read
is said in `Answer.coverage`. Events and blocks as in RawMessageStreamEvent and Message of the SDK.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from proctor.protocols.anthropic.answer import TOOL_USES, Answer, AnswerError, Block, ToolUse, Usage
from proctor.protocols.jsonspan import loads
from proctor.protocols.sse import Event, EventStream

_MAX_COUNT: Final = 2**53

# Member that holds a block's words, and the member by which a delta adds to them.
_WORDS: Final = {"text": "text", "thinking": "thinking", "compaction": "content"}
_PIECES: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "compaction_delta": "content",
}
_OTHER_DELTAS: Final = ("signature_delta", "citations_delta")
_USAGE: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
}


@dataclass(slots=True)
class _Building:
    """A block in the making: how it began, and what deltas have added."""

    kind: str
    id: str = ""
    name: str = ""
    server: str = ""
    input: object = None
    pieces: list[str] = field(default_factory=list)
    stopped: bool = False


class AnswerReader:
    """Reads one answer from its decoded bytes.

    Args:
        content_type: Of the response.
        max_size: Bytes of one event, or of a whole JSON body, that are read.
        max_text: Characters that are kept over all blocks.
        max_blocks: Blocks that are kept.
    """

    def __init__(
        self,
        content_type: str,
        *,
        max_size: int = 16 * 2**20,
        max_text: int = 16 * 2**20,
        max_blocks: int = 10_000,
    ) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        self._stream = EventStream(max_event=max_size) if kind == "text/event-stream" else None
        self._json = bytearray()
        self._max_size = max_size
        self._room = max_text
        self._max_blocks = max_blocks
        self._building: dict[int, _Building] = {}
        self._head = {"id": "", "model": "", "stop_reason": ""}
        self._usage: dict[str, int] = {}
        self._error: AnswerError | None = None
        self._complete = False
        self._unknown = 0
        self._notes: dict[str, None] = {}  # each once, in order
        self._reads = self._readable = True
        if self._stream is None and kind != "application/json" and not kind.endswith("+json"):
            self._stop_reading("neither an event stream nor JSON")

    def feed(self, data: bytes) -> None:
        """Take the next decoded bytes."""
        if not self._reads:
            return
        if self._stream is not None:
            for event in self._stream.feed(data):
                self._event(event)
        elif len(self._json) + len(data) > self._max_size:
            self._json.clear()
            self._stop_reading(f"a JSON body of more than {self._max_size} bytes")
        else:
            self._json += data

    def finish(self) -> Answer:
        """The answer as far as it came; nothing is fed after this."""
        if self._reads and self._stream is None:
            self._whole(bytes(self._json))
        if self._stream is not None and self._stream.oversized:
            self._note(f"events of more than {self._max_size} bytes")
        self._reads = False
        return Answer(
            **self._head,
            blocks=tuple(_block(made) for _, made in sorted(self._building.items())),
            usage=Usage(**self._usage),
            error=self._error,
            complete=self._complete,
            cut=self._readable and not self._complete and self._error is None,
            coverage="not read: " + "; ".join(self._notes) if self._notes else "full",
            unknown_events=self._unknown,
        )

    def _event(self, event: Event) -> None:
        try:
            fields = loads(event.data)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            self._note("events that are no JSON objects")
            return
        # Clients go by the event's name for an error and by the data's type for all else.
        kind = "error" if event.type == "error" else fields.get("type")
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is None:
            self._unknown += 1
        else:
            handler(self, fields)

    def _whole(self, body: bytes) -> None:
        try:
            fields = loads(body.decode())
        except (ValueError, RecursionError):
            self._note("a body that is not JSON")
            return
        if not isinstance(fields, dict) or fields.get("type") not in ("message", "error"):
            self._note("JSON that is no message")
            self._complete = True
        elif fields["type"] == "error":
            self._failed(fields)
        else:
            self._message_start({"message": fields})
            for building in self._building.values():
                building.stopped = True
            self._complete = True

    def _message_start(self, fields: dict[str, Any]) -> None:
        message = fields.get("message")
        if not isinstance(message, dict):
            self._malformed()
            return
        self._read_head(message)
        self._read_usage(message.get("usage"))
        content = message.get("content")
        for index, block in enumerate(content if isinstance(content, list) else []):
            self._block_start({"index": index, "content_block": block})

    def _block_start(self, fields: dict[str, Any]) -> None:
        index, block = fields.get("index"), fields.get("content_block")
        if not isinstance(index, int) or not isinstance(block, dict):
            self._malformed()
            return
        if len(self._building) >= self._max_blocks:
            self._note(f"more than {self._max_blocks} blocks")
            return
        kind = _text(block.get("type"))
        building = self._building[index] = _Building(kind)
        if kind in TOOL_USES:
            if self._fits(len(json.dumps(block))):
                building.id = _text(block.get("id"))
                building.name = _text(block.get("name"))
                building.server = _text(block.get("server_name"))
                building.input = block.get("input")
        elif kind in _WORDS:
            self._add(building, block.get(_WORDS[kind]))
        elif kind == "fallback" and isinstance(to := block.get("to"), dict):
            # From here another model speaks, and the SDK names the message after it.
            self._head["model"] = _text(to.get("model"))

    def _block_delta(self, fields: dict[str, Any]) -> None:
        delta = fields.get("delta")
        index = fields.get("index")
        if not isinstance(delta, dict) or not isinstance(index, int):
            self._malformed()
            return
        kind = delta.get("type")
        member = _PIECES.get(kind) if isinstance(kind, str) else None
        if member is None:
            self._unknown += kind not in _OTHER_DELTAS
        elif (building := self._building.get(index)) is None:
            self._note("deltas without their block")
        else:
            self._add(building, delta.get(member))

    def _block_stop(self, fields: dict[str, Any]) -> None:
        index = fields.get("index")
        if isinstance(index, int) and index in self._building:
            self._building[index].stopped = True

    def _message_delta(self, fields: dict[str, Any]) -> None:
        delta = fields.get("delta")
        if isinstance(delta, dict):
            self._read_head(delta)
        self._read_usage(fields.get("usage"))

    def _message_stop(self, _: dict[str, Any]) -> None:
        self._complete = True

    def _failed(self, fields: dict[str, Any]) -> None:
        error = fields.get("error")
        error = error if isinstance(error, dict) else {}
        self._error = AnswerError(
            type=_text(error.get("type")) or "error", message=_text(error.get("message"))
        )

    def _read_head(self, fields: dict[str, Any]) -> None:
        for name in self._head:
            if isinstance(fields.get(name), str):
                self._head[name] = _text(fields[name])

    def _read_usage(self, usage: object) -> None:
        """Counts are totals so far, so a later one replaces an earlier (BetaMessageDeltaUsage)."""
        if isinstance(usage, dict):
            for name, ours in _USAGE.items():
                count = usage.get(name)
                if type(count) is int and 0 <= count <= _MAX_COUNT:
                    self._usage[ours] = count

    def _add(self, building: _Building, piece: object) -> None:
        if isinstance(piece, str) and self._fits(len(piece)):
            building.pieces.append(piece)

    def _fits(self, size: int) -> bool:
        self._room -= size
        if self._room < 0:
            self._note("text beyond the limit")
        return self._room >= 0

    def _malformed(self) -> None:
        self._note("events without the fields of their type")

    def _note(self, what: str) -> None:
        self._notes[what] = None

    def _stop_reading(self, why: str) -> None:
        self._reads = False
        self._readable = False
        self._note(why)


def _pass(_reader: AnswerReader, _fields: dict[str, Any]) -> None:
    """A ping says nothing."""


_HANDLERS: Final[dict[str, Callable[[AnswerReader, dict[str, Any]], None]]] = {
    "content_block_delta": AnswerReader._block_delta,  # noqa: SLF001 - its own table
    "content_block_start": AnswerReader._block_start,  # noqa: SLF001 - the same
    "content_block_stop": AnswerReader._block_stop,  # noqa: SLF001 - the same
    "error": AnswerReader._failed,  # noqa: SLF001 - the same
    "message_delta": AnswerReader._message_delta,  # noqa: SLF001 - the same
    "message_start": AnswerReader._message_start,  # noqa: SLF001 - the same
    "message_stop": AnswerReader._message_stop,  # noqa: SLF001 - the same
    "ping": _pass,
}


def _block(made: _Building) -> Block:
    words = _text("".join(made.pieces))
    if made.kind not in TOOL_USES:
        return Block(kind=made.kind, text=words)
    value = made.input
    if words:
        try:
            value = loads(words)
        except (ValueError, RecursionError):
            value = None
    arguments = value if isinstance(value, dict) else None
    tool = ToolUse(
        kind=made.kind,
        id=made.id,
        name=made.name,
        server=made.server,
        input=arguments,
        input_text=words if arguments is None else _compact(arguments),
        complete=made.stopped and arguments is not None,
    )
    return Block(kind=made.kind, tool=tool)


def _compact(value: dict[str, Any]) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""
    return text if _encodable(text) else json.dumps(value, separators=(",", ":"))


def _text(value: object) -> str:
    """Text that UTF-8 can hold: halves of a pair that came apart are joined, others replaced."""
    if not isinstance(value, str):
        return ""
    if _encodable(value):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
