"""A SQL session, seen everywhere sessions are: a real server, a real gateway, a real client."""

import json
import threading
from collections.abc import Iterator

import psycopg
import pytest

from proctor.testing import gateway
from tests.postgres.gateway import Through, through
from tests.postgres.server import MissingError, newest, shared
from tests.support.held import eventually

pytestmark = pytest.mark.e2e

SESSION = "3f2a7c1e-0000-4000-8000-0000000000aa"
RULES = """\
rules:
  - id: drops
    on: sql.statement
    when: '"DROP" in sql.verbs'
    then: hold
    approval: {from: [reviewers]}
    reason: Dropping needs a second pair of eyes.
  - {id: all, on: sql.statement, then: allow}
"""


@pytest.fixture(scope="module")
def there() -> Iterator[Through]:
    try:
        server = shared(newest())
    except MissingError as missing:
        pytest.skip(str(missing))
    with through(server, rules=RULES) as found:
        speak(found)
        yield found


def speak(found: Through) -> None:
    """Reads, writes, fails, and drops once bob has agreed."""
    dsn = found.dsn(application_name=f"claude {SESSION}")
    with psycopg.connect(dsn, autocommit=True) as client:
        client.execute("CREATE TEMP TABLE kept (id int, note text)")
        note = ("lemonade \x1b[31mred", 1)
        client.execute("INSERT INTO kept (note, id) VALUES (%s, %s)", note)
        assert client.execute("SELECT * FROM kept").fetchall() == [(1, note[0])]
        with pytest.raises(psycopg.errors.UndefinedColumn):
            client.execute("SELECT nope FROM kept")
        bob = threading.Thread(target=lambda: found.vote(found.held("DROP TABLE")["id"]))
        bob.start()
        client.execute("DROP TABLE kept")
        bob.join()
    eventually(lambda: len(found.recorded("sql", "duration_ms IS NOT NULL")) >= 5 or None)


def told(found: Through, *arguments: str) -> str:
    name, *rest = arguments
    said = gateway.command(name, "--config", "proctor.yaml", *rest, cwd=found.folder)
    assert said.returncode == 0, said.stderr
    return said.stdout


@pytest.mark.parametrize("command", ["show", "replay"])
def test_it_is_shown_and_played(there: Through, command: str) -> None:
    shown = told(there, command, SESSION)
    assert "\x1b" not in shown
    for expected in ("CREATE TEMP TABLE kept", "lemonade \\x1b[31mred", "DROP TABLE kept",
                     '42703: column "nope" does not exist', "approved by local#bob"):  # fmt: skip
        assert expected in shown


def test_its_film_keeps_the_order(there: Through) -> None:
    film = json.loads(told(there, "replay", SESSION, "--format", "json"))
    kinds = [event["kind"] for event in film["events"]]
    assert kinds == [
        "outside", "sql", "rows", "sql", "rows", "sql", "rows", "sql", "failed",
        "sql", "held", "held", "held", "rows", "outside",
    ]  # fmt: skip


def test_it_is_found(there: Through) -> None:
    found = json.loads(told(there, "search", "lemonade", "--format", "json"))
    assert {each["part"] for each in found} == {"statement", "result"}
    assert {each["session_id"] for each in found} == {SESSION}


def test_it_is_exported(there: Through) -> None:
    lines = told(there, "export", "--view", "statements", "--content").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["data"]["verbs"][0] for row in rows] == [
        "CREATE", "INSERT", "SELECT", "SELECT", "DROP",
    ]  # fmt: skip
    assert len({row["id"] for row in rows}) == 5
    assert (rows[2]["data"]["rows"], rows[3]["outcome"], rows[4]["outcome"]) == (1, "error", "hold")
    assert "lemonade" in rows[2]["data"]["result"]
    activity = [
        json.loads(line)["class_uid"]
        for line in told(there, "export", "--profile", "ocsf", "--view", "statements").splitlines()
    ]
    assert activity == [6005] * 5
    assert "db.system.name" in told(there, "export", "--format", "otlp")
    assert json.loads(told(there, "export", "--format", "har"))["log"]["entries"] == []


def test_it_is_for_watching_only(there: Through) -> None:
    said = gateway.command(
        "replay", "--config", "proctor.yaml", SESSION, "--serve", cwd=there.folder
    )
    assert said.returncode == 1
    assert "Its 5 SQL statements are neither served nor sent again" in said.stderr
