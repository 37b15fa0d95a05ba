"""Views, partitions, foreign keys, rules and triggers, as real servers have them."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from proctor.sql.names import wanted
from proctor.sql.question import MOST, MOST_CHILDREN
from proctor.sql.reading import read
from proctor.sql.resolving import Resolved, resolve
from tests.postgres.conftest import every_postgres, postgres  # noqa: F401  # fixtures
from tests.postgres.server import Server
from tests.support.sqlnames import ask

_SHOP = """
CREATE SCHEMA shop; SET search_path = shop;
CREATE FUNCTION hook() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
CREATE OPERATOR === (FUNCTION = same, LEFTARG = int, RIGHTARG = int);

CREATE TABLE ledger (id int PRIMARY KEY, amount int, note text);
CREATE VIEW v AS SELECT id, amount FROM ledger;
CREATE VIEW vv AS SELECT id FROM v;
CREATE MATERIALIZED VIEW m AS SELECT f() AS one, id FROM vv;
CREATE VIEW over_m AS SELECT id FROM m;
CREATE VIEW calls AS SELECT f() AS one;
CREATE VIEW compares AS SELECT id === 1 AS one FROM ledger;

CREATE TABLE events (k int, n int) PARTITION BY LIST (k);
CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2) PARTITION BY LIST (n);
CREATE TABLE events_2_1 PARTITION OF events_2 FOR VALUES IN (1);
CREATE TRIGGER moved BEFORE INSERT ON events_1 FOR EACH ROW EXECUTE FUNCTION hook();
CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent);

