"""A Messages API answer in one piece (`stream: false`), redacted, its tool calls judged."""

import json
from typing import Any, Final

from proctor.errors import ClientError, InternalError
from proctor.protocols.anthropic.blocks import SIGNED, exempt_in, is_tool
from proctor.protocols.anthropic.calls import (
    CALLED,
    ENDED,
    Call,
    Calls,
    Instead,
    Judge,
    Outcome,
    is_judged,
    one_object,
)
from proctor.protocols.anthropic.events import dumped
from proctor.protocols.jsonspan import Document, SpanReader
from proctor.redaction.handling import Handling, Rewritten
from proctor.redaction.model import RedactionError

# Members that hold what is signed.
_WORDS: Final = frozenset({"thinking", "content"})
_STOP: Final = "stop_reason"
_ENDED: Final = f'"{_STOP}":"{ENDED}"'.encode()


class JsonRewriter:
    """Redacts one whole answer, a message or an error, and has its tool calls judged.

    Making one takes the body apart and may be done in another thread; then `ask`, and once nothing
    waits, `result`.

    Args:
        body: Decoded, UTF-8.
        handling: Does the work on texts and documents.
        judge: Says what becomes of tool calls.

    Raises:
        RedactionError: The body cannot be looked at.
    """

    def __init__(self, body: bytes, handling: Handling, judge: Judge) -> None:
        self._body = body
        self._handling = handling
        self._calls = Calls(judge)
        self._found: list[Call] = []
        self._stop: tuple[int, int] | None = None
        """Where the stop reason stands that has the client run tools."""
        self._parts: list[tuple[int, int, Rewritten, int | None]] = []
        """Where, what stands there now, and the number of the call that it is."""
        reader: SpanReader[Any] = SpanReader({"content": lambda value, _raw: value}, capacity=0)
        try:
            self._take(reader.read(body))
        except ClientError:
            raise _unreadable("a body that is not one JSON object") from None
        self._parts.sort(key=lambda part: part[0])

    @property
    def waiting(self) -> tuple[Call, ...]:
        """The calls that are not decided, in order."""
        return self._calls.waiting

    def ask(self) -> None:
        """Have the calls judged, in order; once.

        Raises:
            RedactionError: Too many wait for humans.
        """
        found, self._found = self._found, []
        for call in found:
            self._calls.ask(call)

    def settle(self, number: int, outcome: Outcome) -> None:
        """Say what becomes of a call that waits.

        Raises:
            InternalError: `call-not-waiting`: there is none of this number, or it was decided.
        """
        self._calls.settle(number, outcome)

    def result(self) -> Rewritten:
        """The answer as it may go; byte for byte where nothing changed.

        Raises:
            InternalError: `call-waits`: a call is not decided.
        """
        client: list[bytes] = []
        record: list[bytes] = []
        at = 0
        for start, end, out, number in self._parts:
            put = out if number is None else self._decided(number, out)
            if self._calls.none_left and (start, end) == self._stop:
                put = Rewritten(_ENDED, _ENDED)
            client += (self._body[at:start], put.client)
            record += (self._body[at:start], put.record)
            at = end
        client.append(self._body[at:])
        record.append(self._body[at:])
        return Rewritten(b"".join(client), b"".join(record))

    def _decided(self, number: int, out: Rewritten) -> Rewritten:
        outcome = self._calls.outcome(number)
        if outcome is None:
            raise InternalError("call-waits", "A tool call is to go on before it is decided")
        if isinstance(outcome, Instead):
            raw = dumped({"type": "text", "text": outcome.text}).encode()
            return Rewritten(raw, raw)
        return out

    def _take(self, document: Document[Any]) -> None:
        for index, element in enumerate(document.arrays.get("content", ())):
            raw = self._body[element.start : element.end]
            out, number = self._block(raw, element.summary, index)
            self._parts.append((element.start, element.end, out, number))
        for name, value in document.values.items():
            if name == "content" and value is not None:
                raise _unreadable("content that is no list of blocks")
            start, end = document.spans[name]
            if name == _STOP and value == CALLED:
                self._stop = (start, end)
            exempt = exempt_in({name: value}) if isinstance(value, str | list | dict) else {}
            if isinstance(value, dict):
                exempt |= {(name, *path): why for path, why in exempt_in(value).items()}
            out = Rewritten(self._body[start:end], self._body[start:end])
            if (name,) not in exempt and value is not None:
                raw = b"{" + self._body[start:end] + b"}"
                out = self._handling.document(raw, "", exempt=exempt)
                out = Rewritten(out.client[1:-1], out.record[1:-1])
            self._parts.append((start, end, out, None))

    def _block(self, raw: bytes, block: Any, index: int) -> tuple[Rewritten, int | None]:
        location = f"content[{index}]"
        if not isinstance(block, dict):
            return self._handling.document(raw, location, exempt={}), None
        types: frozenset[str] | None = None
        said = ""
        if is_tool(block):
            said = dumped(block.get("input"))
            types = self._calls.restored(block.get("type"), _text(block.get("name")), said)
        exempt = exempt_in(block)
        signed = block.get("type") in SIGNED
        if signed:  # the client gets it as it is, but it is looked at
            exempt = {path: why for path, why in exempt.items() if path[-1] not in _WORDS}
        out = self._handling.document(raw, location, exempt=exempt, signed=signed, restore=types)
        if not is_judged(block):
            return out, None
        self._found.append(self._call(raw, block, out, said, index))
        return out, self._found[-1].number

    def _call(
        self, raw: bytes, block: dict[str, Any], out: Rewritten, said: str, index: int
    ) -> Call:
        client = block if out.client == raw else json.loads(out.client)
        record = block if out.record == raw else json.loads(out.record)
        # What is turned back may give a name twice.
        same = client is block or one_object(out.client)
        return Call(
            number=len(self._found),
            index=index,
            id=_text(client.get("id")),
            name=_text(client.get("name")),
            arguments=said if client is block else dumped(client.get("input")),
            record=said if record is block else dumped(record.get("input")),
            raw=said,
            complete=same and isinstance(block.get("input"), dict),
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _unreadable(got: str) -> RedactionError:
    return RedactionError(
        "redaction-decoder",
        "The model's answer cannot be looked at, so it was not passed on",
        got=got,
    )
