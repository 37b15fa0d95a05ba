"""What a client may say, and what becomes of it: through a real gateway, to a real server."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from proctor.protocols.postgres.messages import FLUSH, LONG, SYNC, Back, Front, message
from tests.postgres.gateway import Through, through
from tests.postgres.server import Server
from tests.postgres.wire import (
    PATIENCE,
    Wire,
    bind,
    close,
    describe,
    errors,
    execute,
    kinds,
    parse,
    query,
    rows,
    run,
)

pytestmark = pytest.mark.e2e

RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - id: no-drops
    on: sql.statement
    when: '"DROP" in sql.verbs'
    then: deny
    reason: Nothing is dropped here.
  - id: no-salaries
    on: sql.statement
    when: 'sql.tables.exists(t, t == "public.salaries")'
    then: deny
    reason: Salaries are nobody's business.
  - id: out
    on: sql.statement
    when: '"TRUNCATE" in sql.verbs'
    then: deny
    terminate: true
    reason: Whoever empties tables goes.
"""

TABLES = """
CREATE TABLE t (a int PRIMARY KEY, b text);
INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');
CREATE TABLE salaries (name text, amount int);
INSERT INTO salaries VALUES ('bob', 100000);
CREATE SCHEMA other;
CREATE TABLE other.salaries (name text);
CREATE TABLE other.t (a int);
GRANT ALL ON ALL TABLES IN SCHEMA public, other TO PUBLIC;
GRANT ALL ON SCHEMA public, other TO PUBLIC;
"""


@pytest.fixture(scope="module")
def gateway(postgres15: Server) -> Iterator[Through]:
    with through(postgres15, rules=RULES) as running:
        yield running


@pytest.fixture(scope="module")
def database(postgres15: Server) -> str:
    return postgres15.fresh(TABLES)


@contextmanager
def direct(server: Server, database: str) -> Iterator[Wire]:
    """A connection to the server itself, signed in by psycopg."""
    with (
        psycopg.connect(server.dsn(database=database), autocommit=True) as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as taken,
    ):
        taken.settimeout(PATIENCE)
        yield Wire(taken)


@pytest.fixture
def wire(gateway: Through, database: str) -> Iterator[Wire]:
    opened = Wire.open(gateway, database=database)
    yield opened
    opened.close()


def test_a_query_is_answered(wire: Wire) -> None:
    found = wire.query("SELECT a, b FROM t ORDER BY a")
    assert kinds(found) == "TDDDCZ"
    assert rows(found)[0] == [b"1", b"one"]


def test_an_empty_query_is_answered(wire: Wire) -> None:
    assert kinds(wire.query("")) == "IZ"
    assert kinds(wire.query(" -- nothing\n;;")) == "IZ"


def test_the_extended_protocol_is_answered(wire: Wire) -> None:
    found = wire.ask(run("SELECT b FROM t WHERE a = $1", b"2"))
    assert kinds(found) == "12TDCZ"
    assert rows(found) == [[b"two"]]


@pytest.mark.parametrize(
    "sent",
    [query("DROP TABLE t"), run("DROP TABLE t"), query("SELECT 1; DROP TABLE t")],
    ids=["query", "extended", "several"],
)
def test_a_denied_statement_is_an_error_and_the_session_lives_on(
    wire: Wire, postgres15: Server, database: str, sent: bytes
) -> None:
    found = wire.ask(sent)
    assert kinds(found) == "EZ"
    (error,) = errors(found)
    assert (error.severity, error.code) == ("ERROR", "42501")
    assert error.message == "Nothing is dropped here."
    assert "no-drops" in error.detail
    assert rows(wire.query("SELECT 1")) == [[b"1"]]
    assert postgres15.execute("SELECT count(*) FROM t", database=database) == [(3,)]


def test_a_denied_statement_fails_its_transaction(wire: Wire) -> None:
    assert wire.query("BEGIN")[-1].body == b"T"
    assert wire.query("DROP TABLE t")[-1].body == b"E"
    (error,) = errors(wire.query("SELECT 1 FROM t"))
    assert error.code == "25P02"
    assert wire.query("ROLLBACK")[-1].body == b"I"