CREATE TABLE users (id int PRIMARY KEY, name text, half int GENERATED ALWAYS AS (1) STORED UNIQUE);
CREATE TABLE orders (id int PRIMARY KEY,
  user_id int REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE lines (order_id int REFERENCES orders ON DELETE SET NULL);
CREATE TABLE looks (user_id int REFERENCES users);
CREATE TRIGGER gone BEFORE UPDATE ON lines FOR EACH ROW EXECUTE FUNCTION hook();
CREATE TABLE loop (id int PRIMARY KEY, up int REFERENCES loop ON DELETE CASCADE);
CREATE TABLE halves (half int REFERENCES users (half));
CREATE TABLE kept (half int);

CREATE TABLE ruled (a int);
CREATE RULE instead AS ON DELETE TO ruled DO INSTEAD DELETE FROM ledger;
CREATE TABLE hooked (a int);
CREATE TRIGGER t AFTER INSERT OR UPDATE ON hooked FOR EACH ROW EXECUTE FUNCTION hook();
CREATE TRIGGER off BEFORE DELETE ON hooked FOR EACH ROW EXECUTE FUNCTION hook();
ALTER TABLE hooked DISABLE TRIGGER off;
CREATE DOMAIN small AS int CHECK (f() = 1);
CREATE TABLE defaults (id serial, a int DEFAULT f());
CREATE TABLE checks (a int, CONSTRAINT c CHECK (f() = a));
CREATE TABLE domains (a small);
CREATE TABLE indexed (a int); CREATE INDEX ON indexed ((a + f()));
CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (a + f()) STORED);
CREATE TABLE guarded (a int); CREATE POLICY p ON guarded USING (f() = a);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE TABLE unguarded (a int); CREATE POLICY p ON unguarded USING (f() = a);
"""


@pytest.fixture(scope="module")
def shop(every_postgres: Server) -> Iterator[psycopg.Connection]:  # noqa: F811
    with psycopg.connect(every_postgres.dsn()) as connection:
        connection.execute(_SHOP)
        yield connection
        connection.rollback()


def told(connection: psycopg.Connection, text: str, *allowed: str) -> Resolved:
    script = read(text)
    known = ask(connection, wanted(script))
    return resolve(script.statements[-1], known, frozenset(allowed))


def short(names: tuple[str, ...]) -> str:
    return " ".join(name.replace("shop.", "") for name in names)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT 1 FROM v", "v ledger"),
        ("SELECT 1 FROM vv", "vv ledger v"),
        ("DELETE FROM vv", "vv ledger v"),
        ("INSERT INTO v VALUES (1)", "v ledger"),
        ("UPDATE v SET amount = 0", "v ledger"),
        ("COPY v TO STDOUT", "v ledger"),
        ("LOCK TABLE v", "v ledger"),
        ("SELECT 1 FROM over_m", "over_m ledger m v vv"),
        ("REFRESH MATERIALIZED VIEW m", "m ledger v vv"),
        ("SELECT 'v'::regclass", "v ledger"),
        ("CREATE VIEW w AS SELECT 1 FROM v", "w v ledger"),
        ("WITH d AS (DELETE FROM v RETURNING 1) SELECT 1 FROM d", "v ledger"),
        ("SELECT 1 FROM events", "events events_1 events_2 events_2_1"),
        ("SELECT 1 FROM ONLY events", "events"),
        ("SELECT 1 FROM ONLY events a, events b", "events events_1 events_2 events_2_1"),
        ("SELECT 1 FROM events_2_1", "events_2_1 events events_2"),
        ("DELETE FROM ONLY child", "child parent"),
        ("TRUNCATE parent", "parent child"),
        ("TRUNCATE ONLY parent", "parent"),
        ("DELETE FROM ONLY parent", "parent"),
        ("DELETE FROM users", "users lines orders"),
        ("DELETE FROM orders", "orders lines"),
        ("DELETE FROM loop", "loop"),
        ("UPDATE users SET id = 2", "users orders"),
        ("UPDATE users SET name = ''", "users"),
        ("INSERT INTO users VALUES (1)", "users"),
        ("INSERT INTO users VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2", "users orders"),
        ("MERGE INTO users USING kept ON true WHEN MATCHED THEN DELETE", "users kept lines orders"),
        ("TRUNCATE users", "users"),
        ("TRUNCATE users CASCADE", "users halves lines looks orders"),
        ("EXPLAIN DELETE FROM users", "users"),
        ("EXPLAIN ANALYZE DELETE FROM users", "users lines orders"),
        ("PREPARE p AS DELETE FROM users", "users lines orders"),
        ("SELECT 1 FROM users", "users"),
        ("DROP VIEW v", "v"),
        ("GRANT SELECT ON v TO PUBLIC", "v"),
        ("DROP TABLE events", "events events_1 events_2 events_2_1"),
        ("DELETE FROM ruled", "ruled ledger"),
        ("SELECT 1 FROM ruled", "ruled"),
    ],
)
def test_tables(shop: psycopg.Connection, text: str, tables: str) -> None:
    found = told(shop, text)
    assert short(found.tables) == tables
    assert found.tables[: len(found.named)] == found.named


@pytest.mark.parametrize(
    ("text", "unknown", "words"),
    [
        ("INSERT INTO hooked VALUES (1)", "hook", "trigger t on hooked calls hook"),
        ("COPY hooked FROM STDIN", "hook", "trigger t on hooked calls hook"),
        ("DELETE FROM hooked", "", ""),
        ("SELECT 1 FROM hooked", "", ""),
        ("EXPLAIN INSERT INTO hooked VALUES (1)", "", ""),
        ("DELETE FROM orders", "hook", "trigger gone on lines calls hook"),
        ("UPDATE events SET k = 1", "hook", "trigger moved on events_1 calls hook"),
        ("INSERT INTO events VALUES (1)", "hook", "trigger moved on events_1 calls hook"),
        ("DELETE FROM events", "", ""),
        ("SELECT 1 FROM calls", "f", "rule _RETURN on calls calls f"),
        ("SELECT 1 FROM compares", "operator ===", "rule _RETURN on compares calls operator ==="),
        ("DROP VIEW calls", "", ""),
        ("SELECT 1 FROM m", "", ""),
        ("REFRESH MATERIALIZED VIEW m", "f", "rule _RETURN on m calls f"),
        ("INSERT INTO defaults VALUES (1)", "f", "a column of defaults calls f"),
        ("DELETE FROM defaults", "", ""),
        ("INSERT INTO checks VALUES (1)", "f", "constraint c of checks calls f"),
        ("INSERT INTO domains VALUES (1)", "f", "constraint small_check of domains calls f"),
        ("INSERT INTO indexed VALUES (1)", "f", "an index on indexed calls f"),
        ("SELECT 1 FROM guarded", "f", "policy p on guarded calls f"),
        ("SELECT 1 FROM unguarded", "", ""),
        ("INSERT INTO ledger VALUES (1)", "", ""),
    ],
)
def test_what_runs_unseen(shop: psycopg.Connection, text: str, unknown: str, words: str) -> None:
    found = told(shop, text)
    assert short(found.unknown_functions) == unknown
    assert set(found.unknown_functions) <= set(found.functions)
    said = [short((each,)) for each in found.opaque if " calls " in each]
    assert said == ([words] if words else [])
    if unknown:
        assert not found.read_only
    allowed = told(shop, text, *found.unknown_functions)
    assert allowed.unknown_functions == ()
    assert allowed.functions == found.functions


def test_generated_columns_count_as_code_and_as_changed(shop: psycopg.Connection) -> None:
    found = told(shop, "UPDATE generated SET a = 1")
    assert found.unknown_functions == ("shop.f",)
    # What follows a generated column follows any other it may be made of.
    names = ask(shop, wanted(read("UPDATE users SET name = ''")))
    assert [one.name for one in names.relations["", "users"].columns if one.generated] == ["half"]


def test_a_users_operators_are_not_used_on_the_way(shop: psycopg.Connection) -> None:
    with shop.transaction(force_rollback=True):
        for kind in ("oid", '"char"', "text", "int2", "name"):
            shop.execute(
                f"CREATE FUNCTION shop.fooled({kind}, {kind}) RETURNS bool LANGUAGE plpgsql"
                " AS $$BEGIN RAISE 'fooled'; END$$"
            )
            for name in ("=", "<>", ">", "<"):
                shop.execute(
                    f"CREATE OPERATOR shop.{name} (FUNCTION = fooled, LEFTARG = {kind},"
                    f" RIGHTARG = {kind})"
                )
        shop.execute("SET LOCAL search_path = shop, pg_catalog")
        for text in ("DELETE FROM vv", "DELETE FROM users", "INSERT INTO hooked VALUES (1)"):
            assert told(shop, text).tables


def test_more_partitions_than_are_told_are_out_of_sight(postgres: Server) -> None:  # noqa: F811
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("CREATE TABLE crowd (k int) PARTITION BY LIST (k)")
        connection.execute(
            f"DO $$ BEGIN FOR n IN 0..{MOST_CHILDREN} LOOP EXECUTE format('CREATE TABLE crowd_%s"
            " PARTITION OF crowd FOR VALUES IN (%s)', n, n); END LOOP; END $$"
        )
        found = told(connection, "SELECT 1 FROM crowd")
        assert found.unknown_functions == ("partitions:public.crowd",)
        assert found.opaque == (f"more than {MOST_CHILDREN} partitions of public.crowd",)
        allowed = told(connection, "SELECT 1 FROM crowd", "partitions:public.crowd")
        assert (allowed.unknown_functions, allowed.opaque) == ((), ())
        assert told(connection, "SELECT 1 FROM ONLY crowd").unknown_functions == ()
        connection.execute("DROP TABLE crowd_0")
        assert told(connection, "SELECT 1 FROM crowd").unknown_functions == ()
        assert len(told(connection, "SELECT 1 FROM crowd").tables) == MOST_CHILDREN + 1
        connection.rollback()


def test_a_cut_answer_is_not_known_to_be_harmless(shop: psycopg.Connection) -> None:
    script = read("SELECT 1 FROM users")
    names = replace(ask(shop, wanted(script)), cut=True)
    found = resolve(script.statements[0], names)
    assert found.unknown_functions == ("relations",)
    assert MOST > MOST_CHILDREN
