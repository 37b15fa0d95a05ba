"""Requests to the model, read without changing a byte."""

import json
import re
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.anthropic.request import (
    MessagesRequest,
    RequestReader,
    ToolResult,
    parse_request,
)
from tests.protocols.anthropic.conversation import (
    SESSION,
    assistant,
    blocks,
    messages,
    packed,
    request,
    text,
    user,
)


def parsed(**members: Any) -> MessagesRequest:
    return parse_request(packed({"model": "m", "messages": [], **members}))


def prompt_and_results(*said: Any) -> tuple[str, tuple[ToolResult, ...]]:
    read = parsed(messages=list(said))
    return read.prompt, read.results


def test_a_turn_of_claude_code() -> None:
    said = messages(3)
    read = parse_request(packed(request(said)))
    assert (read.model, read.stream, read.max_tokens) == ("claude-x", True, 32000)
    assert read.tools == tuple(f"Tool{number}" for number in range(10))
    assert read.features == ()
    assert read.prompt == ""
    [result] = read.results
    assert result.tool_use_id == "toolu_" + "2".zfill(24)
    assert result.content == said[-1]["content"][0]["content"]
    assert not result.is_error
    assert read.client_session_id == SESSION
    assert read.turns == 3


def test_a_body_of_count_tokens() -> None:
    read = parsed(messages=[user(text("hi"))])
    assert (read.stream, read.max_tokens, read.prompt) == (False, 0, "hi")


def test_members_that_are_null_are_absent() -> None:
    read = parsed(stream=None, max_tokens=None, tools=None, system=None, metadata=None)
    assert (read.stream, read.max_tokens, read.tools) == (False, 0, ())


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"messages": None}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": ["hi"]}, "a message"),
        ({"messages": [{"content": "hi"}]}, "a message"),
        ({"messages": [{"role": 1, "content": "hi"}]}, "a message"),
        ({"model": None}, "model"),
        ({"model": ["m"]}, "model"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"tools": {}}, "tools"),
        ({"system": {}}, "system"),
    ],
)
def test_what_is_read_has_its_type(members: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError) as caught:
        parsed(**members)
    assert caught.value.code == "body-not-messages"
    assert caught.value.status == 400
    assert caught.value.got.endswith(named)


def test_a_body_without_messages_is_refused() -> None:
    with pytest.raises(ClientError, match="messages"):
        parse_request(b'{"model":"m"}')


def test_features_come_from_everywhere() -> None:
    url = {"type": "url", "url": "u"}
    read = parsed(
        system=[{"type": "document", "source": url}],
        messages=[
            user(text("hi"), {"type": "tool_result", "content": [{"type": "image", "source": url}]})
        ],
        tools=[{"type": "web_search_20250305", "name": "web_search"}],
        container="c",
    )
    assert read.features == ("container", "document_url", "image_url", "web_search")
    assert read.tools == ("web_search",)


def test_an_old_message_still_counts_when_it_is_known_again() -> None:
    reader = RequestReader()
    image = {"type": "image", "source": {"type": "url", "url": "u" * 200}}
    added = {"type": "tool_definition", "definition": {"name": "late", "input_schema": {}}}
    said = [user(image), {"role": "system", "content": [{"type": "tool_addition", "tool": added}]}]
    for more in range(3):
        read = reader.parse(packed({"model": "m", "messages": said + [assistant()] * more}))
        assert read.features == ("image_url",)
        assert read.tools == ("late",)
        assert read.turns == more


def test_the_prompt_is_what_came_after_the_last_answer() -> None:
    old, new = user(text("old")), user(text("one"), text("two"))
    assert prompt_and_results(old, assistant(), new) == ("one\ntwo", ())
    assert prompt_and_results({"role": "user", "content": "plain"}) == ("plain", ())
    assert prompt_and_results(old, new) == ("old\none\ntwo", ())
    assert prompt_and_results(old, {"role": "system", "content": "note"}) == ("old", ())
    assert prompt_and_results(old, assistant(), new, assistant("{")) == ("one\ntwo", ())
    assert prompt_and_results(assistant()) == ("", ())
    assert prompt_and_results() == ("", ())
    assert prompt_and_results(user({"type": "text", "text": 5}, 5, None)) == ("", ())
    assert prompt_and_results({"role": "user", "content": text("one block")}) == ("one block", ())
    assert prompt_and_results({"role": "user"}) == ("", ())


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("plain ü", "plain ü"),
        ([text("a"), text("b")], "a\nb"),
        ([], ""),
        (None, ""),
        (text("alone"), "alone"),
        (
            [
                text("see"),
                {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
            ],
            'see\n{"type":"image","source":{"type":"base64","data":"4 characters"}}',
        ),
        (
            [{"type": "tool_reference", "tool_name": "é"}],
            '{"type":"tool_reference","tool_name":"é"}',
        ),
        ({"source": {"data": {}}}, '{"source":{"data":{}}}'),
    ],
)
def test_results_as_text(content: Any, shown: str) -> None:
    block = {"type": "tool_result", "tool_use_id": "t", "content": content, "is_error": True}
    expected = ToolResult(tool_use_id="t", content=shown, is_error=True)
    assert prompt_and_results(user(block)) == ("", (expected,))


def test_results_of_several_calls_and_odd_ones() -> None:
    _, results = prompt_and_results(
        assistant(),
        user({"type": "tool_result", "tool_use_id": "a", "content": "1"}, text("x")),
        user({"type": "tool_result", "tool_use_id": 5, "is_error": "yes"}),
    )
    assert [(r.tool_use_id, r.content, r.is_error) for r in results] == [
        ("a", "1", False),
        ("", "", False),
    ]


