"""What a request asks, without what changes from run to run."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.replay.normal import Own, asked, own

IDS = ("11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002")


def body(folder: str, session: str, day: str, **more: Any) -> bytes:
    """As Claude Code sends it: reminders, markers and ids of its own."""
    reminder = f"<system-reminder>\nToday is {day}.\n</system-reminder>"
    return json.dumps(
        {
            "model": "m",
            "stream": True,
            "system": [
                {"type": "text", "text": f"x-anthropic-billing-header: cch={day};"},
                {"type": "text", "text": "You are an agent.", "cache_control": {"type": "x"}},
                {"type": "text", "text": f"memory at `/home/{day}/.claude/projects/x`"},
            ],
            "tools": [{"name": "Read", "input_schema": {}}, {"name": "Bash", "input_schema": {}}],
            "metadata": {"user_id": json.dumps({"session_id": session})},
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": reminder},
                    {"type": "text", "text": f"read {folder}/notes", "cache_control": {}},
                ]},
                {"role": "system", "content": f"Primary working directory: {folder}\nIt is {day}"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": day, "signature": day},
                    {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"n": 1}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": False,
                     "content": f"kept in /tmp/{session}/out\n{reminder}"},
                ]},
                {"role": "user", "content": reminder},
            ],
            **more,
        }
    ).encode()  # fmt: skip


ONE = body("/srv/one", IDS[0], "Friday")
OTHER = body("/home/bob/other", IDS[1], "Monday")


def test_what_is_a_run_s_own() -> None:
    assert own(ONE) == Own(folder="/srv/one", session=IDS[0])


def test_two_runs_ask_the_same() -> None:
    assert asked(ONE, own(ONE)) == asked(OTHER, own(ONE), own(OTHER))
    assert asked(ONE) != asked(OTHER)


def test_what_is_left() -> None:
    found = asked(ONE, own(ONE))
    assert (found.model, found.stream, found.tools) == ("m", True, ("Bash", "Read"))
    assert found.head.startswith("You are an agent.\nmemory at `/.claude/projects/x`")
    first, called, result = found.messages
    assert json.loads(first) == {
        "role": "user", "content": [{"type": "text", "text": "read {folder}/notes"}],
    }  # fmt: skip
    assert json.loads(called)["content"] == [
        {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"n": 1}}
    ]
    assert json.loads(result)["content"][0]["content"] == [
        {"type": "text", "text": "kept in /tmp/{session}/out"}
    ]


def test_a_recorded_path_that_the_model_named_stays_known() -> None:
    said = json.dumps({"model": "m", "messages": [{"role": "assistant", "content": "/srv/one/x"}]})
    (message,) = asked(said.encode(), own(ONE), own(OTHER)).messages
    assert "{folder}/x" in message


def test_a_failed_result_is_another() -> None:
    failed = ONE.replace(b'"is_error": false', b'"is_error": true')
    assert failed != ONE
    assert asked(failed).messages != asked(ONE).messages


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b'{"messages": 1}', b"\xff", b'{"a":1,"a":2}'])
def test_what_is_no_request(bad: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        asked(bad)
    assert caught.value.code in {"body-not-json", "body-not-messages"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
def test_any_content_can_be_read_or_is_refused(system: Any, content: Any, tools: Any) -> None:
    raw = json.dumps(
        {"model": "m", "system": system, "tools": tools,
         "messages": [{"role": "user", "content": content}]}
    ).encode()  # fmt: skip
    with suppress(ClientError):
        assert asked(raw) == asked(raw)


@given(st.integers(min_value=0, max_value=len(ONE) - 1))
def test_half_a_request_is_refused(end: int) -> None:
    with pytest.raises(ClientError):
        asked(ONE[:end])


def test_what_claude_code_makes_up_for_each_subagent() -> None:
    told = (
        "agentId: {id} (internal)\noutput_file: /tmp/claude-{uid}/tasks/{id}.output\n"
        "<usage>tool_uses: 1\nduration_ms: {took}</usage><duration_ms>{took}</duration_ms>"
    )

    def messages(text: str) -> tuple[str, ...]:
        block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": text}
        message = {"role": "user", "content": [block]}
        return asked(json.dumps({"model": "m", "messages": [message]}).encode()).messages

    one = told.replace("{id}", "a6e380ddcfa58385a").replace("{uid}", "0").replace("{took}", "12")
    other = told.replace("{id}", "a41cf5e4b2a2b2dd2").replace("{uid}", "1000")
    assert messages(one) == messages(other.replace("{took}", "3456"))
    assert messages("a6e380ddcfa58385a0") != messages("a41cf5e4b2a2b2dd20")  # longer: no such id
