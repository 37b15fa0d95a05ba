"""Conditions: compiled once, and what goes wrong is an error, never an answer."""

from typing import Any

import cel
import pytest

from proctor.model import ActionKind
from proctor.policy.cost import MAX_ITEMS
from proctor.policy.expression import EvaluationError, compile_condition
from proctor.policy.nodes import ExpressionError
from proctor.policy.values import clock_name


@pytest.mark.parametrize(
    ("source", "values", "result"),
    [
        ("llm.model.startsWith('claude')", {"llm": {"model": "claude-x"}}, True),
        ("'a' in principal.groups", {"principal": {"groups": ("a", "b")}}, True),
        ("http.json.n == 3", {"http": {"json": {"n": 4}}}, False),
        ("now.hour == 9", {clock_name("UTC"): {"hour": 9, "weekday": 1}}, True),
    ],
)
def test_evaluates(source: str, values: dict[str, Any], result: bool) -> None:  # noqa: FBT001 - a table
    assert compile_condition(source).evaluate(cel.Context(values)) is result


@pytest.mark.parametrize(
    ("source", "json", "why"),
    [
        ("http.json.n == 3", {}, "not there"),
        ("http.json.n", {"n": 3}, "int instead of true or false"),
        ("http.json.n > 3", {"n": "x"}, "another type"),
        ("http.json[5] == 1", [1], "past the end"),
        ("1 / http.json.n == 1", {"n": 0}, "divides by zero"),
        ("timestamp(http.json.n) < now", {"n": "secret"}, "it failed"),
    ],
)
def test_failure_says_why_without_values(source: str, json: object, why: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        compile_condition(source).evaluate(cel.Context({"http": {"json": json}}))
    assert why in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("llm.model.matches('[')", "always fails"),
        ("timestamp('today') < now", "always fails"),
        ("now - session.started > duration('1 hour')", "always fails"),
        ("int('x') == llm.max_tokens", "always fails"),
        ("llm.model.matches(http.path)", "computed"),
        ("llm.model.matches('" + "a" * 501 + "')", "too long"),
        (r"llm.model.matches(r'\w{1000}')", "steps"),
        (r"llm.tools.exists(t, t.matches(r'\w\w'))", "steps"),
        ("llm.tools.exists(a, llm.tools.exists(b, a == b))", "steps"),
        ("llm.tools.map(a, a).map(b, b) == []", "steps"),
    ],
)
def test_refused(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_condition(source)
    assert message in raised.value.message


def test_a_list_of_constants_is_no_great_cost() -> None:
    prefixes = [f"p{n}_" for n in range(8)]
    expression = compile_condition(f"llm.tools.all(t, {prefixes}.exists(p, t.startsWith(p)))")
    tools = tuple(f"p{n % 8}_x" for n in range(MAX_ITEMS))
    assert expression.evaluate(cel.Context({"llm": {"tools": tools}}))


@pytest.mark.parametrize(
    ("source", "kind", "result"),
    [
        ("false", ActionKind.LLM_REQUEST, False),
        ("1 == 2 || 'a' == 'b'", ActionKind.LLM_REQUEST, False),
        ("llm.stream && false", ActionKind.LLM_REQUEST, False),
        ("llm.stream || true", ActionKind.LLM_REQUEST, True),
        ("llm.stream", ActionKind.LLM_REQUEST, None),
        ("llm.stream", ActionKind.SQL_STATEMENT, False),
        ("!('DROP' in sql.verbs)", ActionKind.LLM_REQUEST, True),
        ("sql.verbs.exists(v, v == 'DROP')", ActionKind.LLM_REQUEST, False),
        ("action.kind == 'sql.statement'", ActionKind.LLM_REQUEST, False),
        ("action.kind == 'sql.statement' ? llm.stream : false", ActionKind.LLM_REQUEST, False),
        ("llm.stream ? false : false", ActionKind.LLM_REQUEST, False),
        ("llm.stream ? true : false", ActionKind.LLM_REQUEST, None),
        ("has(http.json.a)", ActionKind.LLM_REQUEST, False),
        ("has(http.json.a)", ActionKind.HTTP_REQUEST, None),
        ("http.json.a == 1", ActionKind.LLM_REQUEST, None),
        ("now.hour > 30 - 20", ActionKind.LLM_REQUEST, None),
    ],
)
def test_what_never_changes(source: str, kind: ActionKind, result: bool | None) -> None:  # noqa: FBT001 - a table
    assert compile_condition(source).constant(kind) is result


def test_what_a_field_is_compared_with() -> None:
    expression = compile_condition(
        "action.listener == 'a' || action.listener in ['b', 'c'] || 'd' != action.listener"
        " || 'e' == action.listener || llm.model == 'f'"
    )
    assert expression.compared_with("action", "listener") == {"a", "b", "c", "e"}


def test_a_zone_of_ones_own() -> None:
    expression = compile_condition("now.hour == 9 && now > timestamp('2026-01-01T00:00:00Z')",
                                   zone="Europe/Berlin")  # fmt: skip
    assert expression.zone == "Europe/Berlin"
    assert expression.fields == {"now", "now.hour"}
