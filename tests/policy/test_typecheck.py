"""Expressions are checked against the field table before they run."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.policy.celtypes import BOOL, DYN, INT, STRING, list_of
from proctor.policy.fields import TABLE
from proctor.policy.nodes import ExpressionError
from proctor.policy.syntax import parse
from proctor.policy.typecheck import check, check_condition


@pytest.mark.parametrize(
    ("source", "kind", "fields"),
    [
        ("llm.model", STRING, {"llm.model"}),
        ("size(llm.tools) + 1", INT, {"llm.tools"}),
        ("llm.tools.filter(t, t.contains('x'))", list_of(STRING), {"llm.tools"}),
        ("llm.tools.map(t, size(t))", list_of(INT), {"llm.tools"}),
        ("http.json.a.b[0]", DYN, {"http.json"}),
        ("has(http.json.a)", BOOL, {"http.json"}),
        ("has(http.headers.accept)", BOOL, {"http.headers"}),
        ("findings.all(f, f.score > 0.5 && f['type'] == 'X')", BOOL, {"findings"}),
        ("now.hour + now.weekday", INT, {"now.hour", "now.weekday"}),
        ("now - session.started > duration('1h')", BOOL, {"now", "session.started"}),
        ("now.getHours() == 3 || duration('1h').getMinutes() == 60", BOOL, {"now"}),
        ("principal.token_age > 60", BOOL, {"principal.token_age"}),
        ("http.query.exists(k, http.query[k] == 'x')", BOOL, {"http.query"}),
        ("type(http.json.a) == int", BOOL, {"http.json"}),
        ("string(http.port) + '/' + http.path", STRING, {"http.port", "http.path"}),
        ("llm.stream ? llm.model : 'x'", STRING, {"llm.stream", "llm.model"}),
        ("'a' in {'a': 1}", BOOL, set()),
        ("tool.input.a == null", BOOL, {"tool.input"}),
        ("-llm.max_tokens % 2 == -1", BOOL, {"llm.max_tokens"}),
    ],
)
def test_types(source: str, kind: object, fields: set[str]) -> None:
    checked = check(parse(source))
    assert checked.type == kind
    assert checked.fields == fields


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("llm.modle == 'x'", "no field 'modle'"),
        ("lllm.model == 'x'", "no field 'lllm'"),
        ("model == 'x'", "no field 'model'"),
        ("llm == http", "no value by itself"),
        ("llm['model'] == 'x'", "no value by itself"),
        ("llm.exists(x, true)", "no value by itself"),
        ("has(llm.model)", "always true"),
        ("llm.model.name == 'x'", "A string has no field 'name'"),
        ("llm.model == 3", "never equal"),
        ("llm.model == null", "never equal"),
        ("llm.stream == 'true'", "never equal"),
        ("llm.tools == 'x'", "never equal"),
        ("llm.tools == [1]", "never equal"),
        ("llm.max_tokens > '3'", "no order"),
        ("llm.tools > 3", "no order"),
        ("llm.model in 'abc'", "'in' looks into a string"),
        ("3 in llm.tools", "never in a list(string)"),
        ("llm.model in ['a', 3]", "never equals"),
        ("llm.model + 3 == 'x'", "does not go between"),
        ("llm.max_tokens * 1.5 > 3.0", "does not go between"),
        ("!llm.model", "cannot take a string"),
        ("llm.model && true", "cannot take a string"),
        ("llm.model ? true : false", "cannot take a string"),
        ("llm.stream ? 1 : 'x'", "One way"),
        ("lower(llm.model) == 'x'", "no function 'lower'"),
        ("startsWith(llm.model, 'x')", "no function 'startsWith'"),
        ("llm.model.startWith('x')", "no method 'startWith'"),
        ("llm.model.startsWith()", "0 arguments"),
        ("llm.model.startsWith(3)", "cannot take a int"),
        ("llm.tools.contains('x')", "cannot take a list"),
        ("size(llm.max_tokens) > 1", "cannot take a int"),
        ("llm.tools.getHours() == 1", "cannot take a list"),
        ("llm.tools['a'] == 'x'", "not indexed by a string"),
        ("llm.tools[1.0] == 'x'", "not indexed by a double"),
        ("llm.model[0] == 'x'", "has no elements"),
        ("llm.model.exists(c, c == 'x')", "needs a list or a map"),
        ("llm.tools.exists(t, t)", "cannot take a string"),
        ("llm.tools.exists(llm, true)", "has a meaning already"),
        ("llm.tools.exists(t, llm.tools.exists(t, true))", "has a meaning already"),
        ("llm.tools.exists(t, true) && t == 'x'", "no field 't'"),
        ("findings.exists(f, f.value == 'x')", "no field 'value'"),
        ("findings[0]['vaule'] == 'x'", "no field 'vaule'"),
        ("{[1]: 2} == {}", "cannot take a list"),
        ("now.minute == 3", "no field 'minute'"),
        ("now == '2026-01-01'", "never equal"),
        # A constant that the field can never be:
        ("'websearch' in llm.features", "can never be here"),
        ("llm.features.exists(f, f == 'websearch')", "can never be here"),
        ("llm.features[0] in ['web_search', 'websearch']", "can never be here"),
        ("http.method == 'get'", "can never be here"),
        ("'post' == http.method", "can never be here"),
        ("http.headers['X-Foo'] == 'a'", "can never be here"),
        ("'X-Foo' in http.headers", "can never be here"),
        ("http.headers.Accept == 'a'", "can never be here"),
        ("http.credential == 'clinet'", "can never be here"),
        ("action.kind == 'llm.requests'", "can never be here"),
        ("'drop' in sql.verbs", "can never be here"),
        ("'DROP TABLE' in sql.verbs", "can never be here"),
        ("'START' in sql.verbs", "can never be here"),
        ("'orders' in sql.tables", "can never be here"),
        ("sql.tables.all(t, t in ['public.orders', 'lines'])", "can never be here"),
        ("sql.tables[0] == 'public.users.email'", "can never be here"),
        ("'users.email' in sql.columns", "can never be here"),
        ("'lower' in sql.functions", "can never be here"),
        ("novelty.tables.exists(t, t == 'orders')", "can never be here"),
        ("now.weekday == 0", "can never be here"),
        ("now.hour == 24", "can never be here"),
        ("http.port == 70000", "can never be here"),
    ],
)
def test_refused(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        check(parse(source))
    assert message in raised.value.message


@pytest.mark.parametrize(
    "source",
    [
        "sql.verbs == ['SELECT']",
        "'public.orders' in sql.tables",
        "'public.Order Lines' in sql.tables",
        """'public."a.b"' in sql.tables""",
        """'"x""y".z' in sql.tables""",
        "'public.users.email' in sql.columns",
        "'pg_catalog.lower' in sql.functions",
        "'public.operator ===' in sql.functions",
        "sql.tables.exists(t, t.startsWith('audit.'))",
        "'public.orders' in novelty.tables",
    ],
)
def test_names_of_a_database(source: str) -> None:
    assert check(parse(source)).type.name == "bool"


def test_says_how_names_of_a_database_are_written() -> None:
    for source, expected, hint in (
        ("'drop' in sql.verbs", "in capitals", "Did you mean 'DROP'?"),
        ("'orders' in sql.tables", "schema and table, such as public.orders", ""),
        ("'email' in sql.columns", "such as public.users.email", ""),
    ):
        with pytest.raises(ExpressionError) as raised:
            check(parse(source))
        assert expected in raised.value.expected
        assert raised.value.hint == hint


def test_suggests_the_nearest_name() -> None:
    with pytest.raises(ExpressionError) as raised:
        check(parse("llm.max_token > 3"))
    assert raised.value.hint == "Did you mean 'max_tokens'?"
    with pytest.raises(ExpressionError) as raised:
        check(parse("startsWith(llm.model, 'x')"))
    assert raised.value.hint == "It is a method: x.startsWith(…)."


@pytest.mark.parametrize("source", ["llm.model", "1 + 2", "llm.tools", "null", "now"])
def test_condition_is_boolean(source: str) -> None:
    with pytest.raises(ExpressionError, match="The expression is a"):
        check_condition(parse(source))


def test_clock_places() -> None:
    source = "now.hour > 3 && now.weekday < 6"
    places = check(parse(source)).clock
    assert [source[start:end] for start, end, _ in places] == ["now.hour", "now.weekday"]


PIECES = st.sampled_from(
    [
        *(f"{name}.{field}" for name, row in TABLE.items() for field in row.fields or ()),
        *TABLE,
        *(" == ", " in ", " && ", " || ", " + ", " > ", "!", "-", "(", ")", "[", "]", ", ", ".x"),
        *("'a'", "1", "2.5", "true", "null", "size(", ".size()", ".exists(x, x", ".startsWith("),
        *(".map(x, x)", "has(", "x", " ? ", " : ", "{", "}"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=10).map("".join))
def test_never_raises_anything_else(source: str) -> None:
    with contextlib.suppress(ExpressionError):
        check(parse(source))