@pytest.mark.parametrize(
    ("metadata", "session"),
    [
        ({"user_id": json.dumps({"session_id": SESSION})}, SESSION),
        ({"user_id": f"user_{'0f' * 32}_account_{SESSION}_session_{SESSION}"}, SESSION),
        ({"user_id": f"user_0f_account__session_{SESSION}"}, SESSION),
        ({"user_id": "somebody"}, ""),
        ({"user_id": "5"}, ""),
        ({"user_id": '{"session_id":5}'}, ""),
        ({"user_id": '{"session_id":"a b"}'}, ""),
        ({"user_id": '{"session_id":"' + "a" * 200 + '"}'}, ""),
        ({"user_id": "[" * 100_000}, ""),
        ({"user_id": None}, ""),
        ({}, ""),
        ("x", ""),
    ],
)
def test_the_clients_name_for_its_run(metadata: Any, session: str) -> None:
    assert parsed(metadata=metadata).client_session_id == session


def test_a_retry_has_the_same_canonical_content() -> None:
    def canonical(**members: Any) -> bytes:
        return b"".join(parse_request(packed(request(messages(1), **members))).canonical)

    assert canonical(metadata={"user_id": "a"}) == canonical(metadata={"user_id": "b", "c": [1]})
    assert canonical() != canonical(temperature=1)
    body = packed({"model": "m", "messages": []})
    assert b"".join(parse_request(body).canonical) == body


def read_or_refused(body: bytes) -> MessagesRequest | None:
    """What was read; None for a refusal. Any other exception is a failure."""
    try:
        return parse_request(body)
    except ClientError:
        return None


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["text", "image", "url", "user"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "source", "text", "tool", "name", "definition"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["messages", "system", "tools", "metadata", "container", "mcp_servers"]),
        ODD | st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": ODD})),
    )
)
def test_any_json_is_read_or_refused(members: dict[str, Any]) -> None:
    body = packed({"model": "m", **members})
    read = read_or_refused(body)
    if read is None:
        return
    assert b"".join(blocks(body, read.cuts)) == body
    assert list(read.features) == sorted(set(read.features))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=50), st.integers(0, 700), st.integers(0, 40))
def test_any_damage_is_read_or_refused(damage: bytes, at: int, lost: int) -> None:
    whole = packed(request(messages(1, size=20), tools=[], system="s"))
    body = whole[:at] + damage + whole[at + lost :]
    read_or_refused(body)


def test_cut_anywhere_it_is_refused() -> None:
    body = packed(request(messages(1, size=20), tools=[], system="s"))
    for end in range(len(body)):
        with pytest.raises(ClientError):
            parse_request(body[:end])


def test_a_bomb_of_blocks_does_no_harm() -> None:
    opening = b'{"type":"tool_result","content":['
    body = b'{"model":"m","messages":[{"role":"user","content":[' + opening * 50_000
    with pytest.raises(ClientError):
        parse_request(body)
    deep = opening * 60 + b"]}" * 60
    assert parse_request(
        b'{"model":"m","messages":[{"role":"user","content":[' + deep + b"]}]}"
    ).results


def test_the_stretches_are_all_of_the_body_but_its_punctuation() -> None:
    said = messages(3)
    body = packed(request(said))
    read = parse_request(body)
    at, between = 0, b""
    for stretch in read.stretches:
        between += body[at : stretch.start]
        at = stretch.end
    between += body[at:]
    left = re.sub(rb'"(messages|system|tools)"|[\s\[\]{}:,]', b"", between)
    assert left == b""
    named = [stretch for stretch in read.stretches if stretch.location.startswith("messages")]
    assert [json.loads(body[s.start : s.end]) for s in named] == json.loads(body)["messages"]
    assert [s.location for s in named] == [f"messages[{i}]" for i in range(len(said))]
    assert all(s.digest == sha256(body[s.start : s.end]).digest() for s in named)


@pytest.mark.parametrize(
    ("roles", "history"),
    [
        ("u", [False]),
        ("uau", [True, True, False]),
        ("uauu", [True, True, False, False]),
        ("uaua", [True, True, False, False]),
        ("a", [False]),
    ],
)
def test_history_is_what_stood_before_the_models_last_turn(roles: str, history: list[bool]) -> None:
    said = [user(text("x")) if role == "u" else assistant(text("y")) for role in roles]
    read = parsed(messages=said)
    assert [s.history for s in read.stretches if s.location.startswith("messages")] == history


@pytest.mark.parametrize(
    ("body", "folder"),
    [
        ({"system": "Be brief.\nWorking directory: /home/alice/shop\n"}, "/home/alice/shop"),
        (
            {"system": [{"type": "text", "text": " - Primary working directory: /srv/shop"}]},
            "/srv/shop",
        ),
        ({"messages": [{"role": "system", "content": "Working directory: /a/b"}]}, "/a/b"),
        ({"messages": [{"role": "user", "content": "Working directory: /etc"}]}, ""),
        ({"system": "Working directory: /a", "messages": [
            {"role": "system", "content": "Working directory: /b"}]}, ""),
        ({"system": "Working directory: /"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_where_the_agent_works(body: dict[str, Any], folder: str) -> None:
    whole = {"model": "m", "messages": [], **body}
    assert parse_request(json.dumps(whole).encode()).folder == folder
