"""What tools gave back, as it stands in a request to the model."""

import json
from typing import Any

import pytest

from proctor.arriving.results import Given, results, said
from proctor.protocols.anthropic.request import parse_request

USE = {
    "type": "tool_use",
    "id": "t1",
    "name": "WebFetch",
    "input": {"url": "https://u:p@a.test/b?c=d"},
}


def made(*messages: dict[str, Any]) -> tuple[Given, ...]:
    body = json.dumps({"model": "m", "max_tokens": 1, "messages": messages}).encode()
    return results(body, parse_request(body).stretches)


def result(content: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t1", "content": content}],
    }


ASKED = {"role": "user", "content": "go"}
CALLED = {"role": "assistant", "content": [USE]}


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("plain", ("plain",)),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ("a", "b")),
        ([{"type": "document", "source": {"type": "text", "data": "c"}}], ("c",)),
        ([{"type": "image", "source": {"type": "base64", "data": "x"}}], ()),
        (None, ()),
        (7, ()),
    ],
)
def test_its_texts_and_its_call_are_told(content: Any, texts: tuple[str, ...]) -> None:
    (found,) = made(ASKED, CALLED, result(content))
    assert found.texts == texts
    assert found.place == "messages[2].content[0]"
    assert found.source == "WebFetch of a.test/b"
    assert found.outside


def test_only_what_is_new_counts() -> None:
    assert made(ASKED, CALLED, result("old"), CALLED, result("new"))[0].texts == ("new",)
    assert made(ASKED, CALLED, result("old"), {"role": "assistant", "content": "done"}, ASKED) == ()


@pytest.mark.parametrize(
    ("tool", "arguments", "outside"),
    [
        ("Read", {"file_path": "/a"}, False),
        ("Bash", {"command": "ls"}, False),
        ("Bash", {"command": "curl -s https://a.test"}, True),
        ("mcp__tickets__get", {}, True),
        ("WebSearch", {"query": "x"}, True),
    ],
)
def test_what_others_wrote_is_told_apart(
    tool: str, arguments: dict[str, Any], *, outside: bool
) -> None:
    assert Given("", tool, arguments, ()).outside is outside


def test_what_the_user_says_is_no_tool_result() -> None:
    message = {
        "role": "user",
        "content": [{"type": "text", "text": "mine"}, *result("theirs")["content"]],
    }
    body = json.dumps(
        {"model": "m", "max_tokens": 1, "messages": [message, CALLED, ASKED]}
    ).encode()
    stretches = [each for each in parse_request(body).stretches if each.location]
    assert [said(body, each) for each in stretches] == ["mine", "", "go"]
