"""What would outlive a rollback, found in the server's own tree and catalog."""

import pytest

from proctor.postgres.counting import undone
from proctor.postgres.effects import Effects, effects_of
from proctor.postgres.side import Connection
from tests.postgres.server import Server
from tests.postgres.trials import asking, database, everything, judged
from tests.postgres.trials import found as parts_of


def of(server: Server, body: str, *allowed: str) -> Effects:
    async def ask(connection: Connection) -> Effects:
        async with undone(connection):
            return await effects_of(connection, body, frozenset(allowed))

    return asking(server, ask)


@pytest.mark.parametrize(
    "body",
    [
        "DELETE FROM orders WHERE who = lower('X') AND at < now() AND random() < 2",
        "UPDATE items SET name = 'x'",  # its default is a sequence, and not used
        "UPDATE stepped SET a = 1",
        "INSERT INTO quiet SELECT a FROM noted",  # the other's trigger stays quiet
        "DELETE FROM falling",  # what refers to nothing
        "SELECT 1 -- a comment",
        "INSERT INTO parts VALUES (1, 'FROM noted :relid 5 :rellockmode 3')",
    ],
)
def test_nothing(every_postgres: Server, body: str) -> None:
    found = of(every_postgres, body)
    assert (found.strange, found.lasting) == ((), ())


@pytest.mark.parametrize(
    ("body", "strange", "lasting"),
    [
        ("UPDATE stepped SET b = DEFAULT", "public.step", "nobody has looked at (public.step)"),
        ("SELECT count(*) FILTER (WHERE step() > 1) FROM orders", "public.step", "public.step"),
        ("DELETE FROM orders WHERE id IN (SELECT n FROM stepping)", "public.step", "public.step"),
        ("SELECT 'glad'::mood::int", "public.stepping", "public.stepping"),
        ("SELECT lo_import('/etc/passwd')", "", "(pg_catalog.lo_import)"),
        ("SELECT setval('counter', 9)", "", "would move sequences for good (nextval or setval)"),
        ("MERGE INTO noted n USING orders o ON n.a = o.id WHEN MATCHED THEN DELETE", "", "trigger"),
        ("WITH x AS (UPDATE noted SET a = 1) SELECT 1", "", "sets off triggers (of public.noted)"),
        ("INSERT INTO v_orders VALUES (1)", "", "writes through views (public.v_orders)"),
        ("INSERT INTO items(id) VALUES (1000)", "", "sequences"),  # also where none is needed
    ],
)
def test_what_there_is(every_postgres: Server, body: str, strange: str, lasting: str) -> None:
    before = everything(every_postgres)
    found = of(every_postgres, body)
    assert found.strange == ((strange,) if strange else ())
    assert lasting in " ".join(found.lasting)
    assert everything(every_postgres) == before


def test_targets(postgres: Server) -> None:
    found = of(postgres, "DELETE FROM orders USING items WHERE orders.id = items.id")
    where = database(postgres)
    ((oid,),) = postgres.execute("SELECT 'orders'::regclass::oid::int8", database=where)
    assert found.targets == (oid,)


def test_foreign_tables(postgres15: Server) -> None:
    """One by a wrapper without a handler: nothing is asked of it."""
    where = postgres15.fresh(
        "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing;"
        "CREATE FOREIGN TABLE far(a int) SERVER away; CREATE TABLE near(a int)"
    )
    parts = parts_of(postgres15, judged("DELETE FROM near USING far WHERE near.a = far.a", where))
    assert "far" in parts["rows"]
    assert "Counted by running it" not in parts["rows"]


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ("SELECT step()", "public.step"),
        ("SELECT step()", "schema:public"),
        ("SELECT 'glad'::mood::int", "public.stepping"),
        ("UPDATE noted SET a = 1", "public.note"),
        ("SELECT pg_sleep(0)", "pg_catalog.pg_sleep"),
    ],
)
def test_what_somebody_has_looked_at(postgres15: Server, body: str, allowed: str) -> None:
    before = of(postgres15, body, "public.other")
    assert before.strange + before.lasting
    after = of(postgres15, body, allowed)
    assert (after.strange, after.lasting) == ((), ())


def test_sequences_move_whoever_has_looked(postgres15: Server) -> None:
    found = of(postgres15, "SELECT nextval('counter')", "pg_catalog.nextval", "public.step")
    assert found.lasting == ("would move sequences for good (nextval or setval)",)
