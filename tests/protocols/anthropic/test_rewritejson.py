"""Whole answers, redacted."""

import json
from typing import Any

import pytest

from proctor.protocols.anthropic.rewritejson import rewrite_json
from proctor.redaction.model import RedactionError
from tests.redaction.handled import BACK, JANE, ROE, Small
from tests.redaction.planted import KINDS, TOKEN, VALUES


def body(*content: Any, **members: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": list(content)}
    return json.dumps(
        {**message, "model": "claude-x", "usage": {"output_tokens": 7}, **members}
    ).encode()


def test_what_needs_no_change_stays_byte_for_byte() -> None:
    raw = body({"type": "text", "text": "Caf\u00e9"}, stop_sequence=None).replace(b", ", b" ,\n ")
    out = rewrite_json(raw, Small())
    assert out.client == out.record == raw


def test_blocks_are_redacted_each_in_its_way() -> None:
    handling = Small()
    handling.types = frozenset({"PERSON"})
    thinking = {"type": "thinking", "thinking": f"{JANE}: {TOKEN} x", "signature": "Ab+/" * 20}
    content = [
        thinking,
        {"type": "text", "text": f"{TOKEN} of {JANE}"},
        {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {"to": JANE, "of": ROE}},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "find", "input": {"q": ROE}},
        {"type": "redacted_thinking", "data": TOKEN},
        f"odd {TOKEN} x",
    ]
    out = rewrite_json(body(*content, stop_sequence=f"{TOKEN} x"), handling)
    client, record = json.loads(out.client), json.loads(out.record)
    assert client["content"][0] == thinking
    assert record["content"][0] == {**thinking, "thinking": f"{JANE}: <API_KEY> x"}
    assert client["content"][1]["text"] == f"<API_KEY> of {BACK[JANE]}"
    assert record["content"][1]["text"] == f"<API_KEY> of {JANE}"
    assert client["content"][2]["input"] == {"to": JANE, "of": BACK[ROE]}
    assert record["content"][2:5] == content[2:5]
    assert client["content"][3:5] == content[3:5]
    assert record["content"][5] == "odd <API_KEY> x"
    assert record["stop_sequence"] == "<API_KEY> x"
    assert handling.asked == [("send", json.dumps({"to": JANE, "of": ROE}))]
    assert ("API_KEY", "content[0].thinking", True) in handling.found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_value_leaks(kind: str) -> None:
    text = KINDS[kind]
    out = rewrite_json(
        body(
            {"type": "text", "text": text},
            {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"a": [text]}},
            {"type": "web_search_tool_result", "content": [{"title": text}]},
            other={"deep": text},
        ),
        Small(),
    )
    for value in VALUES:
        assert value.encode() not in out.client + out.record


def test_errors_are_looked_at_too() -> None:
    raw = json.dumps({"type": "error", "error": {"type": "api_error", "message": f"{TOKEN} x"}})
    out = rewrite_json(raw.encode(), Small())
    assert json.loads(out.client)["error"] == {"type": "api_error", "message": "<API_KEY> x"}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"[" * 9000])
def test_what_cannot_be_read_is_an_error(raw: bytes) -> None:
    with pytest.raises(RedactionError) as error:
        rewrite_json(raw, Small())
    assert error.value.code == "redaction-decoder"
    assert error.value.__cause__ is None
