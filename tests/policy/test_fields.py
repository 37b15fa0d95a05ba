"""The field table is the model's, and the design's."""

from dataclasses import fields

import pytest

from proctor.model import ActionKind, HttpFields, LlmFields, McpFields, ToolFields
from proctor.policy.fields import TABLE, empty, fills, nearest
from proctor.policy.values import getter


@pytest.mark.parametrize(
    ("room", "model"),
    [("http", HttpFields), ("llm", LlmFields), ("tool", ToolFields), ("mcp", McpFields)],
)
def test_rooms_are_the_models(room: str, model: type) -> None:
    assert set(TABLE[room].fields or ()) == {field.name for field in fields(model)}


def test_names_are_those_of_the_design() -> None:
    assert list(TABLE) == [
        *("principal", "session", "action", "http", "llm", "tool", "mcp", "git", "sql"),
        *("findings", "novelty", "budget", "now"),
    ]


def test_empty_values_are_shared_and_stay_empty() -> None:
    assert empty(TABLE["mcp"]) == {
        "server": "", "method": "", "tool": "", "arguments": {}, "uri": "",
    }  # fmt: skip
    assert getter("git.refs")(None) == []  # type: ignore[arg-type] # no case is asked
    assert empty(TABLE["principal"])["token_age"] == 0.0  # type: ignore[index] # a room is a dict


@pytest.mark.parametrize(
    ("kind", "field", "filled"),
    [
        (ActionKind.LLM_REQUEST, "llm.model", True),
        (ActionKind.LLM_REQUEST, "http.path", True),
        (ActionKind.LLM_REQUEST, "http.json", False),
        (ActionKind.LLM_REQUEST, "tool.name", False),
        (ActionKind.LLM_REQUEST, "http.operation", False),
        (ActionKind.HTTP_REQUEST, "http.json", True),
        (ActionKind.HTTP_REQUEST, "http.violations", True),
        (ActionKind.MCP_CALL, "http.json", False),
        (ActionKind.MCP_CALL, "mcp.arguments", True),
        (ActionKind.MCP_CALL, "tool.name", True),
        (ActionKind.MCP_CALL, "tool.input", True),
        (ActionKind.MCP_CALL, "tool.command", False),
        (ActionKind.LLM_TOOL_USE, "tool.command", True),
        (ActionKind.LLM_TOOL_USE, "mcp.server", False),
        (ActionKind.SQL_STATEMENT, "http.path", False),
        (ActionKind.SQL_STATEMENT, "principal.groups", True),
        (ActionKind.SQL_STATEMENT, "now", True),
    ],
)
def test_fills(kind: ActionKind, field: str, filled: bool) -> None:  # noqa: FBT001 - a table
    assert fills(kind, field) is filled


def test_nearest() -> None:
    assert nearest("modle", ["model", "tools"]) == "Did you mean 'model'?"
    assert nearest("xyz", ["model", "tools"]) == ""
