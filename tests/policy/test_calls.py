"""One name for a tool, whichever way it is called."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import Action, ActionKind, McpFields, ToolFields
from proctor.policy.calls import call_name, call_of
from proctor.policy.match import parse_pattern


def asked(**fields: object) -> Action:
    mcp = McpFields(server="jira", **fields)  # type: ignore[arg-type] # strings and a mapping
    return Action(kind=ActionKind.MCP_CALL, listener="tools", target="", mcp=mcp)


def test_a_call_over_mcp_is_called_as_the_model_calls_it() -> None:
    call = call_of(asked(method="tools/call", tool="create_issue", arguments={"a": 1}))
    assert call == ToolFields(name="mcp__jira__create_issue", input={"a": 1})


def test_the_model_s_own() -> None:
    tool = ToolFields(name="Read", paths=("/a",))
    action = Action(kind=ActionKind.LLM_TOOL_USE, listener="claude", target="Read", tool=tool)
    assert call_of(action) is tool


@pytest.mark.parametrize("method", ["tools/list", "prompts/get", "resources/read", "response", ""])
def test_nothing_else_is_a_call(method: str) -> None:
    assert call_of(asked(method=method, tool="create_issue")) is None


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("jira", "issue.create", "mcp__jira__issue_create"),
        ("my_server", "a-b", "mcp__my_server__a-b"),
        ("jira", "löschen", "mcp__jira__l_schen"),
        ("jira", "a\nb", "mcp__jira__a_b"),
        ("jira", "", ""),
        ("a__b", "c", ""),
        ("a_", "c", ""),
        ("_a", "c", ""),
        ("", "c", ""),
        ("a.b", "c", ""),
    ],
)
def test_names(server: str, tool: str, name: str) -> None:
    assert call_name(server, tool) == name


WORD = st.from_regex(re.compile(r"[a-z0-9_.-]{1,6}", re.ASCII), fullmatch=True)


@given(WORD, WORD, WORD)
def test_a_pattern_for_one_server_never_means_another(one: str, other: str, tool: str) -> None:
    name = call_name(other, tool)
    if name and call_name(one, "x"):
        assert bool(parse_pattern(f"mcp__{one}").names(name)) is (one == other)
