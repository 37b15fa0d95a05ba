"""What expressions see: every field of the table, always there, bounded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import ActionKind, Case, Finding, HttpFields, McpFields, Session
from proctor.policy.cost import MAX_ITEMS
from proctor.policy.expression import EvaluationError, compile_condition
from proctor.policy.fields import TABLE
from proctor.policy.values import (
    MAX_DEPTH,
    MAX_TEXT,
    Plan,
    View,
    _small,
    clock_name,
    getter,
    time_zone,
)
from tests.support.cases import NOON, case

FIELDS = [
    name if row.name != "room" else f"{name}.{field}"
    for name, row in TABLE.items()
    for field in (row.fields if row.name == "room" and row.fields else ("",))
]
PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "double": (float,),
    "bool": (bool,),
    "list": (list, tuple),
    "map": (dict,),
    "timestamp": (datetime,),
    "dyn": (dict,),
}


@pytest.mark.parametrize("kind", ActionKind)
def test_every_field_is_there_and_of_its_type(kind: ActionKind) -> None:
    bare = case(kind)
    bare = replace(bare, action=replace(bare.action, http=None, llm=None, tool=None))
    view = View(bare, Plan(FIELDS, []))
    for field in FIELDS:
        room, _, name = field.partition(".")
        declared = (TABLE[room].fields or {})[name] if name else TABLE[room]
        assert isinstance(getter(field)(bare), PYTHON[declared.name])
        assert cel.compile(f"{field} == {field}").execute(view.context) is True
    assert not view.missing


def test_session_and_findings() -> None:
    session = Session(id="s", client="c/1", started=NOON - timedelta(hours=1), turns=3)
    full = replace(
        case(session=session),
        findings=(Finding(type="IBAN", location="body", direction="request", score=0.9),),
    )
    source = (
        "session.id == 's' && session.turns == 3 && now - session.started == duration('1h')"
        " && findings.exists(f, f.type == 'IBAN' && f.score > 0.5)"
    )
    expression = compile_condition(source)
    assert expression.evaluate(View(full, Plan(expression.fields, [])).context)


def found(count: int) -> Case:
    return replace(
        case(),
        findings=tuple(
            Finding(type="IBAN_CODE", location=f"a[{n}]", direction="request", score=0.5)
            for n in range(count)
        ),
    )


def test_a_call_of_an_mcp_server() -> None:
    mcp = McpFields(server="jira", method="tools/call", tool="a.b", arguments={"n": [1]}, uri="u")
    asked = case(ActionKind.MCP_CALL, mcp=mcp)
    found = {name: getter(f"mcp.{name}")(asked) for name in TABLE["mcp"].fields or ()}
    assert found == {
        "server": "jira",
        "method": "tools/call",
        "tool": "a.b",
        "arguments": {"n": [1]},
        "uri": "u",
    }
    assert getter("tool.name")(asked) == "mcp__jira__a_b"
    assert getter("tool.input")(asked) == {"n": [1]}
    assert getter("tool.name")(case(ActionKind.MCP_CALL, mcp=replace(mcp, method="ping"))) == ""


def test_what_a_description_of_an_api_says() -> None:
    http = HttpFields(operation="getUser", violations=("query: limit is no number",))
    asked = case(ActionKind.HTTP_REQUEST, http=http)
    assert getter("http.operation")(asked) == "getUser"
    assert getter("http.violations")(asked) == ("query: limit is no number",)


@pytest.mark.parametrize(
    "arguments", [{"a": "x" * (MAX_TEXT + 1)}, {"a": [0] * (MAX_ITEMS + 1)}, {"a": "\ud800"}]
)
def test_arguments_that_no_rule_can_look_at(arguments: dict[str, Any]) -> None:
    asked = case(ActionKind.MCP_CALL, mcp=McpFields(arguments=arguments))
    view = View(asked, Plan(["mcp.arguments", "mcp.server"], []))
    assert cel.compile("mcp.server == ''").execute(view.context) is True
    assert set(view.missing) == {"mcp.arguments"}


def test_a_place_with_many_findings_is_one() -> None:
    one = Finding(type="IBAN_CODE", location="a", direction="request", score=0.5)
    many = replace(case(), findings=(one, replace(one, score=0.9, digest="d"), one))
    assert getter("findings")(many) == [
        {"type": "IBAN_CODE", "location": "a", "direction": "request", "score": 0.9}
    ]


@pytest.mark.parametrize(("count", "missing"), [(MAX_ITEMS, False), (MAX_ITEMS + 1, True)])
def test_findings_are_capped(count: int, missing: bool) -> None:  # noqa: FBT001 - a case
    view = View(found(count), Plan(["findings"], []))
    assert view.context is not None
    assert ("findings" in view.missing) is missing


def test_now_is_utc_and_the_clock_is_local() -> None:
    expression = compile_condition(
        "now.getHours() == 23 && now.hour == 1 && now.weekday == 1", zone="Europe/Berlin"
    )
    sunday = datetime(2026, 6, 7, 23, 0, tzinfo=UTC)
    for now in (sunday, sunday.astimezone(timezone(timedelta(hours=-7)))):
        plan = Plan(expression.fields, [expression.zone])
        assert expression.evaluate(View(case(now=now), plan).context)


def test_only_what_is_read_is_converted() -> None:
    view = View(case(), Plan(["llm.model"], []))
    assert view.context.variables == {"llm": {"model": "claude-opus"}}
    view = View(case(), Plan(["now.hour"], ["UTC"]))
    assert view.context.variables == {clock_name("UTC"): {"hour": 12, "weekday": 3}}


def test_hidden_fields_are_left_out() -> None:
    hidden = {"llm.model": "is secret", "findings": "is secret"}
    view = View(case(), Plan(["llm.model", "llm.stream", "findings"], []), hidden)
    assert view.context.variables == {"llm": {"stream": False}}
    with pytest.raises(EvaluationError):
        compile_condition("findings.size() == 0").evaluate(view.context)


@pytest.mark.parametrize(
    ("http", "missing"),
    [
        (HttpFields(json={"a": 1}), {}),
        (HttpFields(json=None), {}),
        (HttpFields(json=None, content_type="application/json"), {"http.json"}),
        (HttpFields(json=None, content_type="application/x+json"), {"http.json"}),
        (HttpFields(json={"a": ["\ud800"]}), {"http.json"}),
        (HttpFields(json={"\ud800": 1}), {"http.json"}),
        (HttpFields(json="x" * (MAX_TEXT + 1)), {"http.json"}),
        (HttpFields(headers={"a": "x" * (MAX_TEXT + 1)}), {"http.headers"}),
    ],
)
def test_what_cannot_be_shown_is_missing(http: HttpFields, missing: set[str]) -> None:
    exchange = case(ActionKind.HTTP_REQUEST, http=http, size=5)
    view = View(exchange, Plan(["http.json", "http.headers", "http.path"], []))
    assert view.context.variables["http"]["path"] == ""
    assert view.missing.keys() == set(missing)


def test_lists_are_capped() -> None:
    groups = tuple(map(str, range(MAX_ITEMS)))
    plan = Plan(["principal.groups"], [])
    view = View(case(groups=groups), plan)
    assert len(view.context.variables["principal"]["groups"]) == MAX_ITEMS
    view = View(case(groups=(*groups, "x")), plan)
    assert view.context.variables == {"principal": {}}
    assert view.missing == {"principal.groups": "is larger than a rule can look at"}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "small"),
    [
        (None, True),
        ("x" * MAX_TEXT, True),
        ("x" * (MAX_TEXT + 1), False),
        (list(range(MAX_ITEMS)), True),
        (list(range(MAX_ITEMS + 1)), False),
        ([list(range(600)), list(range(600))], False),
        ({"k" * MAX_TEXT: 1}, True),
        ({"k" * MAX_TEXT: "x"}, False),
        (deep(MAX_DEPTH - 1), True),
        (deep(MAX_DEPTH + 1), False),
    ],
)
def test_small(value: object, small: bool) -> None:  # noqa: FBT001 - a table
    assert _small(value) is small


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
def test_any_json_is_shown_or_missing(value: object) -> None:
    http = HttpFields(json=value, content_type="application/json")
    view = View(case(ActionKind.HTTP_REQUEST, http=http), Plan(["http.json"], []))
    assert ("json" in view.context.variables["http"]) is not ("http.json" in view.missing)


@pytest.mark.parametrize("name", ["", "Nowhere", "../UTC", "/etc/passwd", "a\0b", "x" * 300])
def test_no_such_zone(name: str) -> None:
    assert time_zone(name) is None


def test_utc_needs_no_database() -> None:
    assert time_zone("UTC") is UTC