def test_a_denied_statement_in_a_pipeline_throws_away_what_follows_until_sync(wire: Wire) -> None:
    found = wire.ask(
        parse("SELECT 1"), bind(), execute(),
        parse("DROP TABLE t"), bind(), execute(),
        parse("SELECT 2"), bind(), execute(), SYNC,
        run("SELECT 3"), readies=2,
    )  # fmt: skip
    assert kinds(found) == "12DCEZ12TDCZ"
    assert rows(found) == [[b"1"], [b"3"]]


def test_a_table_is_the_one_that_the_search_path_finds(wire: Wire) -> None:
    assert errors(wire.query("SELECT * FROM salaries"))
    assert not errors(wire.query("SET search_path TO other, public"))
    assert not errors(wire.query("SELECT * FROM salaries"))
    assert errors(wire.query("SELECT * FROM public.salaries"))
    assert not errors(wire.query("RESET search_path"))
    assert errors(wire.query("SELECT * FROM salaries"))


def test_a_prepared_statement_is_judged_by_what_its_names_mean_now(wire: Wire) -> None:
    wire.query("SET search_path TO other, public")
    assert kinds(wire.ask(parse("SELECT name FROM salaries", "p"), SYNC)) == "1Z"
    assert kinds(wire.ask(bind(statement="p"), execute(), SYNC)) == "2CZ"
    wire.query("SET search_path TO public")
    found = wire.ask(bind(statement="p"), execute(), SYNC)
    assert kinds(found) == "EZ"
    assert errors(found)[0].code == "42501"


def test_a_search_path_that_is_rolled_back_holds_no_more(wire: Wire) -> None:
    wire.query("BEGIN")
    wire.query("SET search_path TO other")
    assert not errors(wire.query("SELECT * FROM salaries"))
    wire.query("ROLLBACK")
    assert errors(wire.query("SELECT * FROM salaries"))


SALARIES = "SELECT * FROM salaries"


@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT", "ROLLBACK TO s", "ABORT"])
def test_a_search_path_ends_with_its_transaction_also_within_one_text(wire: Wire, end: str) -> None:
    wire.query("BEGIN; SAVEPOINT s")
    wire.query("SET LOCAL search_path TO other")
    assert not errors(wire.query(SALARIES)), "they are other.salaries so far"
    found = wire.query(f"{end}; {SALARIES}")
    assert errors(found)[0].code == "42501"
    assert not rows(found)


@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT"])
def test_so_does_a_table_that_stands_before_another_one(wire: Wire, end: str) -> None:
    wire.query("BEGIN")
    wire.query("CREATE TEMP TABLE salaries (a int) ON COMMIT DROP")
    assert not errors(wire.query(SALARIES))
    found = wire.query(f"{end}; {SALARIES}")
    assert errors(found)[0].code == "42501"
    assert not rows(found)


def test_what_was_prepared_is_not_looked_up_elsewhere_within_one_text(wire: Wire) -> None:
    wire.query("SET search_path TO other, public")
    wire.query(f"PREPARE p AS {SALARIES}")
    assert not errors(wire.query("EXECUTE p"))
    found = wire.query("SET search_path TO public; EXECUTE p")
    assert errors(found)[0].code == "42501"
    assert not rows(found)


def test_a_search_path_is_undone_by_an_error_too(wire: Wire) -> None:
    wire.query("BEGIN")
    wire.query("SET LOCAL search_path TO other")
    assert not errors(wire.query(SALARIES))
    assert wire.query("SELECT 1/0")[-1].body == b"E"
    found = wire.query(f"ROLLBACK; {SALARIES}")
    assert errors(found)[0].code in {"42501", "25P02"}
    assert not rows(found)


def test_a_search_path_in_a_pipeline_holds_for_what_follows(wire: Wire) -> None:
    found = wire.ask(
        parse("SET search_path TO other"), bind(), execute(),
        parse("SELECT name FROM salaries"), bind(), execute(), SYNC,
    )  # fmt: skip
    assert kinds(found) == "12C12CZ"
    found = wire.ask(
        parse("SET search_path TO public"), bind(), execute(),
        parse("SELECT name FROM salaries"), bind(), execute(), SYNC,
    )  # fmt: skip
    assert kinds(found) == "12CEZ"


