"""Answers, put together from event streams and from JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic.lib.streaming._beta_messages import accumulate_event
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from proctor.protocols.anthropic.answer import Answer, AnswerError, Usage
from proctor.protocols.anthropic.response import AnswerReader
from proctor.protocols.sse import EventStream
from tests.protocols.anthropic.conversation import event, packed

GOLDEN = Path(__file__).parents[2] / "golden" / "anthropic"
STREAMS = sorted(GOLDEN.glob("*.sse"))
ANSWERS = json.loads((GOLDEN / "answers.json").read_text("utf-8"))
SSE = "text/event-stream; charset=utf-8"
START = event("message_start", message={"id": "m", "model": "x", "content": [], "usage": {}})
STOP = event("message_stop")


def read(*chunks: bytes, content_type: str = SSE, **limits: int) -> Answer:
    reader = AnswerReader(content_type, **limits)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.finish()


def opened(index: int = 0, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def added(index: int = 0, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta=delta)


def closed(index: int = 0) -> bytes:
    return event("content_block_stop", index=index)


def by_the_sdk(path: Path) -> Any:
    """The message as the SDK puts it together from a stream, each event valid by its types."""
    adapter: TypeAdapter[Any] = TypeAdapter(BetaRawMessageStreamEvent)
    message: Any = None
    buffers: dict[int, bytes] = {}
    for sent in EventStream().feed(path.read_bytes()):
        if sent.type not in ("ping", "error"):
            message = accumulate_event(
                event=adapter.validate_json(sent.data),
                current_snapshot=message,
                json_bufs=buffers,
                request_headers=httpx2.Headers(),
            )
    BetaMessage.model_validate(message.to_dict())
    return message


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
class TestGoldenStreams:
    """Streams as the SDK's types describe them."""

    def test_the_answer(self, path: Path) -> None:
        data = path.read_bytes()
        answer = json.loads(json.dumps(asdict(read(data))))
        assert answer == ANSWERS[path.stem]
        noise = b"\xef\xbb\xbf: hello\r\n\r\n" + data.replace(b"\n", b"\r\n")
        assert read(noise) == read(data)
        assert read(data.replace(b"\n", b"\r")) == read(data)
        lines = data.replace(b'data: {"type"', b'data: {\ndata:"type"')
        assert read(lines) == read(data)

    def test_chunks_make_no_difference(self, path: Path) -> None:
        data = path.read_bytes()
        whole = read(data)
        assert read(*(data[at : at + 1] for at in range(len(data)))) == whole
        for at in range(0, len(data), 7):
            assert read(data[:at], data[at:]) == whole

    def test_cut_anywhere_it_says_so(self, path: Path) -> None:
        data = path.read_bytes()
        for end in range(len(data) - 1):
            answer = read(data[:end])
            assert not answer.complete
            assert answer.cut
            assert answer.coverage == "full"

    def test_the_sdk_reads_the_same(self, path: Path) -> None:
        message = by_the_sdk(path)
        answer = read(path.read_bytes())
        assert (answer.id, answer.model) == (message.id, message.model)
        assert answer.stop_reason == (message.stop_reason or "")
        assert [block.kind for block in answer.blocks] == [b.type for b in message.content]
        for block, theirs in zip(answer.blocks, message.content, strict=True):
            if block.tool is not None:
                assert (block.tool.id, block.tool.name) == (theirs.id, theirs.name)
                assert block.tool.input == theirs.input or not block.tool.complete
            if block.kind in ("text", "thinking"):
                assert block.text == getattr(theirs, block.kind)
        assert answer.usage == Usage(
            input_tokens=message.usage.input_tokens,
            output_tokens=message.usage.output_tokens,
            cache_read_tokens=message.usage.cache_read_input_tokens,
            cache_write_tokens=message.usage.cache_creation_input_tokens,
        )

    def test_the_same_message_as_json_is_the_same_answer(self, path: Path) -> None:
        if path.stem not in ("error", "cut"):
            body = packed(by_the_sdk(path).to_dict())
            assert read(body, content_type="application/json") == read(path.read_bytes())


