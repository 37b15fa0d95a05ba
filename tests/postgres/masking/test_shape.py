"""What kind of statement a text is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import InternalError, RefusedError
from proctor.postgres.masking.model import Kind
from proctor.postgres.masking.shape import has_parameters, names, read_shape, tokens


def test_a_query_is_resolved_as_it_was_written() -> None:
    text = "SELECT /* x */ 'a''b', U&'\\0061' FROM \"T\" -- end"
    found = read_shape(text)
    assert (found.body, found.kind, found.shows) == (text, Kind.ROWS, True)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("SELECT email INTO t FROM users", "SELECT email FROM users"),
        ("EXPLAIN (ANALYZE) DELETE FROM users", "DELETE FROM users"),
        ("CREATE TABLE t(a) AS TABLE users WITH NO DATA", "SELECT * FROM users"),
        ('COPY "U s" (a, "B""c") TO STDOUT', 'SELECT "a", "B""c" FROM "U s"'),
        ("COPY s.users TO STDOUT", 'SELECT * FROM "s"."users"'),
        ("COPY users FROM STDIN", 'SELECT FROM "users"'),
        ("COPY (SELECT 1) TO STDOUT", "SELECT 1"),
        ("DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1", "SELECT 1"),
    ],
)
def test_what_stands_inside_of_another(text: str, body: str) -> None:
    assert read_shape(text).body == body


def test_the_types_of_prepare() -> None:
    found = read_shape("PREPARE p(int, text[], numeric(5, 2)) AS SELECT $1")
    assert (found.types, found.body) == ("(int, text[], numeric(5, 2))", "SELECT $1")
    assert not read_shape("PREPARE p AS SELECT 1").types


@pytest.mark.parametrize("text", ["EXECUTE p", "FETCH 1 FROM c"])
def test_what_has_the_plan_of_something_else(text: str) -> None:
    with pytest.raises(InternalError) as caught:
        read_shape(text)
    assert caught.value.code == "sql-plan"


@pytest.mark.parametrize(
    "text", ["", "SELECT 1; SELECT 2", "SELEC", "PREPARE p AS CREATE TABLE t(a int)"]
)
def test_what_is_no_single_statement(text: str) -> None:
    with pytest.raises(RefusedError):
        read_shape(text)


def test_parameters_and_literals_where_they_stand() -> None:
    text = "SELECT 'é', $1, \"$2\", E'x', $$'$3'$$, 'b''c' -- $4 'd'"
    found = [(token.text, token.parameter) for token in tokens(text)]
    assert found == [("'é'", False), ("$1", True), ("'b''c'", False)]
    assert all(text[token.start : token.end] == token.text for token in tokens(text))
    assert has_parameters("SELECT $1")
    assert not has_parameters("SELECT $$a$$")


def test_all_names_are_found() -> None:
    assert {"f", "s", "c", "d"} <= names("SELECT s.f(c) FROM t WHERE d")


@given(st.text(max_size=40))
def test_whatever_comes(text: str) -> None:
    try:
        read_shape(text)
    except (RefusedError, InternalError):
        return