def test_a_text_that_moves_its_own_names_is_refused(wire: Wire) -> None:
    found = wire.query("SET search_path TO other; SELECT * FROM salaries")
    assert kinds(found) == "EZ"
    assert "one by one" in errors(found)[0].hint


def test_temporary_tables_hide_others(wire: Wire) -> None:
    assert not errors(wire.query("CREATE TEMP TABLE salaries (x int)"))
    assert not errors(wire.query("SELECT x FROM salaries"))
    assert errors(wire.query("SELECT * FROM public.salaries"))
    assert errors(wire.query("DISCARD TEMP")) == []
    assert errors(wire.query("SELECT * FROM salaries"))


def test_prepare_and_execute(wire: Wire) -> None:
    assert kinds(wire.query("PREPARE p (int) AS SELECT b FROM t WHERE a = $1")) == "CZ"
    assert rows(wire.query("EXECUTE p (3)")) == [[b"three"]]
    assert rows(wire.ask(bind(b"1", statement="p"), execute(), SYNC)) == [[b"one"]]
    assert kinds(wire.query("DEALLOCATE p")) == "CZ"
    (error,) = errors(wire.query("EXECUTE p (3)"))
    assert (error.code, error.message) == ("26000", 'prepared statement "p" does not exist')


def test_execute_is_judged_by_what_it_runs(wire: Wire) -> None:
    wire.query("SET search_path TO other")
    wire.query("PREPARE p AS SELECT * FROM salaries")
    wire.query("SET search_path TO public")
    assert errors(wire.query("EXECUTE p"))[0].code == "42501"


def test_a_name_that_is_taken_stays_what_it_was(wire: Wire) -> None:
    wire.ask(parse("SELECT 'first'", "p"), SYNC)
    found = wire.ask(parse("SELECT 'second'", "p"), SYNC)
    assert errors(found)[0].code == "42P05"
    assert rows(wire.ask(bind(statement="p"), execute(), SYNC)) == [[b"first"]]
    assert kinds(wire.ask(close("S", "p"), parse("SELECT 'third'", "p"), SYNC)) == "31Z"
    assert rows(wire.ask(bind(statement="p"), execute(), SYNC)) == [[b"third"]]


def test_a_parse_that_failed_has_made_nothing(wire: Wire) -> None:
    assert errors(wire.ask(parse("SELECT * FROM nowhere", "p"), SYNC))[0].code == "42P01"
    found = wire.ask(bind(statement="p"), execute(), SYNC)
    assert errors(found)[0].code == "26000"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (bind(statement="nobody"), "26000"),
        (describe("S", "nobody"), "26000"),
        (describe("P", "nobody"), "34000"),
        (execute("nobody"), "34000"),
    ],
    ids=["bind", "describe statement", "describe portal", "execute"],
)
def test_a_name_that_nobody_gave_is_unknown(wire: Wire, sent: bytes, code: str) -> None:
    found = wire.ask(sent, SYNC)
    assert kinds(found) == "EZ"
    assert errors(found)[0].code == code
    assert "nobody" in errors(found)[0].message
    assert rows(wire.query("SELECT 1")) == [[b"1"]]


def test_portals_go_on_where_they_stopped(wire: Wire) -> None:
    found = wire.ask(
        query("BEGIN"),
        parse("SELECT a FROM t ORDER BY a"), bind(portal="c"), execute("c", 2), FLUSH,
        execute("c", 2), close("P", "c"), SYNC, readies=2,
    )  # fmt: skip
    assert kinds(found) == "CZ12DDsDC3Z"
    assert rows(found) == [[b"1"], [b"2"], [b"3"]]


