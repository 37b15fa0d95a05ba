"""Held, cancelled, expired, killed: through a real gateway, to a real server."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from proctor.postgres.session import TOGETHER, Session
from proctor.protocols.postgres.messages import SYNC, Back, Front, Piece
from tests.postgres.gateway import Through, through
from tests.postgres.server import Server
from tests.postgres.wire import (
    Wire,
    bind,
    errors,
    execute,
    kinds,
    notices,
    parse,
    query,
    rows,
    run,
)

pytestmark = pytest.mark.e2e

RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - id: writes
    on: sql.statement
    when: 'sql.verbs.exists(v, v in ["UPDATE", "DELETE"])'
    then: hold
    approval: {from: [reviewers], wait: 60s, ttl: 10m}
    reason: Somebody looks at writes.
  - id: impatient
    on: sql.statement
    when: '"VACUUM" in sql.verbs'
    then: hold
    approval: {from: [reviewers], wait: 1s, ttl: 10m}
"""


@pytest.fixture(scope="module")
def gateway(postgres15: Server) -> Iterator[Through]:
    with through(postgres15, rules=RULES, listener="grace: 2s") as running:
        yield running


@pytest.fixture
def database(postgres15: Server) -> str:
    return postgres15.fresh(
        "CREATE TABLE t (a int PRIMARY KEY, b text);"
        " INSERT INTO t SELECT n, 'x' FROM generate_series(1, 10) n;"
        " GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC"
    )


@pytest.fixture
def wire(gateway: Through, database: str) -> Iterator[Wire]:
    opened = Wire.open(gateway, database=database)
    yield opened
    opened.close()


def count(server: Server, database: str) -> int:
    """Rows that nobody has written, asked at the server itself."""
    ((found,),) = server.execute("SELECT count(*) FROM t WHERE b = 'x'", database=database)
    return int(found)


@pytest.mark.parametrize(
    "sent",
    [query("UPDATE t SET b = 'y' WHERE a < 3"), run("UPDATE t SET b = 'y' WHERE a < $1", b"3")],
    ids=["query", "extended"],
)
def test_a_held_statement_runs_once_somebody_agrees(
    gateway: Through, postgres15: Server, wire: Wire, database: str,
    sent: bytes,
) -> None:  # fmt: skip
    wire.send(sent)
    (notice,) = notices(wire.until(Back.NOTICE))
    approval = gateway.held("UPDATE t SET b")
    assert approval["id"] in notice.message
    assert "reviewers" in notice.detail
    assert count(postgres15, database) == 10
    assert database in approval["card"]["title"]
    gateway.vote(approval["id"])
    found = wire.until(Back.READY)
    assert kinds(found)[-2:] == "CZ"
    assert count(postgres15, database) == 8
    # Approved once is not approved for ever.
    wire.send(sent)
    again = gateway.held("UPDATE t SET b")
    assert again["id"] != approval["id"]
    gateway.vote(again["id"], "deny")
    (error,) = errors(wire.until(Back.READY))
    assert error.code == "42501"
    assert "bob" in error.message


def test_other_parameters_are_another_statement(gateway: Through, wire: Wire) -> None:
    wire.send(run("DELETE FROM t WHERE a = $1", b"1"))
    first = gateway.held("DELETE FROM t")
    gateway.vote(first["id"])
    assert kinds(wire.until(Back.READY))[-2:] == "CZ"
    wire.send(run("DELETE FROM t WHERE a = $1", b"2"))
    second = gateway.held("DELETE FROM t")
    assert second["digest"] != first["digest"]
    gateway.vote(second["id"], "deny")
    assert errors(wire.until(Back.READY))


def test_what_comes_after_a_held_statement_waits(gateway: Through, wire: Wire) -> None:
    wire.send(query("UPDATE t SET b = 'z'"), query("SELECT count(*) FROM t WHERE b = 'z'"))
    gateway.vote(gateway.held("UPDATE t SET b = 'z'")["id"])
    found = [*wire.until(Back.READY), *wire.until(Back.READY)]
    assert rows(found) == [[b"10"]]


def test_a_cancel_gives_up(gateway: Through, postgres15: Server, wire: Wire, database: str) -> None:
    wire.send(query("UPDATE t SET b = 'cancelled'"))
    wire.until(Back.NOTICE)
    approval = gateway.held("cancelled")
    wire.cancel(gateway)
    (error,) = errors(wire.until(Back.READY))
    assert error.code == "57014"
    state = gateway.api("GET", f"approvals/{approval['id']}").json()["state"]
    assert state == "cancelled"
    assert count(postgres15, database) == 10
    assert rows(wire.query("SELECT 1")) == [[b"1"]]


