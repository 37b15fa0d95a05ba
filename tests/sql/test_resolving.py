"""Tables, functions and why a statement is not known; and a real server's word on columns."""

from collections.abc import Iterator

import psycopg
import pytest

from proctor.sql.identifiers import written
from proctor.sql.names import NO_NAMES, Function, wanted
from proctor.sql.reading import read
from proctor.sql.resolving import Resolved, resolve
from tests.postgres.conftest import every_postgres  # noqa: F401  # a fixture
from tests.postgres.server import Server
from tests.support.sqlnames import ask, names, relation, resolved, statement


@pytest.mark.parametrize(
    ("text", "tables", "missing"),
    [
        ("SELECT 1 FROM users, public.orders, users", "public.users public.orders", ""),
        ("CREATE TABLE t ()", "public.t", ""),
        ("CREATE TABLE s.t ()", "s.t", ""),
        ("CREATE TEMP TABLE t ()", "pg_temp.t", ""),
        ("SELECT * FROM gone", "public.gone", "gone"),
        ("SELECT * FROM other.public.users", "public.users", "other.public.users"),
        ("SELECT * FROM shop.public.users", "public.users", ""),
        ("SELECT nope()", "", "nope()"),
    ],
)
def test_tables(text: str, tables: str, missing: str) -> None:
    found = resolved(text)
    assert found.tables == tuple(tables.split())
    assert found.missing == tuple(missing.split())


def test_what_cannot_be_seen_into_is_said() -> None:
    known = names(
        relation("v", "a", kind="v"),
        relation("m", "a", kind="m"),
        relation("f", "a", kind="f"),
        relation("pg_stats", "a", schema="pg_catalog", kind="v"),
    )
    found = resolved("SELECT 1 FROM users, v, m, f, pg_catalog.pg_stats", known)
    assert found.opaque == (
        "view public.v",
        "materialized view public.m",
        "foreign table public.f",
    )


@pytest.mark.parametrize(
    ("text", "functions", "unknown"),
    [
        ("SELECT lower(a) FROM users", "pg_catalog.lower", ""),
        ("SELECT pg_catalog.pg_sleep(1)", "pg_catalog.pg_sleep", "pg_catalog.pg_sleep"),
        ("SELECT count(*)", "pg_catalog.count public.count", "public.count"),
        ("SELECT pg_catalog.count(*)", "pg_catalog.count", ""),
        ("SELECT public.mine()", "public.mine", "public.mine"),
        # A field that is no column may be a function; a column is none.
        ("SELECT u.email FROM users u", "", ""),
        ("SELECT u.mine FROM users u", "public.mine", "public.mine"),
        ("SELECT (u).mine FROM users u", "public.mine", "public.mine"),
        ("SELECT (lower('/etc/passwd')).pg_sleep", "pg_catalog.pg_sleep pg_catalog.lower",
         "pg_catalog.pg_sleep"),
        ("SELECT u.name FROM orders u", "pg_catalog.name", ""),
        ("SELECT o.mine FROM (SELECT 1 AS mine) o", "", ""),
        ("SELECT 1 === 2, 1 = 2", "public.operator ===", "public.operator ==="),
        # A function of a user's only where the server has no such syntax.
        ("SELECT JSON_SCALAR(1)", "public.json_scalar", "public.json_scalar"),
    ],
)  # fmt: skip
def test_functions(text: str, functions: str, unknown: str) -> None:
    known = names(
        functions=[Function("public", name) for name in ("mine", "count", "json_scalar")],
        operators=[Function("public", "===")],
    )
    found = resolved(text, known)
    words = " ".join(found.functions)
    assert words == functions
    assert " ".join(found.unknown_functions) == unknown
    assert found.read_only is (unknown == "")


def test_more_functions_are_allowed_by_name() -> None:
    known = names(functions=[Function("public", "mine")])
    one = statement("SELECT mine()")
    assert resolve(one, known).unknown_functions == ("public.mine",)
    assert resolve(one, known, frozenset({"public.mine"})).unknown_functions == ()


def test_without_the_servers_word_functions_are_not_known() -> None:
    assert resolve(statement("SELECT lower('x')"), NO_NAMES).unknown_functions == ("lower",)
    assert resolve(statement("SELECT 1"), NO_NAMES).unknown_functions == ()


