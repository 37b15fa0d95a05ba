"""What a held statement would do: found out at a server, on which nothing changes by it."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from proctor.postgres import dryrun
from proctor.postgres.settings import DryRunSettings
from proctor.protocols.postgres.messages import Back, Bind
from tests.postgres.gateway import through
from tests.postgres.server import ORDERS_APP, Server
from tests.postgres.trials import ALICE, database, dry_run, everything, found, judged
from tests.postgres.wire import Wire, query, run


@pytest.fixture(params=["15", "18"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """After each test everything is as it was before."""
    made: Server = request.getfixturevalue(f"postgres{request.param}")
    before = everything(made)
    yield made
    assert everything(made) == before


COUNTED = "Counted by running it, and taken back."
GUESSED = "The number of rows is the planner's estimate."
MERGED = (
    "It would update 15 of 20 rows of public.parts (75 %)"
    " and delete 4 of 20 rows of public.parts (20 %)."
)

TRIED = {
    "DELETE FROM orders WHERE id <= 12": (
        "It would delete 12 of 4,031 rows of public.orders (0.3 %). It has a WHERE.",
        "Along with it, it would delete 12 of 100 rows of public.items (12 %).",
        COUNTED,
    ),
    "UPDATE orders SET total = 0": (
        "It would update all 4,031 rows of public.orders. No WHERE limits it.",
        COUNTED,
    ),
    "UPDATE orders SET total = 0 WHERE true": (
        "It would update all 4,031 rows of public.orders. No WHERE limits it.",
        COUNTED,
    ),
    "INSERT INTO orders(id) VALUES (5000), (5001)": (
        "It would insert 2 rows into public.orders, now of 4,031 rows.",
        COUNTED,
    ),
    "INSERT INTO orders(id) VALUES (1) ON CONFLICT (id) DO UPDATE SET total = 1": (
        "It would update 1 of 4,031 rows of public.orders (under 0.1 %).",
        COUNTED,
    ),
    "MERGE INTO parts p USING orders o ON p.id = o.id"
    " WHEN MATCHED AND p.id < 5 THEN DELETE WHEN MATCHED THEN UPDATE SET a = 'z'": (
        MERGED,
        COUNTED,
    ),
    "UPDATE parts_2 SET a = 'y'": (
        "It would update all 10 rows of public.parts_2. No WHERE limits it.",
        COUNTED,
    ),
    "WITH gone AS (DELETE FROM orders WHERE id < 4 RETURNING id) SELECT count(*) FROM gone": (
        "It would delete 3 of 4,031 rows of public.orders (under 0.1 %). It has a WHERE.",
        "Along with it, it would delete 3 of 100 rows of public.items (3 %).",
        COUNTED,
    ),
    "EXPLAIN ANALYZE DELETE FROM items WHERE id < 3": (
        "It would delete 2 of 100 rows of public.items (2 %). It has a WHERE.",
        COUNTED,
    ),
    "DELETE FROM orders WHERE id = 99999": (
        "It would change no row of public.orders (4,031 rows). It has a WHERE.",
        COUNTED,
    ),
    "UPDATE quiet SET a = 1": (  # its trigger is disabled
        "It would change no row of public.quiet (0 rows). No WHERE limits it.",
        COUNTED,
    ),
    "INSERT INTO orders(id) VALUES (1)": (
        "It fails when it is tried: unique violation (23505) of orders_pkey.",
    ),
    "UPDATE secret SET a = b::int": (
        "It fails when it is tried: invalid text representation (22P02).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sql", TRIED)
def test_it_is_run_and_taken_back(server: Server, sql: str) -> None:
    parts = found(server, judged(sql, database(server)))
    assert parts["rows"].splitlines() == list(TRIED[sql])
    assert "cost=" in parts["plan"]
    assert "planted" not in str(parts)


LASTING = {
    "INSERT INTO items(name) VALUES ('q')": "would move sequences for good (nextval or setval)",
    "INSERT INTO identified(a) VALUES (1)": "would move sequences for good (of public.identified)",
    "UPDATE orders SET id = nextval('counter')":
        "would move sequences for good (nextval or setval)",
    "DELETE FROM fallback": "would move sequences for good (nextval or setval)",
    "DELETE FROM rowwise": "would move sequences for good (nextval or setval)",
    "UPDATE noted SET a = 1": "sets off triggers (of public.noted)",
    "DELETE FROM ruled": "sets off rules (of public.ruled)",
    "DELETE FROM v_orders WHERE id = 1": "writes through views (public.v_orders)",
    "DELETE FROM orders WHERE id = pg_sleep(9)::text::int":
        "calls functions that nobody has looked at (pg_catalog.pg_sleep)",
}  # fmt: skip


@pytest.mark.parametrize("sql", LASTING)
def test_what_would_outlive_a_rollback_is_only_planned(server: Server, sql: str) -> None:
    parts = found(server, judged(sql, database(server)), user=ORDERS_APP)
    first, *notes = parts["rows"].splitlines()
    assert "about" in first or "hardly" in first
    assert f"Not tried, since it {LASTING[sql]}." in notes
    assert GUESSED in notes
    assert "cost=" in parts["plan"]


STRANGE = {
    "DELETE FROM orders WHERE step() = 1": "public.step",
    "SELECT step()": "public.step",
    "SELECT * FROM stepping": "public.step",
    "SELECT 'glad'::mood + 1": "public.stepping",
    "INSERT INTO stepped(a) VALUES (1)": "public.step",
    "UPDATE checked SET a = 2": "public.sure",
    "INSERT INTO tamed VALUES (1::fine)": "public.sure",
    "COPY (SELECT step()) TO STDOUT": "public.step",
    "CREATE TABLE made AS SELECT step()": "public.step",
    "EXPLAIN SELECT step()": "public.step",
}


@pytest.mark.parametrize("sql", STRANGE)
def test_functions_that_nobody_has_looked_at_are_not_even_planned(server: Server, sql: str) -> None:
    """The planner calls those that say they are immutable."""
    parts = found(server, judged(sql, database(server)))
    assert parts["rows"].splitlines()[1:] == [
        f"Not tried, since it calls functions that nobody has looked at ({STRANGE[sql]})."
    ]
    assert "plan" not in parts


def test_functions_that_somebody_has_looked_at_are_tried(postgres15: Server) -> None:
    where = database(postgres15)
    before = everything(postgres15)
    parts = found(
        postgres15, judged("INSERT INTO noted VALUES (3)", where), allowed=["public.note"]
    )
    assert parts["rows"].splitlines() == [
        "It would insert 1 row into public.noted, now of 0 rows.",
        COUNTED,
    ]
    assert everything(postgres15) == before


def test_several_groups_give_no_more_than_their_rights(every_postgres: Server) -> None:
    """Sessions are members of both; the login that makes them may do more, and it is not that."""
    groups = ("dry_reads", "dry_writes")
    maker, password = "dry_maker", "dry-maker-password"
    where = every_postgres.fresh(
        "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO b VALUES (1), (2);"  # noqa: S608 - ours
        " CREATE TABLE own (n int);"
        f" CREATE ROLE {groups[0]}; CREATE ROLE {groups[1]};"
        f" CREATE ROLE {maker} LOGIN CREATEROLE PASSWORD '{password}';"
        f" GRANT {', '.join(groups)} TO {maker} WITH ADMIN OPTION;"
        f" ALTER TABLE own OWNER TO {maker};"
        f" GRANT SELECT ON a TO {groups[0]}; GRANT SELECT, DELETE ON b TO {groups[1]}"
    )
    roles = "SELECT count(*) FROM pg_roles"
    before = every_postgres.execute(roles)

    def rows(sql: str) -> str:
        said = judged(sql, where)
        return found(every_postgres, said, user=maker, groups=groups, passwords={maker: password})[
            "rows"
        ]

    try:
        assert rows("DELETE FROM b WHERE n IN (SELECT n FROM a)").startswith(
            "It would change no row of public.b (2 rows)."
        )
        assert "permission denied for table own" in rows("DELETE FROM own")
        assert "permission denied for table a" in rows("DELETE FROM a")
        assert every_postgres.execute(roles) == before
    finally:
        every_postgres.execute(
            f"DROP TABLE own, a, b; DROP ROLE {maker}, {', '.join(groups)}", database=where
        )


def test_other_columns_defaults_are_no_matter(server: Server) -> None:
    parts = found(server, judged("UPDATE stepped SET a = 2", database(server)))
    assert parts["rows"].startswith("It would update the only row of public.stepped")


ONLY_READ = {
    "SELECT * FROM orders WHERE who = 'c3'": "It would read orders: about ",
    "SELECT nextval('counter')": "It would read counter: about 1 row by",
    "SELECT 1": "It would read about 1 row by",
    "COPY orders TO STDOUT": "It would run COPY on orders: about ",
    "COPY orders FROM STDIN": "It would run COPY on orders.",
    "CREATE TABLE made AS SELECT * FROM orders": "It would run CREATE SELECT on made and orders: ",
    "CREATE INDEX ON orders(who)": "It would run CREATE on orders.",
    "VACUUM orders": "It would run VACUUM on orders.",
    "DO 'BEGIN END'": "It would run DO.",
    "LOCK orders": "It would run LOCK on orders.",
    "GRANT SELECT, UPDATE ON orders TO bob": "It would grant SELECT, UPDATE on orders to bob.",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC":
        "It would take all rights on schema public from everybody (PUBLIC).",
}  # fmt: skip


@pytest.mark.parametrize("sql", ONLY_READ)
def test_everything_else_in_words(server: Server, sql: str) -> None:
    assert found(server, judged(sql, database(server)))["rows"].startswith(ONLY_READ[sql])


def test_with_its_parameters(server: Server) -> None:
    sql = "DELETE FROM orders WHERE id = $1 AND who = $2 AND total > $3"
    values = ((3).to_bytes(4, "big"), b"c3", b"0.5")
    bind = Bind(b"", b"", (1, 0, 0), values, ())
    parts = found(server, judged(sql, database(server)), bind=bind)
    assert parts["rows"].startswith("It would delete 1 of 4,031 rows of public.orders")
    assert "id = 3" in parts["plan"]
    bind = Bind(b"", b"", (0,), (b"4", b"'); DROP TABLE orders; --", None), ())
    parts = found(server, judged(sql, database(server), types=(23,)), bind=bind)
    assert parts["rows"].startswith("It would change no row of public.orders")


def test_parameters_that_cannot_be_read(server: Server) -> None:
    sql = "DELETE FROM orders WHERE id = ANY ($1)"
    parts = found(
        server, judged(sql, database(server)), bind=Bind(b"", b"", (1,), (b"\0" * 12,), ())
    )
    assert parts["rows"].splitlines() == [
        "It would run DELETE on orders.",
        "It could not be tried: a parameter of type integer[] in binary.",
    ]


def test_nothing_that_may_be_secret_is_told(server: Server) -> None:
    sql = "UPDATE orders SET total = 7 WHERE who = 'planted' AND id = 1234"
    parts = found(server, judged(sql, database(server)), hide=True)
    assert "planted" not in str(parts)
    assert "1234" not in str(parts)
    assert "cost=" in parts["plan"]
    parts = found(server, judged("DELETE FROM planted", database(server)), hide=True)
    assert parts["rows"].endswith("It could not be tried: undefined table (42P01).")


def test_as_somebody_who_may_not(server: Server) -> None:
    parts = found(server, judged("DELETE FROM secret", database(server)), user=ORDERS_APP)
    assert "permission denied for table secret" in parts["rows"]


def test_too_many_rows_are_not_touched(server: Server) -> None:
    parts = found(
        server,
        judged("UPDATE orders SET total = 0", database(server)),
        settings=DryRunSettings(rows=1000),
    )
    assert "Not tried, since it would touch more rows than the 1,000 that are tried." in (
        parts["rows"].splitlines()
    )


def test_what_takes_too_long_is_left(server: Server) -> None:
    slow = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.total + b.total = c.total"
    parts = found(
        server,
        judged(f"DELETE FROM items WHERE id = ({slow})", database(server)),  # noqa: S608
        settings=DryRunSettings(statement_timeout=3.0),
    )
    assert parts["rows"].splitlines() == [
        "It would delete about 1 of 100 rows of public.items (1 %). It has a WHERE.",
        "Trying it failed: that took too long.",
        GUESSED,
    ]


def test_a_lock_of_others_is_not_waited_for(server: Server) -> None:
    with psycopg.connect(server.dsn(database=database(server))) as other:
        other.execute("SELECT FROM orders WHERE id = 7 FOR UPDATE")
        parts = found(server, judged("DELETE FROM orders WHERE id = 7", database(server)))
        assert "Trying it failed: another session holds a lock on it." in parts["rows"]
        other.rollback()
        other.execute("LOCK orders")
        parts = found(server, judged("DROP TABLE orders", database(server)))
        assert parts["rows"].splitlines()[0].startswith("It would drop public.orders (about 4,031")
        parts = found(server, judged("DELETE FROM orders", database(server)))
        assert "another session holds a lock on it" in parts["rows"]
        other.rollback()


def test_what_is_not_seen_is_said(server: Server) -> None:
    statement = judged("SELECT 1; DELETE FROM items", database(server), in_transaction=True)
    lines = found(server, statement, at=1)["rows"].splitlines()
    assert (
        "The session is in a transaction: what it has not committed is not counted here." in lines
    )
    assert "What the statements before it in the same text do is left out." in lines
    parts = found(server, judged("DELETE FROM pg_temp.t", database(server)))
    assert parts["rows"].endswith("temporary tables, which only the session itself has.")


def test_prepared_statements_are_shown_and_not_run(server: Server) -> None:
    parts = found(server, judged("EXECUTE gone(1)", database(server)))
    assert parts["rows"].splitlines() == [
        "It would run EXECUTE.",
        "Not tried, since it runs what was prepared before.",
    ]


def test_a_server_that_is_away_holds_nothing_up(postgres15: Server) -> None:
    parts = found(postgres15, judged("DELETE FROM orders", "no_such_database"))
    assert "It could not be tried: The server could not be asked" in parts["rows"]


def test_an_error_of_our_own_holds_nothing_up(
    postgres15: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_text: str) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(dryrun, "read_shape", broken)
    parts = found(postgres15, judged("EXPLAIN SELECT 1", "postgres"))
    assert parts["rows"].endswith("It could not be tried: of an error of proctor's own.")
    assert "planted" not in caplog.text


def test_few_connections(postgres15: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are used again; for names that clients make up none are kept."""
    monkeypatch.setattr(dryrun, "MAX_SIDES", 1)
    where = database(postgres15)

    async def main() -> None:
        made = dry_run(postgres15)
        for _ in range(5):
            await made.evidence(ALICE, judged("SELECT 1", where), 0, None)
        rows = postgres15.execute(
            "SELECT count(*)::int FROM pg_stat_activity"
            " WHERE application_name = 'proctor side' AND datname LIKE 'fresh%'"
        )
        assert rows == [(1,)]
        await made.evidence(ALICE, judged("SELECT 1", "made_up"), 0, None)
        assert len(made._sides) == 1
        await made.close()

    asyncio.run(main())


