"""standard_conforming_strings is off: what is read is what the server reads, and what it runs."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import pq

from proctor.errors import RefusedError
from proctor.protocols.postgres.messages import SYNC, Front, message
from proctor.sql.escapes import conforming
from tests.postgres.gateway import Through, through
from tests.postgres.server import Server
from tests.postgres.wire import Wire, bind, errors, execute, kinds, parse, query, rows, run

pytestmark = pytest.mark.e2e

RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - id: no-drops
    on: sql.statement
    when: '"DROP" in sql.verbs'
    then: deny
    reason: Nothing is dropped here.
"""
OFF = "SET standard_conforming_strings = off"

type Said = list[tuple[str, list[tuple[bytes | None, ...]]]]


@pytest.fixture(scope="module")
def gateway(postgres15: Server) -> Iterator[Through]:
    with through(postgres15, rules=RULES) as running:
        yield running


@pytest.fixture(scope="module")
def database(postgres15: Server) -> str:
    return postgres15.fresh("CREATE TABLE t (a text); GRANT ALL ON t TO PUBLIC")


@pytest.fixture
def wire(gateway: Through, database: str) -> Iterator[Wire]:
    with Wire.open(gateway, database=database) as opened:
        yield opened


@pytest.fixture(scope="module")
def sessions(every_postgres: Server) -> Iterator[tuple[pq.abc.PGconn, pq.abc.PGconn]]:
    """One with the setting off, one with it on."""
    with psycopg.connect(every_postgres.dsn()) as off, psycopg.connect(every_postgres.dsn()) as on:
        for connection, value in ((off, b"off"), (on, b"on")):
            connection.pgconn.exec_(b"SET escape_string_warning = off")
            connection.pgconn.exec_(b"SET statement_timeout = '2s'")
            connection.pgconn.exec_(b"SET standard_conforming_strings = " + value)
        yield off.pgconn, on.pgconn


def said(connection: pq.abc.PGconn, text: str) -> Said:
    """What a server says of a text."""
    connection.exec_(b"BEGIN")
    connection.send_query(text.encode())
    found: Said = []
    while (result := connection.get_result()) is not None:
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        found.append(
            (
                state.decode() if state else "",
                [
                    tuple(result.get_value(row, column) for column in range(result.nfields))
                    for row in range(result.ntuples)
                ],
            )
        )
    connection.exec_(b"ROLLBACK")
    return found


PIECES = st.sampled_from(
    [
        *("'", "'", "'", "\\", "\\", "''", "\\'", "\\\\", "x", "n", "7", "u0041", "é", '"'),
        *("\n", " ", "--", "/*", "*/", "$$", "$a$", ";", ",", "E", "-", "'\n'", "' , '"),
    ]
)
STATEMENTS = st.builds(
    "SELECT {}'{}'{}{}".format,
    st.sampled_from(["", "", "", "E", "date", "$$ $$, ", "/* ' */", "1 --'\n,", "x$a$,"]),
    st.lists(PIECES, max_size=12).map("".join),
    st.sampled_from(["", "", "", "\n'\\''", " 'a\\''", ", '\\''", ";SELECT '\\';'"]),
    st.sampled_from(["", "", " -- '", "/* \\' */"]),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STATEMENTS)
def test_a_server_reads_a_text_as_it_is_read_here(
    sessions: tuple[pq.abc.PGconn, pq.abc.PGconn], text: str
) -> None:
    try:
        found, _ = conforming(text)
    except RefusedError:
        return
    off, on = sessions
    was = said(off, text)
    assert said(off, found) == was
    assert said(on, found) == was


HIDDEN = [
    r"SELECT '\', '; DROP TABLE t; --'",
    r"SELECT '\'', 1; DROP TABLE t; --'",
    r"SELECT '\\\'; SELECT '; DROP TABLE t; --'",
    "SELECT 'a'\n'\\', '; DROP TABLE t; --'",
    r"SELECT $a$'\$a$, '\', '; DROP TABLE t; --'",
    r"SELECT B'0''\', '; DROP TABLE t; --'",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_what_only_these_sessions_read_as_a_statement_is_judged(
    wire: Wire, postgres15: Server, database: str, text: str
) -> None:
    wire.query(OFF)
    (error,) = errors(wire.query(text))
    assert error.code in {"42501", "42601"}
    assert postgres15.execute("SELECT count(*) FROM t", database=database) == [(0,)]


@pytest.mark.parametrize("text", HIDDEN)
def test_nor_does_it_run_after_a_transaction_that_has_failed(
    wire: Wire, postgres15: Server, database: str, text: str
) -> None:
    assert wire.query(f"{OFF}; COMMIT; BEGIN; SELECT 1/0")[-1].body == b"E"
    found = wire.query(f"ROLLBACK; {text}")
    assert errors(found)[0].code in {"42501", "42601", "25P02"}
    assert postgres15.execute("SELECT count(*) FROM t", database=database) == [(0,)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"SELECT '\'; DROP TABLE t; --'", rb"'; DROP TABLE t; --"),
        (r"SELECT 'a\nb\\c\'d'", b"a\nb\\c'd"),
        ("SELECT 'a'\n'\\x41'", b"aA"),
    ],
)
def test_texts_are_what_these_sessions_take_them_for(
    wire: Wire, text: str, expected: bytes
) -> None:
    wire.query(OFF)
    assert rows(wire.query(text)) == [[expected]]
    assert rows(wire.ask(run(text))) == [[expected]]


