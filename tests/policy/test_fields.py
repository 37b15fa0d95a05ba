"""The field table is the model's, and the design's."""

from dataclasses import fields

import pytest

from proctor.model import (
    ActionKind,
    GitFields,
    HttpFields,
    LlmFields,
    McpFields,
    SqlFields,
    ToolFields,
    WsFields,
)
from proctor.policy.fields import TABLE, VERBS, empty, fills, nearest
from proctor.policy.values import getter
from proctor.sql.reading import read
from proctor.sql.verbs import KINDS, TRANSACTIONS


@pytest.mark.parametrize(
    ("room", "model"),
    [
        ("http", HttpFields), ("llm", LlmFields), ("tool", ToolFields), ("mcp", McpFields),
        ("sql", SqlFields), ("git", GitFields), ("ws", WsFields),
    ],
)  # fmt: skip
def test_rooms_are_the_models(room: str, model: type) -> None:
    assert set(TABLE[room].fields or ()) == {field.name for field in fields(model)}


def test_verbs_are_those_of_the_parser() -> None:
    first = {kind.verb for kind in KINDS.values()} | set(TRANSACTIONS.values()) - {"TRANSACTION"}
    others = ("RESET ALL", "REVOKE a FROM b", "ANALYZE", "MOVE c")
    first.update(verb for text in others for verb in read(text).statements[0].verbs)
    assert set(VERBS) == (first | {"UNKNOWN"}) - {"TRANSACTION"}


def test_names_are_those_of_the_design() -> None:
    assert list(TABLE) == [
        *("principal", "session", "action", "http", "llm", "tool", "mcp", "git", "ws"),
        *("sql", "findings", "novelty", "budget", "now"),
    ]


def test_empty_values_are_shared_and_stay_empty() -> None:
    assert empty(TABLE["mcp"]) == {
        "server": "", "method": "", "tool": "", "arguments": {}, "uri": "",
    }  # fmt: skip
    assert getter("now.hour")(None) == 0  # type: ignore[arg-type] # no case is asked
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