def test_an_error_instead_of_an_answer() -> None:
    body = packed({"type": "error", "error": {"type": "api_error", "message": "no"}})
    answer = read(body, content_type="application/json")
    assert answer.error == AnswerError(type="api_error", message="no")
    assert not answer.complete
    assert not answer.cut
    assert read(b"event: error\ndata: {}\n\n").error == AnswerError(type="error", message="")


@pytest.mark.parametrize(
    ("body", "coverage", "cut"),
    [
        (b'{"type":"message"', "not read: a body that is not JSON", True),
        (b"", "not read: a body that is not JSON", True),
        (b"\xff", "not read: a body that is not JSON", True),
        (b"[" * 100_000, "not read: a body that is not JSON", True),
        (b'{"input_tokens":5}', "not read: JSON that is no message", False),
        (b"[]", "not read: JSON that is no message", False),
    ],
)
def test_other_json(body: bytes, coverage: str, *, cut: bool) -> None:
    answer = read(body, content_type="application/json")
    assert (answer.coverage, answer.cut) == (coverage, cut)
    assert answer.usage == Usage()


def test_other_content_is_not_read() -> None:
    for content_type in ("", "text/html", "text/event-streams"):
        answer = read(b"<html>", content_type=content_type)
        assert answer.coverage == "not read: neither an event stream nor JSON"
        assert not answer.cut
    assert read(b'{"type":"message"}', content_type="Application/X+JSON").complete


def test_unknown_events_are_counted_and_passed_over() -> None:
    answer = read(
        START,
        event("later_event", x=1),
        opened(type="text", text="a"),
        added(type="later_delta", text="b"),
        added(type="signature_delta", signature="s"),
        added(type=["x"]),
        b"data: {}\n\n",
        closed(),
        STOP,
    )
    assert answer.text == "a"
    assert answer.unknown_events == 4
    assert answer.complete
    assert answer.coverage == "full"


@pytest.mark.parametrize(
    ("bad", "note"),
    [
        (b"data: {\n\n", "events that are no JSON objects"),
        (b"data: 5\n\n", "events that are no JSON objects"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "events that are no JSON objects"),
        (event("message_start"), "events without the fields of their type"),
        (event("content_block_start", index="0", content_block={}), "events without the fields"),
        (event("content_block_start", index=0), "events without the fields of their type"),
        (event("content_block_delta", index=[]), "events without the fields of their type"),
        (event("content_block_delta", index=7, delta={"type": "text_delta"}), "deltas without"),
    ],
)
def test_what_cannot_be_read_is_said_and_the_rest_read(bad: bytes, note: str) -> None:
    answer = read(START, bad, opened(type="text", text="a"), bad, closed(), STOP)
    assert answer.text == "a"
    assert answer.complete
    assert answer.coverage.startswith("not read: " + note)
    assert answer.coverage.count(note) == 1


def test_odd_fields_are_passed_over() -> None:
    answer = read(
        event("message_start", message={"id": 5, "usage": {"input_tokens": True}, "content": 5}),
        opened(type="tool_use", id=5, name=None, input="x"),
        added(type="input_json_delta", partial_json=5),
        closed(),
        closed(9),
        event("content_block_stop", index={}),
        event("message_delta", delta=5, usage={"input_tokens": -1, "output_tokens": 10**30}),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage=5),
        STOP,
    )
    assert answer.id == ""
    assert answer.usage == Usage()
    assert answer.stop_reason == "end_turn"
    [tool] = answer.tool_uses
    assert (tool.id, tool.name, tool.input, tool.complete) == ("", "", None, False)
    assert answer.coverage == "full"


@pytest.mark.parametrize("partial", ['{"a":', "5", '{"a":1,"a":2}', '{"a":NaN}', "[" * 100_000])
def test_input_that_is_no_object_is_not_complete(partial: str) -> None:
    answer = read(
        START,
        opened(type="tool_use", id="t", name="n", input={}),
        added(type="input_json_delta", partial_json=partial),
        closed(),
        STOP,
    )
    [tool] = answer.tool_uses
    assert not tool.complete
    assert tool.input is None
    assert tool.input_text == partial


