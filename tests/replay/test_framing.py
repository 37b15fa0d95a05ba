"""Answers in their other manner."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.answers import parts
from proctor.audit.reader import Content
from proctor.protocols.anthropic.response import AnswerReader
from proctor.replay.framing import EVENTS, JSON, as_events, as_json, fitting, kind
from proctor.testing.conversation import converse
from proctor.testing.framing import events, message
from tests.support.recorded import STREAM, answer, call, text

SAID = {
    "model": "m",
    "tools": [{"name": "Bash"}],
    "messages": [
        {"role": "user", "content": "think: hm\nsay: ümläut 漢字 😀\nrun: echo 'x \"y\"'"}
    ],
}


def test_one_manner_into_the_other_and_back() -> None:
    reply = converse(SAID)
    streamed = b"".join(events(reply))
    found = as_json(streamed)
    assert found is not None
    assert json.loads(found) == message(reply)
    again = as_events(found)
    assert again is not None
    back = as_json(again)
    assert back is not None
    assert json.loads(back) == json.loads(found)


@pytest.mark.parametrize("body", [answer(text("a"), call("Bash", "t", command="ls")), STREAM])
def test_both_are_read_the_same(body: bytes) -> None:
    other = as_json(body) if kind(body) == EVENTS else as_events(body)
    assert other is not None
    assert kind(other) != kind(body)
    assert parts(content(body)) == parts(content(other))


def content(body: bytes) -> Content:
    return Content(text=body.decode(), size=len(body))


def test_usage_and_the_reason_come_along() -> None:
    found = as_json(STREAM)
    assert found is not None
    whole = AnswerReader(JSON)
    whole.feed(found)
    streamed = AnswerReader("text/event-stream")
    streamed.feed(STREAM)
    assert whole.finish() == streamed.finish()


@pytest.mark.parametrize(
    ("stream", "status", "body", "given", "how"),
    [
        (True, 200, STREAM, EVENTS, ""),
        (False, 200, STREAM, JSON, "converted"),
        (False, 200, answer(text("a")), JSON, ""),
        (True, 200, answer(text("a")), EVENTS, "converted"),
        (True, 529, b'{"type": "error"}', JSON, ""),
        (True, 200, b'{"type": "error"}', JSON, "as recorded"),
        (False, 200, STREAM[:-40], EVENTS, "as recorded"),
        (True, 200, b"", JSON, "as recorded"),
    ],
)
def test_what_a_client_gets(
    *, stream: bool, status: int, body: bytes, given: str, how: str
) -> None:
    found, content_type, done = fitting(body, stream=stream, status=status)
    assert (content_type, done) == (given, how)
    assert found == body or done == "converted"


@given(st.integers(min_value=0, max_value=len(STREAM) - 1))
def test_half_a_stream_is_no_message(end: int) -> None:
    whole = STREAM[:end].endswith(b"\n") and b"message_stop" in STREAM[:end].rpartition(b"\n\n")[0]
    assert (as_json(STREAM[:end]) is None) is not whole


@given(st.recursive(
    st.none() | st.integers() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "content", "text", "usage", "input", "index"]), each),
    max_leaves=10,
))  # fmt: skip
def test_nothing_breaks_it(value: Any) -> None:
    raw = json.dumps({"type": "message", "content": value, "usage": value}).encode()
    made = as_events(raw)
    assert made is None or made.endswith(b"\n\n")
    as_json(b"data: " + json.dumps(value).encode() + b"\n\n")
    as_json(STREAM[:300] + b"data: " + json.dumps({"type": "content_block_delta",
            "index": value, "delta": value}).encode() + b"\n\n")  # fmt: skip
