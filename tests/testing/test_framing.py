"""Stream and object say the same."""

import json

from proctor.testing import framing
from proctor.testing.conversation import converse

REQUEST = {
    "model": "claude-test",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "think: hm\nsay: a longer sentence\nrun: ls -la"}],
    "tools": [{"name": "Bash"}],
}


def test_a_stream_says_what_the_object_says() -> None:
    reply = converse(REQUEST)
    whole = framing.message(reply)
    blocks: list[dict[str, object]] = []
    order = []
    for raw in framing.events(reply):
        first, second = raw.decode().removesuffix("\n\n").split("\n")
        data = json.loads(second.removeprefix("data: "))
        assert first == f"event: {data['type']}"
        order.append(data["type"])
        if data["type"] == "content_block_start":
            blocks.append(data["content_block"] | {"json": ""})
        if data["type"] == "content_block_delta":
            block, delta = blocks[data["index"]], data["delta"]
            for key in ("text", "thinking", "signature"):
                if key in delta:
                    block[key] = str(block[key]) + delta[key]
            block["json"] = str(block["json"]) + delta.get("partial_json", "")
    for block in blocks:
        partial = block.pop("json")
        if partial:
            block["input"] = json.loads(str(partial))
    assert blocks == whole["content"]
    assert order[:2] == ["message_start", "ping"]
    assert order[-2:] == ["message_delta", "message_stop"]


def test_the_error_envelope() -> None:
    assert framing.error("api_error", "no", "req_1") == {
        "type": "error",
        "error": {"type": "api_error", "message": "no"},
        "request_id": "req_1",
    }


def test_pieces_are_of_the_size_asked_for() -> None:
    reply = converse({**REQUEST, "messages": [{"role": "user", "content": "say: four letters"}]})
    sizes = [len(list(framing.events(reply, piece))) for piece in (1, 4, 100)]
    assert sizes == [6 + 12, 6 + 3, 6 + 1]
