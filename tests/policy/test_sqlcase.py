"""SQL as somebody writes it."""

from datetime import UTC, datetime

import pytest

from proctor.model import ActionKind, SqlFields
from proctor.policy.fields import TABLE, fills
from proctor.policy.sqlcase import HIDDEN, cases_of_sql
from proctor.sql.statement import SqlError

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def fields(text: str) -> list[SqlFields]:
    found = cases_of_sql(text, listener="orders", database="shop", groups=("dev",), now=NOW)
    assert {case.action.listener for case in found} <= {"orders"}
    assert {case.principal.groups for case in found} <= {("dev",)}
    assert {case.action.kind for case in found} <= {ActionKind.SQL_STATEMENT}
    return [case.action.sql for case in found if case.action.sql]


def test_names_are_as_written() -> None:
    first, second = fields(
        'SELECT lower(a), f(b), app.g(c) FROM orders, hr."Big.Pay"; DELETE FROM orders WHERE a = 1'
    )
    assert first.database == "shop"
    assert first.verbs == ("SELECT",)
    assert first.tables == ("public.orders", 'hr."Big.Pay"')
    assert first.functions == ("pg_catalog.lower", "public.f", "app.g")
    assert (first.has_where, first.read_only) == (False, False)
    assert (second.verbs, second.has_where, second.read_only) == (("DELETE",), True, False)


@pytest.mark.parametrize(
    ("text", "read_only"),
    [
        ("SELECT lower(a) FROM t", True),
        ("SELECT pg_read_file('x')", False),
        ("SELECT f()", False),
        ("BEGIN", True),
        ("DROP TABLE t", False),
    ],
)
def test_what_changes_nothing(text: str, *, read_only: bool) -> None:
    (found,) = fields(text)
    assert found.read_only is read_only


def test_what_is_no_sql() -> None:
    assert fields("") == []
    with pytest.raises(SqlError):
        fields("SELEC 1")


def test_what_is_not_known_are_fields_of_statements() -> None:
    for name in HIDDEN:
        room, _, field = name.partition(".")
        assert fills(ActionKind.SQL_STATEMENT, name)
        assert not field or field in (TABLE[room].fields or {})
    assert {f"novelty.{name}" for name in TABLE["novelty"].fields or () if name != "host"} <= set(
        HIDDEN
    )