QUERIES = [
    "SELECT * FROM users",
    "SELECT u.*, lower(email) FROM users u WHERE id = 1",
    "SELECT a.email, b.email AS other FROM users a JOIN users b USING (id) ORDER BY a.name",
    "SELECT * FROM users NATURAL JOIN orders",
    "SELECT * FROM users JOIN orders USING (id) JOIN orders AS o USING (total)",
    "SELECT j.* FROM (users u LEFT JOIN orders o ON u.id = o.user_id) AS j(a, b, c)",
    "SELECT (u).email, (q).total FROM users u, (SELECT * FROM orders) q",
    "WITH x AS (SELECT email AS m, id FROM users) SELECT m, (SELECT max(total) FROM orders) FROM x",
    (
        "WITH RECURSIVE r(a, b) AS (SELECT id, ''::text FROM users UNION ALL"
        " SELECT a, email FROM r JOIN users u ON u.id = a) SELECT * FROM r"
    ),
    "SELECT z.e, o.* FROM orders o, LATERAL (SELECT email AS e FROM users WHERE id = o.user_id) z",
    "SELECT id FROM users WHERE EXISTS (SELECT * FROM orders WHERE user_id = users.id)",
    "SELECT id FROM users WHERE id IN (SELECT user_id FROM orders WHERE name = total::text)",
    "SELECT email AS id FROM users ORDER BY id",
    "SELECT name AS email, count(*) FROM users GROUP BY email, name",
    "SELECT DISTINCT ON (name) email FROM users ORDER BY name, id",
    "SELECT count(*) OVER w FROM users WINDOW w AS (PARTITION BY email)",
    "SELECT email FROM users UNION ALL SELECT total::text FROM orders",
    "SELECT x.value FROM users, LATERAL jsonb_each(to_jsonb(name)) x",
    "SELECT s.email FROM v s",
    "SELECT (SELECT o.total FROM orders o WHERE o.user_id = u.id LIMIT 1), u.ctid FROM users u",
    "SELECT t.* FROM (SELECT (u).* FROM users u) t",
    "SELECT g, u.email FROM generate_series(1, 2) g, users u",
    "SELECT * FROM (VALUES (1, 2)) v(a, b), users",
    "SELECT CASE WHEN email = '' THEN name ELSE email END FROM ONLY users",
    "TABLE parent",
]


@pytest.fixture
def shop(every_postgres: Server) -> Iterator[psycopg.Connection]:  # noqa: F811
    with psycopg.connect(every_postgres.dsn()) as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("SET search_path = shop")
        connection.execute("CREATE TABLE users (id int, email text, name text)")
        connection.execute("CREATE TABLE orders (id int, user_id int, total int)")
        connection.execute("CREATE VIEW v AS SELECT email FROM users")
        connection.execute("CREATE TABLE parent (a int)")
        connection.execute("CREATE TABLE child (b int) INHERITS (parent)")
        yield connection
        connection.rollback()


def columns_of(connection: psycopg.Connection) -> dict[tuple[int, int], str]:
    rows = connection.execute(
        "SELECT attrelid::int, attnum, relname::text, attname::text FROM pg_attribute"
        " JOIN pg_class c ON c.oid = attrelid"
        " WHERE relnamespace = 'shop'::regnamespace AND attnum > 0"
    )
    return {(oid, number): written("shop", table, name) for oid, number, table, name in rows}


@pytest.mark.parametrize("query", QUERIES)
def test_the_server_says_the_same(shop: psycopg.Connection, query: str) -> None:
    """RowDescription's columns are the outputs; the rule of a view on it depends on no others."""
    script = read(query)
    found: Resolved = resolve(script.statements[0], ask(shop, wanted(script)))
    columns = columns_of(shop)
    shop.pgconn.prepare(b"", query.encode())
    described = shop.pgconn.describe_prepared(b"")
    assert found.missing == found.unknown_functions == ()
    assert found.outputs_known
    assert len(found.outputs) == described.nfields
    for at, output in enumerate(found.outputs):
        column = columns.get((described.ftable(at), described.ftablecol(at)))
        if column is not None:
            assert column in output
    names = ", ".join(f"c{at}" for at in range(described.nfields))
    shop.execute(f"CREATE VIEW shop.probe ({names}) AS {query}".encode())
    depends = shop.execute(
        "SELECT DISTINCT refobjid::int, refobjsubid"
        " FROM pg_depend JOIN pg_rewrite r ON objid = r.oid"
        " WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass"
        " AND ev_class = 'shop.probe'::regclass AND refobjsubid > 0"
    ).fetchall()
    used = {columns[pair] for pair in depends if not columns[pair].startswith("shop.probe.")}
    assert used <= set(found.columns)
