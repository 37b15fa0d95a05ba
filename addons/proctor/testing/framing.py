"""A reply in the API's two manners: one JSON object, or a stream of server-sent events.

Event order and names: https://docs.anthropic.com/en/api/messages-streaming.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from proctor.testing.conversation import Reply

PIECE = 12
"""Characters in one delta: so few that a word crosses deltas."""


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


def events(reply: Reply, piece: int = PIECE) -> Iterator[bytes]:
    """The answer as `stream: true` gets it, one event at a time.

    Args:
        reply: What is said.
        piece: Characters in one delta.
    """
    start = message(reply) | {"content": [], "stop_reason": None}
    start["usage"] = dict(reply.usage) | {"output_tokens": 1}
    yield event("message_start", message=start)
    yield event("ping")
    for index, block in enumerate(reply.content):
        yield from _block(index, block, piece)
    yield event(
        "message_delta",
        delta={"stop_reason": reply.stop_reason, "stop_sequence": None},
        usage={"output_tokens": reply.usage["output_tokens"]},
    )
    yield event("message_stop")


def _block(index: int, block: Mapping[str, Any], piece: int) -> Iterator[bytes]:
    empty: dict[str, Any]
    match block["type"]:
        case "text":
            empty, deltas = {"text": ""}, _deltas("text_delta", "text", block["text"], piece)
        case "thinking":
            empty = {"thinking": "", "signature": ""}
            deltas = _deltas("thinking_delta", "thinking", block["thinking"], piece)
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case _:
            # The API opens a tool's input with an empty fragment.
            empty = {"input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": ""}]
            given = json.dumps(block["input"])
            deltas += _deltas("input_json_delta", "partial_json", given, piece)
    yield event("content_block_start", index=index, content_block={**block, **empty})
    for delta in deltas:
        yield event("content_block_delta", index=index, delta=delta)
    yield event("content_block_stop", index=index)


def _deltas(kind: str, key: str, text: str, piece: int) -> list[dict[str, str]]:
    return [{"type": kind, key: text[at : at + piece]} for at in range(0, len(text), piece)]