def test_halves_of_a_surrogate_pair_are_joined_or_replaced() -> None:
    def delta(escaped: str) -> bytes:
        data = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}'
        return b"data: " + (data % escaped).encode() + b"\n\n"

    opening = opened(type="text", text="")
    assert read(START, opening, delta("\\ud83d"), delta("\\ude00"), STOP).text == "😀"
    assert read(START, opening, delta("a\\ud83d"), delta("b"), STOP).text == "a\ufffdb"
    answer = read(
        START,
        opened(type="tool_use", id="t", name="n", input={}),
        added(type="input_json_delta", partial_json='{"a":"\\ud83d"}'),
        closed(),
    )
    assert answer.tool_uses[0].input_text == '{"a":"\\ud83d"}'


def test_everything_is_bounded() -> None:
    text = opened(type="text", text="12345")
    assert read(START, text, added(type="text_delta", text="6"), STOP, max_text=5) == Answer(
        id="m",
        model="x",
        blocks=read(text).blocks,
        complete=True,
        coverage="not read: text beyond the limit",
    )
    answer = read(START, opened(0, type="text"), opened(1, type="text"), STOP, max_blocks=1)
    assert len(answer.blocks) == 1
    assert answer.coverage == "not read: more than 1 blocks"
    answer = read(START, opened(type="text", text="x" * 500), STOP, max_size=200)
    assert answer.complete
    assert answer.coverage == "not read: events of more than 200 bytes"
    body = packed({"type": "message", "id": "x" * 500})
    answer = read(body[:100], body[100:], body, content_type="application/json", max_size=200)
    assert answer.coverage == "not read: a JSON body of more than 200 bytes"
    assert not answer.cut
    call = opened(type="tool_use", id="t", name="n", input={"a": "x" * 100})
    assert read(START, call, STOP, max_text=50).coverage == "not read: text beyond the limit"


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
INPUT = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT))
BLOCK = st.one_of(
    st.builds(lambda words: {"type": "text", "text": words}, TEXT),
    st.builds(lambda words: {"type": "thinking", "thinking": words, "signature": "s"}, TEXT),
    st.builds(
        lambda kind, name, value: {"type": kind, "id": "t", "name": name, "input": value},
        st.sampled_from(["tool_use", "server_tool_use"]),
        TEXT,
        INPUT,
    ),
)


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def streamed(message: dict[str, Any], size: int) -> bytes:
    """The message as the API streams it, `size` characters a delta."""
    head = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": 1}}
    data = event("message_start", message=head) + event("ping")
    for index, block in enumerate(message["content"]):
        match block["type"]:
            case "text" | "thinking" as kind:
                data += opened(index, **{**block, kind: ""})
                for piece in pieces(block[kind], size):
                    data += added(index, **{"type": f"{kind}_delta", kind: piece})
            case _:
                data += opened(index, **{**block, "input": {}})
                for piece in ["", *pieces(json.dumps(block["input"]), size)]:
                    data += added(index, type="input_json_delta", partial_json=piece)
        data += closed(index)
    delta = {"stop_reason": message["stop_reason"]}
    return data + event("message_delta", delta=delta, usage=message["usage"]) + STOP


@settings(max_examples=100, deadline=None)
@given(st.lists(BLOCK, max_size=5), st.integers(1, 9), st.integers(1, 40), st.integers(0, 10**9))
def test_json_and_any_stream_of_a_message_are_one_answer(
    content: list[dict[str, Any]], size: int, step: int, tokens: int
) -> None:
    usage = {"input_tokens": tokens, "output_tokens": 3, "cache_read_input_tokens": None}
    message = {
        "type": "message",
        "id": "m",
        "model": "x",
        "stop_reason": "end_turn",
        "content": content,
        "usage": usage,
    }
    body, stream = packed(message), streamed(message, size)
    from_json = read(body, content_type="application/json")
    assert from_json.complete
    assert from_json.coverage == "full"
    for data, content_type in ((body, "application/json"), (stream, SSE)):
        chunks = [data[at : at + step] for at in range(0, len(data), step)]
        assert read(*chunks, content_type=content_type) == from_json


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([SSE, "application/json", "text/html"]),
    st.lists(st.binary(max_size=20) | st.sampled_from([START, STOP, opened(type="text")])),
)
def test_any_bytes_are_taken(content_type: str, chunks: list[bytes]) -> None:
    answer = read(*chunks, content_type=content_type)
    assert answer.text.encode() is not None