def test_cursors_are_declared_and_fetched(wire: Wire) -> None:
    wire.query("BEGIN")
    assert kinds(wire.query("DECLARE c CURSOR FOR SELECT a FROM t ORDER BY a")) == "CZ"
    assert rows(wire.query("FETCH 2 FROM c")) == [[b"1"], [b"2"]]
    assert kinds(wire.query("CLOSE c")) == "CZ"
    wire.query("COMMIT")


def test_copy_goes_both_ways(wire: Wire, postgres15: Server, database: str) -> None:
    postgres15.execute("CREATE TABLE copies (x text); GRANT ALL ON copies TO PUBLIC",
                       database=database)  # fmt: skip
    wire.send(query("COPY copies FROM STDIN"))
    assert kinds(wire.until(ord("G"))) == "G"
    found = wire.ask(message(Front.COPY_DATA, b"a\nb\n"), message(Front.COPY_DONE, b""))
    assert kinds(found) == "CZ"
    found = wire.query("COPY copies TO STDOUT")
    assert kinds(found) == "HddcCZ"
    wire.send(query("COPY copies FROM STDIN"))
    wire.until(ord("G"))
    found = wire.ask(message(Front.COPY_FAIL, b"no more\0"))
    assert errors(found)[0].code == "57014"


def test_copy_by_the_extended_protocol_with_the_sync_that_libpq_sends(wire: Wire) -> None:
    wire.query("CREATE TEMP TABLE x (y text)")
    wire.send(run("COPY x FROM STDIN"))
    wire.until(ord("G"))
    found = wire.ask(message(Front.COPY_DATA, b"a\n"), message(Front.COPY_DONE, b""), SYNC)
    assert kinds(found) == "CZ"
    assert rows(wire.query("SELECT * FROM x")) == [[b"a"]]


@pytest.mark.parametrize(
    ("table", "data", "answered"),
    [
        ("a_view", b"", 1),  # it fails before it reads anything
        ("numbers", b"none\n", 0),  # the Sync stands before the data
    ],
)
def test_a_sync_before_a_copy_that_fails(
    wire: Wire, postgres15: Server, database: str, table: str, data: bytes, answered: int
) -> None:
    """As libpq sends it (54.2.6): what the server answers of it, the client gets, and no more."""
    wire.query("CREATE TEMP TABLE numbers (n int); CREATE TEMP VIEW a_view AS SELECT 1")
    with direct(postgres15, database) as other:
        other.query("CREATE TEMP TABLE numbers (n int); CREATE TEMP VIEW a_view AS SELECT 1")
        for each in (wire, other):
            each.send(run(f"COPY {table} FROM STDIN"))
            each.until(ord("G"))
            each.send(message(Front.COPY_DATA, data))
            assert kinds(each.until(ord("E"))) == "E"
            ended = message(Front.COPY_DONE, b"")
            found = each.ask(ended, SYNC, run("SELECT 1"), readies=2 + answered)
            assert kinds(found) == "Z" * (1 + answered) + "12TDCZ"
    assert rows(wire.query("SELECT 2")) == [[b"2"]]


@pytest.mark.parametrize(
    ("sent", "readies"),
    [
        # The server reads no further than to the line that it cannot take.
        ([message(Front.COPY_DATA, b"none\n"), SYNC], 1),
        ([message(Front.COPY_DATA, b"none\n"), SYNC, SYNC], 2),
        ([SYNC, message(Front.COPY_DATA, b"none\n"), SYNC], 1),
        # The line is not whole yet: a Sync within it is thrown away.
        ([message(Front.COPY_DATA, b"no"), SYNC, message(Front.COPY_DATA, b"ne\n"), SYNC], 1),
        ([message(Front.COPY_DATA, b"no"), SYNC, message(Front.COPY_DATA, b"ne\n")], 0),
        ([SYNC, message(Front.COPY_FAIL, b"no\0"), SYNC], 1),
        ([SYNC, message(Front.COPY_FAIL, b"no\0")], 0),
    ],
)
@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_syncs_in_the_midst_of_a_copy_that_fails(
    wire: Wire, postgres15: Server, database: str, sent: list[bytes], readies: int, protocol: str
) -> None:
    """The client waits for as many ReadyForQuery as the server sends, here and direct."""
    simple = protocol == "simple"
    copying = (query if simple else run)("COPY numbers FROM STDIN").removesuffix(SYNC)
    with direct(postgres15, database) as other:
        for each in (wire, other):
            each.query("CREATE TEMP TABLE numbers (n int)")
            each.send(copying, b"" if simple else FLUSH)
            each.until(ord("G"))
            each.send(*sent)
            assert kinds(each.until(ord("E"))) == "E"
            for _ in range(readies + simple):
                assert kinds(each.until(Back.READY)) == "Z"
            # Without a Sync that was answered, what comes is thrown away until there is one.
            thrown = b"" if readies or simple else parse("DROP TABLE numbers") + bind() + execute()
            found = each.ask(thrown, SYNC, query("SELECT count(*) FROM numbers"), readies=2)
            assert kinds(found) == "ZTDCZ"
    assert rows(wire.query("SELECT 2")) == [[b"2"]]


