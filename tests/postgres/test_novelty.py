"""What is new for somebody: learned, told to rules, and shown to who decides; a real gateway."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from proctor.protocols.postgres.messages import Back
from proctor.testing.gateway import command
from tests.postgres.gateway import LISTENER, Through, through
from tests.postgres.server import Server
from tests.postgres.wire import Wire, errors, query, rows, run
from tests.support.held import eventually

pytestmark = pytest.mark.e2e

RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - id: new-table
    on: sql.statement
    when: novelty.table
    then: hold
    approval: {from: [reviewers], wait: 60s, ttl: 10m}
    reason: Somebody looks at what is new.
  - id: too-much
    on: sql.statement
    when: novelty.volume >= 100.0
    then: hold
    approval: {from: [reviewers], wait: 60s, ttl: 10m}
    reason: That is far more than usual.
  - id: far-too-much
    on: sql.statement
    when: 'novelty.volume >= 100.0 && "public.many" in sql.functions'
    then: deny
    reason: That is far more than usual.
"""
TABLES = """
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 5000) n;
CREATE TABLE salaries (id int, amount int);
INSERT INTO salaries VALUES (1, 100);
CREATE FUNCTION many() RETURNS SETOF int LANGUAGE sql ROWS 1 AS
  'SELECT id FROM orders WHERE id < 3000';
ANALYZE;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC
"""


@pytest.fixture(scope="module")
def gateway(postgres15: Server) -> Iterator[Through]:
    with through(postgres15, rules=RULES) as running:
        yield running


@pytest.fixture
def database(postgres15: Server) -> str:
    return postgres15.fresh(TABLES)


@pytest.fixture
def wire(gateway: Through, database: str) -> Iterator[Wire]:
    """Somebody who reads three orders at a time."""
    with Wire.open(gateway, database=database) as opened:
        for _ in range(60):
            assert len(rows(opened.query("SELECT * FROM orders WHERE id <= 3"))) == 3
        yield opened


def parts(approval: dict[str, Any]) -> dict[str, str]:
    return {part["name"]: part["text"] for part in approval["card"]["parts"]}


def test_a_new_table_is_held_with_what_is_new_in_words(gateway: Through, wire: Wire) -> None:
    wire.send(query("SELECT amount FROM salaries"))
    approval = gateway.held("FROM salaries")
    words = "first time alice's agent touches public.salaries (60 statements on "
    assert parts(approval)["new"].startswith(words)
    gateway.vote(approval["id"])
    assert rows(wire.until(Back.READY)) == [[b"100"]]
    # What somebody agreed to and what ran well is usual from then on, by whichever connection.
    assert rows(wire.query("SELECT amount FROM salaries")) == [[b"100"]]
    found = gateway.recorded("rule_id, approval_id", "sql = 'SELECT amount FROM salaries'")
    assert [each["rule_id"] for each in found] == ["new-table", "all"]
    assert found[0]["approval_id"] == approval["id"]


def test_what_is_denied_never_becomes_usual(gateway: Through, wire: Wire) -> None:
    for _ in range(2):
        wire.send(query("SELECT 1 FROM salaries WHERE id = 7"))
        gateway.vote(gateway.held("WHERE id = 7")["id"], "deny")
        (error,) = errors(wire.until(Back.READY))
        assert error.code == "42501"


@pytest.mark.parametrize(
    "sent",
    [
        query("SELECT * FROM orders WHERE id <= 4000"),
        run("SELECT * FROM orders WHERE id < $1", b"9"),
    ],
    ids=["query", "extended"],
)
def test_a_hundred_times_the_usual_is_held_before_it_runs(
    gateway: Through, wire: Wire, sent: bytes
) -> None:
    wire.send(sent)
    approval = gateway.held("FROM orders WHERE id")
    assert " rows, where 3 are usual" in parts(approval)["new"]
    gateway.vote(approval["id"], "deny")
    assert errors(wire.until(Back.READY))


def test_what_no_estimate_told_is_stopped_while_it_comes(gateway: Through, wire: Wire) -> None:
    wire.send(query("SELECT id, many() FROM orders WHERE id = 1"))
    (error,) = errors(wire.until(Back.READY))
    assert error.code == "42501"
    assert "far more than usual" in error.message
    assert wire.next() is None
    sql = "SELECT detail FROM events WHERE kind = 'novelty.volume'"
    said = command(
        *("query", "--config", "proctor.yaml", "--format", "json", sql), cwd=gateway.folder
    )
    (event,) = json.loads(said.stdout)
    assert '"stopped":true' in json.dumps(event["detail"]).replace("\\", "").replace(" ", "")


def test_it_is_listed_forgotten_and_made_anew(gateway: Through, wire: Wire, database: str) -> None:
    def listed() -> dict[tuple[str, str], dict[str, Any]]:
        said = proctor("list", "local#alice", "--format", "json")
        found = json.loads(said)
        return {
            (each["kind"], each["name"]): each
            for each in found
            if each["database"] == f"{LISTENER}/{database}"
        }

    def proctor(*arguments: str) -> str:
        said = command("novelty", *arguments, "--config", "proctor.yaml", cwd=gateway.folder)
        assert said.returncode == 0, said.stderr
        return said.stdout

    wire.send(query("UPDATE orders SET note = 'y' WHERE id = 1"))
    approval = gateway.held("note = 'y'")
    assert parts(approval)["new"].startswith("first time alice's agent writes to public.orders")
    gateway.vote(approval["id"])
    assert not errors(wire.until(Back.READY))
    eventually(lambda: listed().get(("write", "public.orders")))
    before = listed()
    assert before["read", "public.orders"]["count"] == 60
    assert before["read", "public.orders"]["most_rows"] == 3
    proctor("forget", "local#alice")
    assert not listed()
    proctor("rebuild")
    after = listed()
    assert {key: each["count"] for key, each in after.items()} == {
        key: each["count"] for key, each in before.items()
    }
