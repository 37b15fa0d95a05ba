"""Events made here."""

import json

import pytest

from proctor.errors import RefusedError
from proctor.protocols.anthropic.events import (
    PING,
    dumped,
    error_event,
    event_bytes,
    fields_of,
    text_block,
    with_stop_reason,
)
from proctor.protocols.anthropic.response import AnswerReader
from proctor.protocols.sse import RawEventStream
from proctor.testing import framing


def test_a_block_of_text() -> None:
    events = [fields_of(event.raw) for event in RawEventStream().feed(text_block(3, 'a "b"\né'))]
    assert [event["type"] for event in events] == [
        "content_block_start", "content_block_delta", "content_block_stop",
    ]  # fmt: skip
    assert {event["index"] for event in events} == {3}
    assert events[0]["content_block"] == {"type": "text", "text": ""}
    assert events[1]["delta"] == {"type": "text_delta", "text": 'a "b"\né'}


def test_a_stop_reason_is_changed_and_nothing_else() -> None:
    usage = {"output_tokens": 7, "more": [1]}
    delta = {"stop_reason": "tool_use", "stop_sequence": None}
    raw = b"id: 7\n" + framing.event("message_delta", delta=delta, usage=usage)
    out = with_stop_reason(raw, "tool_use", "end_turn")
    assert fields_of(out) == {
        "type": "message_delta",
        "delta": {**delta, "stop_reason": "end_turn"},
        "usage": usage,
    }
    assert out.startswith(b"id: 7\nevent: message_delta\n")
    assert with_stop_reason(raw, "max_tokens", "end_turn") == raw
    odds: list[object] = [None, {}, [], {"stop_reason": ["tool_use"]}]
    for odd in odds:
        raw = framing.event("message_delta", delta=odd)
        assert with_stop_reason(raw, "tool_use", "end_turn") == raw


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\n\r", b"\r\n\r"])
def test_an_event_is_read_whatever_its_line_ends(end: bytes) -> None:
    assert fields_of(b'data: {"a": 1}' + end) == {"a": 1}


def test_a_ping_is_one() -> None:
    assert fields_of(PING) == {"type": "ping"}


def test_an_error_is_one() -> None:
    reader = AnswerReader("text/event-stream")
    reader.feed(error_event(RefusedError("x", "Not this")))
    said = reader.finish()
    assert said.error
    assert "Not this" in said.error.message


def test_halves_of_a_letter_stay_escapes() -> None:
    assert dumped({"a": "\ud83d", "b": "é"}) == '{"a":"\\ud83d","b":"\\u00e9"}'
    assert dumped({"b": "é"}) == '{"b":"é"}'
    assert json.loads(event_bytes({"type": "x", "a": "\ud83d"}).split(b"data: ")[1]) == {
        "type": "x",
        "a": "\ud83d",
    }
