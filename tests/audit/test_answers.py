"""The parts of an answer, in order."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.audit.answers import Said, ServerCall, parts
from proctor.audit.reader import Content
from tests.support.recorded import STREAM, answer, text


def of(body: str) -> Content:
    return Content(text=body, size=len(body))


def test_a_stream() -> None:
    found, problem = parts(of(STREAM.decode()))
    thinking, said, call = found
    assert isinstance(thinking, Said)
    assert isinstance(said, Said)
    assert (thinking.kind, said.kind, call, problem) == ("thinking", "text", "toolu_1", None)
    assert said.content.text.startswith("I **look**")


def test_calls_at_the_provider_and_unknown_blocks() -> None:
    body = answer(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        text("done"),
    )
    search, results, _ = parts(of(body.decode()))[0]
    assert isinstance(search, ServerCall)
    assert (search.name, json.loads(search.input.text)) == ("web_search", {"query": "x"})
    assert isinstance(results, Said)
    assert results.kind == "web_search_tool_result"


def test_an_error() -> None:
    body = '{"type":"error","error":{"type":"api_error","message":"No."}}'
    assert parts(of(body)) == ((), "api_error: No.")


def test_nothing() -> None:
    assert parts(None) == ((), None)
    assert parts(Content(size=5, erased=True)) == ((), None)


@settings(max_examples=50)
@given(st.text(), st.integers(0, len(STREAM)))
def test_any_text(body: str, cut: int) -> None:
    parts(of(body))
    parts(of(STREAM.decode()[:cut]))
