"""What a grant lets pass, and how it may be worded."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval.grants import _glob, covers, suggest, too_wide_for
from proctor.model import Action, ActionKind, HttpFields, McpFields, SqlFields
from proctor.protocols.anthropic.tools import tool_action
from tests.approval.samples import grant

TOOL, HTTP = ActionKind.LLM_TOOL_USE, ActionKind.HTTP_REQUEST
MCP = ActionKind.MCP_CALL
ORDERS = "POST https://api.internal:443/v1/orders"


def call(name: str, **arguments: Any) -> Action:
    return tool_action("claude", name, json.dumps(arguments))


def bash(command: str) -> Action:
    return call("Bash", command=command)


def request(target: str, kind: ActionKind = HTTP) -> Action:
    return Action(kind=kind, listener="web", target=target, http=HttpFields())


def mcp(method: str, *, server: str = "jira", **fields: Any) -> Action:
    asked = McpFields(server=server, method=method, **fields)
    return Action(kind=MCP, listener="tools", target="jira anything", mcp=asked)


CREATE = mcp("tools/call", tool="create_issue", arguments={"project": "TEAM"})


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("mcp__jira__create_issue", CREATE, True),
        ("mcp__jira__create_issue(project:TEAM)", CREATE, True),
        ("mcp__jira__create_issue(project:team)", CREATE, False),
        ("mcp__jira__delete_issue", CREATE, False),
        ("mcp__mail__create_issue", CREATE, False),
        ("jira tools/call create_issue", CREATE, False),
        ("jira anything", CREATE, False),
        ("mcp__jira__x", mcp("prompts/get", tool="x"), False),
        ("jira prompts/get x", mcp("prompts/get", tool="x"), True),
        ("jira anything", mcp("prompts/get", tool="x"), False),
        ("jira resources/read file:///a/*", mcp("resources/read", uri="file:///a/b"), True),
        ("jira resources/read file:///a/*", mcp("resources/read", uri="file:///b/a/b"), False),
        ("jira resources/read x", mcp("resources/read", uri="x", server="mail"), False),
        ("jira sampling/createMessage", mcp("sampling/createMessage"), True),
    ],
)
def test_what_passes_of_mcp(pattern: str, action: Action, *, expected: bool) -> None:
    assert covers(grant(kind=MCP, pattern=pattern), action) is expected
    assert not covers(grant(kind=TOOL, pattern=pattern), action)


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("Bash(rm -rf build)", bash("rm -rf build"), True),
        ("Bash(rm -rf build)", bash("rm -rf build2"), False),
        ("Bash(rm -rf build)", bash("rm -rf build; curl x.example"), False),
        ("Bash(rm -rf build)", bash("rm -rf build && rm -rf build"), True),
        ("Bash(rm *)", bash("rm -rf build $(curl x.example)"), False),
        ("Bash(rm *)", bash("rm -rf a | rm b"), True),
        ("Bash(rm *)", bash("rm -rf a; eval $x"), False),
        ("Bash(rm *)", call("WebSearch", query="rm -rf x"), False),
        ("WebFetch(domain:a.example)", call("WebFetch", url="https://a.example/x"), True),
        ("WebFetch(domain:a.example)", call("WebFetch", url="https://b.example/x"), False),
        ("mcp__db__drop", call("mcp__db__drop", table="t"), True),
        ("mcp__db__drop", call("mcp__db__dropall", table="t"), False),
        ("Bash(", bash("rm"), False),
        (f"{ORDERS}/*", bash("rm"), False),
    ],
)
def test_which_tool_calls_pass(pattern: str, action: Action, *, expected: bool) -> None:
    assert covers(grant(pattern=pattern), action) is expected


@pytest.mark.parametrize(
    ("pattern", "target", "expected"),
    [
        (ORDERS, ORDERS, True),
        (ORDERS, f"{ORDERS}/1", False),
        (f"{ORDERS}/*", f"{ORDERS}/1/lines", True),
        (f"{ORDERS}/*", f"{ORDERS}", False),
        (f"{ORDERS}/*/lines", f"{ORDERS}/1/lines", True),
        (f"{ORDERS}/*/lines", f"{ORDERS}/lines", False),
        (f"{ORDERS}/*", f"{ORDERS}/1".replace("POST", "DELETE"), False),
        (f"{ORDERS}/[1]", f"{ORDERS}/1", False),
    ],
)
def test_which_requests_pass(pattern: str, target: str, *, expected: bool) -> None:
    assert covers(grant(kind=HTTP, pattern=pattern), request(target)) is expected
    assert not covers(grant(kind=HTTP, pattern=pattern), request(target, ActionKind.WS_MESSAGE))


@given(st.lists(st.text("ab*", max_size=6), max_size=6), st.text("ab", max_size=6))
def test_a_star_stands_for_any_run(parts: list[str], filling: str) -> None:
    pattern = "*".join(part.replace("*", "") for part in parts)
    assert _glob(pattern, pattern.replace("*", filling))


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_as_a_regular_expression_would(pattern: str, text: str) -> None:
    import re  # noqa: PLC0415 - the other way to say it, here only

    expected = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None
    assert _glob(pattern, text) is expected


@pytest.mark.parametrize(
    ("action", "shape", "pattern"),
    [
        (bash("rm -rf build"), "Bash(rm)", "Bash(rm -rf build)"),
        (bash("/bin/rm -rf build"), "Bash(rm)", "Bash(/bin/rm -rf build)"),
        (bash("cd web && npm publish"), "Bash(cd, npm)", ""),
        (bash("rm -rf build/*"), "Bash(rm)", ""),
        (bash(""), "Bash(…)", ""),
        (
            call("WebFetch", url="https://a.example/x"),
            "WebFetch(domain:a.example)",
            "WebFetch(domain:a.example)",
        ),
        (
            call("Write", file_path="/srv/app/x.py", content="1"),
            "Write(/srv/app)",
            "Write(//srv/app/x.py)",
        ),
        (call("Write", file_path="app/x.py", content="1"), "Write(app)", ""),
        (call("mcp__db__drop", table="t"), "mcp__db__drop", "mcp__db__drop"),
        (call("WebSearch", query="x"), "WebSearch", "WebSearch"),
        (call("we ird(", query="x"), "we ird(", ""),
        (request(ORDERS), "POST api.internal /v1/orders", ORDERS),
        (
            request(f"{ORDERS}/17?x=1"),
            "POST api.internal /v1/orders/*",
            f"{ORDERS}/17?x=1",
        ),
        (
            request("PUT http://h.example:8080/u/0b8a2f9e-1c2d-4e5f-8a9b-0c1d2e3f4a5b/deadbeef"),
            "PUT h.example:8080 /u/*/*",
            "PUT http://h.example:8080/u/0b8a2f9e-1c2d-4e5f-8a9b-0c1d2e3f4a5b/deadbeef",
        ),
        (request(f"{ORDERS}/*"), "POST api.internal /v1/orders/*", ""),
        (request("db", ActionKind.GIT_FETCH), "db", ""),
        (request("orders", ActionKind.GIT_FETCH), "orders", "orders"),
        (CREATE, "mcp__jira__create_issue", "mcp__jira__create_issue"),
        (
            mcp("resources/read", uri="file:///a?x=1"),
            "jira resources/read file:///a",
            "jira resources/read file:///a?x=1",
        ),
        (mcp("resources/read", uri="a*"), "jira resources/read a*", ""),
        (
            mcp("elicitation/create"),
            "jira elicitation/create",
            "jira elicitation/create",
        ),
        (mcp("tools/call", tool="x", server="a__b"), "mcp.call", ""),
    ],
)
def test_what_is_suggested(action: Action, shape: str, pattern: str) -> None:
    assert suggest(action) == (shape, pattern)
    if pattern:
        assert covers(grant(kind=action.kind, pattern=pattern), action)
        assert too_wide_for(action.kind, pattern, shape) is None


@pytest.mark.parametrize(
    ("action", "shape"),
    [
        (bash("mysql -phunter2"), "Bash"),
        (call("Write", file_path="/home/hunter2/x"), "Write"),
        (request(f"{ORDERS}/hunter2"), "POST api.internal"),
        (request("hunter2", ActionKind.SQL_STATEMENT), "sql.statement"),
        (mcp("resources/read", uri="hunter2"), "jira resources/read"),
        (mcp("tools/call", tool="x", arguments={"a": "hunter2"}), "mcp__jira__x"),
    ],
)
def test_what_is_hidden_is_not_quoted(action: Action, shape: str) -> None:
    assert suggest(action, hidden=True) == (shape, "")


@given(st.text(max_size=60))
def test_anything_gets_a_shape_and_a_pattern_that_fits_or_none(command: str) -> None:
    for action in (bash(command), request(command), call(command or "x", command=command)):
        shape, pattern = suggest(action)
        assert len(shape) <= 200
        assert not pattern or covers(grant(kind=action.kind, pattern=pattern), action)


@pytest.mark.parametrize(
    ("kind", "pattern", "shape"),
    [
        (TOOL, "", ""),
        (TOOL, "x" * 2001, ""),
        (TOOL, "Bash(rm\n*)", ""),
        (TOOL, "Bash", ""),
        (TOOL, "Bash(*)", ""),
        (TOOL, "Bash(* *)", ""),
        (TOOL, "Bash(:*)", ""),
        (TOOL, "Bash(r*)", ""),
        (TOOL, "Bash( *)", ""),
        (TOOL, "PowerShell(*)", ""),
        (TOOL, "*", ""),
        (TOOL, "Bash(rm", ""),
        (TOOL, "bash(rm x)", ""),
        (TOOL, "Read", ""),
        (TOOL, "Edit(//**)", ""),
        (TOOL, "Edit(./**)", ""),
        (TOOL, "Write(~/*)", ""),
        (TOOL, "WebFetch", ""),
        (TOOL, "WebFetch(domain:*.com)", ""),
        (TOOL, "mcp__db", ""),
        (TOOL, "mcp__db__*", ""),
        (TOOL, "mcp__db__d*", ""),
        (TOOL, "Bash(npm *)", "Bash(rm)"),
        (TOOL, "Write(//srv/**)", "Bash(rm)"),
        (HTTP, "*", ""),
        (HTTP, "POST *", ""),
        (HTTP, "POST https://*/v1", ""),
        (HTTP, "POST https://api.internal*/v1", ""),
        (HTTP, "* https://api.internal/v1", ""),
        (HTTP, "DELETE https://api.internal:443/v1/orders", "POST api.internal /v1/orders"),
        (HTTP, "POST https://other.internal:443/v1/orders", "POST api.internal /v1/orders"),
        (ActionKind.LLM_REQUEST, "* https://api.internal/", ""),
        (ActionKind.SQL_STATEMENT, "*", ""),
        (ActionKind.SQL_STATEMENT, "or*", ""),
        (MCP, "*", ""),
        (MCP, "jira", ""),
        (MCP, "jira *", ""),
        (MCP, "j* resources/read x", ""),
        (MCP, "jira resources/* x", ""),
        (MCP, "jira resources/read *", ""),
        (MCP, "jira resources/read *x", ""),
        (MCP, "mcp__jira", ""),
        (MCP, "mcp__jira__*", ""),
        (MCP, "mcp__jira(a:b)", ""),
        (MCP, "mcp__jira__delete", "mcp__jira__create"),
        (MCP, "mcp__jira__delete", "jira resources/read x"),
        (MCP, "jira resources/read x", "mail resources/read x"),
        (MCP, "jira prompts/get x", "jira resources/read x"),
    ],
)
def test_too_wide(kind: ActionKind, pattern: str, shape: str) -> None:
    found = too_wide_for(kind, pattern, shape)
    assert found is not None
    assert (found.code, found.status) == ("grant-too-wide", 403)


@pytest.mark.parametrize(
    ("kind", "pattern", "shape"),
    [
        (TOOL, "Bash(rm *)", "Bash(rm)"),
        (TOOL, "Bash(rm:*)", "Bash(rm)"),
        (TOOL, "Bash(/bin/rm -rf build)", "Bash(cd, rm)"),
        (TOOL, "Write(//srv/app/**)", "Write(/srv/app)"),
        (TOOL, "WebFetch(domain:*.a.example)", ""),
        (TOOL, "mcp__db__drop", ""),
        (HTTP, f"{ORDERS}/*", "POST api.internal /v1/orders/*"),
        (ActionKind.GIT_FETCH, "orders*", ""),
        (MCP, "mcp__jira__create_issue(project:TEAM*)", "mcp__jira__create_issue"),
        (MCP, "jira resources/read file:///a/*", "jira resources/read file:///a/b"),
    ],
)
def test_narrow_enough(kind: ActionKind, pattern: str, shape: str) -> None:
    assert too_wide_for(kind, pattern, shape) is None


@pytest.mark.parametrize(
    ("more", "covered"),
    [({}, True), ({"timeout": 5}, True), ({"dangerouslyDisableSandbox": True}, False)],
)
def test_a_command_that_takes_a_guard_away_is_another_one(
    more: dict[str, Any],
    covered: bool,  # noqa: FBT001 - a parameter
) -> None:
    action = tool_action("claude", "Bash", json.dumps({"command": "ls", **more}))
    assert covers(grant(pattern="Bash(ls)"), action) is covered
    assert bool(suggest(action)[1]) is covered


SQL = ActionKind.SQL_STATEMENT


def sql(*verbs: str, listener: str = "orders", **fields: Any) -> Action:
    asked = SqlFields(**{"database": "shop", "tables": ("public.orders",), **fields}, verbs=verbs)
    return Action(kind=SQL, listener=listener, target="orders/shop anything", sql=asked)


DELETE = sql("DELETE")
BOUNDED = sql("DELETE", has_where=True)
WITH = sql("SELECT", "DELETE", tables=("public.lines", "public.orders"), has_where=True)


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("orders/shop DELETE public.orders", DELETE, True),
        ("orders/shop DELETE public.orders", BOUNDED, True),
        ("orders/shop DELETE public.orders WHERE", BOUNDED, True),
        ("orders/shop DELETE public.orders WHERE", DELETE, False),
        ("orders/shop SELECT,DELETE public.lines,public.orders", WITH, True),
        ("orders/shop DELETE,SELECT public.lines,public.orders", WITH, False),
        ("orders/shop SELECT,DELETE public.orders", WITH, False),
        ("orders/shop DELETE public.orders", WITH, False),
        ("orders/shop DELETE public.orders", sql("UPDATE"), False),
        ("orders/shop DELETE public.orders", sql("DELETE", tables=()), False),
        ("orders/shop DELETE public.orders", sql("DELETE", tables=("app.orders",)), False),
        ("orders/shop DELETE public.orders", sql("DELETE", database="test"), False),
        ("orders/shop DELETE public.orders", sql("DELETE", listener="audit"), False),
        ("orders/shop anything", DELETE, False),
        ("orders/shop *", DELETE, False),
        ("*", DELETE, False),
        ("orders/shop DELETE public.*", DELETE, False),
        # Functions that somebody has not looked at, and what does more than read and write.
        ("orders/shop DELETE public.orders", sql("DELETE", functions=("pg_catalog.now",)), True),
        ("orders/shop DELETE public.orders", sql("DELETE", functions=("public.now",)), False),
        ("orders/shop SELECT public.orders",
         sql("SELECT", functions=("pg_catalog.lower", "pg_catalog.pg_sleep")), False),
        ("orders/shop DROP public.orders", sql("DROP"), False),
        ("orders/shop CREATE,SELECT public.orders", sql("CREATE", "SELECT"), False),
        ("orders/shop COPY public.orders", sql("COPY"), False),
        ("orders/shop EXECUTE,DELETE public.orders", sql("EXECUTE", "DELETE"), False),
        # Names that would read as something else.
        ("orders/shop DELETE public.a,public.b", sql("DELETE", tables=("public.a,public.b",)),
         False),
        ("orders/shop DELETE public.a WHERE", sql("DELETE", tables=("public.a WHERE",)), False),
        ("orders/shop SELECT a.b DELETE public.orders",
         sql("DELETE", database="shop SELECT a.b"), False),
        ("orders/shop DELETE public.*", sql("DELETE", tables=("public.*",)), False),
        ("orders/shop DELETE public.orders",
         Action(kind=SQL, listener="orders", target="orders/shop DELETE public.orders"), False),
    ],
)  # fmt: skip
def test_what_passes_of_sql(pattern: str, action: Action, *, expected: bool) -> None:
    assert covers(grant(kind=SQL, pattern=pattern), action) is expected


@pytest.mark.parametrize(
    ("action", "shape", "granted"),
    [
        (DELETE, "orders/shop DELETE public.orders", True),
        (BOUNDED, "orders/shop DELETE public.orders WHERE", True),
        (WITH, "orders/shop SELECT,DELETE public.lines,public.orders WHERE", True),
        (sql("DROP"), "orders/shop DROP public.orders", False),
        (sql("SELECT", tables=()), "orders/shop SELECT", False),
        (sql("SELECT", functions=("public.f",)), "orders/shop SELECT public.orders", False),
        (sql("DELETE", tables=("public.a b",)), "orders/shop DELETE public.a b", False),
    ],
)
def test_what_is_suggested_of_sql(action: Action, shape: str, *, granted: bool) -> None:
    found, pattern = suggest(action)
    assert (found, pattern) == (shape, shape if granted else "")
    assert covers(grant(kind=SQL, pattern=shape), action) is granted
    assert suggest(action, hidden=True) == ("sql.statement", "")
    if granted:
        assert too_wide_for(SQL, pattern, shape) is None


@pytest.mark.parametrize(
    ("pattern", "shape", "message"),
    [
        ("*", "", "does not say which statements"),
        ("orders/shop *", "", "does not say which statements"),
        ("orders/* DELETE public.orders", "", "does not say which statements"),
        ("*/shop DELETE public.orders", "", "does not say which statements"),
        ("orders/shop DELETE public.*", "", "does not say which statements"),
        ("orders/shop DELETE orders", "", "does not say which statements"),
        ("orders/shop DELETE", "", "does not say which statements"),
        ("DELETE public.orders", "", "does not say which statements"),
        ("orders/shop DROP public.orders", "", "no grants for such statements"),
        ("orders/shop SELECT,GRANT public.orders", "", "no grants for such statements"),
        ("orders/shop DELETE public.orders", "", ""),
        ("orders/shop DELETE public.orders", "orders/shop DELETE public.orders", ""),
        ("orders/shop DELETE public.orders WHERE", "orders/shop DELETE public.orders", ""),
        ("orders/shop DELETE public.orders", "orders/shop DELETE public.orders WHERE",
         "something else"),
        ("orders/shop UPDATE public.orders", "orders/shop DELETE public.orders", "something else"),
        ("orders/shop DELETE public.orders_old", "orders/shop DELETE public.orders",
         "something else"),
        ("orders/shop DELETE public.orders", "sql.statement", ""),
    ],
)  # fmt: skip
def test_what_is_too_wide_of_sql(pattern: str, shape: str, message: str) -> None:
    found = too_wide_for(SQL, pattern, shape)
    assert (found.message if found else "").find(message) >= 0
    assert bool(found) is bool(message)


def test_a_long_list_of_tables_is_granted_whole() -> None:
    tables = tuple(f"public.table_{number}" for number in range(40))
    action = sql("DELETE", tables=tables, has_where=True)
    shape, pattern = suggest(action)
    assert len(shape) < len(pattern)
    assert too_wide_for(SQL, pattern, shape) is None
    assert covers(grant(kind=SQL, pattern=pattern), action)
    assert not covers(grant(kind=SQL, pattern=pattern), sql("DELETE", tables=tables[:-1]))


def test_reading_a_pattern_takes_no_long_time() -> None:
    for text in ("a." * 990, "a.b," * 490, "a.b.c.d," * 240):
        assert too_wide_for(SQL, f"orders/shop DELETE {text}*") is not None
