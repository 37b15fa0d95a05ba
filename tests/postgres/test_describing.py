"""DROP, TRUNCATE and ALTER in words; nothing of them is run."""

from collections.abc import Iterator

import psycopg
import pytest

from proctor.postgres.describing import MAX_LISTED, joined, started
from proctor.sql.reading import read
from tests.postgres.server import ORDERS_APP, Server
from tests.postgres.trials import database, everything, found, judged

VIEWS = ["view public.v_again", "view public.v_orders"]
KEY = "constraint items_order_id_fkey on table public.items"


@pytest.fixture(params=["15", "18"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """After each test everything is as it was before."""
    made: Server = request.getfixturevalue(f"postgres{request.param}")
    before = everything(made)
    yield made
    assert everything(made) == before


@pytest.mark.parametrize(
    ("sql", "first", "note", "dependents"),
    [
        (
            "DROP TABLE orders",
            "It would drop public.orders (4,031 rows, ",
            "Objects that depend on it: 3. Without CASCADE the server will refuse it.",
            [KEY, *VIEWS],
        ),
        (
            "DROP TABLE IF EXISTS nowhere, orders, items CASCADE",
            "It would drop public.orders (4,031 rows, ",
            "It says CASCADE, so what depends on it goes with it: 2.",
            VIEWS,
        ),
        (
            "DROP TABLE noted",
            "It would drop public.noted (0 rows, ",
            "Objects that depend on it: 1. Without CASCADE the server will refuse it.",
            ["rule also on table public.ruled"],
        ),
        ("DROP TABLE quiet", "It would drop public.quiet (", "Nothing else depends on it.", []),
        (
            "TRUNCATE orders",
            "It would empty public.orders (4,031 rows, ",
            "Foreign keys of 1 table refer to it. Without CASCADE the server will refuse it.",
            ["table public.items (100 rows)"],
        ),
        (
            "TRUNCATE orders CASCADE",
            "It would empty public.orders (4,031 rows, ",
            "It says CASCADE, so what refers to it by foreign keys is emptied, too: 1 table.",
            ["table public.items (100 rows)"],
        ),
        (
            "ALTER TABLE orders DROP COLUMN who CASCADE, ADD COLUMN x int, ALTER at SET NOT NULL",
            "It would alter public.orders (4,031 rows, ",
            "Objects that depend on the columns it drops or changes: 2.",
            VIEWS,
        ),
        (
            "DROP VIEW v_orders",
            "It would drop view v_orders.",
            "Objects that depend on it: 1. Without CASCADE the server will refuse it.",
            ["view public.v_again"],
        ),
        (
            "DROP FUNCTION public.sure(int) CASCADE",
            "It would drop function public.sure.",
            "It says CASCADE, so what depends on it goes with it: 2.",
            ["constraint checked_a_check on table public.checked", "constraint fine_check"],
        ),
        (
            "DROP TYPE mood",
            "It would drop type mood.",
            "Objects that depend on it: 2. Without CASCADE the server will refuse it.",
            ["cast from public.mood to integer", "function public.stepping(public.mood)"],
        ),
    ],
)
def test_what_goes(server: Server, sql: str, first: str, note: str, dependents: list[str]) -> None:
    parts = found(server, judged(sql, database(server)))
    assert parts["rows"].startswith(first)
    assert note in parts["rows"].splitlines()
    shown = parts.get("dependents", "").splitlines()
    assert shown == dependents


def test_what_alter_changes(server: Server) -> None:
    sql = "ALTER TABLE parts DROP COLUMN a, ADD COLUMN x int, ALTER id SET STATISTICS 5"
    first, *notes = found(server, judged(sql, database(server)))["rows"].splitlines()
    assert first.endswith("): drop the column a, add the column x, set statistics id.")
    assert notes[0].startswith("public.parts: 20 rows (counted); ")
    renamed = found(server, judged("ALTER TABLE parts RENAME TO other", database(server)))
    assert renamed["rows"].splitlines()[0].endswith("): parts becomes other.")


def test_a_schema(server: Server) -> None:
    parts = found(server, judged("DROP SCHEMA public CASCADE", database(server)))
    assert "table public.orders" in parts["dependents"].splitlines()
    assert parts["rows"].startswith("It would drop schema public.")


def test_of_many_objects_the_first_ones_are_named(postgres15: Server) -> None:
    where = postgres15.fresh(
        "CREATE TABLE t(a int); DO $$BEGIN FOR n IN 1..110 LOOP"
        " EXECUTE format('CREATE VIEW v%s AS SELECT a FROM t', n); END LOOP; END$$"
    )
    parts = found(postgres15, judged("DROP TABLE t CASCADE", where))
    assert len(parts["dependents"].splitlines()) == MAX_LISTED
    assert f"goes with it: more than {MAX_LISTED}." in parts["rows"]


def test_without_the_right_to_read(server: Server) -> None:
    parts = found(server, judged("DROP TABLE secret", database(server)), user=ORDERS_APP)
    assert parts["rows"].startswith("It would drop public.secret (about 1 row, ")
    parts = found(server, judged("DROP TABLE nowhere.at_all", database(server)))
    assert parts["rows"].startswith("It would drop table nowhere.at_all.")


def test_names_do_not_break_out(postgres15: Server) -> None:
    name = '"a\nIt would change no row.\x1b[2J"'
    where = postgres15.fresh()
    with psycopg.connect(postgres15.dsn(database=where)) as connection:
        connection.execute(f"CREATE TABLE {name}(a int)".encode())
    parts = found(postgres15, judged(f"DROP TABLE {name}", where))
    first, *_ = parts["rows"].splitlines()
    assert first.startswith("It would drop public.")
    assert "a\ufffdIt would" in first
    assert "\x1b" not in parts["rows"]


def test_without_asking() -> None:
    (statement,) = read("GRANT SELECT ON a, b TO bob, PUBLIC").statements
    assert started(statement, ("public.a", "public.b")).sentence == (
        "It would grant SELECT on public.a and public.b to bob and everybody (PUBLIC)."
    )
    (statement,) = read("DROP INDEX CONCURRENTLY i").statements
    assert started(statement, ()).sentence == "It would drop index i."
    assert joined([str(number) for number in range(12)]).endswith("9 and 2 more")
    assert joined([]) == ""
