"""Claude Code's permission syntax."""

import contextlib
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import ToolFields
from proctor.policy.match import PatternError, matches_any, parse_pattern


def tool(name: str, *, paths: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> ToolFields:
    return ToolFields(name=name, paths=paths, hosts=hosts)


@pytest.mark.parametrize(
    ("pattern", "call", "result"),
    [
        ("Bash", tool("Bash"), True),
        ("Bash(*)", tool("Bash"), True),
        ("Bash", tool("BashOutput"), False),
        ("my_tool-2", tool("my_tool-2"), True),
        ("Read", tool("Grep"), True),
        ("Read", tool("Edit"), False),
        ("Edit", tool("Write"), True),
        ("Write", tool("Edit"), False),
        ("mcp__mail", tool("mcp__mail__send"), True),
        ("mcp__mail", tool("mcp__mail2__send"), False),
        ("mcp__mail__*", tool("mcp__mail__send"), True),
        ("mcp__mail__*", tool("mcp__mail"), False),
        ("mcp__mail__send", tool("mcp__mail__send"), True),
        ("mcp__mail__send", tool("mcp__mail__send_all"), False),
        ("mcp__mail__get_*", tool("mcp__mail__get_one"), True),
        ("mcp__my_server__x", tool("mcp__my_server__x"), True),
        ("WebFetch(domain:example.org)", tool("WebFetch", hosts=("example.org",)), True),
        ("WebFetch(domain:example.org)", tool("WebFetch", hosts=("a.example.org",)), False),
        ("WebFetch(domain:example.org)", tool("WebFetch", hosts=("example.org.evil",)), False),
        ("WebFetch(domain:*.example.org)", tool("WebFetch", hosts=("a.b.example.org",)), True),
        ("WebFetch(domain:*.example.org)", tool("WebFetch", hosts=("evilexample.org",)), False),
        ("WebFetch(domain:example.org)", tool("WebFetch"), False),
        ("Read(./secrets/**)", tool("Read", paths=("/srv/app/secrets/a/b",)), True),
        ("Read(./secrets/**)", tool("Read", paths=("secrets/a",)), True),
        ("Read(./secrets/**)", tool("Read", paths=("/srv/nosecrets/a",)), False),
        ("Read(*.env)", tool("Grep", paths=("/srv/prod.env",)), True),
        ("Read(*.env)", tool("Read", paths=("/srv/prod.envs",)), False),
        ("Read(//etc/passwd)", tool("Read", paths=("/etc/passwd",)), True),
        ("Read(//etc/passwd)", tool("Read", paths=("/srv/etc/passwd",)), False),
        ("Read(//etc)", tool("Read", paths=("/etc/passwd",)), True),
        ("Read(~/.ssh/**)", tool("Read", paths=("/home/alice/.ssh/id",)), True),
        ("Read(~/.ssh/**)", tool("Read", paths=("/srv/.ssh/id",)), False),
        ("Edit(src/**/*.py)", tool("Write", paths=("/x/src/a/b/c.py",)), True),
        ("Edit(src/**/*.py)", tool("Write", paths=("/x/src/c.py",)), True),
        ("Edit(src/*.py)", tool("Write", paths=("/x/src/a/c.py",)), False),
        ("Edit(a?.py)", tool("Edit", paths=("ab.py",)), True),
        ("Edit(a.py)", tool("Edit", paths=("abpy",)), False),
    ],
)
def test_matches(pattern: str, call: ToolFields, result: bool) -> None:  # noqa: FBT001 - a table
    assert parse_pattern(pattern).matches(call) is result


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        " ",
        "bash",
        "Webfetch(domain:x)",
        "Bash()",
        "Bash( )",
        "Bash(npm",
        "Bash)npm(",
        "Bash (npm)",
        "Bash(git:* push)",
        "Bash(a && b)",
        "Bash(a | b)",
        "Bash(a > b)",
        "Bash(a 'b')",
        "Bash(A=1 b)",
        "Bash(timeout 5 b)",
        "WebFetch(example.org)",
        "WebFetch(domain:)",
        "WebFetch(domain:https://example.org)",
        "WebFetch(domain:Example.org)",
        "WebFetch(domain:*)",
        "Read(./)",
        "Read(//)",
        "WebSearch(x)",
        "mcp__",
        "mcp__mail__",
        "mcp__*",
        "mcp__mail__*x",
        "mcp__mail__send()",
        "mcp__mail__send(to=x)",
        "mcp__mail__send(to:)",
        "mcp__mail__send(a b:c)",
        "mcp__*(to:x)",
        "mcp__ma il",
        "Über",
        "a\0b",
        "*",
    ],
)
def test_malformed(pattern: str) -> None:
    with pytest.raises(PatternError) as raised:
        parse_pattern(pattern)
    assert raised.value.message
    assert raised.value.expected


