"""A tool call as an Action."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import ActionKind
from proctor.protocols.anthropic.tools import folder_of, tool_action


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
    assert (action.tool.paths, action.tool.hosts) == (("/",), ())
    assert b"".join(action.content) == b'{"command":"rm -rf /","timeout":9}'
    assert action.size == len(arguments)


@pytest.mark.parametrize(
    ("tool", "one", "other", "same"),
    [
        ("Bash", '{"command":"a","description":"x"}', '{ "description":"y", "command":"a" }', True),
        ("Bash", '{"command":"a"}', '{"command":"a","description":"y"}', True),
        ("Bash", '{"command":"a"}', '{"command":"\\u0061"}', True),
        ("Bash", '{"command":"a"}', '{"command":"b"}', False),
        ("Bash", '{"command":"a"}', '{"command":"a","run_in_background":true}', False),
        ("Bash", '{"command":"a"}', '{"command":"a"', False),
        ("PowerShell", '{"command":"a","description":"x"}', '{"command":"a"}', True),
        ("Task", '{"description":"x"}', '{"description":"y"}', False),
        ("X", '{"a":[1,2]}', '{"a":[2,1]}', False),
        ("X", '{"a":1}', '{"a":true}', False),
    ],
)
def test_a_retry_of_the_same_has_the_same_content(
    tool: str,
    one: str,
    other: str,
    same: bool,  # noqa: FBT001 - a table
) -> None:
    contents = [b"".join(tool_action("l", tool, each).content) for each in (one, other)]
    assert (contents[0] == contents[1]) is same


def test_what_a_command_line_touches() -> None:
    line = "cd a && curl https://A.test/x > y; rm ../z"
    tool = tool_action("l", "Bash", json.dumps({"command": line})).tool
    assert tool
    assert (tool.paths, tool.hosts) == (("a/y", "z"), ("a.test",))
    other = tool_action("l", "mcp__x__Bash", json.dumps({"command": line})).tool
    assert other
    assert (other.paths, other.hosts) == ((), ())


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        (
            " - Primary working directory: /home/alice/my shop\n - Is a git repository",
            "/home/alice/my shop",
        ),
        ("<env>\nWorking directory: /srv/x/\nPlatform: linux\n</env>", "/srv/x"),
        ("Working directory: /a/../b", "/b"),
        ("Working directory: /a\nWorking directory: /a\n", "/a"),
        ("Working directory: /a\nWorking directory: /b\n", ""),
        ("Working directory: /", ""),
        ("Working directory: //", ""),
        ("Working directory: a", ""),
        ("Working directory: C:\\x", ""),
        ("the Working directory: /a", ""),
        (" - Additional working directories: /a", ""),
        ("", ""),
    ],
)
def test_folder_of(text: str, folder: str) -> None:
    assert folder_of(text) == folder


@pytest.mark.parametrize(
    ("arguments", "paths", "hosts"),
    [
        ({"file_path": "/a"}, ("/a",), ()),
        ({"file_path": "/a/../b//c"}, ("/b/c",), ()),
        ({"file_path": "//etc/x"}, ("/etc/x",), ()),
        ({"file_path": "a/../../x"}, ("../x",), ()),
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
