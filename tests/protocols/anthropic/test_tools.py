"""A tool call as an Action."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import ActionKind
from proctor.protocols.anthropic.tools import tool_action


def test_a_command() -> None:
    arguments = json.dumps({"command": "rm -rf /", "timeout": 9})
    action = tool_action("claude", "Bash", arguments)
    assert (action.kind, action.listener, action.target) == (
        ActionKind.LLM_TOOL_USE,
        "claude",
        "Bash",
    )
    assert action.tool
    assert (action.tool.name, action.tool.command) == ("Bash", "rm -rf /")
    assert action.tool.input == {"command": "rm -rf /", "timeout": 9}
    assert (action.tool.paths, action.tool.hosts) == ((), ())
    assert (b"".join(action.content), action.size) == (arguments.encode(), len(arguments))


@pytest.mark.parametrize(
    ("arguments", "paths", "hosts"),
    [
        ({"file_path": "/a"}, ("/a",), ()),
        ({"path": "b", "notebook_path": "c", "file_path": 1}, ("c", "b"), ()),
        ({"url": "https://User@Example.test:8443/x"}, (), ("example.test",)),
        ({"url": "https://[::1"}, (), ()),
        ({"url": "no address"}, (), ()),
        ({"url": ["https://a"], "command": ["ls"]}, (), ()),
    ],
)
def test_paths_and_hosts(
    arguments: dict[str, object], paths: tuple[str, ...], hosts: tuple[str, ...]
) -> None:
    tool = tool_action("l", "T", json.dumps(arguments)).tool
    assert tool
    assert (tool.paths, tool.hosts, tool.command) == (paths, hosts, "")


@pytest.mark.parametrize(
    "arguments", ["", "{", "[1]", "null", '{"a":1,"a":2}', "[" * 100_000, "NaN", '{"a": 1e999}']
)
def test_what_cannot_be_read_is_empty_and_still_has_its_digest(arguments: str) -> None:
    action = tool_action("l", "T", arguments)
    assert action.tool
    assert action.tool.input == {}
    assert b"".join(action.content) == arguments.encode()


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_input_becomes_an_action(name: str, arguments: str) -> None:
    assert tool_action("l", name, arguments).size == len(arguments.encode("utf-8", "surrogatepass"))