@pytest.mark.parametrize(
    ("patterns", "line", "some", "all_"),
    [
        (["Bash(npm run *)"], "npm run x", True, True),
        (["Bash(npm run *)"], "npm run x && npm run y", True, True),
        (["Bash(npm run *)"], "npm run x && rm y", True, False),
        (["Bash(npm run *)", "Bash(rm *)"], "npm run x && rm y", True, True),
        (["Bash(npm run *)"], "rm y", False, False),
        (["Bash(npm run *)"], "curl x | sh", True, False),
        (["Bash(npm run *)"], "npm run 'x", True, False),
        (["Bash(npm run *)"], "", False, False),
        (["Bash(npm run *)"], "npm run x > /etc/y", True, False),
        (["Bash(npm run *)"], "npm run x > y", True, True),
        (["Bash(npm run *)"], "> y", False, False),
        (["Bash(npm run *)"], "PATH=. npm run x", True, False),
        (["Bash(npm run *)"], "/opt/npm run x", True, False),
        (["Bash(rm -f *)"], "rm -rf x", True, False),
        (["Read", "Bash"], "curl x | sh", True, True),
        (["Read", "PowerShell(rm *)"], "rm x", False, False),
    ],
)
def test_command_lines(patterns: list[str], line: str, some: bool, all_: bool) -> None:  # noqa: FBT001 - a table
    parsed = [parse_pattern(pattern) for pattern in patterns]
    call = ToolFields(name="Bash", command=line)
    assert matches_any(parsed, call, every=False) is some
    assert matches_any(parsed, call, every=True) is all_
    if len(parsed) == 1:
        assert parsed[0].matches(call) is some
        assert parsed[0].matches(call, every=True) is all_


@pytest.mark.parametrize(
    ("pattern", "given", "some", "all_"),
    [
        ("project:SEC*", {"project": "SEC-1"}, True, True),
        ("project:SEC*", {"project": "sec-1 "}, True, False),
        ("project:SEC*", {"project": " SEC-1"}, True, False),
        ("project:SEC*", {"project": "TEAM"}, False, False),
        ("project:SEC*", {"title": "SEC-1"}, False, False),
        ("project:SEC*", {"project": None}, False, False),
        ("project:SEC*", {"project": {"key": "SEC-1"}}, True, False),
        ("project:SEC*", {"project": [["SEC-1"], "TEAM"]}, True, False),
        ("project:SEC*", {"project": ["SEC-1", "SEC-2"]}, True, True),
        ("project:SEC*", {"project": ["SEC-1", "TEAM"]}, True, False),
        ("project:SEC*", {"project": ["SEC-1", None]}, True, False),
        ("project:*", {"project": []}, False, False),
        ("project:*", {}, False, False),
        ("force:true", {"force": True}, True, True),
        ("force:true", {"force": "true"}, True, True),
        ("force:true", {"force": 1}, False, False),
        ("amount:5", {"amount": 5}, True, True),
        ("amount:5", {"amount": 50}, False, False),
        ("url:https://a.example/*", {"url": "https://a.example/x\ny"}, True, True),
        ("text:a:b", {"text": "a:b"}, True, True),
    ],
)
def test_arguments_of_mcp_tools(
    pattern: str, given: dict[str, Any], *, some: bool, all_: bool
) -> None:
    call = ToolFields(name="mcp__jira__create", input=given)
    for tool_name in ("mcp__jira__create", "mcp__jira__*", "mcp__jira"):
        parsed = parse_pattern(f"{tool_name}({pattern})")
        assert parsed.matches(call) is some
        assert parsed.matches(call, every=True) is all_
    assert not parse_pattern(f"mcp__jira__delete({pattern})").matches(call)


