"""A live proxy with redaction, an upstream, and a curious addon; and the answers of a model."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from mitmproxy import http

from tests.support.live import Live
from tests.support.origin import Origin
from tests.support.screened import screens
from tests.support.stand import Stand, house, listener, post, running


class Upstream(Protocol):
    """Something that listens on a port."""

    port: int


class Seen:
    """Another addon, such as one that writes flows to a file."""

    def __init__(self) -> None:
        self.flows: list[bytes] = []

    def response(self, flow: http.HTTPFlow) -> None:
        self._keep(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._keep(flow)

    def _keep(self, flow: http.HTTPFlow) -> None:
        self.flows.append(repr(flow.get_state()).encode())


def request(text: str, *more: dict[str, Any]) -> bytes:
    said = [{"role": "user", "content": text}, *more]
    return post(json.dumps({"model": "m", "max_tokens": 9, "messages": said}).encode())


@contextmanager
def screened(
    folder: Path, origin: Upstream, *, extra: tuple[object, ...] = (), **settings: Any
) -> Iterator[tuple[Stand, Live, Seen]]:
    """A live proxy with a listener for the model, one for an API, and a curious addon."""
    seen = Seen()
    with screens(folder / "state", **settings) as ours:
        this = house(
            listener(origin.port), listener(origin.port, name="api", speaks="http"), screens=ours
        )
        with running(this, "claude", "api", extra=(*extra, seen)) as proxy:
            yield this, proxy, seen


def nowhere(this: Stand, seen: Seen, *values: str) -> None:
    """No value stands in the record, or in a flow when it ended."""
    kept = b"".join(this.store.contents) + json.dumps(this.store.appended).encode()
    assert seen.flows
    for value in values:
        assert value.encode() not in kept
        assert value.encode() not in b"".join(seen.flows)


def sent(origin: Origin, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(origin.requests[number].partition(b"\r\n\r\n")[2])
    return found


def answered(body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def message(*blocks: dict[str, Any]) -> bytes:
    said = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks}
    return json.dumps(said).encode()


def events(*blocks: dict[str, Any]) -> bytes:
    """An answer as a stream, text in pieces of three characters."""
    begun = {"id": "m", "model": "m", "content": []}
    out: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(blocks):
        pieces, kind, member = {
            "text": (block.get("text"), "text_delta", "text"),
            "thinking": (block.get("thinking"), "thinking_delta", "thinking"),
            "tool_use": (json.dumps(block.get("input")), "input_json_delta", "partial_json"),
        }[block["type"]]
        empty = {**block, "text": "", "thinking": "", "input": {}, "signature": ""}
        begin = {key: value for key, value in empty.items() if key in block}
        out.append({"type": "content_block_start", "index": index, "content_block": begin})
        text = pieces or ""
        deltas = [{"type": kind, member: text[at : at + 3]} for at in range(0, len(text), 3)]
        if "signature" in block:
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        out += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        out.append({"type": "content_block_stop", "index": index})
    out.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    out.append({"type": "message_stop"})
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in out)


def unchunked(answer: bytes) -> bytes:
    body, rest = b"", answer.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def said(stream: bytes, kind: str = "text") -> str:
    """All the words of one kind in a stream."""
    datas = [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return "".join(d["delta"].get(kind, "") for d in datas if d["type"] == "content_block_delta")


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def ending(this: Stand) -> dict[str, Any]:
    """The last record of the first exchange."""
    found: dict[str, Any] = next(f for kind, f in this.store.appended if kind == "flow.end")
    return found


def closed(this: Stand) -> None:
    """Until no exchange is open."""
    pause = threading.Event()
    for _ in range(600):
        if not this.suite.open_exchanges:
            return
        pause.wait(0.05)
    raise AssertionError("an exchange stays open")
