"""A reply in the API's two manners: one JSON object, or a stream of server-sent events.

Event order and names: https://docs.anthropic.com/en/api/messages-streaming.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proctor.testing.conversation import Reply

_PIECE = 12  # characters in one delta: small enough that a word crosses deltas


def message(reply: Reply) -> dict[str, Any]:
    """The whole answer as `stream: false` gets it."""
    return {
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": list(reply.content),
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "usage": dict(reply.usage),
    }


def error(kind: str, text: str, request_id: str) -> dict[str, Any]:
    """The API's error envelope."""
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}


def event(name: str, **fields: object) -> bytes:
    """One server-sent event, named as its `type`."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def events(reply: Reply) -> Iterator[bytes]:
    """The answer as `stream: true` gets it, one event at a time."""
    start = message(reply) | {"content": [], "stop_reason": None}
    start["usage"] = dict(reply.usage) | {"output_tokens": 1}
    yield event("message_start", message=start)
    yield event("ping")
    for index, block in enumerate(reply.content):
        yield from _block(index, block)
    yield event(
        "message_delta",
        delta={"stop_reason": reply.stop_reason, "stop_sequence": None},
        usage={"output_tokens": reply.usage["output_tokens"]},
    )
    yield event("message_stop")


def _block(index: int, block: Mapping[str, Any]) -> Iterator[bytes]:
    empty: dict[str, Any]
    match block["type"]:
        case "text":
            empty, deltas = {"text": ""}, _deltas("text_delta", "text", block["text"])
        case "thinking":
            empty = {"thinking": "", "signature": ""}
            deltas = _deltas("thinking_delta", "thinking", block["thinking"])
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case _:
            # The API opens a tool's input with an empty fragment.
            empty = {"input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": ""}]
            deltas += _deltas("input_json_delta", "partial_json", json.dumps(block["input"]))
    yield event("content_block_start", index=index, content_block={**block, **empty})
    for delta in deltas:
        yield event("content_block_delta", index=index, delta=delta)
    yield event("content_block_stop", index=index)


def _deltas(kind: str, key: str, text: str) -> list[dict[str, str]]:
    return [{"type": kind, key: text[at : at + _PIECE]} for at in range(0, len(text), _PIECE)]
