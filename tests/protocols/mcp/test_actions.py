"""What rules see of a client's message."""

import json
from typing import Any

import pytest
from mcp_types import ClientNotification, ClientRequest
from pydantic import TypeAdapter

from proctor.errors import ClientError
from proctor.model import ActionKind
from proctor.policy.match import parse_pattern
from proctor.protocols.mcp.actions import (
    content_of,
    fields_of,
    mcp_actions,
    question_action,
    tool_name,
    tool_use_id,
)
from proctor.protocols.mcp.messages import Message, read


def request(method: str, **params: Any) -> Message:
    return read(
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    )


def response(**members: Any) -> Message:
    return read(json.dumps({"jsonrpc": "2.0", "id": 1, **members}).encode())


@pytest.mark.parametrize(
    ("message", "tool", "uri", "arguments"),
    [
        (request("tools/call", name="add", arguments={"a": 1}), "add", "", {"a": 1}),
        (request("tools/call", name="add"), "add", "", {}),
        (request("tools/call", name="add", arguments=None), "add", "", {}),
        (request("prompts/get", name="p", arguments={"x": "y"}), "p", "", {"x": "y"}),
        (request("resources/read", uri="file:///a"), "", "file:///a", {}),
        (request("resources/subscribe", uri="u"), "", "u", {}),
        (request("resources/unsubscribe", uri="u"), "", "u", {}),
        (
            request(
                "completion/complete",
                ref={"type": "ref/prompt", "name": "p"},
                argument={"name": "a", "value": "v"},
                context={"arguments": {"b": "w"}},
            ),
            "p",
            "",
            {"a": "v", "b": "w"},
        ),
        (
            request(
                "completion/complete",
                ref={"type": "ref/resource", "uri": "f:///{x}"},
                argument={"name": "x", "value": "v"},
            ),
            "",
            "f:///{x}",
            {"x": "v"},
        ),
        (request("logging/setLevel", level="debug"), "", "", {"level": "debug"}),
        (request("tasks/get", taskId="t", _meta={"progressToken": 1}), "", "", {"taskId": "t"}),
        (request("server/discover", _meta={}), "", "", {}),
        (request("ping"), "", "", {}),
        (request("tools/list", cursor="c"), "", "", {"cursor": "c"}),
    ],
)
def test_fields(message: Message, tool: str, uri: str, arguments: dict[str, Any]) -> None:
    (fields,) = fields_of("jira", message)
    assert (fields.server, fields.method) == ("jira", message.method)
    assert (fields.tool, fields.uri, fields.arguments) == (tool, uri, arguments)


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        (response(result={"action": "accept", "content": {"a": 1}}), "elicitation/create"),
        (response(result={"roots": []}), "roots/list"),
        (
            response(result={"role": "assistant", "model": "m", "content": []}),
            "sampling/createMessage",
        ),
        (response(result={}), ""),
        (response(error={"code": -32601, "message": "Method not found"}), ""),
    ],
)
def test_responses(message: Message, asked: str) -> None:
    (fields,) = fields_of("jira", message)
    assert (fields.method, fields.tool) == ("response", asked)
    assert fields.arguments == (message.result or message.error)


def test_answers_inside_a_request() -> None:
    message = request(
        "tools/call",
        name="add",
        inputResponses={"a": {"action": "decline"}, "b": {"roots": []}},
        requestState="opaque",
    )
    own, first, second = fields_of("jira", message)
    assert (own.method, own.tool) == ("tools/call", "add")
    assert (first.method, first.tool) == ("response", "elicitation/create")
    assert (second.method, second.tool) == ("response", "roots/list")


def test_subscriptions_are_judged_one_by_one() -> None:
    message = request(
        "subscriptions/listen",
        notifications={"toolsListChanged": True, "resourceSubscriptions": ["a", "b", "a"]},
    )
    found = [(fields.method, fields.uri) for fields in fields_of("jira", message)]
    assert found == [
        ("subscriptions/listen", ""),
        ("resources/subscribe", "a"),
        ("resources/subscribe", "b"),
    ]