def test_copy_data_that_comes_before_it_is_asked_for(wire: Wire) -> None:
    wire.query("CREATE TEMP TABLE x (y text)")
    found = wire.ask(
        query("COPY x FROM STDIN"), message(Front.COPY_DATA, b"a\n"), message(Front.COPY_DONE, b"")
    )
    assert kinds(found) == "GCZ"
    # Of a COPY that fails, what is still sent is nobody's.
    found = wire.ask(
        query("COPY nowhere FROM STDIN"),
        message(Front.COPY_DATA, b"a\n"), message(Front.COPY_DONE, b""),
        query("SELECT 1"), readies=2,
    )  # fmt: skip
    assert kinds(found) == "EZTDCZ"


def test_a_long_message_that_has_begun_goes_on_after_the_copy_has_failed(
    wire: Wire, postgres15: Server, database: str
) -> None:
    """Without its rest, the server would take what follows for it, and something else for SQL."""
    wire.query("CREATE TEMP TABLE numbers (n int)")
    wire.send(query("COPY numbers FROM STDIN"))
    wire.until(ord("G"))
    size, begun = LONG + 1000, 10
    head = b"d" + (size + 4).to_bytes(4, "big")
    found = wire.ask(message(Front.COPY_DATA, b"none\n"), head, b"x" * begun)
    assert kinds(found) == "EZ"
    hidden = query("DROP TABLE t")
    sent = parse("SELECT pg_catalog.length($1::text::bytea)")
    prefix = len(sent) + len(bind(b"")[:-2])
    value = b"y" * (size - begun - prefix) + hidden
    found = wire.ask(b"x" * (size - begun), sent, bind(value), execute(), SYNC)
    assert kinds(found) == "1EZ", "a text with zero bytes"
    assert rows(wire.query("SELECT 1")) == [[b"1"]]
    assert postgres15.execute("SELECT count(*) FROM t", database=database) == [(3,)]


@pytest.fixture
def locked(postgres15: Server, database: str) -> Iterator[int]:
    """What names mean cannot be asked: the server's process that stands in the way."""
    with psycopg.connect(postgres15.dsn(database=database)) as other:
        other.execute("LOCK TABLE pg_catalog.pg_policy IN ACCESS EXCLUSIVE MODE")
        yield other.info.backend_pid


def _until_blocked(server: Server, by: int) -> None:
    """Return once something waits for a lock of this process."""
    waits = "SELECT 1 FROM pg_locks WHERE %s = ANY(pg_blocking_pids(pid))"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        while not connection.execute(waits, [by]).fetchone():
            pass


SELECT = "SELECT a FROM t"


@pytest.mark.parametrize("sent", [query(SELECT), run(SELECT)], ids=["query", "extended"])
@pytest.mark.parametrize("begin", ["", "BEGIN"], ids=["alone", "in a transaction"])
def test_a_cancel_while_a_statement_is_judged_cancels_it_alone(
    gateway: Through, postgres15: Server, wire: Wire, locked: int, sent: bytes, begin: str
) -> None:
    wire.query(begin)
    wire.send(sent)
    _until_blocked(postgres15, locked)
    wire.cancel(gateway)
    found = wire.until(ord("Z"))
    (error,) = errors(found)
    assert (error.code, error.detail) == ("57014", "")
    assert error.message == "canceling statement due to user request"
    assert found[-1].body == (b"E" if begin else b"I")
    wire.query("ROLLBACK")
    assert rows(wire.query("SELECT 1")) == [[b"1"]]


