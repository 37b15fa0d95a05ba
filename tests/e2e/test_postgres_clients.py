"""JDBC and node-postgres at a database, through proctor: programs in postgres_clients/."""

import ast
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.postgres.conftest import postgres15
from tests.postgres.gateway import Through, through
from tests.postgres.server import Server
from tests.support.installation import REPOSITORY

__all__ = ["postgres15"]
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "postgres_clients"
DRIVER = Path("/usr/share/java/postgresql.jar")
MODULES = REPOSITORY / ".npm/node-postgres/node_modules"
BRING = "scripts/setup-postgres brings it"

RULES = """\
rules:
  - {id: all, on: sql.statement, then: allow}
  - id: no-drops
    on: sql.statement
    when: '"DROP" in sql.verbs'
    then: deny
    reason: Nothing is dropped here.
  - id: empties
    on: sql.statement
    when: '"TRUNCATE" in sql.verbs'
    then: hold
    approval: {from: [reviewers], wait: 1s, ttl: 10m}
    reason: Whoever empties tables asks first.
"""
TABLES = """
CREATE TABLE people (id int PRIMARY KEY, name text, born date);
INSERT INTO people VALUES (1, 'Ada', '1815-12-10'), (2, 'Grace', '1906-12-09');
CREATE TABLE notes (note text);
GRANT ALL ON people, notes TO PUBLIC;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client's database, and how its program is run on it."""

    gateway: Through
    server: Server
    database: str

    def says(self, *command: str, **env: str) -> list[tuple[str, str]]:
        """What the program prints, by name."""
        done = subprocess.run(
            command,
            env={"PATH": os.environ["PATH"], "TOKEN": self.gateway.token(), **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        pairs = (line.partition("=") for line in done.stdout.splitlines())
        return [(name, value) for name, _, value in pairs]


@pytest.fixture(scope="module")
def gateway(postgres15: Server) -> Iterator[Through]:
    with through(postgres15, rules=RULES) as running:
        yield running


@pytest.fixture
def client(gateway: Through, postgres15: Server) -> Client:
    return Client(gateway=gateway, server=postgres15, database=postgres15.fresh(TABLES))


def needs(*parts: Path | str) -> None:
    """Skip where one is missing; in CI all must be there."""
    for part in parts:
        if not (part.exists() if isinstance(part, Path) else shutil.which(part)):
            missing = f"{part} is missing: {BRING}"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)


def refusals(said: Sequence[tuple[str, str]]) -> None:
    """See that a client sees why a statement did not run."""
    found = dict(said)
    assert found["denied.state"] == "42501"
    assert found["denied.message"] == "Nothing is dropped here."
    assert "no-drops" in found["denied.detail"]
    assert found["held.state"] == "42501"
    assert "empties" in found["held.detail"]
    assert found["held.hint"]
    assert found["cancelled"] == "57014"


def test_jdbc(client: Client) -> None:
    needs("java", DRIVER)
    url = here(client, written(r"`(jdbc:postgresql:[^`]+)`"))
    said = client.says("java", "-cp", str(DRIVER), str(PROGRAMS / "Client.java"), url)
    refusals(said)
    wanted = ("simple", "prepared", "copied", "notes", "fetched", "batch", "after")
    assert [pair for pair in said if pair[0] in wanted] == [
        ("simple", "Ada"),
        *[("prepared", "2 Grace 1906-12-09")] * 8,
        ("copied", "2"),
        ("notes", "one|two|"),
        ("fetched", "1050"),
        ("batch", "3"),
        ("after", "5"),
    ]
    recorded(client)


def test_node_postgres(client: Client) -> None:
    needs("node", MODULES)
    options = here(client, written(r"`new Client\((\{[^`]+\})\)`"))
    said = client.says("node", str(PROGRAMS / "client.cjs"), options, NODE_PATH=str(MODULES))
    refusals(said)
    wanted = ("simple", "prepared", "copied", "notes", "after")
    assert [pair for pair in said if pair[0] in wanted] == [
        ("simple", "Ada"),
        *[("prepared", "2 Grace 1906-12-09")] * 2,
        ("copied", "2"),
        ("notes", "one|two|"),
        ("after", "2"),
    ]
    recorded(client)


def test_psql(client: Client) -> None:
    needs("psql")
    program, connection = shlex.split(here(client, written(r'or `(psql "host[^`]+)`')))
    show = ("-At", "-c", "SELECT current_database()")
    said = client.says(program, *show, connection, PGPASSWORD=client.gateway.token())
    assert said == [(client.database, "")]


def test_psycopg(client: Client) -> None:
    call = ast.parse(here(client, written(r"`(psycopg\.connect\([^`]+\))`")), mode="eval").body
    assert isinstance(call, ast.Call)
    given = {
        each.arg: each.value.value for each in call.keywords if isinstance(each.value, ast.Constant)
    }
    assert [*given] == ["host", "port", "dbname", "user"]
    with psycopg.connect(**given, password=client.gateway.token()) as connection:  # type: ignore[arg-type]  # as read
        assert connection.execute("SELECT current_database()").fetchone() == (client.database,)


def written(pattern: str) -> str:
    """What docs/postgres.md tells people to write."""
    text = (REPOSITORY / "docs/postgres.md").read_text(encoding="utf-8")
    found = re.findall(pattern, text)
    assert len(found) == 1, f"docs/postgres.md has {len(found)} of {pattern}"
    return str(found[0])


def here(client: Client, text: str) -> str:
    """The same, of this gateway's listener and this test's database."""
    assert "127.0.0.1" in text
    found = text.replace("6432", str(client.gateway.port)).replace("shop", client.database)
    assert found != text
    return found


def recorded(client: Client) -> None:
    """See that the record has what the client did, and the table all that it had."""
    left = client.server.execute("SELECT count(*) FROM people", database=client.database)
    assert left == [(2,)]
    flows = f"SELECT flow_id FROM flows WHERE path = '/{client.database}'"  # noqa: S608 - ours
    found = client.gateway.recorded("sql, verdict, rule_id, rows", f"flow_id IN ({flows})")
    told = {row["sql"]: (row["verdict"], row["rule_id"], row["rows"]) for row in found}
    assert told["DROP TABLE people"] == ("deny", "no-drops", None)
    assert told["TRUNCATE people"] == ("deny", "empties", None)
    assert told["COPY notes FROM STDIN"] == ("allow", "all", 2)
    assert told["SELECT name FROM people ORDER BY id"] == ("allow", "all", 2)
    for insert in (row for row in found if row["sql"].startswith("INSERT")):
        assert insert["rows"] == 1