def test_a_cancel_reaches_a_statement_that_runs(gateway: Through, wire: Wire) -> None:
    wire.send(query("SELECT count(*) FROM generate_series(1, 10000000000)"))
    while not gateway.recorded("sql", "sql LIKE '%10000000000%'"):
        pass
    wire.cancel(gateway)
    (error,) = errors(wire.until(Back.READY))
    assert error.code == "57014"


def test_whoever_goes_away_gives_up(gateway: Through, postgres15: Server, database: str) -> None:
    with Wire.open(gateway, database=database) as wire:
        wire.send(query("UPDATE t SET b = 'gone'"))
        approval = gateway.held("gone")
        wire.close()
        while gateway.api("GET", f"approvals/{approval['id']}").json()["state"] == "pending":
            pass
        assert count(postgres15, database) == 10


def test_who_cannot_wait_is_told_where_it_stands(gateway: Through, wire: Wire) -> None:
    (error,) = errors(wire.query("VACUUM t"))
    assert error.code == "42501"
    approval = gateway.held("VACUUM t")
    assert approval["id"] in f"{error.message} {error.hint}"
    gateway.vote(approval["id"])
    assert kinds(wire.query("VACUUM t")) == "CZ"


def test_a_function_that_nobody_knows_is_held(
    gateway: Through, postgres15: Server, wire: Wire, database: str
) -> None:
    postgres15.execute("CREATE FUNCTION odd() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                       database=database)  # fmt: skip
    wire.send(query("SELECT odd()"))
    approval = gateway.held("odd")
    gateway.vote(approval["id"])
    assert rows(wire.until(Back.READY)) == [[b"1"]]


def test_statements_are_on_record(gateway: Through, wire: Wire) -> None:
    wire.query("SELECT 1 AS recorded, NULL AS n")
    wire.ask(run("SELECT b FROM t WHERE a = $1 -- recorded", b"3"))
    assert errors(wire.query("SELECT recorded FROM nowhere"))
    first, second, third = gateway.recorded(
        "sql, parameters, verbs, tables, verdict, rule_id, rows, error, result, duration_ms",
        "sql LIKE '%recorded%'",
    )
    assert first["verbs"] == ["SELECT"]
    assert first["rows"] == 1
    assert first["result"] == '{"columns":["recorded","n"],"rows":[["1",null]]}'
    assert second["parameters"] == '["3"]'
    assert second["tables"] == ["public.t"]
    assert (second["verdict"], second["rule_id"], second["error"]) == ("allow", "all", None)
    assert third["error"].startswith("42P01")
    assert third["duration_ms"] > 0


def test_a_token_that_ends_lets_what_runs_finish(gateway: Through, database: str) -> None:
    token = gateway.token(ttl=5)
    with Wire.open(gateway, database=database, token=token) as wire:
        wire.query("BEGIN")
        until = time.monotonic() + 5.2
        while time.monotonic() < until:
            assert not errors(wire.query("SELECT 1"))
            threading.Event().wait(0.05)
        assert not errors(wire.query("COMMIT"))
        found = wire.until(Back.ERROR)
        assert [(each.severity, each.code) for each in errors(found)] == [("FATAL", "28P01")]
        assert wire.next() is None


def test_a_transaction_is_not_open_for_ever_after_the_token(
    gateway: Through, database: str
) -> None:
    with Wire.open(gateway, database=database, token=gateway.token(ttl=5)) as wire:
        wire.query("BEGIN")
        found = wire.until(Back.ERROR)
        assert errors(found)[0].severity == "FATAL"
        assert "expired" in errors(found)[0].message


def test_a_kill_ends_connections(gateway: Through, database: str) -> None:
    with Wire.open(gateway, database=database, token=gateway.token("carol")) as wire:
        wire.send(query("UPDATE t SET b = 'killed'"))
        gateway.held("killed")
        said = gateway.api(
            "POST", "kills", {"scope": "principal", "target": "carol", "reason": "enough"}
        )
        assert said.is_success, said.text
        found = wire.until(Back.ERROR)
        assert errors(found)[-1].severity == "FATAL"
        assert "enough" in errors(found)[-1].message


def test_binds_of_one_statement_are_recorded_each(gateway: Through, wire: Wire) -> None:
    wire.ask(parse("SELECT $1::int AS many", "m"), SYNC)
    for number in range(3):
        wire.ask(bind(str(number).encode(), statement="m"), execute(), SYNC)
    found = gateway.recorded("parameters", "sql LIKE '%AS many%'")
    assert [each["parameters"] for each in found] == ['["0"]', '["1"]', '["2"]']


def test_each_of_several_binds_in_a_pipeline_ends_as_it_does(gateway: Through, wire: Wire) -> None:
    insert = "INSERT INTO t VALUES ($1, 'several'), ($1::int + 1, 'several')"
    wire.ask(
        parse(insert), bind(b"500"), execute(), bind(b"502"), execute(),
        bind(b"none"), execute(), bind(b"504"), execute(), SYNC,
    )  # fmt: skip
    found = gateway.recorded("rows, error", "sql LIKE '%several%'")
    ends = [(row["rows"], (row["error"] or "")[:5]) for row in found]
    assert ends == [(2, ""), (2, ""), (0, "22P02"), (0, "throw")]


SHORT = bind(b"3", statement="p") + execute() + SYNC
"""Runs again what was prepared, all in one piece."""

SAID = (
    "sql, parameters, fingerprint, verbs, tables, verdict, rule_id, rows, masked_columns, error,"
    " result, principal"
)


def test_what_runs_again_is_recorded_as_it_was_the_first_time(gateway: Through, wire: Wire) -> None:
    sql = "SELECT b, a FROM t WHERE a = $1"
    wire.ask(parse(sql, "p") + SYNC)
    answers = [wire.ask(SHORT) for _ in range(4)]
    answers.append(wire.ask(bind(b"3", statement="p"), execute(), SYNC, SHORT)[0:4])
    wire.until(Back.READY)
    assert [kinds(each) for each in answers] == ["2DCZ"] * 5
    assert {tuple(rows(each)[0]) for each in answers} == {(b"x", b"3")}
    found = gateway.recorded(SAID, "sql LIKE 'SELECT b, a FROM t%'")
    assert len(found) == 6
    assert all(each == found[0] for each in found)
    assert (found[0]["rows"], found[0]["error"]) == (1, None)


def test_an_error_of_what_runs_again_is_recorded(gateway: Through, wire: Wire) -> None:
    wire.ask(parse("SELECT 6 / $1::int FROM t WHERE a = 1", "p") + SYNC)
    for _ in range(3):
        assert kinds(wire.ask(SHORT)) == "2DCZ"
    again = bind(b"0", statement="p") + execute() + SYNC
    assert kinds(wire.ask(again)).endswith("EZ")
    assert kinds(wire.ask(SHORT)) == "2DCZ"
    found = gateway.recorded("rows, error", "sql LIKE 'SELECT 6 /%'")
    assert [each["error"] is None for each in found] == [True, True, True, False, True]
    assert "22012" in found[3]["error"]


def test_what_runs_again_is_judged_anew_once_its_names_mean_something_else(
    gateway: Through, wire: Wire
) -> None:
    wire.ask(parse("SELECT a FROM t WHERE a = $1", "p") + SYNC)
    for _ in range(3):
        assert kinds(wire.ask(SHORT)) == "2DCZ"
    wire.query("BEGIN")
    for _ in range(2):
        assert kinds(wire.ask(SHORT)) == "2DCZ"
    wire.query("CREATE TEMP TABLE t AS SELECT 1 AS a")
    assert kinds(wire.ask(SHORT)) == "2CZ"
    wire.query("ROLLBACK")
    assert kinds(wire.ask(SHORT)) == "2DCZ"
    found = gateway.recorded("error", "sql LIKE 'SELECT a FROM t WHERE a = $1'")
    assert [each["error"] for each in found] == [None] * 7


def test_a_query_that_comes_again_is_answered_and_recorded_alike(
    gateway: Through, wire: Wire
) -> None:
    for _ in range(4):
        assert kinds(wire.query("SELECT b FROM t WHERE a < 4")) == "TDDDCZ"
    found = gateway.recorded(SAID, "sql LIKE '%a < 4'")
    assert len(found) == 4
    assert all(each == found[0] for each in found)
    assert found[0]["rows"] == 3


def test_others_have_their_turn_between_many_messages_of_one_client() -> None:
    """What looks for kills is among them: where it cannot, nothing passes."""
    sync = Piece(Front.SYNC, SYNC, 1, starts=True)

    async def go() -> list[int]:
        session = Session.__new__(Session)
        session._inbox = deque([sync] * (3 * TOGETHER - 1))
        session._busy = session._done = False
        session._out = []
        session._taking = Mock(take=Mock(return_value=None))
        session._leaving, session._wires = Mock(full=False), Mock()
        session._pump()
        left = [len(session._inbox)]
        while session._inbox:
            await asyncio.sleep(0)
            left.append(len(session._inbox))
        await asyncio.sleep(0)
        assert session._wires.resume_client.called
        return left

    left = asyncio.run(go())
    assert sorted({*left}, reverse=True) == [2 * TOGETHER - 1, TOGETHER - 1, 0]