def test_a_cancel_while_a_query_is_judged_behind_what_was_flushed(
    gateway: Through, postgres15: Server, wire: Wire, locked: int
) -> None:
    """No Sync of the client's follows a Query, so the server may not wait for one (54.2.3)."""
    wire.query("BEGIN")
    wire.send(parse("SELECT 1"), FLUSH)
    wire.until(ord("1"))
    wire.send(query("COPY t FROM STDIN"))
    _until_blocked(postgres15, locked)
    wire.cancel(gateway)
    found = wire.until(ord("Z"))
    (error,) = errors(found)
    assert (error.code, found[-1].body) == ("57014", b"E")
    assert kinds(wire.query("ROLLBACK")) == "CZ"


def test_a_cancel_ends_a_copy_whose_data_has_come_before_it_was_judged(
    gateway: Through, postgres15: Server, wire: Wire, locked: int
) -> None:
    wire.query("BEGIN")
    size = 2 * LONG
    wire.send(query("COPY t FROM STDIN"), b"d" + (size + 4).to_bytes(4, "big"))
    _until_blocked(postgres15, locked)
    wire.cancel(gateway)
    wire.send(b"x" * size, message(Front.COPY_FAIL, b"no\0"))
    assert kinds(wire.until(ord("Z"))) == "EZ"
    assert kinds(wire.query("ROLLBACK")) == "CZ"


def test_a_clients_own_time_limit_ends_its_statement_while_that_is_judged(
    wire: Wire, locked: int
) -> None:
    assert locked
    wire.query("SET statement_timeout = '300ms'")
    (error,) = errors(wire.query(SELECT))
    assert error.code == "57014"
    assert error.message == "canceling statement due to statement timeout"
    assert kinds(wire.query("BEGIN")) == "CZ"


def test_a_pipeline_in_a_failed_transaction_is_told_so_by_its_next_statement(wire: Wire) -> None:
    found = wire.ask(run("BEGIN"), run("SELECT 1/0"), run("SELECT b FROM t"), readies=3)
    assert [error.code for error in errors(found)] == ["22012", "25P02"]
    assert kinds(found)[-4:] == "EZEZ"
    assert wire.query("ROLLBACK")[-1].body == b"I"


def test_function_calls_of_the_protocol_do_not_pass(wire: Wire) -> None:
    found = wire.ask(message(Front.FUNCTION_CALL, b"\0\0\0\x01\0\0\0\0\0\0"))
    assert kinds(found) == "EZ"
    assert errors(found)[0].code == "42501"


def test_what_cannot_be_read_is_refused_in_postgresqls_own_words(wire: Wire) -> None:
    (error,) = errors(wire.query("SELEC 1"))
    assert (error.code, error.message) == ("42601", 'syntax error at or near "SELEC"')
    assert error.others["P"] == "1"


def test_a_rule_may_end_the_connection(wire: Wire) -> None:
    found = wire.query("TRUNCATE t")
    (error,) = errors(found)
    assert (error.severity, error.code) == ("FATAL", "42501")
    assert (error.message, error.detail[:5]) == ("Whoever empties tables goes.", "rule ")
    assert wire.next() is None


def test_what_is_no_message_ends_the_connection(wire: Wire) -> None:
    wire.send(b"!\0\0\0\x04")
    found = wire.until(ord("E"))
    assert errors(found)[0].severity == "FATAL"
    assert wire.next() is None


def test_drivers_pipelines_work(gateway: Through, database: str) -> None:
    with (
        psycopg.connect(gateway.dsn(database), autocommit=True) as connection,
        connection.pipeline(),
    ):
        found = [connection.execute("SELECT %s::int", (number,)) for number in range(50)]
        assert [each.fetchall() for each in found] == [[(number,)] for number in range(50)]
