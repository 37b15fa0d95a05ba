"""Columns of joins and aliases, and the names of outputs."""

import pytest

from proctor.sql.reading import read
from proctor.sql.scopes import (
    Output,
    Rows,
    alias_of,
    column_name,
    joined,
    name_of,
    relation_rows,
    table_name,
)
from tests.support.sqlnames import relation


def rows(*names: str, table: str = "t", known: bool = True) -> Rows:
    return Rows(tuple(Output(name, frozenset({f"{table}.{name}"})) for name in names), known)


def test_names_of_relations_and_columns() -> None:
    assert table_name(relation("users")) == "public.users"
    assert table_name(relation("t", schema="pg_temp_3")) == "pg_temp.t"
    assert column_name(relation("a.b", "c"), "c") == 'public."a.b".c'
    assert not relation_rows(relation("empty")).known


def test_alias_lists_name_the_first_columns() -> None:
    assert [one.name for one in rows("a", "b").named(["x"]).outputs] == ["x", "b"]
    longer = rows("a", known=False).named(["x", "y"])
    assert [(one.name, len(one.base)) for one in longer.outputs] == [("x", 1), ("y", 0)]
    assert alias_of({}) == ("", ())


@pytest.mark.parametrize(
    ("using", "names"),
    [((), "a b b c"), (("b",), "b a c"), (None, "b a c")],
)
def test_joins_show_shared_columns_once(using: tuple[str, ...] | None, names: str) -> None:
    both = joined(rows("a", "b", table="t"), rows("b", "c", table="u"), using)
    assert [one.name for one in both.outputs] == names.split()
    if using != ():
        assert both.outputs[0].base == {"t.b", "u.b"}
    assert not joined(rows("a", known=False), rows("b"), None).known


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("u.email", "email"), ("(u).email", "email"), ("lower(a)", "lower"), ("a::text", "a"),
        ("1::text", "text"), ("a COLLATE x", "a"), ("a + 1", "?column?"), ("1", "?column?"),
        ("NULLIF(a, b)", "nullif"), ("COALESCE(a)", "coalesce"), ("GREATEST(a)", "greatest"),
        ("LEAST(a)", "least"), ("CASE WHEN a THEN 1 END", "case"), ("ARRAY[1]", "array"),
        ("CASE WHEN a THEN 1 ELSE b END", "b"), ("ROW(1)", "row"), ("EXISTS (SELECT 1)", "exists"),
        ("ARRAY(SELECT 1)", "array"), ("(SELECT x AS y)", "y"), ("(SELECT f(x))", "f"),
        ("(SELECT * FROM t)", "?column?"), ("CURRENT_USER", "current_user"),
        ("1 IN (SELECT 1)", "?column?"), ("a[1]", "a"), ("json_scalar(1)", "json_scalar"),
    ],
)  # fmt: skip
def test_outputs_are_named_as_the_server_names_them(expression: str, name: str) -> None:
    tree = read(f"SELECT {expression}").statements[0].tree
    assert name_of(tree["SelectStmt"]["targetList"][0]["ResTarget"]["val"]) == name