@pytest.mark.parametrize(
    "message",
    [
        request("tools/call"),
        request("tools/call", name=["add"]),
        request("tools/call", name="add", arguments=[]),
        request("tools/call", name="add", inputResponses=[]),
        request("tools/call", name="add", inputResponses={"a": "x"}),
        request("prompts/get", name=None),
        request("resources/read", uri=7),
        request("completion/complete"),
        request("completion/complete", ref={"Name": "p"}, argument={"name": "a", "value": ""}),
        request("subscriptions/listen", notifications={"resourceSubscriptions": [1]}),
        request("subscriptions/listen", notifications=[]),
    ],
)
def test_refused(message: Message) -> None:
    with pytest.raises(ClientError) as caught:
        mcp_actions("tools", "jira", message)
    assert caught.value.code == "mcp-message"


@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe"])
def test_without_a_uri_the_server_says_what_is_wrong(method: str) -> None:
    (action,) = mcp_actions("tools", "jira", request(method))
    assert action.mcp
    assert (action.mcp.method, action.mcp.uri) == (method, "")


def test_action() -> None:
    message = request("tools/call", name="create.issue", arguments={"title": "x"})
    (action,) = mcp_actions("tools", "jira", message)
    assert (action.kind, action.listener) == (ActionKind.MCP_CALL, "tools")
    assert action.target == "jira tools/call create.issue"
    assert action.size == len(message.raw)
    assert action.mcp is not None
    assert action.tool is not None
    assert action.tool.input == {"title": "x"}
    assert parse_pattern("mcp__jira__create_issue").matches(action.tool)
    assert parse_pattern("mcp__jira").matches(action.tool)
    assert not parse_pattern("mcp__jira__delete").matches(action.tool)
    (listing,) = mcp_actions("tools", "jira", request("tools/list"))
    assert listing.tool is None


def test_a_servers_question() -> None:
    asked = {"maxTokens": 5, "_meta": {"progressToken": 1}}
    action = question_action("tools", "jira", "sampling/createMessage", asked)
    assert (action.kind, action.target) == (ActionKind.MCP_CALL, "jira sampling/createMessage")
    assert action.mcp is not None
    assert (action.mcp.server, action.mcp.arguments) == ("jira", {"maxTokens": 5})
    assert action.tool is None
    same = question_action("tools", "jira", "sampling/createMessage", {"maxTokens": 5})
    assert same.content == action.content


def test_tool_name() -> None:
    assert tool_name("my server", "a.b/c-d_e") == "mcp__my_server__a_b_c-d_e"


def test_every_try_has_the_same_content() -> None:
    def tried(named: int, **meta: Any) -> bytes:
        raw = {
            "jsonrpc": "2.0",
            "id": named,
            "method": "tools/call",
            "params": {"arguments": {"b": 1, "a": 2}, "name": "t", "_meta": meta},
        }
        return content_of(read(json.dumps(raw).encode()))

    first = tried(
        1,
        progressToken=1,
        traceparent="x",
        tracestate="",
        baggage="",
        **{"claudecode/toolUseId": "t"},
    )
    assert first == tried(2)
    assert first != tried(2, **{"com.example/mode": "dry"})


def test_content_tells_apart() -> None:
    seen = {
        content_of(message)
        for message in (
            request("tools/call", name="a", arguments={"x": 1}),
            request("tools/call", name="a", arguments={"x": 2}),
            request("tools/call", name="b", arguments={"x": 1}),
            request("prompts/get", name="a", arguments={"x": 1}),
            response(result={"name": "a"}),
            response(result={"name": "b"}),
            response(error={"code": 1, "message": ""}),
        )
    }
    assert len(seen) == 7


def test_tool_use_id() -> None:
    def named(value: object) -> str:
        return tool_use_id(request("tools/call", name="a", _meta={"claudecode/toolUseId": value}))

    assert named("toolu_01") == "toolu_01"
    assert named(7) == named("x" * 257) == tool_use_id(request("ping")) == ""


def test_every_method_of_the_sdk_is_read() -> None:
    """No message that the SDK knows is refused for its shape."""
    schema = TypeAdapter(ClientRequest | ClientNotification).json_schema()
    methods = {
        each["properties"]["method"]["const"]
        for each in schema["$defs"].values()
        if "const" in each.get("properties", {}).get("method", {})
    }
    shaped = {"tools/call", "prompts/get", "resources/read", "completion/complete"}
    assert shaped <= methods
    assert {"initialize", "server/discover", "subscriptions/listen", "ping"} <= methods
    for method in methods - shaped - {"resources/subscribe", "resources/unsubscribe"}:
        assert fields_of("s", request(method))[0].method == method