def test_an_argument_as_deep_as_it_likes() -> None:
    deep: Any = "SEC"
    for _ in range(100_000):
        deep = [deep]
    call = ToolFields(name="mcp__jira__create", input={"project": deep})
    assert parse_pattern("mcp__jira__create(project:sec)").matches(call)
    assert not parse_pattern("mcp__jira__create(project:SEC)").matches(call, every=True)


@pytest.mark.parametrize(
    ("pattern", "name", "result"),
    [
        ("mcp__jira", "mcp__jira__create", True),
        ("mcp__jira__create(a:b)", "mcp__jira__create", None),
        ("mcp__jira__create(*)", "mcp__jira__create", True),
        ("mcp__jira__create(a:b)", "mcp__jira__delete", False),
        ("Bash(rm *)", "Bash", None),
        ("Bash(rm *)", "PowerShell", False),
        ("Bash", "Bash", True),
        ("Read(.env)", "Read", None),
        ("WebFetch(domain:a.example)", "WebFetch", None),
    ],
)
def test_whether_a_tool_is_meant_before_it_is_called(
    pattern: str, name: str, *, result: bool | None
) -> None:
    assert parse_pattern(pattern).names(name) is result


@pytest.mark.parametrize(
    ("line", "some", "all_"),
    [
        ("Remove-Item -Recurse x", True, True),
        ("remove-item -Recurse x", True, False),
        ("Get-Item x", False, False),
        ("Get-Item x; Remove-Item -Recurse y", True, False),
        ("& $x", True, False),
    ],
)
def test_powershell_is_not_read(line: str, some: bool, all_: bool) -> None:  # noqa: FBT001 - a table
    pattern = parse_pattern("PowerShell(Remove-Item -Recurse *)")
    call = ToolFields(name="PowerShell", command=line)
    assert pattern.matches(call) is some
    assert pattern.matches(call, every=True) is all_


@given(st.text(max_size=40) | st.from_regex(r"(Read|WebFetch|mcp__a)(\(.*\))?", fullmatch=True))
def test_never_raises_anything_else(pattern: str) -> None:
    with contextlib.suppress(PatternError):
        parse_pattern(pattern).matches(ToolFields(name="Read", paths=("/a",)))


SEGMENTS = st.lists(st.sampled_from(["**", "*", "a", "*a", "a?", "b"]), min_size=1, max_size=6)


@given(SEGMENTS, st.lists(st.sampled_from(["a", "ba", "ab", "b", "c"]), min_size=1, max_size=6))
def test_paths_as_a_plain_recursion_finds_them(pattern: list[str], path: list[str]) -> None:
    def fits(pattern: list[str], path: list[str]) -> bool:
        if not pattern:
            return True  # what lies below matches too
        if pattern[0] == "**":
            return any(fits(pattern[1:], path[n:]) for n in range(len(path) + 1))
        return bool(path) and fnmatchcase(path[0], pattern[0]) and fits(pattern[1:], path[1:])

    call = tool("Read", paths=("/" + "/".join(path),))
    assert parse_pattern(f"Read(//{'/'.join(pattern)})").matches(call) is fits(pattern, path)


def test_a_long_path_takes_no_time() -> None:
    call = tool("Read", paths=("/".join("a" * 2000) + "/" + "a" * 4000,))
    assert not parse_pattern("Read(**/a/**/a/**/a/**/*a*a*a*b)").matches(call)


def test_a_path_that_goes_up_is_seen_through() -> None:
    assert parse_pattern("Read(//etc/**)").matches(tool("Read", paths=("/srv/../etc/x",)))
