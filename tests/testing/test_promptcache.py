"""What the stand-in's prompt cache reads and keeps."""

from typing import Any

import pytest

from proctor.testing.conversation import converse
from proctor.testing.promptcache import PromptCache, Reading

MARK = {"cache_control": {"type": "ephemeral"}}


def text(words: str, *, mark: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": words} | (MARK if mark else {})


def body(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": [message]} for message in messages]
    return {"model": "m", "max_tokens": 9, "messages": said} | more


def read(cache: PromptCache, request: dict[str, Any]) -> tuple[int, int, int]:
    cache(request)
    reading = cache.readings[-1]
    return reading.blocks, reading.read, reading.written


def test_a_conversation_is_read_up_to_what_is_new() -> None:
    cache = PromptCache(converse)
    system = {"system": [text("be kind", mark=True)], "tools": [{"name": "Bash"}]}
    assert read(cache, body(text("a", mark=True), **system)) == (3, 0, 3)
    assert read(cache, body(text("a"), text("b", mark=True), **system)) == (4, 3, 1)
    assert read(cache, body(text("a"), text("b"), text("c", mark=True), **system)) == (5, 4, 1)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (body(text("A"), text("b", mark=True)), 0),
        (body(text("a"), text("b", mark=True), model="other"), 0),
        (body(text("a"), text("b", mark=True), tools=[{"name": "Bash"}]), 0),
        (body(text("a"), text("b")), 0),  # nothing is read without a breakpoint
        (body(text("a"), text("b", mark=True)), 1),
        (body(text("a"), *(text(str(n)) for n in range(18)), text("z", mark=True)), 1),
        (body(text("a"), *(text(str(n)) for n in range(19)), text("z", mark=True)), 0),
        ({**body(text("b", mark=True)), "system": "a"}, 0),
    ],
)
def test_what_differs_is_not_read(request_: dict[str, Any], expected: int) -> None:
    cache = PromptCache(converse)
    cache(body(text("a", mark=True)))
    assert read(cache, request_)[1] == expected


def test_a_string_is_one_block() -> None:
    cache = PromptCache(converse)
    cache(body(text("a", mark=True)))
    string = body(text("b", mark=True))
    string["messages"].insert(0, {"role": "user", "content": "a"})
    assert read(cache, string) == (2, 1, 1)


def test_replies_count_it() -> None:
    cache = PromptCache(converse)
    cache(body(text("a" * 400, mark=True)))
    usage = cache(body(text("a" * 400), text("b" * 80, mark=True), text("c" * 40))).usage
    reading = cache.readings[1]
    assert usage["cache_read_input_tokens"] == reading.read_tokens == 109
    assert usage["cache_creation_input_tokens"] == reading.written_tokens == 29
    assert usage["input_tokens"] == reading.fresh_tokens == 19
    assert usage["output_tokens"] > 0
    assert cache.readings[0] == Reading(
        blocks=1, read=0, written=1, read_tokens=0, written_tokens=109, fresh_tokens=0
    )
