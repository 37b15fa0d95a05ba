"""The anthropic SDK through redaction: what comes back, streamed and whole, and what is kept."""

import json
import random
import string
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from anthropic.types import Message, MessageParam, ToolParam

from proctor.redaction.surrogates import TOKEN
from proctor.testing.conversation import Reply, converse
from proctor.testing.service import MODELS
from proctor.testing.standin import StandIn
from tests.e2e.conftest import Sdk
from tests.support.installation import Installation
from tests.support.leaks import contents, found

pytestmark = pytest.mark.e2e

_rng = random.Random(11)  # noqa: S311 - repeatable, not secret
MAIL = "alice.liddell@" + "shop-mail.com"
KEY = "ghp" + "_" + "".join(_rng.choices(string.ascii_letters + string.digits, k=36))
PLANTED = {"mail": MAIL, "key": KEY}
TOOLS = [
    ToolParam(name=name, input_schema={"type": "object", "properties": {}})
    for name in ("Write", "Bash", "mcp__mail__send")
]


@pytest.fixture
def model(standin: StandIn) -> Iterator[StandIn]:
    """The upstream, whose script a test may change."""
    before = standin.service.script
    yield standin
    standin.service.script = before


def ask(sdk: Sdk, messages: list[MessageParam], *, stream: bool) -> Message:
    if not stream:
        return sdk.client.messages.create(
            model=MODELS[0], max_tokens=99, messages=messages, tools=TOOLS
        )
    with sdk.client.messages.stream(
        model=MODELS[0], max_tokens=99, messages=messages, tools=TOOLS
    ) as streaming:
        return streaming.get_final_message()


def nowhere(home: Installation, standin: StandIn) -> None:
    """Neither upstream nor on disk."""
    assert found(PLANTED, *(request.body for request in standin.requests)) == []
    assert found(PLANTED, *contents(home.folder)) == []


@pytest.mark.parametrize("stream", [True, False])
def test_text_comes_back_and_tools_get_what_rules_say(
    sdk: Sdk, model: StandIn, home: Installation, *, stream: bool
) -> None:
    given = json.dumps({"to": [f"<{MAIL}>"], "n": 1.5, "key": KEY})
    calls = "\n".join(f"call: {tool['name']} {given}" for tool in TOOLS)
    prompt = f"say: I wrote to {MAIL}, {MAIL}! The key is {KEY}.\n{calls}"
    answer = ask(sdk, [{"role": "user", "content": prompt}], stream=stream)
    text, *tools = answer.content
    sent = model.requests[0].json()["messages"][0]["content"]
    word = TOKEN.findall(sent)[0]
    assert text.to_dict()["text"] == f"I wrote to {MAIL}, {MAIL}! The key is <API_KEY>."
    assert [tool.to_dict()["input"] for tool in tools] == [
        {"to": [f"<{seen}>"], "n": 1.5, "key": "<API_KEY>"} for seen in (MAIL, word, word)
    ]
    nowhere(home, model)
    (turn,) = home.query("select output from turns where session_id = $session", sdk.session_id)
    assert word in turn["output"]


@pytest.mark.parametrize("stream", [True, False])
def test_what_was_said_comes_back_to_the_model_as_it_was(
    sdk: Sdk, model: StandIn, home: Installation, *, stream: bool
) -> None:
    """The person's history holds the real mail; the model reads the words that it wrote."""
    replies: list[Reply] = []

    def script(request: Mapping[str, Any]) -> Reply:
        replies.append(converse(request))
        return replies[-1]

    model.service.script = script
    prompt = f'think: who is {MAIL}?\nsay: {MAIL} it is.\ncall: Write {{"text": "to {MAIL}"}}'
    messages: list[MessageParam] = [{"role": "user", "content": prompt}]
    first = ask(sdk, messages, stream=stream)
    assert MAIL not in str(first.content[0].to_dict()["thinking"])
    call = first.content[2]
    assert call.type == "tool_use"
    assert call.input == {"text": f"to {MAIL}"}
    messages += [
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "done"}],
        },
    ]
    ask(sdk, messages, stream=stream)
    again = model.requests[1].json()["messages"]
    assert again[0] == model.requests[0].json()["messages"][0]
    assert again[1]["content"] == list(replies[0].content)
    nowhere(home, model)


@pytest.mark.parametrize("stream", [True, False])
def test_signed_thinking_goes_both_ways_byte_for_byte(
    sdk: Sdk, model: StandIn, home: Installation, *, stream: bool
) -> None:
    """Even where it holds what the model made up itself; the record does not."""
    thinking = {
        "type": "thinking",
        "thinking": f"Is it {KEY}, or\u200b {MAIL}, \\u0041 “so”?\n\t",
        "signature": "EqoBCkgIARABGAIiQ" + "Zx9/+k" * 40 + "==",
    }
    hidden = {"type": "redacted_thinking", "data": "EmwKAhgB" + "Yk3/+z" * 30}

    def script(request: Mapping[str, Any]) -> Reply:
        reply = converse(request)
        blocks = (thinking, hidden, {"type": "text", "text": "So it is."})
        return Reply(
            id=reply.id,
            model=reply.model,
            content=blocks if not stream else (thinking, blocks[2]),
            stop_reason="end_turn",
            usage=reply.usage,
        )

    model.service.script = script
    messages: list[MessageParam] = [{"role": "user", "content": "Well?"}]
    for _ in range(2):
        answer = ask(sdk, messages, stream=stream)
        said = [block.to_dict() for block in answer.content]
        assert said[0] == thinking
        assert stream or said[1] == hidden
        messages += [{"role": "assistant", "content": answer.content}]
        messages += [{"role": "user", "content": "And?"}]
    sent = model.requests[-1].json()["messages"]
    assert sent[1]["content"][0] == thinking
    assert found(PLANTED, *contents(home.folder)) == []
    rows = home.query(
        "select entity_type, action from findings where session_id = $session", sdk.session_id
    )
    assert {(row["entity_type"], row["action"]) for row in rows} == {
        ("API_KEY", "pass"),
        ("EMAIL_ADDRESS", "pass"),
    }