EVERY = "UPDATE orders SET total = 0"
RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - id: everything
    on: sql.statement
    when: '"UPDATE" in sql.verbs && !sql.has_where || "DELETE" in sql.verbs'
    then: hold
    approval: {from: [reviewers], wait: 60s, ttl: 10m}
    reason: Without a WHERE.
"""


@pytest.mark.e2e
def test_the_card_says_it(postgres15: Server) -> None:
    where = database(postgres15)
    before = everything(postgres15)
    with through(postgres15, rules=RULES, listener="unknown_functions: allow") as gateway:
        wire = Wire.open(gateway, database=where)
        try:
            wire.send(query(EVERY))
            held = gateway.held("total = 0")
            said = "It would update all 4,031 rows of public.orders. No WHERE limits it."
            assert held["card"]["summary"] == f"{said} {EVERY}"
            parts = {part["name"]: part["text"] for part in held["card"]["parts"]}
            assert parts["rows"].splitlines()[0] == said
            assert "Seq Scan on orders" in parts["plan"]
            gateway.vote(held["id"], "deny")
            wire.until(Back.READY)
            wire.send(run("DELETE FROM orders WHERE id < $1", b"3"))
            held = gateway.held("id < $1")
            assert held["card"]["summary"].startswith("It would delete 2 of 4,031 rows of")
            gateway.vote(held["id"], "deny")
            wire.until(Back.READY)
        finally:
            wire.close()
    assert everything(postgres15) == before
