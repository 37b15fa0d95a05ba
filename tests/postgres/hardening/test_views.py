"""Masks as SQL, and whether they are those of the wire."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.postgres.hardening.model import Column, Table
from proctor.postgres.hardening.views import KEY, literal, mask, names, view
from proctor.postgres.masking.model import Method, Sensitive
from proctor.postgres.masking.values import partial
from tests.postgres.server import Server

EMAIL = Column(name="email", type=("pg_catalog", "text"), readable=True)
NAME = Column(name="name", type=("pg_catalog", "text"), readable=True)


def sensitive(method: Method, value: str = "") -> Sensitive:
    return Sensitive(schema="public", table="users", column="email", method=method, value=value)


def table(method: Method, *, row_security: bool = False, name: str = "users") -> Table:
    return Table(
        oid=1,
        schema="public",
        name=name,
        kind="r",
        owner="owner",
        row_security=row_security,
        rights=(),
        columns=(NAME, EMAIL),
        writes=(),
        sensitive={"email": sensitive(method)},
    )


def test_partial_is_that_of_the_wire(postgres15: Server) -> None:
    texts = [
        "ann@example.com",
        "a@b.cd",
        "ann@example.c",
        "ann example@x.com",
        "a@b@c.com",
        "@b.com",
        "123-45-6789",
        "1234567",
        "12345678",
        "",
        "ann@example.com\n",
        "ann@\nexample.com",
        "Ünï@exämple.de",
        "日本語の名前です",
        "it's a \\ test",
    ]
    sql = mask(EMAIL, sensitive(Method.PARTIAL), "masked").sql
    for text in texts:
        asked = f"SELECT {sql} FROM (SELECT {literal(text)}::text AS email) t"  # noqa: S608 - ours
        assert postgres15.execute(asked) == [(partial(text),)], text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
@settings(max_examples=50)
def test_a_literal_is_the_text(text: str) -> None:
    """As gram.y reads it: with a backslash it is an E'', where both are doubled."""
    written = literal(text)
    if written.startswith("E"):
        inner = written[2:-1].replace("\\\\", "\\")
    else:
        assert "\\" not in text
        inner = written[1:-1]
    assert inner.replace("''", "'") == text


@pytest.mark.parametrize(
    ("kind", "method", "found", "lost"),
    [
        ("int4", Method.NULL, 'NULL::"pg_catalog"."int4"', ""),
        ("int4", Method.FIXED, '\'7\'::"pg_catalog"."int4"', ""),
        ("int4", Method.PARTIAL, 'NULL::"pg_catalog"."int4"', "partial"),
        ("int4", Method.HASH, 'NULL::"pg_catalog"."int4"', "hash"),
        ("text", Method.SURROGATE, 'NULL::"pg_catalog"."text"', "surrogate"),
        ("char", Method.PARTIAL, 'NULL::"pg_catalog"."char"', "partial"),
    ],
)
def test_what_a_type_cannot_hold_is_null(kind: str, method: Method, found: str, lost: str) -> None:
    made = mask(replace(EMAIL, type=("pg_catalog", kind)), sensitive(method, "7"), "masked")
    assert (made.sql, made.lost, made.reads) == (found, lost, False)


@pytest.mark.parametrize("kind", ["text", "varchar", "bpchar", "uuid", "bytea"])
def test_hashes_are_valid_and_stay_equal(postgres15: Server, kind: str) -> None:
    database = postgres15.fresh(
        f"CREATE SCHEMA masked; CREATE TABLE masked.{KEY} AS SELECT '\\x00'::bytea AS key"
    )
    sql = mask(replace(EMAIL, type=("pg_catalog", kind)), sensitive(Method.HASH), "masked").sql
    value = "00000000-0000-4000-8000-000000000001"
    values = [f"'{value}'", f"'{value}'", f"'{value[:-1]}2'", "NULL"]
    masked = [
        f"(SELECT {sql} FROM (SELECT {each}::{kind} AS email) t)::text"  # noqa: S608 - ours
        for each in values
    ]
    ((one, two, other, nothing),) = postgres15.execute(
        f"SELECT {', '.join(masked)}", database=database
    )
    assert one == two != other
    assert value not in one
    assert nothing is None


def test_whose_rights_a_view_has() -> None:
    by_owner = view(table(Method.PARTIAL), "masked", 15)
    by_reader = view(table(Method.NULL), "masked", 15)
    old = view(table(Method.NULL), "masked", 14)
    assert by_owner is not None
    assert by_reader is not None
    assert old is not None
    assert (by_owner.invoker, by_reader.invoker, old.invoker) == (False, True, False)
    assert "security_invoker" not in by_owner.options
    assert all("security_barrier = true" in each.options for each in (by_owner, by_reader, old))


def test_row_security() -> None:
    """A mask that reads would need the owner's rights, whom policies do not concern."""
    made = view(table(Method.PARTIAL, row_security=True), "masked", 15)
    assert made is not None
    assert (made.invoker, made.lost) == (True, (("email", "partial"),))
    assert '"email"' not in made.sql.replace('AS "email"', "")
    assert view(table(Method.NULL, row_security=True), "masked", 14) is None
    closed = replace(table(Method.NULL, row_security=True), columns=(EMAIL,))
    assert view(closed, "masked", 15) is None


def test_columns_that_nobody_may_read_are_left_out() -> None:
    closed = replace(table(Method.NULL), columns=(replace(NAME, readable=False), EMAIL))
    made = view(closed, "masked", 15)
    assert made is not None
    assert made.columns == ("email",)


def test_names_of_views() -> None:
    first, second = table(Method.NULL), replace(table(Method.NULL), oid=2, schema="crm")
    third = table(Method.NULL, name=KEY)
    found = names([first, second, replace(third, oid=3)], ["crm", "public"])
    assert found == {2: "users", 1: "public_users", 3: f"public_{KEY}"}