def test_texts_in_another_encoding_are_read_alike(wire: Wire) -> None:
    wire.query("SET client_encoding = latin1")
    wire.query(OFF)
    text = r"SELECT 'é\'; DROP TABLE t; --ü', nothing"
    (error,) = errors(wire.ask(message(Front.QUERY, text.encode("latin-1") + b"\0")))
    assert error.others["P"] == str(text.index("nothing") + 1)
    text = text.removesuffix(", nothing")
    found = wire.ask(message(Front.QUERY, text.encode("latin-1") + b"\0"))
    assert rows(found) == [["é'; DROP TABLE t; --ü".encode("latin-1")]]
    found = wire.ask(message(Front.QUERY, b"SELECT '\\\xc3\x9f'\0"))
    assert rows(found) == [[b"\xc3\x9f"]]


def test_what_was_prepared_stays_what_it_was(wire: Wire) -> None:
    text = r"SELECT '\'; DROP TABLE t; --', $1::text"
    wire.query(OFF)
    assert kinds(wire.ask(parse(text, "off"), SYNC)) == "1Z"
    wire.query(r"PREPARE written AS SELECT '\'; DROP TABLE t; --'")
    wire.query("RESET standard_conforming_strings")
    assert kinds(wire.ask(parse(r"SELECT 'a\', $1::text", "on"), SYNC)) == "1Z"
    hidden = b"'; DROP TABLE t; --"
    assert rows(wire.ask(bind(b"x", statement="off"), execute(), SYNC)) == [[hidden, b"x"]]
    assert rows(wire.query("EXECUTE written")) == [[hidden]]
    wire.query(OFF)
    assert rows(wire.ask(bind(b"x", statement="off"), execute(), SYNC)) == [[hidden, b"x"]]
    assert rows(wire.ask(bind(b"x", statement="on"), execute(), SYNC)) == [[b"a\\", b"x"]]
    assert rows(wire.query("EXECUTE written")) == [[hidden]]


def test_the_setting_is_that_of_the_moment(wire: Wire) -> None:
    text = r"SELECT 'a\\'"
    assert rows(wire.query(text)) == [[rb"a\\"]]
    wire.query("BEGIN")
    wire.query("SET LOCAL standard_conforming_strings = off")
    assert rows(wire.query(text)) == [[rb"a\ ".strip()]]
    wire.query("COMMIT")
    assert rows(wire.query(text)) == [[rb"a\\"]]
    # A text of several statements is read whole, before the first of them runs.
    assert rows(wire.query(f"{OFF}; {text}")) == [[rb"a\\"]]
    assert rows(wire.query(f"RESET standard_conforming_strings; {text}")) == [[b"a\\"]]
    wire.query("SELECT set_config('standard_conforming_strings', 'off', false)")
    assert rows(wire.query(text)) == [[b"a\\"]]
    found = wire.ask(
        run("SET standard_conforming_strings = on")[:-5], run(text), run(OFF)[:-5], run(text),
        readies=2,
    )  # fmt: skip
    assert rows(found) == [[rb"a\\"], [b"a\\"]]


def test_places_in_errors_are_those_of_the_clients_text(wire: Wire, postgres15: Server) -> None:
    texts = [
        r"SELECT '\'', nothing",
        r"SELECT '\'', '\n', 'x'::nothing, '\n'",
        r"SELECT '\'' + interval '\'nothing'",
        r"SELECT '\'', '\u00'",
        r"SELECT '\'' FROM FROM",
        r"SELECT '\'', 'open",
    ]
    wire.query(OFF)
    with psycopg.connect(postgres15.dsn(), autocommit=True) as direct:
        direct.execute(OFF)
        for text in texts:
            expected = direct.pgconn.exec_(text.encode())
            place = expected.error_field(pq.DiagnosticField.STATEMENT_POSITION) or b""
            for sent in (query(text), run(text)):
                (error,) = errors(wire.ask(sent))
                assert error.others["P"] == place.decode(), text


def test_the_record_has_what_ran(gateway: Through, wire: Wire) -> None:
    wire.query(OFF)
    wire.query(r"SELECT 'kept\nso', 'marked'")
    found = gateway.recorded("sql", "sql LIKE '%marked%'")
    assert found == [{"sql": r"SELECT  E'kept\nso', 'marked'"}]
