"""Events of a Messages API answer, as they are made here."""

import json
import re
from typing import Any, Final

from proctor.errors import ProctorError
from proctor.protocols.anthropic.refusal import anthropic_refusal
from proctor.protocols.sse import RawEventStream, with_data

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'

_half = re.compile("[\ud800-\udfff]")


def error_event(error: ProctorError) -> bytes:
    """`event: error` in Anthropic's shape; clients then give the answer up."""
    return b"event: error\ndata: " + anthropic_refusal(error).body + b"\n\n"


def event_bytes(fields: dict[str, Any]) -> bytes:
    """One event, named as its `type`."""
    return f"event: {fields['type']}\ndata: {dumped(fields)}\n\n".encode()


def text_block(index: int, text: str) -> bytes:
    """A whole block of text (RawContentBlockStartEvent and what follows it, of the SDK)."""
    start = {"type": "text", "text": ""}
    delta = {"type": "text_delta", "text": text}
    return b"".join(
        event_bytes({**fields, "index": index} | more)
        for fields, more in (
            ({"type": "content_block_start"}, {"content_block": start}),
            ({"type": "content_block_delta"}, {"delta": delta}),
            ({"type": "content_block_stop"}, {}),
        )
    )


def with_stop_reason(raw: bytes, came: str, put: str) -> bytes:
    """A message_delta event with another stop reason where it has this one, else as it is."""
    fields = fields_of(raw)
    delta = fields.get("delta")
    if not isinstance(delta, dict) or delta.get("stop_reason") != came:
        return raw
    return with_data(raw, dumped({**fields, "delta": {**delta, "stop_reason": put}}))


def fields_of(raw: bytes) -> dict[str, Any]:
    """What one whole event says that was read before, and may have been changed since."""
    # One more line end, since an event may end with a CR whose LF could still come.
    event = RawEventStream().feed(raw + b"\n")[0].event
    fields: dict[str, Any] = json.loads(event.data) if event else {}
    return fields


def dumped(value: object) -> str:
    """Compact JSON; as ASCII where it holds halves of surrogate pairs, which UTF-8 cannot."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, separators=(",", ":")) if _half.search(text) else text
