"""An answer of the Messages API in its other manner: whole as JSON, or as a stream of events.

Event order and names: https://docs.anthropic.com/en/api/messages-streaming. Used only where a
client asks for another manner than the recorded one.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from proctor.protocols.jsonspan import loads
from proctor.protocols.sse import EventStream

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream; charset=utf-8"

_ERRORS: Final = 400  # HTTP statuses from here on (RFC 9110, 15)

# By type of a delta, the member that it brings and adds to.
_DELTAS: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
}


def kind(answer: bytes) -> str:
    """The content type of recorded bytes: the record keeps none, and the API has only two."""
    return JSON if answer.lstrip()[:1] in {b"{", b"["} or not answer.strip() else EVENTS


def as_events(answer: bytes) -> bytes | None:
    """A whole message as events; None where it is no message, such as an error."""
    message = _object(answer.decode("utf-8", "replace"))
    if message is None or message.get("type") != "message":
        return None
    content = message.get("content")
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    parts = [_event("message_start", message=start)]
    for index, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict):
            return None
        parts += _block(index, block)
    ending = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    usage = message.get("usage")
    output = usage.get("output_tokens", 0) if isinstance(usage, dict) else 0
    parts.append(_event("message_delta", delta=ending, usage={"output_tokens": output}))
    parts.append(_event("message_stop"))
    return b"".join(parts)


def as_json(answer: bytes) -> bytes | None:
    """Events as a whole message; None where they do not make one, such as a stream that broke."""
    assembly = _Assembly()
    try:
        for event in EventStream().feed(answer):
            assembly.take(loads(event.data))
        message = assembly.finish()
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError):
        return None  # what is not as the API writes it makes no message
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")


class _Assembly:
    """A message, put together from its events; whatever fails means that they do not make one."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._inputs: dict[int, list[str]] = {}
        self._ended = False

    def take(self, event: dict[str, Any]) -> None:
        message = self._message
        match event["type"]:
            case "message_start":
                self._message = {**event["message"], "content": []}
            case "content_block_start":
                message["content"].append(dict(event["content_block"]))
            case "content_block_delta":
                self._add(event["index"], event["delta"])
            case "message_delta":
                message |= event["delta"]
                message["usage"] = {**message["usage"], **event.get("usage", {})}
            case "message_stop":
                self._ended = True
            case "error":
                raise ValueError
            case _:
                pass  # `ping`, and what is not known here

    def finish(self) -> dict[str, Any]:
        if not (self._ended and self._message):
            raise ValueError
        for index, pieces in self._inputs.items():
            self._message["content"][index]["input"] = loads("".join(pieces) or "{}")
        return self._message

    def _add(self, index: int, delta: dict[str, Any]) -> None:
        block, kind = self._message["content"][index], delta["type"]
        if kind == "input_json_delta":
            self._inputs.setdefault(index, []).append(delta["partial_json"])
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        else:
            name = _DELTAS[kind]  # a delta that is not known here would be lost
            block[name] = block.get(name, "") + delta[name]


def _block(index: int, block: dict[str, Any]) -> Iterator[bytes]:
    deltas: list[dict[str, Any]] = []
    empty: dict[str, Any] = {}
    match block.get("type"):
        case "text":
            empty = {"text": ""}
            deltas = [{"type": "text_delta", "text": block.get("text", "")}]
        case "thinking":
            empty = {"thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": block.get("thinking", "")},
                {"type": "signature_delta", "signature": block.get("signature", "")},
            ]
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            empty = {"input": {}}
            text = json.dumps(block.get("input", {}), ensure_ascii=False)
            deltas = [{"type": "input_json_delta", "partial_json": text}]
        case _:
            pass  # comes whole with its start
    yield _event("content_block_start", index=index, content_block={**block, **empty})
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _event(name: str, **members: object) -> bytes:
    data = json.dumps({"type": name, **members}, ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n".encode("utf-8", "surrogatepass")


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def fitting(answer: bytes, *, stream: bool, status: int) -> tuple[bytes, str, str]:
    """An answer as the client wants it, if it can be had so.

    Args:
        answer: As recorded.
        stream: Whether the client asks for events.
        status: Errors are never events.

    Returns:
        The bytes, their content type, and what was done: "", `converted`, or `as recorded` where
        the client gets another manner than it asked for.
    """
    found = kind(answer)
    if (found == EVENTS) == stream or status >= _ERRORS:
        return answer, found, ""
    other = as_events(answer) if stream else as_json(answer)
    if other is None:
        return answer, found, "as recorded"
    return other, EVENTS if stream else JSON, "converted"
