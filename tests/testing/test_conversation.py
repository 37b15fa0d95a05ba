"""The script answers by its directives."""

from typing import Any

import pytest

from proctor.testing.conversation import converse, count_tokens

TOOLS = [{"name": "Bash"}, {"name": "Read"}, {"name": "weather"}]


def ask(content: Any, tools: list[dict[str, str]] = TOOLS) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}]
    return {"model": "claude-test", "max_tokens": 9, "messages": messages, "tools": tools}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("say: hello", [("text", "hello")]),
        ("run: echo a b", [("tool_use", {"command": "echo a b"})]),
        ("read: a.txt", [("tool_use", {"file_path": "a.txt"})]),
        ('call: weather {"city": "Oslo"}', [("tool_use", {"city": "Oslo"})]),
        ("call: weather", [("tool_use", {})]),
        ("long: 2", [("text", "word0 word1")]),
        ("call: nothing {}", [("text", "I was not offered the tool nothing.")]),
        (
            "say: first\nplain words\nrun: ls",
            [("text", "first"), ("tool_use", {"command": "ls"})],
        ),
    ],
)
def test_directives(prompt: str, expected: list[tuple[str, Any]]) -> None:
    reply = converse(ask(prompt))
    assert [block["type"] for block in reply.content] == [kind for kind, _ in expected]
    for block, (kind, what) in zip(reply.content, expected, strict=True):
        if kind == "text":
            assert block["text"] == what
        else:
            assert what.items() <= block["input"].items()
    called = any(kind == "tool_use" for kind, _ in expected)
    assert reply.stop_reason == ("tool_use" if called else "end_turn")


def test_a_tool_result_is_quoted_and_the_old_prompt_is_not_read_again() -> None:
    request = ask("run: echo hi")
    call = converse(request).content[0]
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "hi"}
    request["messages"] += [
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
        {"role": "system", "content": "be brief"},
    ]
    assert converse(request).content == ({"type": "text", "text": "The tool said: hi"},)


def test_thinking_comes_signed() -> None:
    thinking, text = converse(ask("think: hm\nsay: yes")).content
    assert thinking["thinking"] == "hm"
    assert thinking["signature"]
    assert text["text"] == "yes"


def test_the_same_request_has_the_same_answer() -> None:
    assert converse(ask("run: ls")) == converse(ask("run: ls"))
    assert converse(ask("run: ls")).id != converse(ask("run: pwd")).id


def test_usage_counts_history_as_cached() -> None:
    request = ask("say: a")
    first = converse(request)
    request["messages"][:0] = [
        {"role": "user", "content": "x" * 4000},
        {"role": "assistant", "content": "y"},
    ]
    later = converse(request)
    assert later.usage["input_tokens"] == first.usage["input_tokens"]
    assert later.usage["cache_read_input_tokens"] > first.usage["cache_read_input_tokens"] + 900
    assert count_tokens(request) > 1000


@pytest.mark.parametrize("prompt", ["why", "why?"])
def test_it_says_why_it_was_stopped(prompt: str) -> None:
    request = ask("run: ls")
    turns = ["[proctor: Denied by alice: no.]", "Then this:\n[proctor: Denied by bob: not now.]"]
    for text in turns:
        request["messages"] += [
            {"role": "assistant", "content": [{"type": "text", "text": text}]},
            {"role": "user", "content": prompt},
        ]
    (said,) = converse(request).content
    assert said["text"] == "I did not do it, since I was told this: “Denied by bob: not now.”"
    (said,) = converse(ask(prompt)).content
    assert said["text"] == "Nothing that I wanted to do was stopped."
