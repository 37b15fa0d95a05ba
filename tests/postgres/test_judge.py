"""What one text does, another that is like it does, too, as long as names mean the same."""

import re
from collections.abc import Iterator

import pytest

from tests.postgres.gateway import Through, through
from tests.postgres.server import Server
from tests.postgres.wire import Wire, errors, rows

pytestmark = pytest.mark.e2e

RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - {id: secret, on: sql.statement, when: '"public.secret" in sql.tables', then: deny, reason: No.}
"""
TABLES = """
CREATE TABLE t (a int, b text);
INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 9) n;
CREATE TABLE secret AS SELECT * FROM t;
CREATE SCHEMA other;
CREATE TABLE other.t AS SELECT a, 'other' AS b FROM t;
CREATE TABLE other.u AS SELECT a, 'u' AS b FROM t;
GRANT ALL ON SCHEMA public, other TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA public, other TO PUBLIC
"""


@pytest.fixture(scope="module")
def gateway(postgres15: Server) -> Iterator[Through]:
    with through(postgres15, rules=RULES) as running:
        yield running


@pytest.fixture
def wire(gateway: Through, postgres15: Server) -> Iterator[Wire]:
    opened = Wire.open(gateway, database=postgres15.fresh(TABLES))
    yield opened
    opened.close()


def asked(wire: Wire, number: int, table: str = "t") -> list[list[bytes | None]]:
    found = wire.query(f"SELECT b FROM {table} WHERE a = {number}")  # noqa: S608
    return [[b"denied", each.code.encode()] for each in errors(found)] or rows(found)


def test_each_is_judged_and_recorded_for_itself(gateway: Through, wire: Wire) -> None:
    for number in (3, 4, 5):
        assert asked(wire, number) == [[f"row {number}".encode()]]
        assert asked(wire, number, "secret") == [[b"denied", b"42501"]]
    found = gateway.recorded(
        "sql, verdict, rows",
        "list_contains(tables, 'public.t') AND sql LIKE 'SELECT b FROM t WHERE a = _'",
    )
    assert [each["sql"][-1] for each in found] == ["3", "4", "5"]
    assert [(each["verdict"], each["rows"]) for each in found] == [("allow", 1)] * 3


def test_names_that_mean_something_else_are_looked_up_again(wire: Wire) -> None:
    assert asked(wire, 1) == [[b"row 1"]]
    wire.query("SET search_path = other, public")
    assert asked(wire, 2) == [[b"other"]]
    assert asked(wire, 3, "secret") == [[b"denied", b"42501"]]
    wire.query("CREATE TEMP TABLE t (a int, b text)")
    assert asked(wire, 4) == []
    wire.query("DROP TABLE pg_temp.t")
    wire.query("CREATE TEMP VIEW u AS SELECT * FROM other.t")
    assert asked(wire, 5, "u") == [[b"other"]]
    wire.query("DROP VIEW pg_temp.u")
    assert asked(wire, 6, "u") == [[b"u"]]


def test_a_table_that_becomes_a_view_of_another_is_noticed(wire: Wire) -> None:
    wire.query("CREATE VIEW v AS SELECT * FROM t")
    assert asked(wire, 1, "v") == [[b"row 1"]]
    assert asked(wire, 2, "v") == [[b"row 2"]]
    wire.query("BEGIN")
    assert asked(wire, 3, "v") == [[b"row 3"]]
    # Rules deny what reads the table, but not a function body that nobody looks into.
    assert not errors(
        wire.query("DO $$BEGIN CREATE OR REPLACE VIEW v AS SELECT * FROM secret; END$$")
    )
    assert asked(wire, 4, "v") == [[b"denied", b"42501"]]
    wire.query("ROLLBACK")
    assert asked(wire, 5, "v") == [[b"row 5"]]


TRIGGERS = """
CREATE TABLE noted (a int);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER stamps BEFORE INSERT ON noted FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE FUNCTION "A b"() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION "a.""B"() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION "Übung1"() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION same(text, text) RETURNS bool LANGUAGE sql AS 'SELECT $1 IS NOT DISTINCT FROM $2';
CREATE OPERATOR === (FUNCTION = same, LEFTARG = text, RIGHTARG = text);
GRANT ALL ON noted TO PUBLIC
"""


CALLS = (
    "INSERT INTO noted VALUES (1)",
    'SELECT "A b"()',
    'SELECT "a.""B"()',
    'SELECT "Übung1"()',
    "SELECT 'a'::text === 'b'::text",
)


def test_what_is_unknown_is_named_with_what_lets_it_pass(postgres15: Server) -> None:
    database = postgres15.fresh(TRIGGERS)
    listener = "unknown_functions: deny"
    with (
        through(postgres15, listener=listener) as gateway,
        Wire.open(gateway, database=database) as wire,
    ):
        told = [errors(wire.query(sql))[0] for sql in CALLS]
    said = [f"{each.message} {each.detail} {each.hint}" for each in told]
    assert "trigger stamps on public.noted calls public.stamp" in said[0]
    assert "With `functions: [public.stamp]` in the listener's settings it may." in said[0]
    named = [found[1] for each in said if (found := re.search(r"`functions: \[(.*?)\]`", each))]
    assert len(named) == len(CALLS)
    with (
        through(postgres15, listener=f"{listener}\nfunctions: [{', '.join(named)}]") as gateway,
        Wire.open(gateway, database=database) as wire,
    ):
        for sql in CALLS:
            assert not errors(wire.query(sql))
